//! Reopening after a clean end, a torn one, and damage.

use std::fs;
use std::os::unix::fs::FileExt;

use super::super::segment::HEADER_BYTES;
use super::*;
use crate::base::error::ErrorKind;
use crate::vfs::crash::{CrashVfs, Fault};

#[test]
fn records_survive_reopening_across_rollovers() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = 0;
    for _ in 0..4 {
        let (journal, found) = open(dir.path());
        assert_eq!(found, records(1..=last));
        append_singly(&journal, last + 1..=last + 150);
        append_group(&journal, last + 151..=last + 200);
        last += 200;
        assert_eq!(journal.last_seq(), last);
    }
    assert!(fs::exists(segment_path(dir.path(), 6)).unwrap());
}

#[test]
fn replay_starts_where_it_is_asked_to() {
    let dir = tempfile::tempdir().unwrap();
    append_group(&open(dir.path()).0, 1..=300);
    let (_journal, found) = open_from(dir.path(), config(), 250).unwrap();
    assert_eq!(found, records(250..=300));
    let (journal, found) = open_from(dir.path(), config(), 301).unwrap();
    assert_eq!((found.len(), journal.last_seq()), (0, 300));
}

#[test]
fn a_failing_replay_fails_the_opening() {
    let dir = tempfile::tempdir().unwrap();
    append_group(&open(dir.path()).0, 1..=3);
    let outcome = Journal::open(Arc::new(RealVfs), dir.path(), config(), 1, &mut |seq, _, _| {
        if seq < 2 { Ok(()) } else { Err(Error::invalid("no such kind")) }
    });
    assert_eq!(outcome.err().unwrap().kind(), ErrorKind::Invalid);
}

#[test]
fn a_journal_that_does_not_reach_the_checkpoint_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let kind = |from_seq| open_from(dir.path(), config(), from_seq).err().map(|error| error.kind());
    assert_eq!(kind(5), Some(ErrorKind::Corrupt));
    append_group(&open(dir.path()).0, 1..=3);
    assert_eq!(kind(4), None);
    assert_eq!(kind(5), Some(ErrorKind::Corrupt));
}

#[test]
fn a_restored_directory_starts_at_the_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let restored = JournalConfig { restored: true, ..config() };
    let (journal, found) = open_from(dir.path(), restored, 500).unwrap();
    assert_eq!(found, []);
    append_group(&journal, 500..=510);
    drop(journal);
    assert_eq!(open_from(dir.path(), config(), 500).unwrap().1, records(500..=510));
    let error = refused(dir.path());
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("starts at record 500"), "{error}");
}

/// A journal with groups 1 to 4 and 5 to 8 in its first segment; the bytes of that, and where the
/// second group starts and ends.
fn two_groups(dir: &Path) -> (Vec<u8>, usize, usize) {
    let (journal, _) = open(dir);
    append_group(&journal, 1..=4);
    append_group(&journal, 5..=8);
    drop(journal);
    let bytes = fs::read(segment_path(dir, 0)).unwrap();
    let len = |seqs| {
        records(seqs).iter().map(|(_, _, payload)| (24 + payload.len()).next_multiple_of(8)).sum()
    };
    let (first, second): (usize, usize) = (len(1..=4), len(5..=8));
    (bytes, HEADER_BYTES + first, HEADER_BYTES + first + second)
}

/// Puts `bytes` in place of a journal's only segment.
fn only_segment(dir: &Path, bytes: &[u8]) {
    fs::remove_dir_all(dir.join("journal")).unwrap();
    fs::create_dir(dir.join("journal")).unwrap();
    fs::write(segment_path(dir, 0), bytes).unwrap();
}

#[test]
fn a_group_torn_at_any_byte_leaves_the_prefix() {
    let dir = tempfile::tempdir().unwrap();
    let (bytes, start, end) = two_groups(dir.path());
    for at in start..=end {
        let mut zeroed = bytes.clone();
        zeroed[at..].fill(0);
        only_segment(dir.path(), &zeroed);
        let (journal, found) = open(dir.path());
        assert!(found.len() >= 4 && (at < end || found.len() == 8), "byte {at}: {}", found.len());
        assert_eq!(found, records(1..=found.len() as Seq));
        // Life goes on behind the tear, and the next opening sees both.
        let next = found.len() as Seq + 1;
        append_group(&journal, next..=next);
        drop(journal);
        assert_eq!(open(dir.path()).1, records(1..=next));
    }
}

#[test]
fn pages_of_the_last_group_may_arrive_in_any_order() {
    let dir = tempfile::tempdir().unwrap();
    let (bytes, start, _) = two_groups(dir.path());
    let mut torn = bytes;
    // The first frame of the group is missing, the later ones are there.
    torn[start..start + 24].fill(0);
    only_segment(dir.path(), &torn);
    let (journal, found) = open(dir.path());
    assert_eq!(found, records(1..=4));
    // The remains carry the numbers 6 to 8 too, and must not come back.
    append_group(&journal, 5..=6);
    drop(journal);
    assert_eq!(open(dir.path()).1, records(1..=6));
}

#[test]
fn a_flipped_byte_before_a_later_group_is_corruption() {
    let dir = tempfile::tempdir().unwrap();
    let (bytes, start, _) = two_groups(dir.path());
    for at in HEADER_BYTES..start {
        let mut bad = bytes.clone();
        bad[at] ^= 0x40;
        only_segment(dir.path(), &bad);
        let error = refused(dir.path());
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let message = error.to_string();
        assert!(message.contains(&segment_path(dir.path(), 0).display().to_string()), "{message}");
        let offset: usize =
            message.split("offset ").nth(1).unwrap().split(':').next().unwrap().parse().unwrap();
        assert!((HEADER_BYTES..=at).contains(&offset) && at - offset < 160, "byte {at}: {message}");
        assert_eq!(fs::read(segment_path(dir.path(), 0)).unwrap(), bad, "nothing is changed");
    }
}

#[test]
fn a_bad_header_is_corruption() {
    let dir = tempfile::tempdir().unwrap();
    let (bytes, _, _) = two_groups(dir.path());
    for at in [0, 9, 20, 30, 40, 50, 2000, HEADER_BYTES - 1] {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        only_segment(dir.path(), &bad);
        assert_eq!(refused(dir.path()).kind(), ErrorKind::Corrupt, "byte {at}");
    }
    only_segment(dir.path(), &bytes[..HEADER_BYTES - 1]);
    assert_eq!(refused(dir.path()).kind(), ErrorKind::Corrupt);
    only_segment(dir.path(), &bytes);
    fs::rename(segment_path(dir.path(), 0), segment_path(dir.path(), 1)).unwrap();
    assert_eq!(refused(dir.path()).kind(), ErrorKind::Corrupt);
}

#[test]
fn a_sealed_segment_must_reach_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    append_group(&open(dir.path()).0, 1..=400);
    let first = fs::OpenOptions::new().write(true).open(segment_path(dir.path(), 0)).unwrap();
    first.write_all_at(&[0xff], SEGMENT_BYTES - 400).unwrap();
    let error = refused(dir.path());
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("segment-0000000000000000.log at offset"), "{error}");
}

#[test]
fn a_missing_segment_is_corruption() {
    let dir = tempfile::tempdir().unwrap();
    append_group(&open(dir.path()).0, 1..=600);
    fs::remove_file(segment_path(dir.path(), 1)).unwrap();
    let error = refused(dir.path());
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("segment-0000000000000001.log"), "{error}");
    fs::remove_file(segment_path(dir.path(), 0)).unwrap();
    assert!(refused(dir.path()).to_string().contains("record 1 is needed"));
}

#[test]
fn recycled_segments_do_not_revive_what_they_held() {
    let dir = tempfile::tempdir().unwrap();
    let no_archive = JournalConfig { archive_bytes_max: None, ..config() };
    let mut last = 0;
    for _ in 0..5 {
        let (journal, found) = open_from(dir.path(), no_archive.clone(), last + 1).unwrap();
        assert_eq!(found, []);
        assert_eq!(journal.last_seq(), last);
        append_group(&journal, last + 1..=last + 500);
        last += 500;
        journal.set_pin("test", last + 1);
        until("recycling", || journal.status().segments == 1);
        // A few frames in a recycled segment that is full of stale ones.
        append_group(&journal, last + 1..=last + 3);
        last += 3;
    }
    let (_journal, found) = open_from(dir.path(), no_archive, last - 2).unwrap();
    assert_eq!(found, records(last - 2..=last));
}

#[test]
fn spares_that_are_unfinished_or_of_another_size_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    append_group(&open(dir.path()).0, 1..=10);
    fs::write(dir.path().join("journal/spare-7.tmp"), b"half").unwrap();
    fs::write(dir.path().join("journal/spare-8.log"), b"half").unwrap();
    let larger = JournalConfig { segment_bytes: 4 * SEGMENT_BYTES, ..config() };
    let (journal, found) = open_from(dir.path(), larger, 1).unwrap();
    assert_eq!(found, records(1..=10));
    append_group(&journal, 11..=400);
    drop(journal);
    for name in ["spare-7.tmp", "spare-8.log"] {
        assert!(!fs::exists(dir.path().join("journal").join(name)).unwrap(), "{name}");
    }
    assert_eq!(open(dir.path()).1, records(1..=400));
}

/// A journal without threads on a file system that can fail, and what it replays.
fn open_stepped(vfs: &CrashVfs, salt: u64, from_seq: Seq) -> (Arc<Journal>, Vec<Record>) {
    let config = JournalConfig { stepped: Some(salt), archive_bytes_max: None, ..config() };
    let mut found = Vec::new();
    let each = &mut |seq, kind, payload: &[u8]| {
        found.push((seq, kind, payload.to_vec()));
        Ok(())
    };
    let journal = Journal::open(Arc::new(vfs.clone()), Path::new("data"), config, from_seq, each);
    (journal.unwrap_or_else(|error| panic!("{error}")), found)
}

/// After a failed sync the kernel shows pages that no later sync writes. A process that starts
/// again on them would otherwise acknowledge what comes after a gap.
#[test]
fn a_group_whose_sync_failed_is_written_again_before_anything_follows() {
    let mut found_again = 0;
    for seed in 0..60 {
        let vfs = CrashVfs::new(seed);
        let (journal, _) = open_stepped(&vfs, 1, 1);
        append_group(&journal, 1..=3);
        (4..=20).for_each(|seq| append(&journal, seq));
        // A group is one write and one sync.
        vfs.fault_at(vfs.operations() + 1, Fault::Fail);
        assert!(journal.wait(20).is_err());
        drop(journal);
        let (journal, found) = open_stepped(&vfs, 2, 1);
        let last = found.len() as Seq;
        found_again += last - 3;
        append_group(&journal, last + 1..=last + 2);
        drop(journal);
        assert_eq!(open_stepped(&vfs.crash(seed), 3, 1).1, records(1..=last + 2), "seed {seed}");
    }
    assert!(found_again > 0, "no record of the group was found again");
}

/// A segment that could not be recycled stayed behind when later ones went, and the next opening
/// refused the hole.
#[test]
fn upkeep_that_fails_at_any_operation_leaves_no_hole() {
    let mut failed = 0;
    for operation in 0.. {
        let vfs = CrashVfs::new(operation);
        let (journal, _) = open_stepped(&vfs, 1, 1);
        append_singly(&journal, 1..=600);
        journal.set_pin("test", 500);
        vfs.fault_at(vfs.operations() + operation, Fault::Fail);
        journal.run_errand();
        if vfs.struck().is_empty() {
            break;
        }
        failed += 1;
        for crash in 0..4 {
            assert_eq!(
                open_stepped(&vfs.crash(crash), 2, 500).1,
                records(500..=600),
                "operation {operation}"
            );
        }
        journal.set_pin("test", 590);
        journal.run_errand();
        drop(journal);
        assert_eq!(open_stepped(&vfs, 3, 590).1, records(590..=600), "operation {operation}");
    }
    assert!(failed > 5, "only {failed} operations were made to fail");
}

/// What the directory of a journal takes, in bytes.
fn bytes_of(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir.join("journal")).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn an_empty_journal_is_small_however_often_it_is_opened_and_segments_grow_with_what_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let config = |seed| JournalConfig {
        stepped: Some(seed),
        segment_bytes: 8 << 20,
        ..JournalConfig::default()
    };
    for seed in 0..4 {
        let (journal, _) = open_from(dir.path(), config(seed), 1).unwrap();
        journal.run_errand();
        assert_eq!((journal.status().spares, bytes_of(dir.path())), (1, (seed + 1 + 4) << 20));
    }
    let (journal, _) = open_from(dir.path(), config(9), 1).unwrap();
    let mut sizes = Vec::new();
    let mut segments = journal.status();
    for _ in 0..60 {
        let seq = journal.append(0, |out| out.resize(out.len() + (300 << 10), 1));
        journal.wait(seq).unwrap();
        journal.run_errand();
        let now = journal.status();
        if now.segments > segments.segments {
            sizes.push((now.segment_bytes - segments.segment_bytes) >> 20);
        }
        segments = now;
    }
    assert_eq!(sizes, [4, 8, 8], "and each of them was a spare before: written zeros");
    drop(journal);
    let mut records = 0;
    Journal::open(Arc::new(RealVfs), dir.path(), config(10), 1, &mut |_, _, _| {
        records += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(records, 60, "segments of several sizes are read");
}
