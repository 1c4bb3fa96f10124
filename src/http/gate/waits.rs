//! How long requests wait that have come.
//!
//! A thread sends something to the runtime that goes the way of a request: woken from outside, as those
//! are that waited for the journal, and then behind everything else that is ready. As long as it is on
//! its way the thread sees how long already, so that the gate moves as fast while requests wait for
//! seconds as while they do for milliseconds.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Gate;
use super::share::Wait;

/// How often to look how long requests wait, while many come.
const STEP: Duration = Duration::from_millis(2);
/// The same while few do.
const REST: Duration = Duration::from_millis(50);
/// So many requests between two looks are many.
const MANY: u64 = 4;

/// What goes the way of a request, again and again.
#[derive(Debug)]
struct Probe {
    way: Mutex<Way>,
    sent: Notify,
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Since(Instant),
    /// It took so long.
    Arrived(Duration),
}

/// Looks again and again how long requests wait that have come, until it is dropped.
pub(in crate::http) async fn watch(gate: Arc<Gate>) {
    if gate.share.is_none() {
        return;
    }
    let probe = Arc::new(Probe::new());
    // Dropped with this, it ends the thread.
    let (_watching, ended) = mpsc::channel();
    let from_outside = Arc::clone(&probe);
    let look = move || look(&gate, &from_outside, &ended);
    if let Err(error) = thread::Builder::new().name("stockhold-gate".into()).spawn(look) {
        tracing::error!(%error, "nobody looks how long requests wait: none is turned away for it");
        return;
    }
    probe.go().await;
}

/// Looks until `ended` has no other end any more.
fn look(gate: &Gate, probe: &Probe, ended: &Receiver<()>) {
    let mut is_soon = false;
    loop {
        let before = gate.requests.load(Ordering::Relaxed);
        let pause = if is_soon { STEP } else { REST };
        let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(pause) else { return };
        let is_busy = gate.requests.load(Ordering::Relaxed).saturating_sub(before) >= MANY;
        is_soon = gate.saw(probe.look()) || is_busy;
    }
}

impl Probe {
    fn new() -> Self {
        Self { way: Mutex::new(Way::Arrived(Duration::ZERO)), sent: Notify::new() }
    }

    /// How long it took, and sends it again; or how long it is on its way so far.
    fn look(&self) -> Wait {
        let mut way = self.way.lock();
        match *way {
            Way::Since(sent) => Wait::So(sent.elapsed()),
            Way::Arrived(wait) => {
                *way = Way::Since(Instant::now());
                self.sent.notify_one();
                Wait::All(wait)
            }
        }
    }

    /// Goes the way of a request each time that it is sent.
    async fn go(&self) {
        loop {
            self.sent.notified().await;
            behind_the_others().await;
            let mut way = self.way.lock();
            if let Way::Since(sent) = *way {
                *way = Way::Arrived(sent.elapsed());
            }
        }
    }
}

/// Waits as a request does whose bytes have come: behind everything else that is ready. (The yield of
/// tokio's own is woken by the driver, which may put it before the others.)
async fn behind_the_others() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is ready is behind what was ready before.
    #[test]
    fn a_look_waits_behind_all_that_is_ready() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let order = Arc::new(Mutex::new(Vec::new()));
        runtime.block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            let told = order.clone();
            tasks.spawn(async move {
                let others = told.clone();
                let other = tokio::spawn(async move { others.lock().push("another") });
                behind_the_others().await;
                told.lock().push("the look");
                other.await.expect("it ends");
            });
            while let Some(ended) = tasks.join_next().await {
                ended.expect("it ends");
            }
        });
        assert_eq!(*order.lock(), ["another", "the look"]);
    }

    /// Would catch a gate that learns of a queue only when it has come to its end.
    #[tokio::test]
    async fn what_is_on_its_way_is_seen_to_wait() {
        let probe = Arc::new(Probe::new());
        let arrives = |wait| matches!(wait, Wait::All(_));
        assert!(arrives(probe.look()), "nothing was sent before");
        let Wait::So(before) = probe.look() else { panic!("nobody has let it arrive") };
        let Wait::So(after) = probe.look() else { panic!("nobody has let it arrive") };
        assert!(after >= before);
        let goes = Arc::clone(&probe);
        let going = tokio::spawn(async move { goes.go().await });
        while !arrives(probe.look()) {
            tokio::task::yield_now().await;
        }
        going.abort();
    }
}
