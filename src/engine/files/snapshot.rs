//! A snapshot of the ledger, flat and checksummed: how it is written aside, put in its place and
//! read. The format is in `docs/format.md`.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::bytes::Reader;
use crate::base::error::{Error, Result};
use crate::base::{Seq, TimeMs};
#[cfg(feature = "bin")]
use crate::event::Recorder;
#[cfg(feature = "bin")]
use crate::ledger::Ledger;
use crate::ledger::{LAYOUT_VERSION, Layout, PART_COUNT, Replay};
use crate::vfs::version::{Sealed, Versioned};
use crate::vfs::{self, Vfs, read_start};

const MAGIC: [u8; 8] = *b"STKHSNAP";
const HEADER_BYTES: usize = 40;
const PART_HEADER_BYTES: usize = 24;

/// How a file says its version.
pub(crate) const VERSIONED: Versioned = Versioned {
    what: "a snapshot",
    magic: &MAGIC,
    version_bytes: 4,
    known: LAYOUT_VERSION,
    sealed: Sealed::Head(HEADER_BYTES),
};

/// A snapshot in its place: the first event that recovery from it needs, and the last it shows.
#[derive(Debug)]
pub(in crate::engine) struct Generation {
    pub(in crate::engine) path: PathBuf,
    pub(in crate::engine) from_seq: Seq,
    pub(in crate::engine) last_seq: Seq,
}

/// A snapshot that was read and found whole.
pub(crate) struct Snapshot {
    bytes: Vec<u8>,
    parts: Vec<(Seq, std::ops::Range<usize>)>,
    version: u32,
    pub(crate) from_seq: Seq,
    pub(crate) last_seq: Seq,
    /// When it was taken.
    pub(crate) at: TimeMs,
}

impl Snapshot {
    /// Loads every part into the still empty ledger.
    ///
    /// # Errors
    /// `Corrupt` when a part is malformed although its checksum is right.
    pub(crate) fn load(&self, replay: &mut Replay<'_>) -> Result<()> {
        for (part, (shown, range)) in self.parts.iter().enumerate() {
            let layout = Layout { version: self.version, taken_at: self.at };
            replay.load(layout, part, *shown, &self.bytes[range.clone()])?;
        }
        Ok(())
    }
}

#[cfg(feature = "bin")]
impl Snapshot {
    /// What its file holds.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The snapshot in the copy of its file.
///
/// # Errors
/// `Corrupt` when it is not whole.
#[cfg(feature = "bin")]
pub(crate) fn verify(bytes: Vec<u8>) -> Result<Snapshot> {
    parse(bytes).map_err(|(offset, what)| Error::corrupt(format!("at byte {offset}, {what}")))
}

/// Puts the copy of a snapshot's file into the data directory `dir`. Durable on return.
///
/// # Errors
/// `Corrupt` when it is not whole, `Unavailable` when the disk fails.
#[cfg(feature = "bin")]
pub(crate) fn put_copy(vfs: &dyn Vfs, dir: &Path, bytes: Vec<u8>) -> Result<()> {
    let snapshot = verify(bytes)?;
    let (dir, name) = (directory(dir), file_name(snapshot.last_seq));
    let path = dir.join(&name);
    vfs::write_whole(vfs, &dir, &name, &path, &snapshot.bytes)
        .map_err(|error| writing(&path, error))
}

/// Where the snapshots of a data directory are.
pub(in crate::engine) fn directory(dir: &Path) -> PathBuf {
    dir.join("checkpoint")
}

fn file_name(last_seq: Seq) -> String {
    format!("snapshot-{last_seq:020}.bin")
}

fn is_snapshot(name: &str) -> bool {
    name.starts_with("snapshot-") && name.ends_with(".bin")
}

/// Writes the snapshot of a ledger that nobody changes, which shows everything up to what
/// `recorder` says was last. Returns its file.
///
/// # Errors
/// `Unavailable` when the disk fails; the snapshots before it still hold.
#[cfg(feature = "bin")]
pub(crate) fn write_of(
    vfs: &dyn Vfs,
    dir: &Path,
    ledger: &Ledger,
    recorder: &impl Recorder,
    at: TimeMs,
) -> Result<PathBuf> {
    let dir = directory(dir);
    vfs::create_dir_all(vfs, &dir)
        .map_err(|error| Error::io(format_args!("creating {}", dir.display()), error))?;
    let aside =
        write_aside(vfs, &dir, at, &mut |part, bytes| ledger.capture(part, recorder, bytes))?;
    Ok(aside.put_in_place(vfs, &dir)?.path)
}

/// A snapshot that is whole and synced, and does not have its name yet.
pub(in crate::engine) struct Aside {
    path: PathBuf,
    /// The last event that every part shows, and the last that any does.
    pub(in crate::engine) first: Seq,
    pub(in crate::engine) last: Seq,
}

impl Aside {
    /// Gives it its name.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails.
    pub(in crate::engine) fn put_in_place(self, vfs: &dyn Vfs, dir: &Path) -> Result<Generation> {
        let path = dir.join(file_name(self.last));
        let renamed = vfs.rename(&self.path, &path).and_then(|()| vfs.sync_dir(dir));
        renamed.map_err(|error| writing(&self.path, error))?;
        Ok(Generation { path, from_seq: self.first + 1, last_seq: self.last })
    }
}

/// Writes what `capture` appends for each part, and the last event that the part shows.
///
/// # Errors
/// `Unavailable` when the disk fails.
pub(in crate::engine) fn write_aside(
    vfs: &dyn Vfs,
    dir: &Path,
    at: TimeMs,
    capture: &mut dyn FnMut(usize, &mut Vec<u8>) -> Seq,
) -> Result<Aside> {
    let path = dir.join("snapshot.tmp");
    let failed = |error| writing(&path, error);
    let file = vfs.create(&path).map_err(failed)?;
    let (mut first, mut last) = (Seq::MAX, 0);
    let mut offset = HEADER_BYTES as u64;
    let mut bytes = Vec::new();
    for part in 0..PART_COUNT {
        bytes.clear();
        bytes.resize(PART_HEADER_BYTES, 0);
        let shown = capture(part, &mut bytes);
        seal_part(&mut bytes, part, shown);
        file.write_at(&bytes, offset).map_err(failed)?;
        offset += bytes.len() as u64;
        (first, last) = (first.min(shown), last.max(shown));
    }
    file.write_at(&header(first + 1, last, at), 0).map_err(failed)?;
    file.sync().map_err(failed)?;
    drop(file);
    Ok(Aside { path, first, last })
}

fn writing(path: &Path, error: io::Error) -> Error {
    Error::io(format_args!("writing the snapshot {}", path.display()), error)
}

fn seal_part(bytes: &mut [u8], part: usize, shown: Seq) {
    let length = (bytes.len() - PART_HEADER_BYTES) as u64;
    bytes[..4].copy_from_slice(&(part as u32).to_le_bytes());
    bytes[8..16].copy_from_slice(&shown.to_le_bytes());
    bytes[16..24].copy_from_slice(&length.to_le_bytes());
    let crc = part_crc(bytes);
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
}

/// Over everything of a part but the checksum itself.
fn part_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..4]), &bytes[8..])
}

fn header(from_seq: Seq, last_seq: Seq, at: TimeMs) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&LAYOUT_VERSION.to_le_bytes());
    bytes[12..20].copy_from_slice(&from_seq.to_le_bytes());
    bytes[20..28].copy_from_slice(&last_seq.to_le_bytes());
    bytes[28..36].copy_from_slice(&at.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..36]);
    bytes[36..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// The snapshots in the data directory, whole or not, newest first; none when there is no directory
/// for them.
///
/// # Errors
/// `Unavailable` when the directory cannot be read.
pub(crate) fn list(vfs: &dyn Vfs, dir: &Path) -> Result<Vec<PathBuf>> {
    let dir = directory(dir);
    let names = match vfs.list(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        names => {
            names.map_err(|error| Error::io(format_args!("reading {}", dir.display()), error))?
        }
    };
    // Zero-padded numbers: the order of the names is the order of the events.
    Ok(names.iter().rev().filter(|name| is_snapshot(name)).map(|name| dir.join(name)).collect())
}

/// Renames a snapshot so that it is no longer found as one; returns the new name.
///
/// # Errors
/// `Unavailable` when the disk fails.
pub(in crate::engine) fn set_aside(vfs: &dyn Vfs, path: &Path) -> Result<PathBuf> {
    let aside = path.with_extension("bin.set-aside");
    let renamed = vfs.rename(path, &aside).and_then(|()| vfs.sync_dir(&vfs::parent(path)));
    renamed.map_err(|error| Error::io(format_args!("setting {} aside", path.display()), error))?;
    Ok(aside)
}

/// Reads a snapshot and checks that it is whole.
///
/// # Errors
/// `Corrupt` naming file and offset when it is not, `NotFound` when it is gone, `Unavailable` when
/// it cannot be read.
pub(crate) fn read(vfs: &dyn Vfs, path: &Path) -> Result<Snapshot> {
    parse(read_bytes(vfs, path, usize::MAX)?).map_err(|(offset, what)| damaged(path, offset, what))
}

/// Reads the header of a snapshot that is known to be whole.
///
/// # Errors
/// As [`read`].
#[cfg(any(all(test, not(stockhold_loom)), feature = "bin"))]
pub(in crate::engine) fn read_header(vfs: &dyn Vfs, path: PathBuf) -> Result<Generation> {
    let head = parse_head(&read_bytes(vfs, &path, HEADER_BYTES)?);
    let Head { from_seq, last_seq, .. } =
        head.map_err(|(offset, what)| damaged(&path, offset, what))?;
    Ok(Generation { path, from_seq, last_seq })
}

fn read_bytes(vfs: &dyn Vfs, path: &Path, limit: usize) -> Result<Vec<u8>> {
    let bytes = vfs.open_read(path).and_then(|file| read_start(&*file, limit));
    bytes.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            Error::not_found(format!("the snapshot {} is gone", path.display()))
        }
        _ => Error::io(format_args!("reading the snapshot {}", path.display()), error),
    })
}

fn damaged(path: &Path, offset: usize, what: &str) -> Error {
    let path = path.display();
    Error::corrupt(format!("the snapshot {path} is damaged at byte {offset}: {what}"))
}

pub(in crate::engine) fn parse(
    bytes: Vec<u8>,
) -> std::result::Result<Snapshot, (usize, &'static str)> {
    let Head { version, from_seq, last_seq, at } = parse_head(&bytes)?;
    let mut offset = HEADER_BYTES;
    let mut parts = Vec::with_capacity(PART_COUNT);
    for part in 0..PART_COUNT {
        let (shown, end) =
            check_part(&bytes, offset, part).ok_or((offset, "a part does not verify"))?;
        parts.push((shown, offset + PART_HEADER_BYTES..end));
        offset = end;
    }
    if offset != bytes.len() {
        return Err((offset, "there is more than the parts"));
    }
    Ok(Snapshot { bytes, parts, version, from_seq, last_seq, at })
}

/// What the header of a snapshot says.
struct Head {
    version: u32,
    from_seq: Seq,
    last_seq: Seq,
    at: TimeMs,
}

fn parse_head(bytes: &[u8]) -> std::result::Result<Head, (usize, &'static str)> {
    let head: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or((0, "it is too short"))?;
    let mut reader = Reader::new(&head[8..]);
    let numbers =
        (|| Some((reader.u32()?, reader.u64()?, reader.u64()?, reader.u64()?, reader.u32()?)))();
    let (version, from_seq, last_seq, at, crc) = numbers.ok_or((0, "it is too short"))?;
    if head[..8] != MAGIC || crc != crc32c::crc32c(&head[..36]) {
        return Err((0, "its header does not verify"));
    }
    if !(1..=LAYOUT_VERSION).contains(&version) {
        return Err((8, "it is of another version"));
    }
    Ok(Head { version, from_seq, last_seq, at })
}

/// The last event that the part at `offset` shows, and where the part ends.
fn check_part(bytes: &[u8], offset: usize, part: usize) -> Option<(Seq, usize)> {
    let mut reader = Reader::new(bytes.get(offset..)?);
    let (number, crc, shown, length) = (reader.u32()?, reader.u32()?, reader.u64()?, reader.u64()?);
    let end = (offset + PART_HEADER_BYTES).checked_add(usize::try_from(length).ok()?)?;
    let whole = bytes.get(offset..end)?;
    (number as usize == part && crc == part_crc(whole)).then_some((shown, end))
}

#[cfg(all(test, not(stockhold_loom)))]
mod tests {
    use super::*;
    use crate::base::golden;

    #[test]
    fn the_headers_are_written_and_read_as_ever() {
        golden::check(
            "a snapshot's header",
            &header(3, 9, 0x0102_0304),
            "53544b48534e415002000000030000000000000009000000000000000403020100000000e834ddf5",
        );
        let mut part = [&[0; PART_HEADER_BYTES][..], b"content"].concat();
        seal_part(&mut part, 5, 8);
        golden::check(
            "a part",
            &part,
            "05000000ddf0f28c08000000000000000700000000000000636f6e74656e74",
        );
        assert_eq!(check_part(&part, 0, 5), Some((8, part.len())));
        // 65 empty parts are a snapshot as far as its envelope goes.
        let mut bytes = golden::bytes(
            "53544b48534e415002000000030000000000000009000000000000000403020100000000e834ddf5",
        );
        for number in 0..PART_COUNT {
            let mut part = [0; PART_HEADER_BYTES];
            seal_part(&mut part, number, 9);
            bytes.extend_from_slice(&part);
        }
        let read = parse(bytes).map_err(|(_, what)| what).expect("golden bytes are read");
        assert_eq!((read.version, read.from_seq, read.last_seq, read.at), (2, 3, 9, 0x0102_0304));
    }
}
