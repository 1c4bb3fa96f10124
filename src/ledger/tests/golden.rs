//! Golden bytes of a snapshot's parts: shards and documents, as they are written for good.

use std::collections::BTreeMap;

use super::*;
use crate::base::golden;
use crate::event::{End, EventLine, Kept, Request};

/// Two accounts of shard 5, and one of shard 6.
const TEA: u32 = 5;
const QUOTA: u32 = 64 + 5;
const POINTS: u32 = 6;

fn request(number: u128) -> Option<Request> {
    let kept = Some(Kept { owner: 0x5152, until: 0x6162_6364 });
    Some(Request { key: IdempotencyKey::from_number(number), fingerprint: 0x4142, kept })
}

fn line(account: u32, quantity: u64, consumed: u64, available: i64) -> EventLine {
    EventLine { account, quantity, consumed, available }
}

/// Accounts of each kind, one reservation that waits, one that is confirmed, four answers, a use
/// and a document.
fn events() -> Vec<(TimeMs, Option<Request>, Fact<'static>)> {
    let opened = |account, key: &str, policy| Fact::AccountOpened {
        account: AccountId::from_number(account),
        key: key.parse().expect("a valid key"),
        policy,
    };
    let received = |account, quantity| Fact::Received {
        account: AccountId::from_number(account),
        quantity,
        available: quantity as i64,
        note: "".into(),
    };
    let reserved = |number, lines: [EventLine; 3]| Fact::Reserved {
        reservation: ReservationId::from_number(number),
        owner: Some(AccountId::from_number(POINTS)),
        expires_at: 0x0f00,
        confirmed: false,
        lines: lines[..].into(),
        details: (&b""[..]).into(),
    };
    let first = [line(TEA, 2, 0, 8), line(QUOTA, 2, 0, 1), line(POINTS, 200, 0, 800)];
    let second = [line(TEA, 1, 0, 7), line(QUOTA, 1, 0, 0), line(POINTS, 100, 0, 700)];
    let consumed = [line(TEA, 1, 1, 7), line(QUOTA, 1, 1, 0), line(POINTS, 100, 100, 700)];
    let rolling = Policy::quota(3, Window::Rolling { length_ms: 0x0900 });
    let confirmed = Fact::Confirmed(End {
        reservation: ReservationId::from_number(0x0200_0005),
        expires_at: 0x0f00,
        lines: consumed[..].into(),
    });
    vec![
        (1, None, opened(TEA, "stock/tea", Policy::strict())),
        (2, None, opened(QUOTA, "quota/ann/tea", rolling)),
        (3, None, opened(POINTS, "points/ann", Policy::strict())),
        (4, request(0x0d01), received(TEA, 10)),
        (5, None, received(POINTS, 1000)),
        (6, request(0x0d02), reserved(0x0100_0005, first)),
        (7, None, reserved(0x0200_0005, second)),
        (8, request(0x0d03), confirmed),
        (8, request(0x0d04), Fact::Answered { answer: b"{}"[..].into() }),
        (
            9,
            None,
            Fact::Document {
                collection: "product".into(),
                key: "tea".into(),
                body: Some(b"{}"[..].into()),
            },
        ),
    ]
}

/// The parts that hold accounts or documents.
fn golden() -> BTreeMap<usize, Vec<u8>> {
    let parts = [
        (
            5,
            "02000000000000000900000073746f636b2f746561000000000000000000000000000000000000000000000000000000000000000000000000000000000700000000000000020000000000000001000000000000000a0000000000000000000000000000000100000000000000000f000000000000010000000000000000000000000000000000000000000000000000000d00000071756f74612f616e6e2f74656100000000000000000300000000000000020000000000000000090000000000000000000000000000000000000000000002000000000000000100000000000000030000000000000000000000000000000100000000000000000f00000000000001000000000000000000000000000000000000000100000000000000080000000000000008000000000000000100000000000000010008000000000001000000000000000500000100000000000f000000000000060000000305000000020000000000000045000000020000000000000006000000c8000000000000000000000000000000",
        ),
        (
            6,
            "01000000000000000a000000706f696e74732f616e6e00000000000000000000000000000000000000000000000000000000000000000000000000000000bc02000000000000c8000000000000006400000000000000e80300000000000000000000000000000100000000000000000f00000000000001000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
        ),
        (64, "0700000070726f6475637403000000746561020000007b7d"),
    ];
    parts.into_iter().map(|(part, hex)| (part, golden::bytes(hex))).collect()
}

/// The answers, by their keys. Where they are kept is each process's own: in any shard's part.
const ANSWERS: [&str; 4] = [
    "010d000000000000000000000000000042410000000000000400000000000000525100000000000064636261000000000005000000000000000a000000000000000000000000000000",
    "020d00000000000000000000000000004241000000000000060000000000000052510000000000006463626100000000010500000100000000000f0000000000000200000000000000",
    "030d00000000000000000000000000004241000000000000080000000000000052510000000000006463626100000000030500000200000000000f0000000000000100000000000000",
    "040d000000000000000000000000000042410000000000000900000000000000525100000000000064636261000000000e0200000000000000000000000000000000000000000000007b7d",
];

/// A shard's part before its answers where it holds nothing else: no accounts, no number given, nobody
/// who waits.
const BEFORE_ANSWERS: [u8; 24] = [0; 24];

/// Every part but those of empty shards.
fn parts(ledger: &Ledger) -> BTreeMap<usize, Vec<u8>> {
    let capture = |part| {
        let mut bytes = Vec::new();
        ledger.capture(part, &List::default(), &mut bytes);
        (part, bytes)
    };
    let is_empty = |bytes: &[u8]| bytes == [&BEFORE_ANSWERS[..], &[0; 8]].concat();
    (0..PART_COUNT).map(capture).filter(|(_, bytes)| !is_empty(bytes)).collect()
}

/// Each has 73 bytes; what was told follows those of its own.
fn split(mut answers: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(length) = answers.get(49..57) {
        let length = u64::from_le_bytes(length.try_into().expect("eight bytes"));
        let told = if answers[48] == 14 { length as usize } else { 0 };
        let (answer, rest) = answers.split_at(73 + told);
        all.push(answer.to_vec());
        answers = rest;
    }
    all
}

/// Takes the answers out of the parts that hold nothing else.
fn take_answers(parts: &mut BTreeMap<usize, Vec<u8>>) -> Vec<Vec<u8>> {
    let mut answers = Vec::new();
    parts.retain(|_, bytes| match bytes.strip_prefix(&BEFORE_ANSWERS) {
        Some(count_and_answers) => {
            answers.extend(split(&count_and_answers[8..]));
            false
        }
        None => true,
    });
    answers.sort();
    answers
}

fn check(ledger: &Ledger) {
    let mut written = parts(ledger);
    let answers = take_answers(&mut written);
    let golden_answers: Vec<Vec<u8>> = ANSWERS.iter().map(|hex| golden::bytes(hex)).collect();
    assert_eq!(answers, golden_answers, "an answer is written otherwise");
    let golden = golden();
    assert!(written.keys().eq(golden.keys()), "{:?}", written.keys());
    for (part, bytes) in written {
        golden::check(&format!("part {part}"), &bytes, &golden::hex(&golden[&part]));
    }
}

#[test]
fn the_parts_of_a_snapshot_are_written_and_read_as_ever() {
    let replayed = Fixture::new();
    let mut replay = Replay::new(&replayed.ledger);
    for (seq, (at, request, fact)) in (1..).zip(events()) {
        replay.apply(seq, &Event { at, request, fact }).expect("the event applies");
    }
    drop(replay);
    check(&replayed.ledger);

    let mut golden = golden();
    let answers = ANSWERS.concat();
    golden
        .insert(7, [&BEFORE_ANSWERS[..], &4_u64.to_le_bytes(), &golden::bytes(&answers)].concat());
    let loaded = Fixture::new();
    let mut replay = Replay::new(&loaded.ledger);
    for part in 0..PART_COUNT {
        let layout = Layout { version: LAYOUT_VERSION, taken_at: 0 };
        let empty = [&BEFORE_ANSWERS[..], &[0; 8]].concat();
        let bytes = golden.get(&part).unwrap_or(&empty);
        replay.load(layout, part, 9, bytes).expect("golden bytes are read");
    }
    drop(replay);
    check(&loaded.ledger);
}
