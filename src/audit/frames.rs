//! Segments and archive files, read by nothing but `docs/format.md`: no code of the journal is
//! used, so that a mistake in it is seen.

use std::io::Read;

use lz4_flex::frame::FrameDecoder;

use crate::base::Seq;

pub(super) const HEADER_BYTES: usize = 4096;
const MAGIC: &[u8; 8] = b"STKHJRNL";
const FRAME_HEADER_BYTES: usize = 24;
const ALIGN: usize = 8;
/// Segments are never longer: a longer file is not one.
const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) index: u64,
    pub(super) first_seq: Seq,
    pub(super) salt: u64,
    pub(super) segment_bytes: u64,
}

impl Header {
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn read(file: &[u8]) -> Result<Self, &'static str> {
        let block = file.get(..HEADER_BYTES).ok_or("it ends inside its header")?;
        if &block[..8] != MAGIC {
            return Err("it does not start like a segment");
        }
        if u32_at(block, HEADER_BYTES - 4) != Some(crc32c::crc32c(&block[..HEADER_BYTES - 4])) {
            return Err("its header fails its checksum");
        }
        if u32_at(block, 8) != Some(1) {
            return Err("it is of an unknown version");
        }
        let field = |at| u64_at(block, at).ok_or("it ends inside its header");
        Ok(Self {
            index: field(16)?,
            first_seq: field(24)?,
            salt: field(32)?,
            segment_bytes: field(40)?,
        })
    }

    fn seed(&self) -> u32 {
        crc32c::crc32c(&self.salt.to_le_bytes())
    }
}

/// A frame that verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) seq: Seq,
    group_first: Seq,
    pub(super) kind: u16,
    pub(super) crc: u32,
    pub(super) payload: &'a [u8],
    bytes: usize,
}

fn frame_at(bytes: &[u8], offset: usize, seed: u32) -> Option<Frame<'_>> {
    let bytes = bytes.get(offset..)?;
    let length = u32_at(bytes, 0)? as usize;
    if length < FRAME_HEADER_BYTES {
        return None;
    }
    let whole = bytes.get(..length.checked_next_multiple_of(ALIGN)?)?;
    let sum = crc32c::crc32c_append(crc32c::crc32c_append(seed, &whole[..4]), &whole[8..]);
    if u32_at(whole, 4)? != sum || whole[22..24] != [0, 0] {
        return None;
    }
    let seq = u64_at(whole, 8)?;
    Some(Frame {
        seq,
        group_first: seq.checked_sub(u32_at(whole, 16)?.into())?,
        kind: u16::from_le_bytes([whole[20], whole[21]]),
        crc: sum,
        payload: &whole[FRAME_HEADER_BYTES..length],
        bytes: whole.len(),
    })
}

/// Where the frames of a segment end, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) offset: usize,
    /// The number that is next.
    pub(super) seq: Seq,
    pub(super) why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The number that was asked for is reached.
    Reached,
    /// Nothing was written there.
    Nothing,
    /// A write that was cut off before it was acknowledged.
    Torn,
    /// Bytes that are not a frame, though what comes later was written later.
    Damaged,
    /// A frame with another number.
    OtherNumber(Seq),
}

/// Gives each frame of a segment to `each`, up to the number `end_seq` or where they end.
pub(super) fn walk(
    bytes: &[u8],
    header: &Header,
    end_seq: Seq,
    each: &mut dyn FnMut(&Frame<'_>),
) -> End {
    let seed = header.seed();
    let (mut offset, mut seq) = (HEADER_BYTES, header.first_seq);
    while seq < end_seq {
        let found = frame_at(bytes, offset, seed);
        match found {
            Some(frame) if frame.seq == seq => {
                each(&frame);
                offset += frame.bytes;
                seq += 1;
            }
            Some(other) => {
                return End { offset, seq, why: Why::OtherNumber(other.seq) };
            }
            None => {
                return End { offset, seq, why: why_none(bytes, offset, seed, seq) };
            }
        }
    }
    End { offset, seq, why: Why::Reached }
}

/// Why there is no frame at a place: a group that began after it proves that what was here had been
/// synced.
fn why_none(bytes: &[u8], offset: usize, seed: u32, seq: Seq) -> Why {
    let rest = bytes.get(offset..).unwrap_or_default();
    let empty = rest.iter().take(FRAME_HEADER_BYTES).all(|byte| *byte == 0);
    let mut why = if empty { Why::Nothing } else { Why::Torn };
    let most = (rest.len() / FRAME_HEADER_BYTES) as u64;
    for at in (offset + ALIGN..bytes.len()).step_by(ALIGN) {
        let near = u64_at(bytes, at + 8).is_some_and(|found| found > seq && found - seq <= most);
        if let Some(later) = near.then(|| frame_at(bytes, at, seed)).flatten() {
            if later.group_first > seq {
                return Why::Damaged;
            }
            why = Why::Torn;
        }
    }
    why
}

/// The header and the frames of an archive file.
///
/// # Errors
/// What is wrong, in words.
pub(super) fn unpack(compressed: &[u8]) -> Result<(Header, Vec<u8>), String> {
    let mut bytes = Vec::new();
    // One byte more than a segment can have, so that a false length cannot ask for memory without
    // end.
    let mut decoder = FrameDecoder::new(compressed).take(SEGMENT_BYTES_MAX + 1);
    decoder.read_to_end(&mut bytes).map_err(|error| format!("it does not unpack: {error}"))?;
    // The decoder ends with its frame and never looks at what comes after it.
    let behind = decoder.into_inner().get_ref().len();
    if behind > 0 {
        return Err(format!("{behind} bytes follow its end"));
    }
    let header = Header::read(&bytes)?;
    Ok((header, bytes))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|number| u32::from_le_bytes(*number))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|number| u64::from_le_bytes(*number))
}
