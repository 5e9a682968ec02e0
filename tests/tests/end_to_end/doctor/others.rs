//! The recipes of the other servers, each broken on purpose, and set-ups without any: doctor says it in their own words.

use std::process::Command;

use tempfile::TempDir;
use tests::client::Client;
use tests::origin::Origin;
use tests::ports;
use tests::process::Process;
use tests::recipes::{Recipe, Server, shipped};
use tests::settings::Settings;
use tests::stage::HOST;
use tests::verifier::Verifier;
use tests::wait::{SOON, until_true};

use super::{doctor, is_well, report};

/// A recipe with `to` in the place of `from`: what is found, and the line that is told.
#[track_caller]
fn is_found(server: Server, change: (&str, &str), name: &str, paste: &str) {
    let recipe = Recipe::start_broken(server, &[change]);
    let output = doctor(&recipe.url("/"), &[]);
    let report = report(&output);
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert!(report.contains(&format!("FAIL  {name:<16} ")), "{name}: {report}");
    assert!(report.contains(paste), "{paste}: {report}");
}

#[test]
fn nginx_chained_that_takes_everybody_for_one() {
    let change = ("X-Forwarded-For $remote_addr;", "X-Forwarded-For 127.0.0.1;");
    is_found(
        Server::NginxChained,
        change,
        "address",
        "nginx-chained: in the server in front: proxy_set_header X-Forwarded-For $remote_addr;",
    );
}

#[test]
fn apache_that_takes_everybody_for_one() {
    let change = (
        "\"expr=%{REMOTE_ADDR}\"\n    RequestHeader set X-Forwarded-Proto",
        "127.0.0.1\n    RequestHeader set X-Forwarded-Proto",
    );
    is_found(Server::Apache, change, "address", "RequestHeader set X-Forwarded-For \"expr=%{REMOTE_ADDR}\"");
}

#[test]
fn apache_with_pages_of_its_own_for_errors() {
    is_found(Server::Apache, ("ProxyErrorOverride Off", "ProxyErrorOverride On"), "page", "ProxyErrorOverride Off");
}

#[test]
fn apache_with_a_policy_in_front() {
    let change = ("    ProxyErrorOverride Off", "    Header always set Content-Security-Policy \"default-src 'none'\"");
    is_found(Server::Apache, change, "policy", "into the site's own");
}

#[test]
fn apache_with_files_served_in_front_of_the_gate() {
    let change = ("    ProxyPass \"/\"", "    ProxyPass \"/portcullis-test\" \"!\"\n    ProxyPass \"/\"");
    is_found(Server::Apache, change, "programs", "portcullis setup apache --apply");
}

#[test]
fn caddy_that_lets_strangers_ask() {
    let change = ("path /.portcullis/*", "path /.portcullis/* /.portcullis-beside/*");
    is_found(Server::Caddy, change, "its questions", "respond @portcullis_beside 404");
}

#[test]
fn caddy_that_takes_cookies_away() {
    let change = ("\troute {\n\t\timport portcullis\n", "\theader -Set-Cookie\n\troute {\n\t\timport portcullis\n");
    is_found(Server::Caddy, change, "clearance", "header -Set-Cookie, request_header -Cookie");
}

#[test]
fn haproxy_that_takes_everybody_for_one() {
    // It does not say who it is: its line is among those of all.
    let change = ("set-header X-Forwarded-For %[src]", "set-header X-Forwarded-For 127.0.0.1");
    is_found(
        Server::Haproxy,
        change,
        "address",
        "haproxy: in frontend web: http-request set-header X-Forwarded-For %[src]",
    );
}

#[test]
fn envoy_with_a_path_that_is_not_gated() {
    let open = "- match: { prefix: \"/portcullis-test\" }\n                          route: { cluster: site }\n                          typed_per_filter_config: *ungated\n                        - match: { prefix: \"/\" }";
    is_found(Server::Envoy, ("- match: { prefix: \"/\" }", open), "programs", "envoy.filters.http.ext_authz");
}

/// A site behind the verifier itself, with no web server in front, for these hosts.
fn front_door(hosts: &[&str]) -> (Origin, Verifier, String) {
    let origin = Origin::start("main");
    let rule = "path = [\"/portcullis-test\", \"/portcullis-test/**\"]\naction = \"challenge\"";
    let verifier = Verifier::start(Settings::new().site("main", hosts, Some(&origin.url())).rule(rule));
    let url = format!("http://{HOST}:{}/", verifier.port);
    (origin, verifier, url)
}

#[test]
fn nothing_with_the_verifier_itself_in_front() {
    let (_origin, verifier, url) = front_door(&[HOST]);
    is_well(&doctor(&url, &[]));
    assert!(verifier.command(&["mode", "auto"]).status.success());
    is_well(&doctor(&url, &["--calm"]));
}

#[test]
fn the_verifier_itself_for_every_host_in_calm() {
    // Nothing of this is wrong: whatever name somebody asks for, the gate is there.
    let (_origin, verifier, url) = front_door(&[]);
    assert!(verifier.command(&["mode", "auto"]).status.success());
    is_well(&doctor(&url, &["--calm"]));
}

/// A CDN, and the verifier right behind it as deploy/cdn has it.
fn behind_a_cdn(header: &str) -> (Origin, Verifier, Process, TempDir, u16) {
    let (origin, folder, port) = (Origin::start("main"), TempDir::new().unwrap(), ports::free());
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let ranges = folder.path().join("cdn-ranges.txt");
    let today = Command::new("date").arg("+%F").output().unwrap().stdout;
    let today = String::from_utf8(today).unwrap();
    std::fs::write(&ranges, format!("# source: test\n# date: {}\n127.0.0.1/32\n", today.trim())).unwrap();
    let settings = Settings::from_text(&shipped("cdn", "portcullis.toml")).without("state_dir").without("secret_file");
    let settings = settings.without("listen").set("trusted_proxies_file", ranges.display().to_string());
    let verifier = Verifier::start(settings.of_site("hosts", vec![HOST]).of_site("origin", origin.url()));
    let at = folder.path().display();
    let configuration = format!(
        "daemon off;\npid {at}/nginx.pid;\nevents {{}}\nhttp {{\n    access_log off;\n    client_body_temp_path {at}/body;\n    \
         proxy_temp_path {at}/proxy;\n    server {{\n        listen 127.0.0.1:{port};\n        location / {{\n            \
         proxy_pass http://127.0.0.1:{};\n            proxy_set_header Host $http_host;\n            {header}\n            \
         proxy_set_header X-Forwarded-Proto $scheme;\n        }}\n    }}\n}}\n",
        verifier.port
    );
    std::fs::write(folder.path().join("nginx.conf"), configuration).unwrap();
    let mut command = Command::new("nginx");
    command.arg("-e").arg(folder.path().join("error.log")).arg("-c").arg(folder.path().join("nginx.conf"));
    let mut process = Process::start(&mut command, &folder.path().join("nginx.log"));
    until_true(SOON, "the CDN to serve", || {
        assert!(process.exited().is_none(), "it ended: {}", process.output());
        Client::new(port, HOST).request("GET", "/").try_send().is_ok_and(|reply| reply.status < 500)
    });
    (origin, verifier, process, folder, port)
}

#[test]
fn nothing_behind_a_cdn() {
    // CDNs append to what a visitor wrote into this header himself.
    let (_origin, verifier, _cdn, _folder, port) =
        behind_a_cdn("proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;");
    let url = format!("http://{HOST}:{port}/");
    is_well(&doctor(&url, &["--server", "portcullis"]));
    assert!(verifier.command(&["mode", "auto"]).status.success());
    is_well(&doctor(&url, &["--calm", "--server", "portcullis"]));
}

#[test]
fn a_cdn_whose_header_is_not_the_one_that_is_read() {
    let (_origin, _verifier, _cdn, _folder, port) = behind_a_cdn("proxy_set_header CDN-Client-IP $remote_addr;");
    let report = report(&doctor(&format!("http://{HOST}:{port}/"), &["--server", "portcullis"]));
    // The verifier answers nobody of whom it does not know who he is.
    assert!(report.contains("FAIL  endpoints") && report.contains("answers 400"), "{report}");
}
