//! One frame: the unit that is either wholly in the journal or not in it at all. See
//! `docs/format.md`.

use crate::base::Seq;

/// The bytes of a frame before its payload.
pub(super) const FRAME_HEADER_BYTES: usize = 24;
/// Frames start at multiples of this, so that a search for them need not look at every byte.
pub(super) const FRAME_ALIGN: usize = 8;

const LEN: usize = 0;
const CRC: usize = 4;
const SEQ: usize = 8;
const GROUP_OFFSET: usize = 16;
const KIND: usize = 20;
const FLAGS: usize = 22;

/// A frame whose checksum held.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub seq: Seq,
    /// The first frame of the group this one was written in: all frames before it were durable by
    /// then.
    pub group_first: Seq,
    pub kind: u16,
    /// The checksum that it is stored under.
    pub crc: u32,
    pub payload: &'a [u8],
    /// The bytes the frame takes in the file, with header and padding.
    pub bytes: usize,
}

/// Appends a frame without its checksum and group, which [`seal`] fills in. Takes the frame back
/// when `encode` panics: half a frame in the buffer would end up in the file.
pub(super) fn append(buffer: &mut Vec<u8>, seq: Seq, kind: u16, encode: impl FnOnce(&mut Vec<u8>)) {
    let mut unfinished = Unfinished { start: buffer.len(), buffer, finished: false };
    let start = unfinished.start;
    let buffer = &mut *unfinished.buffer;
    buffer.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
    encode(buffer);
    // A length that does not fit is refused by `next_len` before anything of the frame is written.
    let len = u32::try_from(buffer.len() - start).unwrap_or(u32::MAX);
    buffer.resize(start + padded(buffer.len() - start), 0);
    put(buffer, start + LEN, len.to_le_bytes());
    put(buffer, start + SEQ, seq.to_le_bytes());
    put(buffer, start + KIND, kind.to_le_bytes());
    unfinished.finished = true;
}

struct Unfinished<'a> {
    buffer: &'a mut Vec<u8>,
    start: usize,
    finished: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.buffer.truncate(self.start);
        }
    }
}

/// The bytes of the frame at the start of `bytes`, padding included, as its length field has it:
/// `None` when there is no frame here or the length is impossible. The frame may be longer than
/// `bytes`.
pub(super) fn next_len(bytes: &[u8]) -> Option<usize> {
    let len = u32::from_le_bytes(get(bytes, LEN)?) as usize;
    (len >= FRAME_HEADER_BYTES && len < u32::MAX as usize).then(|| padded(len))
}

/// The sequence number in the header at the start of `bytes`, unverified.
pub(super) fn next_seq(bytes: &[u8]) -> Option<Seq> {
    get(bytes, SEQ).map(Seq::from_le_bytes)
}

/// Fills in what [`append`] left open. `frame` is exactly one frame with its padding.
pub(super) fn seal(frame: &mut [u8], seed: u32, group_offset: u32) {
    put(frame, GROUP_OFFSET, group_offset.to_le_bytes());
    let crc = checksum(frame, seed);
    put(frame, CRC, crc.to_le_bytes());
}

/// The frame at the start of `bytes`, if there is a whole one whose checksum holds.
pub(super) fn verify(bytes: &[u8], seed: u32) -> Option<Frame<'_>> {
    let len = u32::from_le_bytes(get(bytes, LEN)?) as usize;
    let frame = bytes.get(..next_len(bytes)?)?;
    let crc = u32::from_le_bytes(get(frame, CRC)?);
    if crc != checksum(frame, seed) || get(frame, FLAGS)? != [0; 2] {
        return None;
    }
    let seq = Seq::from_le_bytes(get(frame, SEQ)?);
    let group_offset = u32::from_le_bytes(get(frame, GROUP_OFFSET)?);
    Some(Frame {
        seq,
        group_first: seq.checked_sub(group_offset.into())?,
        kind: u16::from_le_bytes(get(frame, KIND)?),
        crc,
        payload: &frame[FRAME_HEADER_BYTES..len],
        bytes: frame.len(),
    })
}

/// Covers everything but the checksum itself, padding included. The same bytes under two seeds have
/// two checksums (CRC is invertible in its start value), so a frame of another segment never
/// verifies here.
fn checksum(frame: &[u8], seed: u32) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(seed, &frame[..CRC]), &frame[SEQ..])
}

fn padded(len: usize) -> usize {
    len.next_multiple_of(FRAME_ALIGN)
}

fn get<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload: &[u8]) -> Vec<u8> {
        let mut buffer = Vec::new();
        append(&mut buffer, 7, 3, |out| out.extend_from_slice(payload));
        seal(&mut buffer, 99, 2);
        buffer
    }

    #[cfg(not(stockhold_loom))]
    #[test]
    fn a_frame_is_written_and_read_as_ever() {
        let golden = "1d000000c93692620700000000000000020000000300000073746f636b000000";
        crate::base::golden::check("a frame", &frame(b"stock"), golden);
        let bytes = crate::base::golden::bytes(golden);
        let read = verify(&bytes, 99).expect("golden bytes are read");
        assert_eq!((read.seq, read.group_first, read.kind), (7, 5, 3));
        assert_eq!((read.payload, read.bytes), (&b"stock"[..], 32));
    }

    #[test]
    fn round_trips_payloads_of_every_length() {
        for len in 0..40 {
            let payload = vec![0xa5; len];
            let bytes = frame(&payload);
            let crc = u32::from_le_bytes(get(&bytes, CRC).expect("a frame has a checksum"));
            let expected = Frame {
                seq: 7,
                group_first: 5,
                kind: 3,
                crc,
                payload: &payload,
                bytes: bytes.len(),
            };
            assert_eq!(verify(&bytes, 99), Some(expected));
            assert_eq!(bytes.len() % FRAME_ALIGN, 0);
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let good = frame(b"thirteen byte");
        for (bit, bad) in crate::base::golden::flipped(&good) {
            assert_eq!(verify(&bad, 99), None, "bit {bit}");
        }
    }

    #[test]
    fn a_frame_of_another_segment_or_a_cut_one_does_not_verify() {
        let bytes = frame(b"x");
        assert_eq!(verify(&bytes, 98), None);
        for len in 0..bytes.len() {
            assert_eq!(verify(&bytes[..len], 99), None, "{len} bytes");
        }
        assert_eq!(verify(&[0; 64], 99), None);
    }

    #[test]
    fn a_panic_while_encoding_leaves_nothing_behind() {
        let mut buffer = vec![1, 2, 3, 4, 5, 6, 7, 8];
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            append(&mut buffer, 1, 0, |out| {
                out.push(1);
                panic!("encoding failed");
            });
        }));
        assert!(panicked.is_err());
        assert_eq!(buffer.len(), 8);
    }
}
