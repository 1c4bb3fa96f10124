//! The files of claims, and what each holds. Their format is in `docs/format.md`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::belonging::lost;
use crate::base::Seq;
use crate::base::bytes::Reader;
use crate::base::error::{Error, ErrorKind, Result};
use crate::journal::Journal;
use crate::vfs::directory::{Directory, identity_of};
use crate::vfs::version::{Sealed, Versioned};
use crate::vfs::{self, Vfs, read_start};

const MAGIC: [u8; 8] = *b"STKHCLAM";
const VERSION: u32 = 2;

/// How a file says its version.
pub(crate) const VERSIONED: Versioned = Versioned {
    what: "a claim",
    magic: &MAGIC,
    version_bytes: 4,
    known: VERSION,
    sealed: Sealed::Whole,
};
/// Did not say in which directory it was made.
const VERSION_1: u32 = 1;
const FILE_BYTES: usize = 56;
/// Version 1 did not say of which directory it is.
const FILE_BYTES_1: usize = 40;
const NAME_BYTES_MAX: usize = 32;
/// More followers than any user has; a directory with more was not written by us.
pub(in crate::engine) const CLAIMS_MAX: usize = 64;

/// The claims of an engine, by name.
pub(in crate::engine) type Claims = BTreeMap<String, Record>;

/// What is kept of one claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Record {
    /// Random, made with the claim.
    pub(in crate::engine) id: u128,
    /// The first event that is held; `None` when nothing is.
    pub(in crate::engine) from_seq: Option<Seq>,
}

/// A record as its file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Filed {
    record: Record,
    /// The data directory that it was made in; `None` when an earlier release wrote it.
    directory: Option<u128>,
}

/// Reads the claims of a data directory. One that is damaged is told of and holds nothing, and one
/// that came with a copy of another directory goes: its follower follows the original. Either finds
/// that its identity is gone, and starts anew.
///
/// # Errors
/// `Unavailable` when the directory cannot be read or written.
pub(in crate::engine) fn restore(vfs: &dyn Vfs, directory: &Directory) -> Result<Claims> {
    let mut claims = Claims::new();
    for (name, filed) in read_all(vfs, directory.path())? {
        if !directory.owns(filed.directory) {
            tracing::warn!(
                name,
                "a claim came with the copy of another data directory; here it holds nothing"
            );
            remove(vfs, directory.path(), &name)?;
            continue;
        }
        if filed.directory.is_none() {
            write(vfs, directory, &name, filed.record)?;
        }
        claims.insert(name, filed.record);
    }
    Ok(claims)
}

/// Whether a claim is on events that the journal, which ends at `last_seq`, does not have.
///
/// # Errors
/// `Corrupt` when one of this directory is, which proves that acknowledged records are missing;
/// `Unavailable` when the directory cannot be read.
pub(in crate::engine) fn check_end(
    vfs: &dyn Vfs,
    directory: &Directory,
    last_seq: Seq,
) -> Result<()> {
    for (name, filed) in read_all(vfs, directory.path())? {
        match filed.record.from_seq {
            Some(from_seq) if from_seq > last_seq + 1 && directory.owns(filed.directory) => {
                return Err(lost(format_args!("the claim `{name}`"), from_seq - 1, last_seq));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The last event that a claim says was seen; 0 when none does.
///
/// # Errors
/// `Unavailable` when the directory cannot be read.
pub(in crate::engine) fn newest(vfs: &dyn Vfs, dir: &Path) -> Result<Seq> {
    let seen = |(_, filed): &(String, Filed)| filed.record.from_seq.unwrap_or(1) - 1;
    Ok(read_all(vfs, dir)?.iter().map(seen).max().unwrap_or(0))
}

/// Removes every claim.
///
/// # Errors
/// `Unavailable` when the disk fails.
pub(in crate::engine) fn remove_all(vfs: &dyn Vfs, dir: &Path) -> Result<()> {
    read_all(vfs, dir)?.iter().try_for_each(|(name, _)| remove(vfs, dir, name))
}

/// Every claim that reads. A damaged one is told of.
fn read_all(vfs: &dyn Vfs, dir: &Path) -> Result<Vec<(String, Filed)>> {
    let dir = claims_dir(dir);
    let names = match vfs.list(&dir) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(format_args!("reading {}", dir.display()), error)),
    };
    let mut found = Vec::new();
    for name in names.iter().filter_map(|name| name.strip_suffix(".claim")).take(CLAIMS_MAX) {
        match read(vfs, &path(&dir, name)) {
            Ok(filed) => found.push((name.to_owned(), filed)),
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::error!(%error, "a claim holds nothing")
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Pins what the claims hold.
pub(in crate::engine) fn pin_all(claims: &Claims, journal: &Journal) {
    claims.iter().for_each(|(name, record)| pin(journal, name, *record));
}

/// The random number of a claim in a data directory that is looked at from outside; `None` when
/// there is none, or it is that of the directory from which this one was copied.
///
/// # Errors
/// `Corrupt` when its file is damaged, `Unavailable` when it cannot be read.
pub(crate) fn read_id(vfs: &dyn Vfs, dir: &Path, name: &str) -> Result<Option<u128>> {
    check_name(name)?;
    match read(vfs, &path(&claims_dir(dir), name)) {
        Ok(Filed { record, directory: None }) => Ok(Some(record.id)),
        Ok(Filed { record, directory }) => {
            let here = identity_of(vfs, dir)?.map(|identity| identity.directory);
            Ok((here == directory).then_some(record.id))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Pins what a claim holds, or lets go of it when it holds nothing.
pub(in crate::engine) fn pin(journal: &Journal, name: &str, record: Record) {
    let pin = format!("claim/{name}");
    match record.from_seq {
        Some(from_seq) => journal.set_pin(&pin, from_seq),
        None => journal.clear_pin(&pin),
    }
}

fn claims_dir(dir: &Path) -> PathBuf {
    dir.join("claims")
}

fn path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.claim"))
}

/// # Errors
/// `Invalid` for a text that cannot be the name of a claim.
pub(in crate::engine) fn check_name(name: &str) -> Result<()> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(allowed) {
        return Err(Error::invalid(format!(
            "the name of a claim is 1 to {NAME_BYTES_MAX} of a-z 0-9 -"
        )));
    }
    Ok(())
}

/// Writes what a claim holds: aside, synced and renamed, so that the file is always whole.
///
/// # Errors
/// `Unavailable` when the disk fails.
pub(in crate::engine) fn write(
    vfs: &dyn Vfs,
    directory: &Directory,
    name: &str,
    record: Record,
) -> Result<()> {
    let dir = claims_dir(directory.path());
    let path = path(&dir, name);
    let filed = Filed { record, directory: Some(directory.identity().directory) };
    let written = vfs::write_whole(vfs, &dir, name, &path, &encode(filed));
    written.map_err(|error| Error::io(format_args!("writing the claim {}", path.display()), error))
}

fn remove(vfs: &dyn Vfs, dir: &Path, name: &str) -> Result<()> {
    let dir = claims_dir(dir);
    let path = path(&dir, name);
    let removed = vfs.remove(&path).and_then(|()| vfs.sync_dir(&dir));
    removed.map_err(|error| Error::io(format_args!("removing the claim {}", path.display()), error))
}

fn read(vfs: &dyn Vfs, path: &Path) -> Result<Filed> {
    let bytes = vfs.open_read(path).and_then(|file| read_start(&*file, FILE_BYTES + 1));
    let bytes = bytes.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            Error::not_found(format!("there is no claim {}", path.display()))
        }
        _ => Error::io(format_args!("reading the claim {}", path.display()), error),
    })?;
    decode(&bytes).ok_or_else(|| Error::corrupt(format!("the claim {} is damaged", path.display())))
}

fn encode(filed: Filed) -> Vec<u8> {
    let Filed { record, directory } = filed;
    let mut bytes = Vec::with_capacity(FILE_BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&if directory.is_some() { VERSION } else { VERSION_1 }.to_le_bytes());
    bytes.extend_from_slice(&record.id.to_le_bytes());
    bytes.extend_from_slice(&record.from_seq.unwrap_or(0).to_le_bytes());
    bytes.extend_from_slice(
        directory.map(u128::to_le_bytes).as_ref().map_or(&[], |directory| &directory[..]),
    );
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Filed> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*crc) || body.first_chunk() != Some(&MAGIC) {
        return None;
    }
    let mut reader = Reader::new(&body[MAGIC.len()..]);
    let (version, id, from_seq) = (reader.u32()?, reader.u128()?, reader.u64()?);
    let directory = match (version, bytes.len()) {
        (VERSION_1, FILE_BYTES_1) => None,
        (VERSION, FILE_BYTES) => Some(reader.u128()?),
        _ => return None,
    };
    Some(Filed { record: Record { id, from_seq: (from_seq > 0).then_some(from_seq) }, directory })
}

#[cfg(all(test, not(stockhold_loom)))]
mod tests {
    use super::*;
    use crate::base::golden;

    #[test]
    fn a_record_reads_back_and_every_flipped_bit_shows() {
        let records =
            [Record { id: 7, from_seq: None }, Record { id: u128::MAX, from_seq: Some(9) }];
        for (record, directory) in
            records.into_iter().flat_map(|record| [(record, None), (record, Some(8))])
        {
            let filed = Filed { record, directory };
            let bytes = encode(filed);
            assert_eq!(decode(&bytes), Some(filed));
            for (bit, bytes) in golden::flipped(&bytes) {
                assert_eq!(decode(&bytes), None, "bit {bit}");
            }
            assert_eq!(decode(&bytes[1..]), None, "a byte is missing");
        }
    }

    #[test]
    fn a_claim_is_written_and_read_as_ever() {
        let record = Record { id: 0x0102_0304, from_seq: Some(9) };
        for (directory, golden) in [
            (
                None,
                "53544b48434c414d01000000040302010000000000000000000000000900000000000000a4ac7cf1",
            ),
            (
                Some(0x0506_0708),
                "53544b48434c414d0200000004030201000000000000000000000000090000000000000008070605000000000000000000000000775f8e23",
            ),
        ] {
            let filed = Filed { record, directory };
            golden::check("a claim", &encode(filed), golden);
            assert_eq!(decode(&golden::bytes(golden)), Some(filed));
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
