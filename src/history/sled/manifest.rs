//! The manifest beside the sled directory: what the directory must hold at least. Without it, an
//! emptied directory would read as "no history".

use std::path::{Path, PathBuf};

use super::files;
use crate::base::Seq;
use crate::base::bytes::Reader;
use crate::base::error::{Error, Result};
use crate::event::branch::Branch;
use crate::history::Shown;
use crate::vfs::version::{Sealed, Versioned};

const MAGIC: [u8; 7] = *b"SHSTORE";
const VERSION: u8 = 4;
const BYTES: usize = BYTES_2 + Branch::BYTES;
/// Its rows stand alone in sled.
const VERSION_3: u8 = 3;
/// Did not say of which journal the events are.
const VERSION_2: u8 = 2;
const BYTES_2: usize = 60;
const FLAG_DAMAGED: u64 = 1;

/// How a file says its version.
pub(crate) const MANIFEST: Versioned = Versioned {
    what: "the manifest of history",
    magic: &MAGIC,
    version_bytes: 1,
    known: VERSION as u32,
    sealed: Sealed::Whole,
};

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
    /// `Corrupt` when the file is not a manifest, `Unavailable` when it cannot be read.
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

    /// The manifest, when an earlier release wrote it.
    ///
    /// # Errors
    /// As [`Manifest::read`].
    pub(super) fn of_earlier_release(dir: &Path) -> Result<Option<Self>> {
        let path = Self::path(dir);
        let bytes = files::read(&path)
            .map_err(|error| Error::io(format!("reading {}", path.display()), error))?;
        let is_ours = bytes.is_none_or(|bytes| bytes.get(MAGIC.len()) == Some(&VERSION));
        if is_ours { Ok(None) } else { Self::read(dir) }
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
        bytes[..7].copy_from_slice(&MAGIC);
        bytes[7] = VERSION;
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
        let magic: [u8; 7] = reader.array()?;
        let has_branch = match (reader.u8()?, bytes.len()) {
            (VERSION | VERSION_3, BYTES) => true,
            (VERSION_2, BYTES_2) => false,
            _ => return None,
        };
        if magic != MAGIC {
            return None;
        }
        Some(Self {
            store_id: reader.array()?,
            first_seq: reader.u64()?,
            watermark: reader.u64()?,
            rows: reader.u64()?,
            damaged: reader.u64()? & FLAG_DAMAGED != 0,
            branch: if has_branch { Branch::decode(&mut reader)? } else { Branch::default() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::branch::Mark;

    #[test]
    fn version_2_is_read_and_knows_of_no_journal() {
        let mut bytes = [0; BYTES_2];
        bytes[..7].copy_from_slice(&MAGIC);
        bytes[7] = VERSION_2;
        (bytes[8], bytes[24], bytes[32], bytes[40]) = (7, 1, 9, 11);
        let crc = crc32c::crc32c(&bytes[..BYTES_2 - 4]);
        bytes[BYTES_2 - 4..].copy_from_slice(&crc.to_le_bytes());
        let manifest = Manifest::decode(&bytes).expect("it is whole");
        assert_eq!((manifest.first_seq, manifest.watermark, manifest.rows), (1, 9, 11));
        assert_eq!(manifest.branch, Branch::default());
    }

    #[cfg(not(stockhold_loom))]
    #[test]
    fn the_manifest_is_written_and_read_as_ever() {
        use crate::base::golden;

        let mut branch = Branch::default();
        branch.follow(9, Mark { salt: 5, crc: 4, segment_first: 2 });
        let store_id = std::array::from_fn(|at| at as u8);
        let manifest =
            Manifest { store_id, first_seq: 3, watermark: 9, rows: 11, damaged: true, branch };
        let mut golden = golden::bytes(
            "534853544f524504000102030405060708090a0b0c0d0e0f030000000000000009000000000000000b0000000000000001000000000000000900000000000000050000000000000004000000",
        );
        golden.resize(BYTES - 20, 0);
        golden.extend_from_slice(&golden::bytes("020000000000000005000000000000004f7499e8"));
        golden::check("the manifest", &manifest.encode(), &golden::hex(&golden));
        assert_eq!(Manifest::decode(&golden), Some(manifest));
        // Version 3 is the same, and says that the rows stand alone.
        let end = golden.len() - 4;
        golden[7] = VERSION_3;
        golden[end..].copy_from_slice(&golden::bytes("3914839b"));
        assert_eq!(Manifest::decode(&golden), Some(manifest));
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
