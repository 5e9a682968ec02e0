//! The lines that README begins with, pasted into a bare Debian whose site is swamped.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tests::client::Client;
use tests::debian::{Debian, package, possible};
use tests::visitor::buy;
use tests::wait::{SOON, until, until_due, until_true};

/// More than that nobody reads in a hurry.
const LINES_MAX: usize = 6;

/// What nginx serves: a front controller behind php-fpm, as `WordPress` has it.
const SITE: &str = "server {\n    listen 80 default_server;\n    server_name example.org www.example.org;\n    root /var/www/html;\n    \
                    index index.php;\n    location / {\n        try_files $uri $uri/ /index.php?$args;\n    }\n    \
                    location ~ \\.php$ {\n        include snippets/fastcgi-php.conf;\n        fastcgi_pass unix:/run/php/site.sock;\n    \
                    }\n}\n";

/// A page holds one of php-fpm's five workers for 50 ms: the site can do a hundred a second.
const PAGE: &str = "<?php usleep(50000); echo 'the page that was wanted';";

/// How long a page takes then, which takes 50 ms otherwise.
const SWAMPED: Duration = Duration::from_millis(500);

/// The flood: so many clients, each from a network of its own, each at most so often; it ends by itself.
const CLIENTS: u8 = 120;
const PAUSE: Duration = Duration::from_millis(400);
const FLOOD_MAX: Duration = Duration::from_mins(5);

/// From the first of the lines to the first visitor served.
const PROTECTED_WITHIN: Duration = Duration::from_mins(2);

/// The indented lines below README's first heading.
fn lines() -> Vec<String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let readme = fs::read_to_string(workspace.join("README.md")).unwrap();
    let (_, first) = readme.split_once("\n## ").unwrap();
    let section = first.split("\n## ").next().unwrap();
    assert!(section.starts_with("Under attack right now?\n"), "README begins with what is urgent");
    let lines = section.lines().skip_while(|line| !line.starts_with("    "));
    lines.take_while(|line| line.starts_with("    ")).map(|line| line.trim().to_owned()).collect()
}

fn swamped_site() -> Debian {
    let debian = Debian::boot();
    debian.write("/etc/nginx/sites-available/default", SITE);
    debian.write("/var/www/html/index.php", PAGE);
    debian.run("sed -i 's|^listen = .*|listen = /run/php/site.sock|' /etc/php/*/fpm/pool.d/www.conf");
    debian.run("systemctl restart 'php*-fpm.service' nginx");
    debian
}

/// Ends the flood, also where the test fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One of the flood's clients: asks for pages that no cache has, until it is over.
fn floods(client: &Client, over: &AtomicBool, asked: &AtomicU32) {
    let began = Instant::now();
    let mut due = began;
    while !over.load(Ordering::Relaxed) && began.elapsed() < FLOOD_MAX {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        let _ = client.request("GET", &format!("/?s={number}")).header("Connection", "close").try_send();
        due = (due + PAUSE).max(Instant::now());
        until_due(due);
    }
}

/// How long a visitor waits for the page, who solves if asked to.
fn visit(visitor: &Client) -> Duration {
    let began = Instant::now();
    until(PROTECTED_WITHIN, "a visitor to be served", || {
        let reply = visitor.request("GET", "/").header("Accept", "text/html").try_send().ok()?;
        let reply = match reply.status {
            429 => visitor.request("GET", "/").cookie(&buy(visitor)).try_send().ok()?,
            _ => reply,
        };
        (reply.status == 200 && reply.text() == "the page that was wanted").then_some(())
    });
    began.elapsed()
}

#[test]
fn a_swamped_site_is_protected_by_the_lines_that_readme_begins_with() {
    let lines = lines();
    assert!((1..=LINES_MAX).contains(&lines.len()), "{lines:#?}");
    if !possible() {
        return;
    }
    let debian = swamped_site();
    // Where a release would be: the package, and the checksums beside it.
    let files = package().parent().unwrap().to_owned();
    for file in [package(), files.join("SHA256SUMS")] {
        let name = file.file_name().unwrap().to_str().unwrap();
        debian.write(&format!("/srv/release/{name}"), fs::read(&file).unwrap());
    }
    debian.in_its_network(|| {
        let client = Client::new(80, "example.org");
        let (over, asked) = (AtomicBool::new(false), AtomicU32::new(0));
        thread::scope(|scope| {
            let (ends, flooded_since) = (Ends(&over), Instant::now());
            for network in 0..CLIENTS {
                let client = client.in_network(9, network);
                let (over, asked) = (&over, &asked);
                scope.spawn(move || floods(&client, over, asked));
            }
            let visitor = client.in_network(10, 1);
            until_true(SOON, "the flood to swamp the site", || visit(&visitor) > SWAMPED);
            let (unprotected, before) = (visit(&visitor), asked.load(Ordering::Relaxed));

            let began = Instant::now();
            let script = format!("set -e\ncd /tmp\nexport RELEASE=file:///srv/release\n{}", lines.join("\n"));
            debian.run(&script);
            let pasted = began.elapsed();
            // nginx has been told to reload when the lines are through, and does so in its own time.
            let stranger = client.in_network(11, 1);
            until_true(SOON, "the gate to be down", || {
                stranger.request("GET", "/").try_send().is_ok_and(|reply| reply.status == 429)
            });
            let admitted = visit(&visitor);
            let served = began.elapsed();
            assert!(served <= PROTECTED_WITHIN, "the first visitor was served after {served:?}");
            assert!(flooded_since.elapsed() < FLOOD_MAX, "the flood was over by then");
            drop(ends);

            eprintln!(
                "README: a visitor waited {:.1} s under the flood; the lines took {:.1} s, the first visitor was served {:.1} s \
                 after the first line, {:.1} s after asking; the flood sent {} requests before and {} meanwhile",
                unprotected.as_secs_f32(),
                pasted.as_secs_f32(),
                served.as_secs_f32(),
                admitted.as_secs_f32(),
                before,
                asked.load(Ordering::Relaxed) - before,
            );
        });
    });
}
