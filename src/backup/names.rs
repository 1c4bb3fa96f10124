//! What the objects of a backup are called. A name says all that has to be known of an object
//! before it is fetched, so that a backup needs no index that could disagree with it.

use serde::Serialize;

use crate::base::{Seq, TimeMs};

/// Says whose backup it is; see [`super::repository`].
pub(super) const HEAD: &str = "backup.json";
pub(super) const JOURNAL: &str = "journal/";
pub(super) const SNAPSHOTS: &str = "snapshots/";

/// The records of one segment of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SegmentName {
    /// The first and the last record.
    pub(super) first_seq: Seq,
    pub(super) last_seq: Seq,
    /// When the first happened.
    pub(super) at: TimeMs,
    /// Salt and checksum of the last, which tell it from every other record of its number.
    pub(super) salt: u64,
    pub(super) crc: u32,
}

impl SegmentName {
    pub(super) fn object(&self) -> String {
        let Self { first_seq, last_seq, at, salt, crc } = self;
        format!("{JOURNAL}{first_seq:020}-{last_seq:020}-{at:020}-{salt:016x}-{crc:08x}")
    }

    pub(super) fn parse(object: &str) -> Option<Self> {
        let mut parts = object.strip_prefix(JOURNAL)?.split('-');
        let name = Self {
            first_seq: parts.next()?.parse().ok()?,
            last_seq: parts.next()?.parse().ok()?,
            at: parts.next()?.parse().ok()?,
            salt: u64::from_str_radix(parts.next()?, 16).ok()?,
            crc: u32::from_str_radix(parts.next()?, 16).ok()?,
        };
        let is_sound = (1..=name.last_seq).contains(&name.first_seq);
        (is_sound && name.object() == object).then_some(name)
    }

    /// Whether it holds all that `other` does: the same segment, as far or further.
    pub(super) fn covers(&self, other: &Self) -> bool {
        (self.first_seq, self.salt) == (other.first_seq, other.salt)
            && self.last_seq >= other.last_seq
    }
}

/// A snapshot of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SnapshotName {
    /// The last event that it shows.
    pub(crate) last_seq: Seq,
    /// The first event that is needed to go on from it.
    pub(super) from_seq: Seq,
    /// When it was taken.
    pub(crate) at: TimeMs,
}

impl SnapshotName {
    pub(super) fn object(&self) -> String {
        let Self { last_seq, from_seq, at } = self;
        format!("{SNAPSHOTS}{last_seq:020}-{from_seq:020}-{at:020}")
    }

    pub(super) fn parse(object: &str) -> Option<Self> {
        let mut parts = object.strip_prefix(SNAPSHOTS)?.split('-');
        let mut number = || parts.next()?.parse().ok();
        let name = Self { last_seq: number()?, from_seq: number()?, at: number()? };
        (name.object() == object).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_nothing_else_is_one() {
        let segment =
            SegmentName { first_seq: 7, last_seq: 90, at: 1_772_357_400_000, salt: 0xab, crc: 5 };
        assert_eq!(SegmentName::parse(&segment.object()), Some(segment));
        let snapshot = SnapshotName { last_seq: 90, from_seq: 88, at: 1_772_357_400_000 };
        assert_eq!(SnapshotName::parse(&snapshot.object()), Some(snapshot));
        let (salt, crc) = ("00000000000000ab", "00000005");
        assert_eq!(
            segment.object(),
            format!(
                "journal/00000000000000000007-00000000000000000090-00000001772357400000-{salt}-{crc}"
            )
        );
        assert_eq!(
            snapshot.object(),
            "snapshots/00000000000000000090-00000000000000000088-00000001772357400000"
        );
        let backwards = SegmentName { first_seq: 91, ..segment };
        for wrong in [
            "journal/",
            "journal/7-90-1-ab-5",
            &snapshot.object(),
            &format!("{}-0", segment.object()),
            &segment.object().to_uppercase(),
            &backwards.object(),
        ] {
            assert_eq!(SegmentName::parse(wrong), None, "{wrong}");
        }
        assert_eq!(SnapshotName::parse(&segment.object()), None);
    }

    #[test]
    fn a_segment_covers_what_was_copied_of_it_before() {
        let long = SegmentName { first_seq: 7, last_seq: 90, at: 1, salt: 3, crc: 5 };
        let short = SegmentName { last_seq: 80, crc: 6, ..long };
        assert!(long.covers(&short) && long.covers(&long));
        assert!(!short.covers(&long));
        assert!(!long.covers(&SegmentName { salt: 4, ..short }), "another segment");
    }
}
