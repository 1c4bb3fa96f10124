//! The oracle beside the accounts of a test, which names them by their places.
#![allow(dead_code, reason = "each test uses its part of this module")]

use stockhold::command::{Atomic, Deadline};
use stockhold::event::Fact;
use stockhold::test_util::oracle::{self, Books, Bounds, Checked, Due, Said, SaidTogether, Terms};
use stockhold::{
    AccountId, AccountKey, ErrorKind, IdempotencyKey, Line, Policy, ReservationId, TimeMs,
};

/// An account by its place in the test's list.
pub type Place = usize;

/// A request by what it asks, with accounts by their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    Receive { account: Place, quantity: u64 },
    Adjust { account: Place, delta: i64 },
    Count { account: Place, units: u64 },
    WriteOff { account: Place, quantity: u64 },
    Reserve { lines: Vec<(Place, u64)>, ttl_ms: u64, confirm: bool, owner: Option<Place> },
    Confirm { reservation: ReservationId, owner: Option<Place>, parts: Option<Vec<u64>> },
    Release { reservation: ReservationId, owner: Option<Place> },
    Transfer { from: Place, to: Place, quantity: u64 },
    Extend { reservation: ReservationId, deadline: Deadline, owner: Option<Place> },
}

impl Ask {
    /// The places of the accounts that it names.
    pub fn places(&self) -> Vec<Place> {
        match self {
            Self::Receive { account, .. }
            | Self::Adjust { account, .. }
            | Self::Count { account, .. }
            | Self::WriteOff { account, .. } => vec![*account],
            Self::Reserve { lines, owner, .. } => {
                lines.iter().map(|(place, _)| *place).chain(*owner).collect()
            }
            Self::Transfer { from, to, .. } => vec![*from, *to],
            Self::Confirm { owner, .. }
            | Self::Release { owner, .. }
            | Self::Extend { owner, .. } => owner.iter().copied().collect(),
        }
    }

    /// The same with accounts by their numbers, and so many bytes of details.
    pub fn with(&self, id: impl Fn(Place) -> AccountId, details: usize) -> oracle::Ask {
        match self.clone() {
            Self::Receive { account, quantity } => {
                oracle::Ask::Receive { account: id(account), quantity }
            }
            Self::Adjust { account, delta } => oracle::Ask::Adjust { account: id(account), delta },
            Self::Count { account, units } => oracle::Ask::Count { account: id(account), units },
            Self::WriteOff { account, quantity } => {
                oracle::Ask::WriteOff { account: id(account), quantity }
            }
            Self::Reserve { lines, ttl_ms, confirm, owner } => {
                let line = |(place, quantity)| Line { account: id(place), quantity };
                let (lines, owner) = (lines.into_iter().map(line).collect(), owner.map(&id));
                oracle::Ask::Reserve { lines, ttl_ms, confirm, owner, details }
            }
            Self::Confirm { reservation, owner, parts } => {
                oracle::Ask::Confirm { reservation, owner: owner.map(id), parts }
            }
            Self::Release { reservation, owner } => {
                oracle::Ask::Release { reservation, owner: owner.map(id) }
            }
            Self::Transfer { from, to, quantity } => {
                oracle::Ask::Transfer { from: id(from), to: id(to), quantity }
            }
            Self::Extend { reservation, deadline, owner } => {
                oracle::Ask::Extend { reservation, deadline, owner: owner.map(id) }
            }
        }
    }
}

/// What must be, and at which time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub now: TimeMs,
    pub books: Books,
    /// For how long answers are kept.
    window_ms: u64,
}

impl Reference {
    pub fn new(now: TimeMs) -> Self {
        Self { now, books: Books::default(), window_ms: 24 * 3_600_000 }
    }

    /// The same, for an engine that keeps answers for this long.
    pub fn keeping(self, window_ms: u64) -> Self {
        Self { window_ms, ..self }
    }

    /// The same state at another time.
    pub fn at(&self, now: TimeMs) -> Self {
        Self { now, ..self.clone() }
    }

    /// Opens an account, unless it is open.
    pub fn open(&mut self, account: AccountId, key: AccountKey, policy: Policy) {
        if !self.books.accounts.contains_key(&account) {
            self.enter(vec![Fact::AccountOpened { account, key, policy }]);
        }
    }

    /// Everything whose deadline has come ends; returns how many that were.
    pub fn expire_due(&mut self) -> usize {
        let due = self.books.due(self.now);
        due.iter().for_each(|id| assert!(self.expire(*id)));
        due.len()
    }

    /// Whether this reservation's deadline has come and it ends.
    pub fn expire(&mut self, id: ReservationId) -> bool {
        let lapse = self.books.lapse(id, self.now);
        let is_due = lapse.is_some();
        self.enter(lapse.into_iter().collect());
        is_due
    }

    /// Holds what was said of a request to what must come of it, and enters that. A key is told by
    /// its number and by what is asked.
    ///
    /// # Errors
    /// What should have been said.
    pub fn hear(
        &mut self,
        ask: &oracle::Ask,
        key: Option<u8>,
        said: Result<Said, ErrorKind>,
        is_alone: bool,
    ) -> Checked {
        let command = ask.command(key.map(|key| ask.key(key)));
        self.books.hear(&command, self.now, &said, &self.terms(), is_alone)
    }

    /// Holds what was said of commands that were to happen together to what must come of them.
    ///
    /// # Errors
    /// What should have been said.
    pub fn hear_together(
        &mut self,
        asks: &[oracle::Ask],
        key: Option<u8>,
        said: &Result<SaidTogether, ErrorKind>,
    ) -> Checked {
        let commands: Vec<_> = asks.iter().map(|ask| ask.command(None)).collect();
        let key = key.map(|key| oracle::key_of(key, &format!("{asks:?}")));
        let atomic = Atomic::new(&commands).key(key);
        self.books.hear_together(&atomic, self.now, said, &self.terms())
    }

    /// Holds what was said of a request that is no command to what must come of it.
    ///
    /// # Errors
    /// What should have been said.
    pub fn hear_due(
        &mut self,
        due: Due,
        key: Option<IdempotencyKey>,
        said: &Result<Said, ErrorKind>,
    ) -> Checked {
        self.books.hear_due(due, key, self.now, said, &self.terms())
    }

    fn terms(&self) -> Terms {
        Terms { window_ms: self.window_ms, bounds: Bounds::NONE }
    }

    /// In a search among accounts of which no rule asks when things happened.
    pub fn forget_times(&mut self) {
        self.now = 0;
        self.books.forget_times();
    }

    fn enter(&mut self, facts: Vec<Fact<'static>>) {
        self.books
            .enter_all(self.now, None, facts, |_| {})
            .expect("what is decided can be entered");
    }
}
