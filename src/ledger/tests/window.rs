//! The idempotency window: what is kept, for how long, and for whom there is room.

use super::*;

fn key(owner: &str, name: usize) -> IdempotencyKey {
    IdempotencyKey::new("scope", &format!("{owner}-{name}")).expect("a valid key").owned_by(owner)
}

struct Till {
    fixture: Fixture,
    tea: AccountId,
}

impl Till {
    fn new(window_ms: u64, records_max: usize, per_owner_max: usize) -> Self {
        let fixture = Fixture::with(KeyLimits {
            window_ms,
            records_max,
            per_owner_max,
            ..KeyLimits::default()
        });
        let tea = fixture.open("stock/tea", Policy::strict());
        Self { fixture, tea }
    }

    /// One unit more; returns how many there are then.
    fn receive(&self, key: IdempotencyKey, now: TimeMs) -> std::result::Result<i64, ErrorKind> {
        let command =
            Command::Receive(Receive { account: self.tea, quantity: 1, note: "", key: Some(key) });
        match self.fixture.ledger.execute(&command, now, &self.fixture.list) {
            Ok((Outcome::Receive(Changed { available, .. }), _)) => Ok(available),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.kind()),
        }
    }
}

#[test]
fn an_answer_is_kept_for_its_time_and_no_other_pushes_it_out() {
    let till = Till::new(1_000, 1 << 20, 1 << 20);
    assert_eq!(till.receive(key("ann", 0), 0), Ok(1));
    for name in 0..20_000 {
        till.receive(key("bob", name), 1).expect("there is room");
    }
    assert_eq!(till.receive(key("ann", 0), 999), Ok(1), "the first answer, until its time is over");
    assert_eq!(till.receive(key("ann", 0), 1_000), Ok(20_002), "then it is a new request");
    assert_eq!(till.receive(key("bob", 7), 1_000), Ok(9));
}

#[test]
fn an_owner_who_has_its_share_is_throttled_and_nobody_else() {
    let till = Till::new(1_000, 1 << 20, 3);
    for name in 0..3 {
        till.receive(key("ann", name), name as u64).expect("it is the owner's share");
    }
    let command = Command::Receive(Receive {
        account: till.tea,
        quantity: 1,
        note: "",
        key: Some(key("ann", 3)),
    });
    let error = till
        .fixture
        .ledger
        .execute(&command, 400, &till.fixture.list)
        .expect_err("it has its share");
    assert_eq!((error.kind(), error.retry_after_ms()), (ErrorKind::Throttled, Some(600)));
    assert_eq!(till.receive(key("ann", 2), 400), Ok(3), "a retry needs no room");
    assert_eq!(till.receive(key("bob", 0), 400), Ok(4), "another's share is another's");
    // What is refused in any case is told as that.
    let too_many = [Line { account: till.tea, quantity: 99 }];
    let refused = Command::Reserve(Reserve::new(&too_many, 10).key(key("ann", 4)));
    assert!(matches!(
        till.fixture.execute(refused, 400),
        Outcome::Reserve(ReserveOutcome::Refused(_))
    ));
    assert_eq!(till.receive(key("ann", 3), 1_000), Ok(5), "the oldest is old now");
    assert_eq!(till.receive(key("ann", 5), 1_000), Err(ErrorKind::Throttled));
}

/// Shards fill unevenly: what counts is how many there are in all.
#[test]
fn a_window_of_so_many_keys_keeps_so_many() {
    for count in [1, 2, 64, 200] {
        let till = Till::new(1_000, count, 1 << 20);
        for name in 0..count {
            assert_eq!(till.receive(key("ann", name), 0), Ok(name as i64 + 1));
        }
        assert_eq!(
            till.receive(key("ann", count), 999),
            Err(ErrorKind::Overloaded),
            "all of them are young"
        );
        for name in 0..count {
            assert_eq!(
                till.receive(key("ann", name), 999),
                Ok(name as i64 + 1),
                "key {name} of {count}"
            );
        }
        assert_eq!(
            till.receive(key("ann", count), 1_000),
            Ok(count as i64 + 1),
            "what is old makes room"
        );
    }
}

#[test]
fn answers_survive_in_any_mix_of_parts_wherever_they_are_placed() {
    let till = Till::new(1_000, 1 << 20, 60);
    let mut parts = till.fixture.parts();
    for name in 0..50 {
        till.receive(key("ann", name), name as u64).expect("there is room");
        if name % 7 == 0 {
            let now = till.fixture.parts();
            for part in (0..PART_COUNT).filter(|part| part % 7 == name / 7 % 7) {
                parts[part] = now[part].clone();
            }
        }
    }
    for parts in [&[][..], &parts, &till.fixture.parts()] {
        let rebuilt = Till { fixture: till.fixture.rebuilt(parts), tea: till.tea };
        for name in 0..50 {
            assert_eq!(rebuilt.receive(key("ann", name), 100), Ok(name as i64 + 1), "key {name}");
        }
        // The shares are there as well.
        for name in 50..60 {
            assert_eq!(rebuilt.receive(key("ann", name), 100), Ok(name as i64 + 1));
        }
        assert_eq!(rebuilt.receive(key("ann", 60), 100), Err(ErrorKind::Throttled));
    }
}

/// A promise is kept though the window is another one now.
#[test]
fn another_setting_changes_no_promise() {
    let till = Till::new(1_000, 1 << 20, 1 << 20);
    till.receive(key("ann", 0), 0).expect("there is room");
    let shorter = KeyLimits { window_ms: 1, ..till.fixture.ledger.limits.keys };
    let other = Fixture::with(shorter);
    let mut replay = Replay::new(&other.ledger);
    for (seq, (kind, payload)) in (1..).zip(&*till.fixture.list.0.lock()) {
        replay.apply(seq, &decode(*kind, payload).expect("an event")).expect("it applies");
    }
    drop(replay);
    let other = Till { fixture: other, tea: till.tea };
    assert_eq!(other.receive(key("bob", 0), 500), Ok(2));
    assert_eq!(other.receive(key("ann", 0), 999), Ok(1), "kept for as long as it was said then");
    assert_eq!(other.receive(key("bob", 0), 501), Ok(3), "kept for as long as it is said now");
}

#[test]
fn an_answer_says_what_was_promised_without_the_reservation() {
    let till = Till::new(1_000, 1 << 20, 1 << 20);
    till.fixture.execute(
        Command::Receive(Receive { account: till.tea, quantity: 9, note: "", key: None }),
        0,
    );
    let lines = [Line { account: till.tea, quantity: 2 }];
    let reserve = Command::Reserve(Reserve::new(&lines, 100).key(key("ann", 0)));
    let reservation = reservation_of(till.fixture.execute(reserve, 0));
    let confirm = Command::Confirm(Confirm {
        reservation,
        owner: None,
        quantities: None,
        key: Some(key("ann", 1)),
    });
    till.fixture.execute(confirm, 1);
    let used = Used { reservation, lines: &consumed(&lines), consumed_at: 1 };
    let keyed = Return { expires_at: 100, key: Some(key("ann", 2)), ..Return::default() };
    let give_back = |now| till.fixture.ledger.return_used(&used, &keyed, now, &till.fixture.list);
    let (returned, seq) = give_back(2).expect("it was confirmed");
    let again = give_back(3).expect("a retry");
    assert_eq!(again, (returned, seq), "and nothing is returned twice");
    // Whoever gives up an order does not ask how far it was.
    let release = Command::Release(Release { reservation, owner: None, key: Some(key("ann", 2)) });
    assert_eq!(
        till.fixture.execute(release, 3),
        Outcome::Release(ReleaseOutcome::Returned { reservation })
    );
    for fixture in
        [&till.fixture.rebuilt(&[]), &till.fixture.rebuilt(&till.fixture.parts()), &till.fixture]
    {
        for name in 0..3 {
            let first = fixture
                .ledger
                .first_execution(key("ann", name), 4)
                .expect("no conflict")
                .expect("it is remembered");
            assert_eq!(first.terms, Some(Terms { expires_at: 100, units: 2 }), "key {name}");
        }
    }
}

#[test]
fn notes_and_details_are_part_of_a_request() {
    let till = Till::new(1_000, 1 << 20, 1 << 20);
    let receive = |note: &'static str, name| {
        Command::Receive(Receive {
            account: till.tea,
            quantity: 5,
            note,
            key: Some(key("ann", name)),
        })
    };
    till.fixture.execute(receive("one", 0), 0);
    let lines = [Line { account: till.tea, quantity: 1 }];
    let reserve =
        |details| Command::Reserve(Reserve::new(&lines, 100).details(details).key(key("ann", 1)));
    till.fixture.execute(reserve(b""), 0);
    for other in [receive("two", 0), receive("", 0), reserve(b"x")] {
        let error = till
            .fixture
            .ledger
            .execute(&other, 1, &till.fixture.list)
            .expect_err("another request");
        assert_eq!(error.kind(), ErrorKind::Conflict, "{other:?}");
    }
    till.fixture.execute(receive("one", 0), 1);
    till.fixture.execute(reserve(b""), 1);
}

/// Up to 0.1.0 fingerprints were without notes, and events without a promise.
#[test]
fn a_key_of_the_first_release_is_known() {
    let till = Till::new(1, 1 << 20, 1);
    let old = {
        let mut hasher = blake3::Hasher::new();
        for number in [1, u64::from(till.tea.number()), 5] {
            hasher.update(&number.to_le_bytes());
        }
        crate::base::halves(&hasher)[0]
    };
    let request = crate::event::Request {
        key: IdempotencyKey::from_number(key("ann", 0).number()),
        fingerprint: old,
        kept: None,
    };
    let fact = Fact::Received { account: till.tea, quantity: 5, available: 5, note: "then".into() };
    let event = Event { at: 10, request: Some(request), fact };
    till.fixture.list.record(&event);
    let rebuilt = till.fixture.rebuilt(&[]);
    let retry = Command::Receive(Receive {
        account: till.tea,
        quantity: 5,
        note: "then",
        key: Some(key("ann", 0)),
    });
    assert_eq!(
        rebuilt.execute(retry, 3_600_000),
        Outcome::Receive(Changed { account: till.tea, available: 5 })
    );
    let other = Command::Receive(Receive {
        account: till.tea,
        quantity: 6,
        note: "then",
        key: Some(key("ann", 0)),
    });
    let error =
        rebuilt.ledger.execute(&other, 3_600_000, &rebuilt.list).expect_err("another request");
    assert_eq!(error.kind(), ErrorKind::Conflict);
}
