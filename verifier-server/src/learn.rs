//! `portcullis learn`: what the access logs of the weeks before tell, for whoever installs it in the middle of an attack.
//!
//! The peacetime profile is learned by the very code that learns it in a running verifier, at the speed of reading. What
//! else is found is printed as lines for the configuration, which the operator reads before he uses them: an attacker may
//! have written into those logs for weeks.

mod assets;
mod callers;
mod entry;
mod files;
mod peak;
mod report;

pub use assets::StaticFolder;
pub use callers::{Caller, DAYS_MIN};
pub use entry::Entry;
pub use files::{FileError, Lines};
pub use peak::Peak;

use crate::calendar;
use crate::gate::networks::{HashKey, LEARNING_DELAY_SECONDS, Nested, Profile};
use crate::random;
use assets::{Folders, is_static};
use callers::{Callers, DAYS_MAX};
use files::Files;
use peak::Peaks;
use puzzle::{ClientNetwork, Credits, UnixSeconds};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often it is told how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(2);
/// How often the clock is looked at for that, in lines.
const LINES_BETWEEN_LOOKS: u64 = 65_536;
const MINUTE_SECONDS: u32 = 60;
/// After a longer time without a line, lines are missing: nobody knows how quiet it was.
const GAP_SECONDS_MAX: u32 = 86_400;
/// What the profile needs to have learned the last line.
const AFTER_THE_LAST_SECONDS: u32 = 2 * LEARNING_DELAY_SECONDS;

/// Why nothing was learned. Then no file was written.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// A log cannot be read.
    #[error("{0}")]
    File(#[from] FileError),
    /// Not one line is a line of an access log.
    #[error("not one of {0} lines is in the common or combined format of an access log")]
    NoLines(u64),
    /// All lines lie outside the time that is looked at.
    #[error("all {lines} lines lie outside the {DAYS_MAX} days before {until}: write another --until")]
    OutOfTime {
        /// How many.
        lines: u64,
        /// The end of that time.
        until: String,
    },
    /// The profile would overwrite another one.
    #[error("{} is there already: move it away, or name another file with --profile", .0.display())]
    ProfileExists(PathBuf),
    /// The profile cannot be written.
    #[error("the profile cannot be written to {}: {reason}", path.display())]
    Profile {
        /// Where.
        path: PathBuf,
        /// Why not.
        reason: io::Error,
    },
    /// The system gives no randomness for the profile's key.
    #[error("no randomness for the key of the profile: {0}")]
    Random(String),
}

/// What was found in the logs.
#[derive(Debug)]
pub struct Learned {
    /// What networks usually bring.
    pub profile: Profile,
    /// Callers that look like programs, those of the operator's own addresses first.
    pub callers: Vec<Caller>,
    /// Folders of static files.
    pub folders: Vec<StaticFolder>,
    /// The busiest ten seconds.
    pub peak: Option<Peak>,
    /// The lines that were read.
    pub lines: Lines,
    /// Lines that lie before or after the time that is looked at.
    pub outside: u64,
    /// The first and the last time that counted.
    pub span: (UnixSeconds, UnixSeconds),
}

impl Learned {
    /// What was found, as lines for the configuration: it is a configuration of its own but for its sites.
    #[must_use]
    pub fn report(&self, profile: &Path) -> String {
        report::report(self, profile)
    }

    /// How the reading went, in a sentence.
    #[must_use]
    pub fn summary(&self) -> String {
        report::summary(self)
    }
}

/// Reads the logs up to `until`, writes the profile to `profile`, which must not be there yet, and says on the way how far it
/// is, for files that take a while.
///
/// # Errors
/// See [`LearnError`].
pub fn run(
    files: &[PathBuf],
    until: UnixSeconds,
    profile: &Path,
    tell: impl FnMut(&str),
) -> Result<Learned, LearnError> {
    if std::fs::symlink_metadata(profile).is_ok() {
        return Err(LearnError::ProfileExists(profile.to_owned()));
    }
    let learned = learn(files, until, tell)?;
    let failed = |reason| LearnError::Profile { path: profile.to_owned(), reason };
    learned.profile.write_to(profile).map_err(failed)?;
    Ok(learned)
}

/// Reads the logs up to `until`. What came in the last hour before it counts for nothing: an attack seldom begins when it is
/// noticed.
///
/// # Errors
/// See [`LearnError`].
pub fn learn(paths: &[PathBuf], until: UnixSeconds, mut tell: impl FnMut(&str)) -> Result<Learned, LearnError> {
    let key = random::bytes().map_err(|error| LearnError::Random(error.to_string()))?;
    let mut files = Files::open(paths)?;
    let mut lesson = Lesson::new(HashKey(key), until);
    let mut told = Instant::now();
    while let Some((entry, line)) = files.next()? {
        lesson.take_in(entry, line);
        if files.lines().read.is_multiple_of(LINES_BETWEEN_LOOKS) && told.elapsed() >= TOLD_EVERY {
            told = Instant::now();
            tell(&report::progress(files.bytes(), files.lines()));
        }
    }
    let lines = files.lines();
    if lines.read == 0 {
        return Err(LearnError::NoLines(lines.malformed));
    }
    lesson.end(lines)
}

/// What is learned while lines come.
struct Lesson {
    until: UnixSeconds,
    profile: Profile,
    callers: Callers,
    folders: Folders,
    peaks: Peaks,
    outside: u64,
    first: Option<UnixSeconds>,
    /// Up to where the profile has come.
    ticked: UnixSeconds,
}

impl Lesson {
    fn new(key: HashKey, until: UnixSeconds) -> Self {
        Self {
            until,
            profile: Profile::new(key),
            callers: Callers::new(until),
            folders: Folders::new(),
            peaks: Peaks::default(),
            outside: 0,
            first: None,
            ticked: UnixSeconds(0),
        }
    }

    fn take_in(&mut self, entry: &Entry, line: &str) {
        let ends = UnixSeconds(self.until.0.saturating_sub(LEARNING_DELAY_SECONDS));
        if entry.time >= ends || self.until.since(entry.time) >= DAYS_MAX * 86_400 {
            self.outside += 1;
            return;
        }
        self.first.get_or_insert(entry.time);
        self.tick_to(entry.time);
        let (method, target) = (entry.method(line), entry.target(line));
        if method.is_empty() {
            return;
        }
        let path = target.split(['?', '#']).next().unwrap_or_default();
        self.callers.asked(entry, method, path);
        self.folders.asked(entry, path);
        let network = ClientNetwork::of(entry.address);
        let cost = if is_static(path) { Credits::TENTH } else { Credits::ONE };
        if entry.succeeded() {
            self.peaks.answered(entry.time, network, cost.ratio(Credits::ONE).into());
        }
        // A scan for what is not there is no visit.
        if entry.status < 400 {
            self.profile.observe(Nested::of(network).levels(), cost);
        }
    }

    /// The clock of the profile goes on, minute by minute, as it does in a verifier that runs.
    fn tick_to(&mut self, time: UnixSeconds) {
        if time <= self.ticked {
            return;
        }
        if self.ticked.0 != 0 && time.since(self.ticked) <= GAP_SECONDS_MAX {
            while time.since(self.ticked) > MINUTE_SECONDS {
                self.ticked = self.ticked.plus(MINUTE_SECONDS);
                self.profile.tick(self.ticked, true);
            }
        }
        self.ticked = time;
        self.profile.tick(time, true);
    }

    fn end(mut self, lines: Lines) -> Result<Learned, LearnError> {
        let Some(first) = self.first else {
            return Err(LearnError::OutOfTime { lines: lines.read, until: calendar::told(self.until) });
        };
        let last = self.ticked;
        self.tick_to(last.plus(AFTER_THE_LAST_SECONDS).min(self.until));
        Ok(Learned {
            profile: self.profile,
            callers: self.callers.found(),
            folders: self.folders.found(),
            peak: self.peaks.found(),
            lines,
            outside: self.outside,
            span: (first, last),
        })
    }
}
