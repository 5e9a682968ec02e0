//! Callers over a stop: a small file in `state_dir`.

use super::super::Gate;
use super::{BUCKET_CALLERS, CALLERS_MAX, Call, Caller};
use crate::state_file::{self, StateFileError};
use ipnet::IpNet;
use puzzle::{ClientNetwork, UnixSeconds};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

const FILE: &str = "callers";
const VERSION: u32 = 1;
/// Bytes of a file that is read: more than so many callers take.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

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
    /// Where it is kept.
    #[must_use]
    pub fn file(state_dir: &Path) -> PathBuf {
        state_dir.join(FILE)
    }

    /// Reads what was kept in `state_dir`; `None` where nothing was.
    ///
    /// # Errors
    /// See [`StateFileError`]; the gate then begins to look anew.
    pub fn read(state_dir: &Path) -> Result<Option<Self>, StateFileError> {
        let kept = state_file::read_json::<Self>(&Self::file(state_dir), VERSION, FILE_BYTES_MAX)?;
        let Some(kept) = kept else { return Ok(None) };
        if kept.callers.len() > CALLERS_MAX || kept.callers.iter().any(|caller| caller.caller().is_none()) {
            return Err(StateFileError::damaged("a caller cannot be"));
        }
        Ok(Some(kept))
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
        let written = state_file::write_json(&KeptCallers::file(state_dir), &kept);
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
