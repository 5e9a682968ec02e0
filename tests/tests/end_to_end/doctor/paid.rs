//! What is wrong once somebody has paid: the solution, the cookie, the way back in.

use tests::settings::Settings;
use tests::stage::HOST;
use tests::verifier::Verifier;

use super::broken::{SERVER, SITE, broken, finds, is_found};
use super::on;

const COOKIES: &str = "proxy_set_header Cookie";

/// The site with `lines` at its top.
#[track_caller]
fn site(lines: &str, name: &str, paste: &str) {
    is_found(&[(SITE, "root FOLDER/www;", &format!("root FOLDER/www;\n    {lines}"))], name, paste);
}

/// The location of the browser's endpoints with `line` in it.
#[track_caller]
fn endpoints(line: &str, name: &str, paste: &str) {
    let limit = "client_max_body_size 16k;";
    is_found(&[(SERVER, limit, &format!("{limit} {line}"))], name, paste);
}

#[test]
fn a_challenge_that_something_in_between_has_changed() {
    let changed = "proxy_set_header TE \"\"; proxy_hide_header Portcullis-Challenge; add_header Portcullis-Challenge changed always;";
    is_found(&[(SERVER, "proxy_set_header TE \"\";", changed)], "solution", "error_page 401 = @portcullis_gate;");
}

#[test]
fn a_solution_that_is_not_answered() {
    site("location = /.portcullis/verify { return 444; }", "solution", "location ^~ /.portcullis/");
}

#[test]
fn a_cookie_that_the_endpoints_do_not_see() {
    endpoints("proxy_set_header Cookie \"\";", "clearance", COOKIES);
}

#[test]
fn a_site_that_is_down_behind_the_gate() {
    site("location = / { proxy_pass http://127.0.0.1:1; }", "clearance", "look at the log of the site's own server");
}

#[test]
fn a_site_that_hangs_up_behind_the_gate() {
    site("location = / { try_files /nothing =444; }", "clearance", COOKIES);
}

#[test]
fn a_verifier_that_listens_to_strangers() {
    let machine = broken(&[]);
    on(&machine);
    let other = Verifier::start(Settings::new().site("main", &[HOST], Some("http://127.0.0.1:1")));
    let paste = format!("listen = \"127.0.0.1:{}\"", other.port);
    finds(&machine, &["--port", &other.port.to_string()], "other ports", &paste);
}
