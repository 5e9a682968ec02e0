//! `deploy/caddy`: the shipped Caddyfile and its snippet, under names and ports of a test.

use std::process::Command;

use super::files::{changed, write};
use super::{Failure, Place, SITE_POLICY, program};
use crate::stage::HOST;

pub(super) fn command(place: &Place<'_>) -> Command {
    let socket = format!("unix/{}", place.socket);
    let snippet = changed("caddy", "portcullis.caddy", &[("unix//run/portcullis/portcullis.sock", &socket, 2)]);
    write(place, "portcullis.caddy", &snippet);
    let open = match place.failure {
        Failure::Open => format!("\timport portcullis_open {}\n", place.origin),
        Failure::Closed => String::new(),
    };
    // The site sets its policy for everything it serves, in front of all else.
    let site = format!(
        "http://{HOST}:{} {{\n\tbind 127.0.0.1\n\theader Content-Security-Policy \"{SITE_POLICY}\"\n{open}",
        place.port
    );
    let file = changed(
        "caddy",
        "Caddyfile",
        &[
            ("example.org, www.example.org {\n", &site, 1),
            (
                "reverse_proxy 127.0.0.1:3000",
                &format!("reverse_proxy {} {{\n\t\t\theader_up X-Seen-Address {{remote_host}}\n\t\t}}", place.origin),
                1,
            ),
        ],
    );
    write(place, "Caddyfile", &file);
    let main = write(
        place,
        "main.caddy",
        "{\n\tadmin off\n\tauto_https off\n\tservers {\n\t\tprotocols h1 h2c\n\t}\n}\nimport Caddyfile\n",
    );
    let mut command = program("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config", &main]).current_dir(place.folder);
    for name in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
        command.env(name, place.folder);
    }
    command
}
