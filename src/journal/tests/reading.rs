//! Following the journal, pins and the archive.

use std::fs;
use std::thread;

use super::super::Reader;
use super::*;
use crate::base::error::ErrorKind;

fn read(reader: &mut Reader, bytes_max: usize) -> Result<Vec<Record>> {
    let mut found = Vec::new();
    let count = reader.next_batch(bytes_max, &mut |seq, kind, payload| {
        found.push((seq, kind, payload.to_vec()));
        Ok(())
    })?;
    assert_eq!(count, found.len());
    Ok(found)
}

fn read_all(journal: &Journal, from_seq: Seq) -> Vec<Record> {
    read(&mut journal.reader(from_seq).unwrap(), usize::MAX).unwrap()
}

#[test]
fn a_reader_sees_exactly_what_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let mut reader = journal.reader(1).unwrap();
    assert_eq!(read(&mut reader, 1000).unwrap(), []);
    append_group(&journal, 1..=3);
    append(&journal, 4);
    assert_eq!(read(&mut reader, 1000).unwrap(), records(1..=3));
    journal.wait(4).unwrap();
    assert_eq!(read(&mut reader, 1000).unwrap(), records(4..=4));
    assert_eq!(reader.next_seq(), 5);
}

#[test]
fn batches_are_bounded_and_an_error_repeats_the_record() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    append_group(&journal, 1..=500);
    let mut reader = journal.reader(1).unwrap();
    assert_eq!(read(&mut reader, 1).unwrap(), records(1..=1));
    let error = reader.next_batch(1 << 20, &mut |seq, _, _| match seq {
        1..=9 => Ok(()),
        _ => Err(Error::overloaded("enough")),
    });
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Overloaded);
    assert_eq!(reader.next_seq(), 10);
    let mut found = Vec::new();
    while reader.next_seq() <= 500 {
        found.extend(read(&mut reader, 1000).unwrap());
    }
    assert_eq!(found, records(10..=500));
    for from_seq in [1, 77, 250, 499, 500, 501] {
        assert_eq!(read_all(&journal, from_seq), records(from_seq..=500), "from {from_seq}");
    }
}

#[test]
fn a_reader_follows_while_segments_are_written_archived_and_recycled() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    const LAST: Seq = 3000;
    thread::scope(|scope| {
        scope.spawn(|| {
            for seq in 1..=LAST {
                append(&journal, seq);
                if seq % 10 == 0 {
                    journal.wait(seq).unwrap();
                    // Nothing is held back for the readers: they must find it in the archive.
                    journal.set_pin("checkpoint", seq);
                }
            }
        });
        for bytes_max in [1, 5000, 1 << 20] {
            let journal = &journal;
            scope.spawn(move || {
                let mut reader = journal.reader(1).unwrap();
                let mut found = Vec::new();
                while found.len() < LAST as usize {
                    found.extend(read(&mut reader, bytes_max).unwrap());
                }
                assert_eq!(found, records(1..=LAST));
            });
        }
    });
    until("the archive", || {
        // A segment that a reader just held waits for the next errand.
        journal.set_pin("checkpoint", LAST);
        journal.status().segments == 1
    });
    assert_eq!(journal.status().oldest_seq, 1);
    drop(journal);
    // The archive is found again.
    let (journal, _) = open_from(dir.path(), config(), LAST).unwrap();
    assert_eq!(read_all(&journal, 1), records(1..=LAST));
}

#[test]
fn pins_hold_segments_back_and_the_lowest_counts() {
    let dir = tempfile::tempdir().unwrap();
    let no_archive = JournalConfig { archive_bytes_max: None, ..config() };
    let (journal, _) = open_from(dir.path(), no_archive, 1).unwrap();
    journal.set_pin("store", 1);
    append_group(&journal, 1..=1000);
    let all = journal.status().segments;
    assert!(all > 5);
    journal.set_pin("mirror", 1001);
    assert_eq!(read_all(&journal, 1), records(1..=1000));
    journal.set_pin("store", 600);
    until("recycling", || journal.status().segments < all - 2 && journal.status().oldest_seq > 300);
    assert_eq!(read_all(&journal, 600), records(600..=1000));
    let error = journal.reader(1).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let oldest = journal.status().oldest_seq;
    assert!(oldest <= 600 && error.to_string().ends_with(&format!("number {oldest}")), "{error}");
    journal.set_pin("store", Seq::MAX);
    until("recycling", || journal.status().segments == 1);
    until("the end of recycling", || journal.status().spares <= 2);
}

#[test]
fn a_reader_left_behind_is_told_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let no_archive = JournalConfig { archive_bytes_max: None, ..config() };
    let (journal, _) = open_from(dir.path(), no_archive, 1).unwrap();
    append_group(&journal, 1..=10);
    let mut reader = journal.reader(1).unwrap();
    append_group(&journal, 11..=600);
    journal.set_pin("checkpoint", 601);
    until("recycling", || journal.status().segments == 1);
    assert_eq!(read(&mut reader, 1000).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn the_archive_is_bounded_and_gives_up_its_oldest() {
    let dir = tempfile::tempdir().unwrap();
    let small = JournalConfig { archive_bytes_max: Some(20 << 10), ..config() };
    let (journal, _) = open_from(dir.path(), small, 1).unwrap();
    append_group(&journal, 1..=2000);
    journal.set_pin("checkpoint", 2001);
    until("recycling", || journal.status().segments == 1);
    let status = journal.status();
    assert!(status.archive_bytes > 0 && status.archive_bytes <= 20 << 10, "{status:?}");
    assert!(status.oldest_seq > 1);
    assert_eq!(read_all(&journal, status.oldest_seq), records(status.oldest_seq..=2000));
    let on_disk: u64 = fs::read_dir(dir.path().join("archive"))
        .unwrap()
        .map(|e| e.unwrap().metadata().unwrap().len())
        .sum();
    assert_eq!(on_disk, status.archive_bytes);
}

#[test]
fn damage_in_a_live_segment_or_the_archive_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    append_group(&journal, 1..=600);
    let flip = |path: &Path, at: usize| {
        let mut bytes = fs::read(path).unwrap();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    flip(&segment_path(dir.path(), 1), 9000);
    let mut reader = journal.reader(1).unwrap();
    let error = read(&mut reader, usize::MAX).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("segment-0000000000000001.log at offset"), "{error}");
    // The recycler archives what is good and keeps what is not.
    journal.set_pin("checkpoint", 601);
    until("the archive", || journal.status().archive_bytes > 0);
    until("recycling", || !fs::exists(segment_path(dir.path(), 0)).unwrap());
    assert!(fs::exists(segment_path(dir.path(), 1)).unwrap());
    let archived =
        fs::read_dir(dir.path().join("archive")).unwrap().next().unwrap().unwrap().path();
    let middle = fs::read(&archived).unwrap().len() / 2;
    flip(&archived, middle);
    let error = read(&mut journal.reader(1).unwrap(), usize::MAX).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(archived.to_str().unwrap()), "{error}");
}
