//! `deploy/envoy`: the shipped file, under addresses of a test.

use std::path::Path;
use std::process::Command;

use super::files::{changed, write};
use super::{Failure, Place, SITE_POLICY};

pub(super) fn command(place: &Place<'_>) -> Command {
    let (host, port) = place.origin.split_once(':').unwrap();
    let open = if place.failure == Failure::Open { "true" } else { "false" };
    let in_site = "                      ";
    let headers = [
        "domains: [\"*\"]".to_owned(),
        format!("{in_site}response_headers_to_add:"),
        format!("{in_site}  - header: {{ key: content-security-policy, value: \"{SITE_POLICY}\" }}"),
        format!("{in_site}    append_action: ADD_IF_ABSENT"),
        format!("{in_site}request_headers_to_add:"),
        format!("{in_site}  - header: {{ key: x-seen-address, value: \"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%\" }}"),
    ]
    .join("\n");
    let text = changed(
        "envoy",
        "envoy.yaml",
        &[
            ("address: 0.0.0.0, port_value: 80 ", &format!("address: 127.0.0.1, port_value: {} ", place.port), 1),
            ("path: /run/portcullis/portcullis.sock", &format!("path: {}", place.socket), 1),
            ("address: 127.0.0.1, port_value: 3000 ", &format!("address: {host}, port_value: {port} "), 1),
            ("failure_mode_allow: false", &format!("failure_mode_allow: {open}"), 1),
            ("domains: [\"*\"]", &headers, 1),
        ],
    );
    let file = write(place, "envoy.yaml", &text);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let binary = workspace.join("target/tools/envoy/envoy/_bin/envoy");
    let mut command = Command::new(binary);
    command.args(["-c", &file, "--disable-hot-restart", "--concurrency", "1", "--log-level", "warn"]);
    command
}
