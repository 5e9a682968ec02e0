//! What was set by hand over a stop: a small file in `state_dir`, written whenever something changes.

use super::rules::{HAND_RULE_NUMBER_FIRST, HAND_RULES_MAX, HandAction, HandRule, NewHandRule};
use super::{BY_HAND_MINUTES_MAX, Pin, after};
use crate::gate::Gate;
use crate::state_file::{self, StateFileError};
use puzzle::UnixSeconds;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

const FILE: &str = "by-hand";
const VERSION: u32 = 1;
/// Bytes of a file that is read: far more than so many rules take.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Pinned prices that are read: there is one for a site.
const PINS_MAX: usize = 1_000;

/// What is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptByHand {
    version: u32,
    rules: Vec<KeptRule>,
    pins: Vec<KeptPin>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptRule {
    action: HandAction,
    network: Option<String>,
    path: Option<String>,
    site: Option<String>,
    expires_at: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptPin {
    site: String,
    price: u64,
    expires_at: u32,
}

impl KeptByHand {
    /// Where it is kept.
    #[must_use]
    pub fn file(state_dir: &Path) -> PathBuf {
        state_dir.join(FILE)
    }

    /// Reads what was kept in `state_dir`; `None` where nothing was.
    ///
    /// # Errors
    /// See [`StateFileError`]; then nothing of it is in force.
    pub fn read(state_dir: &Path) -> Result<Option<Self>, StateFileError> {
        let kept = state_file::read_json::<Self>(&Self::file(state_dir), VERSION, FILE_BYTES_MAX)?;
        let Some(kept) = kept else { return Ok(None) };
        if kept.rules.len() > HAND_RULES_MAX || kept.pins.len() > PINS_MAX {
            return Err(StateFileError::damaged("it has more than there can be"));
        }
        Ok(Some(kept))
    }
}

impl Gate {
    /// Writes what is set by hand to `state_dir`, whole or not at all.
    ///
    /// # Errors
    /// Whatever writing, syncing or renaming reports; the file before it then stays.
    pub fn keep_by_hand(&self, state_dir: &Path) -> io::Result<()> {
        let _writing = self.by_hand.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.by_hand.changed.store(false, Ordering::Relaxed);
        let set = self.by_hand.set();
        let rules = set.rules.iter().map(|rule| KeptRule {
            action: rule.action,
            network: rule.network.map(|network| network.to_string()),
            path: rule.path.clone(),
            site: rule.site.clone(),
            expires_at: rule.expires_at.0,
        });
        let pins = set.pins.iter().map(|pin| {
            let Pin { site, price, expires_at } = pin.clone();
            KeptPin { site, price, expires_at: expires_at.0 }
        });
        let kept = KeptByHand { version: VERSION, rules: rules.collect(), pins: pins.collect() };
        drop(set);
        let written = state_file::write_json(&KeptByHand::file(state_dir), &kept);
        if written.is_err() {
            self.by_hand.changed.store(true, Ordering::Relaxed);
        }
        written
    }

    /// Whether something has changed since it was written last.
    #[must_use]
    pub fn by_hand_changed(&self) -> bool {
        self.by_hand.changed.load(Ordering::Relaxed)
    }

    /// Takes over what was kept and has not ended, before anything is served.
    ///
    /// # Errors
    /// [`StateFileError::Damaged`]; then nothing of it is in force.
    pub fn take_by_hand(&self, kept: &KeptByHand, now: UnixSeconds) -> Result<(), StateFileError> {
        let mut set = self.by_hand.set();
        let mut rules = Vec::new();
        for kept in kept.rules.iter().filter(|kept| now.0 < kept.expires_at) {
            let KeptRule { action, network, path, site, .. } = kept;
            let new = NewHandRule {
                action: *action,
                network: network.clone(),
                path: path.clone(),
                site: site.clone(),
                minutes: BY_HAND_MINUTES_MAX,
            };
            let rule = HandRule::new(&new, HAND_RULE_NUMBER_FIRST + set.next, now);
            let rule = rule.map_err(|error| StateFileError::damaged(&error.to_string()))?;
            // A clock that was wrong makes nothing last longer than it may.
            let expires_at = UnixSeconds(kept.expires_at).min(rule.expires_at);
            set.next += 1;
            rules.push(HandRule { expires_at, ..rule });
        }
        set.rules = rules;
        set.pins = kept
            .pins
            .iter()
            .filter(|pin| now.0 < pin.expires_at)
            .map(|pin| Pin {
                site: pin.site.clone(),
                price: pin.price,
                expires_at: UnixSeconds(pin.expires_at).min(after(now, BY_HAND_MINUTES_MAX)),
            })
            .collect();
        self.by_hand.publish(&set);
        Ok(())
    }
}
