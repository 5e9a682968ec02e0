//! What was not asked, or not answered in time, is no pass: it is said.

use std::net::TcpListener;

use tests::ports;
use tests::stage::HOST;

use super::broken::{SITE, broken};
use super::{REQUESTS_MAX, doctor, on, report};

const DEFAULT: &str = "server { listen PORT default_server;";

#[test]
fn however_many_ports_are_named_the_other_looks_are_not_left_out_for_them() {
    let www = format!("server {{ listen PORT; server_name www.portcullis.test; root FOLDER/www; }}\n{DEFAULT}");
    let machine = broken(&[(SITE, " www.portcullis.test;", ";"), (SITE, DEFAULT, &www)]);
    on(&machine);
    let ports: Vec<String> = (0..30).flat_map(|_| ["--port".to_owned(), ports::free().to_string()]).collect();
    let ports: Vec<&str> = ports.iter().map(String::as_str).collect();
    let report = report(&doctor(&format!("http://{HOST}:{}/", machine.port), &ports));
    assert!(report.contains("FAIL  www") && report.contains("pass  default server"), "{report}");
    let line = report.lines().find(|line| line.contains("other ports")).unwrap();
    assert!(line.starts_with("  - ") && line.contains(&format!("the {REQUESTS_MAX} requests of one run")), "{report}");
    assert!(line.contains(ports.last().unwrap()) && !line.contains(ports[1]), "it names those it did not ask: {line}");
}

#[test]
fn who_does_not_answer_in_time_may_be_anybody() {
    // Connections are taken by the system, and nobody ever reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().port();
    let default =
        format!("server {{ listen PORT default_server; location / {{ proxy_pass http://127.0.0.1:{silent}; }} }}\n# ");
    let machine = broken(&[(SITE, DEFAULT, &default)]);
    on(&machine);
    let report = report(&doctor(&format!("http://{HOST}:{}/", machine.port), &["--port", &silent.to_string()]));
    for name in ["default server", "other ports"] {
        let line = report.lines().find(|line| line.contains(name)).unwrap();
        assert!(line.starts_with("  - ") && line.contains("no answer within"), "{report}");
    }
}

#[test]
fn a_name_that_gets_no_answer_hides_no_other_that_gets_one() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().port();
    let silent = format!(
        "server {{ listen PORT; server_name 127.0.0.1; location / {{ proxy_pass http://127.0.0.1:{silent}; }} }}"
    );
    let default = format!("{silent}\nserver {{ listen PORT default_server; root FOLDER/www; }}\n# ");
    let machine = broken(&[(SITE, DEFAULT, &default)]);
    on(&machine);
    let report = report(&doctor(&format!("http://{HOST}:{}/", machine.port), &[]));
    assert!(report.contains("FAIL  default server"), "{report}");
}

#[test]
fn a_port_that_answers_for_one_path_that_it_leads_elsewhere_is_neither_open_nor_closed() {
    let others = ["301 http://$host:PORT$request_uri", "503", "204"].map(|answer| (ports::free().to_string(), answer));
    let servers = others.each_ref().map(|(port, answer)| format!("server {{ listen {port}; return {answer}; }}\n"));
    let machine = broken(&[(SITE, DEFAULT, &format!("{}{DEFAULT}", servers.concat()))]);
    on(&machine);
    let named: Vec<&str> = others.iter().flat_map(|(port, _)| ["--port", port.as_str()]).collect();
    let url = format!("http://{HOST}:{}/", machine.port);
    let told = report(&doctor(&url, &named));
    let line = told.lines().find(|line| line.contains("other ports")).unwrap();
    assert!(line.starts_with("  - ") && others.iter().all(|(port, _)| line.contains(port)), "neither: {told}");

    // One that leads to another page of its own is a site.
    let port = ports::free();
    for absolute in ["on", "off"] {
        let server = format!("server {{ listen {port}; absolute_redirect {absolute}; return 302 /login; }}\n{DEFAULT}");
        let machine = broken(&[(SITE, DEFAULT, &server)]);
        on(&machine);
        let told = report(&doctor(&format!("http://{HOST}:{}/", machine.port), &["--port", &port.to_string()]));
        assert!(told.contains("FAIL  other ports"), "{told}");
    }
}

#[test]
fn an_answer_that_is_too_long_to_be_read_is_one() {
    let long = "server { listen PORT default_server; root FOLDER/www; rewrite ^ /long; }\n# ";
    let machine = broken(&[(SITE, DEFAULT, long)]);
    std::fs::write(machine.folder().join("www/long"), vec![b'x'; 2 << 20]).unwrap();
    on(&machine);
    let report = report(&doctor(&format!("http://{HOST}:{}/", machine.port), &[]));
    assert!(report.contains("FAIL  default server"), "{report}");
}
