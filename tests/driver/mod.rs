//! Random commands, clock steps and restarts, done to an engine and to the plain reference side by
//! side.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use stockhold::clock::ManualClock;
use stockhold::command::{Adjust, Command, SetPolicy, WriteOff};
use stockhold::outcome::{Outcome, Reserved};
use stockhold::{
    AccountId, AccountKey, Confirm, Engine, Error, ErrorKind, IdempotencyKey, Line, Policy,
    Receive, Release, ReservationId, Reserve, ReserveOutcome, Window,
};
use tempfile::TempDir;

use crate::reference::{Answer, Ask, Place, Reference};

/// Long enough that a dozen reservations fill the smallest segment, and the journal goes on in the
/// next.
const DETAILS: [u8; 10 << 10] = [7; 10 << 10];

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
    asked: Vec<(Ask, u8)>,
}

impl Run {
    pub fn new() -> Self {
        let mut run = Self {
            dir: TempDir::new().expect("a temporary directory"),
            clock: Arc::new(ManualClock::new(1_000)),
            engine: None,
            ids: [None; 8],
            reference: Reference::new(1_000).with_changing_rules().keeping(WINDOW_MS),
            // One that was never made.
            made: vec![ReservationId::from_number(u64::MAX >> 1)],
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
        let policy = self.reference.accounts.get(&place).map_or(policy, |account| account.policy);
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
        self.reference.open(place, policy);
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
        self.reference.set_policy(place, policy);
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
            Step::Checkpoint => drop(self.engine().checkpoint().expect("it is written")),
            Step::Reopen { close, checkpoint } => self.reopen(close, checkpoint),
        }
        self.compare();
    }

    /// Drops or closes the engine, and opens it again.
    pub fn reopen(&mut self, close: bool, checkpoint: bool) {
        let engine = self.engine.take().expect("the engine is open between steps");
        if checkpoint {
            engine.checkpoint().expect("it is written");
        }
        if close {
            engine.close().expect("it closes");
        }
        drop(engine);
        self.start();
    }

    fn pick(&mut self, wish: Wish) -> Ask {
        let ask = match wish {
            Wish::Sound(ask) => ask,
            Wish::Confirm { pick, owner, parts } => {
                Ask::Confirm { reservation: self.recent(pick), owner, parts }
            }
            Wish::Release { pick, owner } => Ask::Release { reservation: self.recent(pick), owner },
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
            Ask::Confirm { owner, .. } | Ask::Release { owner, .. } => {
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
        let outcome = self.with_command(&ask, key, |engine, command| {
            let ticket = engine.execute(command)?;
            let outcome = ticket.outcome();
            if wait {
                assert_eq!(ticket.wait()?, outcome);
            }
            Ok(outcome)
        });
        self.check(ask, key, outcome);
    }

    fn batch(&mut self, asks: Vec<(Ask, Option<u8>)>) {
        let pieces: Vec<Pieces> = asks.iter().map(|(ask, key)| self.pieces(ask, *key)).collect();
        let commands: Vec<Command<'_>> =
            asks.iter().zip(&pieces).map(|((ask, _), pieces)| self.command(ask, pieces)).collect();
        let outcomes =
            self.engine().batch(&commands).and_then(|ticket| ticket.wait()).expect("it is a batch");
        assert_eq!(outcomes.len(), asks.len());
        for ((ask, key), outcome) in asks.into_iter().zip(outcomes) {
            self.check(ask, key, outcome);
        }
    }

    fn with_command<T>(
        &self,
        ask: &Ask,
        key: Option<u8>,
        run: impl FnOnce(&Engine, &Command<'_>) -> T,
    ) -> T {
        let pieces = self.pieces(ask, key);
        run(self.engine(), &self.command(ask, &pieces))
    }

    fn id(&self, place: Place) -> AccountId {
        self.ids[place].expect("accounts are opened before they are named")
    }

    fn pieces(&self, ask: &Ask, key: Option<u8>) -> Pieces {
        let key =
            key.map(|key| IdempotencyKey::new("model", &key.to_string()).expect("a valid key"));
        let lines = match ask {
            Ask::Reserve { lines, .. } => lines
                .iter()
                .map(|(place, quantity)| Line { account: self.id(*place), quantity: *quantity })
                .collect(),
            _ => Vec::new(),
        };
        Pieces { lines, key }
    }

    fn command<'a>(&self, ask: &'a Ask, pieces: &'a Pieces) -> Command<'a> {
        let key = pieces.key;
        let owner_of = |owner: &Option<Place>| owner.map(|place| self.id(place));
        match ask {
            Ask::Receive { account, quantity } => {
                Command::Receive(Receive::new(self.id(*account), *quantity).note("in").key(key))
            }
            Ask::Adjust { account, delta } => {
                Command::Adjust(Adjust::new(self.id(*account), *delta).note("count").key(key))
            }
            Ask::WriteOff { account, quantity } => Command::WriteOff(
                WriteOff::new(self.id(*account), *quantity).note("broken").key(key),
            ),
            Ask::Reserve { ttl_ms, confirm, owner, .. } => {
                let reserve = Reserve::new(&pieces.lines, *ttl_ms).details(&DETAILS);
                let mut reserve = reserve.owner(owner_of(owner)).key(key);
                reserve.confirm = *confirm;
                Command::Reserve(reserve)
            }
            Ask::Confirm { reservation, owner, parts } => {
                let mut confirm = Confirm::new(*reservation).owner(owner_of(owner)).key(key);
                confirm.quantities = parts.as_deref();
                Command::Confirm(confirm)
            }
            Ask::Release { reservation, owner } => {
                Command::Release(Release::new(*reservation).owner(owner_of(owner)).key(key))
            }
        }
    }

    /// Holds what the engine said to what the reference says.
    fn check(&mut self, ask: Ask, key: Option<u8>, outcome: Result<Outcome, Error>) {
        let expected = self.reference.ask(&ask, key);
        let said = outcome.map_err(|error| error.kind());
        let place_of = |account| self.ids.iter().position(|id| *id == Some(account));
        assert!(
            expected.agrees(&said, place_of),
            "{ask:?} with key {key:?} came to {said:?}, expected {expected:?}"
        );
        if let (
            Answer::Reserved { reservation: None, .. },
            Ok(Outcome::Reserve(ReserveOutcome::Reserved(Reserved { reservation, .. }))),
        ) = (expected, said)
        {
            assert!(!self.made.contains(&reservation), "the number {reservation} was given before");
            self.made.push(reservation);
            self.reference.number(&ask, key, reservation);
        }
        self.asked.extend(key.map(|key| (ask, key)));
    }

    /// Holds the engine's state to the reference's.
    pub fn compare(&self) {
        let engine = self.engine();
        for (place, expected) in &self.reference.accounts {
            let level = engine.level(self.id(*place)).expect("the account is open");
            let seen = (
                level.available,
                level.reserved,
                level.consumed,
                level.received,
                level.written_off,
            );
            let should = (
                expected.available,
                expected.reserved,
                expected.consumed,
                expected.received,
                expected.written_off,
            );
            assert_eq!(
                seen, should,
                "the level of {} (available, reserved, consumed, received, lost)",
                level.key
            );
            assert_eq!(level.policy, expected.policy, "the rules of {}", level.key);
            let takeable = engine.takeable(level.account).expect("the account is open");
            assert_eq!(
                takeable,
                expected.takeable(self.reference.now),
                "what can be taken of {}",
                level.key
            );
        }
        assert_eq!(engine.levels().len(), self.reference.accounts.len());
        assert_eq!(engine.pending_count(), self.reference.pending.len());
        for (id, held) in &self.reference.pending {
            let pending = engine.pending(*id).unwrap_or_else(|| panic!("{id} is pending"));
            let lines = held
                .lines
                .iter()
                .map(|(place, quantity)| Line { account: self.id(*place), quantity: *quantity });
            assert_eq!(pending.lines, lines.collect::<Vec<_>>(), "the lines of {id}");
            assert_eq!(pending.expires_at, held.expires_at, "the deadline of {id}");
            assert_eq!(pending.owner, held.owner.map(|place| self.id(place)), "the owner of {id}");
        }
    }
}

/// What a command borrows.
struct Pieces {
    lines: Vec<Line>,
    key: Option<IdempotencyKey>,
}
