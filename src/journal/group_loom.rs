//! loom tries every interleaving of appending, leading, waiting and closing. Would catch a lost
//! wake-up (the model deadlocks) and one that comes before the sync.

use std::future::poll_fn;

use super::frame;
use super::group::{Committed, GroupCommit, Sink};
use crate::base::Seq;
use crate::base::calls::Calls;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::sync::atomic::{AtomicU64, Ordering};
use crate::base::sync::{Arc, check, thread};
use crate::base::waiters::{Slot, Waiter};

/// Three take seconds in a release build.
const PREEMPTIONS: usize = 3;

/// Counts what is "synced", and fails at the frame `fail_at`.
struct Counting {
    synced: Arc<AtomicU64>,
    fail_at: Seq,
}

impl Sink for Counting {
    fn commit(&mut self, frames: &mut [u8], first_seq: Seq) -> Result<Committed> {
        assert_eq!(
            first_seq,
            self.synced.load(Ordering::Relaxed) + 1,
            "groups are written in order"
        );
        let (mut bytes, mut count) = (0, 0);
        while bytes < frames.len() {
            bytes += frame::next_len(&frames[bytes..]).expect("whole frames are queued");
            count += 1;
        }
        let last_seq = first_seq + count - 1;
        if last_seq >= self.fail_at {
            return Err(Error::unavailable("the sink fails"));
        }
        self.synced.store(last_seq, Ordering::Relaxed);
        Ok(Committed { bytes, last_seq })
    }
}

type Commit = Arc<GroupCommit<Counting>>;

fn group(fail_at: Seq) -> (Commit, Arc<AtomicU64>) {
    let synced = Arc::new(AtomicU64::new(0));
    let sink = Counting { synced: Arc::clone(&synced), fail_at };
    (Arc::new(GroupCommit::new(sink, 1, 1 << 10, std::sync::Arc::new(Calls::default()))), synced)
}

fn durable(commit: &Commit, seq: Seq) -> Result<()> {
    let mut slot = Slot::default();
    loom::future::block_on(poll_fn(|cx| commit.poll_durable(seq, &mut slot, || Waiter::task(cx))))
}

/// Appends and waits, leading first like a blocking caller or leaving it to the writer like a task.
fn append_and_wait(commit: &Commit, synced: &AtomicU64, lead: bool) -> Result<()> {
    let seq = commit.append(0, |_| ());
    if lead {
        commit.try_lead();
    }
    let outcome = durable(commit, seq);
    if outcome.is_ok() {
        assert!(synced.load(Ordering::Relaxed) >= seq, "woken before the sync");
    }
    outcome
}

fn run(leads: [bool; 2]) {
    let (commit, synced) = group(Seq::MAX);
    let writer = thread::spawn({
        let commit = Arc::clone(&commit);
        move || commit.run_writer()
    });
    let other = thread::spawn({
        let (commit, synced) = (Arc::clone(&commit), Arc::clone(&synced));
        move || append_and_wait(&commit, &synced, leads[0]).expect("the sink does not fail")
    });
    append_and_wait(&commit, &synced, leads[1]).expect("the sink does not fail");
    other.join().expect("the waiter does not panic");
    commit.close().expect("the sink does not fail");
    writer.join().expect("the writer does not panic");
    assert_eq!(commit.durable_seq(), 2);
}

#[test]
fn loom_group_commit_wakes_every_waiter_and_none_early() {
    check("two tasks", PREEMPTIONS, || run([false, false]));
    check("a task and a blocking caller", PREEMPTIONS, || run([false, true]));
    check("two blocking callers", PREEMPTIONS, || run([true, true]));
}

#[test]
fn loom_a_kick_is_enough_for_what_nobody_waits_for() {
    check("a dropped ticket", PREEMPTIONS, || {
        let (commit, synced) = group(Seq::MAX);
        let writer = thread::spawn({
            let commit = Arc::clone(&commit);
            move || commit.run_writer()
        });
        commit.append(0, |_| ());
        commit.kick();
        // A follower: waits for a frame without being the one who appended it.
        durable(&commit, 1).expect("the sink does not fail");
        assert_eq!(synced.load(Ordering::Relaxed), 1);
        commit.close().expect("the sink does not fail");
        writer.join().expect("the writer does not panic");
    });
}

#[test]
fn loom_a_failure_wakes_everybody() {
    check("the sink fails", PREEMPTIONS, || {
        let (commit, synced) = group(1);
        let writer = thread::spawn({
            let commit = Arc::clone(&commit);
            move || commit.run_writer()
        });
        let other = thread::spawn({
            let (commit, synced) = (Arc::clone(&commit), Arc::clone(&synced));
            move || append_and_wait(&commit, &synced, true)
        });
        let outcomes = [
            append_and_wait(&commit, &synced, false),
            other.join().expect("the waiter does not panic"),
        ];
        for outcome in outcomes {
            assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::Poisoned));
        }
        writer.join().expect("the writer does not panic");
        assert_eq!(commit.durable_seq(), 0);
    });
}

#[test]
fn loom_closing_leaves_no_waiter_behind() {
    check("closing", PREEMPTIONS, || {
        let (commit, synced) = group(Seq::MAX);
        let other = thread::spawn({
            let (commit, synced) = (Arc::clone(&commit), Arc::clone(&synced));
            move || append_and_wait(&commit, &synced, false)
        });
        commit.close().expect("the sink does not fail");
        match other.join().expect("the waiter does not panic") {
            Ok(()) => assert_eq!(commit.durable_seq(), 1),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Closed),
        }
    });
}
