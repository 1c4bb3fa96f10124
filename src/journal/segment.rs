//! Segment files: their names, their header and how one comes to be. See `docs/format.md`.

use std::path::{Path, PathBuf};

use super::frame;
use crate::base::Seq;
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::event::branch::Mark;
use crate::vfs::version::{Sealed, Versioned};
use crate::vfs::{Vfs, VfsFile, read_start};

/// The bytes of a segment before its first frame.
pub(super) const HEADER_BYTES: usize = 4096;
const MAGIC: [u8; 8] = *b"STKHJRNL";
const VERSION: u32 = 1;

/// How a file says its version.
pub(crate) const SEGMENT: Versioned = Versioned {
    what: "a segment of the journal",
    magic: &MAGIC,
    version_bytes: 4,
    known: VERSION,
    sealed: Sealed::Head(HEADER_BYTES),
};
/// The size of a journal's first segment; later ones grow to what is configured, so that an empty
/// ledger is small.
const FIRST_BYTES: u64 = 1 << 20;
/// How many times as long as the last a segment is, until the configured size is reached.
const GROWTH: u64 = 4;
/// Zeros are written in pieces of this size.
const FILL_BYTES: usize = 1 << 20;

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub index: u64,
    pub first_seq: Seq,
    /// Random, so that what a recycled file held before never verifies.
    pub salt: u64,
    pub segment_bytes: u64,
}

impl Header {
    /// What every checksum of the segment starts from.
    pub(super) fn seed(&self) -> u32 {
        crc32c::crc32c(&self.salt.to_le_bytes())
    }

    /// What tells a frame of the segment from every other with its number.
    pub(super) fn mark(&self, frame: &frame::Frame<'_>) -> Mark {
        Mark { salt: self.salt, crc: frame.crc, segment_first: self.first_seq }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut block = Vec::with_capacity(HEADER_BYTES);
        block.extend_from_slice(&MAGIC);
        block.extend_from_slice(&VERSION.to_le_bytes());
        block.extend_from_slice(&[0; 4]);
        for field in [self.index, self.first_seq, self.salt, self.segment_bytes] {
            block.extend_from_slice(&field.to_le_bytes());
        }
        block.resize(HEADER_BYTES - 4, 0);
        let crc = crc32c::crc32c(&block);
        block.extend_from_slice(&crc.to_le_bytes());
        block
    }

    /// The header in the first block of a file.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn decode(file: &[u8]) -> Result<Self, &'static str> {
        let block = file.get(..HEADER_BYTES).ok_or("the file ends inside its header")?;
        let (fields, crc) = block.split_at(HEADER_BYTES - 4);
        if fields[..8] != MAGIC {
            return Err("the file does not start like a journal segment");
        }
        if crc != crc32c::crc32c(fields).to_le_bytes() {
            return Err("the checksum of the header does not hold");
        }
        if fields[8..12] != VERSION.to_le_bytes() {
            return Err("the segment is of a version this program does not know");
        }
        let field = |at: usize| {
            let bytes = fields[at..at + 8].try_into().expect("the slice has eight bytes");
            u64::from_le_bytes(bytes)
        };
        Ok(Self {
            index: field(16),
            first_seq: field(24),
            salt: field(32),
            segment_bytes: field(40),
        })
    }
}

/// A new salt for a segment: random, or one that follows from the seed of a stepped journal.
///
/// # Errors
/// `Unavailable` when the system has no random numbers.
pub(super) fn new_salt(seed: Option<u64>, index: u64) -> Result<u64> {
    match seed {
        Some(seed) => Ok(seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        None => getrandom::u64().map_err(|error| {
            Error::unavailable(format!("no random salt for a journal segment: {error}"))
        }),
    }
}

/// The size of the smallest segment, where the configured size is `full`.
pub(super) fn first_bytes(full: u64) -> u64 {
    FIRST_BYTES.min(full)
}

/// The size of the segment after one of `bytes`, which is full.
pub(super) fn grown_bytes(bytes: u64, full: u64) -> u64 {
    bytes.saturating_mul(GROWTH).clamp(first_bytes(full), full)
}

/// A segment that is open, by the writer and by readers.
pub(super) struct Segment {
    pub header: Header,
    pub path: PathBuf,
    pub file: Box<dyn VfsFile>,
}

pub(super) fn segment_name(index: u64) -> String {
    format!("segment-{index:016}.log")
}

pub(super) fn spare_name(number: u64) -> String {
    format!("spare-{number}.log")
}

/// A spare that is still being filled.
pub(super) fn unfinished_spare_name(number: u64) -> String {
    format!("spare-{number}.tmp")
}

pub(super) fn parse_segment_name(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("segment-")?.strip_suffix(".log")?;
    digits.parse().ok().filter(|&index| segment_name(index) == name)
}

pub(super) fn parse_spare_name(name: &str) -> Option<u64> {
    name.strip_prefix("spare-")?.strip_suffix(".log")?.parse().ok()
}

/// Creates spare `number`: really written zeros, because blocks that are merely allocated cost a
/// metadata write at each sync later. It gets its name only once it is whole.
///
/// # Errors
/// `Unavailable` when the file system fails.
pub(super) fn create_spare(
    vfs: &dyn Vfs,
    dir: &Path,
    number: u64,
    segment_bytes: u64,
) -> Result<()> {
    let unfinished = dir.join(unfinished_spare_name(number));
    let fill = || {
        let file = vfs.create(&unfinished)?;
        let zeros = vec![0; FILL_BYTES.min(segment_bytes as usize)];
        let mut offset = 0;
        while offset < segment_bytes {
            let len = (segment_bytes - offset).min(zeros.len() as u64);
            file.write_at(&zeros[..len as usize], offset)?;
            offset += len;
        }
        file.sync()?;
        vfs.rename(&unfinished, &dir.join(spare_name(number)))?;
        vfs.sync_dir(dir)
    };
    fill().map_err(|error| {
        // A disk that is full should not be full of this. What stays is removed by the next
        // opening.
        let _ = vfs.remove(&unfinished);
        Error::io(format_args!("preparing {}", unfinished.display()), error)
    })
}

/// Turns spare `number` into the segment `header` describes. The order makes a bad header in a file
/// with a segment's name impossible: header, sync, name, sync of the name, and only then frames.
///
/// # Errors
/// `Unavailable` when the file system fails.
pub(super) fn start_segment(
    vfs: &dyn Vfs,
    dir: &Path,
    number: u64,
    header: Header,
) -> Result<Segment> {
    let spare = dir.join(spare_name(number));
    let path = dir.join(segment_name(header.index));
    let start = || {
        let file = vfs.open(&spare)?;
        file.write_at(&header.encode(), 0)?;
        file.sync()?;
        vfs.rename(&spare, &path)?;
        if !flaw::is_made(Flaw::ForgetsDirectory) {
            vfs.sync_dir(dir)?;
        }
        Ok(file)
    };
    let file =
        start().map_err(|error| Error::io(format_args!("starting {}", path.display()), error))?;
    Ok(Segment { header, path, file })
}

/// All of a file.
///
/// # Errors
/// `Unavailable` when the file system fails.
pub(super) fn read_all(file: &dyn VfsFile, path: &Path) -> Result<Vec<u8>> {
    read_start(file, usize::MAX)
        .map_err(|error| Error::io(format_args!("reading {}", path.display()), error))
}

/// How far the frames at the start of a segment verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    /// Where the first byte stands that is not part of a good frame.
    pub offset: usize,
    /// The number the next frame would have.
    pub next_seq: Seq,
}

/// Calls `each` for the frames of a segment in order, until one does not verify, is out of
/// sequence, or has the number `end_seq`.
///
/// # Errors
/// Those of `each`.
pub(super) fn walk(
    bytes: &[u8],
    header: &Header,
    end_seq: Seq,
    each: &mut dyn FnMut(&frame::Frame<'_>) -> Result<()>,
) -> Result<Reach> {
    let seed = header.seed();
    let mut reach = Reach { offset: HEADER_BYTES, next_seq: header.first_seq };
    while reach.next_seq < end_seq {
        let rest = bytes.get(reach.offset..).unwrap_or_default();
        let Some(frame) = frame::verify(rest, seed).filter(|frame| frame.seq == reach.next_seq)
        else {
            break;
        };
        each(&frame)?;
        reach.offset += frame.bytes;
        reach.next_seq += 1;
    }
    Ok(reach)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_round_trips_and_every_flipped_byte_is_found() {
        let header =
            Header { index: 3, first_seq: 70, salt: 0x0123_4567_89ab_cdef, segment_bytes: 1 << 16 };
        let block = header.encode();
        assert_eq!(block.len(), HEADER_BYTES);
        assert_eq!(Header::decode(&block), Ok(header));
        for at in 0..HEADER_BYTES {
            let mut bad = block.clone();
            bad[at] ^= 0x10;
            assert!(Header::decode(&bad).is_err(), "byte {at}");
        }
        assert!(Header::decode(&block[..HEADER_BYTES - 1]).is_err());
    }

    #[test]
    fn names_parse_back_and_others_do_not() {
        assert_eq!(parse_segment_name(&segment_name(12)), Some(12));
        assert_eq!(parse_spare_name(&spare_name(12)), Some(12));
        for other in
            ["segment-12.log", "segment-+000000000000012.log", "spare-1.tmp", "spare-.log", "LOCK"]
        {
            assert_eq!(
                (parse_segment_name(other), parse_spare_name(other)),
                (None, None),
                "{other}"
            );
        }
    }

    #[cfg(not(stockhold_loom))]
    #[test]
    fn the_header_is_written_and_read_as_ever() {
        use crate::base::golden;

        let header = Header { index: 3, first_seq: 0x0102, salt: 0x0304, segment_bytes: 1 << 20 };
        let fields = "53544b484a524e4c01000000000000000300000000000000020100000000000004030000000000000000100000000000";
        let mut golden = golden::bytes(fields);
        golden.resize(HEADER_BYTES - 4, 0);
        golden.extend_from_slice(&golden::bytes("5f1421c1"));
        golden::check("a segment's header", &header.encode(), &golden::hex(&golden));
        assert_eq!(Header::decode(&golden), Ok(header));
    }
}
