//! `deploy/haproxy`: the shipped file, under addresses of a test.

use std::process::Command;

use super::files::{changed, chosen, write};
use super::{Place, SITE_POLICY, program};

const FAIL_OPEN: &str = "server site 127.0.0.1:8081 backup no-check";

pub(super) fn command(place: &Place<'_>) -> Command {
    let site = format!(
        "bind 127.0.0.1:{}\n    http-response set-header Content-Security-Policy \"{SITE_POLICY}\"\n    \
         http-request set-header X-Seen-Address %[req.hdr(x-real-ip)]",
        place.site_port
    );
    let text = changed(
        "haproxy",
        "haproxy.cfg",
        &[
            ("bind :80\n", &format!("bind 127.0.0.1:{}\n", place.port), 1),
            ("unix@/run/portcullis/portcullis.sock", &format!("unix@{}", place.socket), 1),
            ("bind 127.0.0.1:8081\n", &format!("{site}\n"), 1),
            ("server site1 127.0.0.1:3000", &format!("server site1 {}", place.origin), 1),
            ("maxconn 40000", "maxconn 2000", 1),
        ],
    );
    let text = chosen(&text, FAIL_OPEN, place.failure)
        .replace("127.0.0.1:8081 backup", &format!("127.0.0.1:{} backup", place.site_port));
    let file = write(place, "haproxy.cfg", &text);
    let mut command = program("haproxy");
    command.args(["-db", "-f", &file]);
    command
}
