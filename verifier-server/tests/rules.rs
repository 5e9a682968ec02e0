//! Rules of this repository that the compiler does not know.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// The files whose code, without its unit tests, has `what` in it.
fn files_with(what: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let has = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        text.split("#[cfg(test)]").next().unwrap_or_default().contains(what)
    };
    let mut files: Vec<String> = sources(&root)
        .iter()
        .filter(|path| has(path))
        .map(|path| path.strip_prefix(&root).unwrap().display().to_string())
        .collect();
    files.sort();
    files
}

#[test]
fn a_clearance_or_a_token_is_minted_in_one_place() {
    assert_eq!(
        files_with(".insert_if_absent("),
        ["gate/redeem.rs", "gate/saved.rs"],
        "sold, or read back after a clean stop"
    );
    assert_eq!(files_with("Clearance(Entry {"), ["gate/redeem.rs"]);
    assert_eq!(
        files_with("token_mark_of("),
        ["gate/redeem.rs", "gate/warrant.rs"],
        "a token's mark is made for a sale only"
    );
    assert_eq!(files_with("TokenMark::new("), ["gate/warrant.rs"]);
    assert_eq!(files_with("keys.token("), ["gate/forms.rs"]);
    assert_eq!(files_with("forms::written("), ["gate/redeem.rs"], "and written for whoever redeemed its challenge");
    assert_eq!(files_with("self.sell("), ["gate/redeem.rs"], "and nothing else sells");
    let redeem = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gate/redeem.rs")).unwrap();
    assert_eq!(redeem.matches("insert_if_absent").count(), 1);
    assert_eq!(
        redeem.matches("Entry {").count(),
        1,
        "one function makes an entry: from a `Solved`, which only proof of work gives, or from the secret of a pass"
    );
}

#[test]
fn no_file_sleeps_a_thread_or_asks_for_the_time_of_day_but_the_clock() {
    assert_eq!(files_with("SystemTime::now"), ["clock.rs", "http/answer.rs"]);
    assert_eq!(files_with("thread::sleep"), [""; 0]);
    assert_eq!(files_with("getrandom::"), ["random.rs"]);
}

/// Decisions are the same under the same key: only the edge makes keys up, of randomness that nobody outside knows.
#[test]
fn keys_of_hashes_are_made_where_the_process_starts_and_are_arguments_of_the_gate() {
    assert_eq!(files_with("HashKey::of_process"), ["startup.rs"]);
    let random: Vec<String> = files_with("RandomState");
    let core: Vec<&String> =
        random.iter().filter(|file| file.starts_with("gate/") || file.starts_with("load/")).collect();
    assert_eq!(core, ["gate/networks/hash.rs"]);
    assert_eq!(files_with("DefaultHasher"), [""; 0], "its key is known to everybody");
}

#[test]
fn the_client_is_told_one_thing_and_the_log_another() {
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portcullis.toml");
    let config = format!(
        "listen = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nmode = \"off\"\n[[site]]\norigin = \"http://{dead}\"\n"
    );
    std::fs::write(&file, config).unwrap();
    let mut verifier = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .arg("serve")
        .arg("--config")
        .arg(&file)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(verifier.stderr.take().unwrap());
    let line_with = |log: &mut BufReader<_>, what: &str| {
        let mut line = String::new();
        while !line.contains(what) {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "the log ended before {what}");
        }
        line
    };
    let serving = line_with(&mut log, "serving visitors on ");
    let address = serving
        .split("serving visitors on ")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .trim_end_matches(',')
        .to_owned();
    let mut connection = TcpStream::connect(&address).unwrap();
    connection
        .write_all(b"GET /private/path HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut told = String::new();
    connection.read_to_string(&mut told).unwrap();
    let logged = line_with(&mut log, "the origin did not answer");
    verifier.kill().unwrap();
    verifier.wait().unwrap();

    assert!(told.starts_with("HTTP/1.1 502"), "{told}");
    let id = logged.split("request_id=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(told.contains(id), "the visitor has the number under which the operator finds it");
    assert!(logged.to_lowercase().contains("connect"), "{logged}");
    for inner in [dead.to_string(), dead.port().to_string(), "onnect error".to_owned(), "efused".to_owned()] {
        assert!(!told.contains(&inner), "the visitor reads {inner}");
    }
}

#[test]
fn every_link_between_documents_leads_somewhere_and_every_named_test_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs"];
    let documents = documents
        .iter()
        .map(|name| root.join(name))
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    for document in documents.filter(|path| path.extension().is_some_and(|extension| extension == "md")) {
        let text = std::fs::read_to_string(&document).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            if !path.is_empty() && !path.contains("://") {
                assert!(document.parent().unwrap().join(path).exists(), "{}: {link}", document.display());
            }
        }
    }
    let tests: String = ["tests/tests", "verifier-server", "puzzle"]
        .iter()
        .flat_map(|folder| sources(&root.join(folder)))
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let architecture = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let named =
        architecture.split('`').filter_map(|code| code.split("::").nth(1).or_else(|| code.split(".rs: ").nth(1)));
    let named: Vec<&str> = named
        .filter(|name| name.contains('_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        assert!(tests.contains(&format!("fn {name}(")), "ARCHITECTURE.md names {name}, which is no test");
    }
}
