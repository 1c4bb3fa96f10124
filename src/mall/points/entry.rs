//! Changes of points of many users at once: lines of a file, or of a request.

use super::moving::{MovePoints, Moved};
use crate::base::error::{ErrorKind, Result};
use crate::base::{IdempotencyKey, TimeMs};
use crate::mall::model::{Moving, PointsSource};
use crate::mall::{Failure, Mall, User};

/// How many lines one request may have.
pub(crate) const REQUEST_LINES_MAX: usize = 1000;
/// How many of them are on their way to the disk at one time.
const ON_THEIR_WAY: usize = 64;

/// A change of a user's points among others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PointsEntry {
    pub(crate) user: String,
    pub(crate) moving: Moving,
    pub(crate) points: u64,
    pub(crate) source: Option<PointsSource>,
    pub(crate) reason: String,
    pub(crate) order: Option<String>,
    /// Until when they are to be good at least, of an award; `None` is for ever.
    pub(crate) expires_at: Option<TimeMs>,
}

impl PointsEntry {
    pub(crate) fn by<'a>(&'a self, operator: &'a str) -> MovePoints<'a> {
        MovePoints {
            moving: self.moving,
            points: self.points,
            source: self.source,
            operator,
            reason: &self.reason,
            order: self.order.as_deref(),
            expires_at: self.expires_at,
        }
    }
}

impl Mall {
    /// Moves points as each of these lines says, in their order; what became of each. One that is
    /// refused holds up no other. A retry of a line with the same key is told what the first try was.
    ///
    /// # Errors
    /// When it cannot be said of a line alone that it is refused, such as of a disk that fails: then
    /// the lines up to some place have happened, and a retry of all has the rest follow.
    pub(crate) async fn move_points_of_many(
        &self,
        lines: &[(PointsEntry, Option<IdempotencyKey>)],
        by: &str,
    ) -> Result<Vec<Result<Moved, Failure>>, Failure> {
        if self.has_points_elsewhere() {
            return Err(Failure::PointsElsewhere);
        }
        let mut all = Vec::with_capacity(lines.len());
        for piece in lines.chunks(ON_THEIR_WAY) {
            let mut decided = Vec::with_capacity(piece.len());
            for (entry, key) in piece {
                let user = User::new(&entry.user)?;
                let on_its_way = of_line(self.decide_points(&user, &entry.by(by), *key))?;
                decided.push((user, on_its_way));
            }
            for ((user, on_its_way), (entry, _)) in decided.into_iter().zip(piece) {
                all.push(match on_its_way {
                    Ok(decided) => {
                        of_line(self.settle_points(&user, &entry.by(by), decided).await)?
                    }
                    Err(failure) => Err(failure),
                });
            }
        }
        Ok(all)
    }
}

/// What became of one line; an error when it is no matter of that line.
fn of_line<T>(result: Result<T, Failure>) -> Result<Result<T, Failure>, Failure> {
    match result {
        Err(Failure::Unknown) => Err(Failure::Unknown),
        Err(Failure::Engine(error)) => match error.kind() {
            ErrorKind::Invalid
            | ErrorKind::Conflict
            | ErrorKind::Throttled
            | ErrorKind::NotFound => Ok(Err(Failure::Engine(error))),
            ErrorKind::Overloaded
            | ErrorKind::LowSpace
            | ErrorKind::Stalled
            | ErrorKind::Corrupt
            | ErrorKind::Unavailable
            | ErrorKind::Poisoned
            | ErrorKind::AlreadyOpen
            | ErrorKind::Closed => Err(Failure::Engine(error)),
        },
        of_this_line => Ok(of_this_line),
    }
}
