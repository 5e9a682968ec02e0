//! Sockets that systemd opened: taken over by the verifier, kept while it is started again, by the real `systemd-socket-activate`
//! and by a test that holds the socket as systemd does.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::process::Signal;
use tempfile::TempDir;
use tests::ports;
use tests::process::Process;
use tests::verifier::binary;
use tests::wait::{SOON, until, until_true};

/// A folder with a configuration that listens on a unix socket and on a port.
struct Place {
    folder: TempDir,
    port: u16,
    admin_port: u16,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            folder: TempDir::with_prefix("portcullis-activation-").unwrap(),
            port: ports::free(),
            admin_port: ports::free(),
        };
        let text = format!(
            "listen = [\"unix:{}\", \"127.0.0.1:{}\"]\nadmin = \"127.0.0.1:{}\"\nbeside = \"nginx\"\nmode = \"off\"\n\
             pressure_dir = \"/nonexistent\"\n[[site]]\nname = \"main\"\n",
            place.socket().display(),
            place.port,
            place.admin_port
        );
        std::fs::write(place.configuration(), text).unwrap();
        place
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("portcullis.sock")
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("portcullis.toml")
    }

    /// `systemd-socket-activate` on these addresses: it starts the verifier when somebody connects.
    fn activate(&self, addresses: &[String]) -> Process {
        let mut command = Command::new("systemd-socket-activate");
        command.args(addresses.iter().flat_map(|address| ["-l", address]));
        command.arg(binary()).arg("serve").arg("--config").arg(self.configuration());
        Process::start(command.current_dir(self.folder.path()), &self.log())
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("verifier.log")
    }

    fn health(&self) -> Output {
        Command::new(binary()).arg("health").arg("--config").arg(self.configuration()).output().unwrap()
    }

    fn wait_until_healthy(&self) {
        until_true(SOON, "the verifier to be healthy", || self.health().status.success());
    }
}

/// The first line of the answer to a check, over whatever connects.
fn asks(mut connection: impl std::io::Read + std::io::Write) -> String {
    let head = "GET /.portcullis-beside/check HTTP/1.1\r\nHost: a.example\r\nX-Real-IP: 198.51.100.7\r\n\
                X-Original-Method: GET\r\nX-Original-URI: /\r\nX-Original-Proto: https\r\nX-Request-ID: 0123456789abcdef0123456789abcdef\r\n\
                Connection: close\r\n\r\n";
    connection.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

/// A socket is there a moment before anybody listens at it.
fn over_unix(path: &Path) -> UnixStream {
    let socket = until(SOON, "somebody to listen", || UnixStream::connect(path).ok());
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket
}

#[test]
fn a_verifier_starts_with_the_first_request_and_answers_it() {
    let place = Place::new();
    let addresses = [place.socket().display().to_string(), format!("127.0.0.1:{}", place.port)];
    let process = place.activate(&addresses);
    until_true(SOON, "systemd-socket-activate to listen", || place.socket().exists());
    assert!(!place.health().status.success(), "nobody asked yet");
    assert!(asks(over_unix(&place.socket())).contains(" 204 "), "{}", process.output());
    let tcp = until(SOON, "the port to be open", || TcpStream::connect(("127.0.0.1", place.port)).ok());
    tcp.set_read_timeout(Some(SOON)).unwrap();
    assert!(asks(tcp).contains(" 204 "), "{}", process.output());
    place.wait_until_healthy();
}

#[test]
fn the_socket_stays_when_the_verifier_ends() {
    let place = Place::new();
    let mut process = place.activate(&[place.socket().display().to_string()]);
    until_true(SOON, "systemd-socket-activate to listen", || place.socket().exists());
    assert!(asks(over_unix(&place.socket())).contains(" 204 "), "{}", process.output());
    process.signal(Signal::TERM);
    assert!(process.wait(SOON).success(), "{}", process.output());
    assert!(place.socket().exists(), "it is not the verifier's to remove");
}

#[test]
fn a_socket_that_the_configuration_does_not_name_is_told_and_the_verifier_serves() {
    let place = Place::new();
    let other = place.folder.path().join("other.sock");
    let process = place.activate(&[other.display().to_string()]);
    until_true(SOON, "systemd-socket-activate to listen", || other.exists());
    let _waits = over_unix(&other);
    place.wait_until_healthy();
    assert!(process.output().contains("whoever connects there waits in vain"), "{}", process.output());
    assert!(asks(over_unix(&place.socket())).contains(" 204 "));
}

#[test]
fn a_socket_that_is_no_listener_stops_the_start_with_the_line_to_change() {
    let place = Place::new();
    let mut process = {
        let mut command = Command::new("systemd-socket-activate");
        command.args(["--datagram", "-l", &place.socket().display().to_string()]);
        command.arg(binary()).arg("serve").arg("--config").arg(place.configuration());
        Process::start(command.current_dir(place.folder.path()), &place.log())
    };
    until_true(SOON, "systemd-socket-activate to listen", || place.socket().exists());
    let sender = std::os::unix::net::UnixDatagram::unbound().unwrap();
    sender.send_to(b"wake up", place.socket()).unwrap();
    assert_eq!(process.wait(SOON).code(), Some(78), "{}", process.output());
    assert!(process.output().contains("name only ListenStream="), "{}", process.output());
}

#[test]
fn variables_that_are_meant_for_another_process_change_nothing() {
    let place = Place::new();
    let mut command = Command::new(binary());
    command.arg("serve").arg("--config").arg(place.configuration()).current_dir(place.folder.path());
    command.env("LISTEN_FDS", "1").env("LISTEN_PID", "1");
    let process = Process::start(&mut command, &place.log());
    place.wait_until_healthy();
    assert!(asks(over_unix(&place.socket())).contains(" 204 "), "{}", process.output());
    assert!(!process.output().contains("systemd hands over"), "{}", process.output());
}

#[test]
fn health_is_told_by_the_exit_status() {
    let place = Place::new();
    let told = place.health();
    assert_eq!(told.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&told.stderr).contains("cannot connect"), "{told:?}");
    let mut command = Command::new(binary());
    command.arg("serve").arg("--config").arg(place.configuration()).current_dir(place.folder.path());
    let mut process = Process::start(&mut command, &place.log());
    place.wait_until_healthy();
    process.kill();
    assert_eq!(place.health().status.code(), Some(1));
}
