//! Which records these are: a number alone does not tell, since every copy of a data directory goes
//! on with the same ones.
//!
//! Every opening of a journal begins a segment with a random salt, and every record is stored under
//! a checksum that begins with it. So salt and checksum of a record name it and all that came
//! before it, in whatever directory it is.

use crate::base::Seq;
use crate::base::bytes::Reader;

/// How many beginnings of segments are remembered.
const STARTS: usize = 16;

/// What tells a record from every other that has its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The salt of the segment that it is in.
    pub(crate) salt: u64,
    /// The checksum that it is stored under.
    pub(crate) crc: u32,
    /// The first record of that segment.
    pub(crate) segment_first: Seq,
}

/// The records up to one, as a follower remembers them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Branch {
    /// The last record; 0 when none was marked.
    seq: Seq,
    salt: u64,
    crc: u32,
    /// First record and salt of the segments that were read last, the newest at the end; zeros
    /// where there are none.
    starts: [(Seq, u64); STARTS],
}

impl Branch {
    pub(crate) const BYTES: usize = 20 + STARTS * 16;

    /// Goes on to the record `seq`.
    pub(crate) fn follow(&mut self, seq: Seq, mark: Mark) {
        let start = (mark.segment_first, mark.salt);
        if self.starts[STARTS - 1] != start {
            self.starts.rotate_left(1);
            self.starts[STARTS - 1] = start;
        }
        (self.seq, self.salt, self.crc) = (seq, mark.salt, mark.crc);
    }

    /// Whether the record `seq` is the one that was followed last, given its mark in a journal;
    /// `None` when it was not marked.
    pub(crate) fn ends_with(&self, seq: Seq, mark: Mark) -> Option<bool> {
        (self.seq == seq).then_some((self.salt, self.crc) == (mark.salt, mark.crc))
    }

    /// Whether the record `seq` was marked.
    pub(crate) fn is_marked(&self, seq: Seq) -> bool {
        self.seq == seq
    }

    /// The last remembered segment that begins no later than with the record `seq`: its first
    /// record, and its salt.
    pub(crate) fn segment_by(&self, seq: Seq) -> Option<(Seq, u64)> {
        self.starts.iter().rev().copied().find(|(first, _)| (1..=seq).contains(first))
    }

    /// The records by which a journal is known to be the one that was followed.
    #[cfg(feature = "audit")]
    pub(crate) fn witnesses(self) -> impl Iterator<Item = Seq> {
        let firsts = self.starts.into_iter().map(|(first, _)| first);
        firsts.chain([self.seq]).filter(|seq| *seq > 0)
    }

    pub(crate) fn encode(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.seq.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.salt.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.crc.to_le_bytes());
        for (field, (first, salt)) in bytes[20..].chunks_exact_mut(16).zip(self.starts) {
            field[..8].copy_from_slice(&first.to_le_bytes());
            field[8..].copy_from_slice(&salt.to_le_bytes());
        }
        bytes
    }

    /// What the next bytes say.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let mut branch =
            Self { seq: reader.u64()?, salt: reader.u64()?, crc: reader.u32()?, ..Self::default() };
        for start in &mut branch.starts {
            *start = (reader.u64()?, reader.u64()?);
        }
        Some(branch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_reads_back_and_remembers_where_the_newest_segments_began() {
        let mut branch = Branch::default();
        assert_eq!(branch.segment_by(Seq::MAX), None);
        for segment in 0..40 {
            let first = segment * 10 + 1;
            for seq in first..first + 10 {
                branch.follow(
                    seq,
                    Mark { salt: segment + 100, crc: seq as u32, segment_first: first },
                );
            }
        }
        let mark = |salt, crc| Mark { salt, crc, segment_first: 391 };
        assert_eq!(branch.ends_with(400, mark(139, 400)), Some(true));
        assert_eq!(branch.ends_with(400, mark(138, 400)), Some(false), "another segment");
        assert_eq!(branch.ends_with(400, mark(139, 401)), Some(false), "another record");
        assert_eq!(branch.ends_with(399, mark(139, 399)), None, "nobody knows");
        assert_eq!(branch.segment_by(400), Some((391, 139)));
        assert_eq!(branch.segment_by(390), Some((381, 138)));
        assert_eq!(branch.segment_by(241), Some((241, 124)), "the oldest of them");
        assert_eq!(branch.segment_by(240), None, "it is forgotten");
        let bytes = branch.encode();
        assert_eq!(Branch::decode(&mut Reader::new(&bytes)), Some(branch));
        assert_eq!(Branch::decode(&mut Reader::new(&bytes[1..])), None);
    }
}
