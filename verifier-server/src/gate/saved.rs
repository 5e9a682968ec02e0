//! The table across a clean stop: written once, read once, deleted as it is read.

use super::entry::ENTRY_BYTES;
use super::live::Live;
use super::table::{Inserted, LiveIds, SLOT_BYTES, Table};
use super::{Gate, Masters};
use crate::state_file;
use hmac::{Hmac, KeyInit, Mac};
use puzzle::{ClearanceId, Master, UnixSeconds};
use sha2::Sha256;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

const MAGIC: &[u8; 16] = b"portcullis-tab-2";
/// That of a table without tokens, which was written before there were any.
const MAGIC_WITHOUT_TOKENS: &[u8; 16] = b"portcullis-tab-1";
const FILE: &str = "table";
const MAC_BYTES: usize = 32;

/// Why a saved table was not used. The verifier then begins with an empty one.
#[derive(Debug, thiserror::Error)]
pub enum TableFileError {
    /// Reading, deleting or syncing failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Not a table of this version and secret, or cut short.
    #[error("it is damaged or was written under another secret")]
    Damaged,
}

/// A table read back.
pub struct SavedTable {
    /// Its live entries.
    pub table: Table,
    /// When it began.
    pub table_begins: UnixSeconds,
}

impl SavedTable {
    /// Takes the saved table out of `state_dir`: the file is deleted and the deletion synced before it is used, so
    /// that a crash never brings an older table back. `None` where there is none.
    ///
    /// # Errors
    /// See [`TableFileError`]. The file is gone in any case, unless it could not be deleted.
    pub fn take(
        state_dir: &Path,
        masters: &Masters,
        table_mib: u32,
        now: UnixSeconds,
    ) -> Result<Option<Self>, TableFileError> {
        let path = state_dir.join(FILE);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        fs::remove_file(&path)?;
        File::open(state_dir)?.sync_all()?;
        read(file, masters, table_mib, now).map(Some)
    }
}

fn read(file: File, masters: &Masters, table_mib: u32, now: UnixSeconds) -> Result<SavedTable, TableFileError> {
    let mut reader = BufReader::new(file);
    // Written under either master: the secret may have been changed while the verifier was down.
    let mut macs: Vec<_> = [Some(&masters.signing), masters.old.as_ref()].into_iter().flatten().map(mac).collect();
    let mut header = [0; 32];
    reader.read_exact(&mut header).map_err(|_| TableFileError::Damaged)?;
    for mac in &mut macs {
        mac.update(&header);
    }
    let [magic @ .., b0, b1, b2, b3, _, _, _, _, c0, c1, c2, c3, c4, c5, c6, c7] = header;
    if magic != *MAGIC && magic != *MAGIC_WITHOUT_TOKENS {
        return Err(TableFileError::Damaged);
    }
    let table_begins = UnixSeconds(u32::from_be_bytes([b0, b1, b2, b3]));
    let count = u64::from_be_bytes([c0, c1, c2, c3, c4, c5, c6, c7]);
    let table = Table::new(table_mib);
    let mut complete = true;
    for _ in 0..count {
        let mut record = [0; SLOT_BYTES];
        reader.read_exact(&mut record).map_err(|_| TableFileError::Damaged)?;
        for mac in &mut macs {
            mac.update(&record);
        }
        let mut id = [0; 16];
        let mut entry = [0; ENTRY_BYTES];
        id.copy_from_slice(&record[..16]);
        entry.copy_from_slice(&record[16..]);
        let live = Live::from_bytes(&entry);
        if now < live.forgotten_at() {
            let inserted = table.insert_if_absent(ClearanceId(id), now, || Ok::<_, ()>(live));
            complete &= matches!(inserted, Inserted::Fresh(_));
        }
    }
    let mut expected = [0; MAC_BYTES];
    reader.read_exact(&mut expected).map_err(|_| TableFileError::Damaged)?;
    if !macs.into_iter().any(|mac| mac.verify_slice(&expected).is_ok()) {
        return Err(TableFileError::Damaged);
    }
    // A smaller table than before cannot hold every replay mark: what it lost could be redeemed again.
    if complete { Ok(SavedTable { table, table_begins }) } else { Err(TableFileError::Damaged) }
}

impl Gate {
    /// Closes the table and writes the live entries to `state_dir`, under a name that [`SavedTable::take`] believes only when complete.
    ///
    /// # Errors
    /// Whatever writing, syncing or renaming reports; then nothing is left to be read.
    pub fn save_table(&self, state_dir: &Path, now: UnixSeconds) -> io::Result<u64> {
        self.table.close();
        let mut mac = mac(&self.secrets.load().masters.signing);
        let mut records = Vec::new();
        self.table.for_each_live(now, |id, live| {
            records.extend_from_slice(&id.0);
            records.extend_from_slice(&live.to_bytes());
        });
        let count = (records.len() / SLOT_BYTES) as u64;
        let mut header = [0; 32];
        header[..16].copy_from_slice(MAGIC);
        header[16..20].copy_from_slice(&self.table_begins.0.to_be_bytes());
        header[24..].copy_from_slice(&count.to_be_bytes());
        state_file::write(&state_dir.join(FILE), |writer| {
            for part in [header.as_slice(), &records] {
                mac.update(part);
                writer.write_all(part)?;
            }
            writer.write_all(&mac.finalize().into_bytes())
        })?;
        Ok(count)
    }
}

fn mac(master: &Master) -> Hmac<Sha256> {
    let mut block = [0; 64];
    block[..32].copy_from_slice(&master.0);
    let mut mac = Hmac::new(&block.into());
    mac.update(b"portcullis saved table");
    mac
}
