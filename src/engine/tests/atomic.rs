//! Would catch commands of which somebody sees one without the other: a caller that is refused in
//! between, a follower, history, or whoever opens the directory again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;
use crate::base::IdempotencyKey;
use crate::event::Fact;
use crate::ledger::{
    Atomic, AtomicOutcome, Command, Outcome, PutDocument, SetPolicy, Transfer, WriteOff,
};

fn key(name: &str) -> IdempotencyKey {
    IdempotencyKey::new("scope", name).expect("a valid key")
}

fn done(engine: &Engine, atomic: Atomic<'_>) -> Vec<Outcome> {
    let told = engine.atomic(atomic).and_then(Ticket::wait).expect("they are sound");
    told.done().expect("each can happen")
}

/// Two accounts between which units move, in two shards.
fn two(engine: &Engine) -> [AccountId; 2] {
    let tea = stock(engine, 5);
    let others = (0..100).map(|number| {
        let key = AccountKey::stock(&format!("other-{number}")).expect("a valid key");
        engine.open_account(&key, Policy::strict()).expect("there is room")
    });
    let other = others.into_iter().find(|other| other.shard() != tea.shard());
    [tea, other.expect("a hundred names are spread over the shards")]
}

#[test]
fn nobody_is_refused_for_what_is_only_so_between_two_commands() {
    let engine = Engine::in_memory().open().expect("there is memory");
    let [tea, other] = two(&engine);
    let out_and_in: [Command<'_>; 3] =
        [WriteOff::new(tea, 5).into(), Receive::new(other, 1).into(), Receive::new(tea, 5).into()];
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..1_000 {
                // It is refused while the other thread holds the units.
                drop(engine.atomic(&out_and_in).expect("they are sound"));
            }
            over.store(true, Ordering::SeqCst);
        });
        while !over.load(Ordering::SeqCst) {
            assert_eq!(engine.takeable(tea).expect("it exists"), 5);
            let lines = [Line { account: tea, quantity: 5 }];
            let taken = engine.reserve(Reserve::new(&lines, 1_000)).expect("it is sound");
            let taken = taken.outcome().reserved().expect("five are there at every moment");
            // The others wait for their units, and so must not be refused for ours.
            drop(engine.release(taken.reservation).expect("it is decided"));
        }
    });
}

#[test]
fn everybody_is_shown_all_of_it_and_a_restart_knows_it() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let [tea, other] = two(&engine);
    let held = reserve(&engine, tea, 2);
    let lines = [Line { account: tea, quantity: 3 }];
    let commands: [Command<'_>; 4] = [
        Receive::new(tea, 2).note("in").into(),
        crate::ledger::Confirm::new(held).into(),
        Reserve::new(&lines, 50).owner(other).into(),
        Transfer::new(tea, other, 1).into(),
    ];
    let request = Atomic::new(&commands).key(key("k"));
    let mut events = engine.subscribe(engine.status().last_seq + 1).expect("it is kept");
    let outcomes = done(&engine, request);
    let made = outcomes[2].reserved().expect("there were five");
    let (seq, event) = events.try_next().expect("it reads").expect("it is durable");
    assert!(matches!(event.fact, Fact::Atomic(_)) && event.facts().len() == 4, "{event:?}");
    let before = (engine.levels(), engine.pending(made.reservation));

    #[cfg(feature = "history")]
    {
        engine.catch_up().wait().expect("history follows");
        let changes = engine.history().changes_of(tea, None, 1).expect("history is on");
        let told: Vec<_> =
            changes.iter().map(|change| (change.seq, change.delta, change.available)).collect();
        assert_eq!(told, [(seq, -1, 1), (seq, -3, 2), (seq, 0, 5), (seq, 2, 5)]);
        let record = engine.history().reservation(held).expect("history is on");
        let state = record.expect("it is there").state;
        assert_eq!(state, crate::history::record::ReservationState::Confirmed);
    }
    drop(engine);
    let engine = fixture.open();
    assert_eq!((engine.levels(), engine.pending(made.reservation)), before, "from the journal");
    assert_eq!(done(&engine, request), outcomes, "a retry");
    engine.close().expect("it closes");
    let engine = fixture.open();
    assert_eq!((engine.levels(), engine.pending(made.reservation)), before, "from the checkpoint");
    assert_eq!(done(&engine, request), outcomes, "a retry");
    assert_eq!(engine.status().last_seq, seq, "nothing happened again");
    fixture.clock.advance(50);
    assert_eq!(engine.expire_due().expect("it admits"), 1, "its wheel was made again");
}

#[test]
fn a_refusal_costs_no_event_and_is_told_at_once() {
    let engine = Engine::in_memory().open().expect("there is memory");
    let [tea, other] = two(&engine);
    let before = engine.status().last_seq;
    let commands: [Command<'_>; 2] = [Receive::new(other, 1).into(), WriteOff::new(tea, 6).into()];
    let ticket = engine.atomic(&commands).expect("they are sound");
    assert!(matches!(ticket.outcome(), AtomicOutcome::Refused { index: 1, .. }));
    assert_eq!((ticket.seq(), engine.status().last_seq), (None, before));
    let error = engine.atomic(&[]).map(|ticket| ticket.outcome());
    assert_eq!(error.expect_err("nothing is asked").kind(), ErrorKind::Invalid);
}

#[test]
fn documents_and_rules_are_put_once_for_a_key_through_a_restart() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 5);
    let put = PutDocument::new("product", "tea", b"{}").key(key("d"));
    let set = SetPolicy::new(tea, Policy::backorder(2)).key(key("p"));
    let seqs = |engine: &Engine| {
        let (put, set) = (engine.put_document(put), engine.set_policy(set));
        let [put, set] = [put, set].map(|ticket| ticket.expect("it is sound"));
        let seqs = (put.seq(), set.seq());
        put.wait().and_then(|()| set.wait()).expect("the disk works");
        seqs
    };
    let first = seqs(&engine);
    engine
        .put_document(PutDocument::remove("product", "tea"))
        .expect("it is sound")
        .wait()
        .expect("durable");
    assert_eq!(seqs(&engine), first);
    engine.close().expect("it closes");
    let engine = fixture.open();
    assert_eq!(seqs(&engine), first);
    assert!(engine.documents("product").is_empty(), "it is not written again");
}
