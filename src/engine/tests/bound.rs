//! Would catch a setting that does not lower the bound, a table that is not bounded by its setting,
//! and a history that takes more memory than it was given.

use super::*;
use crate::base::IdempotencyKey;
use crate::base::error::Error;
use crate::ledger::PutDocument;

fn small() -> EngineBuilder {
    Engine::in_memory()
        .accounts_per_shard_max(2)
        .reservations_per_shard_max(3)
        .idempotency_keys(10)
        .documents_max(1)
        .places_per_shard_max(2)
        .queue_bytes_max(1 << 20)
}

#[test]
fn each_setting_lowers_its_part_of_the_bound() {
    let of = |builder: EngineBuilder| builder.memory_bound();
    let (before, history) = (of(small()), Engine::builder("nowhere").memory_bound().history);
    assert_eq!(before.history, 0, "a ledger in memory has none");
    assert!(history > 1 << 30);
    assert!(Engine::builder("nowhere").history_memory_max(9).memory_bound().history < 4 << 20);
    assert!(of(small().accounts_per_shard_max(3)).accounts > before.accounts);
    assert!(of(small().accounts_per_shard_max(3)).uses > before.uses);
    assert!(of(small().reservations_per_shard_max(2_000)).reservations > before.reservations);
    assert!(of(small().idempotency_keys(5_000)).idempotency_keys > before.idempotency_keys);
    assert!(of(small().documents_max(2)).documents > before.documents);
    assert!(of(small().places_per_shard_max(3)).places > before.places);
    assert!(of(small().queue_bytes_max(2 << 20)).journal > before.journal);
    let parts = [before.accounts, before.uses, before.reservations, before.idempotency_keys];
    let sum = parts.iter().sum::<u64>() + before.documents + before.places + before.journal;
    assert_eq!(before.total(), sum);
    let most = Engine::in_memory().reservations_per_shard_max(usize::MAX).memory_bound();
    assert_eq!(most.total(), u64::MAX, "what cannot be counted");
}

#[test]
fn what_a_full_table_is_asked_for_is_overloaded_and_names_it() {
    let engine = small().open().expect("there is memory");
    let tea = stock(&engine, 10);
    let refusal = |error: Error, table: &str| {
        assert_eq!(error.kind(), ErrorKind::Overloaded, "{error}");
        assert!(error.to_string().contains(table), "{error}");
    };
    for _ in 0..3 {
        reserve(&engine, tea, 1);
    }
    let lines = [Line { account: tea, quantity: 1 }];
    let more = engine.reserve(Reserve::new(&lines, 100)).map(drop);
    refusal(more.expect_err("three are pending"), "reservations");
    let mut opened = (0..200).map(|number| {
        let key = AccountKey::quota("ann", &number.to_string()).expect("a valid key");
        engine.open_account(&key, Policy::strict()).map(drop)
    });
    let more = opened.find_map(Result::err).expect("all of one user's live in one shard");
    refusal(more, "accounts");
    drop(engine.put_document(PutDocument::new("notes", "a", b"")).expect("the first"));
    let more = engine.put_document(PutDocument::new("notes", "b", b"")).map(drop);
    refusal(more.expect_err("there is one"), "documents");
    let mut keyed = (0..20).map(|number| {
        let key = IdempotencyKey::new("ann", &number.to_string()).expect("a valid key");
        engine.receive(Receive::new(tea, 1).key(key)).map(drop)
    });
    refusal(keyed.find_map(Result::err).expect("ten are kept"), "keyed");
}

#[test]
#[cfg(feature = "history")]
fn history_keeps_to_its_memory_and_shows_everything_all_the_same() {
    const BYTES: u64 = 64 << 10;
    let fixture = Fixture::new();
    let builder = Engine::builder(fixture.dir.path()).segment_bytes(128 << 10);
    let engine = builder.history_memory_max(BYTES).open().expect("the directory opens");
    let tea = stock(&engine, 1_000);
    let lines = [Line { account: tea, quantity: 1 }];
    let details = [7; 4_000];
    let store = engine.0.core.history.store.get().expect("history is on");
    let mut most = 0;
    for _ in 0..200 {
        let taken = engine.reserve(Reserve::new(&lines, 1_000_000).details(&details));
        drop(taken.expect("there is enough"));
        most = most.max(store.memtable_bytes());
    }
    engine.catch_up().wait().expect("history follows");
    most = most.max(store.memtable_bytes());
    // One event's rows beyond it.
    assert!(most < BYTES + 8_000, "{most} bytes were in memory");
    assert_eq!(engine.history().seq().expect("it reads"), engine.durable_seq());
    for held in engine.pending_pages().flatten() {
        let record = engine.history().reservation(held.reservation).expect("it reads");
        assert_eq!(record.map(|record| record.details.len()), Some(details.len()));
    }
}
