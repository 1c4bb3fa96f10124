//! Would catch a kind of damage that `verify` does not find: each is made on purpose.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stockhold::clock::ManualClock;
use stockhold::command::PutDocument;
use stockhold::event::{Event, EventLine, Fact, Part, PartLine, Request};
use stockhold::{AccountId, AccountKey, Line, Policy, Receive, ReservationId, Reserve, Window};
use tempfile::TempDir;

use crate::forge::{Record, events, record, replace_events, write_events, write_records};
use crate::sale::{Accounts, NOW_MS, Sale, TTL_MS, done, key, open_engine, reservation};
use crate::support::{run, stockhold};
use crate::verify;

/// A small sale, its accounts, and what is pending at its end: one order of 2 units of stock.
struct Forge {
    dir: TempDir,
    accounts: Accounts,
    events: Vec<Event<'static>>,
    pending: Event<'static>,
    at: u64,
}

impl Forge {
    fn new() -> Self {
        let sale = Sale::open();
        sale.sell(14);
        let accounts = sale.accounts;
        let dir = sale.drop_engine();
        let events = events(dir.path());
        let at = events.last().expect("some").at;
        let ends = |event: &Event<'_>, id: ReservationId| match &event.fact {
            Fact::Confirmed(end) | Fact::Released(end) | Fact::Expired(end) => {
                end.reservation == id
            }
            _ => false,
        };
        let pending = events.iter().find(|event| match &event.fact {
            Fact::Reserved { reservation, confirmed: false, .. } => {
                !events.iter().any(|other| ends(other, *reservation))
            }
            _ => false,
        });
        let pending = pending.expect("an order is pending").clone();
        Self { dir, accounts, events, pending, at }
    }

    /// What an account has available at the end.
    fn available(&self, account: AccountId) -> i64 {
        let reader = stockhold::reader::DirectoryReader::open(self.dir.path()).expect("it reads");
        let view = reader.ledger_at(reader.last_seq()).expect("everything is kept");
        view.level_of(account).expect("the account exists").available
    }

    fn push(&mut self, fact: Fact<'static>) {
        self.events.push(Event { at: self.at, request: None, fact });
    }

    fn receive(&mut self, quantity: u64, told: i64) {
        let account = self.accounts.stock;
        self.push(Fact::Received { account, quantity, available: told, note: "".into() });
    }

    /// How the pending order ends when everything goes back, or is consumed.
    fn end(&self, consumed: bool) -> stockhold::event::End {
        let Fact::Reserved { reservation, expires_at, lines, .. } = &self.pending.fact else {
            panic!("a reservation")
        };
        let lines = lines.iter().map(|line| {
            let outstanding = line.account() == self.accounts.outstanding;
            let consumed = if consumed && !outstanding { line.quantity } else { 0 };
            let available = self.available(line.account()) + (line.quantity - consumed) as i64;
            EventLine { consumed, available, ..*line }
        });
        stockhold::event::End {
            reservation: *reservation,
            expires_at: *expires_at,
            lines: lines.collect(),
        }
    }

    #[track_caller]
    fn expect(&self, kind: &str, code: i32) {
        write_events(self.dir.path(), &self.events);
        expect(self.dir.path(), kind, code);
    }
}

/// One kind of finding, and none besides.
#[track_caller]
fn expect(dir: &Path, kind: &str, code: i32) {
    let verdict = verify(dir);
    let kinds: Vec<String> = verdict.found().into_iter().map(|(kind, _)| kind).collect();
    assert_eq!((verdict.code, kinds), (code, vec![kind.to_owned()]), "{}", verdict.told());
}

#[test]
fn a_forged_copy_of_a_sound_journal_is_clean() {
    let forge = Forge::new();
    write_events(forge.dir.path(), &forge.events);
    let verdict = verify(forge.dir.path());
    assert_eq!((verdict.code, verdict.found()), (0, vec![]), "{}", verdict.told());
    assert_eq!(verdict.audited("entered"), forge.events.len() as u64);
}

#[test]
fn sound_ends_of_the_pending_order_are_clean() {
    for consumed in [true, false] {
        let mut forge = Forge::new();
        let end = forge.end(consumed);
        forge.push(if consumed { Fact::Confirmed(end) } else { Fact::Released(end) });
        write_events(forge.dir.path(), &forge.events);
        let verdict = verify(forge.dir.path());
        assert_eq!((verdict.code, verdict.found()), (0, vec![]), "{}", verdict.told());
    }
}

#[test]
fn records_that_are_no_events_or_about_nothing() {
    let forge = Forge::new();
    let mut records: Vec<Record> =
        (1..).zip(&forge.events).map(|(seq, event)| record(seq, event)).collect();
    let seq = records.len() as u64 + 1;
    records.push(Record { seq, kind: 77, payload: vec![1, 2, 3] });
    write_records(forge.dir.path(), &records);
    expect(forge.dir.path(), "record", 12);

    let mut forge = Forge::new();
    forge.push(Fact::Received {
        account: AccountId::from_number(63),
        quantity: 1,
        available: 1,
        note: "".into(),
    });
    forge.expect("record", 12);

    let mut forge = Forge::new();
    let opened = forge.events.iter().find(|event| matches!(event.fact, Fact::AccountOpened { .. }));
    let again = opened.expect("accounts are opened").clone();
    forge.events.push(again);
    forge.expect("record", 12);
}

#[test]
fn more_is_taken_than_there_is() {
    let mut forge = Forge::new();
    let (account, there) = (forge.accounts.stock, forge.available(forge.accounts.stock));
    let quantity = there as u64 + 1;
    forge.push(Fact::WrittenOff { account, quantity, available: -1, note: "".into() });
    forge.expect("conservation", 13);

    let mut forge = Forge::new();
    let line = EventLine { account: account.number(), quantity, consumed: quantity, available: -1 };
    let Fact::Reserved { reservation, .. } = forge.pending.fact else { panic!("a reservation") };
    forge.push(Fact::Reserved {
        reservation: ReservationId::from_number(reservation.number() + (1 << 40)),
        owner: None,
        expires_at: forge.at + 1,
        confirmed: true,
        lines: [line].as_slice().into(),
        details: (&[][..]).into(),
    });
    forge.expect("conservation", 13);
}

#[test]
fn units_that_become_others_on_their_way() {
    let Accounts { points, lifetime, .. } = Forge::new().accounts;
    for to in [points, lifetime] {
        let mut forge = Forge::new();
        let from = forge.accounts.stock;
        let [from_available, to_available] =
            [(from, -1), (to, 1)].map(|(account, by)| forge.available(account) + by);
        let note = "".into();
        forge.push(Fact::Transferred { from, to, quantity: 1, from_available, to_available, note });
        forge.expect("record", 12);
    }
    // More than there is, though it arrives.
    let mut forge = Forge::new();
    let (from, to) = (forge.accounts.stock, forge.accounts.backorder);
    let (there, to_available) = (forge.available(from), forge.available(to));
    let (quantity, to_available) = (there as u64 + 1, to_available + there + 1);
    let note = "".into();
    forge.push(Fact::Transferred { from, to, quantity, from_available: -1, to_available, note });
    forge.expect("conservation", 13);
}

/// Would catch an auditor that does not look into what happened together.
#[test]
fn what_is_wrong_with_one_of_several_is_wrong() {
    // There is no way to make such an event but to have decoded it: the sound one is changed.
    let packed = || {
        let forge = Forge::new();
        let packed = forge.events.iter().position(|event| matches!(event.fact, Fact::Atomic(_)));
        let packed = packed.expect("there is one");
        (forge, packed)
    };
    let (mut forge, packed_at) = packed();
    let again = Event { at: forge.at, request: None, ..forge.events[packed_at].clone() };
    forge.events.push(again);
    write_events(forge.dir.path(), &forge.events);
    let verdict = verify(forge.dir.path());
    let told = verdict.found();
    assert!(told.iter().any(|(kind, _)| kind == "reservation"), "{}", verdict.told());

    let (forge, packed_at) = packed();
    let mut records: Vec<Record> =
        (1..).zip(&forge.events).map(|(seq, event)| record(seq, event)).collect();
    let payload = &mut records[packed_at].payload;
    // The first part is a receipt, whose fields end with a note.
    let note = payload.windows(5).position(|bytes| bytes == b"first").expect("it has a note");
    payload[note - 3] ^= 1;
    write_records(forge.dir.path(), &records);
    let verdict = verify(forge.dir.path());
    assert_eq!(verdict.code, 14, "{}", verdict.told());
}

#[test]
fn an_event_tells_another_availability() {
    let mut forge = Forge::new();
    let there = forge.available(forge.accounts.stock);
    forge.receive(5, there + 6);
    forge.expect("available", 14);

    // In the middle: what follows from it is not told again.
    let mut forge = Forge::new();
    let received = forge.events.iter_mut().rev().find_map(|event| match &mut event.fact {
        Fact::Adjusted { delta, .. } => Some(delta),
        _ => None,
    });
    *received.expect("a count") -= 1;
    forge.receive(1, forge.available(forge.accounts.stock) + 1);
    forge.expect("available", 14);
}

#[test]
fn reservations_that_end_twice_or_without_a_beginning_or_with_more_than_they_took() {
    let mut forge = Forge::new();
    let end = forge.end(true);
    forge.push(Fact::Confirmed(end.clone()));
    forge.push(Fact::Confirmed(end));
    forge.expect("reservation", 15);

    let mut forge = Forge::new();
    let mut end = forge.end(false);
    end.reservation = ReservationId::from_number(end.reservation.number() + (1 << 40));
    forge.push(Fact::Released(end));
    forge.expect("reservation", 15);

    let mut forge = Forge::new();
    let mut end = forge.end(true);
    end.lines[3].consumed += 1;
    forge.push(Fact::Confirmed(end));
    forge.expect("reservation", 15);

    let mut forge = Forge::new();
    let returned = forge.events.iter().find(|event| matches!(event.fact, Fact::Returned { .. }));
    let again = returned.expect("one was returned").clone();
    forge.events.push(again);
    forge.expect("reservation", 15);

    let mut forge = Forge::new();
    let reserved = forge.pending.clone();
    let Fact::Reserved { lines, .. } = &reserved.fact else { panic!("a reservation") };
    let mut again = Event { request: None, ..reserved.clone() };
    if let Fact::Reserved { lines: taken, .. } = &mut again.fact {
        for (line, before) in taken.iter_mut().zip(lines) {
            line.available = forge.available(before.account()) - before.quantity as i64;
        }
    }
    forge.events.push(again);
    forge.expect("reservation", 15);
}

/// An order that is confirmed and not returned: its number, when it was confirmed, and the line of a
/// product.
fn confirmed(forge: &Forge) -> (ReservationId, u64, EventLine) {
    let is_returned = |id: ReservationId| {
        forge.events.iter().any(|event| match &event.fact {
            Fact::Returned { reservation, .. } => *reservation == id,
            _ => false,
        })
    };
    let stock = forge.accounts.stock;
    let bought = forge.events.iter().find_map(|event| match &event.fact {
        Fact::Confirmed(end) if !is_returned(end.reservation) => {
            let line =
                end.lines.iter().find(|line| line.account() == stock && line.consumed > 1)?;
            Some((end.reservation, event.at, *line))
        }
        _ => None,
    });
    bought.expect("an order of several units is confirmed")
}

/// The return of so many units of the product, with `told` of all that the order consumed.
fn part_of(
    forge: &Forge,
    units: u64,
    written_off: bool,
    told: impl Fn(&mut PartLine),
) -> Fact<'static> {
    let (reservation, at, line) = confirmed(forge);
    let stock = line.account();
    let end = forge.events.iter().find_map(|event| match &event.fact {
        Fact::Confirmed(end) if end.reservation == reservation => Some(end),
        _ => None,
    });
    let lines = end.expect("it was found").lines.iter().filter(|line| line.consumed > 0);
    let lines = lines.map(|line| {
        let (account, consumed) = (line.account(), line.consumed);
        let mut part = PartLine { account, consumed, returned: 0 };
        if account == stock {
            told(&mut part);
        }
        part
    });
    let lines = lines.collect();
    let back = if written_off { 0 } else { units as i64 };
    let available = forge.available(stock) + back;
    let line = EventLine { account: line.account, quantity: units, consumed: 0, available };
    Fact::Returned {
        reservation,
        lines: [line].as_slice().into(),
        note: "".into(),
        consumed_at: Some(at),
        expires_at: 0,
        part: Some(Box::new(Part {
            lines,
            written_off: if written_off { vec![stock] } else { vec![] },
        })),
    }
}

#[test]
fn returns_in_part_of_more_than_is_left_or_that_tell_something_else() {
    for written_off in [false, true] {
        let mut forge = Forge::new();
        let one = part_of(&forge, 1, written_off, |part| part.returned = 1);
        forge.push(one.clone());
        write_events(forge.dir.path(), &forge.events);
        let verdict = verify(forge.dir.path());
        assert_eq!((verdict.code, verdict.found()), (0, vec![]), "{}", verdict.told());
        // The same once more brings back what came back before.
        forge.push(one);
        forge.expect("reservation", 15);
    }
    let consumed = confirmed(&Forge::new()).2.consumed;
    type Telling = fn(&mut PartLine);
    let tellings: [(u64, Telling); 4] = [
        (consumed + 1, |part| part.returned = part.consumed),
        (1, |part| part.returned = 2),
        (2, |part| part.returned = 1),
        (1, |part| (part.consumed, part.returned) = (part.consumed + 1, 1)),
    ];
    for (units, told) in tellings {
        let mut forge = Forge::new();
        let wrong = part_of(&forge, units, false, told);
        forge.push(wrong);
        forge.expect("reservation", 15);
    }
    // A limit cannot break.
    let mut forge = Forge::new();
    let mut wrong = part_of(&forge, 1, false, |part| part.returned = 1);
    let quota = forge.accounts.lifetime;
    if let Fact::Returned { lines, part: Some(part), .. } = &mut wrong {
        let consumed = part.lines.iter_mut().find(|line| line.account == quota);
        let consumed = consumed.expect("the order was under a limit");
        consumed.returned = 1;
        part.written_off = vec![quota];
        let available = forge.available(quota);
        let line = EventLine { account: quota.number(), quantity: 1, consumed: 0, available };
        *lines = [lines[0], line].as_slice().into();
    }
    forge.push(wrong);
    forge.expect("quota", 18);
}

#[test]
fn deadlines_that_were_not_kept() {
    let mut forge = Forge::new();
    let end = forge.end(true);
    forge.at = end.expires_at;
    forge.push(Fact::Confirmed(end));
    forge.expect("deadline", 16);

    let mut forge = Forge::new();
    let end = forge.end(false);
    forge.at = end.expires_at;
    forge.push(Fact::Released(end));
    forge.expect("deadline", 16);

    let mut forge = Forge::new();
    let end = forge.end(false);
    forge.at = end.expires_at - 1;
    forge.push(Fact::Expired(end));
    forge.expect("deadline", 16);

    let mut forge = Forge::new();
    forge.at += TTL_MS;
    let end = forge.end(false);
    forge.push(Fact::Expired(end));
    write_events(forge.dir.path(), &forge.events);
    assert_eq!(verify(forge.dir.path()).code, 0, "at its deadline it may expire");
}

/// What the pending order took, taken once more by another reservation.
fn taken_again(forge: &Forge) -> Fact<'static> {
    let Fact::Reserved { reservation, owner, lines, .. } = &forge.pending.fact else {
        panic!("a reservation")
    };
    let lines = lines.iter().map(|line| {
        let available = forge.available(line.account()) - line.quantity as i64;
        EventLine { available, ..*line }
    });
    Fact::Reserved {
        reservation: ReservationId::from_number(reservation.number() + (64 << 40)),
        owner: *owner,
        expires_at: forge.at + TTL_MS,
        confirmed: false,
        lines: lines.collect(),
        details: b""[..].into(),
    }
}

#[test]
fn units_that_others_wait_for_are_sold_or_served_out_of_turn() {
    let stock = |forge: &Forge| forge.accounts.stock;
    let queued = |forge: &Forge, place, owner| Fact::Queued {
        account: stock(forge),
        place,
        owner,
        body: b""[..].into(),
    };
    let gone = |forge: &Forge, place, owner, reservation| Fact::Dequeued {
        account: stock(forge),
        place,
        owner,
        reservation,
        note: "".into(),
    };
    let points = Forge::new().accounts.points;
    let other = Forge::new().accounts.backorder;

    // With nobody in line, or nobody any more, it is sound.
    let mut forge = Forge::new();
    forge.push(queued(&forge, 0, points));
    forge.push(gone(&forge, 0, points, None));
    forge.push(taken_again(&forge));
    write_events(forge.dir.path(), &forge.events);
    let verdict = verify(forge.dir.path());
    assert_eq!((verdict.code, verdict.found()), (0, vec![]), "{}", verdict.told());

    let mut forge = Forge::new();
    forge.push(queued(&forge, 0, points));
    forge.push(taken_again(&forge));
    forge.expect("reservation", 15);

    let served = Some(ReservationId::from_number(64));
    for (places, place, owner, reservation, kind, code) in [
        // Out of turn, and for a reservation that takes nothing.
        (vec![(0, points), (1, other)], 1, other, served, "reservation", 15),
        (vec![(0, points)], 0, points, served, "reservation", 15),
        (vec![(0, points)], 1, points, None, "record", 12),
        (vec![(0, points)], 0, other, None, "record", 12),
        (vec![(1, points)], 1, points, None, "record", 12),
        (vec![(0, points), (1, points)], 0, points, None, "record", 12),
    ] {
        let mut forge = Forge::new();
        for (place, owner) in places {
            forge.push(queued(&forge, place, owner));
        }
        forge.push(gone(&forge, place, owner, reservation));
        forge.expect(kind, code);
    }
}

#[test]
fn deadlines_that_were_moved_too_late_or_from_where_they_were_not() {
    let moved = |forge: &Forge, was: u64, expires_at: u64| {
        let end = forge.end(false);
        let lines = end
            .lines
            .iter()
            .map(|line| EventLine { available: line.available - line.quantity as i64, ..*line });
        let (reservation, lines) = (end.reservation, lines.collect());
        Fact::Extended { reservation, was, expires_at, lines }
    };
    let deadline = Forge::new().end(false).expires_at;
    for (at, was, expires_at, kind, code) in [
        (deadline, deadline, deadline + 9, "deadline", 16),
        (deadline - 1, deadline, deadline - 1, "deadline", 16),
        (deadline - 1, deadline + 1, deadline + 9, "reservation", 15),
    ] {
        let mut forge = Forge { at, ..Forge::new() };
        forge.push(moved(&forge, was, expires_at));
        forge.expect(kind, code);
    }
    // It may expire when the new one has come.
    let mut forge = Forge { at: deadline - 1, ..Forge::new() };
    forge.push(moved(&forge, deadline, deadline + 9));
    forge.at = deadline + 9;
    forge.push(Fact::Expired(stockhold::event::End {
        expires_at: deadline + 9,
        ..forge.end(false)
    }));
    write_events(forge.dir.path(), &forge.events);
    let verdict = verify(forge.dir.path());
    assert_eq!((verdict.code, verdict.found()), (0, vec![]), "{}", verdict.told());
}

/// The shard of an account with this name.
fn shard_of(key: &AccountKey) -> u32 {
    let dir = TempDir::new().expect("a directory");
    let engine = stockhold::Engine::builder(dir.path()).segment_bytes(128 << 10).open();
    let engine = engine.expect("it opens");
    let account = engine.open_account(key, Policy::strict()).expect("there is room");
    engine.close().expect("it closes");
    account.number() % 64
}

#[test]
fn what_is_revived_and_did_not_expire_is_another_or_has_two_ends() {
    // The pending order, expired and confirmed after all.
    let revived = |forge: &Forge| {
        let Fact::Reserved { reservation, owner, expires_at, lines, .. } = &forge.pending.fact
        else {
            panic!("a reservation")
        };
        let caps = forge.accounts.outstanding;
        let lines = lines.iter().map(|line| {
            let held = line.quantity as i64;
            let left =
                forge.available(line.account()) + if line.account() == caps { held } else { 0 };
            EventLine { consumed: line.quantity, available: left, ..*line }
        });
        (*reservation, *owner, *expires_at, lines.collect::<Vec<_>>())
    };
    let expired = || {
        let mut forge = Forge::new();
        forge.at += TTL_MS;
        let end = forge.end(false);
        forge.push(Fact::Expired(end));
        let (reservation, owner, expires_at, lines) = revived(&forge);
        let fact = Fact::Revived { reservation, owner, expires_at, lines: lines[..].into() };
        (forge, fact)
    };
    let (mut forge, fact) = expired();
    forge.push(fact);
    write_events(forge.dir.path(), &forge.events);
    let verdict = verify(forge.dir.path());
    assert_eq!((verdict.code, verdict.found()), (0, vec![]), "{}", verdict.told());

    // Once more.
    let (mut forge, fact) = expired();
    forge.push(fact.clone());
    forge.push(fact);
    forge.expect("reservation", 15);
    // It waits still.
    let (mut forge, fact) = expired();
    forge.events.pop();
    forge.push(fact);
    forge.expect("reservation", 15);
    // Without its limit, in another's name, with another deadline, or in part.
    let changed = |change: fn(&mut Fact<'static>)| {
        let (mut forge, mut fact) = expired();
        change(&mut fact);
        forge.push(fact);
        forge.expect("reservation", 15);
    };
    changed(|fact| {
        if let Fact::Revived { lines, .. } = fact {
            *lines = lines[..1].into();
        }
    });
    changed(|fact| {
        if let Fact::Revived { owner, .. } = fact {
            *owner = None;
        }
    });
    changed(|fact| {
        if let Fact::Revived { expires_at, .. } = fact {
            *expires_at += 1;
        }
    });
    changed(|fact| {
        if let Fact::Revived { lines, .. } = fact {
            lines[0].consumed -= 1;
        }
    });
    // Points may be of another account of its user, and not of another's.
    for of_its_user in [true, false] {
        let (mut forge, mut fact) = expired();
        let Fact::Revived { lines, .. } = &mut fact else { panic!("it is revived") };
        let points = lines[0];
        let opened = |event: &Event<'static>| match &event.fact {
            Fact::AccountOpened { account, key, .. } => Some((*account, key.clone())),
            _ => None,
        };
        let all: Vec<(AccountId, AccountKey)> = forge.events.iter().filter_map(opened).collect();
        let (_, own) = all.iter().find(|(account, _)| *account == points.account()).expect("open");
        let key = match of_its_user {
            true => AccountKey::points_until(own.owner(), 4_102_444_800_000),
            false => AccountKey::points("eve"),
        };
        let key = key.expect("a valid name");
        // The next of its shard, which follows from its user.
        let shard = match of_its_user {
            true => points.account % 64,
            false => shard_of(&key),
        };
        let of_shard = all.iter().map(|(account, _)| account.number());
        let last = of_shard.filter(|number| number % 64 == shard).max();
        let account = AccountId::from_number(last.map_or(shard, |last| last + 64));
        forge.push(Fact::AccountOpened { account, key, policy: Policy::strict() });
        let (units, note) = (points.quantity, "".into());
        let available = units as i64;
        forge.push(Fact::Received { account, quantity: units, available, note });
        lines[0] = EventLine { account: account.number(), available: 0, ..points };
        forge.push(fact);
        if !of_its_user {
            forge.expect("reservation", 15);
            continue;
        }
        write_events(forge.dir.path(), &forge.events);
        let verdict = verify(forge.dir.path());
        assert_eq!((verdict.code, verdict.found()), (0, vec![]), "{}", verdict.told());
    }
    // What was released is given up.
    let mut forge = Forge::new();
    let end = forge.end(false);
    forge.push(Fact::Released(end));
    let (reservation, owner, expires_at, lines) = revived(&forge);
    forge.push(Fact::Revived { reservation, owner, expires_at, lines: lines[..].into() });
    forge.expect("reservation", 15);
}

#[test]
fn a_key_with_two_effects() {
    let mut forge = Forge::new();
    let there = forge.available(forge.accounts.stock);
    forge.receive(1, there + 1);
    let last = forge.events.last_mut().expect("it was pushed");
    last.request = Some(Request { key: key("delivery"), fingerprint: 9, kept: None });
    forge.expect("idempotency", 17);

    // Once the time is over that the first one promised, the key may do something again.
    let forge = Forge::new();
    let there = forge.available(forge.accounts.stock);
    let kept = forge
        .events
        .iter()
        .filter_map(|event| event.request)
        .find(|it| it.key.number() == key("delivery").number());
    let until = kept.and_then(|request| request.kept).expect("the delivery had a key").until;
    for (at, code) in [(until - 1, 17), (until, 0)] {
        let mut forge = Forge { at, events: forge.events.clone(), ..Forge::new() };
        forge.receive(1, there + 1);
        forge.events.last_mut().expect("it was pushed").request =
            Some(Request { key: key("delivery"), fingerprint: 9, kept: None });
        write_events(forge.dir.path(), &forge.events);
        assert_eq!(verify(forge.dir.path()).code, code, "at {at}, kept until {until}");
    }
}

#[test]
fn a_window_that_gives_back_early() {
    let mut forge = Forge::new();
    let renewed = forge.events.iter().position(|event| matches!(event.fact, Fact::Renewed { .. }));
    let at = renewed.expect("a window gave back");
    forge.events[at].at = NOW_MS;
    forge.expect("quota", 18);
}

/// A daily limit of one, bought on one day and on the next: the events, the account, and the two
/// orders.
fn two_days() -> (TempDir, Vec<Event<'static>>, AccountId, [ReservationId; 2]) {
    let dir = TempDir::new().expect("a temporary directory");
    let clock = Arc::new(ManualClock::new(NOW_MS));
    let engine = open_engine(dir.path(), &clock);
    let policy = Policy::quota(1, Window::Fixed { length_ms: 1_000, offset_ms: 0 });
    let quota = engine
        .open_account(&AccountKey::quota("ann", "tea").expect("a valid key"), policy)
        .expect("it opens");
    let lines = [Line { account: quota, quantity: 1 }];
    let buy = || reservation(done(engine.reserve(Reserve::new(&lines, TTL_MS).confirmed())));
    let first = buy();
    clock.advance(1_000);
    let second = buy();
    drop(engine);
    let events = events(dir.path());
    (dir, events, quota, [first, second])
}

/// The first release gave back the newest use, whosever it was, and a further unit could be bought.
#[test]
fn a_limit_that_was_exceeded_after_a_return() {
    let (dir, mut events, quota, [first, second]) = two_days();
    let mut bought = events.last().expect("some").clone();
    let Fact::Reserved { reservation, .. } = &mut bought.fact else {
        panic!("the last is a purchase")
    };
    *reservation = ReservationId::from_number(second.number() + 64);
    let back = EventLine { account: quota.number(), quantity: 1, consumed: 0, available: 1 };
    let returned = |consumed_at| Fact::Returned {
        reservation: first,
        lines: [back].as_slice().into(),
        note: "".into(),
        consumed_at,
        expires_at: 0,
        part: None,
    };
    let event = |fact| Event { at: NOW_MS + 1_001, request: None, fact };
    events.push(event(returned(None)));
    write_events(dir.path(), &events);
    assert_eq!(verify(dir.path()).code, 0, "nothing was exceeded yet");
    events.push(event(bought.fact.clone()));
    write_events(dir.path(), &events);
    expect(dir.path(), "quota", 18);
    // An event of this release says when the units were consumed, and is wrong by itself.
    events.truncate(events.len() - 2);
    events.push(event(returned(Some(NOW_MS))));
    write_events(dir.path(), &events);
    expect(dir.path(), "quota", 18);
}

#[test]
fn a_changed_rule_that_forgets_what_was_bought() {
    let (dir, mut events, account, _) = two_days();
    let policy = Policy::quota(3, Window::Never);
    let changed = |consumed: u64| {
        let available = 3 - consumed as i64;
        let fact = Fact::PolicyChanged { account, policy, available, consumed: Some(consumed) };
        Event { at: NOW_MS + 1_001, request: None, fact }
    };
    for (consumed, code) in [(2, 0), (1, 18), (3, 18)] {
        events.push(changed(consumed));
        write_events(dir.path(), &events);
        assert_eq!(verify(dir.path()).code, code, "{consumed} units are said to count");
        events.pop();
    }
}

#[test]
fn a_return_of_what_was_consumed_at_another_time() {
    let (dir, mut events, quota, [first, _]) = two_days();
    let lines = [EventLine { account: quota.number(), quantity: 0, consumed: 1, available: 0 }]
        .as_slice()
        .into();
    let fact = Fact::Returned {
        reservation: first,
        lines,
        note: "".into(),
        consumed_at: Some(NOW_MS),
        expires_at: 0,
        part: None,
    };
    events.push(Event { at: NOW_MS + 1_001, request: None, fact });
    write_events(dir.path(), &events);
    assert_eq!(verify(dir.path()).code, 0, "its unit came back with the new day");
    let Fact::Returned { consumed_at, .. } = &mut events.last_mut().expect("it was pushed").fact
    else {
        panic!()
    };
    *consumed_at = Some(NOW_MS + 1_000);
    write_events(dir.path(), &events);
    expect(dir.path(), "reservation", 15);
}

/// A directory after a sale long enough for an archive, two snapshots and several segments.
fn long_sale() -> TempDir {
    let sale = Sale::open();
    for _ in 0..3 {
        sale.sell(70);
        sale.engine.catch_up().wait().expect("history follows");
        sale.engine.checkpoint().expect("it is written");
    }
    while sale.engine.status().archive_bytes == 0 {
        std::thread::yield_now();
    }
    sale.sell(40);
    sale.drop_engine()
}

pub(crate) fn files(dir: &Path, start: &str) -> Vec<PathBuf> {
    let names = fs::read_dir(dir).expect("it lists").map(|entry| entry.expect("it lists").path());
    let mut files: Vec<PathBuf> = names
        .filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start))
        })
        .collect();
    files.sort();
    files
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("it reads");
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("it is written");
}

#[test]
fn flipped_bits_in_every_kind_of_file() {
    let dir = long_sale();
    let path = |name: &str| dir.path().join(name);
    let journal = files(&path("journal"), "segment-");
    let archive = files(&path("archive"), "0");
    let checkpoint = files(&path("checkpoint"), "snapshot-");
    assert!(journal.len() > 2 && !archive.is_empty() && checkpoint.len() == 2);
    let places = [
        (&journal[0], 50, "the header of a segment"),
        (&journal[0], 4096 + 40, "a record that another segment follows"),
        (&journal[journal.len() - 1], 4096 + 40, "a record of the last segment"),
        (&archive[0], 60, "the archive"),
        (&checkpoint[0], 20, "the header of a snapshot"),
        (&checkpoint[1], 4000, "a part of a snapshot"),
    ];
    for (file, at, what) in places {
        flip(file, at);
        let verdict = verify(dir.path());
        assert_eq!(verdict.code, 10, "{what}: {}", verdict.told());
        let name = file.file_name().expect("a name").to_string_lossy();
        assert!(verdict.told().contains(&*name), "{what}: {}", verdict.told());
        flip(file, at);
    }
    assert_eq!(verify(dir.path()).code, 0, "everything is as it was");
}

#[test]
fn claims_that_are_damaged_or_on_records_that_are_gone() {
    let sale = Sale::open();
    sale.sell(20);
    let claim = sale.engine.claim("mirror").expect("there is room");
    claim.hold_from(sale.last_seq() + 1).expect("it holds what comes next");
    drop(claim);
    let dir = sale.drop_engine();
    assert_eq!(verify(dir.path()).code, 0, "{}", verify(dir.path()).told());
    let file = dir.path().join("claims/mirror.claim");
    flip(&file, 30);
    let damaged = verify(dir.path());
    assert_eq!(damaged.code, 10, "{}", damaged.told());
    assert!(damaged.told().contains("mirror.claim"), "{}", damaged.told());
    // The same claim on the next record but one, as if a record had been there.
    let mut bytes = fs::read(&file).expect("it reads");
    bytes[30] ^= 1;
    let from_seq = u64::from_le_bytes(bytes[28..36].try_into().expect("eight bytes")) + 1;
    bytes[28..36].copy_from_slice(&from_seq.to_le_bytes());
    let end = bytes.len() - 4;
    let sum = crc32c::crc32c(&bytes[..end]);
    bytes[end..].copy_from_slice(&sum.to_le_bytes());
    fs::write(&file, bytes).expect("it is written");
    let lost = verify(dir.path());
    assert_eq!(lost.code, 22, "{}", lost.told());
    assert!(lost.told().contains("mirror.claim"), "{}", lost.told());
}

#[test]
fn bytes_behind_the_end_of_an_archive_file() {
    let dir = long_sale();
    let archive = &files(&dir.path().join("archive"), "0")[0];
    let whole = fs::read(archive).expect("it reads");
    fs::write(archive, [&whole[..], &whole].concat()).expect("it is written");
    let verdict = verify(dir.path());
    assert_eq!(verdict.code, 10, "{}", verdict.told());
    assert!(verdict.told().contains("bytes follow its end"), "{}", verdict.told());
}

#[test]
fn records_that_are_missing() {
    let dir = long_sale();
    let journal = files(&dir.path().join("journal"), "segment-");
    let middle = &journal[journal.len() / 2];
    let aside = dir.path().join("aside");
    fs::rename(middle, &aside).expect("it is moved");
    let verdict = verify(dir.path());
    assert_eq!(verdict.code, 10, "the records before the hole end short: {}", verdict.told());
    assert!(verdict.found().iter().any(|(kind, _)| kind == "sequence"), "{}", verdict.told());
    fs::rename(&aside, middle).expect("it is moved back");
    // The last ones, which a snapshot shows.
    let sale = Sale::open();
    sale.sell(20);
    let dir = sale.close();
    let journal = files(&dir.path().join("journal"), "segment-");
    fs::remove_file(&journal[journal.len() - 1]).expect("it is removed");
    let verdict = verify(dir.path());
    assert_eq!(verdict.code, 22, "{}", verdict.told());
    assert!(verdict.told().contains("acknowledged records are missing"), "{}", verdict.told());

    let forge = Forge::new();
    let mut records: Vec<Record> =
        (1..).zip(&forge.events).map(|(seq, event)| record(seq, event)).collect();
    records.remove(20);
    write_records(forge.dir.path(), &records);
    expect(forge.dir.path(), "sequence", 11);
}

/// Adds 1 to a number of an account in a snapshot, and makes the checksum of its part right again.
/// Behind an account's key: backorder, limit, three of the window, then available (5) and reserved,
/// consumed, received (8), written off.
pub(crate) fn add_to_snapshot(path: &Path, key: &[u8], field: usize) {
    let mut bytes = fs::read(path).expect("it reads");
    let number = |bytes: &[u8], at: usize| {
        u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
    };
    let (mut start, mut edited) = (40, 0);
    while start < bytes.len() {
        let end = start + 24 + number(&bytes, start + 16) as usize;
        if let Some(at) = bytes[start + 24..end].windows(key.len()).position(|window| window == key)
        {
            let at = start + 24 + at + key.len() + field * 8;
            let more = number(&bytes, at) + 1;
            bytes[at..at + 8].copy_from_slice(&more.to_le_bytes());
            let part = &bytes[start..end];
            let crc = crc32c::crc32c_append(crc32c::crc32c(&part[..4]), &part[8..]);
            bytes[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
            edited += 1;
        }
        start = end;
    }
    assert_eq!(edited, 1, "one part was edited");
    fs::write(path, bytes).expect("it is written");
}

#[test]
fn a_snapshot_that_shows_another_ledger() {
    let sale = Sale::open();
    sale.sell(20);
    let dir = sale.close();
    let snapshot = files(&dir.path().join("checkpoint"), "snapshot-").pop().expect("a snapshot");
    add_to_snapshot(&snapshot, b"stock/tea", 5);
    expect(dir.path(), "snapshot", 19);
    // Now it adds up again, and is still another one.
    add_to_snapshot(&snapshot, b"stock/tea", 8);
    expect(dir.path(), "snapshot", 19);
}

/// A closed directory with history, and its events: the last two are a receipt and a document.
fn with_history() -> (TempDir, Vec<Event<'static>>) {
    let sale = Sale::open();
    sale.sell(14);
    crate::sale::done(sale.engine.receive(Receive::new(sale.accounts.stock, 1).note("the last")));
    crate::sale::done(sale.engine.put_document(PutDocument::new("product", "last", b"{}")));
    // By the last record history knows its journal: that one is never forged.
    crate::sale::done(sale.engine.put_document(PutDocument::new("product", "known by", b"{}")));
    let dir = sale.close();
    let events = events(dir.path());
    replace_events(dir.path(), &events);
    let (code, told, log) =
        run(&mut stockhold(&["rebuild", dir.path().to_str().expect("a path in UTF-8")]));
    assert_eq!(code, 0, "{told}{log}");
    (dir, events)
}

#[test]
fn history_that_cannot_be_used() {
    let (dir, events) = with_history();
    let path = |name: &str| dir.path().join(name);
    assert_eq!(verify(dir.path()).code, 0);
    // History of events that the journal does not have.
    replace_events(dir.path(), &events[..events.len() - 1]);
    expect(dir.path(), "loss", 22);
    replace_events(dir.path(), &events);
    fs::rename(path("store.manifest"), path("aside")).expect("it is moved");
    expect(dir.path(), "store", 20);
    fs::rename(path("aside"), path("store.manifest")).expect("it is moved back");
    assert_eq!(verify(dir.path()).code, 0);
    fs::rename(path("store"), path("aside")).expect("it is moved");
    expect(dir.path(), "store", 20);
    fs::rename(path("aside"), path("store")).expect("it is moved back");
    for file in files(&path("store"), "") {
        let mut bytes = fs::read(&file).unwrap_or_default();
        bytes.iter_mut().step_by(97).for_each(|byte| *byte ^= 0x55);
        if file.is_file() {
            fs::write(&file, bytes).expect("it is written");
        }
    }
    expect(dir.path(), "store", 20);
}

#[test]
fn history_that_tells_something_else_than_the_events() {
    let (dir, events) = with_history();
    let last = events.len() - 2;
    let with = |at: usize, fact: Fact<'static>| {
        let mut changed = events.clone();
        changed[at].fact = fact;
        changed
    };
    let Fact::Received { account, quantity, available, .. } = events[last - 1].fact else {
        panic!("a receipt")
    };
    let received = |note: &'static str, more: i64| Fact::Received {
        account,
        quantity: quantity.saturating_add_signed(more),
        available: available + more,
        note: note.into(),
    };
    let document = events[last].fact.clone();
    let more = Fact::Received { account, quantity: 1, available: available + 1, note: "".into() };
    let reserved =
        events.iter().position(|event| matches!(event.fact, Fact::Reserved { owner: Some(_), .. }));
    let reserved = reserved.expect("an order of somebody");
    let mut of_another = events[reserved].fact.clone();
    if let Fact::Reserved { owner, .. } = &mut of_another {
        *owner = Some(account);
    }
    for (what, changed) in [
        ("another note", with(last - 1, received("not the last", 0))),
        ("another quantity", with(last - 1, received("the last", 1))),
        ("a change that history does not have", with(last, more)),
        ("a change that only history has", with(last - 1, document)),
        ("an order of somebody else", with(reserved, of_another)),
    ] {
        replace_events(dir.path(), &changed);
        let verdict = verify(dir.path());
        assert_eq!(verdict.code, 21, "{what}: {:?} {}", verdict.found(), verdict.told());
    }
    replace_events(dir.path(), &events);
    assert_eq!(verify(dir.path()).code, 0, "the events as they were");
}
