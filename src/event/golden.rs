//! Golden bytes: what each event is written as, for good. A row that changes is a change of the
//! format, which `docs/format.md` ("What may change, and how") has rules for.

use std::collections::BTreeSet;

use super::*;
use crate::base::golden::{bytes, hex};

/// One list for the match below, which a new fact does not compile without, and for the rows that
/// must be there.
macro_rules! facts {
    ($($name:ident)*) => {
        const FACTS: &[&str] = &[$(stringify!($name)),*];

        fn name(fact: &Fact<'_>) -> &'static str {
            match fact {
                $(Fact::$name { .. } => stringify!($name),)*
            }
        }
    };
}

facts! {
    AccountOpened PolicyChanged Received Adjusted WrittenOff Renewed Reserved Confirmed Released
    Expired Returned Noted Document ClockMended Transferred Extended Revived AccountClosed Queued
    Dequeued Answered Atomic
}

/// Every kind of record, and how each is numbered.
const KINDS: [u16; 11] = [1, 2, 3, 4, 5, 6, 7, 8, 16, 17, 18];

const AT: u64 = 0x0102_0304_0506_0708;

struct Row {
    kind: u16,
    hex: &'static str,
    event: Event<'static>,
}

fn row(kind: u16, hex: &'static str, request: Option<Request>, fact: Fact<'static>) -> Row {
    Row { kind, hex, event: Event { at: AT, request, fact } }
}

fn account() -> AccountId {
    AccountId::from_number(0x0a0b)
}

fn reservation() -> ReservationId {
    ReservationId::from_number(0x1112_1314_1516_1718)
}

fn lines(lines: &[(u64, u64, i64)]) -> EventLines {
    let line = |&(quantity, consumed, available)| EventLine {
        account: 0x2122_2324,
        quantity,
        consumed,
        available,
    };
    lines.iter().map(line).collect()
}

fn end(held: &[(u64, u64, i64)]) -> End {
    End { reservation: reservation(), expires_at: 0x0302, lines: lines(held) }
}

fn reserved(owner: Option<AccountId>, confirmed: bool) -> Fact<'static> {
    let consumed = if confirmed { 5 } else { 0 };
    Fact::Reserved {
        reservation: reservation(),
        owner,
        expires_at: 0x0302,
        confirmed,
        lines: lines(&[(5, consumed, -1)]),
        details: b"xyz".into(),
    }
}

/// A request whose answer is kept by count, as the first release had it, and one with a time.
fn requests() -> (Option<Request>, Option<Request>) {
    let key = IdempotencyKey::from_number(0x3132_3334_3536_3738_393a_3b3c_3d3e_3f40);
    let plain = Request { key, fingerprint: 0x4142, kept: None };
    let kept = Kept { owner: 0x5152, until: 0x6162 };
    (Some(plain), Some(Request { kept: Some(kept), ..plain }))
}

fn hot() -> Vec<Row> {
    let (plain, kept) = requests();
    let none = || end(&[(5, 0, 9)]);
    vec![
        row(
            1,
            "0001080706050403020118171615141312110203000000000000242322210500000000000000ffffffffffffffff78797a",
            None,
            reserved(None, false),
        ),
        row(
            1,
            "0b01080706050403020118171615141312110203000000000000403f3e3d3c3b3a39383736353433323142410000000000000b0a0000242322210500000000000000ffffffffffffffff78797a",
            plain,
            reserved(Some(account()), true),
        ),
        row(
            2,
            "00010807060504030201181716151413121102030000000000002423222105000000000000000900000000000000",
            None,
            Fact::Confirmed(end(&[(5, 5, 9)])),
        ),
        row(
            2,
            "0502080706050403020118171615141312110203000000000000403f3e3d3c3b3a39383736353433323142410000000000002423222105000000000000000900000000000000020000000000000024232221060000000000000008000000000000000000000000000000",
            plain,
            Fact::Confirmed(end(&[(5, 2, 9), (6, 0, 8)])),
        ),
        row(
            3,
            "00010807060504030201181716151413121102030000000000002423222105000000000000000900000000000000",
            None,
            Fact::Released(none()),
        ),
        row(
            4,
            "00010807060504030201181716151413121102030000000000002423222105000000000000000900000000000000",
            None,
            Fact::Expired(none()),
        ),
        row(
            5,
            "0901080706050403020118171615141312110203000000000000403f3e3d3c3b3a3938373635343332314241000000000000525100000000000062610000000000000b0a0000242322210500000000000000ffffffffffffffff78797a",
            kept,
            reserved(Some(account()), false),
        ),
        row(
            6,
            "0101080706050403020118171615141312110203000000000000403f3e3d3c3b3a3938373635343332314241000000000000525100000000000062610000000000002423222105000000000000000900000000000000",
            kept,
            Fact::Confirmed(end(&[(5, 5, 9)])),
        ),
        row(
            7,
            "0101080706050403020118171615141312110203000000000000403f3e3d3c3b3a3938373635343332314241000000000000525100000000000062610000000000002423222105000000000000000900000000000000",
            kept,
            Fact::Released(none()),
        ),
        row(
            8,
            "0101080706050403020118171615141312110203000000000000403f3e3d3c3b3a3938373635343332314241000000000000525100000000000062610000000000002423222105000000000000000900000000000000",
            kept,
            Fact::Expired(none()),
        ),
    ]
}

fn named() -> Vec<Row> {
    let (plain, kept) = requests();
    let (account, reservation) = (account(), reservation());
    let opened = |key: AccountKey, policy| Fact::AccountOpened { account, key, policy };
    let stock = AccountKey::stock("tea").expect("a valid key");
    let quota = |user| AccountKey::quota(user, "tea").expect("a valid key");
    let ever = Policy::quota(2, Window::Never);
    let fixed = Policy::quota(2, Window::Fixed { length_ms: 1000, offset_ms: 7 });
    let rolling = Policy::quota(2, Window::Rolling { length_ms: 1000 });
    let outstanding = Policy::quota(2, Window::Outstanding);
    let document = |body| Fact::Document { collection: "product".into(), key: "p".into(), body };
    vec![
        row(
            16,
            "93cf0102030405060708c081ad4163636f756e744f70656e656493cd0a0ba973746f636b2f746561930000a54e65766572",
            None,
            opened(stock, Policy::strict()),
        ),
        row(
            16,
            "93cf0102030405060708c081ad4163636f756e744f70656e656493cd0a0bad71756f74612f616e6e2f746561930002a54e65766572",
            None,
            opened(quota("ann"), ever),
        ),
        row(
            16,
            "93cf0102030405060708c081ad4163636f756e744f70656e656493cd0a0bad71756f74612f62656e2f74656193000281a5466978656492cd03e807",
            None,
            opened(quota("ben"), fixed),
        ),
        row(
            16,
            "93cf0102030405060708c081ad4163636f756e744f70656e656493cd0a0bad71756f74612f6361742f74656193000281a7526f6c6c696e6791cd03e8",
            None,
            opened(quota("cat"), rolling),
        ),
        row(
            16,
            "93cf0102030405060708c081ad4163636f756e744f70656e656493cd0a0bad71756f74612f64616e2f746561930002ab4f75747374616e64696e67",
            None,
            opened(quota("dan"), outstanding),
        ),
        row(
            16,
            "93cf0102030405060708c081ad4163636f756e74436c6f73656492cd0a0ba973746f636b2f746561",
            None,
            Fact::AccountClosed { account, key: AccountKey::stock("tea").expect("a valid key") },
        ),
        row(
            16,
            "93cf0102030405060708c081ad506f6c6963794368616e67656494cd0a0b930300a54e65766572fd04",
            None,
            Fact::PolicyChanged {
                account,
                policy: Policy::backorder(3),
                available: -3,
                consumed: Some(4),
            },
        ),
        row(
            16,
            "93cf01020304050607089392c4103132333435363738393a3b3c3d3e3f40c0cd4142c081a8526563656976656494cd0a0b0509a2696e",
            plain,
            Fact::Received { account, quantity: 5, available: 9, note: "in".into() },
        ),
        row(
            16,
            "93cf01020304050607089392c4103132333435363738393a3b3c3d3e3f40c0cd414292cd5152cd616281a841646a757374656494cd0a0bfb09a0",
            kept,
            Fact::Adjusted { account, delta: -5, available: 9, note: "".into() },
        ),
        row(
            16,
            "93cf0102030405060708c081aa5772697474656e4f666694cd0a0b0509a6e7a0b4e68d9f",
            None,
            Fact::WrittenOff { account, quantity: 5, available: 9, note: "破损".into() },
        ),
        row(
            16,
            "93cf0102030405060708c081a752656e6577656494cd0a0b0509c3",
            None,
            Fact::Renewed { account, quantity: 5, available: 9, kept: true },
        ),
        row(
            16,
            "93cf01020304050607089392c4103132333435363738393a3b3c3d3e3f40c0cd414292cd5152cd616281a852657475726e656495cf11121314151617189194ce21222324050109a46261636bcd0201cd0302",
            kept,
            Fact::Returned {
                reservation,
                lines: lines(&[(5, 1, 9)]),
                note: "back".into(),
                consumed_at: Some(0x0201),
                expires_at: 0x0302,
                part: None,
            },
        ),
        row(
            16,
            "93cf0102030405060708c081a852657475726e656496cf11121314151617189194ce21222324050109a46261636bcd0201cd0302929193cd0a0b080691cd0a0b",
            None,
            Fact::Returned {
                reservation,
                lines: lines(&[(5, 1, 9)]),
                note: "back".into(),
                consumed_at: Some(0x0201),
                expires_at: 0x0302,
                part: Some(Box::new(Part {
                    lines: vec![PartLine { account, consumed: 8, returned: 6 }],
                    written_off: vec![account],
                })),
            },
        ),
        row(
            16,
            "93cf0102030405060708c081a54e6f74656492cf11121314151617189200ccff",
            None,
            Fact::Noted { reservation, body: vec![0, 255].into() },
        ),
        row(
            16,
            "93cf0102030405060708c081a8446f63756d656e7493a770726f64756374a170927b7d",
            None,
            document(Some(b"{}"[..].into())),
        ),
        row(
            16,
            "93cf0102030405060708c081a8446f63756d656e7493a770726f64756374a170c0",
            None,
            document(None),
        ),
        row(
            16,
            "93cf0102030405060708c081ab436c6f636b4d656e64656491cd0708",
            None,
            Fact::ClockMended { from: 0x0708 },
        ),
        row(
            16,
            "93cf0102030405060708c081ab5472616e7366657272656496cd0a0bce2122232405090ea467696674",
            None,
            Fact::Transferred {
                from: account,
                to: AccountId::from_number(0x2122_2324),
                quantity: 5,
                from_available: 9,
                to_available: 14,
                note: "gift".into(),
            },
        ),
        row(
            16,
            "93cf0102030405060708c081a8457874656e64656494cf1112131415161718cd0302cd09099194ce21222324050009",
            None,
            Fact::Extended {
                reservation,
                was: 0x0302,
                expires_at: 0x0909,
                lines: lines(&[(5, 0, 9)]),
            },
        ),
        row(
            16,
            "93cf0102030405060708c081a651756575656494cd0a0b07cd0a0b9200ccff",
            None,
            Fact::Queued { account, place: 7, owner: account, body: vec![0, 255].into() },
        ),
        row(
            16,
            "93cf0102030405060708c081a8446571756575656495cd0a0b07cd0a0bcf1112131415161718a0",
            None,
            Fact::Dequeued {
                account,
                place: 7,
                owner: account,
                reservation: Some(reservation),
                note: "".into(),
            },
        ),
        row(
            16,
            "93cf0102030405060708c081a8446571756575656495cd0a0b07cd0a0bc0a46c656674",
            None,
            Fact::Dequeued {
                account,
                place: 7,
                owner: account,
                reservation: None,
                note: "left".into(),
            },
        ),
        row(
            16,
            "93cf01020304050607089392c4103132333435363738393a3b3c3d3e3f40c0cd414292cd5152cd616281a8416e73776572656491927b7d",
            kept,
            Fact::Answered { answer: b"{}"[..].into() },
        ),
    ]
}

/// Expired orders that are confirmed after all.
fn revived() -> Vec<Row> {
    let (_, kept) = requests();
    let fact = |owner| Fact::Revived {
        reservation: reservation(),
        owner,
        expires_at: 0x0302,
        lines: lines(&[(5, 5, 9)]),
    };
    vec![
        row(
            18,
            "93cf0102030405060708c081a75265766976656494cf1112131415161718c0cd03029194ce21222324050509",
            None,
            fact(None),
        ),
        row(
            18,
            "93cf01020304050607089392c4103132333435363738393a3b3c3d3e3f40c0cd414292cd5152cd616281a75265766976656494cf1112131415161718cd0a0bcd03029194ce21222324050509",
            kept,
            fact(Some(account())),
        ),
    ]
}

/// What earlier releases wrote, and no release writes any more: it is read for good.
fn read_only() -> Vec<Row> {
    let (account, reservation) = (account(), reservation());
    vec![
        row(
            16,
            "93cf0102030405060708c081ad506f6c6963794368616e67656493cd0a0b930300a54e65766572fd",
            None,
            Fact::PolicyChanged {
                account,
                policy: Policy::backorder(3),
                available: -3,
                consumed: None,
            },
        ),
        row(
            16,
            "93cf0102030405060708c081a752656e6577656493cd0a0b0509",
            None,
            Fact::Renewed { account, quantity: 5, available: 9, kept: false },
        ),
        row(
            16,
            "93cf01020304050607089292c4103132333435363738393a3b3c3d3e3f40c0cd414281a852657475726e656493cf11121314151617189194ce21222324050009a46261636b",
            requests().0,
            Fact::Returned {
                reservation,
                lines: lines(&[(5, 0, 9)]),
                note: "back".into(),
                consumed_at: None,
                expires_at: 0,
                part: None,
            },
        ),
    ]
}

/// Several that happened together.
fn together() -> Vec<Row> {
    let atomic = |facts| Fact::Atomic(Facts::new(facts).expect("they may happen together"));
    let received =
        || Fact::Received { account: account(), quantity: 5, available: 9, note: "in".into() };
    let (_, kept) = requests();
    vec![
        row(
            17,
            "000100080706050403020110001e00000093cf0102030405060708c081a8526563656976656494cd0a0b0509a2696e",
            None,
            atomic(vec![received()]),
        ),
        row(
            17,
            "0303000807060504030201403f3e3d3c3b3a39383736353433323142410000000000005251000000000000626100000000000010001e00000093cf0102030405060708c081a8526563656976656494cd0a0b0509a2696e01003500000008010807060504030201181716151413121102030000000000000b0a0000242322210500000000000000ffffffffffffffff78797a03002e00000000010807060504030201181716151413121102030000000000002423222105000000000000000900000000000000",
            kept,
            atomic(vec![
                received(),
                reserved(Some(account()), false),
                Fact::Released(end(&[(5, 0, 9)])),
            ]),
        ),
    ]
}

fn all() -> impl Iterator<Item = Row> {
    hot().into_iter().chain(named()).chain(together()).chain(revived())
}

#[test]
fn every_event_is_written_and_read_as_ever() {
    let mut wrong = Vec::new();
    for Row { kind, hex: golden, event } in all() {
        let mut written = Vec::new();
        encode(&event, &mut written);
        if (kind_of(&event), hex(&written).as_str()) != (kind, golden) {
            wrong.push(format!("{}: {}", name(&event.fact), hex(&written)));
        } else {
            assert_eq!(decode(kind, &bytes(golden)).expect("golden bytes are read"), event);
        }
    }
    assert!(wrong.is_empty(), "these are written otherwise:\n{}", wrong.join("\n"));
}

#[test]
fn what_earlier_releases_wrote_is_read_as_ever() {
    for Row { kind, hex, event } in read_only() {
        assert_eq!(decode(kind, &bytes(hex)).expect("golden bytes are read"), event);
    }
}

#[test]
fn every_fact_and_every_kind_has_a_row() {
    let rows: Vec<Row> = all().collect();
    let named: BTreeSet<&str> = rows.iter().map(|row| name(&row.event.fact)).collect();
    assert_eq!(named, FACTS.iter().copied().collect());
    let kinds: BTreeSet<u16> = rows.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, KINDS.into());
}
