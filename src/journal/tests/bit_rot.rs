//! Damage at rest, tried without exception: every bit, every length, every segment in another's
//! place. Would catch damage that is taken for a crash, or for nothing.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::super::recovery::recover;
use super::super::segment::{HEADER_BYTES, segment_name};
use super::*;
use crate::base::error::ErrorKind;
use crate::vfs::crash::CrashVfs;

const SMALL: u64 = 8 << 10;
/// The last group, whose damage looks like a torn write: no later group vouches for it.
const LAST_GROUP: RangeInclusive<Seq> = 97..=100;

/// What damage came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// Every record is there.
    Harmless,
    /// The journal ends in its last group.
    TornTail,
    /// It is refused, naming the file and the offset.
    Refused,
}

fn dir() -> &'static Path {
    Path::new("data")
}

fn segment(index: u64) -> PathBuf {
    dir().join("journal").join(segment_name(index))
}

/// A journal of three segments and 100 records, as a crash leaves it.
fn journal() -> CrashVfs {
    let vfs = CrashVfs::new(7);
    let config = JournalConfig { segment_bytes: SMALL, ..JournalConfig::default() };
    let journal =
        Journal::open(Arc::new(vfs.clone()), dir(), config, 1, &mut |_, _, _| Ok(())).unwrap();
    append_singly(&journal, 1..=LAST_GROUP.start() - 1);
    append_group(&journal, LAST_GROUP);
    let left = vfs.duplicate();
    drop(journal);
    assert_eq!(verdict(&left), Verdict::Harmless);
    assert!(
        left.bytes(&segment(2)).is_some() && left.bytes(&segment(3)).is_none(),
        "there are three segments"
    );
    left
}

/// Reads the journal. What is read is always a prefix of what was written.
fn verdict(vfs: &CrashVfs) -> Verdict {
    let mut found = Vec::new();
    let before = vfs.files();
    let outcome = recover(vfs, &dir().join("journal"), 1, &mut |seq, kind, payload| {
        found.push((seq, kind, payload.to_vec()));
        Ok(())
    });
    assert_eq!(found, records(1..=found.len() as Seq), "what is read is a prefix");
    assert_eq!(vfs.files(), before, "nothing is changed");
    match outcome {
        Ok(_) if found.len() == 100 => Verdict::Harmless,
        Ok(_) => {
            assert!(
                found.len() as Seq >= LAST_GROUP.start() - 1,
                "{} records are left",
                found.len()
            );
            Verdict::TornTail
        }
        Err(error) => {
            let told = error.to_string();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{told}");
            assert!(
                told.contains("segment-") && told.contains("at offset") && told.contains("Restore"),
                "{told}"
            );
            Verdict::Refused
        }
    }
}

/// Each way of damage on its own, and how often it came to what.
fn count(damaged: impl Iterator<Item = CrashVfs>) -> BTreeMap<Verdict, usize> {
    let mut counts = BTreeMap::new();
    for vfs in damaged {
        *counts.entry(verdict(&vfs)).or_default() += 1;
    }
    println!("{counts:?}");
    counts
}

fn with(vfs: &CrashVfs, index: u64, bytes: Option<Vec<u8>>) -> CrashVfs {
    let changed = vfs.duplicate();
    changed.put(&segment(index), bytes);
    changed
}

#[test]
fn every_bit_of_a_journal() {
    let vfs = journal();
    for index in 0..3 {
        let bytes = vfs.bytes(&segment(index)).unwrap();
        let flipped = |bit: usize| {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            with(&vfs, index, Some(bytes))
        };
        let counts = count((0..bytes.len() * 8).map(flipped));
        let refused = counts.get(&Verdict::Refused).copied().unwrap_or_default();
        assert!(
            refused > HEADER_BYTES * 8,
            "the header and every record but the last group's are guarded: {counts:?}"
        );
        assert_eq!(
            counts.contains_key(&Verdict::TornTail),
            index == 2,
            "only the last group can look torn"
        );
    }
}

#[test]
fn every_length_of_a_segment() {
    let vfs = journal();
    for index in 0..3 {
        let bytes = vfs.bytes(&segment(index)).unwrap();
        let counts =
            count((0..bytes.len()).map(|length| with(&vfs, index, Some(bytes[..length].to_vec()))));
        assert_eq!(counts, BTreeMap::from([(Verdict::Refused, bytes.len())]));
    }
}

#[test]
fn segments_in_the_place_of_others() {
    let vfs = journal();
    let content = |index| vfs.bytes(&segment(index));
    for (from, to) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (0, 3), (2, 3), (2, 4)] {
        assert_eq!(
            verdict(&with(&vfs, to, content(from))),
            Verdict::Refused,
            "{from} also as {to}"
        );
        let swapped = with(&with(&vfs, to, content(from)), from, content(to));
        assert_eq!(verdict(&swapped), Verdict::Refused, "{from} and {to} swapped");
    }
    assert_eq!(verdict(&with(&vfs, 0, None)), Verdict::Refused, "the first is gone");
    assert_eq!(verdict(&with(&vfs, 1, None)), Verdict::Refused, "one between is gone");
}

/// Left out are the sectors of the very last record: where no record follows the damage, nothing
/// vouches for what was there.
#[test]
fn a_sector_of_zeros_anywhere() {
    let vfs = journal();
    let mut all = BTreeMap::new();
    for index in 0..3 {
        let bytes = vfs.bytes(&segment(index)).unwrap();
        let last_record =
            bytes.iter().rposition(|byte| *byte != 0).unwrap() - (24 + record(100).2.len());
        let zeroed = |sector: usize| {
            let mut bytes = bytes.clone();
            bytes[sector * 512..(sector + 1) * 512].fill(0);
            with(&vfs, index, Some(bytes))
        };
        let sectors =
            (0..bytes.len() / 512).filter(|sector| index < 2 || (sector + 1) * 512 <= last_record);
        for (verdict, cases) in count(sectors.map(zeroed)) {
            *all.entry(verdict).or_insert(0) += cases;
        }
    }
    assert!(all[&Verdict::Refused] > 20, "{all:?}");
}
