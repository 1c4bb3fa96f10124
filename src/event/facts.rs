//! The facts of an event in which several commands happened together.

use std::ops::Deref;

use super::Fact;
use crate::base::error::{Error, Result};
use crate::base::{ATOMIC_COMMANDS_MAX, ATOMIC_LINES_MAX};

/// Facts that happened in one step, in this order: 1 to [`Facts::MAX`] of them. Each is what a
/// command came to, or what a quota's window gave back before one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts<'a>(Box<[Fact<'a>]>);

impl<'a> Facts<'a> {
    /// The most of one event: one for each command, and one for each quota that renews before.
    pub const MAX: usize = ATOMIC_COMMANDS_MAX + ATOMIC_LINES_MAX;

    /// # Errors
    /// `Corrupt` when these are too many or none, or one of them never happens together with others.
    pub(crate) fn new(facts: Vec<Fact<'a>>) -> Result<Self> {
        if !(1..=Self::MAX).contains(&facts.len()) {
            return Err(Error::corrupt(format!("an event has {} facts", facts.len())));
        }
        match facts.iter().all(Fact::may_be_part) {
            true => Ok(Self(facts.into())),
            false => {
                Err(Error::corrupt("an event has a fact that never happens together with others"))
            }
        }
    }

    pub(super) fn into_owned(self) -> Facts<'static> {
        Facts(self.0.into_iter().map(Fact::into_owned).collect())
    }
}

impl<'a> Deref for Facts<'a> {
    type Target = [Fact<'a>];

    fn deref(&self) -> &[Fact<'a>] {
        &self.0
    }
}

impl<'p, 'a> IntoIterator for &'p Facts<'a> {
    type Item = &'p Fact<'a>;
    type IntoIter = std::slice::Iter<'p, Fact<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl Fact<'_> {
    /// Whether it is what a command comes to that may be one of several, or what such a command
    /// finds due. What happens together has no such facts within.
    fn may_be_part(&self) -> bool {
        match self {
            Self::Received { .. }
            | Self::Adjusted { .. }
            | Self::WrittenOff { .. }
            | Self::Renewed { .. }
            | Self::Reserved { .. }
            | Self::Confirmed(_)
            | Self::Released(_)
            | Self::Transferred { .. }
            | Self::Extended { .. }
            | Self::Dequeued { .. } => true,
            Self::AccountOpened { .. }
            | Self::PolicyChanged { .. }
            | Self::Expired(_)
            | Self::Returned { .. }
            | Self::Revived { .. }
            | Self::Noted { .. }
            | Self::Document { .. }
            | Self::ClockMended { .. }
            | Self::AccountClosed { .. }
            | Self::Queued { .. }
            | Self::Answered { .. }
            | Self::Atomic(_) => false,
        }
    }
}
