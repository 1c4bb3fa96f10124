//! Would catch an engine that an embedder's waker can bring to a stand: one that waits for the
//! engine, one that waits for the thread that works with it, one that panics, and one that drops
//! the last handle.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use stockhold::outcome::{NotPending, Reserved};
use stockhold::{
    AccountId, AccountKey, Engine, Policy, Receive, Refund, RefundOutcome, ReserveOutcome,
};
use tempfile::TempDir;

/// A hang is told instead of hanging the suite.
const HANG: Duration = Duration::from_secs(120);

/// Runs once, at the first wake-up.
struct Once(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for Once {
    fn wake(self: Arc<Self>) {
        let run = self.0.lock().expect("not poisoned").take();
        if let Some(run) = run {
            run();
        }
    }
}

fn once(run: impl FnOnce() + Send + 'static) -> Waker {
    Waker::from(Arc::new(Once(Mutex::new(Some(Box::new(run))))))
}

/// Wakes a thread by a channel, as executors do.
struct Bell(Sender<()>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(());
    }
}

fn run_to_end<F: Future + Unpin>(mut future: F) -> F::Output {
    let (ring, rung) = mpsc::channel();
    let waker = Waker::from(Arc::new(Bell(ring)));
    loop {
        match poll(&mut future, &waker) {
            Poll::Ready(output) => return output,
            Poll::Pending => rung.recv_timeout(HANG).expect("it is woken"),
        }
    }
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

fn open() -> (TempDir, Engine, AccountId) {
    let dir = TempDir::new().expect("a directory");
    let engine = Engine::builder(dir.path()).segment_bytes(128 << 10).open().expect("it opens");
    let tea = engine
        .open_account(&AccountKey::stock("tea").expect("a key"), Policy::strict())
        .expect("there is room");
    (dir, engine, tea)
}

/// Polls tickets, and what catches up with history, until one of each waits with a waker that runs
/// `run`.
fn leave(
    engine: &Engine,
    tea: AccountId,
    in_history: bool,
    run: impl FnOnce() + Send + 'static,
) -> Box<dyn Send> {
    let run = Arc::new(Mutex::new(Some(run)));
    loop {
        let run = Arc::clone(&run);
        let waker = once(move || {
            let run = run.lock().expect("not poisoned").take();
            if let Some(run) = run {
                run();
            }
        });
        let mut ticket = engine.receive(Receive::new(tea, 1)).expect("it is received");
        if in_history {
            drop(ticket);
            let mut caught_up = engine.catch_up();
            if poll(&mut caught_up, &waker).is_pending() {
                return Box::new(caught_up);
            }
        } else if poll(&mut ticket, &waker).is_pending() {
            return Box::new(ticket);
        }
    }
}

fn works(engine: &Engine, tea: AccountId) {
    let (done, end): (Sender<()>, Receiver<()>) = mpsc::channel();
    let engine = engine.clone();
    let worker = thread::spawn(move || {
        engine
            .receive(Receive::new(tea, 1))
            .expect("it is received")
            .wait()
            .expect("it is durable");
        run_to_end(engine.receive(Receive::new(tea, 1)).expect("it is received"))
            .expect("it is durable");
        run_to_end(engine.catch_up()).expect("history follows");
        engine.catch_up().wait().expect("history follows");
        done.send(()).expect("the test listens");
    });
    end.recv_timeout(HANG).expect("the engine goes on");
    worker.join().expect("it works");
}

fn a_waker_that_waits_for_the_engine(in_history: bool) {
    let (_dir, engine, tea) = open();
    let (told, heard) = mpsc::channel();
    let mine = engine.clone();
    let waiting = leave(&engine, tea, in_history, move || {
        let outcome = mine.receive(Receive::new(tea, 1)).expect("it is received").wait();
        mine.catch_up().wait().expect("history follows");
        told.send(outcome.is_ok()).expect("the test listens");
    });
    assert_eq!(heard.recv_timeout(HANG), Ok(true));
    works(&engine, tea);
    drop(waiting);
    engine.close().expect("it closes");
}

#[test]
fn a_waker_that_waits_for_the_engine_is_served() {
    a_waker_that_waits_for_the_engine(false);
    a_waker_that_waits_for_the_engine(true);
}

#[test]
fn a_waker_that_waits_for_who_works_with_the_engine_holds_up_nobody() {
    for in_history in [false, true] {
        let (_dir, engine, tea) = open();
        let (open_gate, gate) = mpsc::channel::<()>();
        let waiting = leave(&engine, tea, in_history, move || gate.recv().expect("the test sends"));
        works(&engine, tea);
        engine.close().expect("it closes, whatever hangs in its wakers");
        open_gate.send(()).expect("the waker listens");
        drop(waiting);
    }
}

#[test]
fn a_waker_that_panics_poisons_nothing() {
    for in_history in [false, true] {
        let (_dir, engine, tea) = open();
        let (told, heard) = mpsc::channel();
        let waiting = leave(&engine, tea, in_history, move || {
            told.send(()).expect("the test listens");
            panic!("a waker of the test");
        });
        heard.recv_timeout(HANG).expect("it was called");
        works(&engine, tea);
        assert!(!engine.status().poisoned && !engine.status().history_failed);
        drop(waiting);
        engine.close().expect("it closes");
    }
}

#[test]
fn a_waker_may_drop_the_last_engine() {
    for in_history in [false, true] {
        let (dir, engine, tea) = open();
        let (told, heard) = mpsc::channel();
        let (give, given) = mpsc::channel::<Engine>();
        let waiting = leave(&engine, tea, in_history, move || {
            drop(given.recv().expect("the test gives it"));
            told.send(()).expect("the test listens");
        });
        give.send(engine).expect("the waker listens");
        heard.recv_timeout(HANG).expect("it was closed");
        drop(waiting);
        let engine = Engine::builder(dir.path())
            .segment_bytes(128 << 10)
            .open()
            .expect("the directory is free");
        works(&engine, tea);
    }
}

#[test]
fn a_refund_may_be_awaited_by_any_executor() {
    use stockhold::{Line, Reserve};
    let (_dir, engine, tea) = open();
    run_to_end(engine.receive(Receive::new(tea, 2)).expect("it is received"))
        .expect("it is durable");
    let lines = [Line { account: tea, quantity: 2 }];
    let bought = engine.reserve(Reserve::new(&lines, 1_000).confirmed()).expect("it is decided");
    let ReserveOutcome::Reserved(Reserved { reservation, .. }) =
        run_to_end(bought).expect("it is durable")
    else {
        panic!("there is enough")
    };
    let first = engine.refund(Refund::new(reservation).note("broken")).expect("it is asked");
    let second = engine.refund(Refund::new(reservation).note("once more")).expect("it is asked");
    assert!(matches!(run_to_end(first).expect("it is durable"), RefundOutcome::Returned { .. }));
    assert_eq!(
        run_to_end(second).expect("it is decided"),
        RefundOutcome::NotConfirmed { reservation, why: NotPending::Returned }
    );
    assert_eq!(engine.level(tea).expect("it is open").available, 2);
}
