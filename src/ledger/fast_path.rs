//! What is answered without a lock, from one atomic read an account: in a sale, nearly everything.

use super::decide::{closed, deadline};
use super::gauge::Gauge;
use super::shard::{LockedShards, bit};
use super::{Ledger, Refusal, Reserve};
use crate::base::error::Result;
use crate::base::flaw::{self, Flaw};
use crate::base::{AccountId, TimeMs};
#[cfg(feature = "server")]
use crate::event::Policy;

impl Ledger {
    /// What can be taken now, and when more may come: from atomic reads alone where the time does
    /// not matter.
    pub(crate) fn takeable(
        &self,
        account: AccountId,
        now: TimeMs,
    ) -> Result<(u64, Option<TimeMs>)> {
        self.check_account(account)?;
        if let Some(gauge) = self.gauge(account)
            && gauge.takeable() < Gauge::CLOSED
        {
            return Ok((gauge.takeable(), gauge.next_release_at(now)));
        }
        let locked = LockedShards::lock(&self.shards, bit(account.shard()));
        let (id, account) =
            (account, locked.account(account).expect("an account with a gauge exists"));
        if account.is_closed {
            return Err(closed(&account.key, id));
        }
        Ok((account.takeable(now), account.next_release_at(now)))
    }

    /// What could be taken now of an account under another rule.
    #[cfg(feature = "server")]
    pub(crate) fn takeable_under(
        &self,
        account: AccountId,
        policy: Policy,
        now: TimeMs,
    ) -> Result<u64> {
        self.check_account(account)?;
        let locked = LockedShards::lock(&self.shards, bit(account.shard()));
        let (id, account) =
            (account, locked.account(account).expect("an account with a gauge exists"));
        if account.is_closed {
            return Err(closed(&account.key, id));
        }
        let (_, available) = account.under(policy, now);
        let there = i128::from(available) + i128::from(policy.backorder);
        Ok(u64::try_from(there).unwrap_or(0))
    }

    /// The refusal of a valid request that finds too little. `None` says nothing.
    pub(super) fn refuse_fast(&self, reserve: &Reserve<'_>, now: TimeMs) -> Option<Refusal> {
        // A retry must hear its first answer, however little there is now; and a deadline out of
        // bounds is told before what is lacking.
        if reserve.key.is_some() || deadline(reserve.deadline, now).is_err() {
            return None;
        }
        reserve.lines.iter().enumerate().find_map(|(line, taken)| {
            let gauge = self.gauge(taken.account)?;
            let available = gauge.takeable();
            // An Outstanding quota does not count for a take that is confirmed at once: the slow
            // path knows.
            let short = available < taken.quantity + u64::from(flaw::is_made(Flaw::RefusesFalsely));
            (short && !reserve.confirm).then(|| {
                let next_release_at = gauge.next_release_at(now);
                let has_line = gauge.has_line();
                Refusal { line, account: taken.account, available, next_release_at, has_line }
            })
        })
    }
}
