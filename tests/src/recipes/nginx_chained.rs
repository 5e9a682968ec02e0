//! `deploy/nginx-chained`: one server in front of the verifier, the site's own behind it.

use std::process::Command;

use super::files::{changed, chosen, shipped, write};
use super::{Place, SITE_POLICY, nginx};
use crate::stage::HOST;

const FAIL_OPEN: &str = "server 127.0.0.1:8081 backup;";

pub(super) fn command(place: &Place<'_>) -> Command {
    let front = changed(
        "nginx-chained",
        "portcullis.conf",
        &[
            ("unix:/run/portcullis/portcullis.sock", &format!("unix:{}", place.socket), 1),
            ("    listen 80;\n", &nginx::listen(place), 1),
            ("server_name example.org www.example.org;", &format!("server_name {HOST};"), 1),
        ],
    );
    let front = chosen(&front, FAIL_OPEN, place.failure)
        .replace("127.0.0.1:8081 backup", &format!("127.0.0.1:{} backup", place.site_port));
    write(place, "nginx/conf.d/portcullis.conf", &front);
    let include = write(place, "nginx/portcullis-site.conf", &shipped("nginx-chained", "portcullis-site.conf"));
    let site = format!(
        "add_header Content-Security-Policy \"{SITE_POLICY}\" always;\n\
         server {{\n    listen 127.0.0.1:{};\n    server_name {HOST};\n    client_max_body_size 20m;\n    include {include};\n    \
         location / {{\n{}    }}\n}}\n",
        place.site_port,
        nginx::passes_on(&place.origin)
    );
    write(place, "nginx/sites-enabled/site.conf", &site);
    nginx::start(place)
}
