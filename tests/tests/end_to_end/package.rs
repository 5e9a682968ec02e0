//! The Debian package on a Debian of its own: installed, started, upgraded, removed, brought back, purged.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tests::debian::{Debian, package, possible};
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
    assert!(paths(&debian).len() > before.len() + 20);
    debian.run("apt-get purge --yes portcullis");
    let left: Vec<String> = paths(&debian).difference(&before).cloned().collect();
    assert_eq!(left, [""; 0]);
    assert_eq!(before.difference(&paths(&debian)).count(), 0, "and takes nothing of others along");
    assert_eq!(debian.run(users), users_before);
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
    until_true(SOON, "an answer", || asked(&socket).is_ok_and(|status| status == 204));
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
