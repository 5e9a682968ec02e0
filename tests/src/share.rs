//! A sixth of one core for processes that run already: what a browser has on an old phone.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::until_due;

/// Of every period of the kernel, which is 100 milliseconds unless it is told another.
const PERIOD: Duration = Duration::from_millis(100);
const SIXTH: Duration = Duration::from_micros(16_667);
/// Where control groups are kept, and the file of a group that limits its time: the second version, and the first.
const LIMITS: [(&str, &str, &str); 2] =
    [("/sys/fs/cgroup", "cpu.max", "16667 100000"), ("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "16667")];

/// The processes have a sixth of a core together until this is dropped.
#[derive(Debug)]
pub struct Share(Way);

#[derive(Debug)]
enum Way {
    /// A control group: the kernel does it.
    Group(PathBuf),
    /// Where nobody may make one: the processes are stopped and go on.
    Turns { over: Arc<AtomicBool>, turns: Arc<AtomicU64>, pace: Option<JoinHandle<()>> },
}

impl Share {
    /// Of what `processes` names, and of what these processes start from now on.
    pub fn of(processes: impl Fn() -> Vec<Pid> + Send + 'static) -> Self {
        Self(group(&processes).map_or_else(|| turns(processes), Way::Group))
    }

    /// How often the processes wanted more and had to wait.
    pub fn held_back(&self) -> u64 {
        match &self.0 {
            Way::Group(group) => {
                let stat = fs::read_to_string(group.join("cpu.stat")).unwrap_or_default();
                stat.lines().find_map(|line| line.strip_prefix("nr_throttled ")?.parse().ok()).unwrap_or(0)
            }
            Way::Turns { turns, .. } => turns.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        match &mut self.0 {
            Way::Group(group) => {
                let parent = group.with_file_name("cgroup.procs");
                // Again, as long as one of them starts another.
                let _ = (0..20).find(|_| {
                    let inside = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
                    for id in inside.lines() {
                        let _ = fs::write(&parent, id);
                    }
                    fs::remove_dir(&*group).is_ok() || {
                        until_due(Instant::now() + PERIOD);
                        false
                    }
                });
            }
            Way::Turns { over, pace, .. } => {
                over.store(true, Ordering::Relaxed);
                let _ = pace.take().map(JoinHandle::join);
            }
        }
    }
}

/// A control group with all of these processes in it; nothing where none may be made.
fn group(processes: &impl Fn() -> Vec<Pid>) -> Option<PathBuf> {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let name = format!("portcullis-tests-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    LIMITS.into_iter().find_map(|(parent, file, limit)| {
        let group = Path::new(parent).join(&name);
        fs::create_dir(&group).ok()?;
        // Opened, not made: in a folder that is no control group there is no such file.
        let limited =
            OpenOptions::new().write(true).open(group.join(file)).and_then(|mut file| file.write_all(limit.as_bytes()));
        if limited.and_then(|()| enter(&group, processes)).is_ok() {
            return Some(group);
        }
        let _ = fs::remove_dir(&group);
        None
    })
}

/// Moves the processes into the group until there is none outside: what they start in the meantime is outside too.
fn enter(group: &Path, processes: &impl Fn() -> Vec<Pid>) -> std::io::Result<()> {
    let mut inside = BTreeSet::new();
    loop {
        let outside: Vec<_> =
            processes().into_iter().map(Pid::as_raw_nonzero).filter(|id| !inside.contains(id)).collect();
        if outside.is_empty() {
            return Ok(());
        }
        for id in outside {
            let moved = fs::write(group.join("cgroup.procs"), id.to_string());
            // One that has ended is nobody's.
            if moved.is_err() && Path::new(&format!("/proc/{id}")).exists() {
                return moved;
            }
            inside.insert(id);
        }
    }
}

/// Stops the processes for most of every period: as long as leaves them a sixth of one core if they keep all cores busy.
fn turns(processes: impl Fn() -> Vec<Pid> + Send + 'static) -> Way {
    let (over, turns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let cores = thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX));
    let pace = thread::spawn({
        let (over, turns) = (Arc::clone(&over), Arc::clone(&turns));
        move || {
            while !over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let stopped = processes();
                signal(&stopped, Signal::STOP);
                until_due(begun + PERIOD.saturating_sub(SIXTH / cores));
                signal(&stopped, Signal::CONT);
                turns.fetch_add(1, Ordering::Relaxed);
                until_due(begun + PERIOD);
            }
        }
    });
    Way::Turns { over, turns, pace: Some(pace) }
}

fn signal(processes: &[Pid], signal: Signal) {
    for process in processes {
        // It may have ended.
        let _ = kill_process(*process, signal);
    }
}
