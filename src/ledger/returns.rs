//! Returning what a confirmed reservation consumed, all of it or a part.

use std::borrow::Cow;

use super::commit::commit;
use super::counts::{Became, Verb};
use super::decide::{Returning, give_back_consumed};
use super::idempotency::{Keyed, of_return};
use super::shard::{LockedShards, bit};
use super::{Executed, Ledger, RefundOutcome, Return, Used};
use crate::base::error::Result;
use crate::base::{ReservationId, TimeMs};
use crate::event::{Event, Fact, Part, Recorder};

impl Ledger {
    /// Returns what a confirmed reservation consumed, or a part of it. The caller knows from history
    /// what that was and when, and what was returned before, and lets nobody else return it
    /// meanwhile; the ledger believes no more of it than it can see.
    ///
    /// # Errors
    /// `Conflict` when the reservation cannot have consumed that, or the key was used for another
    /// request; `Invalid` for a part out of bounds, and when units are to be written off that cannot
    /// be; `NotFound` when an account is closed.
    pub(crate) fn return_used(
        &self,
        used: &Used<'_>,
        asked: &Return<'_>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Executed<RefundOutcome>> {
        asked.check()?;
        used.lines.iter().try_for_each(|line| self.check_account(line.account))?;
        let keyed = of_return(used.reservation, asked, &self.limits.keys, now);
        let key_shard = asked.key.map_or(0, |key| bit(self.key_space.shard_of(key.number())));
        let lines = used.lines.iter().fold(0, |mask, line| mask | bit(line.account.shard()));
        let mask = lines | bit(used.reservation.shard()) | key_shard;
        let mut locked = LockedShards::lock(&self.shards, mask);
        let returned = self.return_locked(&mut locked, used, asked, keyed, now, recorder);
        locked.count(Verb::Return, returned)
    }

    fn return_locked(
        &self,
        locked: &mut LockedShards<'_>,
        used: &Used<'_>,
        asked: &Return<'_>,
        keyed: Option<Keyed>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<(Executed<RefundOutcome>, Became)> {
        let (reservation, Return { note, expires_at, .. }) = (used.reservation, *asked);
        recorder.admit()?;
        if let Some(keyed) = &keyed
            && let Some(first) = self.first_locked(locked, keyed, now)?
        {
            return Ok(((first.answer.to_refund()?, Some(first.seq)), Became::Repeated));
        }
        let (lines, part) = match give_back_consumed(locked, used, asked)? {
            Returning::Fact { lines, part } => (lines, part),
            Returning::Refused(outcome) => return Ok(((outcome, None), Became::Refused)),
        };
        let request = self.admit(keyed, 1, now)?;
        let outcome = match part.as_ref().is_none_or(Part::is_last) {
            true => RefundOutcome::Returned { reservation },
            false => RefundOutcome::ReturnedInPart { reservation },
        };
        let (note, consumed_at) = (Cow::Borrowed(note), Some(used.consumed_at));
        let part = part.map(Box::new);
        let fact = Fact::Returned { reservation, lines, note, consumed_at, expires_at, part };
        let seq = commit(locked, &Event { at: now, request, fact }, recorder);
        Ok(((outcome, Some(seq)), Became::Done))
    }

    /// The first answer to a return with this key, while it is remembered.
    ///
    /// # Errors
    /// `Conflict` when the key was used for another request.
    pub(crate) fn returned_before(
        &self,
        reservation: ReservationId,
        asked: &Return<'_>,
        now: TimeMs,
    ) -> Result<Option<Executed<RefundOutcome>>> {
        let Some(keyed) = of_return(reservation, asked, &self.limits.keys, now) else {
            return Ok(None);
        };
        let key_shard = self.key_space.shard_of(keyed.request.key.number());
        let locked = LockedShards::lock(&self.shards, bit(key_shard));
        let first = self.first_locked(&locked, &keyed, now)?;
        first.map(|first| Ok((first.answer.to_refund()?, Some(first.seq)))).transpose()
    }
}
