//! The public API's hot paths, for comparing one change with the next. Figures against targets come
//! from `stockhold bench`; see `docs/benchmarks.md`.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use stockhold::command::Command;
use stockhold::outcome::Reserved;
use stockhold::{AccountId, AccountKey, Engine, Line, Policy, Receive, Reserve, ReserveOutcome};

const TTL_MS: u64 = 15 * 60 * 1000;
const BATCH: usize = 1_000;
/// Enough that no run sells out.
const PLENTY: u64 = 1 << 40;

fn with_engine(run: impl FnOnce(&Engine, AccountId, AccountId)) {
    let dir = tempfile::tempdir().expect("there is a temporary directory");
    let builder = Engine::builder(dir.path()).history(false).archive_bytes_max(None);
    let engine = builder.open().expect("the directory opens");
    let open = |name: &str| {
        let key = AccountKey::stock(name).expect("the key is valid");
        engine.open_account(&key, Policy::strict()).expect("there is room")
    };
    let (hot, empty) = (open("hot"), open("empty"));
    engine
        .receive(Receive::new(hot, PLENTY))
        .and_then(|ticket| ticket.wait())
        .expect("it is received");
    run(&engine, hot, empty);
    engine.close().expect("it closes");
}

/// Reserves one unit and confirms it. A full journal queue means the disk is behind, and is waited
/// out.
fn pair(engine: &Engine, lines: &[Line]) {
    let reserved = match engine.reserve(Reserve::new(lines, TTL_MS)) {
        Ok(ticket) => ticket.outcome(),
        Err(_) => return engine_rest(engine),
    };
    if let ReserveOutcome::Reserved(Reserved { reservation, .. }) = reserved {
        let _ = black_box(engine.confirm(reservation));
    }
}

fn engine_rest(engine: &Engine) {
    while engine.check_ready().is_err() {
        std::thread::yield_now();
    }
}

fn in_memory(criterion: &mut Criterion) {
    with_engine(|engine, hot, empty| {
        let one = [Line { account: hot, quantity: 1 }];
        let none = [Line { account: empty, quantity: 1 }];
        criterion.bench_function("reserve and confirm, not waited for", |bencher| {
            bencher.iter(|| pair(engine, &one));
        });
        criterion.bench_function("sold out", |bencher| {
            bencher.iter(|| black_box(engine.reserve(Reserve::new(&none, TTL_MS))).map(drop));
        });
    });
}

fn durable(criterion: &mut Criterion) {
    with_engine(|engine, hot, _| {
        let one = [Line { account: hot, quantity: 1 }];
        let reserves = vec![Command::Reserve(Reserve::new(&one, TTL_MS).confirmed()); BATCH];
        let mut group = criterion.benchmark_group("durable");
        group.throughput(Throughput::Elements(BATCH as u64));
        group.bench_function("batch of 1,000 confirmed reserves", |bencher| {
            let batch = |_| {
                engine.batch(&reserves).and_then(|ticket| ticket.wait()).expect("it is durable")
            };
            bencher.iter_batched(|| (), batch, BatchSize::PerIteration);
        });
        group.finish();
    });
}

criterion_group!(benches, in_memory, durable);
criterion_main!(benches);
