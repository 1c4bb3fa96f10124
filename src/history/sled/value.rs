//! Values of rows: the event that left a row so, and its payload. In memory and in blocks they are as
//! they are; a row that stands alone in sled has a frame, `seq u64 | payload | crc32c u32`,
//! little-endian. The checksum covers the key too, so that a value found under another key does not
//! pass.

use super::key::Key;
use crate::base::Seq;
use crate::base::error::{Error, Result};

const SEQ_BYTES: usize = 8;
const CRC_BYTES: usize = 4;

/// A value in memory: `seq u64 | payload`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value(Box<[u8]>);

impl Value {
    pub(super) fn new(seq: Seq, payload: &[u8]) -> Self {
        Self([&seq.to_le_bytes(), payload].concat().into())
    }

    /// The event that left it so.
    pub(super) fn seq(&self) -> Seq {
        self.0.first_chunk().map_or(0, |seq| Seq::from_le_bytes(*seq))
    }

    pub(super) fn payload(&self) -> &[u8] {
        self.0.get(SEQ_BYTES..).unwrap_or_default()
    }

    /// How long it is, in bytes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Makes values; its buffer is reused.
#[derive(Debug, Default)]
pub(super) struct ValueMaker {
    buffer: Vec<u8>,
}

impl ValueMaker {
    /// A value as the event `seq` left it.
    pub(super) fn make(&mut self, seq: Seq, payload: impl FnOnce(&mut Vec<u8>)) -> Value {
        self.buffer.clear();
        self.buffer.extend_from_slice(&seq.to_le_bytes());
        payload(&mut self.buffer);
        Value(Box::from(&self.buffer[..]))
    }
}

/// The frame of a row that stands alone.
pub(super) fn seal(key: Key, seq: Seq, payload: &[u8]) -> Vec<u8> {
    let mut framed = [&seq.to_le_bytes(), payload].concat();
    let crc = checksum(key, &framed);
    framed.extend_from_slice(&crc.to_le_bytes());
    framed
}

/// The sequence number and the payload of a row that stands alone.
///
/// # Errors
/// `Corrupt`, naming the key, when the checksum does not fit.
pub(super) fn unseal(key: Key, value: &[u8]) -> Result<(Seq, &[u8])> {
    split(key, value)
        .ok_or_else(|| Error::corrupt(format!("the store's value under {key} fails its checksum")))
}

fn split(key: Key, value: &[u8]) -> Option<(Seq, &[u8])> {
    let (framed, crc) = value.split_last_chunk::<CRC_BYTES>()?;
    let (seq, payload) = framed.split_first_chunk::<SEQ_BYTES>()?;
    (checksum(key, framed) == u32::from_le_bytes(*crc)).then(|| (Seq::from_le_bytes(*seq), payload))
}

fn checksum(key: Key, framed: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&key.to_bytes()), framed)
}

/// Appends an unsigned number in 1 to 10 bytes: seven bits each, lowest first (LEB128).
pub(super) fn put_number(buffer: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        buffer.push(number as u8 | 0x80);
        number >>= 7;
    }
    buffer.push(number as u8);
}

/// Appends a signed number: zigzag, then as [`put_number`].
pub(super) fn put_signed(buffer: &mut Vec<u8>, number: i64) {
    put_number(buffer, (number << 1 ^ number >> 63) as u64);
}

/// Appends a length and the bytes.
pub(super) fn put_bytes(buffer: &mut Vec<u8>, bytes: &[u8]) {
    put_number(buffer, bytes.len() as u64);
    buffer.extend_from_slice(bytes);
}

/// The bytes of a payload not read yet.
#[derive(Debug)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}
