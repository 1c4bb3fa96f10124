//! Would catch somebody who comes too late and is told nothing, or another's or a wrong reason:
//! from memory, and after a restart from history.

use super::*;
use crate::ledger::{Command, Confirm, NotPending, Outcome, Refund, Release, ReleaseOutcome};

fn why_not_confirmed(engine: &Engine, confirm: Confirm<'_>) -> NotPending {
    match engine.confirm(confirm).and_then(Ticket::wait).expect("it is decided") {
        ConfirmOutcome::NotPending { why, .. } => why,
        other => panic!("{confirm:?} came to {other:?}"),
    }
}

fn why_not_released(engine: &Engine, release: Release) -> NotPending {
    match engine.release(release).and_then(Ticket::wait).expect("it is decided") {
        ReleaseOutcome::NotPending { why, .. } => why,
        other => panic!("{release:?} came to {other:?}"),
    }
}

#[test]
fn whoever_comes_too_late_is_told_why_also_after_a_restart() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 10);
    let [sold, given_up, lapsed, broken] = [(); 4].map(|()| reserve(&engine, tea, 1));
    for id in [sold, broken] {
        engine.confirm(id).and_then(Ticket::wait).expect("it is pending");
    }
    engine.release(given_up).and_then(Ticket::wait).expect("it is pending");
    engine.refund(Refund::new(broken).note("broken")).expect("it is asked").wait().expect("it is");
    fixture.clock.advance(100);
    assert_eq!(engine.expire_due().expect("it admits"), 1);
    let waiting = reserve(&engine, tea, 1);
    let told = |engine: &Engine| {
        let ended = [sold, given_up, lapsed, broken];
        let confirms = ended.map(|id| why_not_confirmed(engine, Confirm::new(id)));
        assert_eq!(ended.map(|id| why_not_released(engine, Release::new(id))), confirms);
        confirms
    };
    let whys = {
        use NotPending::{Confirmed, Expired, Released, Returned};
        [Confirmed, Released, Expired, Returned]
    };
    assert_eq!(told(&engine), whys, "from memory");
    let never = ReservationId::from_number(u64::MAX >> 1);
    assert_eq!(why_not_confirmed(&engine, Confirm::new(never)), NotPending::NeverMade);
    for id in [waiting, sold] {
        let foreign = Confirm::new(id).owner(tea);
        assert_eq!(why_not_confirmed(&engine, foreign), NotPending::Anothers);
    }
    engine.catch_up().wait().expect("history follows");
    engine.close().expect("it closes");

    let engine = fixture.open();
    let by_memory = engine.execute(&Command::Confirm(Confirm::new(sold))).expect("it is decided");
    let unknown = ConfirmOutcome::NotPending { reservation: sold, why: NotPending::Unknown };
    assert_eq!(by_memory.outcome(), Outcome::Confirm(unknown), "no disk is read for it");
    assert_eq!(told(&engine), whys, "from history");
    let foreign = Confirm::new(sold).owner(tea);
    assert_eq!(why_not_confirmed(&engine, foreign), NotPending::Anothers);
    let passed_over = ReservationId::from_number(tea.number().into());
    assert_eq!(why_not_confirmed(&engine, Confirm::new(passed_over)), NotPending::NeverMade);
}
