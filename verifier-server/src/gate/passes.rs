//! Staff passes: a link that gives a few devices a clearance with a rate of its own, until it ends or is taken back.
//!
//! Of the link's secret only a digest is kept, and of the clearances too: who reads the file can use neither.

mod enter;
mod kept;
mod slice;
#[cfg(test)]
mod tests;

pub use kept::KeptPasses;

use puzzle::price::GRACE_SECONDS;
use puzzle::{ClearanceId, Credits, UnixSeconds};
use sha2::{Digest, Sha256};
use slice::Slice;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// Passes at the same time.
pub const PASSES_MAX: usize = 64;
/// Devices that one link works on.
pub const PASS_DEVICES_MAX: usize = 3;
/// How long a pass lives at the most: as long as any clearance, whose keys are known for no longer.
pub const PASS_HOURS_MAX: u32 = 24;
/// Characters of a pass's name.
pub const PASS_NAME_CHARS_MAX: usize = 64;
/// Bytes of the secret in the link.
pub const PASS_SECRET_BYTES: usize = 32;
/// Credits a second that the devices of a pass have together beside what their clearances hold, at one verifier.
pub const PASS_CREDITS_PER_SECOND: f64 = 2.0;
/// What all passes of a site may take so, as a part of its capacity, where that is known.
pub const PASSES_SHARE: f64 = 0.1;

const DIGEST_BYTES: usize = 32;
const DEVICE_BYTES: usize = 16;

/// A digest of a clearance's id.
type Device = [u8; DEVICE_BYTES];

/// Why no pass was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassError {
    /// The name cannot be used.
    #[error("a name has 1 to {PASS_NAME_CHARS_MAX} characters, none of them a control character")]
    Name,
    /// A pass of this name is there.
    #[error("there is a pass of this name; revoke it first, or choose another name")]
    NameTaken,
    /// It would live too long, or not at all.
    #[error("a pass lives 1 to {PASS_HOURS_MAX} hours")]
    Hours,
    /// There are too many.
    #[error("there are {PASSES_MAX} passes already; revoke one first")]
    TooMany,
}

/// Why a link gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassRefusal {
    /// Nobody has this secret at this site: wrong, revoked or ended, which nobody is told apart.
    Unknown,
    /// Its devices are all in use.
    TooManyDevices,
    /// The table is full.
    Busy,
}

/// A pass, for whoever runs the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassReport {
    /// Whose it is.
    pub name: String,
    /// The site.
    pub site: String,
    /// When it ends.
    pub expires_at: UnixSeconds,
    /// Devices that use it.
    pub devices: usize,
}

/// A device that showed a good secret: what a clearance is minted for without work.
#[derive(Clone, Debug)]
pub struct Shown {
    pub(super) id: ClearanceId,
    pub(super) mark: u16,
    pub(super) expires_at: UnixSeconds,
    /// Whose pass it is.
    pub name: String,
    /// Devices that use it, this one included.
    pub devices: usize,
    /// Whether this one did not before.
    pub is_new: bool,
}

#[derive(Clone, Debug)]
struct Pass {
    name: String,
    site: String,
    /// Of the secret.
    digest: [u8; DIGEST_BYTES],
    expires_at: UnixSeconds,
    devices: Vec<Device>,
    slice: Slice,
}

/// All passes. A pass keeps its place: an entry of the table knows it by the place's number, counted from 1.
#[derive(Debug)]
pub struct Passes {
    places: Mutex<Places>,
    /// How many there are, for requests while there is none.
    count: AtomicUsize,
    /// Whether anything has changed since it was written.
    changed: AtomicBool,
    /// Held while the file is written, so that an older state never replaces a newer one.
    writing: Mutex<()>,
}

type Places = [Option<Pass>; PASSES_MAX];

impl Default for Passes {
    fn default() -> Self {
        Self {
            places: Mutex::new([const { None }; PASSES_MAX]),
            count: AtomicUsize::new(0),
            changed: AtomicBool::new(false),
            writing: Mutex::default(),
        }
    }
}

impl Passes {
    /// Adds a pass whose link has `secret`.
    pub(super) fn add(
        &self,
        name: &str,
        site: &str,
        secret: &[u8; PASS_SECRET_BYTES],
        hours: u32,
        now: UnixSeconds,
    ) -> Result<PassReport, PassError> {
        if !(1..=PASS_NAME_CHARS_MAX).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            return Err(PassError::Name);
        }
        if !(1..=PASS_HOURS_MAX).contains(&hours) {
            return Err(PassError::Hours);
        }
        let mut places = self.places();
        if places.iter().flatten().any(|pass| pass.name == name) {
            return Err(PassError::NameTaken);
        }
        let place = places.iter_mut().find(|place| place.is_none()).ok_or(PassError::TooMany)?;
        let pass = Pass {
            name: name.to_owned(),
            site: site.to_owned(),
            digest: Sha256::digest(secret).into(),
            expires_at: now.plus(hours * 3_600),
            devices: Vec::new(),
            slice: Slice::default(),
        };
        let report = pass.report();
        *place = Some(pass);
        self.have_changed(&places);
        Ok(report)
    }

    /// Takes the pass of this name back. Whether there was one.
    pub(super) fn revoke(&self, name: &str) -> bool {
        let mut places = self.places();
        let place = places.iter_mut().find(|place| place.as_ref().is_some_and(|pass| pass.name == name));
        let revoked = place.and_then(Option::take).is_some();
        if revoked {
            self.have_changed(&places);
        }
        revoked
    }

    /// All of them, by name.
    pub(super) fn report(&self) -> Vec<PassReport> {
        let mut reports: Vec<PassReport> = self.places().iter().flatten().map(Pass::report).collect();
        reports.sort_by(|one, other| one.name.cmp(&other.name));
        reports
    }

    /// Forgets those that have ended, once nothing is asked of their clearances any more.
    pub(super) fn forget_ended(&self, now: UnixSeconds) {
        if self.is_empty() {
            return;
        }
        let mut places = self.places();
        let mut forgot = false;
        for place in places.iter_mut() {
            forgot |= place.take_if(|pass| now >= pass.expires_at.plus(GRACE_SECONDS)).is_some();
        }
        if forgot {
            self.have_changed(&places);
        }
    }

    /// Whether there is none, without a lock.
    pub(super) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// A device shows a secret. It is one of the pass's devices already if it has one of their clearances; else it becomes
    /// one, known by `fresh`. Takes the same time whatever was shown.
    pub(super) fn show(
        &self,
        secret: &[u8; PASS_SECRET_BYTES],
        site: &str,
        held: &[ClearanceId],
        fresh: ClearanceId,
        now: UnixSeconds,
    ) -> Result<Shown, PassRefusal> {
        let digest: [u8; DIGEST_BYTES] = Sha256::digest(secret).into();
        let held: Vec<(ClearanceId, Device)> = held.iter().map(|id| (*id, device(*id))).collect();
        let mut places = self.places();
        let mut found = 0_u16;
        for (mark, place) in (1..).zip(places.iter()) {
            // An empty place is compared as well, and never found.
            let stored = place.as_ref().map_or(&[0; DIGEST_BYTES], |pass| &pass.digest);
            let is_it = stored.ct_eq(&digest) & Choice::from(u8::from(place.is_some()));
            found.conditional_assign(&mark, is_it);
        }
        let pass = of_mark_mut(&mut places, found).filter(|pass| pass.site == site && now < pass.expires_at);
        let pass = pass.ok_or(PassRefusal::Unknown)?;
        let known = held.iter().find(|(_, device)| pass.devices.contains(device)).map(|(id, _)| *id);
        if known.is_none() {
            if pass.devices.len() >= PASS_DEVICES_MAX {
                return Err(PassRefusal::TooManyDevices);
            }
            pass.devices.push(device(fresh));
            self.changed.store(true, Ordering::Relaxed);
        }
        Ok(Shown {
            id: known.unwrap_or(fresh),
            mark: found,
            expires_at: pass.expires_at,
            name: pass.name.clone(),
            devices: pass.devices.len(),
            is_new: known.is_none(),
        })
    }

    /// A device that was shown got no clearance after all.
    pub(super) fn give_up(&self, shown: &Shown) {
        if let Some(pass) = of_mark_mut(&mut self.places(), shown.mark).filter(|_| shown.is_new) {
            pass.devices.retain(|known| *known != device(shown.id));
            self.changed.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the clearance `id` is one of the pass with this mark, and that is still there.
    pub(super) fn has(&self, mark: u16, id: ClearanceId) -> bool {
        of_mark_mut(&mut self.places(), mark).is_some_and(|pass| pass.devices.contains(&device(id)))
    }

    /// How many passes of a site are in use.
    pub(super) fn in_use(&self, site: &str) -> usize {
        self.places().iter().flatten().filter(|pass| pass.site == site && !pass.devices.is_empty()).count()
    }

    /// Whether the slice of a pass, which fills by `rate` credits a second, has room for a request.
    pub(super) fn has_room(&self, mark: u16, cost: Credits, rate: f64, now: UnixSeconds) -> bool {
        of_mark_mut(&mut self.places(), mark).is_some_and(|pass| pass.slice.has_room(cost, rate, now))
    }

    /// Takes a request out of the slice of a pass, if there is room for it.
    pub(super) fn take(&self, mark: u16, cost: Credits, rate: f64, now: UnixSeconds) -> bool {
        of_mark_mut(&mut self.places(), mark).is_some_and(|pass| pass.slice.take(cost, rate, now))
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn have_changed(&self, places: &Places) {
        self.changed.store(true, Ordering::Relaxed);
        self.count(places);
    }

    fn count(&self, places: &Places) {
        self.count.store(places.iter().flatten().count(), Ordering::Relaxed);
    }
}

impl Pass {
    fn report(&self) -> PassReport {
        let (name, site) = (self.name.clone(), self.site.clone());
        PassReport { name, site, expires_at: self.expires_at, devices: self.devices.len() }
    }
}

fn of_mark_mut(places: &mut Places, mark: u16) -> Option<&mut Pass> {
    places.get_mut(usize::from(mark.checked_sub(1)?))?.as_mut()
}

fn device(id: ClearanceId) -> Device {
    let digest: [u8; DIGEST_BYTES] = Sha256::digest(id.0).into();
    std::array::from_fn(|place| digest[place])
}
