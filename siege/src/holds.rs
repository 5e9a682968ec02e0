//! Whether the verifier itself holds: a flood from one core, the verifier on the other, and a separate client whose
//! admitted requests are timed.
//!
//! The generator is written for speed: every connection has a few requests on their way at once, and of the answers only
//! the first line and the length are looked at.

use std::fmt::{self, Display, Formatter};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ::tests::settings::Settings;
use ::tests::verifier::Verifier;
use anyhow::Context as _;
use puzzle::Algorithm;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::client::{Ask, Client, Destination, Sender, connect};
use crate::networks;
use crate::origin::Origin;
use crate::outcome::Times;
use crate::proc::ProcessState;
use crate::run::destination;
use crate::scenario::HOST;
use crate::shop::{self, Redeemed};

/// As `--only` names it.
pub const NAME: &str = "verifier-holds";
/// What happens.
pub const WHAT: &str = "20,000 plain requests/s on one core against the verifier on the other.";
/// Requests a second that are aimed at.
const PER_SECOND: u64 = 20_000;
const CONNECTIONS: u32 = 200;
/// Each connection writes a few requests at once so often, one connection after the other: a flood from many machines keeps no
/// common time.
const TURN: Duration = Duration::from_millis(50);
/// The paced client asks so often.
const PACE: Duration = Duration::from_millis(20);

/// How long it takes.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// The paced client alone.
    pub before: Duration,
    /// With the flood.
    pub flood: Duration,
    /// After it, until memory and descriptors are read again.
    pub after: Duration,
}

impl Timing {
    /// For the report.
    pub const WHOLE: Self =
        Self { before: Duration::from_secs(5), flood: Duration::from_mins(1), after: Duration::from_secs(10) };
    /// For a test.
    pub const SHORT: Self =
        Self { before: Duration::from_millis(500), flood: Duration::from_secs(1), after: Duration::from_millis(500) };
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Held {
    /// Requests of the flood that were answered, a second.
    pub answered_per_second: f64,
    /// Those of them that were 429.
    pub challenged_percent: f64,
    /// Admitted requests before the flood, in milliseconds: median and p99.
    pub before_ms: (f64, f64),
    /// During it.
    pub during_ms: (f64, f64),
    /// Admitted requests that failed, and how many were sent.
    pub failed: (usize, usize),
    /// The verifier's CPU during the flood, in cores, and the generator's.
    pub cores: (f64, f64),
    /// Resident memory in MiB: before, at most, after.
    pub memory_mib: (f64, f64, f64),
    /// Open descriptors: before, at most, after.
    pub descriptors: (usize, usize, usize),
    /// Whether both had a core of their own.
    pub apart: bool,
}

impl Held {
    /// By how much the flood slows down an admitted request at p99, in milliseconds.
    #[must_use]
    pub fn added_p99_ms(&self) -> f64 {
        self.during_ms.1 - self.before_ms.1
    }
}

impl Display for Held {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let (rss, most, end) = self.memory_mib;
        let (fds, fds_most, fds_end) = self.descriptors;
        write!(
            formatter,
            "{:.0} requests/s answered ({:.0} % challenged), admitted p99 {:.1} ms before and {:.1} ms during, {} of {} \
             failed; verifier {:.2} cores, generator {:.2}{}; memory {rss:.0} → {most:.0} → {end:.0} MiB, descriptors \
             {fds} → {fds_most} → {fds_end}",
            self.answered_per_second,
            self.challenged_percent,
            self.before_ms.1,
            self.during_ms.1,
            self.failed.0,
            self.failed.1,
            self.cores.0,
            self.cores.1,
            if self.apart { "" } else { " (on the same core)" },
        )
    }
}

/// Answers of the flood.
#[derive(Debug, Default)]
struct Answers {
    all: AtomicU64,
    challenged: AtomicU64,
}

/// Measures.
///
/// # Errors
/// Where the verifier or the generator cannot be started.
pub async fn measure(timing: Timing) -> anyhow::Result<Held> {
    let origin = Origin::start().await?;
    let settings = Settings::new()
        .set("mode", "on")
        .set("log", "warn")
        .set("table_mib", 64)
        .set("challenge.count", 8)
        .set("clearance.credits", 1_000_000)
        .rule("path = \"/static/**\"\nasset = true")
        .site("main", &[HOST], Some(&format!("http://{}", origin.address)));
    let verifier = tokio::task::spawn_blocking(move || Verifier::start(settings)).await?;
    let to = destination(verifier.port, HOST);
    let cookie = buy(&to).await?;
    let before = ProcessState::of(verifier.id()).context("the verifier is gone")?;

    let everywhere = sched_getaffinity(None)?;
    let apart = part(&verifier)?;
    let alone = paced(to.clone(), cookie.clone(), timing.before).await;
    let stop = Arc::new(AtomicBool::new(false));
    let answers = Arc::new(Answers::default());
    let generator = {
        let (to, stop, answers) = (to.clone(), Arc::clone(&stop), Arc::clone(&answers));
        std::thread::Builder::new().name("flood".into()).spawn(move || generate(&to, &stop, &answers))?
    };
    let (cpu, own, begun) = (ProcessState::of(verifier.id()), ProcessState::own(), Instant::now());
    let reading = async {
        let mut most = before;
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            if let Some(now) = ProcessState::of(verifier.id()) {
                most.resident_mib = most.resident_mib.max(now.resident_mib);
                most.descriptors = most.descriptors.max(now.descriptors);
                most.cpu_s = now.cpu_s;
            }
            if begun.elapsed() >= timing.flood {
                return most;
            }
        }
    };
    let (most, flooded) = tokio::join!(reading, paced(to, cookie, timing.flood));
    let lasted_s = begun.elapsed().as_secs_f64();
    let own_cores = (ProcessState::own().cpu_s - own.cpu_s) / lasted_s;
    stop.store(true, Ordering::Relaxed);
    // The generator ends by itself: how it went is in what it counted.
    let _ = tokio::task::spawn_blocking(move || generator.join()).await;
    pin(std::process::id(), &everywhere)?;
    tokio::time::sleep(timing.after).await;
    let after = ProcessState::of(verifier.id()).context("the verifier is gone")?;
    let cores = (most.cpu_s - cpu.map_or(0.0, |cpu| cpu.cpu_s)) / lasted_s;
    let all = answers.all.load(Ordering::Relaxed) as f64;
    Ok(Held {
        answered_per_second: all / lasted_s,
        challenged_percent: 100.0 * answers.challenged.load(Ordering::Relaxed) as f64 / all.max(1.0),
        before_ms: milliseconds(&alone),
        during_ms: milliseconds(&flooded),
        failed: (flooded.failed, flooded.sent),
        cores: (cores, own_cores),
        memory_mib: (before.resident_mib, most.resident_mib, after.resident_mib),
        descriptors: (before.descriptors, most.descriptors, after.descriptors),
        apart,
    })
}

fn milliseconds(paced: &Paced) -> (f64, f64) {
    let mut times = paced.times.clone();
    times.sort_by(f64::total_cmp);
    let p99 = times.get(times.len() * 99 / 100).copied().unwrap_or(f64::NAN);
    (Times::of(times).map_or(f64::NAN, |times| times.p50 * 1e3), p99 * 1e3)
}

/// Puts the verifier on one core and this process on the other; says whether there were two.
fn part(verifier: &Verifier) -> anyhow::Result<bool> {
    let ours = sched_getaffinity(None)?;
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| ours.is_set(*core)).collect();
    let [first, .., last] = cores[..] else { return Ok(false) };
    let only = |core| {
        let mut set = CpuSet::new();
        set.set(core);
        set
    };
    pin(verifier.id(), &only(first))?;
    pin(std::process::id(), &only(last))?;
    Ok(true)
}

/// Keeps every thread of a process on these cores.
fn pin(id: u32, cores: &CpuSet) -> anyhow::Result<()> {
    for task in std::fs::read_dir(format!("/proc/{id}/task"))? {
        let thread = task?.file_name().to_string_lossy().parse().ok().and_then(Pid::from_raw);
        if let Some(thread) = thread {
            sched_setaffinity(Some(thread), cores)?;
        }
    }
    Ok(())
}

async fn buy(to: &Destination) -> anyhow::Result<String> {
    let mut client = Client::new(networks::home(7), to.clone());
    let challenge =
        shop::ask(&mut client, "/static/1.css", Algorithm::Sha256).await.ok().flatten().context("no challenge")?;
    let nonces = challenge.solve();
    match shop::redeem(&mut client, "/static/1.css", &challenge, &nonces).await {
        Ok(Redeemed::Sold(clearance)) => Ok(clearance.cookie),
        other => anyhow::bail!("no clearance: {other:?}"),
    }
}

#[derive(Debug, Default)]
struct Paced {
    times: Vec<f64>,
    failed: usize,
    sent: usize,
}

/// Asks for a part of a page at a steady pace, each on its own if the last has not come back.
async fn paced(to: Destination, cookie: String, lasting: Duration) -> Paced {
    let until = Instant::now() + lasting;
    let mut client = Client::new(networks::home(7), to);
    let ask = Ask::get("/static/1.css").with(Sender::HEADER, Sender::Visitor.name()).paid_by(Some(&cookie));
    let mut paced = Paced::default();
    let mut turns = tokio::time::interval(PACE);
    turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while Instant::now() < until {
        turns.tick().await;
        let begun = Instant::now();
        paced.sent += 1;
        match client.ask(&ask, Duration::from_secs(5)).await {
            Ok(answer) if answer.status == 200 => paced.times.push(begun.elapsed().as_secs_f64()),
            _ => paced.failed += 1,
        }
    }
    paced
}

/// The flood, in a runtime of one thread.
fn generate(to: &Destination, stop: &Arc<AtomicBool>, answers: &Arc<Answers>) {
    // The paced client, which shares this core, goes first: its delays are the verifier's and not the generator's.
    let _ = rustix::process::nice(10);
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let mut connections = JoinSet::new();
        for number in 0..CONNECTIONS {
            let (to, stop, answers) = (to.clone(), Arc::clone(stop), Arc::clone(answers));
            connections.spawn(async move {
                tokio::time::sleep(TURN * number / CONNECTIONS).await;
                while !stop.load(Ordering::Relaxed) {
                    let _ = pipeline(networks::attacker(number), &to, &stop, &answers).await;
                }
            });
        }
        while connections.join_next().await.is_some() {}
    });
}

/// Bursts of requests on one connection; the next burst is written when the answers to the last have come.
async fn pipeline(from: Ipv4Addr, to: &Destination, stop: &AtomicBool, answers: &Answers) -> std::io::Result<()> {
    let burst = (PER_SECOND as f64 * TURN.as_secs_f64() / f64::from(CONNECTIONS)).ceil() as usize;
    let mut stream = connect(from, to.address).await?;
    let request = format!("GET /page/1 HTTP/1.1\r\nHost: {}\r\n\r\n", to.host).repeat(burst);
    let mut turns = tokio::time::interval(TURN);
    turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut bytes, mut kept) = (vec![0; 64 * 1024], Vec::new());
    while !stop.load(Ordering::Relaxed) {
        turns.tick().await;
        stream.write_all(request.as_bytes()).await?;
        let mut open = burst;
        while open > 0 {
            while let Some((length, challenged)) = whole_answer(&kept) {
                kept.drain(..length);
                open = open.saturating_sub(1);
                answers.all.fetch_add(1, Ordering::Relaxed);
                answers.challenged.fetch_add(u64::from(challenged), Ordering::Relaxed);
            }
            if open > 0 {
                let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut bytes)).await??;
                if read == 0 {
                    return Ok(());
                }
                kept.extend_from_slice(&bytes[..read]);
            }
        }
    }
    Ok(())
}

/// Length of the first answer, if it is there with its whole body, and whether it is a 429.
fn whole_answer(bytes: &[u8]) -> Option<(usize, bool)> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    })?;
    (bytes.len() >= head + length).then(|| (head + length, text.starts_with("HTTP/1.1 429")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_counted_when_its_body_is_whole() {
        let answer = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 ";
        assert_eq!(whole_answer(answer), Some((answer.len() - 9, true)));
        assert_eq!(whole_answer(&answer[..answer.len() - 10]), None);
    }
}
