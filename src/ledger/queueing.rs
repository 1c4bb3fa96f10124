//! Lines of those who wait for units: joining, leaving, and the reservation of who is first.
//!
//! While anybody waits, the account shows nothing that could be taken, without a lock or with one;
//! so a unit that comes back is out of everybody else's reach in the step in which it comes back.
//! What the first in the line takes, and that its place is given up, is one event.

use std::borrow::Cow;

use super::commit::commit;
use super::decide::{Decision, join, leave, reserve_past};
use super::gauge::Gauge;
use super::idempotency::{FirstExecution, Keyed, of_join, of_leave};
use super::shard::{LockedShards, bit};
use super::validate::Validated;
use super::{
    Command, Executed, Grant, GrantOutcome, Join, JoinOutcome, Leave, LeaveOutcome, Ledger,
    Outcome, ReserveOutcome, Waiting,
};
use crate::base::error::{Error, Result};
use crate::base::{AccountId, BODY_BYTES_MAX, PLACE_BYTES_MAX, PLACES_MAX, TimeMs};
use crate::event::{Event, Fact, Facts, Recorder};

impl Ledger {
    /// Joins the line of an account that has nothing left.
    ///
    /// # Errors
    /// `Invalid`, `NotFound`, `Overloaded`, or what the recorder says.
    pub(crate) fn join(
        &self,
        request: &Join<'_>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Executed<JoinOutcome>> {
        if !(1..=PLACES_MAX).contains(&request.places_max) {
            return Err(Error::invalid(format!("a line has 1 to {PLACES_MAX} places")));
        }
        if request.body.len() > PLACE_BYTES_MAX {
            return Err(Error::invalid(format!("a place has at most {PLACE_BYTES_MAX} bytes")));
        }
        self.check_account(request.account)?;
        self.check_owner(request.owner)?;
        let keyed = of_join(request, &self.limits.keys, now);
        let mut locked = self.lock_line(request.account, keyed.as_ref());
        recorder.admit()?;
        if let Some(first) = self.first_of(&locked, keyed.as_ref(), now)? {
            let place = first.answer.to_place(request.account)?;
            return Ok((JoinOutcome::Before { place }, Some(first.seq)));
        }
        let (outcome, fact) = join(&locked, request, now, self.limits.places_per_shard_max)?;
        let seq = match fact {
            Some(fact) => {
                let request = self.admit(keyed, 1, now)?;
                Some(commit(&mut locked, &Event { at: now, request, fact }, recorder))
            }
            // Whoever hears that the place is there may rely on it: it is somewhere before this.
            None if matches!(outcome, JoinOutcome::Waiting { .. }) => Some(recorder.last_seq()),
            None => None,
        };
        Ok((outcome, seq))
    }

    /// Gives up a place in a line.
    ///
    /// # Errors
    /// `Invalid`, `NotFound`, or what the recorder says.
    pub(crate) fn leave(
        &self,
        request: &Leave<'_>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Executed<LeaveOutcome>> {
        if request.note.len() > BODY_BYTES_MAX {
            return Err(Error::invalid(format!("a note has at most {BODY_BYTES_MAX} bytes")));
        }
        self.check_account(request.account)?;
        let keyed = of_leave(request, &self.limits.keys, now);
        let mut locked = self.lock_line(request.account, keyed.as_ref());
        recorder.admit()?;
        if let Some(first) = self.first_of(&locked, keyed.as_ref(), now)? {
            let place = first.answer.to_left(request.account)?;
            return Ok((LeaveOutcome::Left { place }, Some(first.seq)));
        }
        let (outcome, fact) = leave(&locked, request)?;
        let Some(fact) = fact else {
            return Ok((outcome, None));
        };
        let request = self.admit(keyed, 1, now)?;
        let event = Event { at: now, request, fact };
        Ok((outcome, Some(commit(&mut locked, &event, recorder))))
    }

    fn lock_line(&self, account: AccountId, keyed: Option<&Keyed>) -> LockedShards<'_> {
        let of_key = |keyed: &Keyed| bit(self.key_space.shard_of(keyed.request.key.number()));
        LockedShards::lock(&self.shards, bit(account.shard()) | keyed.map_or(0, of_key))
    }

    fn first_of(
        &self,
        locked: &LockedShards<'_>,
        keyed: Option<&Keyed>,
        now: TimeMs,
    ) -> Result<Option<FirstExecution>> {
        keyed.map_or(Ok(None), |keyed| self.first_locked(locked, keyed, now))
    }

    /// Reserves for the first in a line, past it, and gives up its place in the same step.
    ///
    /// # Errors
    /// As [`Ledger::execute`], and `Invalid` when no line of the reservation is of the account, or
    /// it has a key.
    pub(crate) fn grant(
        &self,
        grant: &Grant<'_>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Executed<GrantOutcome>> {
        let Grant { account: id, place, reserve } = *grant;
        if reserve.key.is_some() || reserve.lines.iter().all(|line| line.account != id) {
            return Err(Error::invalid(
                "a grant is of the account that has the line, without a key",
            ));
        }
        let command = Command::Reserve(reserve);
        let command: Validated<'_, '_> = self.check_command(&command)?;
        self.check_account(id)?;
        let mut locked = self.lock_with(bit(id.shard()), std::iter::once(&command));
        recorder.admit()?;
        let first = locked.account(id).and_then(|account| account.queue.as_deref()?.places.front());
        let Some(owner) = first.filter(|first| first.place == place).map(|first| first.owner)
        else {
            return Ok((GrantOutcome::NotFirst, None));
        };
        let reservations_max = self.limits.reservations_per_shard_max;
        match reserve_past(&locked, &reserve, now, reservations_max, id)? {
            Decision::Facts {
                renewals,
                event: Event { fact, .. },
                outcome: Outcome::Reserve(ReserveOutcome::Reserved(reserved)),
            } => {
                let reservation = Some(reserved.reservation);
                let note = Cow::Borrowed("");
                let gone = Fact::Dequeued { account: id, place, owner, reservation, note };
                let facts = renewals.into_iter().chain([fact, gone]).collect();
                let fact = Fact::Atomic(Facts::new(facts).expect("lines are bounded"));
                let event = Event { at: now, request: None, fact };
                let seq = commit(&mut locked, &event, recorder);
                Ok((GrantOutcome::Granted(reserved), Some(seq)))
            }
            Decision::Nothing(Outcome::Reserve(ReserveOutcome::Refused(refusal))) => {
                Ok((GrantOutcome::Refused(refusal), None))
            }
            Decision::Facts { .. } | Decision::Nothing(_) => {
                unreachable!("a reserve comes to a reservation or to a refusal")
            }
        }
    }

    /// Whether others wait for units of an account, from an atomic read alone.
    ///
    /// # Errors
    /// `NotFound` when there is no such account.
    pub(crate) fn has_line(&self, account: AccountId) -> Result<bool> {
        self.check_account(account)?;
        Ok(self.gauge(account).is_some_and(Gauge::has_line))
    }

    /// Those who wait for units of an account, the first first.
    ///
    /// # Errors
    /// `NotFound` when there is no such account.
    pub(crate) fn waiting(&self, account: AccountId) -> Result<Vec<Waiting>> {
        self.check_account(account)?;
        let locked = LockedShards::lock(&self.shards, bit(account.shard()));
        let queue = locked.account(account).and_then(|account| account.queue.as_deref());
        Ok(queue.map(|queue| queue.places.iter().cloned().collect()).unwrap_or_default())
    }

    /// The first in the line of an account, and how many units there are for who is.
    ///
    /// # Errors
    /// `NotFound` when there is no such account.
    pub(crate) fn next_waiting(
        &self,
        account: AccountId,
        now: TimeMs,
    ) -> Result<Option<(Waiting, u64)>> {
        self.check_account(account)?;
        let locked = LockedShards::lock(&self.shards, bit(account.shard()));
        let account = locked.account(account);
        Ok(account.and_then(|account| {
            let first = account.queue.as_deref()?.places.front()?.clone();
            Some((first, account.takeable_in_line(now)))
        }))
    }

    /// When those were served in the line of an account who were last, the oldest first.
    ///
    /// # Errors
    /// `NotFound` when there is no such account.
    pub(crate) fn served(&self, account: AccountId) -> Result<Vec<TimeMs>> {
        self.check_account(account)?;
        let locked = LockedShards::lock(&self.shards, bit(account.shard()));
        Ok(locked.account(account).map(|account| account.served().collect()).unwrap_or_default())
    }

    /// Where somebody stands in the line of an account: how many are ahead, and the place.
    ///
    /// # Errors
    /// `NotFound` when there is no such account.
    pub(crate) fn place_of(
        &self,
        account: AccountId,
        owner: AccountId,
    ) -> Result<Option<(usize, Waiting)>> {
        self.check_account(account)?;
        let locked = LockedShards::lock(&self.shards, bit(account.shard()));
        let queue = locked.account(account).and_then(|account| account.queue.as_deref());
        let found = queue.and_then(|queue| queue.find(owner));
        Ok(found.map(|(ahead, waiting)| (ahead, waiting.clone())))
    }
}
