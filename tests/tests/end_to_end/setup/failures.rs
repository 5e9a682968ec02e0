//! Whatever step fails, and wherever it breaks off: everything is put back.

use std::fs;

use tests::machine::Machine;
use tests::process::Process;
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
