//! Executing commands: under the locks of all shards that they touch, each is decided, recorded and
//! applied.

use super::commit::commit;
use super::counts::{Became, Verb};
use super::decide::{Decision, decide};
use super::idempotency::{Keyed, of_command};
use super::shard::{LockedShards, mask_of};
use super::validate::Validated;
use super::{Command, Confirm, Executed, Extend, Ledger, Outcome, Release, ReserveOutcome};
use crate::base::TimeMs;
use crate::base::error::Result;
use crate::event::{Event, Recorder, Request};

impl Ledger {
    /// Validates, decides and applies one command.
    ///
    /// # Errors
    /// `Invalid`, `NotFound`, `Conflict`, `Overloaded`, or what the recorder says. Nothing is
    /// changed then.
    #[cfg(any(test, feature = "bin"))]
    pub(crate) fn execute(
        &self,
        command: &Command<'_>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Executed> {
        self.execute_validated(self.validate(command)?, now, recorder)
    }

    /// As [`Ledger::execute`], for a command that this ledger validated.
    pub(crate) fn execute_validated(
        &self,
        command: Validated<'_, '_>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Executed> {
        if let Command::Reserve(reserve) = command.command
            && let Some(refusal) = self.refuse_fast(reserve, now)
        {
            self.unlocked.refused();
            return Ok((Outcome::Reserve(ReserveOutcome::Refused(refusal)), None));
        }
        let mut locked = self.lock_for(std::iter::once(&command));
        self.execute_locked(&mut locked, command.command, now, recorder)
    }

    /// Executes many commands in their order, each for itself, in one round of locks.
    pub(crate) fn execute_batch(
        &self,
        commands: &[Command<'_>],
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Vec<Result<Executed>> {
        let validated: Vec<Result<Validated<'_, '_>>> =
            commands.iter().map(|command| self.validate(command)).collect();
        let mut locked = self.lock_for(validated.iter().flatten());
        let execute = |command: Result<Validated<'_, '_>>| {
            self.execute_locked(&mut locked, command?.command, now, recorder)
        };
        validated.into_iter().map(execute).collect()
    }

    /// Locks every shard that the commands touch.
    fn lock_for<'v, 'c: 'v, 'a: 'c>(
        &self,
        commands: impl Iterator<Item = &'v Validated<'c, 'a>> + Clone,
    ) -> LockedShards<'_> {
        self.lock_with(0, commands)
    }

    /// Locks some shards, and every one that the commands touch.
    pub(super) fn lock_with<'v, 'c: 'v, 'a: 'c>(
        &self,
        more: u64,
        commands: impl Iterator<Item = &'v Validated<'c, 'a>> + Clone,
    ) -> LockedShards<'_> {
        let named = commands.clone().fold(more, |mask, command| mask | command.footprint);
        let mut locked = LockedShards::lock(&self.shards, named);
        loop {
            let held = commands.clone().map(|command| held_by(&locked, command.command));
            let needed = held.fold(0, |mask, lines| mask | lines);
            // A reservation's lines never change, but one whose number was guessed may appear while
            // no lock is held.
            if locked.extend(needed) {
                return locked;
            }
        }
    }

    fn execute_locked(
        &self,
        locked: &mut LockedShards<'_>,
        command: &Command<'_>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Executed> {
        let executed = self.decide_locked(locked, command, now, recorder);
        locked.count(Verb::of(command), executed)
    }

    fn decide_locked(
        &self,
        locked: &mut LockedShards<'_>,
        command: &Command<'_>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<(Executed, Became)> {
        recorder.admit()?;
        let keyed = of_command(command, &self.limits.keys, now);
        if let Some(keyed) = &keyed
            && let Some(first) = self.first_locked(locked, keyed, now)?
        {
            return Ok(((first.answer.to(command)?, Some(first.seq)), Became::Repeated));
        }
        // By reference: the event stays where it was made.
        match decide(locked, command, now, self.limits.reservations_per_shard_max) {
            Ok(Decision::Nothing(outcome)) => Ok(((outcome, None), Became::of(&outcome))),
            Ok(Decision::Facts { ref mut renewals, ref mut event, outcome }) => {
                event.request = self.admit(keyed, 1, now)?;
                for renewal in renewals.drain(..) {
                    commit(locked, &Event { at: now, request: None, fact: renewal }, recorder);
                }
                Ok(((outcome, Some(commit(locked, event, recorder))), Became::Done))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the answer to a request that is about to do something can be kept, which counts as
    /// `weight` of them.
    pub(super) fn admit(
        &self,
        keyed: Option<Keyed>,
        weight: usize,
        now: TimeMs,
    ) -> Result<Option<Request>> {
        keyed.map_or(Ok(()), |keyed| self.key_space.admit(keyed.owner, weight, now))?;
        Ok(keyed.map(|keyed| keyed.request))
    }
}

/// The shards of what the command's reservation holds, as long as it is pending.
fn held_by(locked: &LockedShards<'_>, command: &Command<'_>) -> u64 {
    let reservation = match command {
        Command::Confirm(Confirm { reservation, .. })
        | Command::Release(Release { reservation, .. })
        | Command::Extend(Extend { reservation, .. }) => *reservation,
        Command::Receive(_)
        | Command::Adjust(_)
        | Command::WriteOff(_)
        | Command::Reserve(_)
        | Command::Transfer(_) => return 0,
    };
    let pending = locked.shard(reservation.shard()).reservations.get(reservation);
    pending.map_or(0, |pending| mask_of(&pending.lines))
}
