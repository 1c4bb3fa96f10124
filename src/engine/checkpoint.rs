//! The checkpoint: a flat, checksummed snapshot of the ledger, two generations of it. The format is
//! in `docs/format.md`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_utils::sync::Parker;

use super::core::Core;
use crate::base::bytes::Reader;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::{Seq, TimeMs};
#[cfg(feature = "bin")]
use crate::event::Recorder;
#[cfg(feature = "bin")]
use crate::ledger::Ledger;
use crate::ledger::{LAYOUT_VERSION, Layout, PART_COUNT, Replay};
use crate::vfs::{self, Vfs, read_start};

const MAGIC: [u8; 8] = *b"STKHSNAP";
const HEADER_BYTES: usize = 40;
const PART_HEADER_BYTES: usize = 24;

/// How often the thread looks whether a checkpoint is due.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The longest pause after one that failed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// The snapshots that are kept, oldest first: the first event that recovery from each needs, and
/// the last it shows.
#[derive(Debug, Default)]
pub(super) struct Generations(Vec<Generation>);

#[derive(Debug)]
struct Generation {
    path: PathBuf,
    from_seq: Seq,
    last_seq: Seq,
}

impl Generations {
    /// How many snapshots are kept: should the newest be damaged, the one before it and the journal
    /// still have it all.
    const COUNT: usize = 2;

    /// The last event that the newest snapshot shows; 0 when there is none.
    pub(super) fn newest(&self) -> Seq {
        self.0.last().map_or(0, |generation| generation.last_seq)
    }

    /// The first event that the oldest snapshot needs. Until there are two, the journal is kept
    /// from the start.
    pub(super) fn needed_from(&self) -> Seq {
        if self.0.len() < Self::COUNT { 1 } else { self.0[0].from_seq }
    }
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

fn directory(dir: &Path) -> PathBuf {
    dir.join("checkpoint")
}

fn file_name(last_seq: Seq) -> String {
    format!("snapshot-{last_seq:020}.bin")
}

fn is_snapshot(name: &str) -> bool {
    name.starts_with("snapshot-") && name.ends_with(".bin")
}

/// Writes a checkpoint. Returns the event up to which it is complete.
///
/// # Errors
/// `Unavailable` when the disk fails; the snapshots before it still hold.
pub(super) fn write(core: &Core) -> Result<Seq> {
    write_with(core, &mut |_| {})
}

/// Writes a checkpoint, and calls `between` before each part is captured: commands go on meanwhile.
///
/// # Errors
/// As [`write()`].
pub(super) fn write_with(core: &Core, between: &mut dyn FnMut(usize)) -> Result<Seq> {
    let written = try_write(core, between);
    match &written {
        Ok(_) => core.checkpoint_failures.store(0, Ordering::SeqCst),
        Err(error) if error.kind() == ErrorKind::Closed => {}
        // Wrapping takes longer than any machine lives.
        Err(_) => drop(core.checkpoint_failures.fetch_add(1, Ordering::SeqCst)),
    }
    written
}

fn try_write(core: &Core, between: &mut dyn FnMut(usize)) -> Result<Seq> {
    let mut generations = core.generations.lock();
    let _hold = core.directory.hold()?;
    let (vfs, dir) = (&*core.vfs, directory(core.directory.path()));
    let aside = write_aside(vfs, &dir, core.now_ms(), &mut |part, bytes| {
        between(part);
        core.ledger.capture(part, &core.recorder(), bytes)
    })?;
    // A snapshot may not show what a crash could still take back.
    if aside.last > 0 {
        core.journal.wait(aside.last)?;
    }
    let first = aside.first;
    publish(core, &mut generations, aside.put_in_place(vfs, &dir)?);
    Ok(first)
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
struct Aside {
    path: PathBuf,
    /// The last event that every part shows, and the last that any does.
    first: Seq,
    last: Seq,
}

impl Aside {
    fn put_in_place(self, vfs: &dyn Vfs, dir: &Path) -> Result<Generation> {
        let path = dir.join(file_name(self.last));
        let renamed = vfs.rename(&self.path, &path).and_then(|()| vfs.sync_dir(dir));
        renamed.map_err(|error| writing(&self.path, error))?;
        Ok(Generation { path, from_seq: self.first + 1, last_seq: self.last })
    }
}

/// Writes what `capture` appends for each part, and the last event that the part shows.
fn write_aside(
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

/// Counts the new snapshot and lets go of the oldest one and of the journal that only it needed.
fn publish(core: &Core, generations: &mut Generations, generation: Generation) {
    generations.0.retain(|kept| kept.path != generation.path);
    core.checkpointed.store(generation.last_seq, Ordering::SeqCst);
    core.checkpointed_at_ms.store(core.now_ms(), Ordering::Relaxed);
    generations.0.push(generation);
    while generations.0.len() > Generations::COUNT {
        let oldest = generations.0.remove(0);
        if let Err(error) = core.vfs.remove(&oldest.path) {
            tracing::warn!(%error, path = %oldest.path.display(), "removing an old snapshot");
        }
    }
    core.journal.set_pin("checkpoint", generations.needed_from());
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

/// The newest snapshot that is whole, and what is kept. A damaged one is left where it is and told
/// of; the one before it serves if the journal still reaches back to it.
///
/// # Errors
/// `Unavailable` when the directory cannot be read.
pub(super) fn read_newest(vfs: &dyn Vfs, dir: &Path) -> Result<(Option<Snapshot>, Generations)> {
    let checkpoints = directory(dir);
    let creating = |error| Error::io(format_args!("creating {}", checkpoints.display()), error);
    vfs::create_dir_all(vfs, &checkpoints).map_err(creating)?;
    let mut generations = Generations::default();
    let (mut newest, mut unreadable) = (None, None);
    for path in list(vfs, dir)? {
        match read(vfs, &path) {
            Ok(snapshot) => {
                let (from_seq, last_seq) = (snapshot.from_seq, snapshot.last_seq);
                generations.0.insert(0, Generation { path, from_seq, last_seq });
                newest.get_or_insert(snapshot);
            }
            Err(error) => {
                tracing::error!(%error, "a snapshot cannot be used");
                unreadable = unreadable
                    .or(Some(error).filter(|error| error.kind() == ErrorKind::Unavailable));
            }
        }
    }
    // Without any, the journal would be needed from its start. That it is not there would be no
    // damage, but the doing of checkpoints that cannot be read just now.
    if let Some(error) = unreadable.filter(|_| newest.is_none()) {
        return Err(error);
    }
    Ok((newest, generations))
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

/// Gives a snapshot a name under which nobody looks for one; answers it.
///
/// # Errors
/// `Unavailable` when the disk fails.
pub(super) fn set_aside(vfs: &dyn Vfs, path: &Path) -> Result<PathBuf> {
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
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            Error::not_found(format!("the snapshot {} is gone", path.display()))
        }
        _ => Error::io(format_args!("reading the snapshot {}", path.display()), error),
    };
    let file = vfs.open_read(path).map_err(failed)?;
    let bytes = read_start(&*file, usize::MAX).map_err(failed)?;
    parse(bytes).map_err(|(offset, what)| {
        Error::corrupt(format!(
            "the snapshot {} is damaged at byte {offset}: {what}",
            path.display()
        ))
    })
}

pub(super) fn parse(bytes: Vec<u8>) -> std::result::Result<Snapshot, (usize, &'static str)> {
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

/// The last event that the part at `offset` shows, and where the part ends.
fn check_part(bytes: &[u8], offset: usize, part: usize) -> Option<(Seq, usize)> {
    let mut reader = Reader::new(bytes.get(offset..)?);
    let (number, crc, shown, length) = (reader.u32()?, reader.u32()?, reader.u64()?, reader.u64()?);
    let end = (offset + PART_HEADER_BYTES).checked_add(usize::try_from(length).ok()?)?;
    let whole = bytes.get(offset..end)?;
    (number as usize == part && crc == part_crc(whole)).then_some((shown, end))
}

/// Writes a checkpoint whenever enough has happened since the last one. One that fails is tried
/// again, after pauses that double: what kept it from being written passes, as a full disk does,
/// and until then the journal grows.
pub(super) fn run(core: &Arc<Core>, parker: &Parker) {
    let mut pause = LOOK_EVERY;
    while !core.is_stopped() {
        parker.park_timeout(pause);
        pause = LOOK_EVERY;
        let since =
            core.journal.durable_seq().saturating_sub(core.checkpointed.load(Ordering::SeqCst));
        if core.is_stopped() || since < core.checkpoint_events {
            continue;
        }
        if let Err(error) = write(core) {
            if error.kind() == ErrorKind::Closed || core.journal.status().poisoned {
                return;
            }
            pause = retry_after(core.checkpoint_failures.load(Ordering::SeqCst));
            tracing::error!(%error, ?pause, "a checkpoint failed and is tried again; the one before it still holds");
        }
    }
}

/// How long to wait after so many failures in a row.
fn retry_after(failures: u32) -> Duration {
    LOOK_EVERY.saturating_mul(1 << failures.min(16)).min(RETRY_AFTER_MAX)
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
