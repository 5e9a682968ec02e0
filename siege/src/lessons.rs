//! What `portcullis learn` finds in a log of the lab's own visitors: the binary reads it as an operator would have it do.

use std::f64::consts::TAU;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use crate::networks;
use crate::origin::PAGES;
use crate::seeded::Seeded;
use crate::visitor::Group;
use crate::visitors::{GROUPS, LEGITIMATE};

/// Parts of a page.
const PARTS: u32 = 10;
/// Credits of a page with its parts.
const PAGE_CREDITS: f64 = 2.0;
/// When the log begins; its days are all of one month.
const BEGINS: &str = "01/Nov/2026";
const UNTIL: &str = "2026-11-02T01:00:00Z";
const LOG: &str = "access.log.gz";

/// What was found.
#[derive(Debug)]
pub struct Lessons {
    folder: TempDir,
    /// Credits a second that the site can do at least.
    pub at_least: Option<f64>,
}

impl Lessons {
    /// Writes so many hours of a log, at most a day, and has the binary learn from it.
    pub async fn learn(hours: u32, seed: u64) -> anyhow::Result<Self> {
        tokio::task::spawn_blocking(move || learn(hours.min(24), seed)).await.context("nothing is learned")?
    }

    /// Where the profile is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn learn(hours: u32, seed: u64) -> anyhow::Result<Lessons> {
    let (logs, folder) = (TempDir::with_prefix("portcullis-siege-log-")?, TempDir::with_prefix("portcullis-siege-")?);
    write(&logs.path().join(LOG), hours, seed).context("the log cannot be written")?;
    let mut learn = Command::new(tests::verifier::binary());
    learn.arg("learn").arg(logs.path().join(LOG)).args(["--until", UNTIL]);
    let learned = learn.arg("--profile").arg(folder.path().join("profile")).output()?;
    let (report, said) = (String::from_utf8_lossy(&learned.stdout), String::from_utf8_lossy(&learned.stderr));
    ensure!(learned.status.success(), "portcullis learn: {said}");
    ensure!(report.contains("path = \"/static/**\""), "it does not see what pages are made of: {report}");
    let at_least = report.lines().find_map(|line| line.strip_prefix("#     capacity_at_least_per_second = "));
    let at_least = at_least.map(str::parse).transpose().context("a capacity that is no number")?;
    Ok(Lessons { folder, at_least })
}

/// The last hours of a day, whose visitors are those of the lab: most of them by day, fewest at midnight.
fn write(path: &Path, hours: u32, seed: u64) -> anyhow::Result<()> {
    let mut numbers = Seeded::new(seed);
    let mut log = BufWriter::new(GzEncoder::new(File::create(path)?, Compression::fast()));
    for second in (24 - hours) * 3_600..24 * 3_600 {
        let day = f64::from(second) / 86_400.0;
        let pages = LEGITIMATE / PAGE_CREDITS * 0.6 * (1.0 - 0.67 * (TAU * day).cos());
        let whole = pages as u32 + u32::from(numbers.part() < pages.fract());
        let time = format!("{BEGINS}:{:02}:{:02}:{:02} +0000", second / 3_600, second / 60 % 60, second % 60);
        for _ in 0..whole {
            let from = visitor(&mut numbers);
            line(&mut log, from, &time, &format!("/page/{}", numbers.below(PAGES)))?;
            for part in 0..PARTS {
                line(&mut log, from, &time, &format!("/static/{part}.css"))?;
            }
        }
    }
    log.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish()?;
    Ok(())
}

fn line(log: &mut impl Write, from: Ipv4Addr, time: &str, path: &str) -> std::io::Result<()> {
    writeln!(log, "{from} - - [{time}] \"GET {path} HTTP/1.1\" 200 8192 \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\"")
}

fn visitor(numbers: &mut Seeded) -> Ipv4Addr {
    let mut left = numbers.part();
    let group = GROUPS.iter().find(|(_, part)| {
        left -= part;
        left < 0.0
    });
    match group.map(|(group, _)| *group) {
        Some(Group::Office) => networks::OFFICE,
        Some(Group::Carrier) => networks::CARRIER,
        Some(Group::Home) | None => networks::home(numbers.below(networks::HOMES_MAX)),
    }
}
