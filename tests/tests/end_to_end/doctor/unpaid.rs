//! What is wrong before anybody has paid: the page, its headers, its files.

use std::process::Command;

use tests::ports;
use tests::stage::HOST;

use super::broken::{SERVER, SITE, broken, finds, is_found};
use super::{doctor, report};

/// Of the two locations with this line, the one that asks the verifier's own questions.
const OF_THE_PAGE: &str = "proxy_cache off;\n\n    # An empty header";
/// And the one of the browser's endpoints.
const OF_THE_BROWSER: &str = "proxy_cache off;\n    add_header Portcullis-Nothing";

/// The recipe with `lines` in one of its locations.
#[track_caller]
fn with(location: &str, lines: &str, name: &str, paste: &str) {
    let changed = location.replacen("proxy_cache off;", &format!("proxy_cache off; {lines}"), 1);
    is_found(&[(SERVER, location, &changed)], name, paste);
}

/// The site with `lines` at its top.
#[track_caller]
fn site(lines: &str, name: &str, paste: &str) {
    is_found(&[(SITE, "root FOLDER/www;", &format!("root FOLDER/www;\n    {lines}"))], name, paste);
}

#[test]
fn nobody_there() {
    let port = ports::free();
    for arguments in [&[][..], &["--calm"]] {
        let output = doctor(&format!("http://{HOST}:{port}/"), arguments);
        let report = report(&output);
        assert_eq!(output.status.code(), Some(1), "{report}");
        assert!(report.contains("FAIL  endpoints") && report.contains("start the web server"), "{report}");
        assert_eq!(report.contains("FAIL  calm"), arguments.contains(&"--calm"), "{report}");
    }
}

#[test]
fn a_page_that_is_closed_without_a_word() {
    site("location = / { return 444; }", "page", "start the web server");
}

#[test]
fn a_page_with_another_429() {
    site("location = / { auth_request off; return 429; }", "page", "error_page 401 = @portcullis_gate;");
}

#[test]
fn a_verifier_that_is_within_reach_of_browsers_and_not_of_the_web_server() {
    let question = "proxy_pass http://portcullis;\n\n    # The connection";
    let dead = question.replace("http://portcullis;", "http://127.0.0.1:1;");
    is_found(&[(SERVER, question, &dead)], "page", "usermod --append --groups portcullis www-data");
}

#[test]
fn a_page_without_a_policy() {
    let hidden = "proxy_hide_header Content-Security-Policy;";
    with(OF_THE_PAGE, hidden, "policy", "add_header Portcullis-Nothing \"\";");
}

#[test]
fn a_page_that_is_kept_for_others() {
    let kept = "proxy_cache z; proxy_cache_key $uri$request_uri; proxy_cache_valid 429 1m; proxy_ignore_headers Cache-Control \
                Expires Set-Cookie Vary;";
    let changes = [
        (SERVER, OF_THE_PAGE, &*OF_THE_PAGE.replacen("proxy_cache off;", kept, 1)),
        (
            SITE,
            "server {\n    listen PORT;\n    server_name p",
            "proxy_cache_path FOLDER/cache keys_zone=z:1m;\nserver {\n    listen PORT;\n    server_name p",
        ),
    ];
    is_found(&changes, "not cached", "proxy_cache off;");
}

#[test]
fn a_limit_that_is_used_up_by_the_first_page() {
    let zone = "limit_req_zone $uri zone=once:1m rate=1r/m;\nserver {\n    listen PORT;\n    server_name p";
    let changes = [
        (SITE, "server {\n    listen PORT;\n    server_name p", zone),
        (
            SITE,
            "root FOLDER/www;\n",
            "root FOLDER/www;\n    location = / { limit_req zone=once; limit_req_status 444; }\n",
        ),
    ];
    is_found(&changes, "not cached", "error_page 401 = @portcullis_gate;");
}

#[test]
fn a_page_in_which_something_in_between_has_changed_addresses() {
    let changed = "sub_filter /.portcullis/ /elsewhere/; sub_filter_once off;";
    with(OF_THE_PAGE, changed, "its files", "error_page 401 = @portcullis_gate;");
}

#[test]
fn scripts_that_nobody_may_keep() {
    with(OF_THE_BROWSER, "proxy_hide_header Cache-Control;", "its files", "proxy_ignore_headers Cache-Control;");
}

#[test]
fn scripts_that_are_closed_without_a_word() {
    let changes = [
        (SERVER, "location ^~ /.portcullis/ {", "location /.portcullis/ {"),
        (SITE, "location ~ \\.php", "location ~ \\.js$ { return 444; }\n    location ~ \\.php"),
    ];
    is_found(&changes, "its files", "location ^~ /.portcullis/");
}

#[test]
fn in_calm_a_page_that_does_not_answer_and_one_with_a_trace_of_the_gate() {
    let top = "root FOLDER/www;";
    for (lines, paste) in [
        ("location = / { return 444; }", "start the web server"),
        ("add_header Portcullis-Gate open always;", "location ^~ /.portcullis/"),
    ] {
        let machine = broken(&[(SITE, top, &format!("{top}\n    {lines}"))]);
        finds(&machine, &["--calm"], "calm", paste);
    }
}

#[test]
fn the_lines_of_another_server_where_the_operator_says_which() {
    let machine = broken(&[(SERVER, "\nauth_request /.portcullis-beside/check;", "\n")]);
    super::on(&machine);
    let url = format!("http://{HOST}:{}/", machine.port);
    // nginx says that it is nginx, but not which of the two recipes it has.
    let both = report(&doctor(&url, &[]));
    assert!(both.contains("nginx: in the server") && both.contains("nginx-chained: in the server in front"), "{both}");
    for (server, line) in [("haproxy", "default_backend gate"), ("traefik", "middlewares: [\"portcullis\"]")] {
        let told = report(&doctor(&url, &["--server", server]));
        assert!(told.contains(line) && !told.contains("portcullis-server.conf"), "{told}");
    }
    let help = Command::new(tests::verifier::binary()).args(["doctor", "--help"]).output().unwrap();
    let help = report(&help);
    for server in ["nginx-chained", "apache", "caddy", "haproxy", "envoy", "traefik", "portcullis"] {
        assert!(help.contains(server), "{server}: {help}");
    }
}
