//! Random commands, clock steps and restarts, done to an engine and to the plain reference side by
//! side.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use stockhold::clock::ManualClock;
use stockhold::command::{Command, Deadline, SetPolicy};
use stockhold::outcome::Outcome;
use stockhold::test_util::oracle::{self, Said};
use stockhold::{
    AccountId, AccountKey, Engine, Error, ErrorKind, IdempotencyKey, Policy, ReservationId, Window,
};
use tempfile::TempDir;

use crate::reference::{Ask, Place, Reference};

/// Long enough that a dozen reservations fill the smallest segment, and the journal goes on in the
/// next.
const DETAILS: usize = 10 << 10;

/// The rules that quotas change between.
pub const WINDOWS: [Window; 5] = [
    Window::Never,
    Window::Rolling { length_ms: 50 },
    Window::Rolling { length_ms: 200 },
    Window::Fixed { length_ms: 40, offset_ms: 47 },
    Window::Outstanding,
];
/// Short enough that keys are used again in a run.
const WINDOW_MS: u64 = 150;

/// The accounts of the test: each rule that an account can have.
pub fn accounts() -> [(&'static str, Policy); 8] {
    [
        ("stock/tea", Policy::strict()),
        ("stock/cup", Policy::backorder(3)),
        ("points/ann", Policy::strict()),
        ("points/bob", Policy::strict()),
        ("quota/ann/tea", Policy::quota(4, Window::Rolling { length_ms: 50 })),
        ("quota/bob/tea", Policy::quota(3, Window::Fixed { length_ms: 40, offset_ms: 47 })),
        ("quota/ann", Policy::quota(5, Window::Outstanding)),
        ("quota/bob/cup", Policy::quota(6, Window::Never)),
    ]
}

/// A request whose reservation is still to be picked among those that there are.
#[derive(Clone, Debug)]
pub enum Wish {
    Sound(Ask),
    Confirm { pick: usize, owner: Option<Place>, parts: Option<Vec<u64>> },
    Release { pick: usize, owner: Option<Place> },
    Extend { pick: usize, deadline: Deadline, owner: Option<Place> },
}

/// One thing that happens to an engine.
#[derive(Clone, Debug)]
pub enum Step {
    Ask {
        wish: Wish,
        key: Option<u8>,
        wait: bool,
    },
    /// An earlier keyed request once more.
    Retry {
        pick: usize,
    },
    Batch(Vec<(Wish, Option<u8>)>),
    Open(Place),
    /// Other rules for an account.
    SetPolicy {
        place: Place,
        limit: u64,
        window: usize,
    },
    Tick(u64),
    Expire,
    Checkpoint,
    Reopen {
        close: bool,
        checkpoint: bool,
    },
}

fn wishes() -> impl Strategy<Value = Wish> {
    let place = || 0..accounts().len();
    let owner = || prop_oneof![4 => Just(None), 1 => (0..accounts().len()).prop_map(Some)];
    let deltas = prop_oneof![1..20i64, -8..0i64];
    let parts = proptest::option::of(vec(0..4u64, 1..=3));
    // The clock starts somewhere else: times that have passed, and such as are to come.
    let deadlines = prop_oneof![
        4 => (1..60u64).prop_map(Deadline::After),
        1 => (0..200u64).prop_map(|by_ms| Deadline::At(1_000 + by_ms)),
    ];
    let lines = vec((place(), 1..4u64), 1..=3);
    prop_oneof![
        2 => (place(), 1..12u64).prop_map(|(account, quantity)| Wish::Sound(Ask::Receive { account, quantity })),
        1 => (place(), deltas).prop_map(|(account, delta)| Wish::Sound(Ask::Adjust { account, delta })),
        1 => (place(), 1..6u64).prop_map(|(account, quantity)| Wish::Sound(Ask::WriteOff { account, quantity })),
        6 => (lines, 1..60u64, proptest::bool::weighted(0.25), owner()).prop_map(|(lines, ttl_ms, confirm, owner)| {
            Wish::Sound(Ask::Reserve { lines, ttl_ms, confirm, owner })
        }),
        3 => (any::<usize>(), owner(), parts).prop_map(|(pick, owner, parts)| Wish::Confirm { pick, owner, parts }),
        2 => (any::<usize>(), owner()).prop_map(|(pick, owner)| Wish::Release { pick, owner }),
        1 => (any::<usize>(), deadlines, owner()).prop_map(|(pick, deadline, owner)| Wish::Extend { pick, deadline, owner }),
        1 => (0..4usize, 0..4usize, 1..6u64).prop_map(|(from, to, quantity)| Wish::Sound(Ask::Transfer { from, to, quantity })),
        1 => (place(), place(), 1..6u64).prop_map(|(from, to, quantity)| Wish::Sound(Ask::Transfer { from, to, quantity })),
    ]
}

fn keys() -> impl Strategy<Value = Option<u8>> {
    // Few enough that a key meets another request now and then.
    prop_oneof![2 => Just(None), 1 => (0..60u8).prop_map(Some)]
}

/// Sequences of steps.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (wishes(), keys(), any::<bool>()).prop_map(|(wish, key, wait)| Step::Ask { wish, key, wait }),
        2 => any::<usize>().prop_map(|pick| Step::Retry { pick }),
        2 => vec((wishes(), keys()), 1..6).prop_map(Step::Batch),
        1 => (0..accounts().len()).prop_map(Step::Open),
        1 => (4..accounts().len(), 1..8u64, 0..WINDOWS.len()).prop_map(|(place, limit, window)| {
            Step::SetPolicy { place, limit, window }
        }),
        3 => (1..30u64).prop_map(Step::Tick),
        2 => Just(Step::Expire),
        1 => Just(Step::Checkpoint),
        1 => any::<(bool, bool)>().prop_map(|(close, checkpoint)| Step::Reopen { close, checkpoint }),
    ];
    vec(step, 20..120)
}

/// An engine and the reference, side by side.
pub struct Run {
    dir: TempDir,
    clock: Arc<ManualClock>,
    /// `None` only while it is reopened.
    engine: Option<Engine>,
    ids: [Option<AccountId>; 8],
    reference: Reference,
    made: Vec<ReservationId>,
    /// Those that had ended when a checkpoint was last written.
    shown: BTreeSet<ReservationId>,
    asked: Vec<(Ask, u8)>,
}

impl Run {
    pub fn new() -> Self {
        let mut run = Self {
            dir: TempDir::new().expect("a temporary directory"),
            clock: Arc::new(ManualClock::new(1_000)),
            engine: None,
            ids: [None; 8],
            reference: Reference::new(1_000).keeping(WINDOW_MS),
            // One that was never made.
            made: vec![ReservationId::from_number(u64::MAX >> 1)],
            shown: BTreeSet::new(),
            asked: Vec::new(),
        };
        run.start();
        run
    }

    fn start(&mut self) {
        let builder =
            Engine::builder(self.dir.path()).clock(Arc::clone(&self.clock) as _).history(false);
        let builder = builder.idempotency_window_ms(WINDOW_MS);
        self.engine = Some(builder.segment_bytes(128 << 10).open().expect("the directory opens"));
    }

    pub fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("the engine is open between steps")
    }

    fn open(&mut self, place: Place) {
        let (name, policy) = accounts()[place];
        // The rules of an open account are those that it was given last.
        let known = self.ids[place].map(|id| self.reference.books.accounts[&id].policy);
        let policy = known.unwrap_or(policy);
        let key: AccountKey = name.parse().expect("a valid key");
        if self.ids[place].is_some() {
            let other = self
                .engine()
                .open_account(&key, Policy::backorder(1))
                .map_err(|error| error.kind());
            assert_eq!(other, Err(ErrorKind::Conflict), "who opens it with other rules is told");
        }
        let id = self.engine().open_account(&key, policy).expect("there is room");
        assert!(self.ids[place].is_none_or(|before| before == id), "{name} has two numbers");
        assert_eq!(self.engine().account(&key), Some(id));
        self.ids[place] = Some(id);
        self.reference.open(id, key, policy);
    }

    fn set_policy(&mut self, place: Place, policy: Policy) {
        if self.ids[place].is_none() {
            self.open(place);
        }
        drop(
            self.engine()
                .set_policy(SetPolicy::new(self.id(place), policy))
                .expect("any rule goes"),
        );
        self.reference.set_policy(self.id(place), policy);
    }

    /// Takes a step on both, and compares them.
    pub fn step(&mut self, step: Step) {
        match step {
            Step::Ask { wish, key, wait } => {
                let ask = self.pick(wish);
                self.ask(ask, key, wait);
            }
            Step::Retry { .. } if self.asked.is_empty() => {}
            Step::Retry { pick } => {
                let (ask, key) = self.asked[pick % self.asked.len()].clone();
                self.ask(ask, Some(key), true);
            }
            Step::Batch(wishes) => {
                let asks = wishes.into_iter().map(|(wish, key)| (self.pick(wish), key)).collect();
                self.batch(asks);
            }
            Step::Open(place) => self.open(place),
            Step::SetPolicy { place, limit, window } => {
                self.set_policy(place, Policy::quota(limit, WINDOWS[window]))
            }
            Step::Tick(by_ms) => {
                self.clock.advance(by_ms);
                self.reference.now += by_ms;
            }
            Step::Expire => {
                assert_eq!(
                    self.engine().expire_due().expect("it admits"),
                    self.reference.expire_due()
                );
            }
            Step::Checkpoint => self.checkpoint(),
            Step::Reopen { close, checkpoint } => self.reopen(close, checkpoint),
        }
        self.compare();
    }

    /// Drops or closes the engine, and opens it again.
    pub fn reopen(&mut self, close: bool, checkpoint: bool) {
        if checkpoint || close {
            self.checkpoint();
        }
        let engine = self.engine.take().expect("the engine is open between steps");
        if close {
            engine.close().expect("it closes");
        }
        drop(engine);
        self.start();
        self.reference.books.faded.clone_from(&self.shown);
    }

    fn checkpoint(&mut self) {
        self.engine().checkpoint().expect("it is written");
        self.shown = self.reference.books.ended.keys().copied().collect();
    }

    fn pick(&mut self, wish: Wish) -> Ask {
        let ask = match wish {
            Wish::Sound(ask) => ask,
            Wish::Confirm { pick, owner, parts } => {
                Ask::Confirm { reservation: self.recent(pick), owner, parts }
            }
            Wish::Release { pick, owner } => Ask::Release { reservation: self.recent(pick), owner },
            Wish::Extend { pick, deadline, owner } => {
                Ask::Extend { reservation: self.recent(pick), deadline, owner }
            }
        };
        let named: Vec<Place> = match &ask {
            Ask::Receive { account, .. }
            | Ask::Adjust { account, .. }
            | Ask::WriteOff { account, .. } => {
                vec![*account]
            }
            Ask::Reserve { lines, owner, .. } => {
                lines.iter().map(|(place, _)| *place).chain(*owner).collect()
            }
            Ask::Transfer { from, to, .. } => vec![*from, *to],
            Ask::Confirm { owner, .. } | Ask::Release { owner, .. } | Ask::Extend { owner, .. } => {
                owner.iter().copied().collect()
            }
        };
        for place in
            named.into_iter().filter(|place| self.ids[*place].is_none()).collect::<BTreeSet<_>>()
        {
            self.open(place);
        }
        ask
    }

    /// One of the newest reservations: old ones have ended, and teach little.
    fn recent(&self, pick: usize) -> ReservationId {
        let recent = &self.made[self.made.len().saturating_sub(6)..];
        recent[pick % recent.len()]
    }

    fn ask(&mut self, ask: Ask, key: Option<u8>, wait: bool) {
        let request = ask.with(|place| self.id(place), DETAILS);
        let said = self.engine().execute(&request.command(key.map(key_of))).and_then(|ticket| {
            let outcome = ticket.outcome();
            if wait {
                assert_eq!(ticket.wait()?, outcome);
            }
            Ok(outcome)
        });
        self.check(ask, key, said, true);
    }

    fn batch(&mut self, asks: Vec<(Ask, Option<u8>)>) {
        let requests: Vec<oracle::Ask> =
            asks.iter().map(|(ask, _)| ask.with(|place| self.id(place), DETAILS)).collect();
        let commands: Vec<Command<'_>> = requests
            .iter()
            .zip(&asks)
            .map(|(request, (_, key))| request.command(key.map(key_of)))
            .collect();
        let said =
            self.engine().batch(&commands).and_then(|ticket| ticket.wait()).expect("it is a batch");
        assert_eq!(said.len(), asks.len());
        for ((ask, key), said) in asks.into_iter().zip(said) {
            self.check(ask, key, said, false);
        }
    }

    fn id(&self, place: Place) -> AccountId {
        self.ids[place].expect("accounts are opened before they are named")
    }

    /// Holds what the engine said to what the reference says.
    fn check(&mut self, ask: Ask, key: Option<u8>, said: Result<Outcome, Error>, is_alone: bool) {
        let said = said.map(Said::from).map_err(|error| error.kind());
        let request = ask.with(|place| self.id(place), DETAILS);
        if let Err(why) = self.reference.hear(&request, key, said, is_alone) {
            panic!("{ask:?} with key {key:?}: {why}");
        }
        if let Ok(Said::Reserved { reservation, .. }) = said {
            self.made.push(reservation);
        }
        self.asked.extend(key.map(|key| (ask, key)));
    }

    /// Holds the engine's state to the reference's.
    pub fn compare(&self) {
        self.reference.books.compare(self.engine()).unwrap_or_else(|why| panic!("{why}"));
    }
}

fn key_of(key: u8) -> IdempotencyKey {
    IdempotencyKey::new("model", &key.to_string()).expect("a valid key")
}
