//! The manifest beside the sled directory: what the directory must hold at least. Without it, an
//! emptied directory would read as "no history".

use std::path::{Path, PathBuf};

use super::files;
use crate::base::Seq;
use crate::base::bytes::Reader;
use crate::base::error::{Error, Result};
use crate::event::branch::Branch;
use crate::history::Shown;

const MAGIC: [u8; 8] = *b"SHSTORE\x03";
const BYTES: usize = BYTES_V2 + Branch::BYTES;
/// Version 2 did not say of which journal the events are.
const MAGIC_V2: [u8; 8] = *b"SHSTORE\x02";
const BYTES_V2: usize = 60;
const FLAG_DAMAGED: u64 = 1;

/// What the store is, and how far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    /// A random number, kept inside sled too.
    pub(super) store_id: [u8; 16],
    /// The first event that is in it: 1, unless older ones were no longer kept when it was made.
    pub(super) first_seq: Seq,
    /// Everything up to here is in sled.
    pub(super) watermark: Seq,
    /// How many rows the events up to the watermark made; sled holds at least as many.
    pub(super) rows: u64,
    /// A read found damage: the store is to be set aside when it is next opened.
    pub(super) damaged: bool,
    /// The events up to the watermark, as they stood in the journal.
    pub(super) branch: Branch,
}

impl Manifest {
    pub(super) fn path(dir: &Path) -> PathBuf {
        files::with_suffix(dir, ".manifest")
    }

    /// # Errors
    /// `Corrupt` when the file is no manifest, `Unavailable` when it cannot be read.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>> {
        let path = Self::path(dir);
        match files::read(&path)
            .map_err(|error| Error::io(format!("reading {}", path.display()), error))?
        {
            None => Ok(None),
            Some(bytes) => Self::decode(&bytes)
                .map(Some)
                .ok_or_else(|| Error::corrupt(format!("{} fails its checksum", path.display()))),
        }
    }

    /// Makes this the manifest, durably.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be written, synced and read back.
    pub(super) fn write(&self, dir: &Path) -> Result<()> {
        let path = Self::path(dir);
        files::replace(&path, &self.encode())
            .map_err(|error| Error::io(format!("writing {}", path.display()), error))
    }

    /// What the store shows by it.
    pub(super) fn shown(&self) -> Shown {
        Shown { watermark: self.watermark, branch: self.branch }
    }

    fn encode(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..24].copy_from_slice(&self.store_id);
        let numbers =
            [self.first_seq, self.watermark, self.rows, u64::from(self.damaged) * FLAG_DAMAGED];
        for (field, number) in bytes[24..56].chunks_exact_mut(8).zip(numbers) {
            field.copy_from_slice(&number.to_le_bytes());
        }
        bytes[56..56 + Branch::BYTES].copy_from_slice(&self.branch.encode());
        let crc = crc32c::crc32c(&bytes[..BYTES - 4]);
        bytes[BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return None;
        }
        let mut reader = Reader::new(body);
        let magic: [u8; 8] = reader.array()?;
        let is_v2 = (magic, bytes.len()) == (MAGIC_V2, BYTES_V2);
        if !is_v2 && (magic, bytes.len()) != (MAGIC, BYTES) {
            return None;
        }
        Some(Self {
            store_id: reader.array()?,
            first_seq: reader.u64()?,
            watermark: reader.u64()?,
            rows: reader.u64()?,
            damaged: reader.u64()? & FLAG_DAMAGED != 0,
            branch: if is_v2 { Branch::default() } else { Branch::decode(&mut reader)? },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::branch::Mark;

    #[test]
    fn version_2_is_read_and_knows_of_no_journal() {
        let mut bytes = [0; BYTES_V2];
        bytes[..8].copy_from_slice(&MAGIC_V2);
        (bytes[8], bytes[24], bytes[32], bytes[40]) = (7, 1, 9, 11);
        let crc = crc32c::crc32c(&bytes[..BYTES_V2 - 4]);
        bytes[BYTES_V2 - 4..].copy_from_slice(&crc.to_le_bytes());
        let manifest = Manifest::decode(&bytes).expect("it is whole");
        assert_eq!((manifest.first_seq, manifest.watermark, manifest.rows), (1, 9, 11));
        assert_eq!(manifest.branch, Branch::default());
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let mut branch = Branch::default();
        branch.follow(9, Mark { salt: 5, crc: 4, segment_first: 2 });
        let manifest = Manifest {
            store_id: [7; 16],
            first_seq: 3,
            watermark: 9,
            rows: 11,
            damaged: true,
            branch,
        };
        let bytes = manifest.encode();
        assert_eq!(Manifest::decode(&bytes), Some(manifest));
        for bit in 0..BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Manifest::decode(&flipped), None);
        }
        assert_eq!(Manifest::decode(&bytes[1..]), None);
    }
}
