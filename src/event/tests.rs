use std::borrow::Cow;

use super::*;
use crate::event::Window;

fn line(account: u32, quantity: u64, consumed: u64, available: i64) -> EventLine {
    EventLine { account, quantity, consumed, available }
}

#[track_caller]
fn check(fact: Fact<'_>) {
    let request =
        Request { key: IdempotencyKey::from_number(7 << 100), fingerprint: 9, kept: None };
    let kept = Request { kept: Some(Kept { owner: 5, until: u64::MAX }), ..request };
    for request in [None, Some(request), Some(kept)] {
        let event = Event { at: 1_700_000_000_000, request, fact: fact.clone() };
        let mut bytes = Vec::new();
        encode(&event, &mut bytes);
        assert_eq!(decode(kind_of(&event), &bytes).expect("what was encoded decodes"), event);
        // Of a very long event all parts are alike.
        for cut in (0..bytes.len()).filter(|cut| *cut < 4096 || bytes.len() - cut < 4096) {
            // A shorter payload is refused, or reads as other details; it never panics.
            let _ = decode(kind_of(&event), &bytes[..cut]);
        }
    }
}

#[test]
fn every_kind_survives_a_round_trip() {
    let reservation = ReservationId::from_number(u64::MAX);
    let account = AccountId::from_number(3);
    let whole: EventLines =
        [line(1, 2, 2, -5), line(u32::MAX, 1 << 48, 1 << 48, 0)].into_iter().collect();
    let none: EventLines = whole.iter().map(|l| EventLine { consumed: 0, ..*l }).collect();
    let part: EventLines = [line(1, 2, 1, 7), line(2, 3, 0, 8)].into_iter().collect();
    for (confirmed, lines) in [(true, &whole), (false, &none)] {
        check(Fact::Reserved {
            reservation,
            owner: Some(account),
            expires_at: 5,
            confirmed,
            lines: lines.clone(),
            details: Cow::Borrowed(b"details"),
        });
    }
    for lines in [whole.clone(), part] {
        check(Fact::Confirmed(End { reservation, expires_at: 6, lines }));
    }
    check(Fact::Released(End { reservation, expires_at: 6, lines: none.clone() }));
    check(Fact::Expired(End { reservation, expires_at: 6, lines: none.clone() }));
    for consumed_at in [None, Some(8)] {
        check(Fact::Returned {
            reservation,
            lines: whole.clone(),
            note: "damaged".into(),
            consumed_at,
            expires_at: 6,
            part: None,
        });
    }
    check(Fact::Noted { reservation, body: Cow::Borrowed(&[0, 255]) });
    check(Fact::ClockMended { from: 1 << 50 });
    check(Fact::Extended { reservation, was: 6, expires_at: 1 << 50, lines: none.clone() });
    check(Fact::Revived { reservation, owner: None, expires_at: 6, lines: none.clone() });
    check(Fact::Queued { account, place: 1 << 40, owner: account, body: Cow::Borrowed(&[0, 255]) });
    for reservation in [None, Some(reservation)] {
        check(Fact::Dequeued {
            account,
            place: 1 << 40,
            owner: account,
            reservation,
            note: "left".into(),
        });
    }
    check(Fact::AccountClosed { account, key: AccountKey::stock("tea").expect("a valid key") });
    check(Fact::Transferred {
        from: account,
        to: AccountId::from_number(u32::MAX),
        quantity: 1 << 48,
        from_available: 0,
        to_available: 1 << 48,
        note: "gift".into(),
    });
    check(Fact::AccountOpened {
        account,
        key: AccountKey::quota("ann", "tea").expect("a valid key"),
        policy: Policy::quota(3, Window::Rolling { length_ms: 1 }),
    });
    for consumed in [None, Some(3)] {
        check(Fact::PolicyChanged {
            account,
            policy: Policy::backorder(9),
            available: -9,
            consumed,
        });
    }
    check(Fact::Received { account, quantity: 4, available: 4, note: "".into() });
    check(Fact::Adjusted { account, delta: -4, available: 0, note: "count".into() });
    check(Fact::WrittenOff { account, quantity: 4, available: 0, note: "broken".into() });
    check(Fact::Renewed { account, quantity: 4, available: 4, kept: true });
    check(Fact::Document {
        collection: "product".into(),
        key: "p".into(),
        body: Some(Cow::Borrowed(b"{}")),
    });
    check(Fact::Document { collection: "product".into(), key: "p".into(), body: None });
}

/// The bytes that releases before the uses of quotas wrote.
#[test]
fn events_of_the_first_release_read_as_they_were_meant() {
    #[derive(serde::Serialize)]
    enum Old {
        PolicyChanged { account: u32, policy: Policy, available: i64 },
        Renewed { account: u32, quantity: u64, available: i64 },
        Returned { reservation: u64, lines: Vec<EventLine>, note: &'static str },
    }
    let account = AccountId::from_number(3);
    let reservation = ReservationId::from_number(9);
    let policy = Policy::quota(2, Window::Never);
    let lines = vec![line(1, 2, 0, 5)];
    for (old, fact) in [
        (
            Old::PolicyChanged { account: 3, policy, available: 1 },
            Fact::PolicyChanged { account, policy, available: 1, consumed: None },
        ),
        (
            Old::Renewed { account: 3, quantity: 4, available: 4 },
            Fact::Renewed { account, quantity: 4, available: 4, kept: false },
        ),
        (
            Old::Returned { reservation: 9, lines: lines.clone(), note: "x" },
            Fact::Returned {
                reservation,
                lines: lines.into_iter().collect(),
                note: "x".into(),
                consumed_at: None,
                expires_at: 0,
                part: None,
            },
        ),
    ] {
        let payload = rmp_serde::to_vec(&(7_u64, None::<Request>, old)).expect("it encodes");
        assert_eq!(decode(16, &payload).expect("it reads"), Event { at: 7, request: None, fact });
    }
}

#[test]
fn garbage_is_corrupt() {
    for kind in [0, 1, 2, 3, 4, 5, 16, u16::MAX] {
        let error = decode(kind, &[0xff; 11]).expect_err("garbage is no event");
        assert_eq!(error.kind(), crate::base::error::ErrorKind::Corrupt);
    }
}

/// Found by the fuzz target `event`: a flag that its kind does not have was read, and lost in a
/// round trip.
#[test]
fn a_flag_of_another_kind_is_corrupt() {
    let payload = |flags: u8| [&[flags, 0][..], &[0; 24]].concat();
    for (kind, flags, sound) in
        [(1, 2, true), (1, 4, false), (2, 4, true), (2, 2, false), (3, 4, false), (4, 16, false)]
    {
        assert_eq!(decode(kind, &payload(flags)).is_ok(), sound, "kind {kind} with flags {flags}");
    }
}

/// Found by the fuzz target `event`: a list that says it is four billion lines long had room made
/// for them all.
#[test]
fn a_list_is_not_as_long_as_it_says() {
    let payload =
        [140, 0, 3, 2, 222, 0, 1, 10, 223, 2, 6, 221, 0, 1, 221, 221, 221, 221, 194, 255, 205];
    let error = decode(16, &payload).expect_err("there are no such lines");
    assert_eq!(error.kind(), crate::base::error::ErrorKind::Corrupt);
}

#[test]
fn the_mark_tells_what_is_stored_apart_and_not_what_would_be_written() {
    let event = |quantity| Event {
        at: 1,
        request: None,
        fact: Fact::Received {
            account: AccountId::from_number(1),
            quantity,
            available: 1,
            note: Cow::Borrowed(""),
        },
    };
    let stored = |quantity| {
        let mut bytes = Vec::new();
        encode(&event(quantity), &mut bytes);
        bytes
    };
    assert!(
        mark(7, &stored(1)) != mark(7, &stored(2)) && mark(7, &stored(1)) != mark(8, &stored(1))
    );
    // The same event as another program may have stored it: the length of its array in two bytes
    // more.
    let mut other = stored(1);
    other.splice(..1, [0xdc, 0, other[0] & 0x0f]);
    assert_eq!(decode(kind_of(&event(1)), &other).expect("the same event"), event(1));
    assert_ne!(
        mark(7, &other),
        mark(7, &stored(1)),
        "what decoding makes alike is stored in two ways"
    );
}

/// Events of 0.1.0 know neither for how long an answer is kept nor the deadline of what is
/// returned.
#[test]
fn events_of_the_first_release_are_read() {
    #[derive(Serialize)]
    struct Old(u64, Option<((u128, Option<u64>), u64)>, OldFact);
    #[derive(Serialize)]
    enum OldFact {
        Returned(ReservationId, EventLines, &'static str),
    }
    let (reservation, lines) = (ReservationId::from_number(64), EventLines::new());
    let old = Old(7, Some(((9, None), 8)), OldFact::Returned(reservation, lines.clone(), "back"));
    let bytes = rmp_serde::to_vec(&old).expect("an event can be written");
    let request = Request { key: IdempotencyKey::from_number(9), fingerprint: 8, kept: None };
    let fact = Fact::Returned {
        reservation,
        lines,
        note: "back".into(),
        consumed_at: None,
        expires_at: 0,
        part: None,
    };
    assert_eq!(
        decode(16, &bytes).expect("an event"),
        Event { at: 7, request: Some(request), fact }
    );
}

fn together() -> Vec<Fact<'static>> {
    let (reservation, account) = (ReservationId::from_number(64), AccountId::from_number(3));
    let held: EventLines = [line(3, 2, 0, 5)].into_iter().collect();
    let end = || End { reservation, expires_at: 6, lines: held.clone() };
    let note = || Cow::Borrowed("why");
    vec![
        Fact::Received { account, quantity: 1, available: 2, note: note() },
        Fact::Adjusted { account, delta: -1, available: 1, note: note() },
        Fact::WrittenOff { account, quantity: 1, available: 0, note: note() },
        Fact::Renewed { account, quantity: 7, available: 7, kept: true },
        Fact::Reserved {
            reservation,
            owner: Some(account),
            expires_at: 6,
            confirmed: false,
            lines: held.clone(),
            details: Cow::Borrowed(b"details"),
        },
        Fact::Confirmed(End { lines: [line(3, 2, 1, 6)].into_iter().collect(), ..end() }),
        Fact::Released(end()),
        Fact::Transferred {
            from: account,
            to: AccountId::from_number(4),
            quantity: 1,
            from_available: 3,
            to_available: 9,
            note: note(),
        },
        Fact::Extended { reservation, was: 6, expires_at: 9, lines: held.clone() },
        Fact::Dequeued {
            account,
            place: 3,
            owner: account,
            reservation: Some(reservation),
            note: note(),
        },
    ]
}

#[test]
fn what_happens_together_survives_a_round_trip() {
    check(Fact::Atomic(Facts::new(together()).expect("each may be one of several")));
    for fact in together() {
        check(Fact::Atomic(Facts::new(vec![fact]).expect("one is enough")));
    }
    let most = vec![together().remove(0); Facts::MAX];
    check(Fact::Atomic(Facts::new(most.clone()).expect("so many are allowed")));
    for facts in [Vec::new(), [most, together()].concat()] {
        Facts::new(facts).expect_err("there is a least and a most");
    }
}

/// As an event with several facts is written, whatever they are.
fn atomic_bytes(at: TimeMs, count: u16, parts: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&at.to_le_bytes());
    for (kind, payload) in parts {
        bytes.extend_from_slice(&kind.to_le_bytes());
        bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        bytes.extend_from_slice(payload);
    }
    bytes
}

fn encoded(event: &Event<'_>) -> (u16, Vec<u8>) {
    let mut bytes = Vec::new();
    encode(event, &mut bytes);
    (kind_of(event), bytes)
}

/// Would catch a decoder that believes a count, follows events into events, or takes for one of
/// several what never is.
#[test]
fn what_cannot_happen_together_is_refused() {
    let event = |fact| Event { at: 5, request: None, fact };
    let (kind, received) = encoded(&event(together().remove(0)));
    let part = (kind, &received[..]);
    let whole = atomic_bytes(5, 2, &[part, part]);
    let read = decode(17, &whole).expect("it is as it should be");
    assert_eq!(encoded(&read), (17, whole.clone()));

    let (_, later) = encoded(&Event { at: 6, ..event(together().remove(0)) });
    let request = Request { key: IdempotencyKey::from_number(1), fingerprint: 2, kept: None };
    let (_, keyed) = encoded(&Event { request: Some(request), ..event(together().remove(0)) });
    let (_, expired) = encoded(&event(Fact::Expired(End {
        reservation: ReservationId::from_number(64),
        expires_at: 4,
        lines: EventLines::new(),
    })));
    let (_, mended) = encoded(&event(Fact::ClockMended { from: 9 }));
    let refused: [(&str, Vec<u8>); 12] = [
        ("nothing", Vec::new()),
        ("no facts", atomic_bytes(5, 0, &[])),
        ("fewer than are counted", atomic_bytes(5, 3, &[part, part])),
        ("more than are counted", atomic_bytes(5, 1, &[part, part])),
        ("a count beyond belief", atomic_bytes(5, u16::MAX, &[part])),
        ("events within events", atomic_bytes(5, 1, &[(17, &whole)])),
        ("another time", atomic_bytes(5, 1, &[(16, &later)])),
        ("a request of its own", atomic_bytes(5, 1, &[(16, &keyed)])),
        ("a kind of keyed requests", atomic_bytes(5, 1, &[(8, &expired)])),
        ("an expiry", atomic_bytes(5, 1, &[(4, &expired)])),
        ("a clock", atomic_bytes(5, 1, &[(16, &mended)])),
        ("a flag that is none", [&[4][..], &whole[1..]].concat()),
    ];
    for (what, bytes) in refused {
        let error = decode(17, &bytes).expect_err(what);
        assert_eq!(error.kind(), crate::ErrorKind::Corrupt, "{what}: {error}");
    }
    let named =
        rmp_serde::to_vec(&(5_u64, (), [("Atomic", [0_u8; 0])])).expect("it can be written");
    decode(16, &named).expect_err("it is no fact among others");
}
