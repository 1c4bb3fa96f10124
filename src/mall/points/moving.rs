//! Points that operators and services move: each change has its source, its operator and its reason
//! on record, and happens once for each key.

use smallvec::SmallVec;

use super::not_earned;
use crate::base::error::{Error, Result};
use crate::base::{AccountId, BODY_BYTES_MAX, IdempotencyKey, QUANTITY_MAX, TimeMs};
use crate::event::ChangeKind;
use crate::ledger::{Adjust, ChangeOutcome, Command, Outcome, Receive, Refusal, WriteOff};
use crate::mall::facts::{Note, PointsNote, REASON_CHARS_MAX};
use crate::mall::model::{Moving, PointsSource};
use crate::mall::{Failure, Mall, Shortage, User, account, model};

/// How a user's points are to be moved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MovePoints<'a> {
    pub(crate) moving: Moving,
    pub(crate) points: u64,
    /// `None` is the usual one.
    pub(crate) source: Option<PointsSource>,
    /// Who moves them.
    pub(crate) operator: &'a str,
    pub(crate) reason: &'a str,
    /// The order behind it, which may be another system's.
    pub(crate) order: Option<&'a str>,
    /// Until when they are to be good at least, of an award; `None` is for ever.
    pub(crate) expires_at: Option<TimeMs>,
}

/// What came of moving points.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    /// What the user has after it.
    pub(crate) balance: i64,
    /// Until when what was awarded is good; `None` is for ever.
    pub(crate) expires_at: Option<TimeMs>,
}

/// One or two commands: what moves the points, and what says that they are not earned.
pub(super) type Commands<'a> = SmallVec<[Command<'a>; 2]>;

impl MovePoints<'_> {
    fn source(&self) -> PointsSource {
        self.source.unwrap_or_else(|| self.moving.usual_source())
    }

    /// What can be said of it alone.
    ///
    /// # Errors
    /// `Invalid`, and the message begins with the field.
    pub(crate) fn check(&self) -> Result<()> {
        if !(1..=QUANTITY_MAX).contains(&self.points) {
            return Err(Error::invalid(format!("points must be 1 to {QUANTITY_MAX}")));
        }
        let moving = self.moving;
        if !self.source().may(moving) {
            let names: Vec<&str> = moving.sources().collect();
            return Err(Error::invalid(format!("source must be one of {}", names.join(", "))));
        }
        if self.expires_at.is_some() && moving != Moving::Award {
            return Err(Error::invalid("expiresAt is of an award alone"));
        }
        let least = usize::from(moving != Moving::Award);
        let chars = self.reason.chars().count();
        if !(least..=REASON_CHARS_MAX).contains(&chars) {
            let why = format!("reason must have {least} to {REASON_CHARS_MAX} characters");
            return Err(Error::invalid(why));
        }
        if self.reason.chars().any(char::is_control) {
            return Err(Error::invalid("reason must have no control characters"));
        }
        match self.order.map_or(Ok(()), |order| model::check_id("orderId", order)) {
            Ok(()) => Ok(()),
            Err(violation) => Err(violation.into()),
        }
    }

    /// What happens to the account of the points. A correction is told apart from what is gone.
    fn kind(&self) -> ChangeKind {
        match (self.moving, self.source()) {
            (Moving::Award | Moving::Refund, _) => ChangeKind::Received,
            (Moving::Deduct, PointsSource::AdminAdjust) => ChangeKind::Adjusted,
            (Moving::Deduct, _) => ChangeKind::WrittenOff,
        }
    }

    /// The note that the change has: its source only where its kind does not say it.
    pub(super) fn note(&self) -> String {
        self.note_of(self.kind(), self.reason)
    }

    /// The notes where points may be in so many lots: that of the first, and that of each other,
    /// whose reason is cut short where they are too long for one event. Nothing of a lot is written
    /// off but what has expired.
    pub(super) fn notes_in_lots(&self, lots: usize) -> (String, String) {
        let kind = match self.moving {
            Moving::Award | Moving::Refund => ChangeKind::Received,
            Moving::Deduct => ChangeKind::Adjusted,
        };
        let first = self.note_of(kind, self.reason);
        let others = lots.saturating_sub(1);
        let room = BODY_BYTES_MAX.saturating_sub(first.len()).checked_div(others);
        let over = first.len().saturating_sub(room.unwrap_or(usize::MAX));
        let mut kept = self.reason.len().saturating_sub(over);
        while !self.reason.is_char_boundary(kept) {
            kept -= 1;
        }
        let other = self.note_of(kind, &self.reason[..kept]);
        (first, other)
    }

    fn note_of(&self, kind: ChangeKind, reason: &str) -> String {
        let note = Note { operator: Some(self.operator), reason };
        let source = Some(self.source()).filter(|it| *it != PointsSource::of_change(kind));
        PointsNote { note, source, order: self.order }.text().into_owned()
    }

    /// The commands for these accounts.
    pub(super) fn commands<'n>(
        &self,
        points: AccountId,
        not_earned: Option<AccountId>,
        note: &'n str,
    ) -> Result<Commands<'n>> {
        let quantity = self.points;
        let moves = match self.moving {
            Moving::Award | Moving::Refund => Receive::new(points, quantity).note(note).into(),
            Moving::Deduct if self.source() == PointsSource::AdminAdjust => {
                let delta = i64::try_from(quantity).map(std::ops::Neg::neg);
                let delta = delta.map_err(|_| Error::invalid("points are too many"))?;
                Adjust::new(points, delta).note(note).into()
            }
            Moving::Deduct => WriteOff::new(points, quantity).note(note).into(),
        };
        let mut commands = Commands::from_iter([moves]);
        commands.extend(not_earned.map(|account| Receive::new(account, quantity).into()));
        Ok(commands)
    }

    /// Whether what is earned would not follow from what came in.
    pub(super) fn is_not_earned(&self) -> bool {
        let earns = self.source().earns(self.moving);
        match self.moving {
            Moving::Award | Moving::Refund => !earns,
            Moving::Deduct => earns,
        }
    }
}

impl Mall {
    /// The accounts that a change is about: that of the points, and that of what is not earned where
    /// it changes. `None` where there is nothing to take from; nothing is opened then.
    pub(super) fn accounts_to_move(
        &self,
        user: &User,
        change: &MovePoints<'_>,
    ) -> Result<Option<(AccountId, Option<AccountId>)>> {
        let points = match (user.points(self.engine()), change.moving) {
            (Some(points), _) => points,
            (None, Moving::Deduct) => return Ok(None),
            (None, Moving::Award | Moving::Refund) => account(self.engine(), &user.points_key)?,
        };
        let not_earned = match change.is_not_earned() {
            true => Some(account(self.engine(), &not_earned(user)?)?),
            false => None,
        };
        Ok(Some((points, not_earned)))
    }
}

pub(super) fn too_few(required: u64, available: u64) -> Failure {
    Failure::InsufficientPoints(Shortage::of(required, available, None))
}

/// What the account of the points has then, or why nothing was taken.
pub(super) fn moved(outcome: Outcome) -> Result<std::result::Result<i64, Refusal>> {
    match outcome {
        Outcome::Receive(changed)
        | Outcome::Adjust(ChangeOutcome::Changed(changed))
        | Outcome::WriteOff(ChangeOutcome::Changed(changed)) => Ok(Ok(changed.available)),
        Outcome::Adjust(ChangeOutcome::Refused(refusal))
        | Outcome::WriteOff(ChangeOutcome::Refused(refusal)) => Ok(Err(refusal)),
        _ => Err(of_another()),
    }
}

pub(super) fn of_another() -> Error {
    Error::unavailable("the engine answered a change of points with another outcome")
}

pub(super) fn keyed(command: Command<'_>, key: Option<IdempotencyKey>) -> Command<'_> {
    match command {
        Command::Receive(receive) => receive.key(key).into(),
        Command::Adjust(adjust) => adjust.key(key).into(),
        Command::WriteOff(write_off) => write_off.key(key).into(),
        another => another,
    }
}
