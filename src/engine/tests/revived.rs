//! Would catch an expired reservation that is confirmed twice, with what is not its own, or after all by
//! two at once; and one of which memory, history or a restart tells otherwise than that it is confirmed.

#![allow(clippy::disallowed_methods, reason = "a test removes history")]

use super::*;
use crate::base::IdempotencyKey;
use crate::event::ChangeKind;
use crate::history::record::ReservationState;
use crate::ledger::{
    Confirm, NotPending, Reacquire, ReacquireOutcome, Refund, RefundOutcome, Release,
};

fn key(name: &str) -> IdempotencyKey {
    IdempotencyKey::new("pay", name).expect("a valid key")
}

fn ask(engine: &Engine, asked: impl Into<Reacquire>) -> Result<ReacquireOutcome, ErrorKind> {
    let asked = engine.reacquire(asked).and_then(DeferredTicket::wait);
    asked.map_err(|error| error.kind())
}

/// One that has expired, of so many units.
fn lapsed(fixture: &Fixture, engine: &Engine, account: AccountId, quantity: u64) -> ReservationId {
    let order = reserve(engine, account, quantity);
    fixture.clock.advance(100);
    engine.expire_due().expect("it admits");
    order
}

fn numbers(engine: &Engine, account: AccountId) -> (i64, u64, u64) {
    let level = engine.level(account).expect("it is open");
    (level.available, level.reserved, level.consumed)
}

fn why(engine: &Engine, order: ReservationId) -> NotPending {
    match engine.confirm(order).and_then(Ticket::wait).expect("it is decided") {
        ConfirmOutcome::NotPending { why, .. } => why,
        other => panic!("it does not wait: {other:?}"),
    }
}

fn not_expired(reservation: ReservationId, why: NotPending) -> Result<ReacquireOutcome, ErrorKind> {
    Ok(ReacquireOutcome::NotExpired { reservation, why })
}

fn revived(reservation: ReservationId) -> Result<ReacquireOutcome, ErrorKind> {
    Ok(ReacquireOutcome::Revived { reservation })
}

#[allow(clippy::disallowed_methods, reason = "the test takes history away")]
#[test]
fn what_expired_is_confirmed_and_stays_so_through_restarts() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 10);
    let order = lapsed(&fixture, &engine, tea, 3);
    let at = engine.now_ms() + 7;
    fixture.clock.advance(7);
    let asked = Reacquire::new(order).key(key("a"));
    assert_eq!(ask(&engine, asked), revived(order));
    let check = |engine: &Engine, when: &str| {
        engine.catch_up().wait().expect("history follows");
        assert_eq!(numbers(engine, tea), (7, 0, 3), "{when}");
        assert_eq!(why(engine, order), NotPending::Confirmed, "{when}");
        assert_eq!(ask(engine, asked), revived(order), "{when}: a retry");
        assert_eq!(ask(engine, order), not_expired(order, NotPending::Confirmed), "{when}");
        let record = engine.history().reservation(order).expect("it is read");
        let record = record.expect("it is there");
        let times = (record.expires_at, record.ended_at, record.returned_at);
        assert_eq!((record.state, times), (ReservationState::Confirmed, (1_100, Some(at), None)));
        assert_eq!((record.lines[0].quantity, record.lines[0].consumed), (3, 3), "{when}");
        let changes = engine.history().changes_of(tea, None, 3).expect("it is read");
        let told = changes.iter().map(|it| (it.kind, it.delta, it.available));
        let expected = [
            (ChangeKind::Bought, -3, 7),
            (ChangeKind::Expired, 3, 10),
            (ChangeKind::Reserved, -3, 7),
        ];
        assert_eq!(told.collect::<Vec<_>>(), expected, "{when}");
    };
    check(&engine, "at once");
    drop(engine);
    let engine = fixture.open();
    check(&engine, "from the journal");
    engine.close().expect("it closes");
    let engine = fixture.open();
    check(&engine, "from a snapshot");
    drop(engine);
    std::fs::remove_dir_all(fixture.dir.path().join("store")).expect("history is lost");
    let engine = fixture.open();
    check(&engine, "with a history that is made anew");
    // It goes back as what was bought when it was revived.
    let refund = engine.refund(Refund::new(order)).and_then(DeferredTicket::wait);
    assert_eq!(refund.expect("it is decided"), RefundOutcome::Returned { reservation: order });
    assert_eq!(numbers(&engine, tea), (10, 0, 0));
    assert_eq!(ask(&engine, order), not_expired(order, NotPending::Returned), "it has two ends");
}

/// A clock that was wrong took the time further: what was revived then stays confirmed, and what only
/// expired then can be revived, though its deadline is to come again.
#[cfg(feature = "bin")]
#[test]
fn a_mend_of_the_clock_changes_nothing_about_it() {
    const DAY_MS: u64 = 24 * 3_600_000;
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 10);
    let (paid, late) = (reserve(&engine, tea, 2), reserve(&engine, tea, 3));
    engine.close().expect("it closes");
    let ahead = Fixture { dir: fixture.dir, clock: Arc::new(ManualClock::new(1_000 + DAY_MS)) };
    let engine = ahead.open();
    assert_eq!(engine.expire_due().expect("it admits"), 2);
    assert_eq!(ask(&engine, paid), revived(paid));
    drop(engine);
    let right = Fixture { dir: ahead.dir, clock: Arc::new(ManualClock::new(1_050)) };
    let builder = Engine::builder(right.dir.path()).clock(Arc::clone(&right.clock) as _);
    let mended = mend_clock(builder.segment_bytes(128 << 10), true).expect("it is mended");
    assert_eq!((mended.is_ahead, mended.reservations), (true, 0));
    let engine = right.open();
    assert!(engine.now_ms() < 1_100, "their deadline is to come");
    assert_eq!(ask(&engine, paid), not_expired(paid, NotPending::Confirmed));
    assert_eq!(ask(&engine, late), revived(late));
    assert_eq!(numbers(&engine, tea), (5, 0, 5));
    for order in [paid, late] {
        let refund = engine.refund(Refund::new(order)).and_then(DeferredTicket::wait);
        assert_eq!(refund.expect("it is sound"), RefundOutcome::Returned { reservation: order });
    }
    assert_eq!(numbers(&engine, tea), (10, 0, 0));
}

#[test]
fn of_many_who_ask_one_revives_it() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 10);
    let order = lapsed(&fixture, &engine, tea, 2);
    // Asked for at once: each waits until history shows what the one before it did.
    let asked: Vec<_> = (0..8).map(|_| engine.reacquire(order)).collect();
    let told = asked.into_iter().map(|asked| asked.and_then(DeferredTicket::wait));
    let told: Vec<_> = told.map(|told| told.map_err(|error| error.kind())).collect();
    assert_eq!(told[0], revived(order));
    assert!(
        told[1..].iter().all(|it| *it == not_expired(order, NotPending::Confirmed)),
        "{told:?}"
    );
    // From many threads, with refunds and confirms between.
    let order = lapsed(&fixture, &engine, tea, 2);
    let wins = std::thread::scope(|scope| {
        let ask = |_| {
            scope.spawn(|| {
                let _ = engine.confirm(order).and_then(Ticket::wait);
                ask(&engine, order)
            })
        };
        let asked: Vec<_> = (0..6).map(ask).collect();
        let told = asked.into_iter().map(|asked| asked.join().expect("it ends"));
        told.filter(|told| *told == revived(order)).count()
    });
    assert_eq!((wins, numbers(&engine, tea)), (1, (6, 0, 4)));
}

#[test]
fn what_did_not_expire_or_is_anothers_is_refused_by_name() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 10);
    let released = reserve(&engine, tea, 1);
    engine.release(released).and_then(Ticket::wait).expect("it is decided");
    let confirmed = reserve(&engine, tea, 1);
    let confirm = Confirm::new(confirmed).key(key("c"));
    engine.confirm(confirm).and_then(Ticket::wait).expect("it is decided");
    let expired = lapsed(&fixture, &engine, tea, 1);
    let waits = reserve(&engine, tea, 1);
    let never = ReservationId::from_number(u64::MAX);
    let before = numbers(&engine, tea);
    assert_eq!(ask(&engine, released), not_expired(released, NotPending::Released));
    assert_eq!(ask(&engine, confirmed), not_expired(confirmed, NotPending::Confirmed));
    assert_eq!(ask(&engine, never), not_expired(never, NotPending::NeverMade));
    assert_eq!(ask(&engine, waits), Ok(ReacquireOutcome::StillPending { reservation: waits }));
    let others = Reacquire::new(expired).owner(tea);
    assert_eq!(ask(&engine, others), not_expired(expired, NotPending::Anothers));
    // The key of its confirm asks for the same.
    let again = Reacquire::new(confirmed).key(key("c"));
    assert_eq!(ask(&engine, again), Ok(ReacquireOutcome::Confirmed { reservation: confirmed }));
    let other = Reacquire::new(expired).key(key("c"));
    assert_eq!(ask(&engine, other), Err(ErrorKind::Conflict));
    // Past its deadline it waits until the wheel turns.
    fixture.clock.advance(100);
    assert_eq!(ask(&engine, waits), Ok(ReacquireOutcome::StillPending { reservation: waits }));
    assert_eq!(numbers(&engine, tea), before, "nothing happened");
    let release = engine.release(Release::new(waits)).and_then(Ticket::wait);
    assert!(matches!(release, Ok(crate::ledger::ReleaseOutcome::Late { .. })), "{release:?}");
}

#[test]
fn what_is_sold_meanwhile_is_not_to_be_had() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 4);
    let order = lapsed(&fixture, &engine, tea, 3);
    let other = reserve(&engine, tea, 2);
    let refused = ask(&engine, Reacquire::new(order).key(key("a")));
    let Ok(ReacquireOutcome::Refused(refusal)) = refused else { panic!("{refused:?}") };
    assert_eq!((refusal.line, refusal.account, refusal.available), (0, tea, 2));
    assert!(refusal.next_release_at.is_some(), "the other one may lapse");
    engine.release(other).and_then(Ticket::wait).expect("it is decided");
    // What had no effect is not remembered.
    assert_eq!(ask(&engine, Reacquire::new(order).key(key("a"))), revived(order));
    assert_eq!(numbers(&engine, tea), (1, 0, 3));
}
