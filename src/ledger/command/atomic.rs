//! The request that several commands happen together.

use super::{Command, builders};
use crate::base::IdempotencyKey;
#[cfg(doc)]
use crate::base::{ATOMIC_COMMANDS_MAX, ATOMIC_LINES_MAX, BODY_BYTES_MAX};

/// Several commands that happen together, in their order, or not at all.
///
/// Each is decided on what those before it would leave. Names are decided before: a reservation is
/// the matter of one of them at most, and what one of them reserves is pending only once all have
/// happened. [`Reserve::confirmed`](crate::Reserve::confirmed) takes and confirms in one.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[must_use = "a request does nothing until an engine executes it"]
pub struct Atomic<'a> {
    /// The commands, 1 to [`ATOMIC_COMMANDS_MAX`], without keys of their own. Their lines are at
    /// most [`ATOMIC_LINES_MAX`] in all; their notes and details have [`BODY_BYTES_MAX`] bytes in
    /// all.
    pub commands: &'a [Command<'a>],
    /// The request's name.
    pub key: Option<IdempotencyKey>,
}

impl<'a> Atomic<'a> {
    /// All of `commands`, or none.
    pub fn new(commands: &'a [Command<'a>]) -> Self {
        Self { commands, key: None }
    }
}

impl<'a> From<&'a [Command<'a>]> for Atomic<'a> {
    fn from(commands: &'a [Command<'a>]) -> Self {
        Self::new(commands)
    }
}

impl<'a, const N: usize> From<&'a [Command<'a>; N]> for Atomic<'a> {
    fn from(commands: &'a [Command<'a>; N]) -> Self {
        Self::new(commands)
    }
}

builders!(['a] Atomic<'a> { key });
