//! Blocks: rows in the order of their keys, under one checksum, as one value of sled. Sled takes some
//! 9 us and writes 14 times as much for a row that it keeps by itself; of a block it is a fortieth.
//!
//! ```text
//! key:   'b' | run u32 | first key, 15 bytes                     (big-endian)
//! value: length u32 of the rows | rows, as a block of LZ4 | crc32c u32, of all that and of the key
//!                                                                (little-endian)
//! row:   shared u8 | rest of the key | event, signed | payload with its length
//! ```
//!
//! `shared` is how many of the first of 15 bytes of the key are those of the row before; the event is
//! the difference to that of the row before. Numbers are as in [`put_number`](super::value::put_number).

use std::ops::Range;

use super::key::Key;
use super::value::{Bytes, put_bytes, put_signed};
use crate::base::Seq;
use crate::base::error::{Error, Result};

/// A block is full when its rows take this much. All of it is read for a single row; and sled puts a
/// page, which is up to sixteen blocks, into a file of its own where it has more than 128 KiB.
const BYTES_MAX: usize = 16 << 10;
/// What the rows of a block can take at most: one row of the longest kind comes on top.
const UNPACKED_MAX: usize = 64 << 20;
const CRC_BYTES: usize = 4;
const PREFIX: u8 = b'b';

/// Where a block is in sled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockKey([u8; Self::BYTES]);

impl BlockKey {
    const HEAD: usize = 5;
    const BYTES: usize = Self::HEAD + Key::BYTES_MAX;

    pub(super) fn new(run: u32, first: Key) -> Self {
        let mut bytes = [0; Self::BYTES];
        bytes[0] = PREFIX;
        bytes[1..Self::HEAD].copy_from_slice(&run.to_be_bytes());
        bytes[Self::HEAD..].copy_from_slice(&first.to_fixed());
        Self(bytes)
    }

    /// The least and the greatest that a block of this run may have.
    pub(super) fn of_run(run: u32) -> [Self; 2] {
        [Key::LEAST, Key::GREATEST].map(|key| Self::new(run, key))
    }

    /// # Errors
    /// `Corrupt` when the bytes are not such a key.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let key = bytes.try_into().ok().filter(|bytes: &[u8; Self::BYTES]| bytes[0] == PREFIX);
        key.map(Self).ok_or_else(|| Error::corrupt(format!("the store holds a key {bytes:?}")))
    }

    pub(super) fn run(self) -> u32 {
        self.0[1..Self::HEAD].iter().fold(0, |run, byte| run << 8 | u32::from(*byte))
    }

    fn malformed(self) -> Error {
        Error::corrupt(format!("a block of the store's run {} is malformed", self.run()))
    }
}

impl AsRef<[u8]> for BlockKey {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Gathers the rows of a block.
#[derive(Debug, Default)]
pub(super) struct BlockWriter {
    bytes: Vec<u8>,
    first: Option<Key>,
    last: Before,
}

/// What the row before was.
#[derive(Clone, Copy, Debug, Default)]
struct Before {
    key: [u8; Key::BYTES_MAX],
    seq: Seq,
}

impl BlockWriter {
    /// Adds a row, whose key is greater than those before.
    pub(super) fn push(&mut self, key: Key, seq: Seq, payload: &[u8]) {
        let fixed = key.to_fixed();
        let shared = match self.first {
            Some(_) => fixed.iter().zip(&self.last.key).take_while(|(a, b)| a == b).count(),
            None => 0,
        };
        self.first.get_or_insert(key);
        self.bytes.push(shared as u8);
        self.bytes.extend_from_slice(&fixed[shared..]);
        put_signed(&mut self.bytes, seq.wrapping_sub(self.last.seq) as i64);
        put_bytes(&mut self.bytes, payload);
        self.last = Before { key: fixed, seq };
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BYTES_MAX
    }

    /// The block, if there is a row in it; the next one begins.
    pub(super) fn take(&mut self, run: u32) -> Option<(BlockKey, Vec<u8>)> {
        let key = BlockKey::new(run, self.first.take()?);
        self.last = Before::default();
        let mut value = lz4_flex::block::compress_prepend_size(&self.bytes);
        let crc = checksum(key, &value);
        value.extend_from_slice(&crc.to_le_bytes());
        self.bytes.clear();
        Some((key, value))
    }
}

fn checksum(key: BlockKey, packed: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key.as_ref()), packed)
}

fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let (length, packed) = packed.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let length = Some(length).filter(|length| *length <= UNPACKED_MAX)?;
    lz4_flex::block::decompress(packed, length).ok().filter(|rows| rows.len() == length)
}

/// A row as sled has it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) key: Key,
    /// The event that left it so.
    pub(super) seq: Seq,
    /// What holds the payload, and where.
    value: sled::IVec,
    payload: Range<usize>,
}

impl Row {
    pub(super) fn new(key: Key, seq: Seq, value: &sled::IVec, payload: Range<usize>) -> Self {
        Self { key, seq, value: value.clone(), payload }
    }

    pub(super) fn payload(&self) -> &[u8] {
        self.value.get(self.payload.clone()).unwrap_or_default()
    }
}

/// The rows of a block, one after another.
#[derive(Debug)]
pub(super) struct Block {
    key: BlockKey,
    rows: sled::IVec,
    /// Where the next row begins.
    at: usize,
    last: Before,
}

impl Block {
    /// # Errors
    /// `Corrupt` when it fails its checksum.
    pub(super) fn open(key: &[u8], value: &[u8]) -> Result<Self> {
        let key = BlockKey::from_bytes(key)?;
        let packed = value
            .split_last_chunk::<CRC_BYTES>()
            .filter(|(packed, crc)| checksum(key, packed) == u32::from_le_bytes(**crc));
        let (packed, _) = packed.ok_or_else(|| {
            Error::corrupt(format!("a block of the store's run {} fails its checksum", key.run()))
        })?;
        let rows = unpack(packed).ok_or_else(|| key.malformed())?;
        Ok(Self { key, rows: rows.into(), at: 0, last: Before::default() })
    }

    /// The next row that is not below `least`.
    ///
    /// # Errors
    /// `Corrupt` when there is something else.
    pub(super) fn next_from(&mut self, least: Key) -> Result<Option<Row>> {
        while let Some((key, payload)) = self.step()? {
            if key >= least {
                return Ok(Some(Row::new(key, self.last.seq, &self.rows, payload)));
            }
        }
        Ok(None)
    }

    /// The keys, the first first.
    ///
    /// # Errors
    /// As [`Block::next_from`].
    pub(super) fn keys(mut self) -> Result<Vec<Key>> {
        let mut keys = Vec::new();
        while let Some((key, _)) = self.step()? {
            keys.push(key);
        }
        Ok(keys)
    }

    fn step(&mut self) -> Result<Option<(Key, Range<usize>)>> {
        if self.at == self.rows.len() {
            return Ok(None);
        }
        let stepped = self.read();
        stepped.map(Some).ok_or_else(|| self.key.malformed())
    }

    fn read(&mut self) -> Option<(Key, Range<usize>)> {
        let mut bytes = Bytes(self.rows.get(self.at..)?);
        let shared = usize::from(bytes.byte()?);
        let rest = self.last.key.get_mut(shared..)?;
        let (key, after) = bytes.0.split_at_checked(rest.len())?;
        rest.copy_from_slice(key);
        bytes.0 = after;
        self.last.seq = self.last.seq.wrapping_add(bytes.signed()? as u64);
        let length = bytes.bytes()?.len();
        let next = self.rows.len() - bytes.0.len();
        self.at = next;
        Some((Key::from_fixed(self.last.key)?, next - length..next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{AccountId, ReservationId};

    fn rows() -> Vec<(Key, Seq, Vec<u8>)> {
        let account = AccountId::from_number;
        let mut rows = vec![
            (Key::change(account(1), 9, 0), 9, b"nine".to_vec()),
            (Key::change(account(1), 9, 3), 9, Vec::new()),
            (Key::change(account(1), 2, 0), 2, vec![7; 300]),
            (Key::change(account(u32::MAX), u64::MAX, 0), u64::MAX, vec![1]),
            (Key::reservation(ReservationId::from_number(u64::MAX)), 0, vec![2]),
        ];
        rows.sort();
        rows
    }

    fn written() -> (BlockKey, Vec<u8>) {
        let mut writer = BlockWriter::default();
        rows().iter().for_each(|(key, seq, payload)| writer.push(*key, *seq, payload));
        let block = writer.take(5).expect("there are rows");
        assert!(writer.take(5).is_none(), "nothing is left of it");
        block
    }

    #[test]
    fn rows_come_back_as_they_went() {
        let (key, value) = written();
        assert_eq!(key.run(), 5);
        let open = || Block::open(key.as_ref(), &value).expect("it is whole");
        let mut block = open();
        let mut found = Vec::new();
        while let Some(row) = block.next_from(Key::LEAST).expect("it is whole") {
            found.push((row.key, row.seq, row.payload().to_vec()));
        }
        assert_eq!(found, rows());
        let keys: Vec<Key> = rows().iter().map(|(key, ..)| *key).collect();
        assert_eq!(open().keys().expect("it is whole"), keys);
        let row = open().next_from(keys[2]).expect("it is whole").expect("there is one");
        assert_eq!((row.key, row.payload()), (keys[2], &rows()[2].2[..]));
    }

    /// The rest of what an earlier release wrote must read for good.
    #[test]
    fn a_block_is_written_as_ever() {
        let mut writer = BlockWriter::default();
        let account = AccountId::from_number(7);
        writer.push(Key::change(account, 6, 0), 6, b"ab");
        writer.push(Key::change(account, 5, 0), 5, b"c");
        let (key, value) = writer.take(0x0102).expect("there are rows");
        assert_eq!(
            crate::base::golden::hex(key.as_ref()),
            "62000001026300000007fffffffffffffff90000"
        );
        let rows = "006300000007fffffffffffffff900000c0261620cfa0000010163";
        let packed = &value[..value.len() - 4];
        assert_eq!(crate::base::golden::hex(&unpack(packed).expect("it is packed")), rows);
        let golden = crate::base::golden::bytes(
            "1b00000072006300000007ff0100e0f900000c0261620cfa000001016377086667",
        );
        let mut block = Block::open(key.as_ref(), &golden).expect("it is whole");
        let row = block.next_from(Key::LEAST).expect("it is whole").expect("there is one");
        assert_eq!((row.key.changed_by(), row.payload()), (6, &b"ab"[..]));
        let row = block.next_from(Key::LEAST).expect("it is whole").expect("there is one");
        assert_eq!((row.seq, row.payload()), (5, &b"c"[..]));
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let (key, value) = written();
        for bit in 0..value.len() * 8 {
            let mut flipped = value.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Block::open(key.as_ref(), &flipped).is_err(), "bit {bit}");
        }
        let elsewhere = BlockKey::new(6, rows()[0].0);
        assert!(Block::open(elsewhere.as_ref(), &value).is_err(), "under another key");
    }

    /// Not even a block with a right checksum makes reading panic.
    #[test]
    fn whatever_is_in_a_block_does_not_panic() {
        let (key, value) = written();
        let rows = unpack(&value[..value.len() - 4]).expect("it is packed");
        for length in 0..rows.len() {
            for flip in [0, 0x80, 0xff] {
                let broken = [&rows[..length], &[flip; 3]].concat();
                let mut packed = lz4_flex::block::compress_prepend_size(&broken);
                let crc = checksum(key, &packed);
                packed.extend_from_slice(&crc.to_le_bytes());
                let mut block = Block::open(key.as_ref(), &packed).expect("the sum is right");
                while let Ok(Some(_)) = block.next_from(Key::LEAST) {}
            }
        }
        for broken in [&b""[..], b"\xff", b"\xff\xff\xff\xff", b"\x09\0\0\0\x10a"] {
            let crc = checksum(key, broken);
            let broken = [broken, &crc.to_le_bytes()].concat();
            let error = Block::open(key.as_ref(), &broken).expect_err("it does not unpack");
            assert!(error.to_string().contains("malformed"), "{error}");
        }
    }
}
