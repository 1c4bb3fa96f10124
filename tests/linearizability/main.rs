//! Would catch an answer of the concurrent engine that no order of the requests explains: a unit
//! sold twice, a refusal while there was enough, a reservation that ended twice, a retry with an
//! effect or another answer, a confirm after the deadline. Threads ask the real engine for a few
//! units of a few accounts; calls and returns are numbered on one counter, and the history is
//! searched for a sequential order.
//!
//! `STOCKHOLD_LINEARIZABILITY_SEED` repeats the requests; the interleaving is the machine's.

#![cfg(feature = "test-util")]

mod account;
#[path = "../books/mod.rs"]
mod books;
mod checker;
mod history;
#[cfg(feature = "bin")]
mod http;
#[cfg(feature = "bin")]
mod mall;
#[path = "../reference/mod.rs"]
mod reference;
#[cfg(feature = "bin")]
#[path = "../support/mod.rs"]
mod support;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Instant;

use stockhold::clock::{Clock, ManualClock};
use stockhold::event::Fact;
use stockhold::outcome::{Outcome, Reserved};
use stockhold::{
    AccountId, AccountKey, ConfirmOutcome, Engine, ErrorKind, IdempotencyKey, Policy,
    ReleaseOutcome, ReservationId, ReserveOutcome, TimeMs, Window,
};
use tempfile::TempDir;

use self::books::Books;
use self::checker::Timed;
use self::history::{Call, History, Op};
use self::reference::{Ask, Place};

const ROUNDS: u64 = 1_000;
const THREADS: u64 = 4;
/// By each thread in a round, spread over the groups.
const OPERATIONS: u64 = 22;
const GROUPS: usize = 2;

/// The accounts of a group, and how many units each is given at first.
fn accounts(group: usize, round: u64) -> [(AccountKey, Policy, u64); 5] {
    let name = |kind: &str, name: &str| {
        format!("{kind}/{name}-{group}-{round}").parse().expect("a valid key")
    };
    [
        (name("stock", "tea"), Policy::strict(), 3),
        (name("stock", "cup"), Policy::backorder(1), 1),
        (name("points", "ann"), Policy::strict(), 5),
        (name("points", "bob"), Policy::strict(), 4),
        (name("quota", "ann"), Policy::quota(2, Window::Outstanding), 0),
    ]
}

struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: u64) -> u64 {
        // splitmix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// What the threads of a run share.
struct Stage {
    engine: Engine,
    clock: Arc<ManualClock>,
    /// Numbers calls and returns.
    order: AtomicU64,
    seed: u64,
}

/// A group in a round: what its threads know and have seen.
struct Group {
    number: usize,
    round: u64,
    accounts: Vec<(AccountId, Policy)>,
    made: Mutex<Vec<ReservationId>>,
    calls: Mutex<Vec<Timed<Call>>>,
}

impl Stage {
    /// Runs an operation and enters it with when it was called and when it returned.
    fn record(&self, group: &Group, run: impl FnOnce() -> Op) -> Op {
        let from = self.clock.now_ms();
        let called = self.order.fetch_add(1, Ordering::SeqCst);
        let op = run();
        let returned = self.order.fetch_add(1, Ordering::SeqCst);
        // The clock goes by whole milliseconds; a call may have read any of these.
        let times: Vec<TimeMs> = (from..=self.clock.now_ms()).collect();
        group.calls.lock().expect("no thread panics").push(Timed {
            called,
            returned,
            op: Call { op: op.clone(), times },
        });
        op
    }

    fn ask(&self, group: &Group, ask: Ask, key: Option<u8>) {
        let op = self.record(group, || {
            let said = group.execute(&self.engine, &ask, key).map_err(|error| error.kind());
            Op::Ask { ask, key, said }
        });
        if let Op::Ask {
            said:
                Ok(Outcome::Reserve(ReserveOutcome::Reserved(Reserved {
                    reservation,
                    confirmed: false,
                    ..
                }))),
            ..
        } = op
        {
            group.made.lock().expect("no thread panics").push(reservation);
        }
    }

    fn level(&self, group: &Group, place: Place) {
        self.record(group, || {
            let level = self.engine.level(group.accounts[place].0).expect("the account is open");
            let rest = [level.reserved, level.consumed, level.received, level.written_off]
                .map(|units| units as i64);
            Op::Level { place, numbers: [level.available, rest[0], rest[1], rest[2], rest[3]] }
        });
    }

    fn takeable(&self, group: &Group, place: Place) {
        self.record(group, || {
            let units = self.engine.takeable(group.accounts[place].0).expect("the account is open");
            Op::Takeable { place, units }
        });
    }

    /// Turns the wheels, and enters what that ended: the events say what.
    fn expire(&self, groups: &[Group], from_seq: &mut u64) {
        let called = self.order.fetch_add(1, Ordering::SeqCst);
        self.engine.expire_due().expect("it admits");
        let returned = self.order.fetch_add(1, Ordering::SeqCst);
        let last = self.engine.status().last_seq;
        let mut events = self.engine.subscribe(*from_seq).expect("the events are there");
        while *from_seq <= last {
            let (seq, event) =
                events.next_event().expect("the journal reads").expect("the engine is open");
            *from_seq = seq + 1;
            let Fact::Expired(end) = &event.fact else {
                continue;
            };
            let account = end.lines[0].account();
            let group =
                groups.iter().find(|group| group.accounts.iter().any(|(id, _)| *id == account));
            // Of an earlier round.
            let Some(group) = group else { continue };
            let op = Op::Expire { id: end.reservation, at: event.at };
            let call = Call { op, times: Vec::new() };
            group.calls.lock().expect("no thread panics").push(Timed {
                called,
                returned,
                op: call,
            });
        }
    }
}

impl Group {
    fn open(stage: &Stage, number: usize, round: u64) -> Self {
        let accounts = accounts(number, round);
        let open = |(key, policy, _): &(AccountKey, Policy, u64)| {
            (stage.engine.open_account(key, *policy).expect("there is room"), *policy)
        };
        let group = Self {
            number,
            round,
            accounts: accounts.iter().map(open).collect(),
            made: Mutex::new(Vec::new()),
            calls: Mutex::new(Vec::new()),
        };
        for (account, (_, _, quantity)) in
            accounts.iter().enumerate().filter(|(_, (_, _, quantity))| *quantity > 0)
        {
            stage.ask(&group, Ask::Receive { account, quantity: *quantity }, None);
        }
        group
    }

    fn execute(&self, engine: &Engine, ask: &Ask, key: Option<u8>) -> stockhold::Result<Outcome> {
        let key = key.map(|key| {
            let scope = format!("{} {}", self.number, self.round);
            IdempotencyKey::new(&scope, &key.to_string()).expect("a valid key")
        });
        let request = ask.with(|place| self.accounts[place].0, 0);
        // The outcome is decided when the call returns; that it is durable is another test's
        // matter.
        engine.execute(&request.command(key)).map(|ticket| ticket.outcome())
    }

    fn pick(&self, rng: &mut Rng) -> Option<ReservationId> {
        let made = self.made.lock().expect("no thread panics");
        // The newest, so that threads meet at them.
        let newest = made.len().min(3) as u64;
        (newest > 0).then(|| made[made.len() - 1 - rng.below(newest) as usize])
    }
}

fn reserve(rng: &mut Rng) -> Ask {
    let (tea, cup, points, cap) = (0, 1, 2 + rng.below(2) as Place, 4);
    let lines = match rng.below(6) {
        0 => vec![(tea, 1)],
        1 => vec![(tea, 1), (tea, 1)],
        2 => vec![(tea, 1 + rng.below(2)), (cup, 1)],
        3 => vec![(cup, 1), (points, 2)],
        4 => vec![(2, 1), (cap, 1), (tea, 1)],
        _ => vec![(points, 1), (tea, 1)],
    };
    Ask::Reserve { lines, ttl_ms: 1 + rng.below(6), confirm: rng.below(6) == 0, owner: None }
}

/// The request of a key, the same for every thread, but for now and then.
fn keyed(group: &Group, seed: u64, rng: &mut Rng) -> (Ask, Option<u8>) {
    let key = rng.below(3) as u8;
    let other = u64::from(rng.below(8) == 0);
    let mut of_key =
        Rng(seed ^ group.round << 8 ^ u64::from(key) << 4 ^ (group.number as u64) << 1 ^ other);
    let ask = match of_key.below(3) {
        0 => Ask::Receive { account: of_key.below(4) as Place, quantity: 1 + other },
        _ => reserve(&mut of_key),
    };
    (ask, Some(key))
}

fn step(stage: &Stage, group: &Group, rng: &mut Rng) {
    let place = rng.below(5) as Place;
    match rng.below(20) {
        0..7 => stage.ask(group, reserve(rng), None),
        7..10 => {
            let (ask, key) = keyed(group, stage.seed, rng);
            stage.ask(group, ask, key);
        }
        choice @ 10..15 => {
            let Some(reservation) = group.pick(rng) else {
                return;
            };
            let ask = match choice {
                10..12 => Ask::Confirm { reservation, owner: None, parts: None },
                12 => Ask::Confirm { reservation, owner: None, parts: Some(vec![1, 0]) },
                _ => Ask::Release { reservation, owner: None },
            };
            stage.ask(group, ask, None);
        }
        15 => stage.ask(group, Ask::Receive { account: rng.below(4) as Place, quantity: 1 }, None),
        16 => stage.ask(group, Ask::Adjust { account: rng.below(4) as Place, delta: -1 }, None),
        17 => stage.level(group, place),
        _ => stage.takeable(group, place),
    }
}

/// One round: the threads set out together, and afterwards everything lapses and is looked at.
fn round(stage: &Stage, number: u64, from_seq: &mut u64) -> Vec<History> {
    let groups: Vec<Group> = (0..GROUPS).map(|group| Group::open(stage, group, number)).collect();
    let start = Barrier::new(THREADS as usize);
    std::thread::scope(|scope| {
        for thread in 1..THREADS {
            let (groups, start) = (&groups, &start);
            scope.spawn(move || {
                let mut rng = Rng(stage.seed ^ number << 16 ^ thread);
                start.wait();
                for _ in 0..OPERATIONS {
                    step(stage, &groups[rng.below(GROUPS as u64) as usize], &mut rng);
                }
            });
        }
        // This thread has the clock, too, and is the only one that turns the wheels.
        let mut rng = Rng(stage.seed ^ number << 16);
        start.wait();
        for _ in 0..OPERATIONS {
            match rng.below(5) {
                0 => stage.clock.advance(1),
                1 => stage.expire(&groups, from_seq),
                _ => step(stage, &groups[rng.below(GROUPS as u64) as usize], &mut rng),
            }
        }
    });
    stage.clock.advance(100);
    stage.expire(&groups, from_seq);
    for group in &groups {
        (0..group.accounts.len()).for_each(|place| stage.level(group, place));
        for id in group.made.lock().expect("no thread panics").iter() {
            assert_eq!(stage.engine.pending(*id), None, "{id} was due");
        }
    }
    let history = |group: Group| History {
        accounts: group.accounts,
        calls: group.calls.into_inner().expect("no thread panics"),
    };
    groups.into_iter().map(history).collect()
}

/// How often each thing happened, so that a run that tried nothing is seen.
#[derive(Debug, Default)]
struct Counts {
    operations: usize,
    overlaps: usize,
    reserved: usize,
    refused: usize,
    confirmed: usize,
    released: usize,
    expired: usize,
    late: usize,
    not_pending: usize,
    conflicts: usize,
    retries: usize,
}

impl Counts {
    fn add(&mut self, history: &History) {
        self.operations += history.calls.len();
        self.overlaps += history.overlaps();
        let mut keys = std::collections::BTreeSet::new();
        for Timed { op: Call { op, .. }, .. } in &history.calls {
            let Op::Ask { key, said, .. } = op else {
                self.expired += usize::from(matches!(op, Op::Expire { .. }));
                continue;
            };
            let effective = matches!(
                said,
                Ok(outcome) if outcome.reserved().is_some() || outcome.changed().is_some()
            );
            self.retries += usize::from(key.is_some_and(|key| effective && !keys.insert(key)));
            match said {
                Ok(Outcome::Reserve(ReserveOutcome::Reserved(Reserved { .. }))) => {
                    self.reserved += 1
                }
                Ok(outcome) if outcome.refusal().is_some() => self.refused += 1,
                Ok(Outcome::Confirm(ConfirmOutcome::Confirmed { .. })) => self.confirmed += 1,
                Ok(Outcome::Release(ReleaseOutcome::Released { .. })) => self.released += 1,
                Ok(
                    Outcome::Confirm(ConfirmOutcome::Late { .. })
                    | Outcome::Release(ReleaseOutcome::Late { .. }),
                ) => self.late += 1,
                Ok(
                    Outcome::Confirm(ConfirmOutcome::NotPending { .. })
                    | Outcome::Release(ReleaseOutcome::NotPending { .. }),
                ) => self.not_pending += 1,
                Err(ErrorKind::Conflict) => self.conflicts += 1,
                _ => {}
            }
        }
    }

    fn assert_tried(&self) {
        let Self { operations, overlaps, reserved, refused, confirmed, released, expired, .. } =
            *self;
        let each = [
            overlaps,
            reserved,
            refused,
            confirmed,
            released,
            expired,
            self.late,
            self.not_pending,
        ];
        let tried = each.iter().chain(&[self.conflicts, self.retries]).all(|count| *count > 0);
        assert!(operations > 20_000 && tried, "something was never tried: {self:?}");
    }
}

#[test]
fn some_order_explains_what_threads_were_told() {
    let given =
        std::env::var("STOCKHOLD_LINEARIZABILITY_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish());
    println!("STOCKHOLD_LINEARIZABILITY_SEED={seed}");
    let started = Instant::now();
    let dir = TempDir::new().expect("a temporary directory");
    let clock = Arc::new(ManualClock::new(1_000));
    let builder = Engine::builder(dir.path()).clock(Arc::clone(&clock) as _).history(false);
    let engine = builder.open().expect("the directory opens");
    let stage = Stage { engine, clock, order: AtomicU64::new(0), seed };
    let (mut counts, mut from_seq) = (Counts::default(), 1);
    for number in 0..ROUNDS {
        for history in round(&stage, number, &mut from_seq) {
            history.check();
            counts.add(&history);
        }
    }
    // And the journal's order is the order of the changes.
    Books::of(&stage.engine).assert_matches(&stage.engine);
    let report = format!(
        "linearizability, seed {seed}, {:.1} s: {counts:?}\n",
        started.elapsed().as_secs_f64()
    );
    std::io::stderr().write_all(report.as_bytes()).expect("standard error takes a line");
    counts.assert_tried();
}
