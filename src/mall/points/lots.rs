//! Moving the points of a user that has some with an end, or is to have: what is deducted is of
//! those that end first.

use super::moving::{MovePoints, Moved, too_few};
use super::not_earned;
use crate::base::error::{Error, Result};
use crate::base::{ATOMIC_COMMANDS_MAX, AccountId, IdempotencyKey, Seq};
use crate::engine::Ticket;
use crate::ledger::{Adjust, Atomic, AtomicOutcome, Command, FirstAnswer, Line, Receive};
use crate::mall::lots::Spending;
use crate::mall::model::Moving;
use crate::mall::{Failure, Mall, User, account};

/// How often the points are chosen anew, since another request of the user was faster.
const CHOSEN_ANEW_MAX: usize = 32;

/// How a request was decided.
pub(super) enum Decided {
    Now(Ticket<AtomicOutcome>),
    /// By an earlier try with the same key.
    Before(Ticket<FirstAnswer>),
}

impl Mall {
    pub(super) async fn settle_in_lots(
        &self,
        user: &User,
        change: &MovePoints<'_>,
        decided: Decided,
    ) -> Result<Moved, Failure> {
        let seq = match decided {
            Decided::Now(ticket) => {
                let seq = ticket.seq();
                self.durable(ticket).await?;
                seq
            }
            Decided::Before(ticket) => {
                let seq = ticket.seq();
                self.durable(ticket).await?;
                seq
            }
        };
        let seq = seq.ok_or_else(|| Error::unavailable("points were moved by no event"))?;
        let expires_at = change.expires_at.map(|at| self.good_until(at)).transpose()?;
        // As of that event, so that each try is told the same.
        self.caught_up().await?;
        let balance = self.balance_at(user, seq).await?;
        Ok(Moved { balance, expires_at })
    }

    pub(super) fn decide_in_lots(
        &self,
        user: &User,
        change: &MovePoints<'_>,
        key: Option<IdempotencyKey>,
    ) -> Result<Decided, Failure> {
        let _one_try = key.map(|key| self.one_try(key));
        if let Some(ticket) = key.map_or(Ok(None), |key| self.engine().first_answer(key))? {
            return Ok(Decided::Before(ticket));
        }
        for _ in 0..=CHOSEN_ANEW_MAX {
            let lines = match change.moving {
                Moving::Award | Moving::Refund => {
                    let account = self.account_to_award(user, change)?;
                    vec![Line { account, quantity: change.points }]
                }
                Moving::Deduct => self.lines_to_deduct(user, change.points)?,
            };
            let (first, other) = change.notes_in_lots(lines.len());
            let notes = std::iter::once(&first).chain(std::iter::repeat(&other));
            let mut commands = Vec::with_capacity(lines.len() + 1);
            for (line, note) in lines.iter().zip(notes) {
                commands.push(command(change.moving, line, note)?);
            }
            if change.is_not_earned() {
                let account = account(self.engine(), &not_earned(user)?)?;
                commands.push(Receive::new(account, change.points).into());
            }
            if commands.len() > ATOMIC_COMMANDS_MAX {
                return Err(Failure::TooManyLots(format!(
                    "the points are good until too many different days: {ATOMIC_COMMANDS_MAX} accounts \
                     are changed together at most"
                )));
            }
            let ticket = self.engine().atomic(Atomic::new(&commands).key(key))?;
            match ticket.outcome() {
                AtomicOutcome::Done(_) => return Ok(Decided::Now(ticket)),
                // Another request of the user was faster.
                AtomicOutcome::Refused { .. } => {}
            }
        }
        Err(Error::overloaded("too many requests of this user at once").into())
    }

    fn account_to_award(&self, user: &User, change: &MovePoints<'_>) -> Result<AccountId, Failure> {
        match change.expires_at {
            Some(at) => Ok(self.lot(user, at)?.account),
            None => Ok(account(self.engine(), &user.points_key)?),
        }
    }

    fn lines_to_deduct(&self, user: &User, points: u64) -> Result<Vec<Line>, Failure> {
        let Some(forever) = user.points(self.engine()) else {
            return Err(too_few(points, 0));
        };
        let Spending { lines, spendable } = self.spending(user, forever, points)?;
        let spendable = match spendable {
            Some(spendable) => spendable,
            None => self.engine().takeable(forever)?,
        };
        match spendable >= points {
            true => Ok(lines.to_vec()),
            false => Err(too_few(points, spendable)),
        }
    }

    /// What all points of a user came to after an event.
    async fn balance_at(&self, user: &User, seq: Seq) -> Result<i64> {
        let Some(forever) = user.points(self.engine()) else {
            return Ok(0);
        };
        let (engine, accounts) = (self.engine().clone(), self.points_accounts(user, forever));
        self.read(move || {
            let newest = |account| engine.history().changes_of(account, Some(seq + 1), 1);
            accounts.into_iter().try_fold(0_i64, |sum, account| {
                let available = newest(account)?.first().map_or(0, |change| change.available);
                Ok(sum.saturating_add(available))
            })
        })
        .await
    }
}

/// What moves the points of one lot.
fn command<'n>(moving: Moving, line: &Line, note: &'n str) -> Result<Command<'n>> {
    Ok(match moving {
        Moving::Award | Moving::Refund => {
            Receive::new(line.account, line.quantity).note(note).into()
        }
        Moving::Deduct => {
            let units = i64::try_from(line.quantity).map(std::ops::Neg::neg);
            let units = units.map_err(|_| Error::invalid("points are too many"))?;
            Adjust::new(line.account, units).note(note).into()
        }
    })
}
