//! The Debian package on a Debian of its own: installed, started, upgraded, removed, brought back, purged.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tests::client::Client;
use tests::debian::{Debian, package, possible};
use tests::visitor::buy;
use tests::wait::{SOON, until_true};

const INSTALL: &str = "apt-get install --yes /tmp/portcullis.deb";
const CONFIGURATION: &str = "/etc/portcullis/portcullis.toml";
const SOCKET: &str = "/run/portcullis/portcullis.sock";

/// Folders that every installation of whatever writes into.
const BUSY: [&str; 7] =
    ["/var/log", "/var/cache", "/var/lib/dpkg", "/var/lib/apt", "/var/lib/systemd", "/root", "/tmp"];

/// A Debian with the package at hand.
fn bare() -> Debian {
    let debian = Debian::boot();
    debian.write("/tmp/portcullis.deb", fs::read(package()).unwrap());
    debian
}

fn installed() -> Debian {
    let debian = bare();
    debian.run(INSTALL);
    debian
}

/// Whether both units are as `systemctl QUESTION` says: `is-active`, `is-enabled`.
fn units(debian: &Debian, question: &str) -> Vec<String> {
    let said = debian.try_run(&format!("systemctl {question} portcullis.socket portcullis.service"));
    String::from_utf8_lossy(&said.stdout).lines().map(str::to_owned).collect()
}

/// The status that nginx's question about a request gets over the socket, as 204 or 401.
fn asked(socket: &Path) -> std::io::Result<u16> {
    let mut connection = UnixStream::connect(socket)?;
    connection.set_read_timeout(Some(SOON))?;
    let head = "GET /.portcullis-beside/check HTTP/1.1\r\nHost: a.example\r\nX-Real-IP: 198.51.100.7\r\n\
                X-Original-Method: GET\r\nX-Original-URI: /\r\nX-Original-Proto: https\r\n\
                X-Request-ID: 0123456789abcdef0123456789abcdef\r\nConnection: close\r\n\r\n";
    connection.write_all(head.as_bytes())?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| std::io::Error::other(format!("no answer: {answer:?}")))
}

/// Every path there is, but for those in busy folders and of other file systems; what is in `/run` with our name too.
fn paths(debian: &Debian) -> BTreeSet<String> {
    let busy = BUSY.map(|folder| format!("-path {folder}")).join(" -o ");
    let list = format!("find / -xdev \\( {busy} \\) -prune -o -print; find /run -name '*portcullis*'");
    debian.run(&list).lines().map(str::to_owned).collect()
}

#[test]
fn what_is_installed_runs_as_a_user_of_its_own() {
    if !possible() {
        return;
    }
    let debian = installed();
    assert_eq!(units(&debian, "is-active"), ["active", "active"]);
    assert_eq!(units(&debian, "is-enabled"), ["enabled", "enabled"]);
    debian.run(&format!("portcullis check-config {CONFIGURATION} && portcullis health"));
    assert!(debian.run("portcullis status").contains("mode       auto"));
    assert!(debian.run("portcullis mode on").contains("mode       on"));
    assert_eq!(asked(&debian.path(SOCKET)).unwrap(), 401);
    assert!(debian.run("portcullis mode off").contains("mode       off"));
    assert_eq!(asked(&debian.path(SOCKET)).unwrap(), 204);

    let mode_of = |path: &str| debian.run(&format!("stat --format '%U:%G %a' {path}")).trim().to_owned();
    assert_eq!(mode_of(SOCKET), "portcullis:portcullis 660");
    assert_eq!(mode_of("/var/lib/portcullis"), "portcullis:portcullis 700");
    assert_eq!(mode_of("/var/lib/portcullis/portcullis.secret"), "portcullis:portcullis 600");
    assert!(debian.run("id --name --groups www-data").split_whitespace().any(|group| group == "portcullis"));
    let user = debian.run("stat --format %U /proc/$(systemctl show --property MainPID --value portcullis)");
    assert_eq!(user.trim(), "portcullis");
    // Its unit shuts out most of `/proc`, but not what tells of the machine's load.
    if Path::new("/proc/pressure/cpu").exists() {
        let its = "nsenter --mount --target $(systemctl show --property MainPID --value portcullis)";
        assert!(debian.run(&format!("{its} cat /proc/pressure/cpu")).starts_with("some avg10="));
    }
    // Up to where it serves: that this machine is under pressure is told later, and is no fault of the package. Nor is it
    // that whoever runs the tests may not open as many files as the unit asks for.
    let start = "journalctl --unit portcullis --no-pager | sed '/serving visitors/,$d'";
    let warned = debian.run(&format!("{start} | grep WARN | grep --invert-match 'raise LimitNOFILE' || true"));
    assert_eq!(warned, "");

    for file in ["man/man8/portcullis.8.gz", "doc/portcullis/changelog.gz", "doc/portcullis/third-party-licences.gz"] {
        debian.run(&format!("gzip --test /usr/share/{file}"));
    }
    for file in ["bash-completion/completions/portcullis", "zsh/vendor-completions/_portcullis"] {
        debian.run(&format!("grep --quiet check-config /usr/share/{file}"));
    }
    debian.run("grep --quiet '\"CycloneDX\"' /usr/share/doc/portcullis/portcullis.cdx.json");
    debian.run("portcullis check-config /usr/share/portcullis/deploy/nginx/portcullis.toml");
}

#[test]
fn a_purge_leaves_nothing() {
    if !possible() {
        return;
    }
    let debian = bare();
    // The tools for users keep a copy of each file that they change.
    debian.run("useradd --system --user-group before && userdel before");
    let users = "getent passwd; getent group; getent shadow; systemctl list-unit-files --no-legend 'portcullis*' | cat";
    let (before, users_before) = (paths(&debian), debian.run(users));
    debian.run(INSTALL);
    debian.run("portcullis mode on");
    debian.write("/etc/portcullis/cdn-ranges.txt", "the operator's own\n");
    // What setup has put into the web server goes with it: nobody would answer nginx any more.
    debian.run("systemctl restart nginx && portcullis setup nginx --apply");
    assert!(paths(&debian).len() > before.len() + 20);
    debian.run("apt-get purge --yes portcullis");
    debian.run("nginx -t && ! grep --recursive portcullis /etc/nginx");
    let left: Vec<String> = paths(&debian).difference(&before).cloned().collect();
    assert_eq!(left, [""; 0]);
    assert_eq!(before.difference(&paths(&debian)).count(), 0, "and takes nothing of others along");
    assert_eq!(debian.run(users), users_before);
}

#[test]
fn a_removal_that_would_leave_the_web_server_asking_nobody_is_none() {
    if !possible() {
        return;
    }
    let debian = installed();
    debian.run("systemctl restart nginx && portcullis setup nginx --apply");
    // Somebody has changed the very line since.
    let site = "/etc/nginx/sites-available/default";
    debian.run(&format!(
        "sed -i 's|include /etc/nginx/portcullis-server.conf|include  /etc/nginx/portcullis-server.conf|' {site}"
    ));
    let said = debian.try_run("apt-get purge --yes portcullis");
    let told = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    assert!(!said.status.success() && told.contains("portcullis stays installed"), "{told}");
    assert!(told.contains("take out: include /etc/nginx/portcullis-server.conf;"), "{told}");
    assert_eq!(units(&debian, "is-active"), ["active", "active"]);
    // Once it is taken out by hand, as was said, the rest goes by itself.
    debian.run(&format!("sed -i '/portcullis/d' {site} && apt-get purge --yes portcullis"));
    debian.run("nginx -t && ! grep --recursive portcullis /etc/nginx");
    assert!(!debian.path("/usr/bin/portcullis").exists());
}

#[test]
fn the_lines_for_a_hurry_gate_another_web_server_too() {
    if !possible() {
        return;
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let operating = fs::read_to_string(workspace.join("docs/OPERATING.md")).unwrap();
    let (_, section) = operating.split_once("\n## In a hurry\n").unwrap();
    let lines =
        section.lines().skip_while(|line| !line.starts_with("    ")).take_while(|line| line.starts_with("    "));
    let lines: Vec<String> = lines.map(|line| line.trim().replace("setup nginx", "setup caddy")).collect();
    assert!(lines.iter().any(|line| line.starts_with("portcullis setup caddy --apply")), "{lines:?}");
    let debian = bare();
    let name = lines[0].split("./").nth(1).unwrap();
    debian.run(&format!("cp /tmp/portcullis.deb /root/{name} && systemctl stop nginx && mkdir --parents /etc/caddy"));
    // One file, without a library: as good as installed.
    debian.write("/usr/bin/caddy", fs::read("/usr/bin/caddy").unwrap());
    debian.write("/etc/caddy/Caddyfile", "http://a.test {\n\trespond \"the page that was wanted\"\n}\n");
    debian.write("/etc/hosts", "127.0.0.1 localhost a.test\n");
    debian.run(
        "chmod 755 /usr/bin/caddy && useradd --system --user-group --create-home caddy && systemd-run --unit caddy --uid caddy \
         --setenv HOME=/home/caddy --property AmbientCapabilities=CAP_NET_BIND_SERVICE \
         caddy run --adapter caddyfile --config /etc/caddy/Caddyfile",
    );
    let visitor = Client::new(80, "a.test");
    let page = |cookie: &str| debian.in_its_network(|| visitor.request("GET", "/").cookie(cookie).try_send());
    until_true(SOON, "Caddy to serve", || page("").is_ok_and(|reply| reply.status == 200));
    // As the document says of Caddy.
    debian.run(&format!(
        "set -e\ncd /root\n{}",
        lines.join("\n").replacen("portcullis setup", "systemctl restart caddy\nportcullis setup", 1)
    ));
    until_true(SOON, "the gate to be down", || page("").is_ok_and(|reply| reply.status == 429));
    let cookie = debian.in_its_network(|| buy(&visitor));
    assert_eq!(page(&cookie).unwrap().text(), "the page that was wanted");
    debian.run("apt-get purge --yes portcullis");
    until_true(SOON, "the page without a gate", || page("").is_ok_and(|reply| reply.status == 200));
}

#[test]
fn a_return_after_a_removal_is_no_upgrade() {
    if !possible() {
        return;
    }
    let debian = installed();
    let changed = format!("{}\n# changed here\n", fs::read_to_string(debian.path(CONFIGURATION)).unwrap());
    debian.write(CONFIGURATION, &changed);
    let secret = fs::read(debian.path("/var/lib/portcullis/portcullis.secret")).unwrap();
    debian.run("cp /usr/share/portcullis/deploy/nginx/portcullis-server.conf /etc/nginx/");

    let told = debian.run("apt-get remove --yes portcullis");
    assert!(told.contains("/etc/nginx/portcullis-server.conf"), "{told}");
    assert!(!debian.path(SOCKET).exists() && !debian.path("/usr/bin/portcullis").exists());
    assert_eq!(units(&debian, "is-active"), ["inactive", "inactive"]);

    debian.run(INSTALL);
    assert_eq!(units(&debian, "is-active"), ["active", "active"]);
    assert_eq!(fs::read_to_string(debian.path(CONFIGURATION)).unwrap(), changed);
    assert_eq!(fs::read(debian.path("/var/lib/portcullis/portcullis.secret")).unwrap(), secret);

    debian.run("systemctl disable --now portcullis.socket portcullis.service");
    debian.run(&format!("{INSTALL} --reinstall"));
    assert_eq!(units(&debian, "is-enabled"), ["disabled", "disabled"], "it is the operator who has the say");
    assert_eq!(units(&debian, "is-active"), ["inactive", "inactive"]);
}

#[test]
fn a_verifier_that_hangs_is_ended_and_started_again_within_ten_seconds() {
    if !possible() {
        return;
    }
    let debian = installed();
    let process = "systemctl show --property MainPID --value portcullis";
    let before = debian.run(process);
    debian.run(&format!("kill -STOP {}", before.trim()));
    let begin = Instant::now();
    let socket = debian.path(SOCKET);
    // Whichever: a busy machine is under pressure, and then the gate is down.
    until_true(SOON, "an answer", || asked(&socket).is_ok_and(|status| matches!(status, 204 | 401)));
    let lasted = begin.elapsed();
    assert!(lasted < Duration::from_secs(10), "{lasted:?}");
    assert_ne!(debian.run(process), before, "another process serves");
}

#[test]
fn an_upgrade_refuses_nobody() {
    if !possible() {
        return;
    }
    let debian = installed();
    debian.run(
        "mkdir /tmp/next && dpkg-deb --raw-extract /tmp/portcullis.deb /tmp/next && \
         sed -i 's/^Version: .*/&+next/' /tmp/next/DEBIAN/control && dpkg-deb -Znone --build /tmp/next /tmp/next.deb",
    );
    let process = "systemctl show --property MainPID --value portcullis";
    let before = debian.run(process);
    let (over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let socket = debian.path(SOCKET);
    let ask = || {
        while !over.load(Ordering::Relaxed) {
            asked(&socket)?;
            answered.fetch_add(1, Ordering::Relaxed);
        }
        Ok::<_, std::io::Error>(())
    };
    thread::scope(|scope| {
        let visitors: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        let at_least = |count: usize| until_true(SOON, "answers", || answered.load(Ordering::Relaxed) >= count);
        at_least(100);
        let upgraded = debian.try_run("apt-get install --yes /tmp/next.deb");
        at_least(answered.load(Ordering::Relaxed) + 100);
        over.store(true, Ordering::Relaxed);
        for visitor in visitors {
            visitor.join().unwrap().unwrap();
        }
        assert!(upgraded.status.success(), "{upgraded:?}");
    });
    assert_ne!(debian.run(process), before, "another process serves");
    assert!(debian.run("dpkg-query --show portcullis").trim().ends_with("+next"));
    eprintln!("{} questions were answered around the upgrade", answered.into_inner());
}
