//! The lines of docs/OPERATING.md by which the verifier is kept for years, taken out of it and run on a Debian: back up, rotate,
//! upgrade, roll back, remove.

use std::fs;
use std::path::Path;

use tests::client::Client;
use tests::debian::{Debian, package, possible};
use tests::visitor::buy;
use tests::wait::{SOON, until_true};

const SECTIONS: [&str; 5] = ["What to back up", "Rotate", "Upgrade", "Roll back", "Remove"];
/// More than that nobody reads in a hurry.
const LINES_MAX: usize = 10;

const STATE: &str = "/var/lib/portcullis";
const SECRET: &str = "/var/lib/portcullis/portcullis.secret";
const TOKEN: &str = "/var/lib/portcullis/admin.token";
const CONFIGURATION: &str = "/etc/portcullis/portcullis.toml";
const SITE: &str = "/etc/nginx/sites-available/default";
const PAGE: &str = "the page that was wanted";

/// The indented lines of a section, block by block: what stands between two says when the second one is due.
fn blocks(section: &str) -> Vec<String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let operating = fs::read_to_string(workspace.join("docs/OPERATING.md")).unwrap();
    let (_, text) =
        operating.split_once(&format!("\n## {section}\n")).unwrap_or_else(|| panic!("no section {section}"));
    let text = text.split("\n## ").next().unwrap();
    let mut blocks: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in text.lines() {
        let code = line.strip_prefix("    ");
        if let Some(code) = code {
            if !goes_on {
                blocks.push(String::new());
            }
            blocks.last_mut().unwrap().extend([code, "\n"]);
        }
        goes_on = code.is_some();
    }
    blocks
}

/// Pastes a block; gives what it printed.
#[track_caller]
fn paste(debian: &Debian, block: &str) -> String {
    debian.run(&format!("set -e\ncd /srv/release\n{block}"))
}

/// The package under another number, as a release of it would be called.
fn release(debian: &Debian, version: &str) {
    debian.run(&format!(
        "mkdir --parents /srv/release && dpkg-deb --raw-extract /tmp/portcullis.deb /tmp/{version} && \
         sed --in-place 's/^Version: .*/Version: {version}/' /tmp/{version}/DEBIAN/control && \
         echo '# of {version}' >> /tmp/{version}{CONFIGURATION} && \
         dpkg-deb -Znone --build /tmp/{version} /srv/release/portcullis_{version}_amd64.deb"
    ));
}

fn installed(debian: &Debian) -> String {
    debian.run("dpkg-query --show --showformat '${Version}' portcullis")
}

fn read(debian: &Debian, path: &str) -> String {
    fs::read_to_string(debian.path(path)).unwrap()
}

/// A Debian on which the first release stands beside nginx, with the gate down and a pass made.
fn kept_for_years() -> Debian {
    let debian = Debian::boot();
    debian.write("/tmp/portcullis.deb", fs::read(package()).unwrap());
    for version in ["0.1.0", "0.2.0"] {
        release(&debian, version);
    }
    debian.write("/var/www/html/index.html", PAGE);
    debian.run("systemctl restart nginx && apt-get install --yes /srv/release/portcullis_0.1.0_amd64.deb");
    debian.run(&format!("echo '# ours' >> {CONFIGURATION}"));
    debian.run("portcullis setup nginx --apply && portcullis mode on && portcullis pass ada --hours 1");
    debian
}

#[test]
fn the_lines_are_few_and_the_document_has_them() {
    for section in SECTIONS {
        let lines: usize = blocks(section).iter().map(|block| block.lines().count()).sum();
        assert!((1..=LINES_MAX).contains(&lines), "{section} has {lines} lines");
    }
}

#[test]
fn it_is_backed_up_rotated_upgraded_rolled_back_and_removed_by_the_lines_of_the_document() {
    if !possible() {
        return;
    }
    let debian = kept_for_years();
    let visitor = Client::new(80, "example.org");
    let page = |cookie: &str| debian.in_its_network(|| visitor.request("GET", "/").cookie(cookie).send());
    let solve = || debian.in_its_network(|| buy(&visitor));
    // nginx reloads in its own time.
    until_true(SOON, "nginx to ask", || page("").status == 429);

    let [back_up, put_back] = &blocks("What to back up")[..] else { panic!("two blocks") };
    paste(&debian, back_up);
    let listed = debian.run("tar --list --gzip --file /root/portcullis.tar.gz");
    for file in [CONFIGURATION, SECRET, "/var/lib/portcullis/passes"] {
        assert!(listed.lines().any(|line| format!("/{line}") == file), "{file} in {listed}");
    }
    let secret = read(&debian, SECRET);
    debian.run(&format!("rm {STATE}/passes {SECRET} && echo '# changed' >> {CONFIGURATION}"));
    paste(&debian, put_back);
    assert_eq!(read(&debian, SECRET), secret);
    assert!(!read(&debian, CONFIGURATION).contains("# changed"));
    assert!(debian.run("portcullis pass --list").contains("ada"), "{}", debian.journal());

    let [new_line, old_line] = &blocks("Rotate")[..] else { panic!("two blocks") };
    let cookie = solve();
    paste(&debian, new_line);
    let both = read(&debian, SECRET);
    let lines: Vec<&str> = both.lines().collect();
    assert!(lines.len() == 2 && lines[0] != lines[1] && lines[1] == secret.trim(), "{both}");
    page(&cookie).expect_status(200);
    let token = read(&debian, TOKEN);
    paste(&debian, old_line);
    assert_eq!(read(&debian, SECRET).trim(), lines[0]);
    let owned = debian.run(&format!("stat --format '%U %a' {SECRET} {TOKEN}"));
    assert_eq!(owned, "portcullis 600\nportcullis 600\n");
    assert_ne!(read(&debian, TOKEN), token);
    debian.run("portcullis health && portcullis status");

    let [upgrade] = &blocks("Upgrade")[..] else { panic!("one block") };
    let cookie = solve();
    let said = paste(&debian, upgrade);
    assert!(said.contains("everything that was saved is used"), "{said}");
    assert_eq!(installed(&debian), "0.2.0");
    assert!(read(&debian, CONFIGURATION).ends_with("# of 0.1.0\n# ours\n"), "what the operator wrote stays");
    page(&cookie).expect_status(200);

    // What a later release would leave.
    let [roll_back, upgraded_again] = &blocks("Roll back")[..] else { panic!("two blocks") };
    let later = r#"{"version":2,"passes":"of another form"}"#;
    debian.write(&format!("{STATE}/passes"), later);
    let said = paste(&debian, roll_back);
    assert!(said.contains("passes.unread"), "{said}");
    assert_eq!(installed(&debian), "0.1.0");
    let journal = debian.journal();
    assert!(journal.contains("passes is not used: it is of version 2"), "{journal}");
    page(&cookie).expect_status(200);
    debian.run("portcullis pass bob --hours 1");
    assert_eq!(read(&debian, &format!("{STATE}/passes.unread")), later);
    paste(&debian, upgraded_again);
    // It was put back, and as this is no later release it was put aside again.
    assert!(debian.run("portcullis pass --list").contains("no passes"));
    assert_eq!(read(&debian, &format!("{STATE}/passes.unread")), later);

    let [remove] = &blocks("Remove")[..] else { panic!("one block") };
    let gated = read(&debian, SITE);
    paste(&debian, remove);
    assert!(gated.contains("portcullis") && !read(&debian, SITE).contains("portcullis"));
    until_true(SOON, "the page without a gate", || page("").text() == PAGE);
    debian.run("nginx -t && ! grep --recursive portcullis /etc/nginx");
    for path in ["/usr/bin/portcullis", "/etc/portcullis", STATE, "/run/portcullis"] {
        assert!(!debian.path(path).exists(), "{path} is left");
    }
}
