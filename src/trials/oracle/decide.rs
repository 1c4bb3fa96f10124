//! What must come of a request: the rules once more, written plainly.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::account::Account;
use super::books::{Books, PendingReservation};
use super::check::{Checked, hold};
use super::said::Said;
use crate::base::error::ErrorKind;
use crate::base::{AccountId, AccountKey, AccountKind, IdempotencyKey, ReservationId, Seq, TimeMs};
use crate::event::{End, Event, EventLine, EventLines, Fact, Kept, Request, Window};
use crate::ledger::{
    Adjust, Command, Confirm, Deadline, Extend, Line, Note, Receive, Refusal, Release, Reserve,
    Transfer, WriteOff,
};

/// How much the engine keeps.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Pending reservations of a shard.
    pub reservations_per_shard_max: usize,
    /// Answers of an owner.
    pub keys_per_owner: usize,
}

impl Bounds {
    /// None that a test would reach.
    pub const NONE: Self =
        Self { reservations_per_shard_max: usize::MAX, keys_per_owner: usize::MAX };
}

/// What must come of a request.
#[derive(Clone, Debug)]
pub enum Due {
    /// These facts, and the answer.
    Facts(Vec<Fact<'static>>, Said),
    /// Nothing happens.
    Nothing(Said),
    /// The first answer once more.
    Again(Said, Seq),
    /// It is refused, and nothing happens.
    Error(ErrorKind),
}

impl Due {
    /// What must be said.
    pub fn answer(&self) -> Result<Said, ErrorKind> {
        match self {
            Self::Facts(_, outcome) | Self::Nothing(outcome) | Self::Again(outcome, _) => {
                Ok(*outcome)
            }
            Self::Error(kind) => Err(*kind),
        }
    }

    pub(super) fn fact(fact: Fact<'static>, outcome: Said) -> Self {
        Self::Facts(vec![fact], outcome)
    }
}

/// On which terms an engine answers.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// For how long it keeps the answer to a key.
    pub window_ms: u64,
    /// How much it keeps.
    pub bounds: Bounds,
}

impl Terms {
    /// What the event of a keyed request says of it.
    pub fn request(&self, key: IdempotencyKey, now: TimeMs) -> Request {
        Request {
            key: IdempotencyKey::from_number(key.number()),
            fingerprint: key.body().unwrap_or_default(),
            kept: Some(Kept { owner: key.owner(), until: now + self.window_ms }),
        }
    }
}

impl Books {
    /// Holds what was said of a command to what must come of it, and enters that. One that is
    /// alone, in no batch, may be refused at a glance.
    ///
    /// # Errors
    /// What should have been said.
    pub fn hear(
        &mut self,
        command: &Command<'_>,
        now: TimeMs,
        said: &Result<Said, ErrorKind>,
        terms: &Terms,
        is_alone: bool,
    ) -> Checked {
        let number = match said {
            Ok(Said::Reserved { reservation, .. }) => Some(*reservation),
            _ => None,
        };
        let due = self.decide(command, now, number, &terms.bounds, is_alone);
        self.hear_due(due, command.key(), now, said, terms)
    }

    /// Holds what was said of a request with this key to what must come of it, and enters that.
    ///
    /// # Errors
    /// What should have been said.
    pub fn hear_due(
        &mut self,
        due: Due,
        key: Option<IdempotencyKey>,
        now: TimeMs,
        said: &Result<Said, ErrorKind>,
        terms: &Terms,
    ) -> Checked {
        self.hold_answer(said, &due.answer())?;
        match due {
            Due::Facts(facts, _) => {
                let request = key.map(|key| terms.request(key, now));
                self.enter_all(now, request, facts, |_| {})
            }
            Due::Nothing(_) | Due::Again(..) | Due::Error(_) => Ok(()),
        }
    }

    /// Enters facts that were decided together, of which the last tells the request, and shows each
    /// as the event that it is. A later request never finds an earlier time.
    ///
    /// # Errors
    /// As [`Books::enter`].
    pub fn enter_all(
        &mut self,
        at: TimeMs,
        request: Option<Request>,
        facts: Vec<Fact<'static>>,
        mut each: impl FnMut(Event<'static>),
    ) -> Checked {
        hold(at >= self.at, || format!("the time goes back from {} to {at}", self.at))?;
        let last = facts.len().saturating_sub(1);
        for (index, fact) in facts.into_iter().enumerate() {
            let event = Event { at, request: request.filter(|_| index == last), fact };
            self.enter(&event)?;
            each(event);
        }
        Ok(())
    }

    /// The end of a reservation whose deadline has come; `None` when it is not due.
    pub fn lapse(&self, id: ReservationId, now: TimeMs) -> Option<Fact<'static>> {
        let held = self.pending.get(&id).filter(|held| held.expires_at <= now)?;
        Some(Fact::Expired(self.end_of(id, held, now, |_, _| 0)))
    }

    /// What must come of a command. The ledger chooses the number of a reservation, so it is told
    /// here. One that is alone, in no batch, may be refused at a glance.
    pub fn decide(
        &self,
        command: &Command<'_>,
        now: TimeMs,
        number: Option<ReservationId>,
        bounds: &Bounds,
        is_alone: bool,
    ) -> Due {
        if let Some(kind) = self.malformed(command) {
            return Due::Error(kind);
        }
        if let Some(due) = command.key().and_then(|key| self.answered(key, now)) {
            return match (command, due) {
                // It was asked for in other words, and is confirmed.
                (Command::Confirm(_), Due::Again(Said::Revived { reservation }, seq)) => {
                    Due::Again(Said::Confirmed { reservation }, seq)
                }
                (_, due) => due,
            };
        }
        let due =
            self.decide_anew(command, now, number, bounds.reservations_per_shard_max, is_alone);
        self.with_room(due, command.key(), now, bounds)
    }

    /// Only what does something needs room for its answer.
    pub(super) fn with_room(
        &self,
        due: Due,
        key: Option<IdempotencyKey>,
        now: TimeMs,
        bounds: &Bounds,
    ) -> Due {
        let kept = key.map_or(0, |key| self.kept(key.owner(), now));
        match due {
            Due::Facts(..) if kept >= bounds.keys_per_owner => Due::Error(ErrorKind::Throttled),
            due => due,
        }
    }

    /// What must come of a note with a condition: nothing where that is not met, unless it was met
    /// before.
    pub fn decide_note(
        &self,
        note: Note<'_>,
        key: Option<IdempotencyKey>,
        is_met: bool,
        now: TimeMs,
        bounds: &Bounds,
    ) -> Due {
        let Note { reservation, body, .. } = note;
        if let Some(due) = key.and_then(|key| self.answered(key, now)) {
            return due;
        }
        if !is_met {
            return Due::Nothing(Said::Unmet { reservation });
        }
        let fact = Fact::Noted { reservation, body: body.to_vec().into() };
        self.with_room(Due::fact(fact, Said::Noted { reservation }), key, now, bounds)
    }

    /// What is refused whatever a key may be remembered for.
    pub(super) fn malformed(&self, command: &Command<'_>) -> Option<ErrorKind> {
        if let Command::Confirm(Confirm { quantities: Some(parts), .. }) = command
            && parts.iter().all(|part| *part == 0)
        {
            return Some(ErrorKind::Invalid);
        }
        if let Command::Transfer(Transfer { from, to, .. }) = command
            && from == to
        {
            return Some(ErrorKind::Invalid);
        }
        if let Command::Reserve(Reserve { owner: Some(owner), .. }) = command
            && self.accounts[owner].closed
        {
            return Some(ErrorKind::NotFound);
        }
        None
    }

    fn decide_anew(
        &self,
        command: &Command<'_>,
        now: TimeMs,
        number: Option<ReservationId>,
        reservations_max: usize,
        is_alone: bool,
    ) -> Due {
        match command {
            Command::Receive(Receive { account, quantity, note, .. }) => {
                let fact = |available| Fact::Received {
                    account: *account,
                    quantity: *quantity,
                    available,
                    note: Cow::Owned((*note).to_owned()),
                };
                self.changed(*account, *quantity as i64, now, fact)
            }
            Command::Adjust(Adjust { account, delta, counted, note, .. }) => {
                let delta = match counted.map(|units| self.found(*account, units)) {
                    None => *delta,
                    Some(Some(delta)) => delta,
                    Some(None) => return Due::Error(ErrorKind::Invalid),
                };
                let fact = |available| Fact::Adjusted {
                    account: *account,
                    delta,
                    available,
                    note: Cow::Owned((*note).to_owned()),
                };
                self.changed(*account, delta, now, fact)
            }
            Command::WriteOff(WriteOff { account, quantity, note, .. }) => {
                let fact = |available| Fact::WrittenOff {
                    account: *account,
                    quantity: *quantity,
                    available,
                    note: Cow::Owned((*note).to_owned()),
                };
                self.changed(*account, -(*quantity as i64), now, fact)
            }
            Command::Reserve(reserve) => {
                let glance = self.refuse_at_a_glance(reserve, now).filter(|_| is_alone);
                match glance.map(Due::Nothing).or_else(|| self.refuse(reserve, now, None)) {
                    Some(refused) => refused,
                    None => self.reserve(reserve, now, number, reservations_max),
                }
            }
            Command::Transfer(transfer) => self.transfer(transfer, now),
            Command::Extend(extend) => self.extend(extend, now),
            Command::Confirm(Confirm { reservation, owner, quantities, .. }) => {
                self.confirm(*reservation, *owner, *quantities, now)
            }
            Command::Release(Release { reservation, owner, .. }) => {
                match self.find(*reservation, *owner) {
                    None => self.gone(*reservation, *owner),
                    Some(held) if now >= held.expires_at => Due::Nothing(Said::Late {
                        reservation: *reservation,
                        expires_at: held.expires_at,
                    }),
                    Some(held) => {
                        let fact = Fact::Released(self.end_of(*reservation, held, now, |_, _| 0));
                        Due::fact(fact, Said::Released { reservation: *reservation })
                    }
                }
            }
        }
    }

    /// What is pending holds its units until another time.
    fn extend(&self, extend: &Extend, now: TimeMs) -> Due {
        let Extend { reservation, deadline, owner, .. } = *extend;
        let expires_at = match deadline {
            Deadline::After(ttl_ms) => now + ttl_ms,
            Deadline::At(expires_at) if expires_at <= now => {
                return Due::Error(ErrorKind::Invalid);
            }
            Deadline::At(expires_at) => expires_at,
        };
        let Some(held) = self.find(reservation, owner) else {
            return self.gone(reservation, owner);
        };
        let was = held.expires_at;
        if now >= was {
            return Due::Nothing(Said::Late { reservation, expires_at: was });
        }
        let lines = held.lines.iter().map(|line| EventLine {
            account: line.account.number(),
            quantity: line.quantity,
            consumed: 0,
            available: self.accounts[&line.account].available,
        });
        let fact = Fact::Extended { reservation, was, expires_at, lines: lines.collect() };
        Due::fact(fact, Said::Extended { reservation, expires_at })
    }

    /// Units that are there move to another account of the same kind; quotas have none.
    fn transfer(&self, transfer: &Transfer<'_>, now: TimeMs) -> Due {
        let Transfer { from, to, quantity, note, .. } = *transfer;
        if [from, to].iter().any(|id| self.accounts[id].closed) {
            return Due::Error(ErrorKind::NotFound);
        }
        let kind = |id: AccountId| {
            let (key, _) = self.keys.iter().find(|(_, it)| **it == id)?;
            (key.kind() != AccountKind::Quota).then(|| key.kind_name().to_owned())
        };
        if kind(from).is_none() || kind(from) != kind(to) {
            return Due::Error(ErrorKind::Invalid);
        }
        let there = u64::try_from(self.accounts[&from].available).unwrap_or(0);
        if there < quantity {
            return Due::Nothing(self.refusal(0, from, there, false, now));
        }
        let after = |id: AccountId, delta: i64| {
            let mut trial = self.accounts[&id].clone();
            trial.add(delta);
            trial.available
        };
        let (from_available, to_available) =
            (after(from, -(quantity as i64)), after(to, quantity as i64));
        let note = Cow::Owned(note.to_owned());
        let fact = Fact::Transferred { from, to, quantity, from_available, to_available, note };
        let (from, to) = ((from, from_available), (to, to_available));
        Due::fact(fact, Said::Transferred { from, to })
    }

    pub(super) fn answered(&self, key: IdempotencyKey, now: TimeMs) -> Option<Due> {
        let answer = self.answers.get(&key.number()).filter(|answer| answer.until > now)?;
        let same = key.body().is_none_or(|body| body == answer.fingerprint);
        Some(if same {
            Due::Again(answer.outcome, answer.seq)
        } else {
            Due::Error(ErrorKind::Conflict)
        })
    }

    fn changed(
        &self,
        id: AccountId,
        delta: i64,
        now: TimeMs,
        fact: impl FnOnce(i64) -> Fact<'static>,
    ) -> Due {
        let account = &self.accounts[&id];
        if account.closed {
            return Due::Error(ErrorKind::NotFound);
        }
        let there = u64::try_from(account.available).unwrap_or(0);
        if delta < 0 && there < delta.unsigned_abs() {
            return Due::Nothing(self.refusal(0, id, there, false, now));
        }
        let mut trial = account.clone();
        // Entering the event holds it to the rules.
        trial.add(delta);
        let available = trial.available;
        Due::fact(fact(available), Said::Changed { account: id, available })
    }

    /// By how much a count changes what an account has; `None` of one whose units are granted.
    fn found(&self, id: AccountId, units: u64) -> Option<i64> {
        let account = &self.accounts[&id];
        let is_quota =
            |(key, it): (&AccountKey, &AccountId)| *it == id && key.kind() == AccountKind::Quota;
        let is_granted = account.policy.limit > 0
            || account.policy.window != Window::Never
            || self.keys.iter().any(is_quota);
        (!is_granted).then(|| units as i64 - account.available - account.reserved as i64)
    }

    /// Others who wait are told of where they are why there is too little.
    fn refusal(
        &self,
        line: usize,
        account: AccountId,
        available: u64,
        has_line: bool,
        now: TimeMs,
    ) -> Said {
        Said::Refused(Refusal {
            line,
            account,
            available,
            next_release_at: self.next_release(account, now),
            has_line,
        })
    }

    pub(super) fn reserve(
        &self,
        reserve: &Reserve<'_>,
        now: TimeMs,
        number: Option<ReservationId>,
        reservations_max: usize,
    ) -> Due {
        let home = reserve.lines.iter().map(|line| line.account.shard()).min().unwrap_or_default();
        let pending = self.pending.keys().filter(|id| id.shard() == home).count();
        if !reserve.confirm && pending >= reservations_max {
            return Due::Error(ErrorKind::Overloaded);
        }
        let mut facts = Vec::new();
        let mut trials: BTreeMap<AccountId, Account> = BTreeMap::new();
        for line in reserve.lines {
            let account = &self.accounts[&line.account];
            let due = account.due(now);
            let mut trial = account.clone();
            trial.renew(due);
            let available = trial.available;
            if trials.insert(line.account, trial).is_none() && due > 0 {
                facts.push(Fact::Renewed {
                    account: line.account,
                    quantity: due,
                    available,
                    kept: true,
                });
            }
        }
        let mut lines = EventLines::new();
        for line in reserve.lines {
            let trial = trials.get_mut(&line.account).expect("each line has one");
            trial.take(line.quantity, reserve.confirm, now).unwrap_or_default();
            lines.push(EventLine {
                account: line.account.number(),
                quantity: line.quantity,
                consumed: if reserve.confirm { line.quantity } else { 0 },
                available: trial.available,
            });
        }
        // Any number will do where the ledger gave none: the two differ in any case.
        let reservation = number.unwrap_or(ReservationId::from_number(0));
        let expires_at = match reserve.deadline {
            Deadline::After(ttl_ms) => now + ttl_ms,
            Deadline::At(expires_at) => expires_at,
        };
        let confirmed = reserve.confirm;
        let details = Cow::Owned(reserve.details.to_vec());
        facts.push(Fact::Reserved {
            reservation,
            owner: reserve.owner,
            expires_at,
            confirmed,
            lines,
            details,
        });
        Due::Facts(facts, Said::Reserved { reservation, expires_at, confirmed })
    }

    /// What is confirmed at once is never outstanding.
    fn is_skipped(&self, reserve: &Reserve<'_>, line: &Line) -> bool {
        reserve.confirm && self.accounts[&line.account].is_cap()
    }

    /// The refusal of requests that look at each line for itself first: those without a key that
    /// confirm nothing.
    fn refuse_at_a_glance(&self, reserve: &Reserve<'_>, now: TimeMs) -> Option<Said> {
        let mut lines =
            reserve.lines.iter().enumerate().filter(|_| reserve.key.is_none() && !reserve.confirm);
        lines.find_map(|(index, line)| {
            let account = &self.accounts[&line.account];
            let is_open = !account.depends_on_time() && !account.closed;
            let short = is_open && account.takeable(now) < line.quantity;
            let has_line = !account.line.is_empty();
            short.then(|| self.refusal(index, line.account, account.takeable(now), has_line, now))
        })
    }

    /// Line by line: what is closed, and what is too little. Who is first in the line of an account
    /// is past it.
    pub(super) fn refuse(
        &self,
        reserve: &Reserve<'_>,
        now: TimeMs,
        past: Option<AccountId>,
    ) -> Option<Due> {
        let mut taken: BTreeMap<AccountId, u64> = BTreeMap::new();
        for (index, line) in reserve.lines.iter().enumerate() {
            if self.accounts[&line.account].closed {
                return Some(Due::Error(ErrorKind::NotFound));
            }
            if self.is_skipped(reserve, line) {
                continue;
            }
            let before = taken.entry(line.account).or_default();
            let account = &self.accounts[&line.account];
            let there = match past == Some(line.account) {
                true => account.takeable_in_line(now),
                false => account.takeable(now),
            };
            let (left, has_line) = (there.saturating_sub(*before), !account.line.is_empty());
            if left < line.quantity {
                let refusal = self.refusal(index, line.account, left, has_line, now);
                return Some(Due::Nothing(refusal));
            }
            *before += line.quantity;
        }
        None
    }

    pub(super) fn find(
        &self,
        id: ReservationId,
        owner: Option<AccountId>,
    ) -> Option<&PendingReservation> {
        self.pending.get(&id).filter(|held| owner.is_none() || owner == held.owner)
    }

    /// What is said of a reservation that is not pending, or not for this owner.
    fn gone(&self, reservation: ReservationId, owner: Option<AccountId>) -> Due {
        Due::Nothing(Said::NotPending { reservation, why: self.why(reservation, owner) })
    }

    fn confirm(
        &self,
        id: ReservationId,
        owner: Option<AccountId>,
        parts: Option<&[u64]>,
        now: TimeMs,
    ) -> Due {
        let Some(held) = self.find(id, owner) else {
            return self.gone(id, owner);
        };
        if now >= held.expires_at {
            return Due::Nothing(Said::Late { reservation: id, expires_at: held.expires_at });
        }
        if let Some(parts) = parts {
            let fits = parts.len() == held.lines.len()
                && parts.iter().zip(&held.lines).all(|(part, line)| *part <= line.quantity);
            if !fits {
                return Due::Error(ErrorKind::Invalid);
            }
        }
        let end = self
            .end_of(id, held, now, |index, quantity| parts.map_or(quantity, |parts| parts[index]));
        Due::fact(Fact::Confirmed(end), Said::Confirmed { reservation: id })
    }

    /// The end of a reservation that consumes so much of each line.
    fn end_of(
        &self,
        id: ReservationId,
        held: &PendingReservation,
        now: TimeMs,
        consumed: impl Fn(usize, u64) -> u64,
    ) -> End {
        let mut trials: BTreeMap<AccountId, Account> = BTreeMap::new();
        let mut lines = EventLines::new();
        for (index, line) in held.lines.iter().enumerate() {
            let trial =
                trials.entry(line.account).or_insert_with(|| self.accounts[&line.account].clone());
            let consumed = consumed(index, line.quantity);
            trial.end(line.quantity, consumed, now).unwrap_or_default();
            let available = trial.available;
            lines.push(EventLine {
                account: line.account.number(),
                quantity: line.quantity,
                consumed,
                available,
            });
        }
        End { reservation: id, expires_at: held.expires_at, lines }
    }
}
