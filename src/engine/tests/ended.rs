//! Would catch a note whose condition is not that of the moment it is written, one that is written
//! twice, and an answer to one that a restart forgets.

use super::*;
use crate::base::IdempotencyKey;
use crate::event::ChangeKind;
use crate::history::record::{ReservationRecord, ReservationState};
use crate::ledger::{NotPending, Refund, RefundOutcome, Release, ReleaseOutcome};

fn bought(engine: &Engine, account: AccountId) -> ReservationId {
    let lines = [Line { account, quantity: 1 }];
    let outcome = engine.reserve(Reserve::new(&lines, 100).confirmed()).and_then(Ticket::wait);
    match outcome.expect("it is decided") {
        ReserveOutcome::Reserved(Reserved { reservation, .. }) => reservation,
        ReserveOutcome::Refused(refusal) => panic!("there is enough: {refusal:?}"),
    }
}

fn other_stock(engine: &Engine, quantity: u64) -> AccountId {
    let key = AccountKey::stock("cup").expect("a valid key");
    let account = engine.open_account(&key, Policy::strict()).expect("it opens");
    engine.receive(Receive::new(account, quantity)).and_then(Ticket::wait).expect("it is received");
    account
}

fn key(name: &str) -> IdempotencyKey {
    IdempotencyKey::new("ops", name).expect("a valid key")
}

/// Only a confirmed reservation, and each body once.
fn once(record: &ReservationRecord, body: &[u8]) -> bool {
    record.state == ReservationState::Confirmed && record.notes.iter().all(|note| note.body != body)
}

fn note(
    engine: &Engine,
    reservation: ReservationId,
    body: &[u8],
    key: Option<IdempotencyKey>,
) -> Result<NoteOutcome, ErrorKind> {
    decided(engine.note_when(NoteWhen::new(reservation, body, once).key(key)))
}

fn decided<T>(asked: Result<DeferredTicket<T>>) -> Result<T, ErrorKind> {
    asked.and_then(DeferredTicket::wait).map_err(|error| error.kind())
}

fn notes(engine: &Engine, reservation: ReservationId) -> Vec<Vec<u8>> {
    engine.catch_up().wait().expect("history follows");
    let record = engine.history().reservation(reservation).expect("it is read");
    record.map_or(Vec::new(), |record| record.notes.into_iter().map(|note| note.body).collect())
}

#[test]
fn a_note_is_kept_when_its_condition_holds_at_its_turn() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 10);
    let (order, waiting) = (bought(&engine, tea), reserve(&engine, tea, 1));
    // Asked for at once: the second finds what the first one wrote.
    let asked = [(); 2].map(|()| engine.note_when(NoteWhen::new(order, b"sent", once)));
    let outcomes = asked.map(|asked| asked.and_then(DeferredTicket::wait).expect("it is decided"));
    let unmet = NoteOutcome::Unmet { reservation: order };
    assert_eq!(outcomes, [NoteOutcome::Noted { reservation: order }, unmet]);
    assert_eq!(notes(&engine, order), [b"sent"]);
    let unmet = |reservation| Ok(NoteOutcome::Unmet { reservation });
    assert_eq!(note(&engine, waiting, b"sent", None), unmet(waiting), "it is not confirmed");
    let unknown = ReservationId::from_number(u64::MAX);
    assert_eq!(note(&engine, unknown, b"sent", None), unmet(unknown), "it was never made");
    let others = NoteWhen::new(order, b"other", once).owner(tea);
    assert_eq!(decided(engine.note_when(others)), unmet(order), "it is on nobody's behalf");
    let panics = NoteWhen::new(order, b"other", |_, _| panic!("a condition of the test"));
    assert_eq!(decided(engine.note_when(panics)), Err(ErrorKind::Invalid));
    assert_eq!(notes(&engine, order), [b"sent"], "and history goes on");
}

#[test]
fn a_refund_is_made_when_its_condition_holds_at_its_turn() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 10);
    let (sent, kept) = (bought(&engine, tea), bought(&engine, tea));
    note(&engine, sent, b"sent", None).expect("it is decided");
    let refund =
        |order| decided(engine.refund_when(Refund::new(order), |record| record.notes.is_empty()));
    assert_eq!(
        refund(sent),
        Ok(RefundOutcome::NotConfirmed { reservation: sent, why: NotPending::Confirmed })
    );
    assert_eq!(refund(kept), Ok(RefundOutcome::Returned { reservation: kept }));
    assert_eq!(engine.level(tea).expect("it is open").consumed, 1);
}

/// The body is the same, and what was done under the key was no note.
#[test]
fn a_note_does_not_hear_what_another_kind_of_request_was_answered() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 10);
    let order = bought(&engine, tea);
    let key = key("a").with_body(b"{}");
    drop(engine.receive(Receive::new(tea, 1).key(key)).and_then(Ticket::wait));
    assert_eq!(note(&engine, order, b"sent", Some(key)), Err(ErrorKind::Conflict));
    assert_eq!(notes(&engine, order), Vec::<Vec<u8>>::new());
}

#[test]
fn a_refund_in_part_goes_on_until_nothing_is_left() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let (tea, cup) = (stock(&engine, 10), other_stock(&engine, 10));
    let lines = [(tea, 3), (cup, 1)].map(|(account, quantity)| Line { account, quantity });
    let bought = engine.reserve(Reserve::new(&lines, 100).confirmed()).and_then(Ticket::wait);
    let order = bought.expect("it is decided").reserved().expect("there is enough").reservation;
    let part = |account, quantity| [Line { account, quantity }];
    let refund = |engine: &Engine, refund: Refund<'_>| decided(engine.refund(refund));
    let in_part = Ok(RefundOutcome::ReturnedInPart { reservation: order });
    let (two, one) = (part(tea, 2), part(tea, 1));
    // Asked for at once: each finds what the one before it left.
    let asked = [&two, &two, &one].map(|part| engine.refund(Refund::new(order).part(part)));
    let outcomes = asked.map(decided);
    let too_much = Ok(RefundOutcome::TooMuch { reservation: order, account: tea, left: 1 });
    assert_eq!(outcomes, [in_part, too_much, in_part]);
    let standing = |engine: &Engine| {
        engine.catch_up().wait().expect("history follows");
        let record = engine.history().reservation(order).expect("it is read");
        let record = record.expect("it is there");
        let lines = record.lines.iter().map(|line| (line.consumed, line.returned));
        (record.state, record.returned_at.is_some(), lines.collect::<Vec<_>>())
    };
    let confirmed = (ReservationState::Confirmed, false, vec![(3, 3), (1, 0)]);
    assert_eq!(standing(&engine), confirmed);
    engine.close().expect("it closes");
    let engine = fixture.open();
    assert_eq!(standing(&engine), confirmed, "after a restart");
    let levels = |engine: &Engine| [tea, cup].map(|it| engine.level(it).expect("it is open"));
    assert_eq!(levels(&engine).map(|it| (it.available, it.consumed)), [(10, 0), (9, 1)]);
    // The cup is broken.
    let broken = [cup];
    let last = Refund::new(order).written_off(&broken).key(key("cup"));
    let returned = Ok(RefundOutcome::Returned { reservation: order });
    assert_eq!(refund(&engine, last), returned);
    assert_eq!(levels(&engine).map(|it| (it.available, it.written_off)), [(10, 0), (9, 1)]);
    assert_eq!(standing(&engine), (ReservationState::Returned, true, vec![(3, 3), (1, 1)]));
    assert_eq!(refund(&engine, last), returned, "a retry hears its first answer");
    let other = refund(&engine, Refund::new(order).part(&one).key(key("cup")));
    assert_eq!(other, Err(ErrorKind::Conflict));
    let why = NotPending::Returned;
    let over = Ok(RefundOutcome::NotConfirmed { reservation: order, why });
    assert_eq!(refund(&engine, Refund::new(order).part(&one)), over);
    let changes = engine.history().changes_of(cup, None, 1).expect("it is read");
    let told = changes.iter().map(|it| (it.kind, it.delta, it.available, it.quantity));
    assert_eq!(told.collect::<Vec<_>>(), [(ChangeKind::Discarded, 0, 9, 1)]);
    for lines in [&[][..], &part(tea, 0)] {
        let refused = engine.refund(Refund::new(order).part(lines)).map(drop);
        assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::Invalid), "{lines:?}");
    }
}

#[test]
fn a_note_with_a_key_is_kept_once_and_its_answer_survives() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 10);
    let order = bought(&engine, tea);
    let noted = Ok(NoteOutcome::Noted { reservation: order });
    // What was refused is not remembered, and may be tried again.
    let refused = NoteWhen::new(order, b"sent", |_, _| false).key(key("a"));
    assert_eq!(decided(engine.note_when(refused)), Ok(NoteOutcome::Unmet { reservation: order }));
    assert_eq!(note(&engine, order, b"sent", Some(key("a"))), noted);
    let retried_by = |engine: &Engine, when: &str| {
        // The condition no longer holds; the first answer does.
        assert_eq!(note(engine, order, b"sent", Some(key("a"))), noted, "{when}");
        let other = note(engine, order, b"other", Some(key("a")));
        assert_eq!(other, Err(ErrorKind::Conflict), "{when}");
        assert_eq!(notes(engine, order), [b"sent"], "{when}");
    };
    retried_by(&engine, "at once");
    drop(engine);
    let engine = fixture.open();
    retried_by(&engine, "from the journal");
    engine.close().expect("it closes");
    let engine = fixture.open();
    retried_by(&engine, "from a snapshot");
    let command =
        engine.reserve(Reserve::new(&[Line { account: tea, quantity: 1 }], 100).key(key("a")));
    assert_eq!(command.map(drop).map_err(|error| error.kind()), Err(ErrorKind::Conflict));
}

#[test]
fn a_key_of_one_refund_is_no_key_of_another() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 10);
    let (first, second) = (bought(&engine, tea), bought(&engine, tea));
    let refund = |engine: &Engine, order| decided(engine.refund(Refund::new(order).key(key("a"))));
    let returned = Ok(RefundOutcome::Returned { reservation: first });
    assert_eq!(refund(&engine, first), returned);
    assert_eq!(refund(&engine, first), returned, "a retry hears the first answer");
    assert_eq!(refund(&engine, second), Err(ErrorKind::Conflict));
    drop(engine);
    let engine = fixture.open();
    assert_eq!(refund(&engine, first), returned, "after a restart, too");
    assert_eq!(refund(&engine, second), Err(ErrorKind::Conflict), "after a restart, too");
    assert_eq!(
        engine.level(tea).expect("it is open").consumed,
        1,
        "the second one was not returned"
    );

    // Whoever gives up an order need not know whether it was confirmed.
    let waiting = reserve(&engine, tea, 1);
    let release = Release::new(waiting).key(key("b"));
    let released = engine.release(release).and_then(Ticket::wait).expect("it is decided");
    assert_eq!(released, ReleaseOutcome::Released { reservation: waiting });
    let refund = |order| decided(engine.refund(Refund::new(order).key(key("b"))));
    assert_eq!(refund(waiting), Ok(RefundOutcome::Released { reservation: waiting }));
    assert_eq!(refund(second), Err(ErrorKind::Conflict));
}
