//! `deploy/apache`: one virtual host in front of the verifier, the site's own behind it.

use std::process::Command;

use super::files::{changed, chosen, shipped, web_group, write};
use super::{Place, SITE_POLICY, program};
use crate::stage::HOST;

/// The modules that Debian has switched on, as far as they are needed, and those that the recipe names.
const MODULES: [&str; 12] = [
    "mpm_event",
    "authz_core",
    "alias",
    "http2",
    "proxy",
    "proxy_http",
    "proxy_balancer",
    "lbmethod_byrequests",
    "slotmem_shm",
    "headers",
    "remoteip",
    "setenvif",
];

const FAIL_OPEN: &str = "BalancerMember \"http://127.0.0.1:8081\" status=+H";

pub(super) fn command(place: &Place<'_>) -> Command {
    let front = changed(
        "apache",
        "portcullis.conf",
        &[
            ("unix:/run/portcullis/portcullis.sock|", &format!("unix:{}|", place.socket), 1),
            ("<VirtualHost *:80>", &format!("<VirtualHost 127.0.0.1:{}>", place.port), 1),
            ("ServerName example.org\n", &format!("ServerName {HOST}\n"), 1),
        ],
    );
    let front = chosen(&front, FAIL_OPEN, place.failure)
        .replace("\"http://127.0.0.1:8081\" status", &format!("\"http://127.0.0.1:{}\" status", place.site_port));
    let front = write(place, "sites-enabled/portcullis.conf", &front);
    let include = write(place, "portcullis-site.conf", &shipped("apache", "portcullis-site.conf"));
    let site = format!(
        "<VirtualHost 127.0.0.1:{}>\nServerName {HOST}\nInclude {include}\nHeader always set Content-Security-Policy \
         \"{SITE_POLICY}\"\nAllowEncodedSlashes NoDecode\nProxyPreserveHost On\n\
         RequestHeader set X-Seen-Address \"expr=%{{REMOTE_ADDR}}\"\n\
         ProxyPass \"/\" \"http://{}/\" nocanon upgrade=websocket flushpackets=on\n</VirtualHost>\n",
        place.site_port, place.origin
    );
    let site = write(place, "sites-enabled/site.conf", &site);
    let folder = place.folder.display();
    let modules =
        MODULES.map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n")).concat();
    let user = if web_group().is_some() { "User www-data\nGroup www-data\n" } else { "" };
    let main = format!(
        "ServerRoot {folder}\nDefaultRuntimeDir {folder}\nPidFile {folder}/apache.pid\nErrorLog /proc/self/fd/2\n{modules}{user}\
         ServerName {HOST}\nListen 127.0.0.1:{}\nListen 127.0.0.1:{}\nProtocols h2c http/1.1\nStartServers 1\nServerLimit 2\n\
         ThreadsPerChild 32\nMaxRequestWorkers 64\nInclude {front}\nInclude {site}\n",
        place.port, place.site_port
    );
    let main = write(place, "apache2.conf", &main);
    let mut command = program("apache2");
    command.args(["-D", "FOREGROUND", "-f", &main]);
    command
}
