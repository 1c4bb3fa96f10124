//! Would catch an engine that hangs with its disk, or is lost with a full one: that takes more and
//! more, cannot be closed, or does not come back.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::*;
use crate::event::Policy;
use crate::ledger::{Changed, PutDocument, Receive};
use crate::vfs::held::{Gate, HeldVfs};

const LIMIT: Duration = Duration::from_millis(10);
const NEVER: Duration = Duration::from_secs(600);

fn open(dir: &Path, sync_limit: Duration, close_limit: Duration) -> (Engine, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let builder = Engine::builder(dir)
        .history(false)
        .segment_bytes(128 << 10)
        .vfs(HeldVfs(Arc::clone(&gate)));
    (builder.sync_limit(sync_limit).close_limit(close_limit).open().unwrap(), gate)
}

fn receive(engine: &Engine) -> Result<Ticket<Changed>> {
    let account = engine.open_account(&AccountKey::stock("tea")?, Policy::strict())?;
    engine.receive(Receive::new(account, 1))
}

/// The first moment at which the disk counts as one that hangs.
fn wait_until_stalled(engine: &Engine) {
    engine.0.core.journal.kick();
    while !engine.status().stalled {
        thread::yield_now();
    }
}

#[test]
fn a_disk_that_hangs_is_told_of_until_it_answers() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, gate) = open(dir.path(), LIMIT, NEVER);
    receive(&engine).unwrap().wait().unwrap();
    gate.hold();
    let waiting = receive(&engine).unwrap();
    wait_until_stalled(&engine);
    let refused = receive(&engine).err().map(|error| error.kind());
    assert_eq!(refused, Some(ErrorKind::Stalled), "what is new is refused");
    assert_eq!(engine.check_ready().unwrap_err().kind(), ErrorKind::Stalled);
    gate.release();
    waiting.wait().unwrap();
    receive(&engine).unwrap().wait().unwrap();
    assert!(!engine.status().stalled && engine.check_ready().is_ok(), "it recovers by itself");
    engine.close().unwrap();
}

#[test]
fn a_disk_that_hangs_lets_an_engine_be_closed_and_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, gate) = open(dir.path(), LIMIT, LIMIT);
    gate.hold();
    let waiting = receive(&engine).unwrap();
    wait_until_stalled(&engine);
    let error = engine.close().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("it was still"), "{error}");
    let again = engine.close().unwrap_err();
    assert!(again.to_string().contains("did not close within"), "{again}");
    drop(engine);
    let second = Engine::builder(dir.path()).history(false).segment_bytes(128 << 10).open();
    assert!(second.is_err(), "nobody else gets the directory meanwhile");
    // What waits is decided once the disk answers, and the close goes on to its end.
    gate.release();
    waiting.wait().unwrap();
}

/// Writes more than the segments hold that are there, on a disk that has no room for another; what
/// then waits for room.
fn fill(engine: &Engine, gate: &Gate) -> Ticket<()> {
    // Nothing is written before all of it is asked for: whoever is short of room refuses what is new.
    gate.hold();
    let put = |_| engine.put_document(PutDocument::new("notes", "one", &[7; 50_000])).unwrap();
    let mut asked: Vec<_> = (0..16).map(put).collect();
    let last = asked.pop().unwrap();
    gate.faults.is_full.store(true, Ordering::SeqCst);
    gate.release();
    engine.0.core.journal.kick();
    // It is told, and what is new is refused.
    let refused = loop {
        match engine.put_document(PutDocument::new("notes", "two", b"")) {
            Ok(_) => thread::yield_now(),
            Err(error) => break error.kind(),
        }
    };
    assert_eq!(refused, ErrorKind::LowSpace);
    last
}

#[test]
fn a_full_disk_holds_the_journal_up_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, gate) = open(dir.path(), NEVER, NEVER);
    let waiting = fill(&engine, &gate);
    assert!(waiting.seq() > Some(engine.durable_seq()), "it waits");
    assert!(!engine.status().poisoned, "and nothing has failed");
    gate.faults.is_full.store(false, Ordering::SeqCst);
    waiting.wait().unwrap();
    receive(&engine).unwrap().wait().unwrap();
    engine.close().unwrap();
}

#[test]
fn a_full_disk_lets_an_engine_be_closed_and_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, gate) = open(dir.path(), NEVER, NEVER);
    receive(&engine).unwrap().wait().unwrap();
    let waiting = fill(&engine, &gate);
    assert_eq!(engine.close().unwrap_err().kind(), ErrorKind::Poisoned);
    assert!(waiting.wait().is_err(), "what waited for room is not there");
    drop(engine);
    let builder = Engine::builder(dir.path())
        .history(false)
        .segment_bytes(128 << 10)
        .vfs(HeldVfs(Arc::clone(&gate)));
    let engine = builder.open().unwrap();
    let tea = engine.account(&AccountKey::stock("tea").unwrap()).unwrap();
    assert_eq!(engine.level(tea).unwrap().available, 1, "what was acknowledged can be read");
    assert_eq!(engine.check_ready().unwrap_err().kind(), ErrorKind::LowSpace);
    gate.faults.is_full.store(false, Ordering::SeqCst);
    // Looked at every second.
    while engine.check_ready().is_err() {
        thread::yield_now();
    }
    receive(&engine).unwrap().wait().unwrap();
    assert_eq!(engine.level(tea).unwrap().available, 2);
}
