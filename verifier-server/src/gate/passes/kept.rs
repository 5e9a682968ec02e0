//! Passes over a stop: a small file in `state_dir`, written whenever one of them changes.

use super::super::Gate;
use super::{DEVICE_BYTES, DIGEST_BYTES, Device, PASS_DEVICES_MAX, PASSES_MAX, Pass, Slice};
use crate::state_file::{self, StateFileError};
use data_encoding::HEXLOWER;
use puzzle::UnixSeconds;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

const FILE: &str = "passes";
const VERSION: u32 = 1;
/// Bytes of a file that is read: far more than so many passes take.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// What is kept of all passes: no secret, and nothing that could be used as one.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptPasses {
    version: u32,
    passes: Vec<KeptPass>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptPass {
    /// By which number entries of the table know it.
    mark: u16,
    name: String,
    site: String,
    secret_sha256: String,
    expires_at: u32,
    devices: Vec<String>,
}

impl KeptPasses {
    /// Where it is kept.
    #[must_use]
    pub fn file(state_dir: &Path) -> PathBuf {
        state_dir.join(FILE)
    }

    /// Reads what was kept in `state_dir`; `None` where nothing was.
    ///
    /// # Errors
    /// See [`StateFileError`]; then there are no passes, and their clearances are refused.
    pub fn read(state_dir: &Path) -> Result<Option<Self>, StateFileError> {
        state_file::read_json(&Self::file(state_dir), VERSION, FILE_BYTES_MAX)
    }
}

impl Gate {
    /// Whether a pass has changed since they were written last.
    #[must_use]
    pub fn passes_changed(&self) -> bool {
        self.passes.changed.load(Ordering::Relaxed)
    }

    /// Writes all passes to `state_dir`, whole or not at all, as they are at this moment.
    ///
    /// # Errors
    /// Whatever writing, syncing or renaming reports; the file before it then stays.
    pub fn keep_passes(&self, state_dir: &Path) -> io::Result<()> {
        let _writing = self.passes.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.passes.changed.store(false, Ordering::Relaxed);
        let places = self.passes.places().clone();
        let passes = (1..).zip(&places).filter_map(|(mark, place)| {
            let pass = place.as_ref()?;
            Some(KeptPass {
                mark,
                name: pass.name.clone(),
                site: pass.site.clone(),
                secret_sha256: HEXLOWER.encode(&pass.digest),
                expires_at: pass.expires_at.0,
                devices: pass.devices.iter().map(|device| HEXLOWER.encode(device)).collect(),
            })
        });
        let kept = KeptPasses { version: VERSION, passes: passes.collect() };
        let written = state_file::write_json(&KeptPasses::file(state_dir), &kept);
        if written.is_err() {
            self.passes.changed.store(true, Ordering::Relaxed);
        }
        written
    }

    /// Takes over what was kept of passes, before anything is served.
    ///
    /// # Errors
    /// [`StateFileError::Damaged`]; then there are none.
    pub fn take_passes(&self, kept: &KeptPasses) -> Result<(), StateFileError> {
        let mut places = [const { None }; PASSES_MAX];
        for kept in &kept.passes {
            let place = usize::from(kept.mark).checked_sub(1).and_then(|place| places.get_mut(place));
            let place =
                place.filter(|place| place.is_none()).ok_or_else(|| StateFileError::damaged("a mark cannot be"))?;
            *place = Some(kept.pass().ok_or_else(|| StateFileError::damaged("a pass cannot be"))?);
        }
        self.passes.count(&places);
        *self.passes.places() = places;
        Ok(())
    }
}

impl KeptPass {
    fn pass(&self) -> Option<Pass> {
        let devices: Option<Vec<Device>> = self.devices.iter().map(|text| bytes::<DEVICE_BYTES>(text)).collect();
        Some(Pass {
            name: self.name.clone(),
            site: self.site.clone(),
            digest: bytes::<DIGEST_BYTES>(&self.secret_sha256)?,
            expires_at: UnixSeconds(self.expires_at),
            devices: devices.filter(|devices| devices.len() <= PASS_DEVICES_MAX)?,
            slice: Slice::default(),
        })
    }
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}
