//! `deploy/nginx`: laid out as Debian has it, in a folder of its own.

use std::fs;
use std::process::Command;

use super::files::{changed, chosen, shipped, write};
use super::{Place, SITE_POLICY, program};
use crate::stage::HOST;

const FAIL_OPEN: &str = "error_page 502 503 504 = @portcullis_dead;";

pub(super) fn command(place: &Place<'_>) -> Command {
    let http = changed(
        "nginx",
        "portcullis.conf",
        &[("unix:/run/portcullis/portcullis.sock", &format!("unix:{}", place.socket), 1)],
    );
    write(place, "nginx/conf.d/portcullis.conf", &http);
    let log =
        changed("nginx", "portcullis-log.conf", &[("server=127.0.0.1:8081,", &format!("server={},", place.log), 1)]);
    write(place, "nginx/conf.d/portcullis-log.conf", &log);
    let server = chosen(&shipped("nginx", "portcullis-server.conf"), FAIL_OPEN, place.failure);
    let include = write(place, "nginx/portcullis-server.conf", &server);
    let site = format!(
        "server {{\n{}    server_name {HOST};\n    add_header Content-Security-Policy \"{SITE_POLICY}\" always;\n    \
         client_max_body_size 20m;\n    include {include};\n    location / {{\n{}    }}\n}}\n",
        listen(place),
        passes_on(&place.origin)
    );
    write(place, "nginx/sites-enabled/site.conf", &site);
    start(place)
}

/// Where visitors connect: this version cannot tell HTTP/2 by its first bytes.
pub(super) fn listen(place: &Place<'_>) -> String {
    format!("    listen 127.0.0.1:{};\n    listen 127.0.0.1:{} http2;\n", place.port, place.h2_port)
}

/// What a site does with a request: a back end with WebSockets and event streams.
pub(super) fn passes_on(origin: &str) -> String {
    format!(
        "        proxy_pass http://{origin};\n        proxy_http_version 1.1;\n        proxy_set_header Host $http_host;\n        \
         proxy_set_header Upgrade $http_upgrade;\n        proxy_set_header Connection $site_connection;\n        \
         proxy_set_header X-Seen-Address $remote_addr;\n        proxy_buffering off;\n"
    )
}

/// Starts nginx with the shipped `nginx.conf` and the folders that were filled before.
pub(super) fn start(place: &Place<'_>) -> Command {
    let folder = place.folder.display().to_string();
    let in_folder = |name: &str| format!("{folder}/{name}");
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name};\n"))
        .concat();
    let maps = "map $http_upgrade $site_connection { default upgrade; \"\" \"\"; }\n";
    write(place, "nginx/conf.d/test.conf", &format!("{temporary}{maps}"));
    let main = changed(
        "nginx",
        "nginx.conf",
        &[
            ("pid /run/nginx.pid;", &format!("daemon off;\npid {};", in_folder("nginx.pid")), 1),
            ("worker_processes auto;", "worker_processes 1;", 1),
            ("/var/log/nginx/", &in_folder(""), 2),
            ("include /etc/nginx/mime.types;", "include /etc/nginx/mime.types;", 1),
            ("include /etc/nginx/modules-enabled/*.conf;", "", 1),
            ("include /etc/nginx/conf.d/", &format!("include {}", in_folder("nginx/conf.d/")), 1),
            ("include /etc/nginx/sites-enabled/", &format!("include {}", in_folder("nginx/sites-enabled/")), 1),
        ],
    );
    let main = write(place, "nginx/nginx.conf", &main);
    fs::create_dir_all(place.folder.join("nginx/sites-enabled")).unwrap();
    let mut command = program("nginx");
    command.arg("-p").arg(place.folder).arg("-e").arg(in_folder("error.log")).arg("-c").arg(main);
    command
}
