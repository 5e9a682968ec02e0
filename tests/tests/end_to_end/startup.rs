//! What the operator reads when the verifier cannot start: one clear message, exit code 78, nothing half-started.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use tempfile::TempDir;
use tests::ports;
use tests::verifier::{Unit, binary};
use tests::wait::{SOON, until_true};

struct Attempt {
    directory: TempDir,
    port: u16,
    admin_port: u16,
}

impl Attempt {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap(), port: ports::free(), admin_port: ports::free() }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// Listeners and secret as they should be.
    fn good_head(&self) -> String {
        format!(
            "listen = \"127.0.0.1:{}\"\nadmin = \"127.0.0.1:{}\"\nsecret_file = \"{}\"\n",
            self.port,
            self.admin_port,
            self.path("portcullis.secret")
        )
    }

    /// Runs `serve` until it ends by itself; it must, soon, with 78, and listen nowhere.
    fn fails(&self, configuration: &str) -> String {
        fs::write(self.path("portcullis.toml"), configuration).unwrap();
        let output = self.run(&["serve", "--config", &self.path("portcullis.toml")]);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
        assert_eq!(output.status.code(), Some(78), "{text}");
        assert!(!text.contains("panicked"), "{text}");
        assert!(TcpStream::connect(("127.0.0.1", self.admin_port)).is_err(), "the admin listener is left over");
        text
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.run_through(&Unit::default(), arguments)
    }

    fn run_through(&self, unit: &Unit, arguments: &[&str]) -> Output {
        let mut words = unit.through.iter().map(PathBuf::from).chain([binary()]);
        let mut child = Command::new(words.next().unwrap())
            .args(words)
            .args(arguments)
            .current_dir(self.directory.path())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut ended = false;
        let start = Instant::now();
        until_true(SOON * 2, "the command to end, or to be ended", || {
            ended = child.try_wait().unwrap().is_some();
            if !ended && start.elapsed() > SOON {
                child.kill().unwrap();
            }
            ended || start.elapsed() > SOON
        });
        let output = child.wait_with_output().unwrap();
        assert!(ended, "it did not end by itself: {output:?}");
        output
    }
}

const SITE: &str = "[[site]]\nname = \"main\"\norigin = \"http://127.0.0.1:9\"\n";

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_likely_one() {
    let attempt = Attempt::new();
    let text = attempt.fails(&format!("{}mdoe = \"on\"\n{SITE}", attempt.good_head()));
    assert!(text.contains("portcullis.toml:4") && text.contains("mdoe") && text.contains("mode"), "{text}");
}

#[test]
fn all_errors_are_told_at_once() {
    let attempt = Attempt::new();
    let configuration = format!(
        "{}mode = \"sometimes\"\n{SITE}[challenge]\ncount = 65\ndifficulty = 0\n[[rule]]\npath = \"/x\"\naction = \"maybe\"\n",
        attempt.good_head()
    );
    let text = attempt.fails(&configuration);
    for word in ["sometimes", "count", "difficulty", "maybe"] {
        assert!(text.contains(word), "{word} in {text}");
    }
}

#[test]
fn a_file_that_is_no_toml_is_told_with_its_line() {
    let attempt = Attempt::new();
    let text = attempt.fails(&format!("{}[[site\n", attempt.good_head()));
    assert!(text.contains("portcullis.toml:4"), "{text}");
}

#[test]
fn a_file_that_is_not_there() {
    let attempt = Attempt::new();
    let output = attempt.run(&["serve", "--config", &attempt.path("nothing.toml")]);
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing.toml"), "{output:?}");
}

#[test]
fn a_missing_origin() {
    let attempt = Attempt::new();
    let text = attempt.fails(&format!("{}[[site]]\nname = \"main\"\n", attempt.good_head()));
    assert!(text.contains("origin"), "{text}");
    let text = attempt.fails(&attempt.good_head());
    assert!(text.contains("site"), "{text}");
}

#[test]
fn a_secret_that_cannot_be_read() {
    let attempt = Attempt::new();
    // Not a permission (root reads everything) but a folder, and then garbage.
    fs::create_dir(attempt.path("portcullis.secret")).unwrap();
    let text = attempt.fails(&format!("{}{SITE}", attempt.good_head()));
    assert!(text.contains("portcullis.secret"), "{text}");
    fs::remove_dir(attempt.path("portcullis.secret")).unwrap();
    for garbage in ["", "short", "zz\n", "one\ntwo\nthree\n"] {
        fs::write(attempt.path("portcullis.secret"), garbage).unwrap();
        let text = attempt.fails(&format!("{}{SITE}", attempt.good_head()));
        assert!(text.contains("portcullis.secret"), "{text}");
        let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
        assert!(lines <= 6, "one clear message, not {lines} lines: {text}");
    }
}

#[test]
fn a_state_dir_that_may_not_be_written() {
    let attempt = Attempt::new();
    fs::create_dir(attempt.path("state")).unwrap();
    fs::set_permissions(attempt.path("state"), PermissionsExt::from_mode(0o500)).unwrap();
    let configuration = format!(
        "{}state_dir = \"{}\"\nadmin_token_file = \"{}\"\n{SITE}",
        attempt.good_head(),
        attempt.path("state"),
        attempt.path("token")
    );
    fs::write(attempt.path("portcullis.toml"), configuration).unwrap();
    let ended = attempt.run_through(&Unit::without_rights(), &["serve", "--config", &attempt.path("portcullis.toml")]);
    let text = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(78), "{text}");
    assert!(text.contains("the state_dir") && text.contains("Permission denied"), "{text}");
}

#[test]
fn a_busy_port() {
    let attempt = Attempt::new();
    let _taken = TcpListener::bind(("127.0.0.1", attempt.port)).unwrap();
    let text = attempt.fails(&format!("{}{SITE}", attempt.good_head()));
    assert!(text.contains(&attempt.port.to_string()), "{text}");
    let attempt = Attempt::new();
    let _taken = TcpListener::bind(("127.0.0.1", attempt.admin_port)).unwrap();
    fs::write(attempt.path("portcullis.toml"), format!("{}{SITE}", attempt.good_head())).unwrap();
    let output = attempt.run(&["serve", "--config", &attempt.path("portcullis.toml")]);
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    assert!(TcpStream::connect(("127.0.0.1", attempt.port)).is_err());
}

#[test]
fn the_secret_and_the_token_are_made_for_the_owner_alone() {
    let verifier = tests::verifier::Verifier::start(tests::settings::Settings::new().site(
        "main",
        &[],
        Some("http://127.0.0.1:9"),
    ));
    for file in ["portcullis.secret", "admin-token"] {
        let mode = fs::metadata(verifier.directory().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let secret = fs::read_to_string(verifier.directory().join("portcullis.secret")).unwrap();
    assert!(!verifier.log().contains(secret.trim()), "the log does not tell the secret");
}

#[test]
fn check_config_tells_what_it_would_do_and_starts_nothing() {
    let attempt = Attempt::new();
    let configuration = format!(
        "{}mode = \"on\"\nbeside = \"proxy\"\ntrusted_proxies = [\"192.0.2.0/24\"]\n{SITE}hosts = [\"example.test\"]\n\
         [[rule]]\npath = \"/static/**\"\nasset = true\n[[rule]]\npath = \"/feed.xml\"\naction = \"allow\"\n",
        attempt.good_head()
    );
    fs::write(attempt.path("portcullis.toml"), configuration).unwrap();
    let output = attempt.run(&["check-config", &attempt.path("portcullis.toml")]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    for part in
        [&attempt.port.to_string(), "192.0.2.0/24", "example.test", "/static/**", "/feed.xml", "X-Forwarded-For"]
    {
        assert!(text.to_lowercase().contains(&part.to_lowercase()), "{part} in {text}");
    }
    assert!(text.find("/static/**") < text.find("/feed.xml"), "rules in their order");
    assert!(!Path::new(&attempt.path("portcullis.secret")).exists(), "checking makes nothing");
    fs::write(attempt.path("bad.toml"), "mode = \"onn\"\n").unwrap();
    assert_eq!(attempt.run(&["check-config", &attempt.path("bad.toml")]).status.code(), Some(78));
}

#[test]
fn mode_auto_says_what_tells_it_the_load_and_warns_where_nothing_tells_the_capacity() {
    let attempt = Attempt::new();
    let said = |sites: &str| {
        fs::write(attempt.path("portcullis.toml"), format!("{}{sites}", attempt.good_head())).unwrap();
        let output = attempt.run(&["check-config", &attempt.path("portcullis.toml")]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let learning = said(SITE);
    assert!(learning.contains("learned from its answers") && !learning.contains("nothing tells"), "{learning}");
    let beside = "beside = \"nginx\"\n[[site]]\nname = \"main\"\n";
    let blind = said(beside);
    assert!(blind.contains("warning") && blind.contains("capacity_per_second"), "{blind}");
    let told = said(&format!("{beside}capacity_per_second = 150\nprobe_url = \"http://127.0.0.1:3000/health\"\n"));
    assert!(told.contains("150 credits") && told.contains("/health") && !told.contains("warning"), "{told}");
}
