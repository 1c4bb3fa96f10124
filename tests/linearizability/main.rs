//! Would catch an answer of the concurrent engine that no order of the requests explains: a unit
//! sold twice or past a line, a refusal while there was enough, a reservation that ended twice, a
//! retry with an effect or another answer, a confirm after the deadline, a unit taken after its end. Threads ask the real engine for a few
//! units of a few accounts, wait in lines for them, pay late and send back; calls and returns are
//! numbered on one counter, and the history is searched for a sequential order.
//!
//! `STOCKHOLD_LINEARIZABILITY_SEED` repeats the requests; the interleaving is the machine's.

#![cfg(feature = "test-util")]

mod account;
#[path = "../books/mod.rs"]
mod books;
mod checker;
mod counts;
mod history;
#[cfg(feature = "bin")]
mod http;
#[cfg(feature = "bin")]
mod ledger;
#[cfg(feature = "bin")]
mod mall;
#[path = "../reference/mod.rs"]
mod reference;
mod steps;
#[cfg(feature = "bin")]
#[path = "../support/mod.rs"]
mod support;
mod wish;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Instant;

use stockhold::clock::{Clock, ManualClock};
use stockhold::event::Fact;
use stockhold::outcome::{Outcome, Reserved};
use stockhold::test_util::make_mistake;
use stockhold::test_util::oracle::Said;
use stockhold::{
    AccountId, AccountKey, Engine, IdempotencyKey, Policy, ReservationId, TimeMs, Window,
};
use tempfile::TempDir;

use self::books::Books;
use self::checker::Timed;
use self::counts::Counts;
use self::history::{Call, History, Op};
use self::reference::{Ask, Place};
use self::steps::step;
use self::wish::Wish;

const ROUNDS: u64 = 600;
const THREADS: u64 = 4;
/// By each thread in a round, spread over the groups.
const OPERATIONS: u64 = 22;
const GROUPS: usize = 2;
/// In the environment: what the engine does wrong, on purpose.
const MISTAKE: &str = "STOCKHOLD_LINEARIZABILITY_MISTAKE";

/// What the accounts of a group are, by their places.
const STOCKS: [Place; 2] = [0, 1];
const USERS: [Place; 2] = [2, 3];
const CAP: Place = 4;
const LOT: Place = 5;
const PLACES: u64 = 6;

/// The accounts of a group, and how many units each is given at first. Points that end do so in the
/// middle of the round.
fn accounts(group: usize, round: u64, until: TimeMs) -> [(AccountKey, Policy, u64); 6] {
    let name = |kind: &str, name: &str| {
        format!("{kind}/{name}-{group}-{round}").parse().expect("a valid key")
    };
    let lot = AccountKey::points_until(&format!("eve-{group}-{round}"), until);
    [
        (name("stock", "tea"), Policy::strict(), 3),
        (name("stock", "cup"), Policy::backorder(1), 1),
        (name("points", "ann"), Policy::strict(), 5),
        (name("points", "bob"), Policy::strict(), 4),
        (name("quota", "ann"), Policy::quota(2, Window::Outstanding), 0),
        (lot.expect("a whole second"), Policy::strict(), 3),
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

/// A reservation, and what it took.
type Made = (ReservationId, Vec<(Place, u64)>);

/// A group in a round: what its threads know and have seen.
struct Group {
    number: usize,
    round: u64,
    accounts: Vec<(AccountId, AccountKey, Policy)>,
    made: Mutex<Vec<Made>>,
    lapsed: Mutex<Vec<ReservationId>>,
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
        if let Op::Ask { ask: Ask::Reserve { lines, .. }, said: Ok(outcome), .. } = op
            && let Some(Reserved { reservation, .. }) = outcome.reserved()
        {
            group.made.lock().expect("no thread panics").push((reservation, lines));
        }
    }

    fn wish(&self, group: &Group, wish: Wish) {
        let op = self.record(group, || {
            let said = wish.ask(&self.engine, |place| group.accounts[place].0);
            Op::Wish { wish, said }
        });
        if let Op::Wish {
            wish: Wish::Grant { lines, .. },
            said: Ok(Said::Reserved { reservation, .. }),
        } = op
        {
            group.made.lock().expect("no thread panics").push((reservation, lines));
        }
    }

    fn standing(&self, group: &Group, place: Place) {
        self.record(group, || {
            let line = self.engine.waiting(group.accounts[place].0).expect("the account is open");
            let line = line.iter().map(|waiting| (waiting.place, waiting.owner)).collect();
            Op::Standing { place, line }
        });
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
                groups.iter().find(|group| group.accounts.iter().any(|(id, ..)| *id == account));
            // Of an earlier round.
            let Some(group) = group else { continue };
            group.lapsed.lock().expect("no thread panics").push(end.reservation);
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
        // Nothing of the round before is pending any more.
        let until = (stage.clock.now_ms() / 1_000 + 1) * 1_000;
        let accounts = accounts(number, round, until);
        let open = |(key, policy, _): &(AccountKey, Policy, u64)| {
            let id = stage.engine.open_account(key, *policy).expect("there is room");
            (id, key.clone(), *policy)
        };
        let group = Self {
            number,
            round,
            accounts: accounts.iter().map(open).collect(),
            made: Mutex::new(Vec::new()),
            lapsed: Mutex::new(Vec::new()),
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
}

/// One round: the threads set out together, and afterwards everything lapses and is looked at.
fn round(stage: &Stage, number: u64, from_seq: &mut u64) -> Vec<History> {
    // Points end with a second, and that is a few steps away.
    stage.clock.advance(997 - stage.clock.now_ms() % 1_000);
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
        STOCKS.iter().for_each(|place| stage.standing(group, *place));
        for (id, _) in group.made.lock().expect("no thread panics").iter() {
            assert_eq!(stage.engine.pending(*id), None, "{id} was due");
        }
    }
    let history = |group: Group| History {
        accounts: group.accounts,
        calls: group.calls.into_inner().expect("no thread panics"),
    };
    groups.into_iter().map(history).collect()
}

#[test]
fn some_order_explains_what_threads_were_told() {
    if let Ok(mistake) = std::env::var(MISTAKE) {
        assert!(make_mistake(&mistake), "there is a mistake of the name {mistake}");
    }
    let given =
        std::env::var("STOCKHOLD_LINEARIZABILITY_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish());
    println!("STOCKHOLD_LINEARIZABILITY_SEED={seed}");
    let started = Instant::now();
    let dir = TempDir::new().expect("a temporary directory");
    let clock = Arc::new(ManualClock::new(1_000));
    let builder = Engine::builder(dir.path()).clock(Arc::clone(&clock) as _);
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

/// Would catch a check that does not see what it is there to see: each of these is made in a process
/// of its own.
#[test]
fn what_is_wrong_on_purpose_is_explained_by_no_order() {
    for mistake in
        ["SellsPastQueue", "TakesEnded", "RevivesBeyondLimits", "ConfirmsLate", "TellsAnotherEnd"]
    {
        let this = std::env::current_exe().expect("a test knows its binary");
        let run = Command::new(this)
            .args(["--exact", "--nocapture", "some_order_explains_what_threads_were_told"])
            .env(MISTAKE, mistake)
            .output()
            .expect("the test's own binary runs");
        let told = String::from_utf8_lossy(&run.stderr);
        assert!(!run.status.success(), "nobody sees {mistake}");
        assert!(told.contains("no order explains"), "{mistake} is seen as something else: {told}");
    }
}
