//! What a crash may take and what it must leave.

use std::collections::BTreeSet;

use super::content::{SECTOR, STALE};
use super::*;
use crate::vfs::create_dir_all;

const FILE: &str = "d/a";

fn at(path: &str) -> &Path {
    Path::new(path)
}

/// A directory with one file of two durable sectors of ones.
fn started() -> (CrashVfs, Box<dyn VfsFile>) {
    let vfs = CrashVfs::new(1);
    create_dir_all(&vfs, at("d")).expect("it is created");
    let file = vfs.create(at(FILE)).expect("it is created");
    file.write_at(&[1; 2 * SECTOR], 0).expect("it is written");
    file.sync().expect("it is synced");
    vfs.sync_dir(at("d")).expect("it is synced");
    (vfs, file)
}

/// What is found after each of many crashes, in which the file is looked at by `look`.
fn found<T: Ord>(vfs: &CrashVfs, look: impl Fn(&CrashVfs) -> T) -> BTreeSet<T> {
    (0..200).map(|seed| look(&vfs.crash(seed))).collect()
}

fn sectors(vfs: &CrashVfs) -> Option<Vec<u8>> {
    let bytes = vfs.bytes(at(FILE))?;
    assert!(
        bytes.chunks(SECTOR).all(|sector| sector.iter().all(|byte| *byte == sector[0])),
        "no sector is torn"
    );
    Some(bytes.chunks(SECTOR).map(|sector| sector[0]).collect())
}

#[test]
fn what_was_synced_stays() {
    let (vfs, _file) = started();
    assert_eq!(found(&vfs, sectors), BTreeSet::from([Some(vec![1, 1])]));
}

#[test]
fn each_unsynced_sector_is_old_or_new() {
    let (vfs, file) = started();
    file.write_at(&[2; 2 * SECTOR], 0).expect("it is written");
    assert_eq!(sectors(&vfs), Some(vec![2, 2]), "programs see what was written");
    let all = [[1, 1], [1, 2], [2, 1], [2, 2]].map(|sectors| Some(sectors.to_vec()));
    assert_eq!(found(&vfs, sectors), BTreeSet::from(all));
}

#[test]
fn an_unsynced_length_may_come_without_its_bytes() {
    let (vfs, file) = started();
    file.write_at(&[3; SECTOR], 2 * SECTOR as u64).expect("it is written");
    let all = [vec![1, 1], vec![1, 1, 0], vec![1, 1, 3], vec![1, 1, STALE]].map(Some);
    assert_eq!(found(&vfs, sectors), BTreeSet::from(all));
}

#[test]
fn names_are_lost_without_a_sync_of_their_directory() {
    let (vfs, _file) = started();
    let new = vfs.create(at("d/b")).expect("it is created");
    new.write_at(&[5; SECTOR], 0).expect("it is written");
    new.sync().expect("it is synced");
    let is_there = |path: &'static str| move |vfs: &CrashVfs| vfs.bytes(Path::new(path)).is_some();
    assert_eq!(found(&vfs, is_there("d/b")), BTreeSet::from([false, true]));
    vfs.sync_dir(at("d")).expect("it is synced");
    assert_eq!(found(&vfs, is_there("d/b")), BTreeSet::from([true]));
    vfs.remove(at("d/b")).expect("it is removed");
    assert_eq!(
        found(&vfs, is_there("d/b")),
        BTreeSet::from([false, true]),
        "a removal may be undone"
    );
}

#[test]
fn a_rename_happens_or_does_not() {
    let (vfs, _file) = started();
    vfs.rename(at(FILE), at("d/c")).expect("it is renamed");
    let names = |vfs: &CrashVfs| vfs.list(at("d")).expect("the directory is there");
    assert_eq!(found(&vfs, names), BTreeSet::from([vec!["a".to_owned()], vec!["c".to_owned()]]));
}

#[test]
fn after_a_power_cut_nothing_works() {
    let (vfs, file) = started();
    vfs.fault_at(vfs.operations(), Fault::PowerCut);
    assert!(file.write_at(&[2; 2 * SECTOR], 0).is_err(), "its caller does not hear of it");
    assert!(vfs.is_off());
    for outcome in
        [file.sync(), vfs.sync_dir(at("d")), vfs.remove(at(FILE)), vfs.list(at("d")).map(drop)]
    {
        assert!(outcome.is_err());
    }
    assert_eq!(found(&vfs, sectors).len(), 4, "the write was under way");
    assert_eq!(vfs.struck(), [(Operation::Write, Fault::PowerCut)]);
}

#[test]
fn faults_strike_where_they_are_meant() {
    let (vfs, file) = started();
    vfs.fault_at(vfs.operations(), Fault::Fail);
    assert!(file.write_at(&[2; 2 * SECTOR], 0).is_err());
    assert_eq!(sectors(&vfs), Some(vec![1, 1]), "what fails does nothing");
    vfs.fault_at(vfs.operations(), Fault::Short);
    assert!(file.write_at(&[2; 2 * SECTOR], 0).is_err());
    assert_eq!(sectors(&vfs), Some(vec![2, 1]), "what is short does half");
    vfs.fault_at(vfs.operations(), Fault::Short);
    assert_eq!(file.read_at(&mut [0; 8], 0).expect("it is read"), 4);
    vfs.fault_at(vfs.operations(), Fault::DiskFull);
    assert!(
        file.write_at(&[9; SECTOR], 2 * SECTOR as u64).is_err(),
        "there is no room beyond the end"
    );
    file.write_at(&[7; SECTOR], 0).expect("there is room where bytes were");
    assert!(vfs.create(at("d/b")).is_err());
    vfs.make_room();
    vfs.create(at("d/b")).expect("there is room again");
}

#[test]
fn one_seed_is_one_crash() {
    let (vfs, file) = started();
    file.write_at(&[2; 2 * SECTOR], 0).expect("it is written");
    for seed in 0..20 {
        assert_eq!(sectors(&vfs.crash(seed)), sectors(&vfs.crash(seed)));
    }
}

#[test]
fn a_sync_that_failed_forgets_what_it_has_not_written() {
    let mut kept = BTreeSet::new();
    for seed in 0..50 {
        let vfs = CrashVfs::new(seed);
        create_dir_all(&vfs, at("d")).expect("it is created");
        let file = vfs.create(at(FILE)).expect("it is created");
        file.write_at(&[1; 2 * SECTOR], 0).and_then(|()| file.sync()).expect("it is synced");
        vfs.sync_dir(at("d")).expect("it is synced");
        file.write_at(&[2; 2 * SECTOR], 0).expect("it is written");
        vfs.fault_at(vfs.operations(), Fault::Fail);
        assert!(file.sync().is_err());
        file.sync().expect("the next one has nothing to do");
        let after = found(&vfs, sectors);
        assert_eq!(after.len(), 1, "nothing is dirty any more");
        kept.insert((sectors(&vfs), after));
    }
    let seen_but_lost = |(seen, after): &(_, BTreeSet<_>)| {
        seen == &Some(vec![2, 2]) && after.contains(&Some(vec![1, 1]))
    };
    assert!(kept.iter().any(seen_but_lost), "{kept:?}");
    assert!(kept.iter().any(|(seen, _)| seen != &Some(vec![2, 2])), "pages leave memory: {kept:?}");
}

#[test]
fn a_directory_is_lost_without_a_sync_of_its_parent() {
    let vfs = CrashVfs::new(1);
    vfs.create_dir(at("d")).expect("it is created");
    let file = vfs.create(at(FILE)).expect("it is created");
    file.sync().and_then(|()| vfs.sync_dir(at("d"))).expect("it is synced");
    let is_there = |vfs: &CrashVfs| vfs.bytes(at(FILE)).is_some();
    assert_eq!(found(&vfs, is_there), BTreeSet::from([false, true]), "and everything in it");
    vfs.sync_dir(at(".")).expect("it is synced");
    assert_eq!(found(&vfs, is_there), BTreeSet::from([true]));
}

#[test]
fn a_tree_of_directories_is_durable_once_it_is_made() {
    let vfs = CrashVfs::new(1);
    create_dir_all(&vfs, at("a/b/c")).expect("it is created");
    let file = vfs.create(at("a/b/c/f")).expect("it is created");
    file.sync().and_then(|()| vfs.sync_dir(at("a/b/c"))).expect("it is synced");
    assert_eq!(found(&vfs, |vfs| vfs.bytes(at("a/b/c/f")).is_some()), BTreeSet::from([true]));
    create_dir_all(&vfs, at("a/b/c")).expect("it is there");
    assert!(create_dir_all(&vfs, at("a/b/c")).is_ok() && vfs.list(at("a/b/d")).is_err());
}
