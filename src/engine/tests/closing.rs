//! Would catch a call that does something after the close, a close that is over before the
//! directory is free, and a fork that writes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;
use crate::base::IdempotencyKey;
use crate::event::Policy;
use crate::ledger::{Adjust, Note, PutDocument, Receive, Reserve, SetPolicy, WriteOff};

type Call<'a> = (&'static str, Box<dyn Fn() -> Option<ErrorKind> + 'a>);

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// Every call that can be refused.
fn calls<'a>(
    engine: &'a Engine,
    claim: &'a Claim,
    tea: AccountId,
    taken: ReservationId,
) -> Vec<Call<'a>> {
    let key = || AccountKey::stock("tea").expect("a valid key");
    let lines = move |quantity| [Line { account: tea, quantity }];
    vec![
        ("open_account", Box::new(move || kind(engine.open_account(&key(), Policy::strict())))),
        (
            "set_policy",
            Box::new(move || kind(engine.set_policy(SetPolicy::new(tea, Policy::strict())))),
        ),
        ("receive", Box::new(move || kind(engine.receive(Receive::new(tea, 1))))),
        ("adjust", Box::new(move || kind(engine.adjust(Adjust::new(tea, 1))))),
        ("write_off", Box::new(move || kind(engine.write_off(WriteOff::new(tea, 1))))),
        ("reserve", Box::new(move || kind(engine.reserve(Reserve::new(&lines(1), 100))))),
        (
            "reserve of what is sold out",
            Box::new(move || kind(engine.reserve(Reserve::new(&lines(1_000), 100)))),
        ),
        ("confirm", Box::new(move || kind(engine.confirm(taken)))),
        ("release", Box::new(move || kind(engine.release(taken)))),
        ("batch", Box::new(move || kind(engine.batch(&[])))),
        (
            "first_answer",
            Box::new(move || {
                kind(IdempotencyKey::new("user", "key").and_then(|key| engine.first_answer(key)))
            }),
        ),
        ("level", Box::new(move || kind(engine.level(tea)))),
        ("takeable", Box::new(move || kind(engine.takeable(tea)))),
        ("refund", Box::new(move || kind(engine.refund(taken)))),
        ("note", Box::new(move || kind(engine.note(Note::new(taken, b""))))),
        (
            "put_document",
            Box::new(move || kind(engine.put_document(PutDocument::remove("a", "b")))),
        ),
        ("expire_due", Box::new(move || kind(engine.expire_due()))),
        ("catch_up", Box::new(move || kind(engine.catch_up().wait()))),
        ("subscribe", Box::new(move || kind(engine.subscribe(1)))),
        ("claim", Box::new(move || kind(engine.claim("other")))),
        ("hold_from", Box::new(move || kind(claim.hold_from(2)))),
        ("give_up", Box::new(move || kind(claim.give_up()))),
        ("check_ready", Box::new(move || kind(engine.check_ready()))),
        ("checkpoint", Box::new(move || kind(engine.checkpoint()))),
    ]
}

#[test]
fn every_call_on_a_closed_engine_says_that_it_is_closed() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let tea = stock(&engine, 10);
    let taken = reserve(&engine, tea, 1);
    let claim = engine.claim("mirror").expect("the disk works");
    claim.hold_from(1).expect("the disk works");
    engine.close().expect("it closes");
    for (name, call) in calls(&engine, &claim, tea, taken) {
        assert_eq!(call(), Some(ErrorKind::Closed), "{name}");
    }
    // With the next engine in the directory it is no other.
    let next = fixture.open();
    for (name, call) in calls(&engine, &claim, tea, taken) {
        assert_eq!(call(), Some(ErrorKind::Closed), "{name}");
    }
    assert_eq!(next.claims(), ["mirror"]);
    engine.close().expect("a second close goes as the first");
    next.close().expect("it closes");
}

/// A checkpoint that was late came into a directory that the next engine had, which made most
/// directories unopenable.
#[test]
fn nothing_is_written_into_a_directory_that_the_next_engine_has() {
    let fixture = Fixture::new();
    for round in 0..12 {
        let engine = fixture.open();
        let tea = stock(&engine, 10);
        let claim = engine.claim("mirror").expect("the disk works");
        let enough = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| while engine.checkpoint().is_ok() {});
            }
            scope.spawn(|| while claim.hold_from(1).is_ok() && claim.give_up().is_ok() {});
            reserve(&engine, tea, 1);
            engine.close().unwrap_or_else(|error| panic!("round {round}: {error}"));
            let next = fixture.open();
            reserve(&next, tea, 2);
            next.close().unwrap_or_else(|error| panic!("round {round}: {error}"));
            enough.store(true, Ordering::SeqCst);
        });
        assert!(enough.load(Ordering::SeqCst));
    }
    fixture.open().close().expect("it closes");
}

#[test]
fn a_second_close_waits_for_the_first() {
    for _ in 0..10 {
        let fixture = Fixture::new();
        let engine = fixture.open();
        let tea = stock(&engine, 1_000);
        (0..50).for_each(|_| _ = reserve(&engine, tea, 1));
        thread::scope(|scope| {
            let close = || {
                engine.close().expect("it closes");
                // One of the two threads gets it, and the other one finds it taken by that.
                match Engine::builder(fixture.dir.path())
                    .clock(Arc::clone(&fixture.clock) as _)
                    .open()
                {
                    Ok(next) => next.close().expect("it closes"),
                    Err(error) => assert!(engine.check_ready().is_err(), "{error}"),
                }
            };
            scope.spawn(close);
        });
        let both = thread::scope(|scope| {
            let handles: Vec<_> = (0..2).map(|_| scope.spawn(|| engine.close().is_ok())).collect();
            handles.into_iter().all(|handle| handle.join().expect("no panic"))
        });
        assert!(both, "a later close goes as the first");
    }
}

/// In a fork there are copies of everything, and threads for none of it. What the fork is told is
/// what this process is told when another one is taken for the one that opened the directory.
#[test]
fn a_fork_is_refused_and_writes_nothing() {
    let fixture = Fixture::new();
    // Without threads, as it is in a fork.
    let builder = Engine::builder(fixture.dir.path())
        .clock(Arc::clone(&fixture.clock) as _)
        .segment_bytes(128 << 10);
    let engine = builder.history(false).stepped(1).open().expect("the directory opens");
    let tea = stock(&engine, 10);
    let taken = reserve(&engine, tea, 1);
    let claim = engine.claim("mirror").expect("the disk works");
    let early = engine
        .receive(Receive::new(tea, 1).note("decided before the fork, not written"))
        .expect("it is decided");
    let files = || {
        let vfs = crate::vfs::RealVfs;
        let bytes = |dir: &str, name: &str| {
            let file = crate::vfs::Vfs::open_read(&vfs, &fixture.dir.path().join(dir).join(name));
            file.and_then(|file| crate::vfs::read_start(&*file, usize::MAX)).ok()
        };
        ["journal", "checkpoint", "claims"].map(|dir| {
            let names =
                crate::vfs::Vfs::list(&vfs, &fixture.dir.path().join(dir)).unwrap_or_default();
            names.into_iter().map(|name| (bytes(dir, &name), name)).collect::<Vec<_>>()
        })
    };
    let before = files();
    let core = Arc::clone(&engine.0.core);
    let parent = core.files.directory.set_process(1);
    fixture.clock.advance(1);
    for (name, call) in calls(&engine, &claim, tea, taken) {
        let told = call();
        assert!(told == Some(ErrorKind::Unavailable), "{name}: {told:?}");
    }
    assert_eq!(
        kind(early.wait()),
        Some(ErrorKind::Poisoned),
        "it was not written, and never will be here"
    );
    assert_eq!(kind(engine.close()), Some(ErrorKind::Unavailable));
    drop((claim, engine));
    assert!(files() == before, "a fork wrote something");
    // The parent, in which nothing of this happened, goes on; here its journal has been told that
    // it is a fork.
    core.files.directory.set_process(parent);
    assert!(!core.is_stopped());
}
