//! Random commands, clock steps and restarts, done to an engine and to the plain reference side by
//! side.

mod line;
pub mod plan;
mod record;
mod returns;
mod revivals;
mod together;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use stockhold::clock::ManualClock;
use stockhold::command::Command;
use stockhold::outcome::Outcome;
use stockhold::test_util::oracle::{self, Due, Said};
use stockhold::{
    AccountId, AccountKey, Engine, Error, ErrorKind, IdempotencyKey, Policy, Reacquire,
    ReservationId,
};
use tempfile::TempDir;

use self::plan::{Step, WINDOWS, Wish, accounts};
use self::record::Recorded;
use self::returns::Returned;
use crate::reference::{Ask, Place, Reference};

/// Long enough that a dozen reservations fill the smallest segment, and the journal goes on in the
/// next.
const DETAILS: usize = 10 << 10;

/// Short enough that keys are used again in a run.
const WINDOW_MS: u64 = 150;

/// An engine and the reference, side by side.
pub struct Run {
    /// `None` only while it is reopened.
    engine: Option<Engine>,
    /// Dropped after the engine, whose files it has.
    dir: TempDir,
    clock: Arc<ManualClock>,
    ids: [Option<AccountId>; 8],
    reference: Reference,
    made: Vec<ReservationId>,
    /// Those that had ended when a checkpoint was last written.
    shown: BTreeSet<ReservationId>,
    asked: Vec<(Asked, u8)>,
}

/// A request that had a key.
#[derive(Clone, Debug)]
enum Asked {
    One(Ask),
    Together(Vec<Ask>),
    Return(Returned),
    Revive(Reacquire),
    Record(Recorded),
}

impl Asked {
    /// The other request that asks for the same, where there is one: a release gives up what a
    /// return of everything gives up, and a confirm confirms what a revival confirms.
    fn in_other_words(self) -> Self {
        match self {
            Self::One(Ask::Confirm { reservation, owner: None, parts: None }) => {
                Self::Revive(Reacquire::new(reservation))
            }
            Self::Revive(Reacquire { reservation, owner: None, .. }) => {
                Self::One(Ask::Confirm { reservation, owner: None, parts: None })
            }
            Self::One(Ask::Release { reservation, owner: None }) => {
                Self::Return(Returned::whole(reservation))
            }
            Self::Return(returned) if returned == Returned::whole(returned.reservation()) => {
                Self::One(Ask::Release { reservation: returned.reservation(), owner: None })
            }
            other => other,
        }
    }
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
        // With history, which knows what was consumed and may go back.
        let builder = Engine::builder(self.dir.path()).clock(Arc::clone(&self.clock) as _);
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

    fn close(&mut self, place: Place) {
        self.open_all([place]);
        let account = self.id(place);
        let said = self.engine().close_account(account).and_then(|ticket| ticket.wait());
        let said = said.map(Said::from).map_err(|error| error.kind());
        let due = self.reference.books.decide_close(account, self.reference.now);
        self.hear_due(due, None, &said, &account);
        if matches!(said, Ok(Said::Closed { .. })) {
            self.ids[place] = None;
        }
    }

    /// Takes a step on both, and compares them.
    pub fn step(&mut self, step: Step) {
        match step {
            Step::Ask { wish, key, wait } => {
                let ask = self.pick(wish);
                self.ask(ask, key, wait);
            }
            Step::Retry { .. } if self.asked.is_empty() => {}
            Step::Retry { pick, is_other } => {
                let (asked, key) = self.asked[pick % self.asked.len()].clone();
                let asked = if is_other { asked.in_other_words() } else { asked };
                self.again(asked, key);
            }
            Step::Batch(wishes) => {
                let asks = wishes.into_iter().map(|(wish, key)| (self.pick(wish), key)).collect();
                self.batch(asks);
            }
            Step::Together { wishes, key } => {
                let asks = wishes.into_iter().map(|wish| self.pick(wish)).collect();
                self.together(asks, key);
            }
            Step::Return { wish, key } => {
                let returned = self.pick_return(wish);
                self.give_back(returned, key);
            }
            Step::Revive { wish, key } => {
                let asked = self.pick_revival(wish);
                self.revive(asked, key);
            }
            Step::Open(place) => self.open(place),
            Step::Close(place) => self.close(place),
            Step::Join { place, owner, places_max } => self.join(place, owner, places_max),
            Step::Leave { place, owner, is_first } => self.leave(place, owner, is_first),
            Step::Grant { place, units, ttl_ms, is_last } => {
                self.grant(place, units, ttl_ms, is_last);
            }
            Step::SetPolicy { place, limit, window, key } => {
                self.open_all([place]);
                let policy = Policy::quota(limit, WINDOWS[window]);
                self.record(Recorded::Policy { account: self.id(place), policy }, key);
            }
            Step::Document { name, bytes, key } => {
                self.record(Recorded::Document { name, bytes }, key);
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
        self.open_all(ask.places());
        ask
    }

    /// Opens those of these that are not.
    fn open_all(&mut self, places: impl IntoIterator<Item = Place>) {
        for place in places {
            if self.ids[place].is_none() {
                self.open(place);
            }
        }
    }

    /// A retry of what was asked with this key.
    fn again(&mut self, asked: Asked, key: u8) {
        match asked {
            Asked::One(ask) => {
                self.open_all(ask.places());
                self.ask(ask, Some(key), true);
            }
            Asked::Together(asks) => {
                self.open_all(asks.iter().flat_map(Ask::places));
                self.together(asks, Some(key));
            }
            Asked::Return(returned) => self.give_back(returned, Some(key)),
            Asked::Revive(asked) => self.revive(asked, Some(key)),
            Asked::Record(recorded) => self.record(recorded, Some(key)),
        }
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
        self.asked.extend(key.map(|key| (Asked::One(ask), key)));
    }

    /// Holds what was said of a request that is no command, told by what it is, to what is due.
    fn hear_due(
        &mut self,
        due: Due,
        key: Option<IdempotencyKey>,
        said: &Result<Said, ErrorKind>,
        what: &dyn Debug,
    ) {
        if let Err(why) = self.reference.hear_due(due, key, said) {
            panic!("{what:?} with key {key:?}: {why}");
        }
    }

    /// Holds the engine's state to the reference's.
    pub fn compare(&self) {
        self.reference.books.compare(self.engine()).unwrap_or_else(|why| panic!("{why}"));
    }
}

fn key_of(key: u8) -> IdempotencyKey {
    IdempotencyKey::new("model", &key.to_string()).expect("a valid key")
}
