//! Would catch a lost, emptied or damaged history that costs stock, reads as "nothing there", or is
//! believed: whatever happens to sled's directory, the engine opens, every level is right, and
//! history is made anew from the journal and the archive, or says with which event it begins.
#![allow(clippy::disallowed_methods, reason = "damage is done past the engine")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stockhold::clock::ManualClock;
use stockhold::command::Note;
use stockhold::history::{ChangeRecord, ReservationRecord};
use stockhold::outcome::Reserved;
use stockhold::{
    AccountId, AccountKey, Confirm, Engine, EngineBuilder, Level, Line, Policy, Receive,
    ReservationId, Reserve, ReserveOutcome,
};
use tempfile::TempDir;

/// Everything that must come back.
#[derive(Debug, PartialEq)]
struct Picture {
    levels: Vec<Level>,
    pending: usize,
    orders: Vec<ReservationRecord>,
    changes: Vec<ChangeRecord>,
}

struct Shop {
    dir: TempDir,
    clock: Arc<ManualClock>,
    archive_bytes_max: Option<u64>,
}

impl Shop {
    fn new(archive_bytes_max: Option<u64>) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        Self { dir, clock: Arc::new(ManualClock::new(1_000)), archive_bytes_max }
    }

    fn builder(&self) -> EngineBuilder {
        let builder = Engine::builder(self.dir.path()).clock(Arc::clone(&self.clock) as _);
        builder.segment_bytes(128 << 10).archive_bytes_max(self.archive_bytes_max)
    }

    fn open(&self) -> Engine {
        self.builder().open().expect("no damage to history keeps the engine from opening")
    }

    /// The directory of sled, or its manifest.
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

struct Accounts {
    points: AccountId,
    quota: AccountId,
    stock: AccountId,
}

impl Accounts {
    fn open(engine: &Engine) -> Self {
        let open = |key: &str, policy| {
            let key: AccountKey = key.parse().expect("a valid key");
            engine.open_account(&key, policy).expect("there is room")
        };
        Self {
            points: open("points/ann", Policy::strict()),
            quota: open("quota/ann/tea", Policy::quota(100_000, stockhold::Window::Never)),
            stock: open("stock/tea", Policy::strict()),
        }
    }

    fn lines(&self) -> [Line; 3] {
        [(self.points, 10), (self.quota, 1), (self.stock, 1)]
            .map(|(account, quantity)| Line { account, quantity })
    }
}

/// Sells some, in every way an order can end. The details make the journal roll over.
fn sell(shop: &Shop, engine: &Engine, orders: usize) {
    let accounts = Accounts::open(engine);
    for (account, quantity) in [(accounts.points, 100_000), (accounts.stock, 10_000)] {
        engine
            .receive(Receive::new(account, quantity).note("delivery"))
            .and_then(|it| it.wait())
            .expect("it is received");
    }
    let (lines, details) = (accounts.lines(), [7; 4 << 10]);
    for number in 0..orders {
        let reserve = Reserve::new(&lines, 1_000).owner(accounts.points).details(&details);
        let outcome = engine.reserve(reserve).and_then(|it| it.wait()).expect("it is decided");
        let ReserveOutcome::Reserved(Reserved { reservation, .. }) = outcome else {
            panic!("there is enough: {outcome:?}")
        };
        end(engine, number, reservation);
        shop.clock.advance(10);
        engine.expire_due().expect("it admits");
    }
}

fn end(engine: &Engine, number: usize, reservation: ReservationId) {
    let done = match number % 5 {
        0 => engine.confirm(reservation).and_then(|it| it.wait()).map(drop),
        1 => {
            let part = Confirm::new(reservation).part(&[0, 0, 1]);
            engine.confirm(part).and_then(|it| it.wait()).map(drop)
        }
        2 => engine.release(reservation).and_then(|it| it.wait()).map(drop),
        3 => engine.note(Note::new(reservation, b"call first")).and_then(|it| it.wait()),
        _ => return,
    };
    done.expect("it is decided");
}

fn picture(engine: &Engine) -> Picture {
    engine.catch_up().wait().expect("history follows");
    let accounts = Accounts::open(engine);
    let history = engine.history();
    let changes = [accounts.points, accounts.stock]
        .map(|account| history.changes_of(account, None, usize::MAX));
    Picture {
        levels: engine.levels(),
        pending: engine.pending_count(),
        orders: history.reservations_of(accounts.points, None, usize::MAX).expect("history reads"),
        changes: changes.into_iter().flat_map(|changes| changes.expect("history reads")).collect(),
    }
}

fn noise(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    })
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("it is a directory") {
        let path = entry.expect("it lists").path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
    found.sort();
}

/// Writes noise over random places of a random file of the store.
fn scribble(shop: &Shop, seed: u64) {
    let mut found = Vec::new();
    files(&shop.path("store"), &mut found);
    found.retain(|path| fs::metadata(path).expect("it is there").len() > 0);
    let mut noise = noise(seed);
    let mut next = |bound: usize| noise.next().expect("it never ends") as usize % bound;
    let path = &found[next(found.len())];
    let mut bytes = fs::read(path).expect("it reads");
    for _ in 0..1 + next(8) {
        let at = next(bytes.len());
        let until = bytes.len().min(at + 1 + next(64));
        bytes[at..until].iter_mut().for_each(|byte| *byte = next(256) as u8);
    }
    fs::write(path, bytes).expect("it is written");
}

/// How many histories were set aside in the shop's directory.
fn set_aside(shop: &Shop) -> usize {
    let entries = fs::read_dir(shop.dir.path())
        .expect("it lists")
        .map(|entry| entry.expect("it lists").file_name());
    entries.filter(|name| name.to_string_lossy().contains("set-aside")).count()
}

/// Damages the history of a closed shop, and expects everything back. Returns how many histories
/// were set aside.
#[track_caller]
fn check(damage: impl FnOnce(&Shop)) -> usize {
    let shop = Shop::new(Some(1 << 30));
    let engine = shop.open();
    sell(&shop, &engine, 120);
    engine.checkpoint().expect("it is written");
    sell(&shop, &engine, 60);
    let before = picture(&engine);
    assert!(before.pending > 10 && before.orders.len() == 180, "a picture with something on it");
    engine.close().expect("it closes");
    drop(engine);
    damage(&shop);
    for opening in 1..=2 {
        let engine = shop.open();
        assert_eq!(engine.levels(), before.levels, "before history has caught up");
        assert!(picture(&engine) == before, "opening {opening} shows another picture");
        assert_eq!(engine.history().first_seq().expect("history is on"), 1);
        engine.close().expect("it closes");
    }
    set_aside(&shop)
}

#[test]
fn a_directory_that_is_deleted() {
    check(|shop| fs::remove_dir_all(shop.path("store")).expect("it is removed"));
}

#[test]
fn a_directory_that_is_deleted_with_its_manifest() {
    check(|shop| {
        fs::remove_dir_all(shop.path("store")).expect("it is removed");
        fs::remove_file(shop.path("store.manifest")).expect("it is removed");
    });
}

#[test]
fn a_directory_that_is_emptied() {
    check(|shop| {
        fs::remove_dir_all(shop.path("store")).expect("it is removed");
        fs::create_dir(shop.path("store")).expect("it is made anew");
    });
}

#[test]
fn a_database_that_is_emptied() {
    check(|shop| {
        let mut found = Vec::new();
        files(&shop.path("store"), &mut found);
        found.into_iter().for_each(|path| fs::write(path, b"").expect("it is written"));
    });
}

#[test]
fn scribbled_files() {
    let noticed: usize = (0..10).map(|seed| check(|shop| scribble(shop, seed))).sum();
    assert!(noticed > 0, "no scribble hit anything");
}

#[test]
fn a_store_that_is_ahead_of_the_journal() {
    let shop = Shop::new(Some(1 << 30));
    let engine = shop.open();
    sell(&shop, &engine, 100);
    let before = picture(&engine);
    engine.close().expect("it closes");
    drop(engine);
    // A backup of everything but history.
    let backup = TempDir::new().expect("a temporary directory");
    let kept = ["journal", "checkpoint", "archive"];
    kept.iter().for_each(|name| copy(&shop.path(name), &backup.path().join(name)));
    let engine = shop.open();
    sell(&shop, &engine, 20);
    engine.close().expect("it closes");
    drop(engine);
    for name in kept {
        fs::remove_dir_all(shop.path(name)).expect("it is removed");
        copy(&backup.path().join(name), &shop.path(name));
    }
    // What it shows was acknowledged, and is gone with what was put back.
    let refused = shop.builder().open().expect_err("acknowledged records are missing").to_string();
    assert!(
        refused.contains("acknowledged records are missing") && set_aside(&shop) == 0,
        "{refused}"
    );
    let engine = shop.builder().accept_loss(true).open().expect("it was accepted by name");
    assert!(picture(&engine) == before, "history shows what the journal does, and no more");
    assert_eq!(set_aside(&shop), 1, "what was ahead is kept for who wants to look");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("it is made");
    for entry in fs::read_dir(from).expect("it is a directory") {
        let entry = entry.expect("it lists");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("it is copied");
    }
}

#[test]
fn without_an_archive_history_says_with_which_event_it_begins() {
    let shop = Shop::new(None);
    // The journal is kept from the older of two checkpoints on, and from history's watermark.
    for orders in [120, 20, 20] {
        let engine = shop.open();
        sell(&shop, &engine, orders);
        engine.close().expect("it closes");
    }
    let engine = shop.open();
    let before = picture(&engine);
    engine.close().expect("it closes");
    drop(engine);
    fs::remove_dir_all(shop.path("store")).expect("it is removed");
    let mut first_seq = None;
    for _ in 0..2 {
        let engine = shop.open();
        assert_eq!(engine.levels(), before.levels, "no stock is in history");
        assert_eq!(engine.pending_count(), before.pending);
        let after = picture(&engine);
        let from = engine.history().first_seq().expect("history is on");
        assert!(from > 1, "it begins late, and says so");
        assert_eq!(*first_seq.get_or_insert(from), from, "and says the same ever after");
        let kept: Vec<&ChangeRecord> =
            before.changes.iter().filter(|change| change.seq >= from).collect();
        assert!(!kept.is_empty() && kept.len() < before.changes.len(), "a part of it is there");
        assert_eq!(
            after.changes.iter().collect::<Vec<_>>(),
            kept,
            "from there on nothing is missing"
        );
        engine.close().expect("it closes");
    }
}

/// History waited for ever for what a damaged file of the archive had, through every restart.
#[test]
fn behind_a_damaged_archive_a_lost_history_begins_anew() {
    let shop = Shop::new(Some(1 << 30));
    for orders in [120, 20, 20] {
        let engine = shop.open();
        sell(&shop, &engine, orders);
        engine.close().expect("it closes");
    }
    let engine = shop.open();
    let before = picture(&engine);
    // The recycler archives in the background.
    while engine.status().archive_bytes == 0 {
        std::thread::yield_now();
    }
    engine.close().expect("it closes");
    drop(engine);
    let mut archived = Vec::new();
    files(&shop.path("archive"), &mut archived);
    let damaged = archived.last().expect("there is one");
    let mut bytes = fs::read(damaged).expect("it reads");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 16].iter_mut().for_each(|byte| *byte ^= 0x55);
    fs::write(damaged, bytes).expect("it is written");
    fs::remove_dir_all(shop.path("store")).expect("it is removed");
    fs::remove_file(shop.path("store.manifest")).expect("it is removed");
    for opening in 1..=2 {
        let engine = shop.open();
        assert_eq!(engine.levels(), before.levels, "no stock is in history");
        let after = picture(&engine);
        let from = engine.history().first_seq().expect("history is on");
        assert!(
            from > 1 && !engine.status().history_failed,
            "opening {opening}: it begins at {from}"
        );
        let kept: Vec<&ChangeRecord> =
            before.changes.iter().filter(|change| change.seq >= from).collect();
        assert!(!kept.is_empty() && kept.len() < before.changes.len(), "a part of it is there");
        assert_eq!(
            after.changes.iter().collect::<Vec<_>>(),
            kept,
            "from there on nothing is missing"
        );
        engine.close().expect("it closes");
    }
}
