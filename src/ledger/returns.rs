//! Returning what a confirmed reservation consumed.

use std::borrow::Cow;

use super::commit::commit;
use super::counts::{Became, Verb};
use super::decide::{Used, give_back_consumed};
use super::idempotency::{Keyed, of_return};
use super::shard::{LockedShards, bit, mask_of};
use super::{Executed, Ledger, RefundOutcome};
use crate::base::error::Result;
use crate::base::{AccountId, IdempotencyKey, TimeMs};
use crate::event::{Event, Fact, Recorder};

/// Who asks for the return of what a confirmed reservation consumed, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Return<'a> {
    pub(crate) note: &'a str,
    /// The deadline it had; 0 when that is not known.
    pub(crate) expires_at: TimeMs,
    /// On whose behalf it is asked for.
    pub(crate) owner: Option<AccountId>,
    pub(crate) key: Option<IdempotencyKey>,
}

impl Ledger {
    /// As [`Ledger::return_used`], for nobody in particular.
    #[cfg(any(test, feature = "bin"))]
    pub(crate) fn give_back(
        &self,
        used: &Used<'_>,
        note: &str,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Executed<RefundOutcome>> {
        self.return_used(
            used,
            &Return { note, expires_at: 0, owner: None, key: None },
            now,
            recorder,
        )
    }

    /// Returns what a confirmed reservation consumed, and when. The caller knows both from history,
    /// and that it was not returned yet, and lets nobody else return it meanwhile; the ledger
    /// believes no more of it than it can see.
    ///
    /// # Errors
    /// `Conflict` when the reservation cannot have consumed that, or the key was used for another
    /// request.
    pub(crate) fn return_used(
        &self,
        used: &Used<'_>,
        back: &Return<'_>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Executed<RefundOutcome>> {
        let (reservation, Return { owner, key, .. }) = (used.reservation, *back);
        used.lines.iter().try_for_each(|line| self.check_account(line.account))?;
        let keyed = key.map(|key| of_return(key, reservation, owner, &self.limits.keys, now));
        let key_shard = key.map_or(0, |key| bit(self.key_space.shard_of(key.number())));
        let mut locked = LockedShards::lock(
            &self.shards,
            mask_of(used.lines) | bit(reservation.shard()) | key_shard,
        );
        let returned = self.return_locked(&mut locked, used, back, keyed, now, recorder);
        locked.count(Verb::Return, returned)
    }

    fn return_locked(
        &self,
        locked: &mut LockedShards<'_>,
        used: &Used<'_>,
        back: &Return<'_>,
        keyed: Option<Keyed>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<(Executed<RefundOutcome>, Became)> {
        let (reservation, Return { note, expires_at, .. }) = (used.reservation, *back);
        recorder.admit()?;
        if let Some(keyed) = &keyed
            && let Some(first) = self.first_locked(locked, keyed, now)?
        {
            return Ok(((first.answer.to_refund()?, Some(first.seq)), Became::Repeated));
        }
        let lines = give_back_consumed(locked, used, now)?;
        let request = self.admit(keyed, now)?;
        let consumed_at = Some(used.consumed_at);
        let fact = Fact::Returned {
            reservation,
            lines,
            note: Cow::Borrowed(note),
            consumed_at,
            expires_at,
        };
        let seq = commit(locked, &Event { at: now, request, fact }, recorder);
        Ok(((RefundOutcome::Returned { reservation }, Some(seq)), Became::Done))
    }
}
