//! The past, read from outside. Would catch a ledger as of some event that was never there, an
//! event that is missing or there twice, and a look that fails because the engine recycles files
//! meanwhile.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::event::Policy;
use crate::ledger::{Receive, Reserve, ReserveOutcome, Reserved};
use crate::reader::{DirectoryReader, LedgerView};
use crate::vfs::{RealVfs, Vfs};

/// So long that a handful of reservations fill a segment.
static DETAILS: [u8; 24 << 10] = [7; 24 << 10];

type Shown = (Vec<Level>, Vec<Pending>);

fn shown(view: &LedgerView) -> Shown {
    (view.levels(), view.all_pending())
}

/// A sale that rolls segments over and writes checkpoints; what the ledger showed after each event.
fn sell(fixture: &Fixture, engine: &Engine, steps: u64) -> BTreeMap<Seq, Shown> {
    let mut witness = BTreeMap::from([(0, Shown::default())]);
    let see = |engine: &Engine| (engine.levels(), engine.0.core.ledger.all_pending());
    let tea = stock(engine, 1_000);
    witness.insert(engine.status().last_seq, see(engine));
    for step in 0..steps {
        let lines = [Line { account: tea, quantity: 1 + step % 3 }];
        let taken = engine.reserve(Reserve::new(&lines, 1_000).details(&DETAILS));
        let Ok(ReserveOutcome::Reserved(Reserved { reservation, .. })) =
            taken.and_then(Ticket::wait)
        else {
            panic!("enough")
        };
        witness.insert(engine.status().last_seq, see(engine));
        if step % 3 == 0 {
            engine.confirm(reservation).and_then(Ticket::wait).expect("it is decided");
            witness.insert(engine.status().last_seq, see(engine));
        }
        let cup = AccountKey::stock(&format!("cup-{step}")).expect("a valid key");
        engine.open_account(&cup, Policy::strict()).expect("there is room");
        witness.insert(engine.status().last_seq, see(engine));
        if step % 10 == 9 {
            engine.checkpoint().expect("it is written");
        }
        fixture.clock.advance(7);
    }
    witness
}

/// Waits for the journal's recycler, which nobody else can wait for.
#[track_caller]
fn until(what: &str, reached: impl Fn() -> bool) {
    for _ in 0..20_000_000 {
        if reached() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("the recycler never came to it: {what}");
}

#[track_caller]
fn check_witness(dir: &Path, witness: &BTreeMap<Seq, Shown>) {
    let reader = DirectoryReader::open(dir).expect("the directory reads");
    assert!(
        witness.len() > 50 && reader.last_seq() == *witness.keys().max().expect("some"),
        "a witness of much"
    );
    for (seq, expected) in witness {
        let view = reader.ledger_at(*seq).expect("it is kept");
        assert!(&shown(&view) == expected, "the ledger as of event {seq}");
    }
}

#[test]
fn the_ledger_as_of_any_event_is_what_it_was() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let witness = sell(&fixture, &engine, 50);
    until("a part is archived", || engine.status().archive_bytes > 0);
    check_witness(fixture.dir.path(), &witness);
    engine.close().expect("it closes");
    check_witness(fixture.dir.path(), &witness);
}

#[test]
fn events_come_once_and_in_order_from_archive_and_journal() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    sell(&fixture, &engine, 50);
    let mut live = engine.subscribe(1).expect("everything is kept");
    let reader = DirectoryReader::open(fixture.dir.path()).expect("the directory reads");
    let mut count = 0;
    for event in reader.events(..).expect("it is kept") {
        assert_eq!(event.ok(), live.try_next().expect("it reads"));
        count += 1;
    }
    assert_eq!((count, live.try_next().expect("it reads")), (reader.last_seq(), None));
    let some: Vec<Seq> =
        reader.events(7..=9).expect("it is kept").map(|event| event.expect("it reads").0).collect();
    assert_eq!(some, [7, 8, 9]);
    assert_eq!(reader.events(reader.last_seq() + 1..).expect("nothing yet").count(), 0);
}

#[cfg(feature = "history")]
#[test]
fn what_is_not_kept_or_not_yet_there_is_said_with_its_bounds() {
    let fixture = Fixture::new();
    let builder = Engine::builder(fixture.dir.path()).clock(Arc::clone(&fixture.clock) as _);
    let builder = builder.segment_bytes(128 << 10).archive_bytes_max(None);
    let engine = builder.history_flush_rows(1).open().expect("it opens");
    sell(&fixture, &engine, 50);
    engine.catch_up().wait().expect("history follows");
    until("the journal lets go of something", || engine.status().oldest_seq > 1);
    engine.close().expect("it closes");
    let reader = DirectoryReader::open(fixture.dir.path()).expect("the directory reads");
    let (oldest, last) = (reader.oldest_seq(), reader.last_seq());
    assert!(oldest > 1, "nothing was let go");
    let refused = |result: Result<Seq>| {
        let error = result.expect_err("it is not there");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        error.to_string()
    };
    let events = |seq: Seq| reader.events(seq..).map(|events| events.left());
    let ledger = |seq: Seq| reader.ledger_at(seq).map(|view| view.seq());
    assert!(
        refused(events(oldest - 1))
            .contains(&format!("the oldest there is has the number {oldest}"))
    );
    assert!(refused(events(last + 2)).contains(&format!("ends at record {last}")));
    assert!(refused(ledger(last + 1)).contains(&format!("ends at event {last}")));
    let told = refused(ledger(1));
    let at: Seq = told
        .rsplit(' ')
        .next()
        .and_then(|seq| seq.parse().ok())
        .expect("it names the oldest that can be made");
    assert_eq!(ledger(at).expect("what it names is there"), at);
    assert!(refused(ledger(at - 1)).contains(&format!("as of event {at}")));
    assert!(refused(reader.seq_at(0)).contains("no longer kept"));
    let nowhere =
        DirectoryReader::open(fixture.dir.path().join("nowhere")).err().map(|error| error.kind());
    assert_eq!(nowhere, Some(ErrorKind::NotFound));
}

#[test]
fn a_time_names_the_last_event_by_then() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    sell(&fixture, &engine, 40);
    let reader = DirectoryReader::open(fixture.dir.path()).expect("the directory reads");
    let events: Vec<_> =
        reader.events(..).expect("it is kept").map(|event| event.expect("it reads")).collect();
    let mut times: Vec<TimeMs> = events.iter().map(|(_, event)| event.at).collect();
    times.dedup();
    assert!(times.len() > 30, "time passes");
    for time in times {
        let expected = events.iter().rfind(|(_, event)| event.at <= time).map(|(seq, _)| *seq);
        assert_eq!(reader.seq_at(time).ok(), expected, "as of {time}");
        assert_eq!(reader.seq_at(time + 1).ok(), expected, "as of {time} and a little");
    }
    assert_eq!(reader.seq_at(999).ok(), Some(0), "before everything");
}

/// A checkpoint is taken shard by shard while commands go on, so each part shows another event.
#[test]
fn a_snapshot_taken_in_the_middle_of_things_gives_the_same_ledger_as_all_events() {
    let fixture = Fixture::new();
    let engine = fixture.open();
    let accounts: Vec<AccountId> = (0..40)
        .map(|number| {
            let key = AccountKey::stock(&format!("tea-{number}")).expect("a valid key");
            let account = engine.open_account(&key, Policy::strict()).expect("there is room");
            drop(engine.receive(Receive::new(account, 10_000)).expect("it is decided"));
            account
        })
        .collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for worker in 0..2 {
            let (engine, accounts, done) = (&engine, &accounts, &done);
            scope.spawn(move || {
                for step in (0..).take_while(|_| !done.load(Ordering::SeqCst)) {
                    let account = |by: usize| accounts[(worker * 7 + step * by) % accounts.len()];
                    let lines =
                        [account(3), account(11)].map(|account| Line { account, quantity: 1 });
                    let ticket =
                        engine.reserve(Reserve::new(&lines, 100_000)).expect("it is decided");
                    if step % 20 == 0 {
                        ticket.wait().expect("it is durable");
                    }
                }
            });
        }
        let fuzzy = (0..10_000).any(|_| {
            let complete_to = engine.checkpoint().expect("it is written");
            complete_to < engine.status().checkpoint_seq
        });
        done.store(true, Ordering::SeqCst);
        assert!(fuzzy, "nothing ever happened while a checkpoint was taken");
    });
    engine.close().expect("it closes");
    let reader = DirectoryReader::open(fixture.dir.path()).expect("the directory reads");
    let snapshots: Vec<_> = files::snapshot::list(&RealVfs, fixture.dir.path())
        .expect("it lists")
        .iter()
        .map(|path| files::snapshot::read(&RealVfs, path).expect("it is whole"))
        .collect();
    assert!(
        snapshots.iter().any(|snapshot| snapshot.from_seq <= snapshot.last_seq),
        "the fuzzy one is kept"
    );
    let seqs: Vec<Seq> = snapshots
        .iter()
        .flat_map(|snapshot| [snapshot.last_seq - 1, snapshot.last_seq, reader.last_seq()])
        .collect();
    let from_snapshots: Vec<Shown> =
        seqs.iter().map(|seq| shown(&reader.ledger_at(*seq).expect("it is kept"))).collect();
    for name in RealVfs.list(&fixture.dir.path().join("checkpoint")).expect("it lists") {
        RealVfs.remove(&fixture.dir.path().join("checkpoint").join(name)).expect("it is removed");
    }
    for (seq, shows) in seqs.iter().zip(from_snapshots) {
        assert!(
            shown(&reader.ledger_at(*seq).expect("it is kept")) == shows,
            "the ledger as of event {seq}"
        );
    }
}

#[test]
fn a_look_at_a_busy_directory_finds_every_event() {
    let fixture = Fixture::new();
    let builder = Engine::builder(fixture.dir.path()).clock(Arc::clone(&fixture.clock) as _);
    let engine = builder.segment_bytes(128 << 10).history_flush_rows(1).open().expect("it opens");
    let tea = stock(&engine, 1 << 40);
    let done = AtomicBool::new(false);
    let looks = std::thread::scope(|scope| {
        scope.spawn(|| {
            for step in 0..300_u64 {
                let lines = [Line { account: tea, quantity: 1 }];
                drop(
                    engine
                        .reserve(Reserve::new(&lines, 1_000_000).details(&DETAILS))
                        .expect("it is decided"),
                );
                if step % 20 == 19 {
                    engine.checkpoint().expect("it is written");
                }
            }
            done.store(true, Ordering::SeqCst);
        });
        let mut looks = 0;
        loop {
            let last_look = done.load(Ordering::SeqCst);
            let reader = DirectoryReader::open(fixture.dir.path()).expect("a busy directory reads");
            let seqs: Vec<Seq> = reader
                .events(1..)
                .expect("it is kept")
                .map(|event| event.expect("it reads").0)
                .collect();
            assert_eq!(seqs, (1..=reader.last_seq()).collect::<Vec<_>>());
            let view = reader.ledger_at(reader.last_seq()).expect("it is kept");
            assert!(
                view.levels()
                    .iter()
                    .all(|level| level.available + level.reserved as i64 == level.received as i64)
            );
            looks += 1;
            if last_look {
                break looks;
            }
        }
    });
    let (segments, recycled) = (engine.status().segments, engine.status().archive_bytes > 0);
    println!("{looks} looks; {segments} segments at the end; recycled: {recycled}");
    assert!(looks > 1, "the directory was never busy");
}
