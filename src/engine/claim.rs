//! Claims: named followers for whom the journal keeps what they have not seen, also while they are away.
//! The format of their files is in `docs/format.md`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::core::Core;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::Journal;
use crate::types::Seq;
use crate::vfs::{self, Vfs, read_start};
use crate::wire::Reader;

const MAGIC: [u8; 8] = *b"STKHCLAM";
const VERSION: u32 = 1;
const FILE_BYTES: usize = 40;
const NAME_BYTES_MAX: usize = 32;
/// More followers than anybody has; a directory with more is none of ours.
const CLAIMS_MAX: usize = 64;

/// The claims of an engine, by name.
pub(super) type Claims = BTreeMap<String, Record>;

/// What is kept of one claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Random, made with the claim.
    id: u128,
    /// The first event that is held; `None` when nothing is.
    from_seq: Option<Seq>,
}

/// The claim of a named follower: the journal keeps what the follower has not seen, across restarts and whether the
/// follower runs or not, until [`Claim::give_up`].
///
/// What a claim holds stays in whole segments, outside the archive. A follower bounds it by looking at
/// [`Claim::held_bytes`]; one that gave its claim up may still find what it misses in the archive.
pub struct Claim {
    core: Arc<Core>,
    name: String,
    id: u128,
}

impl Claim {
    pub(super) fn new(core: &Arc<Core>, name: &str) -> Result<Self> {
        check_name(name)?;
        let mut claims = core.claims.lock();
        let record = match claims.get(name) {
            Some(record) => *record,
            None if claims.len() >= CLAIMS_MAX => {
                return Err(Error::overloaded(format!("there are {CLAIMS_MAX} claims already")));
            }
            None => {
                let record = Record { id: random()?, from_seq: None };
                write(core, name, record)?;
                claims.insert(name.to_owned(), record);
                record
            }
        };
        Ok(Self { core: Arc::clone(core), name: name.to_owned(), id: record.id })
    }

    /// A random number made with the claim: it tells this ledger's follower from another ledger's.
    pub fn id(&self) -> u128 {
        self.id
    }

    /// The first event that is held; `None` when nothing is.
    pub fn from_seq(&self) -> Option<Seq> {
        self.core.claims.lock().get(&self.name).and_then(|record| record.from_seq)
    }

    /// Holds the events from `from_seq` on, and lets go of those before. Durable when it returns.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails; the claim is then as it was.
    pub fn hold_from(&self, from_seq: Seq) -> Result<()> {
        self.change(Some(from_seq))
    }

    /// Holds nothing any more. Durable when it returns; the claim keeps its [`Claim::id`].
    ///
    /// # Errors
    /// As [`Claim::hold_from`].
    pub fn give_up(&self) -> Result<()> {
        self.change(None)
    }

    /// How much of the journal is kept from the claim's first event on, in bytes of sealed segments.
    pub fn held_bytes(&self) -> u64 {
        self.from_seq().map_or(0, |from_seq| self.core.journal.sealed_bytes_from(from_seq))
    }

    fn change(&self, from_seq: Option<Seq>) -> Result<()> {
        let mut claims = self.core.claims.lock();
        let record = Record { id: self.id, from_seq };
        if claims.get(&self.name) == Some(&record) {
            return Ok(());
        }
        // First the file: a crash must not find a claim on events that were let go.
        write(&self.core, &self.name, record)?;
        pin(&self.core.journal, &self.name, record);
        claims.insert(self.name.clone(), record);
        Ok(())
    }
}

/// Reads the claims of a data directory and pins what they hold. One that is damaged is told of and holds nothing: its
/// follower finds that its identity is gone, and starts anew.
///
/// # Errors
/// `Unavailable` when the directory cannot be read.
pub(super) fn restore(vfs: &dyn Vfs, dir: &Path, journal: &Journal) -> Result<Claims> {
    let dir = directory(dir);
    let names = match vfs.list(&dir) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Claims::new()),
        Err(error) => return Err(Error::io(format_args!("reading {}", dir.display()), error)),
    };
    let mut claims = Claims::new();
    for name in names.iter().filter_map(|name| name.strip_suffix(".claim")).take(CLAIMS_MAX) {
        match read(vfs, &path(&dir, name)) {
            Ok(record) => {
                pin(journal, name, record);
                claims.insert(name.to_owned(), record);
            }
            Err(error) if error.kind() == ErrorKind::Corrupt => tracing::error!(%error, "a claim holds nothing"),
            Err(error) => return Err(error),
        }
    }
    Ok(claims)
}

/// The random number of a claim in a data directory that is looked at from outside; `None` when there is none.
///
/// # Errors
/// `Corrupt` when its file is damaged, `Unavailable` when it cannot be read.
pub(super) fn read_id(vfs: &dyn Vfs, dir: &Path, name: &str) -> Result<Option<u128>> {
    check_name(name)?;
    match read(vfs, &path(&directory(dir), name)) {
        Ok(record) => Ok(Some(record.id)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn pin(journal: &Journal, name: &str, record: Record) {
    let pin = format!("claim/{name}");
    match record.from_seq {
        Some(from_seq) => journal.set_pin(&pin, from_seq),
        None => journal.clear_pin(&pin),
    }
}

fn directory(dir: &Path) -> PathBuf {
    dir.join("claims")
}

fn path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.claim"))
}

fn check_name(name: &str) -> Result<()> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(allowed) {
        return Err(Error::invalid(format!("the name of a claim is 1 to {NAME_BYTES_MAX} of a-z 0-9 -")));
    }
    Ok(())
}

fn random() -> Result<u128> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|cause| Error::unavailable(format!("no random bytes: {cause}")))?;
    Ok(u128::from_le_bytes(bytes))
}

/// Written aside, synced and renamed, so that the file is always whole.
fn write(core: &Core, name: &str, record: Record) -> Result<()> {
    let dir = directory(&core.dir);
    let (aside, path) = (dir.join(format!("{name}.tmp")), path(&dir, name));
    let written = vfs::create_dir_all(&*core.vfs, &dir).and_then(|()| {
        let file = core.vfs.create(&aside)?;
        file.write_at(&encode(record), 0)?;
        file.sync()?;
        core.vfs.rename(&aside, &path)?;
        core.vfs.sync_dir(&dir)
    });
    written.map_err(|error| Error::io(format_args!("writing the claim {}", path.display()), error))
}

fn read(vfs: &dyn Vfs, path: &Path) -> Result<Record> {
    let bytes = vfs.open_read(path).and_then(|file| read_start(&*file, FILE_BYTES + 1));
    let bytes = bytes.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::not_found(format!("there is no claim {}", path.display())),
        _ => Error::io(format_args!("reading the claim {}", path.display()), error),
    })?;
    decode(&bytes).ok_or_else(|| Error::corrupt(format!("the claim {} is damaged", path.display())))
}

fn encode(record: Record) -> [u8; FILE_BYTES] {
    let mut bytes = [0; FILE_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..28].copy_from_slice(&record.id.to_le_bytes());
    bytes[28..36].copy_from_slice(&record.from_seq.unwrap_or(0).to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..36]);
    bytes[36..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Record> {
    let bytes: &[u8; FILE_BYTES] = bytes.try_into().ok()?;
    let mut reader = Reader::new(&bytes[8..]);
    let (version, id, from_seq, crc) = (reader.u32()?, reader.u128()?, reader.u64()?, reader.u32()?);
    let whole = bytes[..8] == MAGIC && version == VERSION && crc == crc32c::crc32c(&bytes[..36]);
    whole.then_some(Record { id, from_seq: (from_seq > 0).then_some(from_seq) })
}

#[cfg(all(test, not(stockhold_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_and_every_flipped_bit_shows() {
        for record in [Record { id: 7, from_seq: None }, Record { id: u128::MAX, from_seq: Some(9) }] {
            let bytes = encode(record);
            assert_eq!(decode(&bytes), Some(record));
            for bit in 0..FILE_BYTES * 8 {
                let mut bytes = bytes;
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(decode(&bytes), None, "bit {bit}");
            }
            assert_eq!(decode(&bytes[1..]), None, "a byte is missing");
        }
    }

    #[test]
    fn a_name_is_a_file_name() {
        for wrong in ["", "a/b", "..", "A", "a b", &"x".repeat(33)] {
            assert!(check_name(wrong).is_err(), "{wrong:?}");
        }
        assert!(check_name("mirror-2").is_ok());
    }
}
