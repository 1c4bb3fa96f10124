//! A checkpoint damaged at rest. Would catch a snapshot that is believed although it rotted, and
//! one that is not missed although the journal no longer reaches back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::*;
use crate::base::clock::ManualClock;
use crate::base::error::Error;
use crate::base::error::ErrorKind;
use crate::event::Policy;
use crate::ledger::Line;
use crate::ledger::Receive;
use crate::ledger::Reserve;
use crate::vfs::crash::CrashVfs;

fn open(vfs: &CrashVfs) -> Result<Engine> {
    let builder =
        Engine::builder(Path::new("data")).vfs(vfs.clone()).history(false).segment_bytes(128 << 10);
    builder.clock(Arc::new(ManualClock::new(1_000))).archive_bytes_max(None).open()
}

fn snapshots(vfs: &CrashVfs) -> Vec<PathBuf> {
    let files = vfs.files().into_iter().map(|(path, _)| path);
    files.filter(|path| path.starts_with("data/checkpoint")).collect()
}

/// A ledger with two checkpoints and events before, between and after them, and what it shows.
fn ledger() -> (CrashVfs, Vec<Level>) {
    let vfs = CrashVfs::new(3);
    let engine = open(&vfs).expect("it opens");
    let key = AccountKey::stock("tea").expect("a valid key");
    let tea = engine.open_account(&key, Policy::strict()).expect("there is room");
    engine.receive(Receive::new(tea, 100)).and_then(Ticket::wait).expect("it is received");
    for round in 0..3 {
        let lines = [Line { account: tea, quantity: 1 + round }];
        engine.reserve(Reserve::new(&lines, 100)).and_then(Ticket::wait).expect("it is taken");
        if round < 2 {
            engine.checkpoint().expect("it is written");
        }
    }
    let levels = engine.levels();
    let left = vfs.duplicate();
    assert_eq!(snapshots(&left).len(), 2);
    (left, levels)
}

/// Opens, and says whether it did; a directory that opens shows `levels`.
fn opens(vfs: &CrashVfs, levels: &[Level], what: &str) -> bool {
    match open(vfs) {
        Ok(engine) => {
            assert_eq!(engine.levels(), levels, "{what}");
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
            false
        }
    }
}

#[test]
fn every_bit_and_length_of_a_checkpoint() {
    let (vfs, _) = ledger();
    let path = snapshots(&vfs).pop().expect("there are two");
    let bytes = vfs.bytes(&path).expect("it is there");
    files::snapshot::parse(bytes.clone())
        .unwrap_or_else(|(offset, what)| panic!("{offset}: {what}"));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let (offset, _) = files::snapshot::parse(flipped)
            .err()
            .unwrap_or_else(|| panic!("bit {bit} is not missed"));
        assert!(offset <= bit / 8, "the damage at byte {} is said to be at {offset}", bit / 8);
    }
    for length in 0..bytes.len() {
        assert!(
            files::snapshot::parse(bytes[..length].to_vec()).is_err(),
            "{length} bytes are taken for all"
        );
    }
    println!("{} bits and {} lengths, each noticed", bytes.len() * 8, bytes.len());
}

#[test]
fn a_damaged_checkpoint_changes_nothing_while_the_journal_has_it_all() {
    let (vfs, levels) = ledger();
    let paths = snapshots(&vfs);
    let mut tried = 0;
    for path in &paths {
        let bytes = vfs.bytes(path).expect("it is there");
        for at in (0..bytes.len()).step_by(97) {
            for damaged in [None, Some(bytes[..at].to_vec()), Some(flip(&bytes, at))] {
                let left = vfs.duplicate();
                left.put(path, damaged);
                assert!(opens(&left, &levels, &format!("{} at {at}", path.display())));
                tried += 1;
            }
        }
    }
    let neither = vfs.duplicate();
    paths.iter().for_each(|path| neither.put(path, None));
    assert!(opens(&neither, &levels, "without any checkpoint"));
    let swapped = vfs.duplicate();
    swapped.put(&paths[0], vfs.bytes(&paths[1]));
    swapped.put(&paths[1], vfs.bytes(&paths[0]));
    assert!(opens(&swapped, &levels, "with each under the other's name"));
    println!("{tried} damaged checkpoints");
}

#[test]
fn any_bit_of_the_records_is_missed_or_refused() {
    let (vfs, levels) = ledger();
    let segment = vfs
        .files()
        .into_iter()
        .map(|(path, _)| path)
        .find(|path| path.ends_with("segment-0000000000000000.log"));
    let segment = segment.expect("there is a segment");
    let bytes = vfs.bytes(&segment).expect("it is there");
    let used = bytes.iter().rposition(|byte| *byte != 0).expect("there are records") + 1;
    let mut counts: BTreeMap<bool, usize> = BTreeMap::new();
    for at in (0..used).step_by(3) {
        let left = vfs.duplicate();
        left.put(&segment, Some(flip(&bytes, at)));
        // The last record alone looks torn, unless a checkpoint shows it: here none does.
        let engine = open(&left);
        let kind = engine.as_ref().map_err(Error::kind).map(|engine| engine.durable_seq());
        match kind {
            Ok(5) => assert_eq!(engine.expect("it opened").levels(), levels),
            Ok(last) => assert_eq!((last, at > used - 96), (4, true), "byte {at}"),
            Err(kind) => assert_eq!(kind, ErrorKind::Corrupt, "byte {at}"),
        }
        *counts.entry(kind.is_ok()).or_default() += 1;
    }
    println!("opened or refused: {counts:?}");
    assert!(counts[&false] > 1_000, "{counts:?}");
}

fn flip(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[at] ^= 0x20;
    flipped
}
