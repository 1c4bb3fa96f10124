//! Would catch an auditor that knows only the kinds of accounts that a shop has, or lets pass of
//! others what it finds in those; and one that believes of an account that it was closed.

use std::path::Path;
use std::sync::Arc;

use stockhold::clock::ManualClock;
use stockhold::command::{Transfer, WriteOff};
use stockhold::event::{Event, Fact};
use stockhold::outcome::CloseOutcome;
use stockhold::{AccountId, AccountKey, Engine, Line, Policy, Receive, Reserve, Window};
use tempfile::TempDir;

use crate::forge::{events, write_events};
use crate::sale::{NOW_MS, TTL_MS, done, open_engine, reservation};
use crate::verify;

/// A hall of which seats are sold, a night of which beds are, and a wallet that a rule fills.
struct House {
    dir: TempDir,
    seats: [AccountId; 2],
    bed: AccountId,
    wallet: AccountId,
    events: Vec<Event<'static>>,
}

fn key(kind: &str, parts: &[&str]) -> AccountKey {
    AccountKey::custom(kind, parts).expect("a valid key")
}

fn open(engine: &Engine, key: &AccountKey, policy: Policy) -> AccountId {
    engine.open_account(key, policy).expect("there is room")
}

impl House {
    fn new() -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let clock = Arc::new(ManualClock::new(NOW_MS));
        let engine = open_engine(dir.path(), &clock);
        let seats = ["stalls", "balcony"]
            .map(|part| open(&engine, &key("seat", &["hall-1", part]), Policy::strict()));
        let bed = open(&engine, &key("bed", &["night-1"]), Policy::backorder(1));
        let window = Window::Rolling { length_ms: 50 };
        let wallet = open(&engine, &key("wallet-eur", &["ann"]), Policy::quota(4, window));
        for account in [seats[0], seats[1], bed] {
            done(engine.receive(Receive::new(account, 10)));
        }
        let lines = [(seats[0], 2), (bed, 1), (wallet, 1)]
            .map(|(account, quantity)| Line { account, quantity });
        for number in 0..12 {
            let taken = reservation(done(engine.reserve(Reserve::new(&lines, TTL_MS))));
            match number % 3 {
                0 => {
                    done(engine.release(taken));
                }
                1 => {
                    done(engine.confirm(taken));
                }
                _ => clock.advance(TTL_MS),
            }
            engine.expire_due().expect("it admits");
        }
        done(engine.transfer(Transfer::new(seats[1], seats[0], 3)));
        done(engine.write_off(WriteOff::new(bed, 1)));
        engine.close().expect("it closes");
        let events = events(dir.path());
        Self { dir, seats, bed, wallet, events }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn available(&self, account: AccountId) -> i64 {
        let past = stockhold::reader::DirectoryReader::open(self.path()).expect("it reads");
        let view = past.ledger_at(past.last_seq()).expect("everything is kept");
        view.level_of(account).expect("the account exists").available
    }

    /// What is found when this happened at the end.
    #[track_caller]
    fn expect(&self, what: &str, facts: &[Fact<'static>], kind: &str, code: i32) {
        let at = self.events.last().expect("some").at;
        let more = facts.iter().map(|fact| Event { at, request: None, fact: fact.clone() });
        let dir = TempDir::new().expect("a temporary directory");
        write_events(dir.path(), &[self.events.clone(), more.collect()].concat());
        let verdict = verify(dir.path());
        let found: Vec<String> = verdict.found().into_iter().map(|(kind, _)| kind).collect();
        let kinds = if code == 0 { vec![] } else { vec![kind.to_owned()] };
        assert_eq!((verdict.code, found), (code, kinds), "{what}: {}", verdict.told());
    }
}

#[test]
fn a_house_with_accounts_of_kinds_of_its_own() {
    let house = House::new();
    let verdict = verify(house.path());
    assert_eq!((verdict.code, verdict.found()), (0, vec![]), "{}", verdict.told());
    assert_eq!(verdict.audited("accounts"), 4);
    house.expect("nothing more", &[], "", 0);

    let [stalls, balcony] = house.seats;
    let moved = |to: AccountId| Fact::Transferred {
        from: stalls,
        to,
        quantity: 1,
        from_available: house.available(stalls) - 1,
        to_available: house.available(to) + 1,
        note: "".into(),
    };
    house.expect("a seat among seats", &[moved(balcony)], "", 0);
    house.expect("a seat that becomes a bed", &[moved(house.bed)], "record", 12);
    let quantity = house.available(stalls) as u64 + 1;
    let sold = Fact::WrittenOff { account: stalls, quantity, available: -1, note: "".into() };
    house.expect("a seat that is not there", &[sold], "conservation", 13);
    let grown = house.available(house.wallet) + 2;
    let told =
        Fact::Received { account: house.wallet, quantity: 1, available: grown, note: "".into() };
    house.expect("a wallet that tells another sum", &[told], "available", 14);
}

#[test]
fn accounts_that_are_closed_with_something_left() {
    let house = House::new();
    let [stalls, balcony] = house.seats;
    let closed = |account: AccountId, key: AccountKey| Fact::AccountClosed { account, key };
    let (balcony_key, bed_key) = (key("seat", &["hall-1", "balcony"]), key("bed", &["night-1"]));
    let left = [closed(balcony, balcony_key.clone())];
    house.expect("an account with units", &left, "record", 12);
    house.expect("the key of another", &[closed(stalls, bed_key)], "record", 12);

    let there = house.available(balcony) as u64;
    let emptied =
        Fact::WrittenOff { account: balcony, quantity: there, available: 0, note: "".into() };
    let empty = [emptied, closed(balcony, balcony_key.clone())];
    house.expect("an empty account", &empty, "", 0);
    let [emptied, end] = empty;
    let again = Fact::Received { account: balcony, quantity: 1, available: 1, note: "".into() };
    let twice = [emptied.clone(), end.clone(), end.clone()];
    house.expect("closed twice", &twice, "record", 12);
    house.expect("something comes in after the end", &[emptied, end, again], "record", 12);
}

/// What is held hinders it, and of what a rule grants only what counts.
#[test]
fn quotas_and_held_units_that_are_closed() {
    let dir = TempDir::new().expect("a temporary directory");
    let clock = Arc::new(ManualClock::new(NOW_MS));
    let engine = open_engine(dir.path(), &clock);
    let quota_key = AccountKey::quota("ann", "tea").expect("a valid key");
    let quota = open(&engine, &quota_key, Policy::quota(2, Window::Rolling { length_ms: 100 }));
    let seat_key = key("seat", &["hall-1"]);
    let seat = open(&engine, &seat_key, Policy::strict());
    done(engine.receive(Receive::new(seat, 1)));
    let [of_quota, of_seat] = [quota, seat].map(|account| [Line { account, quantity: 1 }]);
    done(engine.reserve(Reserve::new(&of_quota, TTL_MS).confirmed()));
    let held = reservation(done(engine.reserve(Reserve::new(&of_seat, TTL_MS))));
    for account in [quota, seat] {
        let refused = done(engine.close_account(account));
        assert!(matches!(refused, CloseOutcome::NotEmpty { .. }), "{refused:?}");
    }
    drop(engine);
    let before = events(dir.path());
    let closing = |at, account, key: &AccountKey| {
        let fact = Fact::AccountClosed { account, key: key.clone() };
        [before.clone(), vec![Event { at, request: None, fact }]].concat()
    };
    for (what, events, code) in [
        ("what was bought counts", closing(NOW_MS + 99, quota, &quota_key), 12),
        ("it came back", closing(NOW_MS + 100, quota, &quota_key), 0),
        ("a seat is held", closing(NOW_MS + 100, seat, &seat_key), 12),
    ] {
        write_events(dir.path(), &events);
        let verdict = verify(dir.path());
        assert_eq!(verdict.code, code, "{what}: {}", verdict.told());
    }
    assert!(held.number() > 0);
}
