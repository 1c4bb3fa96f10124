//! Would catch a command that is not counted or counted as something else, a metric that operators
//! cannot find, and one whose value is another's.

use std::collections::BTreeMap;

use super::*;
use crate::base::IdempotencyKey;
use crate::ledger::{Adjust, Command, PutDocument, WriteOff};

/// Every value, by its name and labels.
fn values(engine: &Engine) -> BTreeMap<String, i64> {
    let mut values = BTreeMap::new();
    for metric in engine.metrics() {
        for sample in metric.samples {
            let labels = sample.labels.iter().map(|(_, value)| format!(" {value}"));
            values.insert(metric.name.to_owned() + &labels.collect::<String>(), sample.value);
        }
    }
    values
}

#[test]
fn names_are_well_formed_told_apart_and_documented() {
    let engine = Engine::in_memory().open().expect("there is memory");
    let documented = include_str!("../../../docs/metrics.md");
    let (_, documented) = documented.split_once("\n## The engine\n").expect("a chapter");
    let (documented, _) = documented.split_once("\n## ").expect("another follows it");
    let mut names = std::collections::BTreeSet::new();
    for metric in engine.metrics() {
        let name = metric.name;
        assert!(names.insert(name), "{name} is there twice");
        assert!(name.starts_with("stockhold_"), "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert_eq!(name.ends_with("_total"), metric.kind == MetricKind::Counter, "{name}");
        assert!(metric.help.ends_with('.') && !metric.help.contains('\n'), "{name}");
        // Over HTTP, time is in seconds.
        let shown = name.strip_suffix("_ms").map(|name| format!("{name}_seconds"));
        let shown = shown.as_deref().unwrap_or(name);
        assert!(documented.contains(&format!("| `{shown}` |")), "{name} is not documented");
        for sample in &metric.samples {
            let parts = sample.labels.iter().flat_map(|(label, value)| [label, value]);
            let plain = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!(parts.clone().all(|part| plain(part)), "{name}: {:?}", sample.labels);
        }
    }
    let rows = documented.lines().filter(|line| line.starts_with("| `stockhold_"));
    assert_eq!(rows.count(), names.len(), "what is documented and gone");
}

#[test]
fn each_command_is_counted_by_what_became_of_it() {
    let clock = Arc::new(ManualClock::new(1_000));
    let engine =
        Engine::in_memory().clock(Arc::clone(&clock) as _).open().expect("there is memory");
    let tea = stock(&engine, 10);
    let key = IdempotencyKey::new("ann", "first").expect("a valid key");
    for _ in 0..3 {
        drop(engine.receive(Receive::new(tea, 5).key(key)).expect("the same each time"));
    }
    assert!(engine.receive(Receive::new(tea, 6).key(key)).is_err(), "another request");
    assert!(engine.receive(Receive::new(tea, 0)).is_err(), "malformed");
    let [first, second, third] = [1, 1, 1].map(|quantity| reserve(&engine, tea, quantity));
    let all = [Line { account: tea, quantity: 100 }];
    for _ in 0..4 {
        // From the gauge, without a lock.
        drop(engine.reserve(Reserve::new(&all, 100)).expect("it is refused"));
    }
    let keyed = IdempotencyKey::new("ann", "second").expect("a valid key");
    let under_lock = Reserve::new(&all, 100).key(keyed);
    drop(engine.reserve(under_lock).expect("it is refused, under the lock"));
    drop(engine.confirm(first).expect("it is decided"));
    drop(engine.release(second).expect("it is decided"));
    drop(engine.release(first).expect("it is decided"));
    clock.advance(100);
    drop(engine.confirm(third).expect("it is decided"));
    drop(engine.release(third).expect("it is decided"));
    engine.expire_due().expect("it is open");
    drop(engine.write_off(WriteOff::new(tea, 1)).expect("there is one"));
    let batch = [
        Command::Adjust(Adjust::new(tea, -1)),
        Command::Adjust(Adjust::new(tea, 0)),
        Command::Reserve(Reserve::new(&all, 100)),
    ];
    drop(engine.batch(&batch).expect("it is not too long"));

    let counted = values(&engine);
    let commands: Vec<_> = counted
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("stockhold_commands_total ")?, *value)))
        .filter(|(_, value)| *value != 0)
        .collect();
    assert_eq!(
        commands,
        [
            ("adjust done", 1),
            ("adjust failed", 1),
            ("confirm done", 1),
            ("confirm late", 1),
            ("receive done", 2),
            ("receive failed", 2),
            ("receive repeated", 2),
            ("release done", 1),
            ("release late", 1),
            ("release not_pending", 1),
            ("reserve done", 3),
            ("reserve refused", 6),
            ("write_off done", 1),
        ]
    );
    let of = |name: &str| counted[&format!("stockhold_{name}")];
    assert_eq!((of("expired_total"), of("pending_reservations"), of("accounts")), (1, 0, 1));
    assert_eq!(of("idempotency_keys"), 1, "a refusal is not kept");
}

#[test]
fn gauges_show_what_is_there() {
    let clock = Arc::new(ManualClock::new(1_000));
    let engine =
        Engine::in_memory().clock(Arc::clone(&clock) as _).open().expect("there is memory");
    let tea = stock(&engine, 10);
    let _ = (reserve(&engine, tea, 1), reserve(&engine, tea, 1));
    engine
        .put_document(PutDocument::new("notes", "a", b"body"))
        .and_then(|ticket| ticket.wait())
        .expect("there is room");
    drop(engine.claim("follower").expect("there is room"));
    clock.advance(40);
    let before = values(&engine);
    let of = |values: &BTreeMap<String, i64>, name: &str| {
        values.get(&format!("stockhold_{name}")).copied()
    };
    // The opening, what was received, two reservations, and a document.
    for (name, value) in [
        ("journal_last_event", Some(5)),
        ("journal_undurable_events", Some(0)),
        ("journal_queued_bytes", Some(0)),
        ("pending_reservations", Some(2)),
        ("documents", Some(1)),
        ("claims", Some(1)),
        ("checkpoint_lag_events", Some(5)),
        ("checkpoint_age_ms", Some(40)),
        ("history_lag_events", None),
        ("history_rows", None),
        ("sync_age_ms", None),
        ("poisoned", Some(0)),
        ("clock_ahead_ms", Some(0)),
    ] {
        assert_eq!(of(&before, name), value, "{name}");
    }
    let groups = of(&before, "journal_groups_total").expect("it is counted");
    assert!((2..=5).contains(&groups), "{groups} groups of five events, four of them waited for");
    assert!(of(&before, "journal_written_bytes_total") > Some(5 * 24), "frames have a header");
    engine.checkpoint().expect("there is room");
    clock.advance(7);
    let after = values(&engine);
    assert_eq!(of(&after, "checkpoint_age_ms"), Some(7));
    assert_eq!(of(&after, "checkpoint_lag_events"), Some(0));
}
