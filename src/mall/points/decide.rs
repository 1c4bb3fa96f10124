//! How a change of points is decided, and what is told of it once it is durable.

use super::lots::Decided;
use super::moving::{MovePoints, Moved, keyed, moved, of_another, too_few};
use crate::base::IdempotencyKey;
use crate::base::error::Result;
use crate::engine::Ticket;
use crate::ledger::{Atomic, AtomicOutcome, Outcome};
use crate::mall::{Failure, Mall, User};

/// A change that was decided, on its way to the disk.
pub(super) enum OnItsWay {
    /// Of the account that has all of the user's points, which tells the balance.
    One(Ticket<Outcome>),
    /// The same, and what says that they are not earned.
    Two(Ticket<AtomicOutcome>),
    InLots(Decided),
}

impl OnItsWay {
    /// Whether it was refused, though there were enough points when they were looked at.
    #[cfg(feature = "bin")]
    pub(super) fn is_refused(&self) -> Result<bool> {
        Ok(match self {
            Self::One(ticket) => moved(ticket.outcome())?.is_err(),
            Self::Two(ticket) => moved(of_the_points(ticket.outcome())?)?.is_err(),
            Self::InLots(_) => false,
        })
    }
}

impl Mall {
    /// Moves a user's points; returns the new balance. A retry with the same key is told the first
    /// one.
    ///
    /// # Errors
    /// `InsufficientPoints` when there are too few to deduct.
    pub(crate) async fn move_points(
        &self,
        user: &User,
        change: &MovePoints<'_>,
        key: Option<IdempotencyKey>,
    ) -> Result<Moved, Failure> {
        let decided = self.decide_points(user, change, key)?;
        self.settle_points(user, change, decided).await
    }

    /// Decides how a user's points move, without waiting for the disk. What is refused may be told by
    /// [`Mall::settle_points`] alone.
    pub(super) fn decide_points(
        &self,
        user: &User,
        change: &MovePoints<'_>,
        key: Option<IdempotencyKey>,
    ) -> Result<OnItsWay, Failure> {
        change.check()?;
        if self.has_points_elsewhere() {
            return Err(Failure::PointsElsewhere);
        }
        if change.expires_at.is_some() || self.has_lots(user) {
            return self.decide_in_lots(user, change, key).map(OnItsWay::InLots);
        }
        let note = change.note();
        let Some((points, not_earned)) = self.accounts_to_move(user, change)? else {
            return Err(too_few(change.points, 0));
        };
        let commands = change.commands(points, not_earned, &note)?;
        Ok(match commands[..] {
            [command] => OnItsWay::One(self.engine().execute(&keyed(command, key))?),
            _ => OnItsWay::Two(self.engine().atomic(Atomic::new(&commands).key(key))?),
        })
    }

    /// What came of a change that was decided, once that is durable.
    pub(super) async fn settle_points(
        &self,
        user: &User,
        change: &MovePoints<'_>,
        decided: OnItsWay,
    ) -> Result<Moved, Failure> {
        let outcome = match decided {
            OnItsWay::One(ticket) => self.durable(ticket).await?,
            OnItsWay::Two(ticket) => of_the_points(self.durable(ticket).await?)?,
            OnItsWay::InLots(decided) => return self.settle_in_lots(user, change, decided).await,
        };
        match moved(outcome)? {
            Ok(balance) => Ok(Moved { balance, expires_at: None }),
            Err(refusal) => Err(too_few(change.points, refusal.available)),
        }
    }
}

/// What became of the first of the commands that happen together.
fn of_the_points(together: AtomicOutcome) -> Result<Outcome> {
    match together {
        AtomicOutcome::Done(outcomes) => outcomes.into_iter().next().ok_or_else(of_another),
        AtomicOutcome::Refused { outcome, .. } => Ok(outcome),
    }
}
