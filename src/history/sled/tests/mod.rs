//! What each would catch stands with it. A sled directory lives in a temporary directory of its
//! own.

mod alone;
mod damage;
mod flushing;
mod merging;
mod model;
mod reading;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::block::Block;
use super::manifest::Manifest;
use super::*;
use crate::base::AccountKey;
use crate::event::Policy;
use crate::event::{End, EventLine, EventLines, Fact, Facts, Part, PartLine};
use crate::history::record::{ChangeKind, RecordLine, ReservationState};

const POINTS: AccountId = AccountId::from_number(1);
const STOCK: AccountId = AccountId::from_number(2);
const QUOTA: AccountId = AccountId::from_number(5003);

/// A directory for a store, and the store in it.
struct Home {
    root: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self { root: tempfile::tempdir().expect("a temporary directory") }
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("store")
    }

    fn open(&self) -> Store {
        self.open_with(StoreConfig { alike_max: 3, ..StoreConfig::default() })
    }

    fn open_with(&self, config: StoreConfig) -> Store {
        Store::open(&self.dir(), StoreConfig { cache_bytes: 16 << 20, ..config })
            .expect("opening never fails for damage")
    }

    /// Opens, and expects nothing to be set aside.
    fn reopen(&self) -> Store {
        let store = self.open();
        assert_eq!(store.set_aside(), None);
        store
    }
}

/// sled without the store around it, once the lock is free.
fn open_sled(dir: &Path) -> sled::Db {
    loop {
        match sled::Config::new().path(dir).flush_every_ms(None).open() {
            Ok(db) => return db,
            Err(sled::Error::Io(_)) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// The block that has the row with this key, and the key of the block.
fn block_with(db: &sled::Db, key: Key) -> (sled::IVec, Vec<u8>) {
    let blocks = db.range(&b"b"[..]..&b"c"[..]).map(|block| block.expect("a read"));
    let mut with = blocks.filter(|(at, value)| {
        let keys = Block::open(at, value).and_then(Block::keys).expect("it is whole");
        keys.contains(&key)
    });
    let (at, value) = with.next().expect("one has it");
    (at, value.to_vec())
}

/// Merges until nothing is to be done.
fn merge_all(store: &Store) {
    while store.wants_merging() {
        store.merge(7).expect("a merge");
    }
}

fn event(at: u64, fact: Fact<'_>) -> Event<'_> {
    Event { at, request: None, fact }
}

fn id(number: u64) -> ReservationId {
    ReservationId::from_number(number)
}

fn line(account: AccountId, quantity: u64, consumed: u64, available: i64) -> EventLine {
    EventLine { account: account.number(), quantity, consumed, available }
}

fn opened(account: AccountId, key: AccountKey) -> Fact<'static> {
    Fact::AccountOpened { account, key, policy: Policy::strict() }
}

/// The three lines of an exchange.
fn exchange_lines(confirmed: bool) -> EventLines {
    let consumed = |quantity| u64::from(confirmed) * quantity;
    [
        line(POINTS, 100, consumed(100), 900),
        line(QUOTA, 1, consumed(1), 2),
        line(STOCK, 1, consumed(1), 9),
    ]
    .into_iter()
    .collect()
}

fn reserved(reservation: u64, confirmed: bool) -> Fact<'static> {
    Fact::Reserved {
        reservation: id(reservation),
        owner: Some(POINTS),
        expires_at: 5_000,
        confirmed,
        lines: exchange_lines(confirmed),
        details: Cow::Borrowed(b"details"),
    }
}

fn end(reservation: u64, confirmed: bool) -> End {
    End { reservation: id(reservation), expires_at: 5_000, lines: exchange_lines(confirmed) }
}

/// Projects facts one after the other, each at the time `10 * seq`.
fn feed<'a>(store: &Store, facts: impl IntoIterator<Item = Fact<'a>>) {
    for fact in facts {
        let seq = store.projected() + 1;
        store.project(seq, &event(10 * seq, fact)).expect("a fact is projected");
    }
}

/// The accounts of an exchange, with what they begin with.
fn accounts() -> Vec<Fact<'static>> {
    vec![
        opened(POINTS, AccountKey::points("ann").expect("a valid key")),
        opened(STOCK, AccountKey::stock("tea").expect("a valid key")),
        opened(QUOTA, AccountKey::quota("ann", "tea").expect("a valid key")),
        Fact::Received { account: POINTS, quantity: 1_000, available: 1_000, note: "gift".into() },
        Fact::Received { account: STOCK, quantity: 10, available: 10, note: "delivery".into() },
    ]
}

/// A store with an exchange that was reserved and confirmed, in sled.
fn filled(home: &Home) -> Store {
    let store = home.open();
    feed(&store, accounts());
    feed(&store, [reserved(7, false), Fact::Confirmed(end(7, true))]);
    store.flush_all().expect("a flush");
    store
}

fn kinds(store: &Store, account: AccountId) -> Vec<(ChangeKind, i64, u64)> {
    let changes = store.changes_of(account, None, usize::MAX).expect("changes");
    changes.iter().map(|change| (change.kind, change.delta, change.quantity)).collect()
}
