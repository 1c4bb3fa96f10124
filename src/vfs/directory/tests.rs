//! Would catch a copy that passes for its original, an epoch that falls, and a lock that is lost
//! with a file.

#![allow(clippy::disallowed_methods, reason = "the tests copy and remove files")]

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::base::golden;
use crate::vfs::RealVfs;
use crate::vfs::crash::{CrashVfs, Fault};

fn real() -> Arc<dyn Vfs> {
    Arc::new(RealVfs)
}

fn begin(vfs: &Arc<dyn Vfs>, dir: &Path) -> Result<Directory> {
    lock(vfs, dir)?.begin(None)
}

#[test]
fn each_opening_has_its_number_and_the_directory_keeps_its_own() {
    let dir = TempDir::new().expect("a directory");
    let open = || begin(&real(), dir.path()).expect("nobody else has it").identity();
    let (first, second, third) = (open(), open(), open());
    assert_eq!((first.epoch, second.epoch, third.epoch), (1, 2, 3));
    assert!(first.directory == second.directory && second.directory == third.directory);
    assert!(first.opening != second.opening && second.opening != third.opening);
    assert_eq!(identity_of(&RealVfs, dir.path()).expect("it reads"), Some(third));
}

#[test]
fn a_copy_is_another_directory_from_its_first_opening_on() {
    let (dir, copy) = (TempDir::new().expect("a directory"), TempDir::new().expect("a directory"));
    let original = begin(&real(), dir.path()).expect("nobody else has it").identity();
    fs::copy(dir.path().join("identity"), copy.path().join("identity")).expect("it is copied");
    assert_eq!(identity_of(&RealVfs, copy.path()).expect("it reads"), None, "nobody has opened it");
    let opened = begin(&real(), copy.path()).expect("nobody else has it");
    let other = opened.identity();
    assert!(other.directory != original.directory && other.epoch == 2, "{other:?}");
    assert!(
        opened.owns(Some(other.directory))
            && !opened.owns(Some(original.directory))
            && !opened.owns(None)
    );
    drop(opened);
    let again = begin(&real(), copy.path()).expect("nobody else has it").identity();
    assert_eq!((again.directory, again.epoch), (other.directory, 3), "from then on it is itself");
    let original_again = begin(&real(), dir.path()).expect("nobody else has it");
    assert_eq!(
        original_again.identity().directory,
        original.directory,
        "the original stays what it is"
    );
    assert!(original_again.owns(None), "what an earlier release wrote here is its own");
}

#[test]
fn a_directory_that_was_put_back_from_a_backup_is_another() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("identity");
    let original = begin(&real(), dir.path()).expect("nobody else has it").identity();
    let backup = fs::read(&path).expect("it reads");
    fs::rename(&path, dir.path().join("identity.old")).expect("it is renamed");
    fs::write(&path, backup).expect("it is written");
    let restored = begin(&real(), dir.path()).expect("nobody else has it").identity();
    assert!(restored.directory != original.directory);
}

#[test]
fn a_damaged_identity_gives_way_to_another() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("identity");
    let original = begin(&real(), dir.path()).expect("nobody else has it").identity();
    let whole = fs::read(&path).expect("it reads");
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        assert_eq!(decode(&bytes), None, "byte {at}");
    }
    assert_eq!(decode(&whole[1..]), None);
    fs::write(&path, &whole[1..]).expect("it is written");
    let opened = begin(&real(), dir.path()).expect("nobody else has it");
    assert!(opened.identity().directory != original.directory && !opened.owns(None));
}

#[test]
fn a_lock_is_not_lost_with_a_file() {
    let dir = TempDir::new().expect("a directory");
    let held = begin(&real(), dir.path()).expect("nobody else has it");
    fs::remove_file(dir.path().join("lock")).expect("it is there");
    let refused = lock(&real(), dir.path()).err().expect("the directory is locked").to_string();
    assert!(refused.contains("is open already"), "{refused}");
    drop(held.hold().expect("it is still ours"));
    held.release();
    assert_eq!(held.hold().err().map(|error| error.kind()), Some(ErrorKind::Closed));
    begin(&real(), dir.path()).expect("it was released");
}

#[test]
fn who_holds_a_directory_keeps_it_through_a_release() {
    let dir = TempDir::new().expect("a directory");
    let directory = begin(&real(), dir.path()).expect("nobody else has it");
    let hold = directory.hold().expect("it is ours");
    directory.release();
    assert!(lock(&real(), dir.path()).is_err(), "somebody still writes");
    drop(hold);
    begin(&real(), dir.path()).expect("nobody has it");
}

#[test]
fn a_directory_that_was_replaced_is_nobodys() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("data");
    fs::create_dir(&path).expect("it is made");
    let first = begin(&real(), &path).expect("nobody else has it");
    fs::rename(&path, dir.path().join("moved")).expect("it is moved");
    assert_eq!(
        first.hold().err().map(|error| error.kind()),
        Some(ErrorKind::Unavailable),
        "it is gone"
    );
    fs::create_dir(&path).expect("it is made");
    let second = begin(&real(), &path).expect("it is another directory");
    assert_eq!(
        first.hold().err().map(|error| error.kind()),
        Some(ErrorKind::Unavailable),
        "it is another's"
    );
    drop(second.hold().expect("it is ours"));
}

/// Power is cut at each operation of an opening: the epoch is never one that was told before.
#[test]
fn no_power_cut_lets_an_epoch_come_twice() {
    let dir = Path::new("data");
    let mut cuts = 0;
    for operation in 0.. {
        let vfs = CrashVfs::new(operation);
        let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
        crate::vfs::create_dir_all(&vfs, dir).expect("the disk works");
        let mut told = 0;
        // The first opening makes the file, the second one changes it in its place.
        for at in [operation, operation.wrapping_sub(6)] {
            vfs.fault_at(vfs.operations().wrapping_add(at), Fault::PowerCut);
            let Ok(opened) = begin(&shared, dir) else {
                break;
            };
            told = opened.identity().epoch;
        }
        let Some(_) = vfs.struck().first() else { break };
        cuts += 1;
        for seed in 0..8 {
            let after: Arc<dyn Vfs> = Arc::new(vfs.crash(seed));
            if vfs.crash(seed).list(dir).is_ok() {
                let epoch = begin(&after, dir).expect("it opens").identity().epoch;
                assert!(epoch > told, "operation {operation}: epoch {epoch} after {told}");
            }
        }
    }
    assert!(cuts > 6, "power was cut {cuts} times");
}

#[test]
fn the_identity_is_written_and_read_as_ever() {
    let identity = Identity { directory: 0x0102, epoch: 3, opening: 0x0405 };
    let record = Record { identity, birth: Birth { inode: 6, born_ns: 7 } };
    let golden = "53544b4849444e540100000002010000000000000000000000000000030000000000000005040000000000000000000000000000060000000000000007000000000000002f7e4a55";
    golden::check("an identity", &encode(record), golden);
    let read = decode(&golden::bytes(golden)).expect("golden bytes are read");
    assert_eq!((read.identity, read.birth), (identity, record.birth));
}
