//! `portcullis explain`, `status --watch`, `completions` and `man`, as an operator runs them.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use tests::process::Process;
use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::verifier::binary;
use tests::visitor::buy;
use tests::wait::{SOON, until_true};

fn stage() -> Stage {
    let rule = |lines: &str| format!("name = \"{lines}\"\npath = \"/{lines}/**\"\n");
    let settings = Settings::new().rule(&format!("{}cost = 5", rule("search")));
    Stage::new(Front::Proxy, settings.rule(&format!("{}action = \"deny\"", rule("private"))))
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn explain(stage: &Stage, arguments: &[&str]) -> Output {
    stage.verifier.command(&[&["explain"], arguments].concat())
}

#[test]
fn what_is_explained_is_what_happens() {
    let stage = stage();
    let client = stage.client();
    for (target, status, decision) in [("/", 429, "challenged (429)"), ("/private/a", 403, "denied (403)")] {
        client.get(target).expect_status(status);
        let told = said(&explain(&stage, &[&format!("http://{HOST}{target}")]));
        assert!(told.contains(decision) && !told.contains("by the configuration alone"), "{told}");
    }
    let search = said(&explain(&stage, &[&format!("http://{HOST}/search/x"), "--from", "203.0.113.9"]));
    assert!(search.contains("(`search`)") && search.contains("it pays 5 credits"), "{search}");
    assert!(search.contains("203.0.113.0/24"), "{search}");
    // The mode of the running verifier counts, not that of the file.
    said(&stage.verifier.command(&["mode", "off"]));
    client.get("/search/x").expect_status(200);
    let off = said(&explain(&stage, &[&format!("http://{HOST}/search/x")]));
    assert!(off.contains("passes: the gate is off"), "{off}");
}

#[test]
fn a_question_costs_nothing_and_counts_for_nothing() {
    let stage = stage();
    let cookie = buy(&stage.client());
    let client = stage.client().with("Cookie", &cookie);
    client.get("/").expect_status(200);
    let requests = || stage.verifier.admin().request("GET", "/status").try_send().unwrap().json()["requests"].clone();
    let before = requests();
    for _ in 0..5 {
        said(&explain(&stage, &[&format!("http://{HOST}/search/x"), "--header", &format!("Cookie: {cookie}")]));
    }
    assert_eq!(requests(), before);
}

#[test]
fn without_a_verifier_the_configuration_explains() {
    let mut stage = stage();
    stage.verifier.crash();
    let told = said(&explain(&stage, &[&format!("http://{HOST}/private/x"), "--method", "POST"]));
    assert!(told.contains("denied (403)") && told.contains("by the configuration alone"), "{told}");
    let unknown = explain(&stage, &["http://elsewhere.test/"]);
    assert!(!unknown.status.success());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no site has the host"), "{unknown:?}");
}

#[test]
fn the_status_is_shown_again_and_again() {
    let stage = stage();
    let mut command = Command::new(binary());
    command.args(["status", "--watch"]).current_dir(stage.verifier.directory());
    let watching = Process::start(&mut command, &stage.verifier.directory().join("watched"));
    until_true(SOON, "a status", || watching.output().contains("mode       on"));
    said(&stage.verifier.command(&["mode", "off"]));
    until_true(SOON, "the status after it", || watching.output().contains("mode       off"));
}

#[test]
fn completions_are_read_by_their_shells() {
    for (shell, checks) in [("bash", true), ("zsh", false), ("fish", false)] {
        let script = said(&Command::new(binary()).args(["completions", shell]).output().unwrap());
        for word in ["check-config", "explain", "dry-run", "watch"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        if checks {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("completions");
            std::fs::write(&file, script).unwrap();
            let line = "source ./completions; COMP_WORDS=(portcullis exp); COMP_CWORD=1; \
                        _portcullis portcullis exp portcullis; echo ${COMPREPLY[@]}";
            let completed = Command::new("bash").args(["-c", line]).current_dir(folder.path()).output().unwrap();
            assert_eq!(said(&completed).trim(), "explain");
        }
    }
}

#[test]
fn a_configuration_that_anybody_could_have_written_has_to_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portcullis.toml");
    std::fs::write(&file, "admin = \"127.0.0.1:1\"\n[[site]]\norigin = \"http://127.0.0.1:1\"\n").unwrap();
    for command in [&["status"][..], &["attacks"], &["report", "1"], &["indicators", "1"], &["notice"]] {
        let run = |mode: u32, further: &[&str]| {
            std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
            let output =
                Command::new(binary()).args(command).args(further).current_dir(folder.path()).output().unwrap();
            assert!(!output.status.success(), "nobody is there: {output:?}");
            String::from_utf8(output.stderr).unwrap().contains("not yours alone to write")
        };
        assert!(run(0o666, &[]), "{command:?}");
        assert!(!run(0o644, &[]) && !run(0o666, &["--config", "./portcullis.toml"]), "{command:?}");
    }
}

#[test]
fn the_manual_page_has_every_command_and_option() {
    let page = said(&Command::new(binary()).arg("man").output().unwrap());
    assert!(page.contains(".TH portcullis 8"), "{page}");
    let plain = page.replace("\\-", "-");
    for word in ["portcullis serve", "portcullis explain", "--from", "--watch", "portcullis completions"] {
        assert!(plain.contains(word), "{word}: {plain}");
    }
}
