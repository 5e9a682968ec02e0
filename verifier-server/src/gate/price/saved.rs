//! Mode, price, hold and capacity across a stop: a gate that was down when its process ended begins down.

use crate::config::Mode;
use crate::state_file::{self, StateFileError};
use puzzle::UnixSeconds;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

const FILE: &str = "price";
const VERSION: u32 = 1;
/// Bytes of a file that is read: hundreds of sites.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Largest number of credits a second, and of seconds, that is believed.
const NUMBER_MAX: f64 = 1e9;

/// What is kept of all sites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPrices {
    version: u32,
    /// When it was written, in unix seconds.
    pub written_at: u32,
    /// The mode in force.
    mode: String,
    /// The mode that the configuration named.
    configured_mode: String,
    /// Each site.
    pub sites: Vec<SavedSite>,
}

/// What is kept of a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedSite {
    /// Its name.
    pub name: String,
    /// Whether the gate was down.
    pub closed: bool,
    /// Attempts for a full clearance.
    pub price: u64,
    /// Seconds that the gate stays down after the last overload.
    pub hold_seconds: u32,
    /// The learned capacity in credits a second.
    pub capacity: Option<f64>,
    /// The mode that was set for it by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_hand: Option<ModeByHand>,
}

/// A mode that was set for a site by hand, and the one that the configuration named for it then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModeByHand {
    mode: String,
    configured: Option<String>,
}

impl ModeByHand {
    /// What is to be kept.
    #[must_use]
    pub fn new(mode: Mode, configured: Option<Mode>) -> Self {
        Self { mode: mode.name().to_owned(), configured: configured.map(|mode| mode.name().to_owned()) }
    }

    /// The mode, if the configuration still names the one that it was set against.
    #[must_use]
    pub fn against(&self, configured: Option<Mode>) -> Option<Mode> {
        let same = self.configured.as_deref() == configured.map(Mode::name);
        Mode::parse(&self.mode).filter(|_| same)
    }
}

impl SavedPrices {
    /// What is to be kept.
    #[must_use]
    pub fn new(mode: Mode, configured: Mode, sites: Vec<SavedSite>, now: UnixSeconds) -> Self {
        let (mode, configured_mode) = (mode.name().to_owned(), configured.name().to_owned());
        Self { version: VERSION, written_at: now.0, mode, configured_mode, sites }
    }

    /// The mode that was set by hand, if the configuration still names the one that it was set against.
    #[must_use]
    pub fn mode_by_hand(&self, configured: Mode) -> Option<Mode> {
        let same = Mode::parse(&self.configured_mode) == Some(configured);
        Mode::parse(&self.mode).filter(|mode| same && *mode != configured)
    }

    /// Where it is kept.
    #[must_use]
    pub fn file(state_dir: &Path) -> PathBuf {
        state_dir.join(FILE)
    }

    /// Reads what was kept in `state_dir`; `None` where nothing was.
    ///
    /// # Errors
    /// See [`StateFileError`]; whether the gate was down is then not known.
    pub fn read(state_dir: &Path) -> Result<Option<Self>, StateFileError> {
        let saved: Option<Self> = state_file::read_json(&Self::file(state_dir), VERSION, FILE_BYTES_MAX)?;
        saved.map(Self::check).transpose()
    }

    /// Writes it to `state_dir`: whole, or not at all.
    ///
    /// # Errors
    /// Whatever writing, syncing or renaming reports.
    pub fn write(&self, state_dir: &Path) -> io::Result<()> {
        state_file::write_json(&Self::file(state_dir), self)
    }

    fn check(self) -> Result<Self, StateFileError> {
        let damaged = |what: &str| Err(StateFileError::damaged(what));
        if Mode::parse(&self.mode).is_none() || Mode::parse(&self.configured_mode).is_none() {
            return damaged("it names a mode that there is not");
        }
        let sound = |capacity: f64| capacity > 0.0 && capacity < NUMBER_MAX;
        if self.sites.iter().any(|site| site.capacity.is_some_and(|capacity| !sound(capacity))) {
            return damaged("it has a capacity that cannot be");
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn saved() -> SavedPrices {
        let site = SavedSite {
            name: "main".to_owned(),
            closed: true,
            price: 300_000,
            hold_seconds: 120,
            capacity: Some(200.5),
            by_hand: Some(ModeByHand::new(Mode::On, None)),
        };
        SavedPrices::new(Mode::On, Mode::Auto, vec![site], UnixSeconds(1_800_000_000))
    }

    #[test]
    fn what_is_written_is_read_and_only_ours_to_read() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(SavedPrices::read(folder.path()).expect("no error").is_none());
        saved().write(folder.path()).expect("written");
        assert_eq!(SavedPrices::read(folder.path()).expect("no error"), Some(saved()));
        let mode = fs::metadata(folder.path().join(FILE)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_not_ours_or_cannot_be_is_not_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = serde_json::to_string(&saved()).expect("JSON");
        for broken in [
            String::new(),
            text[..text.len() / 2].to_owned(),
            text.replace("\"version\":1", "\"version\":2"),
            text.replace("200.5", "-1"),
            text.replace("200.5", "1e300"),
            text.replace("\"mode\":\"on\"", "\"mode\":\"maybe\""),
            text.replace("\"closed\":true", "\"closed\":true,\"more\":1"),
            text.replace("300000", "-5"),
        ] {
            fs::write(folder.path().join(FILE), &broken).expect("written");
            assert!(SavedPrices::read(folder.path()).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_mode_set_by_hand_lasts_unless_the_configuration_has_changed() {
        assert_eq!(saved().mode_by_hand(Mode::Auto), Some(Mode::On));
        assert_eq!(saved().mode_by_hand(Mode::Off), None, "the operator wrote another one");
        assert_eq!(saved().mode_by_hand(Mode::On), None);
        let of_site = ModeByHand::new(Mode::Auto, Some(Mode::On));
        assert_eq!(of_site.against(Some(Mode::On)), Some(Mode::Auto));
        assert_eq!((of_site.against(None), of_site.against(Some(Mode::Auto))), (None, None));
    }

    #[test]
    fn a_file_from_before_sites_had_modes_by_hand_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = serde_json::to_string(&saved()).expect("JSON");
        let before = text.replace(",\"by_hand\":{\"mode\":\"on\",\"configured\":null}", "");
        assert_ne!(before, text);
        fs::write(folder.path().join(FILE), before).expect("written");
        let read = SavedPrices::read(folder.path()).expect("no error").expect("a file");
        assert_eq!(read.sites[0].by_hand, None);
    }
}
