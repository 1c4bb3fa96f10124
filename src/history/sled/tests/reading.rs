//! Catches rows that are lost, doubled or out of order where the tables and sled are read as one.

use super::*;

#[test]
fn an_exchange_reads_back_from_memory_and_from_sled() {
    let home = Home::new();
    let store = filled(&home);
    let check = |store: &Store| {
        let record = store.reservation(id(7)).expect("a read").expect("the reservation");
        assert_eq!(record.state, ReservationState::Confirmed);
        assert_eq!((record.created_at, record.expires_at, record.ended_at), (60, 5_000, Some(70)));
        assert_eq!(record.owner, Some(POINTS));
        assert_eq!(record.details, b"details");
        assert_eq!(
            record.lines[0],
            RecordLine { account: POINTS, quantity: 100, consumed: 100, returned: 0 }
        );
        assert_eq!(store.reservations_of(POINTS, None, 10).expect("a read"), [record]);
        assert_eq!(
            kinds(store, STOCK),
            [
                (ChangeKind::Confirmed, 0, 1),
                (ChangeKind::Reserved, -1, 1),
                (ChangeKind::Received, 10, 10)
            ]
        );
        assert_eq!(kinds(store, QUOTA), []);
    };
    check(&store);
    store.close().expect("a close");
    assert_eq!(store.reservation(id(7)).expect_err("closed").kind(), ErrorKind::Closed);
    drop(store);
    let store = home.reopen();
    assert_eq!((store.watermark(), store.projected(), store.memtable_len()), (7, 7, 0));
    check(&store);
    // The quota is still known as one.
    feed(&store, [reserved(8, true)]);
    assert_eq!(kinds(&store, QUOTA), []);
    assert_eq!(kinds(&store, POINTS)[0], (ChangeKind::Bought, -100, 100));
}

/// Would catch a change that another one of the same event hides, a page that ends between two of
/// them, and rows that read otherwise from sled.
#[test]
fn an_event_that_changes_an_account_often_has_a_row_for_each() {
    let home = Home::new();
    let store = home.open();
    feed(&store, accounts());
    let receive = |quantity, available| Fact::Received {
        account: STOCK,
        quantity,
        available,
        note: "one of several".into(),
    };
    let together = || {
        let away = Fact::WrittenOff { account: STOCK, quantity: 3, available: 9, note: "".into() };
        let facts = vec![receive(2, 12), away, reserved(7, false), receive(5, 14)];
        Fact::Atomic(Facts::new(facts).expect("they may happen together"))
    };
    feed(&store, [together()]);
    feed(&store, [receive(1, 15)]);
    let expected = [(1, 15), (5, 14), (-1, 9), (-3, 9), (2, 12), (10, 10)];
    let check = |store: &Store| {
        let told = |before, limit| {
            let changes = store.changes_of(STOCK, before, limit).expect("changes");
            changes.iter().map(|change| (change.delta, change.available)).collect::<Vec<_>>()
        };
        assert_eq!(told(None, usize::MAX), expected);
        assert_eq!(told(None, 1), expected[..1]);
        for limit in 2..=5 {
            assert_eq!(told(None, limit), expected[..5], "{limit}: an event is told whole");
        }
        assert_eq!(told(None, 6), expected);
        assert_eq!(told(Some(7), 1), expected[1..5]);
        assert_eq!(told(Some(6), 1), expected[5..], "and what was before it");
        let record = store.reservation(id(7)).expect("a read").expect("the reservation");
        assert_eq!((record.state, record.created_at), (ReservationState::Pending, 60));
    };
    check(&store);
    store.flush(2).expect("a flush");
    check(&store);
    store.close().expect("a close");
    drop(store);
    check(&home.reopen());
}

#[test]
fn changes_carry_their_cause() {
    let home = Home::new();
    let store = home.open();
    feed(&store, accounts());
    let part: EventLines = [line(STOCK, 5, 2, 8)].into_iter().collect();
    let back: EventLines = [line(STOCK, 2, 0, 10)].into_iter().collect();
    feed(
        &store,
        [
            Fact::Adjusted { account: STOCK, delta: -3, available: 7, note: "count".into() },
            Fact::WrittenOff { account: STOCK, quantity: 2, available: 5, note: "broken".into() },
            reserved(1, false),
            Fact::Confirmed(End { reservation: id(1), expires_at: 5_000, lines: part }),
            Fact::Returned {
                reservation: id(1),
                lines: back,
                note: "unwanted".into(),
                consumed_at: None,
                expires_at: 0,
                part: None,
            },
            reserved(2, false),
            Fact::Released(end(2, false)),
            reserved(3, false),
            Fact::Expired(end(3, false)),
            Fact::Renewed { account: QUOTA, quantity: 1, available: 3, kept: true },
        ],
    );
    assert_eq!(
        kinds(&store, STOCK),
        [
            (ChangeKind::Expired, 1, 1),
            (ChangeKind::Reserved, -1, 1),
            (ChangeKind::Released, 1, 1),
            (ChangeKind::Reserved, -1, 1),
            (ChangeKind::Returned, 2, 2),
            (ChangeKind::Confirmed, 3, 2),
            (ChangeKind::Reserved, -1, 1),
            (ChangeKind::WrittenOff, -2, 2),
            (ChangeKind::Adjusted, -3, 3),
            (ChangeKind::Received, 10, 10),
        ]
    );
    let returned = &store.changes_of(STOCK, Some(11), 1).expect("a read")[0];
    assert_eq!((returned.seq, returned.available, returned.at), (10, 10, 100));
    assert_eq!((returned.note.as_str(), returned.reservation), ("unwanted", Some(id(1))));
    let record = store.reservation(id(1)).expect("a read").expect("the reservation");
    assert_eq!((record.state, record.returned_at), (ReservationState::Returned, Some(100)));
    assert_eq!(
        record.lines,
        [RecordLine { account: STOCK, quantity: 5, consumed: 2, returned: 2 }]
    );
}

#[test]
fn a_return_in_part_is_in_the_record_until_nothing_is_left() {
    let home = Home::new();
    let store = home.open();
    feed(&store, accounts());
    feed(&store, [reserved(1, true), reserved(2, true)]);
    let returned = |number, lines: EventLines, returned: [u64; 3], written_off| Fact::Returned {
        reservation: id(number),
        lines,
        note: "".into(),
        consumed_at: Some(60),
        expires_at: 5_000,
        part: Some(Box::new(Part {
            lines: [(POINTS, 100), (QUOTA, 1), (STOCK, 1)]
                .into_iter()
                .zip(returned)
                .map(|((account, consumed), returned)| PartLine { account, consumed, returned })
                .collect(),
            written_off,
        })),
    };
    let points: EventLines = [line(POINTS, 40, 0, 840)].into_iter().collect();
    let broken: EventLines = [line(STOCK, 1, 0, 8)].into_iter().collect();
    let rest: EventLines = [line(POINTS, 60, 0, 900), line(QUOTA, 1, 0, 2)].into_iter().collect();
    let back = |store: &Store, number| {
        let record = store.reservation(id(number)).expect("a read").expect("the reservation");
        let lines = record.lines.iter().map(|line| (line.consumed, line.returned));
        (record.state, record.returned_at, lines.collect::<Vec<_>>())
    };
    let confirmed = ReservationState::Confirmed;
    feed(&store, [returned(1, points.clone(), [40, 0, 0], vec![])]);
    let in_part = (confirmed, None, vec![(100, 40), (1, 0), (1, 0)]);
    assert_eq!(back(&store, 1), in_part);
    store.flush_all().expect("a flush");
    drop(store);
    let store = home.open();
    assert_eq!(back(&store, 1), in_part, "from sled");
    feed(&store, [returned(1, broken, [40, 0, 1], vec![STOCK])]);
    assert_eq!(back(&store, 1), (confirmed, None, vec![(100, 40), (1, 0), (1, 1)]));
    assert_eq!(kinds(&store, STOCK)[0], (ChangeKind::Discarded, 0, 1));
    feed(&store, [returned(1, rest, [100, 1, 1], vec![])]);
    let over = (ReservationState::Returned, Some(100), vec![(100, 100), (1, 1), (1, 1)]);
    assert_eq!(back(&store, 1), over);
    // What history does not know the beginning of is known by the event.
    feed(&store, [returned(9, points, [40, 0, 0], vec![])]);
    assert_eq!(back(&store, 9), in_part);
    assert_eq!(back(&store, 2), (confirmed, None, vec![(100, 0), (1, 0), (1, 0)]));
    store.flush_all().expect("a flush");
    drop(store);
    let store = home.open();
    assert_eq!(back(&store, 1), over, "from sled");
}

#[test]
fn two_lines_of_one_account_are_one_change() {
    let home = Home::new();
    let store = home.open();
    let lines: EventLines =
        [line(STOCK, 2, 0, 5), line(POINTS, 1, 0, 1), line(STOCK, 3, 0, 5)].into_iter().collect();
    let fact = Fact::Reserved {
        reservation: id(1),
        owner: None,
        expires_at: 9,
        confirmed: false,
        lines,
        details: Cow::Borrowed(b""),
    };
    feed(&store, [fact]);
    assert_eq!(kinds(&store, STOCK), [(ChangeKind::Reserved, -5, 5)]);
    assert_eq!(kinds(&store, POINTS), [(ChangeKind::Reserved, -1, 1)]);
}

#[test]
fn pages_meet_without_a_gap_across_sled_and_both_tables() {
    let home = Home::new();
    let store = home.open();
    feed(&store, accounts());
    for reservation in 1..=90 {
        feed(&store, [reserved(reservation, true)]);
        match reservation {
            30 => store.flush_all().expect("a flush"),
            // Seals the table, and moves a part of it.
            60 => assert_eq!(store.flush(7).expect("a flush"), 35),
            _ => {}
        }
    }
    assert!(store.tables.lock().sealed().is_some());
    for limit in [1, 7, 40, 1_000] {
        let mut seen = Vec::new();
        let mut before = None;
        loop {
            let page = store.reservations_of(POINTS, before, limit).expect("a page");
            let Some(last) = page.last() else { break };
            before = Some(last.reservation);
            seen.extend(page.iter().map(|record| record.reservation.number()));
        }
        assert_eq!(seen, (1..=90).rev().collect::<Vec<_>>());

        let mut seen = Vec::new();
        let mut before = None;
        loop {
            let page = store.changes_of(STOCK, before, limit).expect("a page");
            let Some(last) = page.last() else { break };
            before = Some(last.seq);
            seen.extend(page.iter().map(|change| change.seq));
        }
        assert_eq!(seen, (5..=95).rev().collect::<Vec<_>>());
    }
    assert_eq!(store.reservations_of(POINTS, Some(id(0)), 9).expect("a read"), []);
    assert_eq!(store.reservations_of(POINTS, None, 0).expect("a read"), []);
    assert_eq!(store.reservations_of(AccountId::from_number(0), None, 9).expect("a read"), []);
}

#[test]
fn readers_beside_a_flush_see_every_change() {
    let home = Home::new();
    let store = home.open();
    feed(&store, accounts());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for reservation in 1..=2_000 {
                feed(&store, [reserved(reservation, true)]);
                if reservation % 50 == 0 {
                    store.flush(120).expect("a flush");
                }
            }
        });
        while !writer.is_finished() {
            let seqs: Vec<Seq> = store
                .changes_of(STOCK, None, 300)
                .expect("a read")
                .iter()
                .map(|change| change.seq)
                .collect();
            assert!(seqs.windows(2).all(|pair| pair[0] == pair[1] + 1), "a gap in {seqs:?}");
        }
    });
}

#[test]
fn notes_are_kept_up_to_their_limit() {
    let home = Home::new();
    let store = home.open();
    feed(&store, [reserved(1, true)]);
    for note in 0..40u8 {
        feed(&store, [Fact::Noted { reservation: id(1), body: vec![note].into() }]);
    }
    let record = store.reservation(id(1)).expect("a read").expect("the reservation");
    let bodies: Vec<u8> = record.notes.iter().map(|note| note.body[0]).collect();
    assert_eq!(bodies, (8..40).collect::<Vec<_>>());
    feed(&store, [Fact::Noted { reservation: id(2), body: b"of nothing known".into() }]);
    assert_eq!(store.reservation(id(2)).expect("a read"), None);
}
