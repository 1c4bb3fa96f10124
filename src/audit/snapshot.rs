//! Snapshots, read by nothing but `docs/format.md`.

use std::io;
use std::path::{Path, PathBuf};

use super::finding::{Findings, Kind};
use super::frames::{u32_at, u64_at};
use super::journal::read;
use crate::command::{Policy, Window};
use crate::error::{Error, Result};
use crate::types::{Seq, TimeMs};
use crate::vfs::Vfs;
use crate::wire::Reader;

/// The shards, and the documents.
pub(super) const PARTS: usize = SHARDS + 1;
pub(super) const SHARDS: usize = 64;
const HEADER_BYTES: usize = 40;
const PART_HEADER_BYTES: usize = 24;
const NO_OWNER: u32 = u32::MAX;

/// A snapshot whose checksums hold.
pub(super) struct Snapshot {
    pub(super) path: PathBuf,
    bytes: Vec<u8>,
    /// By part: the last event it shows, and where its content is.
    parts: Vec<(Seq, usize, usize)>,
    pub(super) from_seq: Seq,
    pub(super) last_seq: Seq,
}

/// An account as a part has it.
#[derive(Clone, Debug)]
pub(super) struct AccountRow {
    pub(super) key: String,
    pub(super) policy: Policy,
    pub(super) available: i64,
    pub(super) reserved: u64,
    pub(super) consumed: u64,
    pub(super) received: u64,
    pub(super) written_off: u64,
    pub(super) deadlines: Vec<(TimeMs, u32)>,
    pub(super) renewals: Vec<(TimeMs, u64)>,
}

/// A pending reservation as a part has it.
#[derive(Clone, Debug)]
pub(super) struct PendingRow {
    pub(super) reservation: u64,
    pub(super) expires_at: TimeMs,
    pub(super) owner: Option<u32>,
    /// Account and quantity.
    pub(super) lines: Vec<(u32, u64)>,
}

/// The answer to a keyed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AnswerRow {
    pub(super) key: u128,
    pub(super) fingerprint: u64,
    pub(super) seq: Seq,
    /// What it did: a tag, and two numbers.
    pub(super) effect: (u8, u64, u64),
}

/// What one part shows.
pub(super) enum Part {
    Shard {
        accounts: Vec<AccountRow>,
        numbered: u64,
        pending: Vec<PendingRow>,
        answers: Vec<AnswerRow>,
    },
    /// Collection, key and body.
    Documents(Vec<(String, String, Vec<u8>)>),
}

/// The snapshots of a data directory, oldest first. Those that do not verify are findings.
///
/// # Errors
/// `Unavailable` when the directory cannot be read.
pub(super) fn read_all(vfs: &dyn Vfs, dir: &Path, findings: &mut Findings) -> Result<Vec<Snapshot>> {
    let dir = dir.join("checkpoint");
    let names = match vfs.list(&dir) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(format_args!("reading {}", dir.display()), error)),
    };
    let mut snapshots = Vec::new();
    for name in names.iter().filter(|name| name.starts_with("snapshot-") && name.ends_with(".bin")) {
        let path = dir.join(name);
        // One that a running engine removed meanwhile is not looked for: there is a newer one.
        let Some(bytes) = read(vfs, &path)? else { continue };
        match Snapshot::parse(&path, bytes) {
            Ok(snapshot) => snapshots.push(snapshot),
            Err((offset, what)) => findings.add_in(Kind::Checksum, &path, offset as u64, what),
        }
    }
    snapshots.sort_by_key(|snapshot| snapshot.last_seq);
    Ok(snapshots)
}

impl Snapshot {
    fn parse(path: &Path, bytes: Vec<u8>) -> Result<Self, (usize, &'static str)> {
        let header = bytes.get(..HEADER_BYTES).ok_or((0, "it ends inside its header"))?;
        if &header[..8] != b"STKHSNAP" {
            return Err((0, "it does not start like a snapshot"));
        }
        if u32_at(header, 36) != Some(crc32c::crc32c(&header[..36])) {
            return Err((0, "its header fails its checksum"));
        }
        if u32_at(header, 8) != Some(1) {
            return Err((8, "it is of an unknown version"));
        }
        let (from_seq, last_seq) =
            u64_at(header, 12).zip(u64_at(header, 20)).ok_or((0, "it ends inside its header"))?;
        let (mut parts, mut offset) = (Vec::with_capacity(PARTS), HEADER_BYTES);
        for number in 0..PARTS {
            let (shown, end) = part_at(&bytes, offset, number).ok_or((offset, "a part fails its checksum"))?;
            parts.push((shown, offset + PART_HEADER_BYTES, end));
            offset = end;
        }
        if offset != bytes.len() {
            return Err((offset, "there is more behind its last part"));
        }
        Ok(Self { path: path.to_owned(), bytes, parts, from_seq, last_seq })
    }

    /// The last event that a part shows.
    pub(super) fn shown(&self, part: usize) -> Seq {
        self.parts[part].0
    }

    /// What a part shows; `None` when it is malformed, though its checksum holds.
    pub(super) fn part(&self, part: usize) -> Option<Part> {
        let (_, start, end) = self.parts[part];
        let mut reader = Reader::new(self.bytes.get(start..end)?);
        let read = if part == SHARDS { read_documents(&mut reader)? } else { read_shard(&mut reader)? };
        reader.rest().is_empty().then_some(read)
    }
}

fn part_at(bytes: &[u8], offset: usize, number: usize) -> Option<(Seq, usize)> {
    let length = usize::try_from(u64_at(bytes, offset + 16)?).ok()?;
    let end = (offset + PART_HEADER_BYTES).checked_add(length)?;
    let whole = bytes.get(offset..end)?;
    let sum = crc32c::crc32c_append(crc32c::crc32c(&whole[..4]), &whole[8..]);
    let holds = u32_at(whole, 0)? as usize == number && u32_at(whole, 4)? == sum;
    holds.then_some((u64_at(whole, 8)?, end))
}

fn read_documents(reader: &mut Reader<'_>) -> Option<Part> {
    let mut documents = Vec::new();
    while !reader.rest().is_empty() {
        documents.push((text(reader)?, text(reader)?, field(reader)?.to_vec()));
    }
    Some(Part::Documents(documents))
}

fn read_shard(reader: &mut Reader<'_>) -> Option<Part> {
    // No room is made for what is only announced: every entry is read first.
    let (mut accounts, mut pending, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..reader.u64()? {
        accounts.push(read_account(reader)?);
    }
    let numbered = reader.u64()?;
    for _ in 0..reader.u64()? {
        let (reservation, expires_at) = (reader.u64()?, reader.u64()?);
        let owner = Some(reader.u32()?).filter(|owner| *owner != NO_OWNER);
        let mut lines = Vec::new();
        for _ in 0..reader.u8()? {
            lines.push((reader.u32()?, reader.u64()?));
        }
        pending.push(PendingRow { reservation, expires_at, owner, lines });
    }
    for _ in 0..reader.u64()? {
        let (key, fingerprint, seq) = (reader.u128()?, reader.u64()?, reader.u64()?);
        answers.push(AnswerRow { key, fingerprint, seq, effect: (reader.u8()?, reader.u64()?, reader.u64()?) });
    }
    Some(Part::Shard { accounts, numbered, pending, answers })
}

fn read_account(reader: &mut Reader<'_>) -> Option<AccountRow> {
    let key = text(reader)?;
    let (backorder, limit) = (reader.u64()?, reader.u64()?);
    let (tag, length_ms, offset_ms) = (reader.u64()?, reader.u64()?, reader.u64()?);
    let window = match tag {
        0 => Window::Never,
        1 if length_ms > 0 => Window::Fixed { length_ms, offset_ms },
        2 => Window::Rolling { length_ms },
        3 => Window::Outstanding,
        _ => return None,
    };
    let available = reader.u64()? as i64;
    let (reserved, consumed, received, written_off) = (reader.u64()?, reader.u64()?, reader.u64()?, reader.u64()?);
    let (mut deadlines, mut renewals) = (Vec::new(), Vec::new());
    for _ in 0..reader.u64()? {
        deadlines.push((reader.u64()?, reader.u32()?));
    }
    for _ in 0..reader.u64()? {
        renewals.push((reader.u64()?, reader.u64()?));
    }
    let policy = Policy { backorder, limit, window };
    Some(AccountRow { key, policy, available, reserved, consumed, received, written_off, deadlines, renewals })
}

fn field<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = reader.u32()? as usize;
    reader.bytes(length)
}

fn text(reader: &mut Reader<'_>) -> Option<String> {
    String::from_utf8(field(reader)?.to_vec()).ok()
}
