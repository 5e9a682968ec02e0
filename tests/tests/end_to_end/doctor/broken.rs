//! The recipe of nginx, broken on purpose in one place each: doctor names what is wrong, and the line that mends it.

use tests::machine::Machine;
use tests::stage::HOST;

use super::{doctor, machine, on, report};

pub(super) const SERVER: &str = "portcullis-server.conf";
pub(super) const SITE: &str = "sites-enabled/site";

/// A machine whose `file` has `to` where the recipe has `from`.
pub(super) fn broken(changes: &[(&str, &str, &str)]) -> Machine {
    let change = |files: &mut Vec<(&'static str, String)>| {
        for (name, from, to) in changes {
            let (_, text) = files.iter_mut().find(|(file, _)| file == name).unwrap();
            assert!(text.contains(from), "{name} has `{from}`");
            *text = text.replace(from, to);
        }
    };
    machine(change, |settings| settings)
}

/// What is found in `machine`, and that the line to paste is there.
#[track_caller]
pub(super) fn finds(machine: &Machine, arguments: &[&str], name: &str, paste: &str) {
    let output = doctor(&format!("http://{HOST}:{}/", machine.port), arguments);
    let report = report(&output);
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert!(report.contains(&format!("FAIL  {name:<16} ")), "{name}: {report}");
    assert!(report.contains(paste), "{paste}: {report}");
}

/// Broken in these places, with the gate down.
#[track_caller]
pub(super) fn is_found(changes: &[(&str, &str, &str)], name: &str, paste: &str) {
    let machine = broken(changes);
    on(&machine);
    finds(&machine, &[], name, paste);
}

#[test]
fn a_gate_in_one_location_alone() {
    let own = "location / { auth_request /.portcullis-beside/check; }\n    location ~ ";
    let changes = [(SERVER, "\nauth_request /.portcullis-beside/check;", "\n"), (SITE, "location ~ ", own)];
    is_found(&changes, "programs", "include /etc/nginx/portcullis-server.conf;");
}

#[test]
fn no_gate_at_all() {
    is_found(&[(SERVER, "\nauth_request /.portcullis-beside/check;", "\n")], "page", "portcullis setup nginx --apply");
}

#[test]
fn a_bare_401() {
    is_found(&[(SERVER, "\nerror_page 401 = @portcullis_gate;", "\n")], "page", "error_page 401 = @portcullis_gate;");
}

#[test]
fn a_page_with_status_200() {
    is_found(&[(SERVER, "error_page 401 = @", "error_page 401 =200 @")], "page", "error_page 401 = @portcullis_gate;");
}

#[test]
fn an_address_that_strangers_write() {
    let map = "map $http_x_forwarded_for $believed { \"\" $remote_addr; default $http_x_forwarded_for; }\nserver {\n    listen PORT;\n    server_name p";
    let changes = [
        (SERVER, "X-Real-IP $remote_addr", "X-Real-IP $believed"),
        (SITE, "server {\n    listen PORT;\n    server_name p", map),
    ];
    is_found(&changes, "forged address", "proxy_set_header X-Real-IP $remote_addr;");
}

#[test]
fn a_path_that_strangers_write() {
    let map = "map $http_x_original_uri $believed { \"\" $request_uri; default $http_x_original_uri; }\nserver {\n    listen PORT;\n    server_name p";
    let changes = [
        (SERVER, "X-Original-URI $request_uri", "X-Original-URI $believed"),
        (SITE, "server {\n    listen PORT;\n    server_name p", map),
    ];
    is_found(&changes, "forged request", "proxy_set_header X-Original-URI $request_uri;");
}

#[test]
fn the_address_of_a_proxy_for_everybody() {
    is_found(&[(SERVER, "X-Real-IP $remote_addr", "X-Real-IP 127.0.0.1")], "address", "set_real_ip_from");
}

#[test]
fn no_endpoints() {
    is_found(
        &[(SERVER, "location ^~ /.portcullis/ {", "location ^~ /elsewhere/ {")],
        "endpoints",
        "location ^~ /.portcullis/",
    );
}

#[test]
fn a_location_for_scripts_that_takes_the_gates_own() {
    let scripts = "location ~* \\.js$ { auth_request off; try_files $uri =404; }\n    location ~ \\.php";
    let changes =
        [(SERVER, "location ^~ /.portcullis/ {", "location /.portcullis/ {"), (SITE, "location ~ \\.php", scripts)];
    is_found(&changes, "its files", "location ^~ /.portcullis/");
}

#[test]
fn questions_that_a_stranger_may_ask() {
    is_found(&[(SERVER, "    internal;\n", "")], "its questions", "internal;");
}

#[test]
fn a_policy_of_the_sites_on_the_gates_page() {
    let policy = "root FOLDER/www;\n    add_header Content-Security-Policy \"default-src 'none'\" always;";
    let changes = [(SERVER, "    add_header Portcullis-Nothing \"\";\n", ""), (SITE, "root FOLDER/www;", policy)];
    is_found(&changes, "policy", "add_header Portcullis-Nothing \"\";");
}

#[test]
fn a_page_that_may_be_kept() {
    let kept = "proxy_hide_header Cache-Control; add_header Cache-Control \"public, max-age=600\" always;";
    is_found(&[(SERVER, "add_header Portcullis-Nothing \"\";", kept)], "not cached", "proxy_cache off;");
}

#[test]
fn a_clearance_that_does_not_arrive() {
    let hidden = "client_max_body_size 16k; proxy_hide_header Set-Cookie;";
    is_found(&[(SERVER, "client_max_body_size 16k;", hidden)], "clearance", "proxy_hide_header Set-Cookie;");
}

#[test]
fn a_cookie_that_is_not_in_the_question() {
    let without = "proxy_set_header TE \"\"; proxy_set_header Cookie \"\";";
    is_found(&[(SERVER, "proxy_set_header TE \"\";", without)], "clearance", "proxy_set_header Cookie");
}

#[test]
fn a_solution_that_is_too_long_for_the_web_server() {
    is_found(
        &[(SERVER, "client_max_body_size 16k;", "client_max_body_size 16;")],
        "solution",
        "location ^~ /.portcullis/",
    );
}

#[test]
fn the_wrong_scheme() {
    is_found(
        &[(SERVER, "X-Original-Proto $scheme", "X-Original-Proto https")],
        "scheme",
        "proxy_set_header X-Original-Proto $scheme;",
    );
}

#[test]
fn forms_that_are_answered_before_the_gate() {
    let open = "root FOLDER/www;\n    if ($request_method = POST) { return 200 sent; }";
    is_found(&[(SITE, "root FOLDER/www;", open)], "forms", "include /etc/nginx/portcullis-server.conf;");
}

#[test]
fn a_default_server_that_has_the_site() {
    is_found(&[(SITE, "return 444;", "root FOLDER/www;")], "default server", "return 444;");
}

#[test]
fn another_name_without_the_gate() {
    let www = "server { listen PORT; server_name www.portcullis.test; root FOLDER/www; }\nserver { listen PORT default_server;";
    let changes = [(SITE, " www.portcullis.test;", ";"), (SITE, "server { listen PORT default_server;", www)];
    is_found(&changes, "www", "include /etc/nginx/portcullis-server.conf;");
}

#[test]
fn another_port_without_the_gate() {
    let other = "server { listen OTHER; root FOLDER/www; }\nserver { listen PORT default_server;";
    let machine = broken(&[(SITE, "server { listen PORT default_server;", other)]);
    on(&machine);
    let port = machine.other_port.to_string();
    finds(&machine, &["--port", &port], "other ports", &format!("listen 127.0.0.1:{port}"));
}

#[test]
fn files_that_nobody_may_keep() {
    let plain = "location = /style.css { etag off; add_header Last-Modified \"\"; try_files $uri =404; }\n    location ~ \\.php";
    is_found(&[(SITE, "location ~ \\.php", plain)], "static files", "expires 7d;");
}

#[test]
fn a_verifier_that_is_gone() {
    let mut machine = broken(&[]);
    machine.verifier.crash();
    finds(&machine, &[], "endpoints", "systemctl start portcullis.socket");
}

#[test]
fn a_verifier_that_does_not_know_the_site() {
    let machine = machine(|_| (), |settings| settings.of_site("hosts", vec!["other.test"]));
    on(&machine);
    finds(&machine, &[], "endpoints", "\"portcullis.test\"");
}

#[test]
fn a_gate_that_is_open() {
    let machine = broken(&[]);
    finds(&machine, &[], "page", "portcullis doctor --calm");
    on(&machine);
    finds(&machine, &["--calm"], "calm", "portcullis mode auto");
}

#[test]
fn no_rule_for_the_path_that_shows_the_gate_in_calm() {
    let machine = machine(|_| (), |settings| settings.without("rule"));
    finds(&machine, &["--calm"], "page", "action = \"challenge\"");
}

#[test]
fn in_calm_what_is_broken_is_found_too() {
    let own = "location / { auth_request /.portcullis-beside/check; }\n    location ~ ";
    let machine = broken(&[(SERVER, "\nauth_request /.portcullis-beside/check;", "\n"), (SITE, "location ~ ", own)]);
    finds(&machine, &["--calm"], "programs", "include /etc/nginx/portcullis-server.conf;");
}
