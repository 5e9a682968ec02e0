//! Passes over a stop: a small file in `state_dir`, written whenever one of them changes.

use super::super::Gate;
use super::{DEVICE_BYTES, DIGEST_BYTES, Device, PASS_DEVICES_MAX, PASSES_MAX, Pass, Slice};
use data_encoding::HEXLOWER;
use puzzle::UnixSeconds;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

const FILE: &str = "passes";
const UNFINISHED: &str = "passes.unfinished";
const VERSION: u32 = 1;
/// Bytes of a file that is read: far more than so many passes take.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Why the file was not used. Then there are no passes, and their clearances are refused.
#[derive(Debug, thiserror::Error)]
pub enum PassFileError {
    /// Reading failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Not a file of this version, or with passes that cannot be.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

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
    /// Reads what was kept in `state_dir`; `None` where nothing was.
    ///
    /// # Errors
    /// See [`PassFileError`].
    pub fn read(state_dir: &Path) -> Result<Option<Self>, PassFileError> {
        let file = match File::open(state_dir.join(FILE)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut text = String::new();
        file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
        let kept: Self = serde_json::from_str(&text).map_err(|error| PassFileError::Damaged(error.to_string()))?;
        if kept.version != VERSION {
            return Err(PassFileError::Damaged("it is of another version".to_owned()));
        }
        Ok(Some(kept))
    }

    fn write(&self, state_dir: &Path) -> io::Result<()> {
        let unfinished = state_dir.join(UNFINISHED);
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&unfinished, state_dir.join(FILE))?;
        File::open(state_dir)?.sync_all()
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
        let written = KeptPasses { version: VERSION, passes: passes.collect() }.write(state_dir);
        if written.is_err() {
            self.passes.changed.store(true, Ordering::Relaxed);
        }
        written
    }

    /// Takes over what was kept of passes, before anything is served.
    ///
    /// # Errors
    /// [`PassFileError::Damaged`]; then there are none.
    pub fn take_passes(&self, kept: &KeptPasses) -> Result<(), PassFileError> {
        let damaged = |what: &str| PassFileError::Damaged(what.to_owned());
        let mut places = [const { None }; PASSES_MAX];
        for kept in &kept.passes {
            let place = usize::from(kept.mark).checked_sub(1).and_then(|place| places.get_mut(place));
            let place = place.filter(|place| place.is_none()).ok_or_else(|| damaged("a mark cannot be"))?;
            *place = Some(kept.pass().ok_or_else(|| damaged("a pass cannot be"))?);
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
