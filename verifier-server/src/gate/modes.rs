//! The mode of all sites and that of one: as configured, or as set by hand.

use super::Gate;
use crate::config::{Mode, Site};
use std::sync::atomic::{AtomicU8, Ordering};

/// A mode that many read and few change.
#[derive(Debug)]
pub(super) struct ModeCell(AtomicU8);

impl ModeCell {
    const NONE: u8 = u8::MAX;

    pub(super) const fn new(mode: Mode) -> Self {
        Self(AtomicU8::new(mode as u8))
    }

    /// None.
    pub(super) const fn empty() -> Self {
        Self(AtomicU8::new(Self::NONE))
    }

    pub(super) fn get(&self) -> Option<Mode> {
        let mode = self.0.load(Ordering::Relaxed);
        [Mode::Off, Mode::Auto, Mode::On].into_iter().find(|known| *known as u8 == mode)
    }

    pub(super) fn set(&self, mode: Option<Mode>) {
        self.0.store(mode.map_or(Self::NONE, |mode| mode as u8), Ordering::Relaxed);
    }
}

impl Gate {
    /// The mode in force where a site has none of its own.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode.get().unwrap_or(Mode::Off)
    }

    /// The mode in force for a site: as set for it by hand, else its own, unless everything is off.
    #[must_use]
    pub fn mode_of(&self, site: &Site) -> Mode {
        match self.mode() {
            Mode::Off => Mode::Off,
            of_all => self.mode_by_hand(site).or(site.mode).unwrap_or(of_all),
        }
    }

    /// The mode that was set for a site by hand, if any was.
    #[must_use]
    pub fn mode_by_hand(&self, site: &Site) -> Option<Mode> {
        self.sites.with(site, |state| state.by_hand.get())
    }

    /// Sets the mode of all sites: what was set for one by hand ends.
    pub fn set_mode(&self, mode: Mode) {
        self.mode.set(Some(mode));
        self.sites.each(|site| site.by_hand.set(None));
    }

    /// Sets the mode of one site, until that of all is set; `None` for the one that it is configured with.
    pub fn set_mode_of(&self, site: &Site, mode: Option<Mode>) {
        self.sites.with(site, |state| state.by_hand.set(mode));
    }
}
