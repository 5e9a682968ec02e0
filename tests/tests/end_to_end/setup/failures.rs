//! Whatever step fails, and wherever it breaks off: everything is put back.

use std::fs;
use std::process::Command;

use rustix::process::Signal;
use tests::machine::{Files, Machine};
use tests::process::Process;
use tests::verifier::binary;
use tests::wait::{SOON, until_true};

use super::nginx::debian;
use super::{answers, refused, said, same};

const SITE: &str = "server {\n    listen PORT;\n    server_name a.test;\n    root FOLDER/www;\n}\n";

fn machine() -> Machine {
    debian(&[("sites-enabled/site", SITE)]).serving()
}

#[track_caller]
fn puts_back(machine: &Machine, arguments: &[&str], word: &str) {
    let before = machine.files();
    let why = refused(&machine.setup(&[&["--apply"], arguments].concat()));
    assert!(why.contains("everything was put back") && why.contains(word), "{why}");
    same(machine, &before);
    assert!(refused(&machine.setup(&["--remove"])).contains("nothing was set up"));
    answers(machine, "a.test", "GET", "/", 200);
}

/// A command that does `what` only where the files of setup are.
fn when_written(machine: &Machine, what: &str) -> String {
    format!("if test -e {}; then {what}; fi", machine.path("conf.d/portcullis.conf").display())
}

#[test]
fn when_the_check_fails() {
    let machine = machine();
    let check = when_written(&machine, "echo no such thing >&2; exit 1");
    puts_back(&machine, &["--check", &check], "no such thing");
}

#[test]
fn when_the_web_server_cannot_be_told() {
    puts_back(&machine(), &["--reload", "echo nobody there; exit 1"], "nobody there");
}

#[test]
fn when_the_gate_is_not_seen() {
    puts_back(&machine(), &["--reload", "true"], "the gate is not in place");
}

#[test]
fn when_the_verifier_is_gone() {
    let mut machine = machine();
    machine.verifier.crash();
    puts_back(&machine, &[], "Start it first");
}

#[test]
fn when_nginx_may_not_open_the_socket() {
    let machine = machine();
    let socket = machine.folder().join("portcullis.sock");
    fs::set_permissions(socket, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    puts_back(&machine, &[], "usermod --append --groups portcullis www-data");
}

#[test]
fn when_it_is_killed_in_the_middle_the_next_run_puts_back() {
    for next in [&["--remove"][..], &[]] {
        let machine = machine();
        let before = machine.files();
        let hangs = machine.folder().join("hangs");
        let check = when_written(&machine, &format!("touch {}; sleep 600", hangs.display()));
        let mut command = machine.command(&["--apply", "--check", &check]);
        let mut applying = Process::start(&mut command, &machine.folder().join("applying.log"));
        until_true(SOON, "it to be in the middle", || hangs.exists());
        assert_ne!(machine.files(), before);
        assert!(refused(&machine.setup(&["--remove"])).contains("another `portcullis setup` is at work"));
        applying.kill();
        let told = said(&machine.setup(next));
        assert!(next.contains(&"--remove") || told.contains("An earlier run broke off"), "{told}");
        same(&machine, &before);
    }
}

#[test]
fn when_somebody_ends_it_in_the_middle() {
    let machine = machine();
    let before = machine.files();
    let hangs = machine.folder().join("hangs");
    let check = when_written(&machine, &format!("touch {}; sleep 5", hangs.display()));
    let mut command = machine.command(&["--apply", "--check", &check]);
    let mut applying = Process::start(&mut command, &machine.folder().join("applying.log"));
    until_true(SOON, "it to be in the middle", || hangs.exists());
    applying.signal(Signal::INT);
    applying.wait(SOON);
    assert!(applying.output().contains("it was interrupted\n\neverything was put back"), "{}", applying.output());
    same(&machine, &before);
    assert!(refused(&machine.setup(&["--remove"])).contains("nothing was set up"));
}

#[test]
fn when_the_web_server_cannot_be_told_that_it_was_taken_out() {
    let machine = machine();
    let before = machine.files();
    let broken = machine.folder().join("broken");
    let reload = format!(
        "if test -e {}; then echo nobody there; exit 1; fi; kill -HUP $(cat {})",
        broken.display(),
        machine.folder().join("nginx.pid").display()
    );
    said(&machine.setup(&["--apply", "--reload", &reload]));
    fs::write(&broken, "").unwrap();
    let why = refused(&machine.setup(&["--remove"]));
    assert!(why.contains("the files are as they were before, and nginx could not be told"), "{why}");
    same(&machine, &before);
}

/// `--apply` for this host, killed where the files of it are written and nothing is checked yet.
fn killed_in_the_middle(machine: &Machine, host: &str) {
    let hangs = machine.folder().join("hangs");
    let site = machine.path(&format!("sites-enabled/{host}"));
    let check =
        format!("if grep -q portcullis-server.conf {}; then touch {}; sleep 600; fi", site.display(), hangs.display());
    let before = machine.files();
    let mut command = machine.command(&["--apply", "--site", host, "--check", &check]);
    let mut applying = Process::start(&mut command, &machine.folder().join("applying.log"));
    until_true(SOON, "it to be in the middle", || hangs.exists());
    assert!(machine.files() != before, "something is written");
    applying.kill();
    fs::remove_file(hangs).unwrap();
}

/// Two sites, of which the first is gated and the second is not.
fn with_one_of_two() -> (Machine, Files, Files) {
    let other = SITE.replace("a.test", "b.test");
    let machine = debian(&[("sites-enabled/a.test", SITE), ("sites-enabled/b.test", &other)]).serving();
    let bare = machine.files();
    said(&machine.setup(&["--apply", "--site", "a.test"]));
    let gated = machine.files();
    (machine, bare, gated)
}

#[test]
fn when_the_second_is_killed_the_gate_of_the_first_stays() {
    let (machine, bare, gated) = with_one_of_two();
    killed_in_the_middle(&machine, "b.test");
    // Only to be shown what would be done.
    let told = said(&machine.setup(&[]));
    assert!(told.contains("An earlier run broke off"), "{told}");
    same(&machine, &gated);
    answers(&machine, "a.test", "GET", "/portcullis-test", 429);
    answers(&machine, "b.test", "GET", "/portcullis-test", 404);
    // And again, with another one after it.
    killed_in_the_middle(&machine, "b.test");
    said(&machine.setup(&["--apply", "--site", "b.test"]));
    for host in ["a.test", "b.test"] {
        answers(&machine, host, "GET", "/portcullis-test", 429);
    }
    said(&machine.setup(&["--remove"]));
    same(&machine, &bare);
}

#[test]
fn when_the_second_fails_the_gate_of_the_first_stays() {
    let (machine, bare, gated) = with_one_of_two();
    let why = refused(&machine.setup(&["--apply", "--site", "b.test", "--reload", "echo nobody there; exit 1"]));
    assert!(why.contains("everything was put back") && why.contains("nobody there"), "{why}");
    same(&machine, &gated);
    answers(&machine, "a.test", "GET", "/portcullis-test", 429);
    said(&machine.setup(&["--remove"]));
    same(&machine, &bare);
}

#[test]
fn when_the_second_is_killed_remove_takes_out_both() {
    let (machine, bare, _) = with_one_of_two();
    killed_in_the_middle(&machine, "b.test");
    said(&machine.setup(&["--remove"]));
    same(&machine, &bare);
    answers(&machine, "a.test", "GET", "/portcullis-test", 404);
}

#[test]
fn when_it_cannot_be_noted_that_it_is_in_place() {
    let machine = machine();
    // A folder where the journal is written anew, from the moment the gate is there.
    let unwritable = machine.verifier.directory().join("setup.unfinished");
    let reload = format!("{}; mkdir -p {}", reload(&machine), unwritable.display());
    puts_back(&machine, &["--reload", &reload], "setup.json");
}

#[test]
fn a_verifier_that_gates_one_web_server_is_not_taken_for_another() {
    let machine = machine();
    let file = machine.verifier.directory().join("portcullis.toml");
    let own = fs::read_to_string(&file).unwrap();
    // One that setup may write anew.
    let mark = "# `portcullis setup` may write this file anew as long as this line stands here.\n";
    fs::write(&file, format!("{mark}{own}")).unwrap();
    fs::write(machine.path("Caddyfile"), "http://b.test:1 {\n\trespond b\n}\n").unwrap();
    let caddy = || {
        let mut command = Command::new(binary());
        command.args(["setup", "caddy", "--web-config"]);
        command.arg(machine.path("Caddyfile")).arg("--config").arg(&file).output().unwrap()
    };
    said(&machine.setup(&["--apply"]));
    let before = machine.files();
    let why = refused(&caddy());
    assert!(why.contains("nginx is gated by this verifier") && why.contains("portcullis setup --remove"), "{why}");
    same(&machine, &before);
    answers(&machine, "a.test", "GET", "/portcullis-test", 429);
    said(&machine.setup(&["--remove"]));
    assert!(said(&caddy()).contains("+beside = \"caddy\""), "with nothing of nginx's left it may be");
}

/// The usual command.
fn reload(machine: &Machine) -> String {
    format!("nginx -s reload -c {}", machine.path("nginx.conf").display())
}

#[test]
fn a_file_that_was_changed_where_setup_changed_it_is_told_and_left() {
    let machine = machine();
    said(&machine.setup(&["--apply"]));
    let site = machine.path("sites-enabled/site");
    let text = fs::read_to_string(&site).unwrap();
    let line = text.lines().find(|line| line.contains("portcullis-server.conf")).unwrap().to_owned();
    fs::write(&site, text.replace(&line, &format!("{line}\n{line}"))).unwrap();
    let why = refused(&machine.setup(&["--remove"]));
    assert!(why.contains("sites-enabled/site has been changed since") && why.contains(line.trim()), "{why}");
    fs::write(&site, text).unwrap();
    said(&machine.setup(&["--remove"]));
    assert_eq!(
        fs::read_to_string(&site).unwrap(),
        SITE.replace("PORT", &machine.port.to_string()).replace("FOLDER", &machine.folder().display().to_string())
    );
}

#[test]
fn without_a_configuration_the_verifiers_own_is_written_first() {
    let machine = machine();
    let file = machine.folder().join("portcullis.toml");
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(tests::verifier::binary());
        command.args(["setup", "nginx"]).args(arguments).arg("--web-config").arg(machine.path("nginx.conf"));
        command.arg("--config").arg(&file).output().unwrap()
    };
    // The recipe's folder is the system's: this machine has none of a verifier that runs.
    let shown = said(&run(&[]));
    assert!(shown.contains("+beside = \"nginx\"") && shown.contains("+access_log"), "{shown}");
    assert!(!file.exists());
}
