//! `portcullis doctor` finds what is wrong with each set-up that was broken on purpose, and nothing with the shipped recipes.

mod broken;
mod others;
mod paid;
mod tls;
mod unasked;
mod unpaid;

use std::process::{Command, Output};

use tests::machine::Machine;
use tests::recipes::{Failure, Recipe, Server, shipped};
use tests::relay::Relay;
use tests::settings::Settings;
use tests::stage::HOST;
use tests::verifier::binary;

/// Somebody elsewhere, who is not taken for the machine itself.
const ELSEWHERE: &str = "127.9.9.1";
const REQUESTS_MAX: usize = 40;

fn doctor(url: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.args(["doctor", url, "--address", "127.0.0.1", "--from", ELSEWHERE]).args(arguments).output().unwrap()
}

fn report(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn is_well(output: &Output) {
    let report = report(output);
    assert!(output.status.success() && !report.contains("FAIL"), "{report}");
    assert!(report.contains("pass  page") && report.contains("pass  clearance"), "{report}");
    let requests = report.split_whitespace().rev().nth(1).unwrap().parse::<usize>().unwrap();
    assert!((10..=REQUESTS_MAX).contains(&requests), "{report}");
}

/// Nothing is found under attack, and nothing in calm.
fn nothing_is_wrong_with(server: Server) {
    let recipe = Recipe::start(server, Failure::Closed);
    let url = recipe.url("/");
    is_well(&doctor(&url, &[]));
    // The same before any attack: the gate is open and the verifier knows no load.
    assert!(recipe.verifier.command(&["mode", "auto"]).status.success());
    is_well(&doctor(&url, &["--calm"]));
}

#[test]
fn nothing_with_nginx() {
    nothing_is_wrong_with(Server::Nginx);
}

#[test]
fn nothing_with_nginx_chained() {
    nothing_is_wrong_with(Server::NginxChained);
}

#[test]
fn nothing_with_apache() {
    nothing_is_wrong_with(Server::Apache);
}

#[test]
fn nothing_with_caddy() {
    nothing_is_wrong_with(Server::Caddy);
}

#[test]
fn nothing_with_haproxy() {
    nothing_is_wrong_with(Server::Haproxy);
}

#[test]
fn nothing_with_envoy() {
    nothing_is_wrong_with(Server::Envoy);
}

/// The recipe of nginx around a small site of files, with a server for all other names.
pub(super) fn machine(
    change: impl Fn(&mut Vec<(&'static str, String)>),
    settings: impl FnOnce(Settings) -> Settings,
) -> Machine {
    let site = "server {\n    listen PORT;\n    server_name portcullis.test www.portcullis.test;\n    root FOLDER/www;\n    \
        include FOLDER/etc/portcullis-server.conf;\n    location ~ \\.php$ { try_files $uri =404; }\n}\n\
        server { listen PORT default_server; return 444; }\n";
    let mut files = vec![
        ("nginx.conf", crate::setup::DEBIAN_MAIN.to_owned()),
        ("conf.d/portcullis.conf", shipped("nginx", "portcullis.conf").replace("/run/portcullis/", "FOLDER/")),
        ("portcullis-server.conf", shipped("nginx", "portcullis-server.conf")),
        ("sites-enabled/site", site.to_owned()),
        ("../www/index.html", "<link rel=\"stylesheet\" href=\"/style.css\">the site\n".to_owned()),
        ("../www/style.css", "body {}\n".to_owned()),
    ];
    change(&mut files);
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let shipped = Settings::from_text(&shipped("nginx", "portcullis.toml"))
        .without("access_log")
        .of_site("hosts", vec![HOST, "www.portcullis.test"]);
    Machine::new("nginx", "nginx.conf", settings(shipped), &files).serving()
}

pub(super) fn on(machine: &Machine) {
    assert!(machine.verifier.command(&["mode", "on"]).status.success());
}

#[test]
fn at_most_forty_requests_and_as_many_as_it_says() {
    let machine = machine(|_| (), |settings| settings);
    on(&machine);
    let output = doctor(&format!("http://{HOST}:{}/", machine.port), &[]);
    is_well(&output);
    let report = report(&output);
    // Counted on the way, where every visitor is the relay and doctor says so.
    let relay = Relay::start(machine.port);
    let counted = self::report(&doctor(&format!("http://{HOST}:{}/", relay.port), &[]));
    assert!(counted.contains("FAIL  address"), "{counted}");
    let told = counted.split_whitespace().rev().nth(1).unwrap().parse::<usize>().unwrap();
    assert!(relay.requests().len() == told && (15..=REQUESTS_MAX).contains(&told), "{:?}: {counted}", relay.requests());
    for line in [
        "forged request",
        "forged address",
        "programs",
        "forms",
        "its questions",
        "www",
        "default server",
        "static files",
    ] {
        assert!(report.contains(&format!("pass  {line}")), "{line}: {report}");
    }
}

#[test]
fn what_is_no_address_is_an_error_of_its_own() {
    for url in ["example.org", "ftp://example.org/", "http://"] {
        assert_eq!(doctor(url, &[]).status.code(), Some(2), "{url}");
    }
}
