//! What the verifier tells systemd, and what systemd does with it: played here by a socket and the times of the shipped unit.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tests::recipes::shipped;
use tests::settings::Settings;
use tests::stage::HOST;
use tests::verifier::{Unit, Verifier};
use tests::wait::SOON;

/// The part of systemd that listens to a unit's verifier.
#[derive(Debug)]
pub(crate) struct Supervisor {
    socket: UnixDatagram,
    folder: TempDir,
    /// `WatchdogSec` of the unit.
    patience: Duration,
}

impl Supervisor {
    /// With the patience of `deploy/systemd/portcullis.service`.
    pub(crate) fn of_the_shipped_unit() -> Self {
        let unit = shipped("systemd", "portcullis.service");
        let seconds = unit.lines().find_map(|line| line.strip_prefix("WatchdogSec=")).unwrap().parse().unwrap();
        Self::new(Duration::from_secs(seconds))
    }

    fn new(patience: Duration) -> Self {
        let folder = TempDir::with_prefix("portcullis-notify-").unwrap();
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        Self { socket, folder, patience }
    }

    /// What it puts into the verifier's environment.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let path = self.folder.path().join("notify").display().to_string();
        vec![("NOTIFY_SOCKET".to_owned(), path), ("WATCHDOG_USEC".to_owned(), self.patience.as_micros().to_string())]
    }

    /// The next word within a time.
    fn next(&self, within: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(within)).unwrap();
        let mut buffer = [0; 256];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    /// Waits for a word.
    pub(crate) fn wait_for(&self, word: &str) {
        let begin = Instant::now();
        while begin.elapsed() < SOON {
            if self.next(SOON).as_deref() == Some(word) {
                return;
            }
        }
        panic!("waited in vain for {word}");
    }

    /// Waits until nothing has been heard for as long as the unit's patience lasts.
    pub(crate) fn wait_for_silence(&self) {
        while self.next(self.patience).is_some() {}
    }
}

fn verifier(supervisor: &Supervisor) -> Verifier {
    let unit = Unit { environment: supervisor.environment(), ..Unit::default() };
    let origin = tests::origin::Origin::start("main");
    Verifier::start_in(unit, Settings::new().site("main", &[HOST], Some(&origin.url())), tests::ports::free())
}

#[test]
fn it_says_when_it_is_ready_that_it_serves_and_when_it_stops() {
    let supervisor = Supervisor::new(Duration::from_secs(2));
    let mut verifier = verifier(&supervisor);
    assert_eq!(supervisor.next(SOON).as_deref(), Some("READY=1"));
    for _ in 0..3 {
        assert_eq!(supervisor.next(SOON).as_deref(), Some("WATCHDOG=1"));
    }
    verifier.terminate();
    supervisor.wait_for("STOPPING=1");
    assert!(verifier.wait_for_end().success());
}

#[test]
fn a_verifier_that_hangs_says_nothing_and_goes_on_when_it_goes_on() {
    let supervisor = Supervisor::new(Duration::from_secs(2));
    let verifier = verifier(&supervisor);
    supervisor.wait_for("WATCHDOG=1");
    verifier.hang();
    supervisor.wait_for_silence();
    verifier.go_on();
    supervisor.wait_for("WATCHDOG=1");
}

#[test]
fn a_disk_that_takes_nothing_does_not_have_it_taken_for_dead() {
    let supervisor = Supervisor::of_the_shipped_unit();
    let verifier = verifier(&supervisor);
    let state = verifier.directory().join("state");
    // A pipe that nobody reads takes whoever opens it for writing, as a disk that hangs takes whoever syncs.
    let pipe = state.join("price.unfinished");
    tests::wait::until_true(SOON, "the pipe to be there", || {
        Command::new("mkfifo").arg(&pipe).status().unwrap().success()
    });
    let told = verifier.command(&["mode", "off"]);
    assert!(told.status.success(), "{told:?}");
    let begin = Instant::now();
    while begin.elapsed() < supervisor.patience + Duration::from_secs(4) {
        let heard = supervisor.next(supervisor.patience);
        assert!(heard.is_some(), "nothing heard: {}", verifier.log());
    }
    tests::wait::until_true(SOON, "the log to say so", || verifier.log().contains("state_dir takes nothing"));
    // What changed meanwhile is in force, and saved as soon as it takes something again.
    assert!(verifier.command(&["mode", "on"]).status.success());
    verifier.client(HOST).navigate("/").expect_status(429);
    let reader = std::fs::File::open(&pipe).unwrap();
    std::fs::remove_file(&pipe).unwrap();
    drop(reader);
    tests::wait::until_true(SOON, "the mode to be saved", || {
        std::fs::read_to_string(state.join("price")).is_ok_and(|saved| saved.contains("\"mode\":\"on\""))
    });
}

#[test]
fn who_fills_all_connections_does_not_have_it_taken_for_dead() {
    let supervisor = Supervisor::new(Duration::from_secs(2));
    let unit = Unit { environment: supervisor.environment(), ..Unit::default() };
    let origin = tests::origin::Origin::start("main");
    let settings = Settings::new().set("limits.max_connections", 4).site("main", &[HOST], Some(&origin.url()));
    let verifier = Verifier::start_in(unit, settings, tests::ports::free());
    let client = verifier.client(HOST);
    let cookie = tests::visitor::buy(&client);
    // Each is an admitted request that never ends; at the limit more of them wait to be accepted.
    let mut hanging = Vec::new();
    tests::wait::until_true(SOON, "all connections to be taken", || {
        let mut connection = client.connect().unwrap();
        let request = client.request("GET", "/hang").cookie(&cookie).bytes();
        std::io::Write::write_all(connection.get_mut(), &request).unwrap();
        hanging.push(connection);
        origin.count("/hang") >= 4 && hanging.len() > 20
    });
    while supervisor.next(Duration::from_millis(1)).is_some() {}
    for _ in 0..4 {
        assert_eq!(supervisor.next(SOON).as_deref(), Some("WATCHDOG=1"), "{}", verifier.log());
    }
    drop(hanging);
}
