//! Over HTTPS: what only goes wrong there.

use std::path::Path;
use std::process::Command;

use tests::machine::Machine;
use tests::recipes::shipped;
use tests::stage::HOST;

use super::broken::{SERVER, SITE};
use super::{doctor, machine, on, report};

const DEFAULT: &str = "server { listen PORT default_server;";
/// The line of TLS besides the one that says where.
const CERTIFICATE: &str = "ssl_certificate FOLDER/etc/a.pem; ssl_certificate_key FOLDER/etc/a.key;";

/// A key and a certificate that is its own authority.
fn certify(folder: &Path) {
    let request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout a.key -out a.pem -subj \
                   /CN=portcullis.test -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:portcullis.test";
    let made = Command::new("openssl").args(request.split_whitespace()).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{made:?}");
}

/// The recipe with this certificate and `changes`.
fn certified(folder: &Path, changes: &[(&str, &str, &str)]) -> Machine {
    certify(folder);
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let machine = machine(
        |files| {
            files.push(("a.pem", read("a.pem")));
            files.push(("a.key", read("a.key")));
            for (name, from, to) in changes {
                let (_, text) = files.iter_mut().find(|(file, _)| file == name).unwrap();
                assert!(text.contains(from), "{name} has `{from}`");
                *text = text.replacen(from, to, 1);
            }
        },
        |settings| settings,
    );
    on(&machine);
    machine
}

/// The site over TLS at the other port; at the usual one what `plain` says.
fn site(folder: &Path, plain: &str, changes: &[(&str, &str, &str)]) -> Machine {
    let listen = format!("listen OTHER ssl; {CERTIFICATE}\n");
    let plain = format!("{plain}\n{DEFAULT}");
    let own = [(SITE, "listen PORT;\n", listen.as_str()), (SITE, DEFAULT, plain.as_str())];
    certified(folder, &[&own, changes].concat())
}

fn look(machine: &Machine, folder: &Path) -> String {
    let authority = folder.join("a.pem").display().to_string();
    let port = machine.port.to_string();
    let arguments = ["--ca-file", &authority, "--http-port", &port];
    report(&doctor(&format!("https://{HOST}:{}/", machine.other_port), &arguments))
}

#[test]
fn plain_http_beside_https() {
    let folder = tempfile::tempdir().unwrap();
    let machine = site(folder.path(), "server { listen PORT; server_name portcullis.test; root FOLDER/www; }", &[]);
    let report = look(&machine, folder.path());
    assert!(
        report.contains("FAIL  plain HTTP") && report.contains("return 301 https://$host$request_uri;"),
        "{report}"
    );
    assert!(report.contains("pass  scheme"), "{report}");
}

#[test]
fn a_cookie_for_plain_http() {
    let folder = tempfile::tempdir().unwrap();
    let redirect = "server { listen PORT; server_name portcullis.test; return 301 https://$host$request_uri; }";
    let text = shipped("nginx", SERVER);
    // Of the two locations the one of the browser's endpoints.
    let endpoints = &text[text.rfind("location ^~ /.portcullis/ {").unwrap()..];
    let wrong = [(SERVER, endpoints, &*endpoints.replace("X-Original-Proto $scheme;", "X-Original-Proto http;"))];
    let report = look(&site(folder.path(), redirect, &wrong), folder.path());
    assert!(report.contains("FAIL  scheme") && report.contains("X-Original-Proto $scheme;"), "{report}");
    assert!(report.contains("pass  plain HTTP"), "{report}");
}

#[test]
fn a_port_of_tls_that_leads_around_the_gate() {
    let folder = tempfile::tempdir().unwrap();
    let other = format!("server {{ listen OTHER ssl; {CERTIFICATE} root FOLDER/www; }}\n{DEFAULT}");
    let machine = certified(folder.path(), &[(SITE, DEFAULT, &other)]);
    let (url, port) = (format!("http://{HOST}:{}/", machine.port), machine.other_port.to_string());
    let authority = folder.path().join("a.pem").display().to_string();
    let seen = report(&doctor(&url, &["--port", &port, "--ca-file", &authority]));
    assert!(seen.contains("FAIL  other ports") && seen.contains(&format!("listen 127.0.0.1:{port}")), "{seen}");
    // Whose certificate is not believed is not asked, and that is said.
    let unknown = report(&doctor(&url, &["--port", &port]));
    let line = unknown.lines().find(|line| line.contains("other ports")).unwrap();
    assert!(line.starts_with("  - ") && line.contains(&port) && line.contains("ertificate"), "{unknown}");
}
