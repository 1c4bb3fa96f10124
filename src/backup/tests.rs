//! Would catch a moment that is restored otherwise than it was, a run that was cut off and costs
//! records, damage that is taken for a backup, and a copy that is taken for the original.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::*;
use crate::base::clock::ManualClock;
use crate::base::error::{ErrorKind, Result};
use crate::base::{Seq, TimeMs};
use crate::command::{Line, Receive, Reserve};
use crate::reader::{Digest, DirectoryReader};
use crate::vfs::{RealVfs, Vfs};
use crate::{AccountId, AccountKey, Engine, Policy};

const BEGIN_MS: TimeMs = 1_772_357_400_000;
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
/// So long that a few reservations fill a segment.
static DETAILS: [u8; 24 << 10] = [7; 24 << 10];
const PLAN: Plan = Plan { snapshot_every: Duration::ZERO, keep: None };

/// A data directory in use, and a place for its backup.
struct Shop {
    clock: Arc<ManualClock>,
    engine: Engine,
    tea: AccountId,
    home: tempfile::TempDir,
}

impl Shop {
    fn open() -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        let clock = Arc::new(ManualClock::new(BEGIN_MS));
        let engine = open(&home.path().join("data"), &clock);
        let tea = AccountKey::stock("tea").expect("a valid key");
        let tea = engine.open_account(&tea, Policy::strict()).expect("there is room");
        engine
            .receive(Receive::new(tea, 1_000))
            .and_then(|told| told.wait())
            .expect("it is decided");
        Self { home, clock, engine, tea }
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    fn target(&self) -> Directory {
        Directory::new(Arc::new(RealVfs), &self.home.path().join("backup")).expect("it is a path")
    }

    /// Sells this many, a second apart. The last event.
    fn sell(&self, count: u64) -> Seq {
        for _ in 0..count {
            self.clock.advance(1_000);
            let lines = [Line { account: self.tea, quantity: 1 }];
            let taken = self.engine.reserve(Reserve::new(&lines, 60_000).details(&DETAILS));
            taken.and_then(|told| told.wait()).expect("there is enough");
        }
        self.engine.status().last_seq
    }

    fn back_up(&self) -> Run {
        self.back_up_to(&self.target(), None).expect("it is copied")
    }

    fn back_up_to(&self, target: &dyn Target, key: Option<&Key>) -> Result<Run> {
        run(&vfs(), &self.data(), target, key, &PLAN)
    }

    fn digest(&self, seq: Seq) -> Digest {
        digest(&self.data(), seq)
    }

    /// Restores a moment beside, and sees that it stands as the original did.
    #[track_caller]
    fn check_restored(&self, moment: Moment, seq: Seq) {
        let dir = self.home.path().join("restored");
        let restored = restored(&self.target(), None, &dir, moment).expect("it is restored");
        assert_eq!(restored.last_seq, seq, "{moment:?}");
        assert_eq!(restored.digest, self.digest(seq), "the ledger as of event {seq}");
        assert_eq!(digest(&dir, seq), restored.digest);
        // It goes on, and has a history.
        let engine = open(&dir, &Arc::new(ManualClock::new(BEGIN_MS + 10_000_000)));
        assert_eq!(engine.status().oldest_seq, restored.first_seq);
        engine.receive(Receive::new(self.tea, 1)).and_then(|told| told.wait()).expect("it goes on");
        engine.close().expect("it closes");
        remove(&dir);
    }
}

fn vfs() -> Arc<dyn Vfs> {
    Arc::new(RealVfs)
}

fn open(dir: &Path, clock: &Arc<ManualClock>) -> Engine {
    let builder = Engine::builder(dir).segment_bytes(128 << 10).clock(clock.clone());
    builder.open().expect("it opens")
}

fn digest(dir: &Path, seq: Seq) -> Digest {
    let view = DirectoryReader::open(dir).and_then(|reader| reader.ledger_at(seq));
    view.and_then(|view| view.digest()).expect("it is kept")
}

fn restored(
    target: &dyn Target,
    key: Option<&Key>,
    dir: &Path,
    moment: Moment,
) -> Result<Restored> {
    restore(target, key, dir, moment, &mut |_, _, _| {})
}

#[allow(clippy::disallowed_methods, reason = "a test's own files")]
fn remove(dir: &Path) {
    std::fs::remove_dir_all(dir).expect("it is removed");
}

fn kind<T>(outcome: Result<T>) -> ErrorKind {
    outcome.map(|_| ()).expect_err("it must be refused").kind()
}

/// The objects of a backup, and their content.
fn objects(target: &dyn Target) -> Vec<(String, Vec<u8>)> {
    let names = ["journal/", "snapshots/"].map(|prefix| target.list(prefix).expect("it lists"));
    let content = |name: &String| target.get(name).expect("it answers").expect("it is there");
    names.concat().iter().map(|name| (name.clone(), content(name))).collect()
}

#[test]
fn every_moment_that_a_backup_has_is_restored_as_it_was() {
    let shop = Shop::open();
    let first = shop.sell(7);
    let run = shop.back_up();
    assert_eq!((run.first_seq, run.last_seq, run.records), (1, first, first));
    let snapshot = shop.engine.checkpoint().expect("it is written");
    let second = shop.sell(9);
    let run = shop.back_up();
    assert_eq!((run.last_seq, run.records), (second, second - first), "what is new alone");
    assert_eq!(run.last_at, shop.clock_ms());
    assert_eq!(shop.back_up().written, 0, "nothing is new");

    shop.check_restored(Moment::Newest, second);
    for seq in [1, 2, first, snapshot, first + 1, second - 1] {
        shop.check_restored(Moment::Seq(seq), seq);
    }
    // The sales are a second apart, and the last is the newest event.
    shop.check_restored(Moment::Time(shop.clock_ms() - 1), second - 1);
    shop.check_restored(Moment::Time(shop.clock_ms() + 1), second);
    let beside = shop.home.path().join("beside");
    for moment in [Moment::Seq(0), Moment::Seq(second + 1), Moment::Time(BEGIN_MS - 1)] {
        let refused = restored(&shop.target(), None, &beside, moment);
        assert_eq!(kind(refused), ErrorKind::NotFound, "{moment:?}");
        assert!(!beside.exists());
    }
}

impl Shop {
    fn clock_ms(&self) -> TimeMs {
        self.engine.clock_ms()
    }
}

/// A target that fails from some call on, before or after it did what it was asked.
struct Failing<'a> {
    target: &'a dyn Target,
    left: AtomicU64,
    does_it: bool,
}

impl Failing<'_> {
    fn call<T>(&self, call: impl FnOnce() -> Result<T>) -> Result<T> {
        // Relaxed: one thread calls.
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        match left {
            0 => Err(crate::base::error::Error::unavailable("the target is gone")),
            1 if !self.does_it => Err(crate::base::error::Error::unavailable("it failed")),
            1 => call().and_then(|_| Err(crate::base::error::Error::unavailable("no answer"))),
            _ => call(),
        }
    }
}

impl Target for Failing<'_> {
    fn name(&self) -> &str {
        self.target.name()
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.call(|| self.target.list(prefix))
    }

    fn get(&self, object: &str) -> Result<Option<Vec<u8>>> {
        self.call(|| self.target.get(object))
    }

    fn put(&self, object: &str, content: &[u8]) -> Result<()> {
        self.call(|| self.target.put(object, content))
    }

    fn delete(&self, object: &str) -> Result<()> {
        self.call(|| self.target.delete(object))
    }
}

/// A run that is cut off at any call leaves a backup that verifies, and the next goes on.
#[test]
fn a_run_that_is_cut_off_at_any_call_costs_nothing() {
    let shop = Shop::open();
    let target = shop.target();
    let (mut cut_off, mut last_seq) = (0, 0);
    for does_it in [false, true] {
        for calls in 1.. {
            shop.engine.checkpoint().expect("it is written");
            let before = last_seq;
            last_seq = shop.sell(1);
            let failing = Failing { target: &target, left: AtomicU64::new(calls), does_it };
            let Err(error) = shop.back_up_to(&failing, None) else { break };
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            cut_off += 1;
            if let Ok(contents) = check(&target, None, &mut |_, _| {}) {
                assert!((before..=last_seq).contains(&contents.last_seq));
            }
            assert_eq!(shop.back_up().last_seq, last_seq);
            let contents = check(&target, None, &mut |_, _| {}).expect("all of it verifies");
            assert_eq!((contents.first_seq, contents.last_seq), (1, last_seq));
            assert_eq!(contents.segments, target.list("journal/").expect("it lists").len());
        }
    }
    assert!(cut_off > 15, "{cut_off} calls were cut off");
    shop.check_restored(Moment::Newest, last_seq);
}

#[test]
fn a_backup_takes_only_its_own_directory() {
    let (shop, other) = (Shop::open(), Shop::open());
    let last_seq = shop.sell(3);
    shop.back_up();
    let before = objects(&shop.target());
    other.sell(5);
    assert_eq!(kind(other.back_up_to(&shop.target(), None)), ErrorKind::Conflict);

    // Neither does it take a copy of it for it, which would go on otherwise.
    let copy = shop.home.path().join("copy");
    restored(&shop.target(), None, &copy, Moment::Newest).expect("it is restored");
    let never_opened = run(&vfs(), &copy, &shop.target(), None, &PLAN);
    assert_eq!(kind(never_opened), ErrorKind::NotFound);
    open(&copy, &shop.clock).close().expect("it closes");
    let another = run(&vfs(), &copy, &shop.target(), None, &PLAN);
    assert_eq!(kind(another), ErrorKind::Conflict);
    assert_eq!(objects(&shop.target()), before, "nothing was changed");

    // Nor other records with the same numbers, nor a journal that lost what the backup has.
    let (object, content) = before.first().expect("there is a segment");
    let (name, crc) = object.split_at(object.len() - 8);
    let rotated = format!("{name}{}{}", &crc[1..], &crc[..1]);
    shop.target().delete(object).expect("it is removed");
    shop.target().put(&rotated, content).expect("it is written");
    assert_eq!(kind(shop.back_up_to(&shop.target(), None)), ErrorKind::Conflict);
    let later = object.replace(&format!("-{last_seq:020}-"), &format!("-{:020}-", last_seq + 1));
    shop.target().delete(&rotated).expect("it is removed");
    shop.target().put(&later, content).expect("it is written");
    assert_eq!(kind(shop.back_up_to(&shop.target(), None)), ErrorKind::Conflict);
}

#[test]
fn nothing_is_restored_over_anything() {
    let shop = Shop::open();
    let last_seq = shop.sell(1);
    let nowhere = Directory::new(vfs(), &shop.home.path().join("nowhere")).expect("it is a path");
    let beside = shop.home.path().join("beside");
    assert_eq!(kind(restored(&nowhere, None, &beside, Moment::Newest)), ErrorKind::NotFound);
    shop.back_up();
    let over = restored(&shop.target(), None, &shop.data(), Moment::Newest);
    assert_eq!(kind(over), ErrorKind::Conflict);
    assert_eq!(shop.engine.status().last_seq, last_seq);
    RealVfs.create_dir(&beside).expect("it is made");
    let restored = restored(&shop.target(), None, &beside, Moment::Newest);
    assert_eq!(restored.expect("an empty directory is replaced").last_seq, last_seq);
    let names = RealVfs.list(shop.home.path()).expect("it lists");
    assert_eq!(names, ["backup", "beside", "data"], "nothing is left behind");
}

#[test]
fn an_encrypted_backup_needs_its_key_and_shows_nothing() {
    let shop = Shop::open();
    let (key, target) = (Key::parse(KEY).expect("64 digits are a key"), shop.target());
    let last_seq = shop.sell(3);
    shop.engine.checkpoint().expect("it is written");
    shop.back_up_to(&target, Some(&key)).expect("it is copied");
    for (name, content) in objects(&target) {
        let shows = |what: &[u8]| content.windows(what.len()).any(|bytes| bytes == what);
        assert!(!shows(b"tea") && !shows(b"STKHJRNL") && !shows(b"STKHSNAP"), "{name}");
    }
    let beside = shop.home.path().join("beside");
    let other = Key::parse(&KEY.replace('f', "e")).expect("64 digits are a key");
    let before = objects(&target);
    for key in [None, Some(&other)] {
        assert_eq!(kind(restored(&target, key, &beside, Moment::Newest)), ErrorKind::Invalid);
        assert_eq!(kind(check(&target, key, &mut |_, _| {})), ErrorKind::Invalid);
        shop.sell(1);
        assert_eq!(kind(shop.back_up_to(&target, key)), ErrorKind::Invalid);
    }
    assert_eq!(objects(&target), before, "another key encrypts nothing");
    let restored = restored(&target, Some(&key), &beside, Moment::Seq(last_seq));
    assert_eq!(restored.expect("it is restored").digest, shop.digest(last_seq));
    let plain = Directory::new(vfs(), &shop.home.path().join("plain")).expect("it is a path");
    shop.back_up_to(&plain, None).expect("it is copied");
    assert_eq!(kind(shop.back_up_to(&plain, Some(&key))), ErrorKind::Invalid);
}

/// Whatever byte of whatever object is damaged, it is found and named, and nothing is restored.
#[test]
fn damage_is_found_and_named() {
    let shop = Shop::open();
    shop.sell(6);
    shop.engine.checkpoint().expect("it is written");
    let last_seq = shop.sell(1);
    shop.back_up();
    let (target, beside) = (shop.target(), shop.home.path().join("beside"));
    for (name, content) in objects(&target) {
        let step = content.len() / 23 + 1;
        for at in (0..content.len()).step_by(step) {
            let mut damaged = content.clone();
            damaged[at] ^= 0x10;
            target.put(&name, &damaged).expect("it is written");
            // Bytes of LZ4's own that nothing depends on may be anything.
            match check(&target, None, &mut |_, _| {}) {
                Ok(_) => {
                    let restored = restored(&target, None, &beside, Moment::Newest);
                    restored.expect("what verifies is restored");
                    remove(&beside);
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{name} at {at}");
                    assert!(error.to_string().contains(&name), "{error}");
                }
            }
        }
        target.put(&name, &content[..content.len() / 2]).expect("it is written");
        assert_eq!(kind(check(&target, None, &mut |_, _| {})), ErrorKind::Corrupt, "{name} cut");
        let cut = restored(&target, None, &beside, Moment::Newest);
        assert_eq!(kind(cut), ErrorKind::Corrupt, "{name} cut");
        target.delete(&name).expect("it is removed");
        // A snapshot spares the events before it, and events spare a snapshot.
        match restored(&target, None, &beside, Moment::Seq(last_seq)) {
            Ok(restored) => {
                assert_eq!(restored.digest, shop.digest(last_seq));
                remove(&beside);
            }
            Err(error) => {
                let expected = [ErrorKind::NotFound, ErrorKind::Corrupt];
                assert!(expected.contains(&error.kind()), "{name}: {error}");
            }
        }
        target.put(&name, &content).expect("it is written");
    }
    check(&target, None, &mut |_, _| {}).expect("it is whole again");
}

#[test]
fn what_is_too_old_is_let_go_and_the_rest_can_be_restored() {
    let shop = Shop::open();
    let keep = Duration::from_secs(40);
    let mut runs = Vec::new();
    for _ in 0..8 {
        shop.engine.checkpoint().expect("it is written");
        let last_seq = shop.sell(10);
        let plan = Plan { keep: Some(keep), ..PLAN };
        let run = run(&vfs(), &shop.data(), &shop.target(), None, &plan).expect("it is copied");
        assert_eq!(run.last_seq, last_seq);
        runs.push(run);
    }
    let contents = list(&shop.target(), None).expect("it is listed");
    let from = contents.restorable_from.expect("there is a snapshot");
    assert!(contents.first_seq > 1 && runs.iter().any(|run| run.removed > 0), "{contents:?}");
    assert!(contents.snapshots.len() < 8, "{contents:?}");
    for seq in [from, from + 1, contents.last_seq] {
        shop.check_restored(Moment::Seq(seq), seq);
    }
    // Each moment that was to be kept is one of them.
    let oldest = shop.clock_ms() - u64::try_from(keep.as_millis()).expect("it is short");
    let dir = shop.home.path().join("restored");
    let kept = restored(&shop.target(), None, &dir, Moment::Time(oldest)).expect("it is kept");
    assert!(kept.last_seq >= from);
    let gone =
        restored(&shop.target(), None, &shop.home.path().join("gone"), Moment::Seq(from - 1));
    assert_eq!(kind(gone), ErrorKind::NotFound);
}

#[test]
fn records_that_are_gone_before_they_were_copied_are_told() {
    let shop = Shop::open();
    shop.sell(1);
    shop.back_up();
    shop.engine.close().expect("it closes");
    let clock = shop.clock.clone();
    let builder = Engine::builder(shop.data()).segment_bytes(128 << 10).clock(clock);
    let engine = builder.archive_bytes_max(None).open().expect("it opens");
    let shop = Shop { engine, ..shop };
    shop.sell(12);
    for _ in 0..2 {
        shop.engine.checkpoint().expect("it is written");
        shop.sell(6);
    }
    shop.engine.close().expect("it closes");
    let oldest = DirectoryReader::open(shop.data()).expect("it reads").oldest_seq();
    assert!(oldest > 4, "records are gone: {oldest}");
    assert_eq!(kind(shop.back_up_to(&shop.target(), None)), ErrorKind::NotFound);
    // One that begins now has what is left, from a snapshot on.
    let anew = Directory::new(vfs(), &shop.home.path().join("anew")).expect("it is a path");
    let run = shop.back_up_to(&anew, None).expect("it is copied");
    assert_eq!(run.first_seq, oldest);
    let dir = shop.home.path().join("restored");
    let newest = restored(&anew, None, &dir, Moment::Newest).expect("it is restored");
    assert_eq!((newest.first_seq, newest.digest), (oldest, shop.digest(run.last_seq)));
}
