//! Reviving a reservation that expired: it takes its lines again, and is confirmed.

use super::commit::commit;
use super::counts::{Became, Verb};
use super::decide::{Reviving, take_again};
use super::idempotency::{Keyed, of_reacquire};
use super::shard::{LockedShards, bit, mask_of};
use super::{Executed, Held, Ledger, Reacquire, ReacquireOutcome};
use crate::base::TimeMs;
use crate::base::error::Result;
use crate::event::{Event, Fact, Recorder};

impl Ledger {
    /// Takes again what a reservation held that expired. The caller knows from history what that
    /// was, and lets nobody else revive it meanwhile; the ledger believes no more of it than it can
    /// see.
    ///
    /// # Errors
    /// `Conflict` when the reservation cannot have expired with these lines, or the key was used for
    /// another request; `Invalid` when what it takes cannot stand for what it held; `NotFound` when it names an account that never was.
    pub(crate) fn revive(
        &self,
        held: &Held<'_>,
        asked: &Reacquire,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Executed<ReacquireOutcome>> {
        let all = held.lines.iter().chain(held.takes);
        all.map(|line| line.account).try_for_each(|account| self.check_account(account))?;
        let keyed = of_reacquire(asked, &self.limits.keys, now);
        let key_shard = asked.key.map_or(0, |key| bit(self.key_space.shard_of(key.number())));
        let mask =
            mask_of(held.lines) | mask_of(held.takes) | bit(held.reservation.shard()) | key_shard;
        let mut locked = LockedShards::lock(&self.shards, mask);
        let revived = self.revive_locked(&mut locked, held, keyed, now, recorder);
        locked.count(Verb::Reacquire, revived)
    }

    fn revive_locked(
        &self,
        locked: &mut LockedShards<'_>,
        held: &Held<'_>,
        keyed: Option<Keyed>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<(Executed<ReacquireOutcome>, Became)> {
        recorder.admit()?;
        if let Some(keyed) = &keyed
            && let Some(first) = self.first_locked(locked, keyed, now)?
        {
            return Ok(((first.answer.to_reacquire()?, Some(first.seq)), Became::Repeated));
        }
        let (renewals, lines) = match take_again(locked, held, now)? {
            Reviving::Takes { renewals, lines } => (renewals, lines),
            Reviving::Refused(refusal) => {
                return Ok(((ReacquireOutcome::Refused(refusal), None), Became::Refused));
            }
        };
        let request = self.admit(keyed, 1, now)?;
        for renewal in renewals {
            commit(locked, &Event { at: now, request: None, fact: renewal }, recorder);
        }
        let Held { reservation, owner, expires_at, .. } = *held;
        let fact = Fact::Revived { reservation, owner, expires_at, lines };
        let seq = commit(locked, &Event { at: now, request, fact }, recorder);
        Ok(((ReacquireOutcome::Revived { reservation }, Some(seq)), Became::Done))
    }

    /// The first answer to such a request with this key, while it is remembered.
    ///
    /// # Errors
    /// `Conflict` when the key was used for another request.
    pub(crate) fn revived_before(
        &self,
        asked: &Reacquire,
        now: TimeMs,
    ) -> Result<Option<Executed<ReacquireOutcome>>> {
        let Some(keyed) = of_reacquire(asked, &self.limits.keys, now) else {
            return Ok(None);
        };
        let key_shard = self.key_space.shard_of(keyed.request.key.number());
        let locked = LockedShards::lock(&self.shards, bit(key_shard));
        let first = self.first_locked(&locked, &keyed, now)?;
        first.map(|first| Ok((first.answer.to_reacquire()?, Some(first.seq)))).transpose()
    }
}
