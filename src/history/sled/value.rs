//! The frame of every value: `seq u64 | payload | crc32c u32`, little-endian. The checksum covers
//! the key too, so that a value found under another key does not pass.

use super::key::Key;
use crate::base::Seq;
use crate::base::error::{Error, Result};

const SEQ_BYTES: usize = 8;
const CRC_BYTES: usize = 4;

/// Frames values; its buffer is reused.
#[derive(Debug, Default)]
pub(super) struct Sealer {
    buffer: Vec<u8>,
}

impl Sealer {
    /// The value of `key` as the event `seq` left it.
    pub(super) fn seal(
        &mut self,
        key: Key,
        seq: Seq,
        payload: impl FnOnce(&mut Vec<u8>),
    ) -> Box<[u8]> {
        self.buffer.clear();
        self.buffer.extend_from_slice(&seq.to_le_bytes());
        payload(&mut self.buffer);
        let crc = checksum(key, &self.buffer);
        self.buffer.extend_from_slice(&crc.to_le_bytes());
        Box::from(&self.buffer[..])
    }
}

/// The sequence number and the payload of a value.
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
