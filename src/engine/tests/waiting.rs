//! Would catch waiters that pile up, refunds that block or are decided twice, and a history whose
//! end nobody hears of. The engine is stepped, so what waits goes on waiting.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crossbeam_utils::sync::Parker;

use super::*;
use crate::base::flaw::{self, Flaw};
use crate::event::Policy;
use crate::ledger::{
    Command, NotPending, Receive, Refund, RefundOutcome, Reserve, ReserveOutcome, Reserved,
};

#[derive(Default)]
struct Counting(AtomicUsize);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

fn stepped(fixture: &Fixture, history: bool) -> Engine {
    let builder = Engine::builder(fixture.dir.path())
        .clock(Arc::clone(&fixture.clock) as _)
        .segment_bytes(128 << 10);
    builder.stepped(1).history(history).open().expect("the directory opens")
}

fn wait_count(engine: &Engine) -> usize {
    engine.0.core.journal.waiter_count() + engine.0.core.history.progress.waiter_count()
}

/// The next event, as a future that owns its subscription.
struct Next(Subscription);

impl Future for Next {
    type Output = Result<Option<Seq>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_next(cx).map_ok(|next| next.map(|(seq, _)| seq))
    }
}

/// Polls often, with a new waker each time, and drops.
fn holds_one_slot<F: Future + Unpin>(engine: &Engine, mut future: F) {
    let before = wait_count(engine);
    let wakers: Vec<Arc<Counting>> = (0..100).map(|_| Arc::default()).collect();
    for waker in &wakers {
        assert!(poll(&mut future, &Waker::from(Arc::clone(waker))).is_pending());
        assert_eq!(wait_count(engine), before + 1);
    }
    let kept = wakers.iter().filter(|waker| Arc::strong_count(waker) > 1).count();
    assert_eq!(kept, 1, "each poll takes the place of the one before");
    drop(future);
    assert_eq!(wait_count(engine), before, "who goes leaves nothing behind");
    assert!(wakers.iter().all(|waker| Arc::strong_count(waker) == 1));
}

#[test]
fn who_waits_has_one_slot_however_often_it_asks() {
    let fixture = Fixture::new();
    let engine = stepped(&fixture, true);
    let tea = engine
        .open_account(&AccountKey::stock("tea").expect("a key"), Policy::strict())
        .expect("there is room");
    let receive = || engine.receive(Receive::new(tea, 1)).expect("it is received");
    holds_one_slot(&engine, receive());
    let command = Command::Receive(Receive { account: tea, quantity: 1, note: "", key: None });
    holds_one_slot(&engine, engine.batch(&[command, command]).expect("it is a batch"));
    holds_one_slot(&engine, engine.catch_up());
    holds_one_slot(&engine, Next(engine.subscribe(1).expect("it is all there")));
    engine.write_queued();
    holds_one_slot(&engine, engine.catch_up());
}

#[test]
fn who_waits_is_woken_once_and_by_its_last_waker() {
    let fixture = Fixture::new();
    let engine = stepped(&fixture, false);
    let tea = engine
        .open_account(&AccountKey::stock("tea").expect("a key"), Policy::strict())
        .expect("there is room");
    let (first, second) = (Arc::new(Counting::default()), Arc::new(Counting::default()));
    let mut ticket = engine.receive(Receive::new(tea, 1)).expect("it is received");
    for waker in [&first, &second, &second] {
        assert!(poll(&mut ticket, &Waker::from(Arc::clone(waker))).is_pending());
    }
    engine.write_queued();
    let woken = |waker: &Counting| waker.0.load(Ordering::SeqCst);
    assert_eq!((woken(&first), woken(&second)), (0, 1));
    assert!(poll(&mut ticket, Waker::noop()).is_ready());
}

fn bought(engine: &Engine, tea: AccountId) -> ReservationId {
    let lines = [Line { account: tea, quantity: 1 }];
    let ticket = engine
        .reserve(Reserve { confirm: true, ..Reserve::new(&lines, 100) })
        .expect("it is decided");
    match ticket.outcome() {
        ReserveOutcome::Reserved(Reserved { reservation, .. }) => reservation,
        other => panic!("expected a purchase, got {other:?}"),
    }
}

#[test]
fn a_refund_waits_for_nothing_before_its_ticket_and_is_decided_once() {
    let fixture = Fixture::new();
    let engine = stepped(&fixture, true);
    let tea = stock(&engine, 10);
    let order = bought(&engine, tea);
    // Nobody carries history, and nothing is written: whoever waited for either would wait for
    // ever.
    let asked =
        [(); 3].map(|()| engine.refund(Refund::new(order).note("broken")).expect("it is asked"));
    let unknown = engine.refund(ReservationId::from_number(64)).expect("it is asked");
    assert_eq!(engine.level(tea).expect("it is open").consumed, 1, "nothing is decided yet");
    let (core, parker) = (Arc::clone(&engine.0.core), Parker::new());
    core.life.add_sleeper(parker.unparker().clone());
    engine.write_queued();
    let history = std::thread::spawn(move || following::follower::run(&core, &parker));
    let outcomes = asked.map(|ticket| ticket.wait().expect("it is decided"));
    assert!(matches!(outcomes[0], RefundOutcome::Returned { .. }), "{outcomes:?}");
    assert_eq!(
        outcomes[1..],
        [RefundOutcome::NotConfirmed { reservation: order, why: NotPending::Returned }; 2]
    );
    assert!(matches!(
        unknown.wait(),
        Ok(RefundOutcome::NotConfirmed { why: NotPending::NeverMade, .. })
    ));
    assert_eq!(engine.level(tea).expect("it is open").consumed, 0);
    engine.close().expect("it closes");
    history.join().expect("it does not panic");
    assert_eq!(engine.refund(order).err().map(|error| error.kind()), Some(ErrorKind::Closed));
}

#[test]
fn refunds_that_nobody_decides_are_bounded() {
    let fixture = Fixture::new();
    let engine = stepped(&fixture, true);
    let tea = stock(&engine, 10);
    let order = bought(&engine, tea);
    let refused = (0..100_000).find_map(|_| engine.refund(order).err());
    assert_eq!(refused.map(|error| error.kind()), Some(ErrorKind::Overloaded));
}

#[test]
fn a_history_that_dies_is_told_and_whoever_waits_for_it_hears_of_it() {
    let fixture = Fixture::new();
    let engine = stepped(&fixture, true);
    let tea = stock(&engine, 10);
    let order = bought(&engine, tea);
    let waker = Arc::new(Counting::default());
    let mut caught_up = engine.catch_up();
    let mut refund = engine.refund(order).expect("it is asked");
    engine.write_queued();
    for _ in 0..2 {
        assert!(poll(&mut caught_up, &Waker::from(Arc::clone(&waker))).is_pending());
    }
    assert!(poll(&mut refund, &Waker::from(Arc::clone(&waker))).is_pending());
    let run = || following::follower::run(&engine.0.core, &Parker::new());
    let died = catch_unwind(AssertUnwindSafe(|| flaw::with(Flaw::DiesInHistory, run)));
    assert!(died.is_err(), "whoever joins the thread hears of it too");
    assert_eq!(waker.0.load(Ordering::SeqCst), 2);
    let kind = |outcome: Poll<Result<()>>| match outcome {
        Poll::Ready(Err(error)) => Some(error.kind()),
        _ => None,
    };
    assert_eq!(kind(poll(&mut caught_up, Waker::noop())), Some(ErrorKind::Unavailable));
    assert_eq!(kind(poll(&mut refund, Waker::noop()).map_ok(drop)), Some(ErrorKind::Unavailable));
    assert!(engine.status().history_failed);
    assert_eq!(engine.catch_up().wait().map_err(|error| error.kind()), Err(ErrorKind::Unavailable));
    assert_eq!(engine.refund(order).err().map(|error| error.kind()), Some(ErrorKind::Unavailable));
    assert_eq!(engine.level(tea).expect("it is open").consumed, 1, "and the order stands");
}

#[test]
fn a_history_that_is_no_longer_written_is_told_like_one_that_dies() {
    let fixture = Fixture::new();
    let engine = stepped(&fixture, true);
    let tea = stock(&engine, 10);
    bought(&engine, tea);
    let mut caught_up = engine.catch_up();
    engine.write_queued();
    let run = || following::writer::run(&engine.0.core, &Parker::new());
    let died = catch_unwind(AssertUnwindSafe(|| flaw::with(Flaw::DiesWritingHistory, run)));
    assert!(died.is_err(), "whoever joins the thread hears of it too");
    following::follower::run(&engine.0.core, &Parker::new());
    let Poll::Ready(Err(error)) = poll(&mut caught_up, Waker::noop()) else {
        panic!("nothing more is shown");
    };
    assert!(error.to_string().contains("the thread that writes it panicked"), "{error}");
    assert!(engine.status().history_failed);
}

#[test]
fn a_request_that_history_dies_of_is_told_like_those_behind_it() {
    let fixture = Fixture::new();
    let engine = stepped(&fixture, true);
    let tea = stock(&engine, 10);
    let order = bought(&engine, tea);
    let mut refunds = [(); 2].map(|()| engine.refund(order).expect("it is asked"));
    engine.write_queued();
    let waker = Arc::new(Counting::default());
    for refund in &mut refunds {
        assert!(poll(refund, &Waker::from(Arc::clone(&waker))).is_pending());
    }
    let run = || following::follower::run(&engine.0.core, &Parker::new());
    let died = catch_unwind(AssertUnwindSafe(|| flaw::with(Flaw::DiesDeciding, run)));
    assert!(died.is_err(), "whoever joins the thread hears of it too");
    assert_eq!(waker.0.load(Ordering::SeqCst), 2);
    let [first, second] = refunds.each_mut().map(|refund| match poll(refund, Waker::noop()) {
        Poll::Ready(Err(error)) => (error.kind(), error.to_string()),
        other => panic!("nobody decides it any more: {other:?}"),
    });
    assert_eq!([first.0, second.0], [ErrorKind::Unavailable; 2]);
    assert!(first.1.contains("nobody knows whether it was done"), "{first:?}");
    assert!(second.1.contains("its thread panicked"), "{second:?}");
}

#[test]
fn a_thread_that_dies_is_told() {
    let fixture = Fixture::new();
    let engine = stepped(&fixture, false);
    assert_eq!(engine.status().dead_thread, None);
    opening::threads::start(&engine.0, "stockhold-test", |_, _| panic!("a thread of the test"))
        .expect("it starts");
    let threads = std::mem::take(&mut *engine.0.threads.lock());
    threads.into_iter().for_each(|thread| drop(thread.join()));
    assert_eq!(engine.status().dead_thread, Some("stockhold-test"));
    assert!(!engine.status().history_failed);
}

/// Where history's thread died outside of what it follows nothing told of it; and after it no other
/// thread that died was told of.
#[test]
fn a_history_that_dies_anywhere_is_told_and_hides_no_other_thread() {
    let fixture = Fixture::new();
    let engine = stepped(&fixture, false);
    let die = |name| {
        opening::threads::start(&engine.0, name, |_, _| panic!("a thread of the test"))
            .expect("it starts");
        let threads = std::mem::take(&mut *engine.0.threads.lock());
        threads.into_iter().for_each(|thread| drop(thread.join()));
        let status = engine.status();
        (status.history_failed, status.dead_thread)
    };
    assert_eq!(die(following::follower::HISTORY_THREAD), (true, None));
    assert_eq!(die("stockhold-test"), (true, Some("stockhold-test")));
}
