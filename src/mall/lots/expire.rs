//! What becomes of the points of a lot that has ended.
//!
//! What nobody has taken by then is written off, and so is what comes back of orders that were never
//! confirmed. What a refund returns later moves to a lot that is good for a grace. How much of it is
//! which follows from the changes of the account since its end, as history tells them. That is so
//! whenever it is looked at: a restart between, or one late after the end, changes nothing. Nothing
//! is written off twice, because what was is among those changes: before they are read, history
//! shows everything that was done, and one sweep at a time does anything.

use super::Lot;
use crate::base::error::Result;
use crate::base::flaw::{self, Flaw};
use crate::base::{AccountId, AccountKey, Seq, TimeMs};
use crate::engine::{Engine, Ticket};
use crate::event::ChangeKind;
use crate::history::record::ChangeRecord;
use crate::ledger::{AtomicOutcome, Command, Level, Receive, Transfer, WriteOff};
use crate::mall::facts::Note;
use crate::mall::model::MOVED;
use crate::mall::{Mall, User, account};

/// How many lots that have ended one call looks at, some 100 ns each.
const LOOKED_AT: usize = 16_384;
/// How many of them it changes: those who ask for refunds wait for the same disk.
const CHANGED_AT_ONCE: usize = 256;
/// How many changes of a lot are read at once.
const PIECE: usize = 64;
/// How far apart the times of two changes may be that are recorded the other way round, at most.
const DISORDER_MS: u64 = 60_000;
/// Why points are written off, and why they are moved.
const EXPIRED: &str = "积分过期";
const RETURNED_LATE: &str = "退款积分原有效期已过，转入宽限期";

/// What is to become of what a lot has left after its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Due {
    /// Is written off.
    expired: u64,
    /// Came back by a refund, and is good for a grace.
    returned: u64,
}

impl Mall {
    /// Writes off points whose time is over, and moves to a lot with a grace what was returned after
    /// that, of some hundred lots at most; whether there may be more to do at once. A server calls
    /// this by itself. It blocks on the disk.
    ///
    /// # Errors
    /// What the engine reports; it is tried again then.
    pub fn expire_points(&self) -> Result<bool> {
        let mut sweep = self.shared.lots_due.lock();
        let is_behind = sweep.find(self.engine(), &self.shared.lots, self.now_ms())?;
        let (accounts, are_all) = sweep.first(LOOKED_AT);
        let mut left = Vec::new();
        for page in accounts.chunks(Engine::LEVELS_OF_MAX) {
            for level in self.engine().levels_of(page)? {
                match level.available > 0 {
                    true => left.push(level),
                    false => sweep.rests(level.account),
                }
            }
        }
        let there_is_more = is_behind || !are_all;
        if left.is_empty() {
            return Ok(there_is_more);
        }
        // Whatever was done to a lot is seen before more is.
        self.engine().catch_up().wait()?;
        let (now_due, later) = left.split_at(left.len().min(CHANGED_AT_ONCE));
        let mut tickets = Vec::new();
        for level in now_due {
            match self.end_lot(level)? {
                Some(ticket) => tickets.push((level.account, ticket)),
                None => sweep.rests(level.account),
            }
        }
        for (account, ticket) in tickets {
            match ticket.wait()? {
                AtomicOutcome::Done(_) => sweep.rests(account),
                // An embedder has taken some of it meanwhile: the next look tells what is left.
                AtomicOutcome::Refused { .. } => {}
            }
        }
        Ok(there_is_more || !later.is_empty())
    }

    /// Does what is due of a lot, in one step.
    fn end_lot(&self, level: &Level) -> Result<Option<Ticket<AtomicOutcome>>> {
        let Some(until) = level.key.until() else {
            return Ok(None);
        };
        let due = self.due(level.account, until, level.available)?;
        let note = |reason| Note { operator: None, reason }.text();
        let (expired, returned) = (note(EXPIRED), note(RETURNED_LATE));
        let mut commands: Vec<Command<'_>> = Vec::new();
        if due.expired > 0 {
            commands.push(WriteOff::new(level.account, due.expired).note(&expired).into());
        }
        if due.returned > 0 {
            let user = User::new(level.key.owner())?;
            let to = self.grace(&user)?.account;
            let moved = account(self.engine(), &moved(&user)?)?;
            commands.push(Transfer::new(level.account, to, due.returned).note(&returned).into());
            commands.push(Receive::new(moved, due.returned).into());
        }
        if commands.is_empty() {
            return Ok(None);
        }
        self.engine().atomic(commands.as_slice()).map(Some)
    }

    /// The lot for what is returned after its end.
    fn grace(&self, user: &User) -> Result<Lot> {
        let until = self.now_ms().saturating_add(self.config().points_grace_ms.max(1));
        self.open_lot(user, self.good_until(until)?)
    }

    /// What is due of a lot that has `available` units, as its changes since its end say.
    fn due(&self, lot: AccountId, until: TimeMs, available: i64) -> Result<Due> {
        let history = self.engine().history();
        let (mut since, mut before): (Vec<ChangeRecord>, Option<Seq>) = (Vec::new(), None);
        loop {
            let piece = history.changes_of(lot, before, PIECE)?;
            before = piece.last().map(|change| change.seq);
            let is_old = |change: &ChangeRecord| change.at.saturating_add(DISORDER_MS) < until;
            let is_last = piece.len() < PIECE || piece.iter().any(is_old);
            since.extend(piece);
            if is_last {
                // From the first change on that is not before the end.
                let first = since.iter().rposition(|change| change.at >= until);
                since.truncate(first.map_or(0, |first| first + 1));
                return Ok(due(available, &since));
            }
        }
    }
}

/// The account that counts what was moved between a user's lots.
pub(super) fn moved(user: &User) -> Result<AccountKey> {
    AccountKey::custom(MOVED, &[user.id()])
}

/// What is due of `available` units, after these changes since the end, newest first.
fn due(available: i64, since: &[ChangeRecord]) -> Due {
    let at_end = since.last().map_or(available, |first| first.available - first.delta);
    // What is to be written off, and what is to be moved: of both, what was is taken off.
    let (mut expired, mut returned) = (at_end, 0_i64);
    for change in since {
        match change.kind {
            ChangeKind::Returned | ChangeKind::Received | ChangeKind::TransferredIn => {
                returned += change.delta;
            }
            ChangeKind::TransferredOut => returned += change.delta,
            ChangeKind::WrittenOff if flaw::is_made(Flaw::ExpiresTwice) => {}
            ChangeKind::WrittenOff
            | ChangeKind::Adjusted
            | ChangeKind::Released
            | ChangeKind::Expired
            | ChangeKind::Confirmed
            | ChangeKind::Discarded
            | ChangeKind::Reserved
            | ChangeKind::Bought => expired += change.delta,
        }
    }
    // Whatever else happened, no more than there is.
    let available = available.max(0);
    let expired = expired.clamp(0, available);
    let returned = returned.clamp(0, available - expired);
    Due { expired: expired.unsigned_abs(), returned: returned.unsigned_abs() }
}
