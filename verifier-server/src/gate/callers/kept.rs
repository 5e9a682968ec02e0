//! Callers over a stop: a small file in `state_dir`.

use super::super::Gate;
use super::{BUCKET_CALLERS, CALLERS_MAX, Call, Caller};
use ipnet::IpNet;
use puzzle::{ClientNetwork, UnixSeconds};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

const FILE: &str = "callers";
const UNFINISHED: &str = "callers.unfinished";
const VERSION: u32 = 1;
/// Bytes of a file that is read: more than so many callers take.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Why the file was not used. The gate then begins to look anew.
#[derive(Debug, thiserror::Error)]
pub enum CallersFileError {
    /// Reading failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Not a file of this version, or with callers that cannot be.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// What is kept of all callers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptCallers {
    version: u32,
    peace_until: u32,
    callers: Vec<KeptCaller>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptCaller {
    site: u16,
    host: String,
    network: String,
    method: String,
    path: String,
    first_seen: u32,
    last_seen: u32,
    requests: u32,
    days: u32,
    last_day_since: u32,
}

impl KeptCallers {
    /// Reads what was kept in `state_dir`; `None` where nothing was.
    ///
    /// # Errors
    /// See [`CallersFileError`].
    pub fn read(state_dir: &Path) -> Result<Option<Self>, CallersFileError> {
        let file = match File::open(state_dir.join(FILE)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut text = String::new();
        file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
        let damaged = |what: &str| CallersFileError::Damaged(what.to_owned());
        let kept: Self = serde_json::from_str(&text).map_err(|error| damaged(&error.to_string()))?;
        if kept.version != VERSION {
            return Err(damaged("it is of another version"));
        }
        if kept.callers.len() > CALLERS_MAX || kept.callers.iter().any(|caller| caller.caller().is_none()) {
            return Err(damaged("a caller cannot be"));
        }
        Ok(Some(kept))
    }

    fn write(&self, state_dir: &Path) -> io::Result<()> {
        let unfinished = state_dir.join(UNFINISHED);
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&unfinished, state_dir.join(FILE))
    }
}

impl Gate {
    /// Writes the callers to `state_dir`, whole or not at all, if any came since the last time.
    ///
    /// # Errors
    /// Whatever writing, syncing or renaming reports; the file before it then stays.
    pub fn keep_callers(&self, state_dir: &Path) -> io::Result<()> {
        let callers = &self.callers;
        if !callers.changed.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let mut kept = Vec::new();
        for bucket in &callers.buckets {
            kept.extend(bucket.lock().unwrap_or_else(PoisonError::into_inner).iter().map(KeptCaller::of));
        }
        let kept = KeptCallers { version: VERSION, peace_until: callers.peace_until().0, callers: kept };
        let written = kept.write(state_dir);
        if written.is_err() {
            callers.changed.store(true, Ordering::Relaxed);
        }
        written
    }

    /// Takes over what was kept of callers. Where some do not fit, those of fewer days are left out.
    pub fn take_callers(&self, kept: &KeptCallers) {
        self.callers.peace_until.fetch_max(kept.peace_until, Ordering::Relaxed);
        let mut callers: Vec<Caller> = kept.callers.iter().filter_map(KeptCaller::caller).collect();
        callers.sort_by_key(|caller| std::cmp::Reverse((caller.days.count_ones(), caller.requests)));
        for caller in callers {
            self.callers.in_bucket(caller.network, |bucket| {
                if bucket.len() < BUCKET_CALLERS {
                    bucket.push(caller);
                }
            });
        }
    }
}

impl KeptCaller {
    fn of(caller: &Caller) -> Self {
        Self {
            site: caller.site,
            host: caller.host.clone(),
            network: caller.network.to_string(),
            method: caller.method.clone(),
            path: caller.path.clone(),
            first_seen: caller.first_seen.0,
            last_seen: caller.last_seen.0,
            requests: caller.requests,
            days: caller.days,
            last_day_since: caller.last_day_since.0,
        }
    }

    fn caller(&self) -> Option<Caller> {
        let network = ClientNetwork::of(self.network.parse::<IpNet>().ok()?.addr());
        let call = Call { site: self.site, host: &self.host, network, method: &self.method, path: &self.path };
        let sound = call.can_be_named() && self.days & 1 == 1 && self.first_seen <= self.last_seen;
        sound.then(|| Caller {
            first_seen: UnixSeconds(self.first_seen),
            last_seen: UnixSeconds(self.last_seen),
            requests: self.requests,
            days: self.days,
            last_day_since: UnixSeconds(self.last_day_since),
            ..Caller::new(&call, UnixSeconds(self.first_seen))
        })
    }
}
