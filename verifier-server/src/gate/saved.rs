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
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 16] = b"portcullis-tab-2";
/// That of a table without tokens, which was written before there were any.
const MAGIC_WITHOUT_TOKENS: &[u8; 16] = b"portcullis-tab-1";
/// What stands before the number in every version's.
const KIND: &[u8] = b"portcullis-tab-";
const VERSION: u32 = 2;
const FILE: &str = "table";
const MAC_BYTES: usize = 32;

/// Why a saved table was not used. The verifier then begins with an empty one.
#[derive(Debug, thiserror::Error)]
pub enum TableFileError {
    /// It cannot be taken away: a later start would find it again, and believe what has been spent since.
    #[error("the saved clearances cannot be taken out of {}: {reason}; delete that file, or make the folder writable", file.display())]
    Stays {
        /// Where it is.
        file: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// Written by another release. It is put aside under this name, where nothing reads it.
    #[error("it is of version {found}, and this program reads version {VERSION}. It is kept as {}", unread.display())]
    Version {
        /// What stands in it.
        found: String,
        /// Where it is now.
        unread: PathBuf,
    },
    /// Not a table under this secret, or cut short.
    #[error("it is damaged or was written under another secret")]
    Damaged,
    /// Written, or begun, at a time that has not come.
    #[error("it was written under a clock that was set back by more than {} h since", LEFT_BY_SECONDS_MAX / 3_600)]
    Ahead,
}

/// By so much the clock may have been set back since the table was written: ours then goes on from where it was.
pub const LEFT_BY_SECONDS_MAX: u32 = 2 * 86_400;

/// A table read back.
pub struct SavedTable {
    /// Its live entries.
    pub table: Table,
    /// When it began.
    pub table_begins: UnixSeconds,
    /// The latest second of the clock under which it was written, or this one.
    pub goes_on_at: UnixSeconds,
}

impl SavedTable {
    /// Takes the saved table out of `state_dir`: the file is deleted and the deletion synced before it is used, so
    /// that a crash never brings an older table back. `None` where there is none.
    ///
    /// # Errors
    /// See [`TableFileError`]. But for [`TableFileError::Stays`] nothing is left that could be read again.
    pub fn take(
        state_dir: &Path,
        masters: &Masters,
        table_mib: u32,
        now: UnixSeconds,
    ) -> Result<Option<Self>, TableFileError> {
        let path = state_dir.join(FILE);
        let stays = |reason| TableFileError::Stays { file: path.clone(), reason };
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(stays(error)),
        };
        let mut magic = Vec::new();
        // What cannot be read is no other version, and goes.
        let _ = Read::by_ref(&mut file).take(MAGIC.len() as u64).read_to_end(&mut magic);
        if let Some(found) = state_file::other_version(&magic, KIND, &[MAGIC, MAGIC_WITHOUT_TOKENS]) {
            return Err(TableFileError::Version { found, unread: state_file::set_aside(&path).map_err(stays)? });
        }
        fs::remove_file(&path).and_then(|()| File::open(state_dir)?.sync_all()).map_err(stays)?;
        file.rewind().map_err(|_| TableFileError::Damaged)?;
        read(file, masters, table_mib, now).map(Some)
    }
}

fn read(file: File, masters: &Masters, table_mib: u32, clock: UnixSeconds) -> Result<SavedTable, TableFileError> {
    let mut reader = BufReader::new(file);
    // Written under either master: the secret may have been changed while the verifier was down.
    let mut macs: Vec<_> = [Some(&masters.signing), masters.old.as_ref()].into_iter().flatten().map(mac).collect();
    let mut header = [0; 32];
    reader.read_exact(&mut header).map_err(|_| TableFileError::Damaged)?;
    for mac in &mut macs {
        mac.update(&header);
    }
    let [magic @ .., b0, b1, b2, b3, w0, w1, w2, w3, c0, c1, c2, c3, c4, c5, c6, c7] = header;
    if magic != *MAGIC && magic != *MAGIC_WITHOUT_TOKENS {
        return Err(TableFileError::Damaged);
    }
    let table_begins = UnixSeconds(u32::from_be_bytes([b0, b1, b2, b3]));
    let written_at = UnixSeconds(u32::from_be_bytes([w0, w1, w2, w3]));
    // The clock goes on from where that one was, if it is behind.
    let now = clock.max(written_at).max(table_begins);
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
    if now.since(clock) > LEFT_BY_SECONDS_MAX {
        return Err(TableFileError::Ahead);
    }
    // A smaller table than before cannot hold every replay mark: what it lost could be redeemed again.
    if complete { Ok(SavedTable { table, table_begins, goes_on_at: now }) } else { Err(TableFileError::Damaged) }
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
        header[16..20].copy_from_slice(&self.table_begins().0.to_be_bytes());
        header[20..24].copy_from_slice(&now.0.to_be_bytes());
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn one_that_cannot_be_opened_is_in_the_way_of_a_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let masters = Masters { signing: Master([1; 32]), old: None };
        let take = || SavedTable::take(folder.path(), &masters, 1, UnixSeconds(1_800_000_000));
        assert!(take().is_ok_and(|saved| saved.is_none()), "there is none");
        // It leads to itself: nobody can open it, whoever runs this.
        symlink(FILE, folder.path().join(FILE)).expect("a link");
        assert!(matches!(take(), Err(TableFileError::Stays { .. })));
    }
}
