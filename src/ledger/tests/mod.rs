//! The ledger against a list for a journal: what it decides, and that its events rebuild it.

mod atomic;
#[cfg(not(stockhold_loom))]
mod bound;
mod close;
mod count;
mod extend;
#[cfg(not(stockhold_loom))]
mod golden;
#[cfg(not(stockhold_loom))]
mod limits;
#[cfg(not(stockhold_loom))]
mod queue;
mod returns;
mod revive;
#[cfg(stockhold_loom)]
mod shards_loom;
mod transfer;
mod window;

use super::commit::commit;
use super::idempotency::KeyLimits;
use super::shard::{LockedShards, bit};
use super::*;
use crate::base::error::ErrorKind;
use crate::base::{IdempotencyKey, ReservationId};
use crate::event::{Event, Fact, PartLine, Policy, Recorder, Window, decode, encode, kind_of};

/// A journal in memory.
#[derive(Default)]
struct List(Mutex<Vec<(u16, Vec<u8>)>>);

impl Recorder for List {
    fn admit(&self) -> Result<()> {
        Ok(())
    }

    fn record(&self, event: &Event<'_>) -> Seq {
        let mut payload = Vec::new();
        encode(event, &mut payload);
        let mut events = self.0.lock();
        events.push((kind_of(event), payload));
        events.len() as Seq
    }

    fn last_seq(&self) -> Seq {
        self.0.lock().len() as Seq
    }
}

struct Fixture {
    ledger: Ledger,
    list: List,
}

impl Fixture {
    fn new() -> Self {
        Self::with(KeyLimits::default())
    }

    fn with(keys: KeyLimits) -> Self {
        let limits = Limits { keys, ..Limits::default() };
        Self { ledger: Ledger::new(limits, 0), list: List::default() }
    }

    fn open(&self, key: &str, policy: Policy) -> AccountId {
        let key = key.parse().expect("a valid key");
        self.ledger.open_account(&key, policy, 0, &self.list).expect("there is room").0
    }

    fn stock(&self, quantity: u64) -> AccountId {
        let account = self.open("stock/tea", Policy::strict());
        let receive = Command::Receive(Receive { account, quantity, note: "", key: None });
        self.execute(receive, 0);
        account
    }

    fn execute(&self, command: Command<'_>, now: TimeMs) -> Outcome {
        self.ledger.execute(&command, now, &self.list).expect("the command is sound").0
    }

    fn reserve(&self, account: AccountId, quantity: u64, now: TimeMs) -> Outcome {
        self.execute(Command::Reserve(Reserve::new(&[Line { account, quantity }], 100)), now)
    }

    fn first_answer(
        &self,
        key: IdempotencyKey,
    ) -> std::result::Result<Option<FirstAnswer>, ErrorKind> {
        let recalled = self.ledger.first_execution(key, 0).map_err(|error| error.kind())?;
        Ok(recalled.map(|first| first.answer))
    }

    fn numbers(&self, account: AccountId) -> (i64, u64, u64, u64, u64) {
        let level = self.ledger.level(account).expect("the account exists");
        (level.available, level.reserved, level.consumed, level.received, level.written_off)
    }

    /// The parts of a snapshot, each with the last event it shows.
    fn parts(&self) -> Vec<(Seq, Vec<u8>)> {
        let capture = |part| {
            let mut bytes = Vec::new();
            let seq = self.ledger.capture(part, &self.list, &mut bytes);
            (seq, bytes)
        };
        (0..PART_COUNT).map(capture).collect()
    }

    /// A ledger rebuilt from `parts` and the events after them; without parts, from all events.
    fn rebuilt(&self, parts: &[(Seq, Vec<u8>)]) -> Fixture {
        // Where answers are placed is each process's own.
        let other = Fixture::with(KeyLimits { salt: 7, ..self.ledger.limits.keys });
        let mut replay = Replay::new(&other.ledger);
        for (part, (seq, bytes)) in parts.iter().enumerate() {
            let layout = Layout { version: LAYOUT_VERSION, taken_at: 0 };
            replay.load(layout, part, *seq, bytes).expect("a captured part loads");
        }
        let shown_by_all = parts.iter().map(|(seq, _)| *seq).min().unwrap_or(0);
        let events = self.list.0.lock();
        for (index, (kind, payload)) in events.iter().enumerate().skip(shown_by_all as usize) {
            let event = decode(*kind, payload).expect("a recorded event decodes");
            replay.apply(index as Seq + 1, &event).expect("a recorded event applies");
        }
        drop(replay);
        other.list.0.lock().extend(events.iter().cloned());
        drop(events);
        other
    }
}

fn reservation_of(outcome: Outcome) -> ReservationId {
    match outcome {
        Outcome::Reserve(ReserveOutcome::Reserved(Reserved { reservation, .. })) => reservation,
        other => panic!("expected a reservation, got {other:?}"),
    }
}

/// What a reservation consumed, none of it returned.
fn consumed(lines: &[Line]) -> Vec<PartLine> {
    let line = |&Line { account, quantity }| PartLine { account, consumed: quantity, returned: 0 };
    lines.iter().map(line).collect()
}

fn confirm(reservation: ReservationId) -> Command<'static> {
    Command::Confirm(Confirm { reservation, owner: None, quantities: None, key: None })
}

fn release(reservation: ReservationId) -> Command<'static> {
    Command::Release(Release { reservation, owner: None, key: None })
}

#[test]
fn a_reservation_ends_once() {
    let fixture = Fixture::new();
    let tea = fixture.stock(10);
    let first = reservation_of(fixture.reserve(tea, 3, 0));
    let second = reservation_of(fixture.reserve(tea, 4, 0));
    assert_eq!(fixture.numbers(tea), (3, 7, 0, 10, 0));
    assert_eq!(
        fixture.execute(confirm(first), 99),
        Outcome::Confirm(ConfirmOutcome::Confirmed { reservation: first })
    );
    assert_eq!(
        fixture.execute(confirm(first), 99),
        Outcome::Confirm(ConfirmOutcome::NotPending {
            reservation: first,
            why: NotPending::Confirmed
        })
    );
    assert_eq!(
        fixture.execute(release(first), 99),
        Outcome::Release(ReleaseOutcome::NotPending {
            reservation: first,
            why: NotPending::Confirmed
        })
    );
    assert_eq!(
        fixture.execute(release(second), 99),
        Outcome::Release(ReleaseOutcome::Released { reservation: second })
    );
    assert_eq!(fixture.numbers(tea), (7, 0, 3, 10, 0));
}

#[test]
fn the_deadline_decides_even_if_the_wheel_has_not_turned() {
    let fixture = Fixture::new();
    let tea = fixture.stock(1);
    let reservation = reservation_of(fixture.reserve(tea, 1, 50));
    assert_eq!(
        fixture.execute(confirm(reservation), 150),
        Outcome::Confirm(ConfirmOutcome::Late { reservation, expires_at: 150 })
    );
    let refusal = Refusal {
        line: 0,
        account: tea,
        available: 0,
        next_release_at: Some(150),
        has_line: false,
    };
    assert_eq!(fixture.reserve(tea, 1, 149), Outcome::Reserve(ReserveOutcome::Refused(refusal)));
    let (seq, done) =
        fixture.ledger.expire(reservation.shard(), 150, 8, &fixture.list).expect("the list admits");
    assert!(seq.is_some() && done);
    assert_eq!(fixture.numbers(tea), (1, 0, 0, 1, 0));
}

#[test]
fn after_its_deadline_a_reservation_is_not_released_either() {
    let fixture = Fixture::new();
    let tea = fixture.stock(2);
    let (first, second) = (fixture.reserve(tea, 1, 50), fixture.reserve(tea, 1, 50));
    let (first, second) = (reservation_of(first), reservation_of(second));
    assert_eq!(
        fixture.execute(release(first), 149),
        Outcome::Release(ReleaseOutcome::Released { reservation: first })
    );
    let late = Outcome::Release(ReleaseOutcome::Late { reservation: second, expires_at: 150 });
    assert_eq!(fixture.execute(release(second), 150), late);
    let batch =
        fixture.ledger.execute_batch(&[release(second), confirm(second)], 151, &fixture.list);
    let said: Vec<_> =
        batch.into_iter().map(|said| said.expect("the commands are sound").0).collect();
    let late_to_confirm = ConfirmOutcome::Late { reservation: second, expires_at: 150 };
    assert_eq!(said, [late, Outcome::Confirm(late_to_confirm)], "in a batch, too");
    assert_eq!(fixture.numbers(tea), (1, 1, 0, 2, 0), "its units come back when it expires");
}

#[test]
fn units_never_come_back_in_the_past() {
    let fixture = Fixture::new();
    let tea = fixture.stock(1);
    fixture.reserve(tea, 1, 0);
    let next = |account, quantity, now, keyed: bool| {
        let lines = [Line { account, quantity }];
        let reserve = Reserve { confirm: keyed, ..Reserve::new(&lines, 100) };
        match fixture.execute(Command::Reserve(reserve), now) {
            Outcome::Reserve(ReserveOutcome::Refused(refusal)) => refusal.next_release_at,
            other => panic!("expected a refusal, got {other:?}"),
        }
    };
    // At a glance, and under the lock: the wheel has not turned for a while.
    for keyed in [false, true] {
        assert_eq!(next(tea, 1, 99, keyed), Some(100));
        assert_eq!(next(tea, 1, 5_000, keyed), Some(5_000));
    }
    let daily = fixture
        .open("quota/ann/tea", Policy::quota(1, Window::Fixed { length_ms: 1_000, offset_ms: 0 }));
    let lines = [Line { account: daily, quantity: 1 }];
    fixture.execute(Command::Reserve(Reserve::new(&lines, 100).confirmed()), 10);
    assert_eq!(next(daily, 2, 999, false), Some(1_000));
    assert_eq!(next(daily, 2, 1_000, false), None, "what came back with the new day is there");
    let write_off = Command::WriteOff(WriteOff { account: tea, quantity: 1, note: "", key: None });
    let Some(refusal) = fixture.execute(write_off, 6_000).refusal() else {
        panic!("nothing is there")
    };
    assert_eq!(refusal.next_release_at, Some(6_000));
}

#[test]
fn at_the_end_of_time_nothing_is_reserved_and_nothing_panics() {
    let fixture = Fixture::new();
    let tea = fixture.stock(2);
    let daily = fixture
        .open("quota/ann/tea", Policy::quota(5, Window::Fixed { length_ms: 1_000, offset_ms: 7 }));
    let last = TimeMs::MAX - 100;
    let lines = [Line { account: daily, quantity: 1 }, Line { account: tea, quantity: 1 }];
    let reservation =
        reservation_of(fixture.execute(Command::Reserve(Reserve::new(&lines, 100)), last));
    assert_eq!(
        fixture.execute(confirm(reservation), last),
        Outcome::Confirm(ConfirmOutcome::Confirmed { reservation })
    );
    for now in [last + 1, TimeMs::MAX] {
        let late = Command::Reserve(Reserve::new(&lines, 100));
        let error = fixture
            .ledger
            .execute(&late, now, &fixture.list)
            .expect_err("there is no such deadline");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    assert_eq!(fixture.ledger.takeable(daily, last).expect("it is open").0, 4);
}

#[test]
fn an_account_receives_no_more_than_one_line_can_be_about() {
    let fixture = Fixture::new();
    let points = fixture.open("points/ann", Policy::strict());
    let receive =
        |quantity| Command::Receive(Receive { account: points, quantity, note: "", key: None });
    let adjust = |delta| Command::Adjust(Adjust::new(points, delta));
    fixture.execute(receive(crate::base::RECEIVED_MAX - 1), 0);
    for more in [receive(2), adjust(2), receive(crate::base::QUANTITY_MAX)] {
        let error = fixture
            .ledger
            .execute(&more, 0, &fixture.list)
            .expect_err("it is more than can be counted");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    fixture.execute(adjust(1), 0);
    assert_eq!(fixture.numbers(points).3, crate::base::RECEIVED_MAX);
    // What an earlier release let in stays, and can go out again.
    let received =
        Fact::Received { account: points, quantity: 9, available: (1 << 48) + 9, note: "".into() };
    let mut locked = LockedShards::lock(&fixture.ledger.shards, bit(points.shard()));
    commit(&mut locked, &Event { at: 0, request: None, fact: received }, &fixture.list);
    drop(locked);
    fixture.execute(adjust(-5), 0);
    assert_eq!(fixture.numbers(points).0, (1 << 48) + 4);
}

#[test]
fn a_confirm_in_part_gives_the_rest_back() {
    let fixture = Fixture::new();
    let tea = fixture.stock(10);
    let reservation = reservation_of(fixture.reserve(tea, 5, 0));
    for quantities in [&[6][..], &[0], &[1, 1]] {
        let part = Command::Confirm(Confirm {
            reservation,
            owner: None,
            quantities: Some(quantities),
            key: None,
        });
        let error =
            fixture.ledger.execute(&part, 1, &fixture.list).expect_err("the part is out of bounds");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    let part =
        Command::Confirm(Confirm { reservation, owner: None, quantities: Some(&[2]), key: None });
    assert_eq!(
        fixture.execute(part, 1),
        Outcome::Confirm(ConfirmOutcome::Confirmed { reservation })
    );
    assert_eq!(fixture.numbers(tea), (8, 0, 2, 10, 0));
}

#[test]
fn all_lines_or_none() {
    let fixture = Fixture::new();
    let tea = fixture.stock(5);
    let points = fixture.open("points/ann", Policy::strict());
    fixture.execute(
        Command::Receive(Receive { account: points, quantity: 9, note: "", key: None }),
        0,
    );
    let lines = [
        Line { account: points, quantity: 9 },
        Line { account: tea, quantity: 3 },
        Line { account: tea, quantity: 3 },
    ];
    let refused = fixture.execute(Command::Reserve(Reserve::new(&lines, 100)), 0);
    // Two lines of one account count together.
    assert_eq!(
        refused,
        Outcome::Reserve(ReserveOutcome::Refused(Refusal {
            line: 2,
            account: tea,
            available: 2,
            next_release_at: None,
            has_line: false,
        }))
    );
    assert_eq!(fixture.numbers(points).0, 9);
    let reservation =
        reservation_of(fixture.execute(Command::Reserve(Reserve::new(&lines[..2], 100)), 0));
    assert_eq!((fixture.numbers(points).0, fixture.numbers(tea).0), (0, 2));
    fixture.execute(release(reservation), 1);
    assert_eq!((fixture.numbers(points).0, fixture.numbers(tea).0), (9, 5));
}

#[test]
fn a_retry_has_one_effect_and_the_first_answer() {
    let fixture = Fixture::new();
    let tea = fixture.stock(2);
    let key = IdempotencyKey::new("ann", "k1").expect("a valid key");
    let lines = [Line { account: tea, quantity: 2 }];
    let reserve = Command::Reserve(Reserve::new(&lines, 100).key(key));
    let first = fixture.execute(reserve, 0);
    let told = FirstAnswer::Reserved(first.reserved().expect("there were two"));
    assert_eq!(
        fixture.execute(reserve, 7),
        first,
        "though the stock is gone and the time is another"
    );
    let fewer = [Line { account: tea, quantity: 1 }];
    let other = Command::Reserve(Reserve::new(&fewer, 100).key(key));
    let error =
        fixture.ledger.execute(&other, 0, &fixture.list).expect_err("another body is a conflict");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let again = fixture.rebuilt(&fixture.parts());
    assert_eq!(again.execute(reserve, 8), first, "also after a restart");
    assert_eq!(again.first_answer(key), Ok(Some(told)), "and without asking again");
}

#[test]
fn a_key_with_a_body_recalls_the_answer_to_that_body_alone() {
    let fixture = Fixture::new();
    let tea = fixture.stock(2);
    let key = IdempotencyKey::new("ann", "k1").expect("a valid key");
    let lines = [Line { account: tea, quantity: 1 }];
    assert_eq!(fixture.first_answer(key.with_body(b"one")), Ok(None), "nothing was asked yet");
    let first =
        fixture.execute(Command::Reserve(Reserve::new(&lines, 100).key(key.with_body(b"one"))), 0);
    let told = FirstAnswer::Reserved(first.reserved().expect("there was enough"));
    assert_eq!(fixture.first_answer(key.with_body(b"one")), Ok(Some(told.clone())));
    assert_eq!(fixture.first_answer(key.with_body(b"two")), Err(ErrorKind::Conflict));
    assert_eq!(fixture.first_answer(key), Ok(Some(told)), "who names no body gets what there is");
}

#[test]
fn of_two_reservations_the_later_has_the_higher_number_in_whatever_shard() {
    let fixture = Fixture::new();
    let names = ["a", "b", "c", "d", "e", "f"];
    let stocks = names.map(|name| fixture.open(&format!("stock/{name}"), Policy::backorder(1_000)));
    let mut last = None;
    for (now, stock) in (0..).zip(stocks.iter().cycle()).take(60) {
        // A shard with many reservations must not run ahead of the others.
        for _ in 0..now % 7 {
            fixture.reserve(stocks[0], 1, now);
        }
        let number = Some(reservation_of(fixture.reserve(*stock, 1, now)));
        assert!(number > last, "{number:?} at {now}, after {last:?}");
        last = number;
    }
    let rebuilt = fixture.rebuilt(&fixture.parts());
    assert!(
        Some(reservation_of(rebuilt.reserve(stocks[0], 1, 0))) > last,
        "a number is not used again after a restart"
    );
}

#[test]
fn a_backorder_allowance_is_a_bound() {
    let fixture = Fixture::new();
    let tea = fixture.open("stock/tea", Policy::backorder(2));
    assert!(matches!(
        fixture.reserve(tea, 2, 0),
        Outcome::Reserve(ReserveOutcome::Reserved(Reserved { .. }))
    ));
    assert!(matches!(
        fixture.reserve(tea, 1, 0),
        Outcome::Reserve(ReserveOutcome::Refused(Refusal { available: 0, .. }))
    ));
    assert_eq!(fixture.numbers(tea), (-2, 2, 0, 0, 0));
}

#[test]
fn a_quota_counts_in_its_window_and_a_cap_counts_what_is_outstanding() {
    let fixture = Fixture::new();
    let daily = fixture
        .open("quota/ann/tea", Policy::quota(2, Window::Fixed { length_ms: 1000, offset_ms: 0 }));
    let cap = fixture.open("quota/ann", Policy::quota(1, Window::Outstanding));
    let lines = [Line { account: daily, quantity: 1 }, Line { account: cap, quantity: 1 }];
    let reserve = Command::Reserve(Reserve::new(&lines, 100));
    for now in [0, 10] {
        let reservation = reservation_of(fixture.execute(reserve, now));
        let refused = fixture.execute(reserve, now);
        assert!(
            matches!(refused, Outcome::Reserve(ReserveOutcome::Refused(Refusal { .. }))),
            "one at a time"
        );
        fixture.execute(confirm(reservation), now);
    }
    let refusal = Refusal {
        line: 0,
        account: daily,
        available: 0,
        next_release_at: Some(1000),
        has_line: false,
    };
    assert_eq!(fixture.execute(reserve, 999), Outcome::Reserve(ReserveOutcome::Refused(refusal)));
    reservation_of(fixture.execute(reserve, 1000));
    assert_eq!(fixture.numbers(daily), (1, 1, 0, 2, 0));
    assert_eq!(fixture.numbers(cap), (0, 1, 0, 1, 0));
}

#[test]
fn what_is_malformed_or_unknown_is_told_before_any_refusal() {
    let fixture = Fixture::new();
    let (tea, gone) = (fixture.stock(1), AccountId::from_number(u32::MAX));
    reservation_of(fixture.reserve(tea, 1, 0));
    let lines =
        |quantity, account| [Line { account: tea, quantity: 1 }, Line { account, quantity }];
    let (zero, huge, unknown, sound) =
        (lines(0, tea), lines(u64::MAX, tea), lines(1, gone), lines(1, tea));
    let (parts, ended) = ([0, 0], ReservationId::from_number(1));
    let confirm = Command::Confirm(Confirm {
        reservation: ended,
        owner: None,
        quantities: Some(&parts),
        key: None,
    });
    let too_many = [1; crate::base::LINES_MAX + 1];
    let confirm_many = Command::Confirm(Confirm {
        reservation: ended,
        owner: None,
        quantities: Some(&too_many),
        key: None,
    });
    for (command, kind) in [
        (Command::Reserve(Reserve::new(&zero, 100)), ErrorKind::Invalid),
        (Command::Reserve(Reserve::new(&huge, 100)), ErrorKind::Invalid),
        (Command::Reserve(Reserve::new(&sound, 0)), ErrorKind::Invalid),
        (Command::Reserve(Reserve::new(&unknown, 100)), ErrorKind::NotFound),
        (Command::Reserve(Reserve::new(&sound, 100).owner(gone)), ErrorKind::NotFound),
        (Command::Adjust(Adjust::new(gone, -1)), ErrorKind::NotFound),
        (confirm, ErrorKind::Invalid),
        (confirm_many, ErrorKind::Invalid),
    ] {
        let alone =
            fixture.ledger.execute(&command, 1, &fixture.list).expect_err("it is no sound command");
        let batch = fixture
            .ledger
            .execute_batch(&[command], 1, &fixture.list)
            .remove(0)
            .expect_err("nor in a batch");
        assert_eq!((alone.kind(), batch.kind()), (kind, kind), "{command:?}");
    }
    let refused = fixture.execute(Command::Reserve(Reserve::new(&sound, 100)), 1);
    assert!(matches!(refused, Outcome::Reserve(ReserveOutcome::Refused(_))), "{refused:?}");
}

#[test]
fn an_account_that_is_open_with_another_policy_says_so() {
    let fixture = Fixture::new();
    let key = "stock/tea".parse().expect("a valid key");
    let open = |policy| {
        fixture.ledger.open_account(&key, policy, 0, &fixture.list).map(|(account, _)| account)
    };
    let tea = open(Policy::strict()).expect("there is room");
    let other = open(Policy::backorder(1)).expect_err("it is strict");
    assert_eq!(other.kind(), ErrorKind::Conflict);
    assert_eq!(open(Policy::strict()).expect("the same policy"), tea);
    fixture
        .ledger
        .set_policy(&SetPolicy::new(tea, Policy::backorder(1)), 0, &fixture.list)
        .expect("a sound policy");
    assert_eq!(open(Policy::backorder(1)).expect("the policy of now"), tea);
    assert_eq!(fixture.list.last_seq(), 2, "only what changed something is an event");
    let gone = fixture.ledger.level(AccountId::from_number(7)).expect_err("it was never opened");
    assert_eq!(gone.kind(), ErrorKind::NotFound);
}

#[test]
fn consumed_units_return_once() {
    let fixture = Fixture::new();
    let tea = fixture.stock(4);
    let lines = [Line { account: tea, quantity: 3 }];
    let bought =
        reservation_of(fixture.execute(Command::Reserve(Reserve::new(&lines, 100).confirmed()), 0));
    assert_eq!(fixture.numbers(tea), (1, 0, 3, 4, 0));
    let used = Used { reservation: bought, lines: &consumed(&lines), consumed_at: 0 };
    fixture
        .ledger
        .return_used(&used, &Return::default(), 1, &fixture.list)
        .expect("the units are consumed");
    assert_eq!(fixture.numbers(tea), (4, 0, 0, 4, 0));
    let error = fixture
        .ledger
        .return_used(&used, &Return::default(), 1, &fixture.list)
        .expect_err("they came back before");
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[test]
fn events_and_any_mix_of_parts_rebuild_the_ledger() {
    let fixture = Fixture::new();
    let mut earlier = fixture.parts();
    let tea = fixture.stock(1000);
    let accounts: Vec<_> = (0..20)
        .map(|user| fixture.open(&format!("quota/u{user}/tea"), Policy::quota(9, Window::Never)))
        .collect();
    let mut reservations = Vec::new();
    for (index, account) in accounts.iter().enumerate() {
        let lines = [Line { account: *account, quantity: 2 }, Line { account: tea, quantity: 2 }];
        reservations.push(reservation_of(
            fixture.execute(Command::Reserve(Reserve::new(&lines, 100)), index as u64),
        ));
        if index % 3 == 0 {
            // Parts of different moments: each shard must take up only what it does not show.
            let now = fixture.parts();
            for part in (index % 2..PART_COUNT).step_by(2) {
                earlier[part] = now[part].clone();
            }
        }
    }
    for (index, reservation) in reservations.iter().enumerate() {
        match index % 3 {
            0 => drop(fixture.execute(confirm(*reservation), 50)),
            1 => drop(fixture.execute(release(*reservation), 50)),
            _ => {}
        }
    }
    fixture
        .ledger
        .put_document(&PutDocument::new("product", "tea", b"{}"), 0, &fixture.list)
        .expect("there is room");
    let rebuilt = fixture.rebuilt(&earlier);
    assert_eq!(rebuilt.ledger.levels(), fixture.ledger.levels());
    assert_eq!(rebuilt.ledger.documents("product"), fixture.ledger.documents("product"));
    for reservation in reservations {
        assert_eq!(rebuilt.ledger.pending(reservation), fixture.ledger.pending(reservation));
    }
    assert_eq!(
        rebuilt.reserve(tea, 1, 60),
        fixture.reserve(tea, 1, 60),
        "numbers go on where they were"
    );
}

#[test]
fn a_batch_answers_each_command_for_itself() {
    let fixture = Fixture::new();
    let tea = fixture.stock(1);
    let lines = [Line { account: tea, quantity: 1 }];
    let missing = [Line { account: AccountId::from_number(u32::MAX), quantity: 1 }];
    let commands =
        [&lines, &missing, &lines].map(|lines| Command::Reserve(Reserve::new(lines, 100)));
    let results = fixture.ledger.execute_batch(&commands, 0, &fixture.list);
    assert!(matches!(
        results[0],
        Ok((Outcome::Reserve(ReserveOutcome::Reserved(Reserved { .. })), Some(_)))
    ));
    assert_eq!(results[1].as_ref().expect_err("no such account").kind(), ErrorKind::NotFound);
    assert!(matches!(results[2], Ok((Outcome::Reserve(ReserveOutcome::Refused(_)), None))));
}

#[test]
fn a_deadline_is_a_time_that_the_request_names() {
    let fixture = Fixture::new();
    let tea = fixture.stock(3);
    let lines = [Line { account: tea, quantity: 1 }];
    let key = IdempotencyKey::new("ann", "by noon").expect("a valid key");
    let by_noon = Command::Reserve(Reserve::until(&lines, 500).key(key));
    let first = fixture.execute(by_noon, 100);
    assert_eq!(first.reserved().map(|reserved| reserved.expires_at), Some(500));
    assert_eq!(fixture.execute(by_noon, 900), first, "a retry after noon hears the first answer");
    let kind_of = |reserve, now| {
        let command = Command::Reserve(reserve);
        fixture.ledger.execute(&command, now, &fixture.list).map_err(|error| error.kind())
    };
    let until = |expires_at| Reserve::until(&lines, expires_at);
    assert_eq!(kind_of(until(500), 500), Err(ErrorKind::Invalid), "it has passed");
    assert_eq!(kind_of(until(501 + crate::base::TTL_MS_MAX), 500), Err(ErrorKind::Invalid));
    assert!(kind_of(until(500 + crate::base::TTL_MS_MAX), 500).is_ok(), "as far as any");
    let empty = [Line { account: tea, quantity: 9 }];
    let late = kind_of(Reserve::until(&empty, 500), 500);
    assert_eq!(late, Err(ErrorKind::Invalid), "told before what is lacking");
    let other = Reserve::new(&lines, 400).key(key);
    assert_eq!(kind_of(other, 100), Err(ErrorKind::Conflict), "a length is another request");
}
