//! Those who wait for units: nobody else takes any, and who is first gets them once.

use super::*;
use crate::base::flaw::{Flaw, with};

impl Fixture {
    fn join(&self, account: AccountId, owner: AccountId, now: TimeMs) -> JoinOutcome {
        let join = Join::new(account, owner, 2).body(b"b");
        self.ledger.join(&join, now, &self.list).expect("it can be asked").0
    }

    fn leave(&self, account: AccountId, owner: AccountId) -> LeaveOutcome {
        self.ledger.leave(&Leave::new(account, owner), 1, &self.list).expect("it can be asked").0
    }

    fn grant(&self, account: AccountId, place: u64, lines: &[Line], now: TimeMs) -> GrantOutcome {
        let grant = Grant::new(account, place, Reserve::new(lines, 100));
        self.ledger.grant(&grant, now, &self.list).expect("it can be asked").0
    }

    fn lapse(&self, now: TimeMs) {
        for shard in 0..SHARD_COUNT {
            self.ledger.expire(shard, now, 9, &self.list).expect("it admits");
        }
    }

    fn line(&self, account: AccountId) -> Vec<u64> {
        let line = self.ledger.waiting(account).expect("it exists");
        line.iter().map(|waiting| waiting.place).collect()
    }
}

/// A stock of one unit, which is held until 100, and three who might wait.
fn sold_out() -> (Fixture, AccountId, [AccountId; 3], ReservationId) {
    let fixture = Fixture::new();
    let users =
        ["ann", "bob", "cem"].map(|user| fixture.open(&format!("points/{user}"), Policy::strict()));
    for user in users {
        fixture.execute(Command::Receive(Receive::new(user, 10)), 0);
    }
    let tea = fixture.stock(1);
    let order = reservation_of(fixture.reserve(tea, 1, 0));
    (fixture, tea, users, order)
}

fn unit(account: AccountId) -> Line {
    Line { account, quantity: 1 }
}

fn is_refused_for_the_line(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Reserve(ReserveOutcome::Refused(Refusal { available: 0, has_line: true, .. }))
    )
}

#[test]
fn a_line_begins_when_nothing_is_left() {
    let fixture = Fixture::new();
    let (tea, ann) = (fixture.stock(2), fixture.open("points/ann", Policy::strict()));
    assert_eq!(fixture.join(tea, ann, 0), JoinOutcome::Available { units: 2 });
    fixture.reserve(tea, 2, 0);
    assert_eq!(fixture.join(tea, ann, 1), JoinOutcome::Waiting { place: 0, ahead: 0 });
    let events = fixture.list.last_seq();
    assert_eq!(fixture.join(tea, ann, 2), JoinOutcome::Waiting { place: 0, ahead: 0 }, "a retry");
    assert_eq!(fixture.list.last_seq(), events);
}

#[test]
fn a_line_is_bounded_and_its_numbers_are_used_once() {
    let (fixture, tea, [ann, bob, cem], _) = sold_out();
    assert_eq!(fixture.join(tea, ann, 1), JoinOutcome::Waiting { place: 0, ahead: 0 });
    assert_eq!(fixture.join(tea, bob, 1), JoinOutcome::Waiting { place: 1, ahead: 1 });
    assert_eq!(fixture.join(tea, cem, 1), JoinOutcome::Full { places: 2 });
    assert_eq!(fixture.leave(tea, ann), LeaveOutcome::Left { place: 0 });
    assert_eq!(fixture.leave(tea, ann), LeaveOutcome::NotWaiting);
    assert_eq!(fixture.join(tea, ann, 2), JoinOutcome::Waiting { place: 2, ahead: 1 });
    let earlier = Leave::new(tea, ann).place(0);
    let left = fixture.ledger.leave(&earlier, 3, &fixture.list).expect("it can be asked").0;
    assert_eq!(left, LeaveOutcome::NotWaiting, "that place was another one");
}

/// Would catch a unit that comes back, however it does, and is anybody's for a moment.
#[test]
fn whatever_comes_back_is_out_of_everybody_elses_reach() {
    let (fixture, tea, [ann, ..], order) = sold_out();
    fixture.join(tea, ann, 1);
    let lines = [unit(tea)];
    let refused = |ledger: &Fixture, now| {
        let plain = Reserve::new(&lines, 100);
        let keyed = plain.key(IdempotencyKey::new("t", "k").expect("a valid key"));
        for reserve in [plain, plain.confirmed(), keyed] {
            let outcome = ledger.execute(Command::Reserve(reserve), now);
            assert!(is_refused_for_the_line(outcome), "{reserve:?}: {outcome:?}");
        }
        let together = [Command::Reserve(plain)];
        let together = ledger.ledger.execute_atomic(&Atomic::new(&together), now, &ledger.list);
        let (outcome, _) = together.expect("it can be asked");
        assert!(matches!(outcome, AtomicOutcome::Refused { index: 0, .. }), "{outcome:?}");
        let batch = ledger.ledger.execute_batch(&[Command::Reserve(plain)], now, &ledger.list);
        assert!(is_refused_for_the_line(batch[0].as_ref().expect("it can be asked").0));
        assert_eq!(ledger.ledger.takeable(tea, now).expect("it exists").0, 0);
    };
    fixture.execute(Command::Release(Release::new(order)), 2);
    refused(&fixture, 3);
    fixture.execute(Command::Receive(Receive::new(tea, 3)), 3);
    for ledger in [&fixture, &fixture.rebuilt(&[]), &fixture.rebuilt(&fixture.parts())] {
        assert_eq!(ledger.numbers(tea).0, 4);
        refused(ledger, 4);
        assert_eq!(ledger.line(tea), [0]);
    }
    // What an operator takes out is no sale.
    fixture.execute(Command::WriteOff(WriteOff::new(tea, 1)), 4);
    fixture.execute(Command::Adjust(Adjust::new(tea, -1)), 4);
    assert_eq!(fixture.leave(tea, ann), LeaveOutcome::Left { place: 0 });
    reservation_of(fixture.reserve(tea, 2, 5));
}

#[test]
fn who_is_first_gets_it_once_and_gives_up_the_place_in_the_same_event() {
    let (fixture, tea, [ann, bob, _], order) = sold_out();
    fixture.join(tea, ann, 1);
    fixture.join(tea, bob, 1);
    let (hers, his) = ([unit(ann), unit(tea)], [unit(bob), unit(tea)]);
    let GrantOutcome::Refused(refusal) = fixture.grant(tea, 0, &hers, 2) else {
        panic!("there is none")
    };
    assert_eq!((refusal.line, refusal.available, refusal.has_line), (1, 0, true));
    fixture.execute(Command::Release(Release::new(order)), 2);
    assert_eq!(fixture.grant(tea, 1, &his, 3), GrantOutcome::NotFirst);
    let events = fixture.list.last_seq();
    assert!(matches!(fixture.grant(tea, 0, &hers, 3), GrantOutcome::Granted(_)));
    assert_eq!(fixture.list.last_seq(), events + 1, "one event");
    assert_eq!(fixture.grant(tea, 0, &hers, 3), GrantOutcome::NotFirst, "and once");
    for ledger in [&fixture, &fixture.rebuilt(&[]), &fixture.rebuilt(&fixture.parts())] {
        assert_eq!(
            (ledger.numbers(tea).0, ledger.numbers(ann).0, ledger.line(tea)),
            (0, 9, vec![1])
        );
    }
    // It lapses, and the next in line has it.
    fixture.lapse(200);
    assert!(is_refused_for_the_line(fixture.reserve(tea, 1, 200)));
    assert!(matches!(fixture.grant(tea, 1, &his, 200), GrantOutcome::Granted(_)));
    let outcome = fixture.reserve(tea, 1, 201);
    let Outcome::Reserve(ReserveOutcome::Refused(refusal)) = outcome else {
        panic!("there is none: {outcome:?}")
    };
    assert!(!refusal.has_line, "nobody waits");
}

#[test]
fn a_grant_that_lacks_something_else_leaves_the_line_as_it_is() {
    let (fixture, tea, [ann, ..], order) = sold_out();
    fixture.join(tea, ann, 1);
    fixture.execute(Command::Release(Release::new(order)), 2);
    let lines = [Line { account: ann, quantity: 11 }, unit(tea)];
    let GrantOutcome::Refused(refusal) = fixture.grant(tea, 0, &lines, 3) else {
        panic!("ann has 10 points")
    };
    assert_eq!((refusal.account, refusal.available, refusal.has_line), (ann, 10, false));
    assert_eq!(fixture.line(tea), [0]);
}

#[test]
fn what_no_state_could_make_right_is_refused() {
    let (fixture, tea, [ann, ..], _) = sold_out();
    let quota = fixture.open("quota/ann/tea", Policy::quota(1, Window::Never));
    let kind = |result: Result<Executed<JoinOutcome>>| result.expect_err("refused").kind();
    let join = |join: Join<'_>| kind(fixture.ledger.join(&join, 1, &fixture.list));
    assert_eq!(join(Join::new(quota, ann, 1)), ErrorKind::Invalid);
    assert_eq!(join(Join::new(tea, ann, 0)), ErrorKind::Invalid);
    assert_eq!(join(Join::new(tea, ann, crate::base::PLACES_MAX + 1)), ErrorKind::Invalid);
    assert_eq!(join(Join::new(tea, ann, 1).body(&[0; 129])), ErrorKind::Invalid);
    let nobody = AccountId::from_number(u32::MAX);
    assert_eq!(join(Join::new(tea, nobody, 1)), ErrorKind::NotFound);
    let (other, key) = ([unit(ann)], IdempotencyKey::new("t", "k").expect("a valid key"));
    let mine = [unit(tea)];
    for reserve in [Reserve::new(&other, 100), Reserve::new(&mine, 100).key(key)] {
        let grant = fixture.ledger.grant(&Grant::new(tea, 0, reserve), 1, &fixture.list);
        assert_eq!(grant.expect_err("refused").kind(), ErrorKind::Invalid);
    }
    fixture.join(tea, ann, 1);
    let rolling = Policy::quota(1, Window::Rolling { length_ms: 9 });
    let ruled = fixture.ledger.set_policy(&SetPolicy::new(tea, rolling), 1, &fixture.list);
    assert_eq!(ruled.expect_err("somebody waits").kind(), ErrorKind::Invalid);
    fixture.lapse(200);
    fixture.execute(Command::WriteOff(WriteOff::new(tea, 1)), 200);
    let (closed, _) = fixture.ledger.close_account(tea, 200, &fixture.list).expect("it is asked");
    let CloseOutcome::NotEmpty { waiting: 1, available: 0, reserved: 0, .. } = closed else {
        panic!("somebody waits: {closed:?}")
    };
}

#[test]
fn a_shard_has_so_many_places() {
    let limits = Limits { places_per_shard_max: 1, ..Limits::default() };
    let fixture = Fixture { ledger: Ledger::new(limits, 0), list: List::default() };
    let users =
        ["ann", "bob"].map(|user| fixture.open(&format!("points/{user}"), Policy::strict()));
    let tea = fixture.open("stock/tea", Policy::strict());
    fixture.join(tea, users[0], 0);
    let refused = fixture.ledger.join(&Join::new(tea, users[1], 9), 0, &fixture.list);
    assert_eq!(refused.expect_err("one is enough").kind(), ErrorKind::Overloaded);
    fixture.leave(tea, users[0]);
    assert_eq!(fixture.join(tea, users[1], 0), JoinOutcome::Waiting { place: 1, ahead: 0 });
}

/// The bytes of an account that somebody waits for, in a snapshot's part.
#[test]
fn a_line_is_written_as_ever() {
    let (fixture, tea, [ann, ..], _) = sold_out();
    fixture.join(tea, ann, 0x0102);
    let (_, part) = fixture.parts().swap_remove(tea.shard());
    let line = [
        &1_u64.to_le_bytes()[..],
        &1_u64.to_le_bytes(),
        &0_u64.to_le_bytes(),
        &ann.number().to_le_bytes(),
        &0x0102_u64.to_le_bytes(),
        &[1, 0, 0, 0, b'b'],
    ]
    .concat();
    assert!(part.windows(line.len()).any(|bytes| bytes == line), "{part:02x?}");
    // The window's number, after the key and two numbers.
    let at = 8 + 4 + "stock/tea".len() + 16;
    assert_eq!(part[at..at + 8], 512_u64.to_le_bytes());
    let rebuilt = fixture.rebuilt(&fixture.parts());
    assert_eq!(
        rebuilt.ledger.waiting(tea).expect("it exists"),
        fixture.ledger.waiting(tea).expect("it exists")
    );
}

/// The bytes of an account in whose line somebody was served.
#[test]
fn who_was_served_is_written_as_ever() {
    let (fixture, tea, [ann, ..], order) = sold_out();
    fixture.join(tea, ann, 1);
    fixture.execute(Command::Release(Release::new(order)), 2);
    assert_eq!(fixture.ledger.served(tea).expect("it exists"), [0; 0]);
    let granted = fixture.grant(tea, 0, &[unit(tea)], 0x0304);
    assert!(matches!(granted, GrantOutcome::Granted(_)), "{granted:?}");
    assert_eq!(fixture.ledger.served(tea).expect("it exists"), [0x0304]);
    let (_, part) = fixture.parts().swap_remove(tea.shard());
    // One place was given out, nobody waits, and one was served.
    let line = [1_u64, 0, 1, 0x0304].map(u64::to_le_bytes).concat();
    assert!(part.windows(line.len()).any(|bytes| bytes == line), "{part:02x?}");
    let at = 8 + 4 + "stock/tea".len() + 16;
    assert_eq!(part[at..at + 8], (512_u64 + 1024).to_le_bytes());
    let rebuilt = fixture.rebuilt(&fixture.parts());
    assert_eq!(rebuilt.ledger.served(tea).expect("it exists"), [0x0304]);
}

#[test]
fn the_flaw_sells_past_the_line() {
    let (fixture, tea, [ann, ..], order) = sold_out();
    fixture.join(tea, ann, 1);
    with(Flaw::SellsPastQueue, || {
        fixture.execute(Command::Release(Release::new(order)), 2);
        reservation_of(fixture.reserve(tea, 1, 3));
    });
}

#[test]
fn a_key_takes_one_place_and_gives_up_one() {
    let (fixture, tea, [ann, bob, _], _) = sold_out();
    let key = |key| IdempotencyKey::new("ann", key).expect("a valid key");
    let join = |owner, name| {
        let join = Join::new(tea, owner, 2).key(key(name));
        fixture.ledger.join(&join, 1, &fixture.list)
    };
    let leave = |owner, name| {
        let leave = Leave::new(tea, owner).key(key(name));
        fixture.ledger.leave(&leave, 1, &fixture.list)
    };
    let (first, seq) = join(ann, "in").expect("there is room");
    assert_eq!(first, JoinOutcome::Waiting { place: 0, ahead: 0 });
    assert_eq!(join(ann, "in").expect("a retry"), (JoinOutcome::Before { place: 0 }, seq));
    let (left, seq) = leave(ann, "out").expect("she is there");
    assert_eq!(left, LeaveOutcome::Left { place: 0 });
    assert_eq!(join(ann, "in").expect("a retry").0, JoinOutcome::Before { place: 0 });
    assert_eq!(fixture.line(tea), [0; 0], "a retry takes no second place");
    fixture.join(tea, ann, 1);
    assert_eq!(leave(ann, "out").expect("a retry"), (LeaveOutcome::Left { place: 0 }, seq));
    assert_eq!(fixture.line(tea), [1], "a retry gives up no other place");
    for other in
        [join(bob, "in").map(drop), join(ann, "out").map(drop), leave(bob, "out").map(drop)]
    {
        assert_eq!(other.map_err(|error| error.kind()), Err(ErrorKind::Conflict));
    }
}

#[test]
fn the_first_answer_stays() {
    let (fixture, tea, [ann, ..], _) = sold_out();
    let keep = |key: IdempotencyKey, answer: &[u8]| {
        fixture.ledger.keep_answer(key, answer, 1, &fixture.list)
    };
    let key = IdempotencyKey::new("ann", "k").expect("a valid key").with_body(b"a");
    let (first, seq) = keep(key, b"yes").expect("it is kept");
    assert_eq!(*first, *b"yes");
    assert_eq!(keep(key, b"no").expect("another try"), (first, seq));
    let other = keep(key.with_body(b"b"), b"no").map_err(|error| error.kind());
    assert_eq!(other, Err(ErrorKind::Conflict), "another request");
    let join = Join::new(tea, ann, 2).key(key);
    let did = fixture.ledger.join(&join, 1, &fixture.list).map_err(|error| error.kind());
    assert_eq!(did, Err(ErrorKind::Conflict), "the key was used for something else");
    let long = vec![0; crate::base::BODY_BYTES_MAX + 1];
    let long = keep(IdempotencyKey::new("ann", "l").expect("a valid key"), &long);
    assert_eq!(long.map_err(|error| error.kind()), Err(ErrorKind::Invalid));
}
