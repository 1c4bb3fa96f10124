//! Appending, waiting, failing, closing.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use super::super::Journal;
use super::*;
use crate::base::error::ErrorKind;
use crate::vfs::held::{Faults, Gate, HeldVfs};

#[test]
fn many_threads_append_and_wait() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    thread::scope(|scope| {
        for thread in 0..8u16 {
            let journal = &journal;
            scope.spawn(move || {
                for count in 0..100u64 {
                    let seq =
                        journal.append(thread, |out| out.extend_from_slice(&count.to_le_bytes()));
                    journal.wait(seq).unwrap();
                    assert!(journal.durable_seq() >= seq);
                }
            });
        }
    });
    assert_eq!(journal.durable_seq(), 800);
    journal.close().unwrap();
    let (_journal, found) = open(dir.path());
    assert_eq!(found.len(), 800);
    for thread in 0..8u16 {
        let counts: Vec<u64> = found
            .iter()
            .filter(|(_, kind, _)| *kind == thread)
            .map(|(_, _, payload)| u64::from_le_bytes(payload[..].try_into().unwrap()))
            .collect();
        assert_eq!(counts, (0..100).collect::<Vec<_>>(), "thread {thread}");
    }
}

/// A minimal executor: parks the thread until the future's waker is called.
fn block_on(journal: &Journal, seq: Seq) -> Result<()> {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut slot = crate::base::waiters::Slot::default();
    let mut future = Box::pin(poll_fn(|cx| journal.poll_durable(seq, &mut slot, cx)));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => return outcome,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn tasks_are_woken_by_the_writer_thread() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let seq = journal.append(0, |out| out.push(1));
                    block_on(&journal, seq).unwrap();
                }
            });
        }
    });
    assert_eq!((journal.durable_seq(), journal.last_seq()), (200, 200));
    assert!(journal.status().syncs <= 200);
}

#[test]
fn a_kicked_record_is_written_though_its_owner_never_waits() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    append(&journal, 1);
    journal.kick();
    until("the writer", || journal.durable_seq() == 1);
}

#[test]
fn closing_writes_what_is_queued_and_refuses_more() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    (1..=3).for_each(|seq| append(&journal, seq));
    journal.close().unwrap();
    journal.close().unwrap();
    assert_eq!(journal.admit().unwrap_err().kind(), ErrorKind::Closed);
    let late = journal.append(0, |_| ());
    assert_eq!(journal.wait(late).unwrap_err().kind(), ErrorKind::Closed);
    journal.wait(3).unwrap();
    assert_eq!(open(dir.path()).1, records(1..=3));
}

#[test]
fn a_full_queue_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) =
        open_from(dir.path(), JournalConfig { queue_bytes_max: 100, ..config() }, 1).unwrap();
    journal.append(0, |out| out.extend_from_slice(&[0; 100]));
    assert_eq!(journal.admit().unwrap_err().kind(), ErrorKind::Overloaded);
    journal.wait(1).unwrap();
    journal.admit().unwrap();
}

fn poisoned_by(fault: fn(&Faults) -> &AtomicBool) {
    let dir = tempfile::tempdir().unwrap();
    let gate = Arc::new(Gate::default());
    let vfs = Arc::new(HeldVfs(Arc::clone(&gate)));
    let journal = Journal::open(vfs, dir.path(), config(), 1, &mut |_, _, _| Ok(())).unwrap();
    append_singly(&journal, 1..=2);
    fault(&gate.faults).store(true, Ordering::SeqCst);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let seq = journal.append(0, |out| out.push(1));
                assert_eq!(journal.wait(seq).unwrap_err().kind(), ErrorKind::Poisoned);
            });
        }
    });
    // The disk is well again, but nobody knows what of the failed write is on it.
    fault(&gate.faults).store(false, Ordering::SeqCst);
    assert_eq!(journal.admit().unwrap_err().kind(), ErrorKind::Poisoned);
    let seq = journal.append(0, |_| ());
    assert_eq!(journal.wait(seq).unwrap_err().kind(), ErrorKind::Poisoned);
    assert!(journal.status().poisoned);
    assert_eq!(journal.durable_seq(), 2);
    assert_eq!(journal.close().unwrap_err().kind(), ErrorKind::Poisoned);
    drop(journal);
    assert!(open(dir.path()).1.starts_with(&records(1..=2)));
}

#[test]
fn a_failed_write_poisons_for_good() {
    poisoned_by(|faults| &faults.writes);
}

#[test]
fn a_failed_sync_poisons_for_good() {
    poisoned_by(|faults| &faults.syncs);
}

/// Whatever of a new segment cannot be opened, it is opened later, and nothing is left behind.
#[test]
fn too_many_open_files_never_end_the_journal() {
    for lacking in [1, 2, 3, 5] {
        let dir = tempfile::tempdir().unwrap();
        let gate = Arc::new(Gate::default());
        let vfs = Arc::new(HeldVfs(Arc::clone(&gate)));
        let journal = Journal::open(vfs, dir.path(), config(), 1, &mut |_, _, _| Ok(())).unwrap();
        append_group(&journal, 1..=2);
        until("a spare", || journal.status().spares > 0);
        gate.faults.opens.store(lacking, Ordering::SeqCst);
        append_group(&journal, 3..=900);
        journal.admit().unwrap();
        assert!(!journal.status().poisoned && journal.status().segments > 3, "{lacking} times");
        journal.close().unwrap();
        drop(journal);
        let files = std::fs::read_dir(dir.path().join("journal")).unwrap();
        let names: Vec<_> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        let spares = names.iter().filter(|name| name.starts_with("spare-")).count();
        assert!(spares <= 3, "{lacking} times: {names:?}");
        assert_eq!(open(dir.path()).1, records(1..=900), "{lacking} times");
    }
}

#[test]
fn a_record_longer_than_a_segment_poisons_instead_of_panicking() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let longest = vec![7; config().payload_bytes_max()];
    let seq = journal.append(0, |out| out.extend_from_slice(&longest));
    journal.wait(seq).unwrap();
    let seq = journal.append(0, |out| out.resize(out.len() + SEGMENT_BYTES as usize, 0));
    assert_eq!(journal.wait(seq).unwrap_err().kind(), ErrorKind::Poisoned);
    drop(journal);
    assert_eq!(open(dir.path()).1, [(1, 0, longest)]);
}

#[test]
fn a_group_larger_than_a_segment_is_split_between_frames() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    append_group(&journal, 1..=900);
    assert!(journal.status().segments > 3);
    drop(journal);
    assert_eq!(open(dir.path()).1, records(1..=900));
}

/// Who opens a journal begins a segment, and what comes into the one before it is dropped by the
/// next opening. Before, a journal that was opened twice acknowledged such records.
#[test]
fn a_journal_that_somebody_else_has_begun_a_segment_of_acknowledges_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let (first, _) = open(dir.path());
    append_group(&first, 1..=3);
    let (second, found) = open(dir.path());
    assert_eq!(found, records(1..=3));
    append(&first, 4);
    let refused = first.wait(4).unwrap_err();
    assert!(refused.to_string().contains("another process has opened the journal"), "{refused}");
    assert!(first.admit().is_err() && first.status().poisoned);
    append_group(&second, 4..=5);
    drop((first, second));
    assert_eq!(open(dir.path()).1, records(1..=5), "what the second one acknowledged is there");
}
