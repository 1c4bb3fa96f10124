//! Snapshots, read by nothing but `docs/format.md`.

use std::io;
use std::path::{Path, PathBuf};

use super::finding::{Findings, Kind};
use super::frames::{u32_at, u64_at};
use super::journal::read;
use crate::base::bytes::Reader;
use crate::base::error::{Error, Result};
use crate::base::{Seq, TimeMs};
use crate::event::{Policy, Window};
use crate::vfs::Vfs;

/// The shards, and the documents.
pub(super) const PARTS: usize = SHARDS + 1;
pub(super) const SHARDS: usize = 64;
const HEADER_BYTES: usize = 40;
const PART_HEADER_BYTES: usize = 24;
const NO_OWNER: u32 = u32::MAX;
/// Added to the number of a window where the account is closed.
const CLOSED: u64 = 256;
/// Added to the same where somebody waited for its units, now or before.
const QUEUED: u64 = 512;
/// Added to the same where somebody was served in its line.
const SERVED: u64 = 1024;
/// How many who were served are remembered.
pub(super) const SERVED_MAX: usize = 16;
/// How much later than a snapshot was begun its last part may have been taken, in milliseconds.
const CAPTURE_MS_MAX: u64 = 60_000;
/// By how much times of concurrent commands may be out of order: version 1 counted a use with the
/// newest one then.
const DISORDER_MS: u64 = 1_000;

/// A snapshot whose checksums hold.
pub(super) struct Snapshot {
    pub(super) path: PathBuf,
    bytes: Vec<u8>,
    /// By part: the last event it shows, and where its content is.
    parts: Vec<(Seq, usize, usize)>,
    version: u32,
    /// When it was taken.
    pub(super) taken_at: TimeMs,
    pub(super) from_seq: Seq,
    pub(super) last_seq: Seq,
}

/// Units consumed at some time from `from` to `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) from: TimeMs,
    pub(super) at: TimeMs,
    pub(super) quantity: i128,
}

/// Those who wait for an account's units, the first first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// How many places were ever given out.
    pub(super) given: u64,
    pub(super) places: Vec<Place>,
    /// When those were served who were last, the oldest first.
    pub(super) served: Vec<TimeMs>,
}

/// A place in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) place: u64,
    pub(super) owner: u32,
    pub(super) since: TimeMs,
    pub(super) body: Vec<u8>,
}

/// An account as a part has it.
#[derive(Clone, Debug)]
pub(super) struct AccountRow {
    pub(super) key: String,
    pub(super) policy: Policy,
    pub(super) closed: bool,
    pub(super) available: i64,
    pub(super) reserved: u64,
    pub(super) consumed: u64,
    pub(super) received: u64,
    pub(super) written_off: u64,
    pub(super) deadlines: Vec<(TimeMs, u32)>,
    pub(super) owed: u64,
    pub(super) forgotten_before: TimeMs,
    pub(super) uses: Vec<Use>,
    pub(super) line: Option<Line>,
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

/// The tag of the answer to commands that happened together.
pub(super) const ATOMIC: u8 = 12;
/// The tag of an answer whose bytes follow.
pub(super) const ANSWERED: u8 = 14;

/// What a keyed request did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EffectRow {
    /// A tag, and two numbers.
    pub(super) effect: (u8, u64, u64),
    /// The units of the reservation's first line; 0 where that is not known. Of a transfer, what is
    /// available where they went.
    pub(super) units: u64,
}

/// The answer to a keyed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AnswerRow {
    pub(super) key: u128,
    pub(super) fingerprint: u64,
    pub(super) seq: Seq,
    /// Whose it is, and until when it is kept; `None` in version 1, which promised nothing.
    pub(super) kept: Option<(u64, TimeMs)>,
    pub(super) did: EffectRow,
    /// Of commands that happened together, what each did.
    pub(super) parts: Vec<EffectRow>,
    /// What was told, where that was kept in so many words.
    pub(super) told: Vec<u8>,
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
pub(super) fn read_all(
    vfs: &dyn Vfs,
    dir: &Path,
    findings: &mut Findings,
) -> Result<Vec<Snapshot>> {
    let dir = dir.join("checkpoint");
    let names = match vfs.list(&dir) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(format_args!("reading {}", dir.display()), error)),
    };
    let mut snapshots = Vec::new();
    for name in names.iter().filter(|name| name.starts_with("snapshot-") && name.ends_with(".bin"))
    {
        let path = dir.join(name);
        // One that a running engine removed meanwhile is not looked for: there is a newer one.
        let Some(bytes) = read(vfs, &path)? else {
            continue;
        };
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
        let version = u32_at(header, 8).filter(|version| (1..=2).contains(version));
        let version = version.ok_or((8, "it is of an unknown version"))?;
        let number = |at| u64_at(header, at).ok_or((0, "it ends inside its header"));
        let (from_seq, last_seq, taken_at) = (number(12)?, number(20)?, number(28)?);
        let (mut parts, mut offset) = (Vec::with_capacity(PARTS), HEADER_BYTES);
        for number in 0..PARTS {
            let (shown, end) =
                part_at(&bytes, offset, number).ok_or((offset, "a part fails its checksum"))?;
            parts.push((shown, offset + PART_HEADER_BYTES, end));
            offset = end;
        }
        if offset != bytes.len() {
            return Err((offset, "there is more behind its last part"));
        }
        Ok(Self { path: path.to_owned(), bytes, parts, version, taken_at, from_seq, last_seq })
    }

    /// The last event that a part shows.
    pub(super) fn shown(&self, part: usize) -> Seq {
        self.parts[part].0
    }

    /// Whether it says for how long answers are kept.
    pub(super) fn promises(&self) -> bool {
        self.version >= 2
    }

    /// What a part shows; `None` when it is malformed, though its checksum holds.
    pub(super) fn part(&self, part: usize) -> Option<Part> {
        let (_, start, end) = self.parts[part];
        let mut reader = Reader::new(self.bytes.get(start..end)?);
        let read = if part == SHARDS {
            read_documents(&mut reader)?
        } else {
            read_shard(self, &mut reader)?
        };
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

fn read_shard(of: &Snapshot, reader: &mut Reader<'_>) -> Option<Part> {
    // No room is made for what is only announced: every entry is read first.
    let (mut accounts, mut pending, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..reader.u64()? {
        accounts.push(read_account(of, reader)?);
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
        let kept = if of.version >= 2 { Some((reader.u64()?, reader.u64()?)) } else { None };
        let did = read_effect(of, reader)?;
        let count = if did.effect.0 == ATOMIC { did.effect.1 } else { 0 };
        let mut parts = Vec::new();
        for _ in 0..count {
            let is_one = |part: &EffectRow| ![ATOMIC, ANSWERED].contains(&part.effect.0);
            parts.push(read_effect(of, reader).filter(is_one)?);
        }
        let length = if did.effect.0 == ANSWERED { did.effect.1 } else { 0 };
        let told = reader.bytes(usize::try_from(length).ok()?)?.to_vec();
        answers.push(AnswerRow { key, fingerprint, seq, kept, did, parts, told });
    }
    Some(Part::Shard { accounts, numbered, pending, answers })
}

fn read_effect(of: &Snapshot, reader: &mut Reader<'_>) -> Option<EffectRow> {
    let effect = (reader.u8()?, reader.u64()?, reader.u64()?);
    Some(EffectRow { effect, units: if of.version >= 2 { reader.u64()? } else { 0 } })
}

fn read_account(of: &Snapshot, reader: &mut Reader<'_>) -> Option<AccountRow> {
    let key = text(reader)?;
    let (backorder, limit) = (reader.u64()?, reader.u64()?);
    let (tag, length_ms, offset_ms) = (reader.u64()?, reader.u64()?, reader.u64()?);
    let window = match tag & !(CLOSED | QUEUED | SERVED) {
        0 => Window::Never,
        1 if length_ms > 0 => Window::Fixed { length_ms, offset_ms },
        2 => Window::Rolling { length_ms },
        3 => Window::Outstanding,
        _ => return None,
    };
    let available = reader.u64()? as i64;
    let (reserved, consumed, received, written_off) =
        (reader.u64()?, reader.u64()?, reader.u64()?, reader.u64()?);
    let mut deadlines = Vec::new();
    for _ in 0..reader.u64()? {
        deadlines.push((reader.u64()?, reader.u32()?));
    }
    let policy = Policy { backorder, limit, window };
    let row = AccountRow {
        key,
        policy,
        closed: tag & CLOSED > 0,
        available,
        reserved,
        consumed,
        received,
        written_off,
        deadlines,
        owed: 0,
        forgotten_before: 0,
        uses: Vec::new(),
        line: None,
    };
    let mut row = match of.version {
        1 => read_renewals(of.taken_at, row, reader)?,
        _ => read_uses(row, reader)?,
    };
    if tag & QUEUED > 0 {
        row.line = Some(read_line(reader)?);
    }
    if tag & SERVED > 0 {
        let served = &mut row.line.as_mut()?.served;
        for _ in 0..reader.u64()? {
            served.push(reader.u64()?);
        }
        if served.len() > SERVED_MAX {
            return None;
        }
    }
    Some(row)
}

fn read_line(reader: &mut Reader<'_>) -> Option<Line> {
    let mut line = Line { given: reader.u64()?, ..Line::default() };
    for _ in 0..reader.u64()? {
        let (place, owner, since) = (reader.u64()?, reader.u32()?, reader.u64()?);
        let follows = line.places.last().is_none_or(|last| last.place < place);
        let body = field(reader)?.to_vec();
        line.places.push(Some(Place { place, owner, since, body }).filter(|_| follows)?);
    }
    line.places.last().is_none_or(|last| last.place < line.given).then_some(line)
}

fn read_uses(mut row: AccountRow, reader: &mut Reader<'_>) -> Option<AccountRow> {
    (row.owed, row.forgotten_before) = (reader.u64()?, reader.u64()?);
    for _ in 0..reader.u64()? {
        let used = Use { from: reader.u64()?, at: reader.u64()?, quantity: reader.u64()?.into() };
        let follows = row.uses.last().is_none_or(|last| last.at < used.from);
        row.uses
            .push(Some(used).filter(|used| follows && used.from <= used.at && used.quantity > 0)?);
    }
    Some(row)
}

/// Version 1 tells when units come back that count. When they were consumed follows from that, more
/// or less; of those that never come back nothing is known. What does not count was forgotten.
fn read_renewals(
    taken_at: TimeMs,
    mut row: AccountRow,
    reader: &mut Reader<'_>,
) -> Option<AccountRow> {
    let last = taken_at.saturating_add(CAPTURE_MS_MAX);
    for _ in 0..reader.u64()? {
        let (back_at, quantity) = (reader.u64()?, i128::from(reader.u64()?));
        let (from, at) = match row.policy.window {
            Window::Rolling { length_ms } => {
                (back_at.saturating_sub(length_ms), back_at.saturating_sub(length_ms))
            }
            Window::Fixed { length_ms, .. } => {
                (back_at.saturating_sub(length_ms), back_at.saturating_sub(1))
            }
            Window::Never | Window::Outstanding => return None,
        };
        row.uses.push(Use { from: from.saturating_sub(DISORDER_MS), at, quantity });
    }
    match row.policy.window {
        Window::Rolling { .. } | Window::Fixed { .. } => row.forgotten_before = last,
        _ if row.key.starts_with("quota/") && row.consumed > 0 => {
            row.uses.push(Use { from: 0, at: last, quantity: row.consumed.into() });
        }
        _ => {}
    }
    Some(row)
}

fn field<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = reader.u32()? as usize;
    reader.bytes(length)
}

fn text(reader: &mut Reader<'_>) -> Option<String> {
    String::from_utf8(field(reader)?.to_vec()).ok()
}
