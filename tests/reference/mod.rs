//! What the ledger should do, written plainly: a list of accounts, a list of reservations, one
//! clock.
#![allow(dead_code, reason = "each test uses its part of this module")]

use std::collections::BTreeMap;

use stockhold::outcome::{Outcome, Refusal};
use stockhold::{
    AccountId, ConfirmOutcome, ErrorKind, Policy, ReleaseOutcome, ReservationId, TimeMs, Window,
};

/// An account by its place in the test's list.
pub type Place = usize;

/// A request by what it asks, with accounts by their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    Receive { account: Place, quantity: u64 },
    Adjust { account: Place, delta: i64 },
    WriteOff { account: Place, quantity: u64 },
    Reserve { lines: Vec<(Place, u64)>, ttl_ms: u64, confirm: bool, owner: Option<Place> },
    Confirm { reservation: ReservationId, owner: Option<Place>, parts: Option<Vec<u64>> },
    Release { reservation: ReservationId, owner: Option<Place> },
}

/// What must come out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Changed {
        account: Place,
        available: i64,
    },
    /// The ledger chooses the number; `None` until it has.
    Reserved {
        reservation: Option<ReservationId>,
        expires_at: TimeMs,
        confirmed: bool,
    },
    /// One of these, in the order of preference: (line, account, available, next release).
    Refused(Vec<(usize, Place, u64, Option<TimeMs>)>),
    Confirmed {
        reservation: ReservationId,
    },
    Released {
        reservation: ReservationId,
    },
    Late {
        reservation: ReservationId,
        expires_at: TimeMs,
    },
    NotPending {
        reservation: ReservationId,
    },
    Error(ErrorKind),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub policy: Policy,
    pub available: i64,
    pub reserved: u64,
    pub consumed: u64,
    pub received: u64,
    pub written_off: u64,
    /// Units granted: the limit, and what was added beside it.
    granted: u64,
    /// What was consumed, and when.
    uses: Vec<(TimeMs, u64)>,
    /// Whether times are told apart though the first rule does not ask for them.
    keeps_times: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub owner: Option<Place>,
    pub lines: Vec<(Place, u64)>,
    pub expires_at: TimeMs,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    pub now: TimeMs,
    pub accounts: BTreeMap<Place, Account>,
    pub pending: BTreeMap<ReservationId, Held>,
    /// Until when each is kept.
    answers: BTreeMap<u8, (Ask, Answer, TimeMs)>,
    /// For how long answers are kept.
    window_ms: u64,
    /// Whether accounts may get other rules.
    rules_change: bool,
}

impl Answer {
    /// Whether this is what the engine said; `place_of` finds an account in the test's list.
    pub fn agrees(
        &self,
        said: &Result<Outcome, ErrorKind>,
        place_of: impl Fn(AccountId) -> Option<Place>,
    ) -> bool {
        let outcome = match (self, said) {
            (Self::Error(kind), Err(error)) => return error == kind,
            (Self::Error(_), Ok(_)) | (_, Err(_)) => return false,
            (_, Ok(outcome)) => *outcome,
        };
        let is_not_pending = matches!(
            outcome,
            Outcome::Confirm(ConfirmOutcome::NotPending { .. })
                | Outcome::Release(ReleaseOutcome::NotPending { .. })
        );
        match *self {
            Self::Error(_) => false,
            Self::Changed { account, available } => outcome.changed().is_some_and(|changed| {
                (place_of(changed.account), changed.available) == (Some(account), available)
            }),
            Self::Reserved { reservation, expires_at, confirmed } => {
                outcome.reserved().is_some_and(|reserved| {
                    reservation.is_none_or(|first| first == reserved.reservation)
                        && (expires_at, confirmed) == (reserved.expires_at, reserved.confirmed)
                })
            }
            Self::Refused(ref refusals) => outcome.refusal().is_some_and(|refusal| {
                let Refusal { line, account, available, next_release_at, .. } = refusal;
                let place = place_of(account);
                place.is_some_and(|place| {
                    refusals.contains(&(line, place, available, next_release_at))
                })
            }),
            Self::Confirmed { reservation } => {
                outcome == Outcome::Confirm(ConfirmOutcome::Confirmed { reservation })
            }
            Self::Released { reservation } => {
                outcome == Outcome::Release(ReleaseOutcome::Released { reservation })
            }
            Self::NotPending { .. } => is_not_pending,
            Self::Late { reservation, expires_at } => {
                outcome == Outcome::Confirm(ConfirmOutcome::Late { reservation, expires_at })
                    || outcome == Outcome::Release(ReleaseOutcome::Late { reservation, expires_at })
            }
        }
    }
}

impl Account {
    /// When units consumed at a moment stop to count, if ever.
    fn back_at(&self, at: TimeMs) -> Option<TimeMs> {
        match self.policy.window {
            Window::Never => None,
            Window::Outstanding => Some(at),
            Window::Rolling { length_ms } => Some(at + length_ms),
            // The first border after it, found by walking.
            Window::Fixed { length_ms, offset_ms } => (0..)
                .map(|window| offset_ms % length_ms + window * length_ms)
                .find(|border| *border > at),
        }
    }

    /// Of what was consumed, what counts now by the rule in force.
    fn counted(&self, now: TimeMs) -> u64 {
        let counts = |at: TimeMs| self.back_at(at).is_none_or(|back_at| back_at > now);
        self.uses.iter().filter(|(at, _)| counts(*at)).map(|(_, quantity)| quantity).sum()
    }

    fn room(&self, consumed: u64) -> i64 {
        self.granted as i64 - (self.written_off + self.reserved + consumed) as i64
    }

    pub fn takeable(&self, now: TimeMs) -> u64 {
        u64::try_from(self.room(self.counted(now)) + self.policy.backorder as i64).unwrap_or(0)
    }

    /// What is out beyond what a quota is granted is told as received, and nothing is available.
    fn balance(&mut self) {
        let room = self.room(self.consumed);
        self.available = if self.policy.limit > 0 { room.max(0) } else { room };
        self.received =
            (self.available + (self.reserved + self.consumed + self.written_off) as i64) as u64;
    }

    fn is_windowed(&self) -> bool {
        !matches!(self.policy.window, Window::Never | Window::Outstanding)
    }

    fn consume(&mut self, quantity: u64, now: TimeMs) {
        // What caps the outstanding counts nothing that is consumed.
        self.consumed += if self.policy.window == Window::Outstanding { 0 } else { quantity };
        // Of other accounts, and where no rule changes, no rule will ask when: states that differ
        // by nothing else are one.
        let is_asked = self.policy.limit > 0 && self.keeps_times;
        match self.uses.first_mut() {
            Some((_, sum)) if !is_asked => *sum += quantity,
            _ if quantity > 0 => self.uses.push((if is_asked { now } else { 0 }, quantity)),
            _ => {}
        }
    }
}

impl Reference {
    pub fn new(now: TimeMs) -> Self {
        Self { now, window_ms: 24 * 3_600_000, ..Self::default() }
    }

    /// The same, for an engine that keeps answers for this long.
    pub fn keeping(self, window_ms: u64) -> Self {
        Self { window_ms, ..self }
    }

    /// Accounts may get other rules, which ask when things happened.
    pub fn with_changing_rules(self) -> Self {
        Self { rules_change: true, ..self }
    }

    /// The same state at another time.
    pub fn at(&self, now: TimeMs) -> Self {
        Self { now, ..self.clone() }
    }

    pub fn open(&mut self, account: Place, policy: Policy) {
        let keeps_times =
            self.rules_change || !matches!(policy.window, Window::Never | Window::Outstanding);
        let mut opened =
            Account { policy, granted: policy.limit, keeps_times, ..Account::default() };
        opened.balance();
        self.accounts.entry(account).or_insert(opened);
    }

    /// Other rules, which hold at once and for what was consumed before.
    pub fn set_policy(&mut self, account: Place, policy: Policy) {
        let now = self.now;
        let account = self.accounts.get_mut(&account).expect("the test opens accounts first");
        if account.policy == policy {
            return;
        }
        account.granted = account.granted + policy.limit - account.policy.limit;
        account.policy = policy;
        account.consumed = account.counted(now);
        account.balance();
    }

    /// Everything whose deadline has come ends; returns how many that were.
    pub fn expire_due(&mut self) -> usize {
        let due =
            self.pending.iter().filter(|(_, held)| held.expires_at <= self.now).map(|(id, _)| *id);
        let due: Vec<ReservationId> = due.collect();
        for id in &due {
            self.end(*id, |_, _| 0);
        }
        due.len()
    }

    /// Whether this reservation's deadline has come and it ends.
    pub fn expire(&mut self, id: ReservationId) -> bool {
        let due = self.pending.get(&id).is_some_and(|held| held.expires_at <= self.now);
        if due {
            self.end(id, |_, _| 0);
        }
        due
    }

    /// What must come out of a request. A reservation that comes out is entered by
    /// [`Reference::number`].
    pub fn ask(&mut self, ask: &Ask, key: Option<u8>) -> Answer {
        if let Ask::Confirm { parts: Some(parts), .. } = ask
            && parts.iter().all(|part| *part == 0)
        {
            return Answer::Error(ErrorKind::Invalid);
        }
        let first = key.and_then(|key| self.answers.get(&key));
        if let Some((first, answer, _)) = first.filter(|(.., until)| *until > self.now) {
            return if first == ask { answer.clone() } else { Answer::Error(ErrorKind::Conflict) };
        }
        let answer = self.decide(ask, key.is_some());
        let effective = matches!(
            answer,
            Answer::Changed { .. }
                | Answer::Reserved { .. }
                | Answer::Confirmed { .. }
                | Answer::Released { .. }
        );
        if let Some(key) = key.filter(|_| effective) {
            self.answers.insert(key, (ask.clone(), answer.clone(), self.now + self.window_ms));
        }
        answer
    }

    /// The ledger has chosen the number of the reservation just made.
    pub fn number(&mut self, ask: &Ask, key: Option<u8>, id: ReservationId) {
        let Ask::Reserve { lines, ttl_ms, confirm, owner } = ask else {
            panic!("{ask:?} makes no reservation")
        };
        if let Some((_, Answer::Reserved { reservation, .. }, _)) =
            key.and_then(|key| self.answers.get_mut(&key))
        {
            *reservation = Some(id);
        }
        if !confirm {
            let held = Held { owner: *owner, lines: lines.clone(), expires_at: self.now + ttl_ms };
            assert!(self.pending.insert(id, held).is_none(), "the number {id} was given twice");
        }
    }

    fn decide(&mut self, ask: &Ask, keyed: bool) -> Answer {
        match ask {
            Ask::Receive { account, quantity } => self.change(*account, *quantity as i64),
            Ask::Adjust { account, delta } => self.change(*account, *delta),
            Ask::WriteOff { account, quantity } => self.change(*account, -(*quantity as i64)),
            Ask::Reserve { lines, ttl_ms, confirm, .. } => {
                self.reserve(lines, *ttl_ms, *confirm, keyed)
            }
            Ask::Confirm { reservation, owner, parts } => {
                self.confirm(*reservation, *owner, parts.as_deref())
            }
            Ask::Release { reservation, owner } => match self.find(*reservation, *owner) {
                None => Answer::NotPending { reservation: *reservation },
                Some(held) if self.now >= held.expires_at => {
                    Answer::Late { reservation: *reservation, expires_at: held.expires_at }
                }
                Some(_) => {
                    self.end(*reservation, |_, _| 0);
                    Answer::Released { reservation: *reservation }
                }
            },
        }
    }

    fn change(&mut self, place: Place, delta: i64) -> Answer {
        let next = self.next_release(place);
        let account = self.accounts.get_mut(&place).expect("the test opens accounts first");
        if delta >= 0 {
            account.granted += delta.unsigned_abs();
        } else {
            // A backorder allowance is no unit that could leave, and what a window is about to give
            // back is not there for a count until somebody takes it.
            let there = u64::try_from(account.available).unwrap_or(0);
            if there < delta.unsigned_abs() {
                return Answer::Refused(vec![(0, place, there, next)]);
            }
            account.written_off += delta.unsigned_abs();
        }
        account.balance();
        Answer::Changed { account: place, available: account.available }
    }

    fn reserve(
        &mut self,
        lines: &[(Place, u64)],
        ttl_ms: u64,
        confirm: bool,
        keyed: bool,
    ) -> Answer {
        let refused = self.refuse(lines, confirm, keyed);
        if !refused.is_empty() {
            return Answer::Refused(refused);
        }
        let now = self.now;
        for (place, _) in lines {
            let account = self.accounts.get_mut(place).expect("the test opens accounts first");
            account.consumed = account.consumed.min(account.counted(now));
            account.balance();
        }
        for (place, quantity) in lines {
            let account = self.accounts.get_mut(place).expect("the test opens accounts first");
            if confirm {
                account.consume(*quantity, now);
            } else {
                account.reserved += quantity;
            }
            account.balance();
        }
        Answer::Reserved { reservation: None, expires_at: now + ttl_ms, confirmed: confirm }
    }

    /// Every refusal that would be true. The first is that of the first line; the sold-out fast
    /// path, which requests with a key or a confirm do not take, may name a later line, and looks
    /// at each line for itself.
    fn refuse(
        &self,
        lines: &[(Place, u64)],
        confirm: bool,
        keyed: bool,
    ) -> Vec<(usize, Place, u64, Option<TimeMs>)> {
        let mut taken: BTreeMap<Place, u64> = BTreeMap::new();
        let (mut first, mut fast) = (None, Vec::new());
        for (index, (place, quantity)) in lines.iter().enumerate() {
            let account = &self.accounts[place];
            if confirm && account.policy.window == Window::Outstanding {
                continue;
            }
            let takeable = account.takeable(self.now);
            let before = taken.entry(*place).or_default();
            let left = takeable.saturating_sub(*before);
            if left < *quantity && first.is_none() {
                first = Some((index, *place, left, self.next_release(*place)));
            }
            if takeable < *quantity && !keyed && !confirm && !account.is_windowed() {
                fast.push((index, *place, takeable, self.next_release(*place)));
            }
            *before += quantity;
        }
        first.into_iter().chain(fast).collect()
    }

    /// The earliest moment at which units of this account come back by themselves.
    fn next_release(&self, place: Place) -> Option<TimeMs> {
        let holding =
            self.pending.values().filter(|held| held.lines.iter().any(|(at, _)| *at == place));
        let account = &self.accounts[&place];
        let renewals = account
            .uses
            .iter()
            .filter_map(|(at, _)| account.back_at(*at))
            .filter(|at| *at > self.now);
        // What lapsed waits for the wheel: it comes back now, and not in the past.
        holding.map(|held| held.expires_at.max(self.now)).chain(renewals).min()
    }

    fn find(&self, id: ReservationId, owner: Option<Place>) -> Option<&Held> {
        self.pending.get(&id).filter(|held| owner.is_none() || owner == held.owner)
    }

    fn confirm(
        &mut self,
        reservation: ReservationId,
        owner: Option<Place>,
        parts: Option<&[u64]>,
    ) -> Answer {
        let Some(held) = self.find(reservation, owner) else {
            return Answer::NotPending { reservation };
        };
        if self.now >= held.expires_at {
            return Answer::Late { reservation, expires_at: held.expires_at };
        }
        if let Some(parts) = parts {
            let fits = parts.len() == held.lines.len()
                && parts.iter().zip(&held.lines).all(|(part, (_, quantity))| part <= quantity);
            if !fits {
                return Answer::Error(ErrorKind::Invalid);
            }
        }
        self.end(reservation, |index, quantity| parts.map_or(quantity, |parts| parts[index]));
        Answer::Confirmed { reservation }
    }

    fn end(&mut self, id: ReservationId, consumed: impl Fn(usize, u64) -> u64) {
        let held = self.pending.remove(&id).expect("only what is pending ends");
        for (index, (place, quantity)) in held.lines.iter().enumerate() {
            let account = self.accounts.get_mut(place).expect("accounts stay");
            account.reserved -= quantity;
            account.consume(consumed(index, *quantity), self.now);
            account.balance();
        }
    }
}
