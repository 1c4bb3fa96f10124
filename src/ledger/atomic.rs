//! Commands that happen together: all of them, in one event, or none.
//!
//! They are decided one after the other on a [`Draft`], which only reads the locked shards. When
//! all of them can happen, their facts become one event, which is recorded and applied like any
//! other; when one cannot, the draft is thrown away. So nothing is ever undone.

use std::collections::BTreeSet;

use super::commit::commit;
use super::counts::{Became, Verb};
use super::decide::{Decision, decide};
use super::draft::Draft;
use super::idempotency::{KeyRecord, of_atomic};
use super::shard::{LockedShards, bit};
use super::validate::Validated;
use super::{
    Atomic, AtomicOutcome, Command, Confirm, Executed, Extend, Ledger, Outcome, Receive, Release,
    Transfer, WriteOff,
};
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::base::{ATOMIC_COMMANDS_MAX, ATOMIC_LINES_MAX, BODY_BYTES_MAX, ReservationId, TimeMs};
use crate::event::{Event, Fact, Facts, Recorder};
use crate::ledger::Adjust;

/// What commands together come to.
enum Decided<'a> {
    /// These facts, in one event.
    Facts(Vec<Fact<'a>>, Vec<Outcome>),
    /// Nothing: this one cannot happen. The facts are those of the commands before it.
    Nothing { index: usize, outcome: Outcome, facts: Vec<Fact<'a>> },
}

impl Ledger {
    /// Validates, decides and applies commands together.
    ///
    /// # Errors
    /// As [`Ledger::execute`], saying which command it is about. Nothing is changed then.
    pub(crate) fn execute_atomic(
        &self,
        atomic: &Atomic<'_>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Executed<AtomicOutcome>> {
        let commands =
            self.validate_atomic(atomic).inspect_err(|_| self.unlocked.failed(Verb::Atomic))?;
        let key_shard = atomic.key.map_or(0, |key| bit(self.key_space.shard_of(key.number())));
        let mut locked = self.lock_with(key_shard, commands.iter());
        let executed = self.execute_together(&mut locked, atomic, now, recorder);
        locked.count(Verb::Atomic, executed)
    }

    /// Rejects what no state could make right, and what names what does not exist.
    ///
    /// # Errors
    /// `Invalid` or `NotFound`.
    pub(crate) fn validate_atomic<'a>(
        &self,
        atomic: &Atomic<'a>,
    ) -> Result<Vec<Validated<'a, 'a>>> {
        let commands = atomic.commands;
        if !(1..=ATOMIC_COMMANDS_MAX).contains(&commands.len()) {
            return Err(Error::invalid(format!(
                "1 to {ATOMIC_COMMANDS_MAX} commands happen together"
            )));
        }
        let mut named = BTreeSet::new();
        let mut validated = Vec::with_capacity(commands.len());
        for (index, command) in commands.iter().enumerate() {
            if command.key().is_some() {
                let why = "commands that happen together have one idempotency key between them";
                return Err(Error::invalid(why).of_command(index));
            }
            if let Some(id) = reservation_of(command).filter(|id| !named.insert(*id)) {
                let why = format!("reservation {id} is the matter of a command before it");
                return Err(Error::invalid(why).of_command(index));
            }
            let form = self.check_command(command).map_err(|error| error.of_command(index))?;
            validated.push(form);
        }
        let texts: usize = commands.iter().map(text_bytes).sum();
        match texts {
            0..=BODY_BYTES_MAX => Ok(validated),
            _ => Err(Error::invalid(format!(
                "notes and details of commands that happen together have at most {BODY_BYTES_MAX} bytes in all"
            ))),
        }
    }

    fn execute_together(
        &self,
        locked: &mut LockedShards<'_>,
        atomic: &Atomic<'_>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<(Executed<AtomicOutcome>, Became)> {
        recorder.admit()?;
        let keyed = of_atomic(atomic, &self.limits.keys, now);
        if let Some(keyed) = &keyed
            && let Some(first) = self.first_locked(locked, keyed, now)?
        {
            let outcome = first.answer.to_atomic(atomic.commands)?;
            return Ok(((outcome, Some(first.seq)), Became::Repeated));
        }
        match self.decide_together(locked, atomic.commands, now)? {
            Decided::Facts(facts, outcomes) => {
                let weight = KeyRecord::weight_of(atomic.commands.len());
                let request = self.admit(keyed, weight, now)?;
                let fact = Fact::Atomic(Facts::new(facts).expect("lines and commands are bounded"));
                let seq = commit(locked, &Event { at: now, request, fact }, recorder);
                Ok(((AtomicOutcome::Done(outcomes), Some(seq)), Became::Done))
            }
            Decided::Nothing { index, outcome, facts } => {
                if flaw::is_made(Flaw::KeepsHalf) && !facts.is_empty() {
                    let fact = Fact::Atomic(Facts::new(facts).expect("they are bounded"));
                    commit(locked, &Event { at: now, request: None, fact }, recorder);
                }
                let became = Became::of(&outcome);
                Ok(((AtomicOutcome::Refused { index, outcome }, None), became))
            }
        }
    }

    /// Decides each command on what those before it would leave.
    ///
    /// # Errors
    /// Those of the first that has one.
    fn decide_together<'a>(
        &self,
        locked: &LockedShards<'_>,
        commands: &[Command<'a>],
        now: TimeMs,
    ) -> Result<Decided<'a>> {
        let mut draft = Draft::new(locked, commands.iter().filter_map(reservation_of));
        let (mut outcomes, mut lines) = (Vec::with_capacity(commands.len()), 0);
        for (index, command) in commands.iter().enumerate() {
            let decision = decide(&draft, command, now, self.limits.reservations_per_shard_max);
            match decision.map_err(|error| error.of_command(index))? {
                Decision::Nothing(outcome) => {
                    return Ok(Decided::Nothing { index, outcome, facts: draft.into_facts() });
                }
                Decision::Facts { renewals, event, outcome } => {
                    lines += line_count(&event.fact);
                    if lines > ATOMIC_LINES_MAX {
                        let why = format!(
                            "commands that happen together have at most {ATOMIC_LINES_MAX} lines"
                        );
                        return Err(Error::invalid(why).of_command(index));
                    }
                    renewals.into_iter().for_each(|renewal| draft.add(renewal, now));
                    draft.add(event.fact, now);
                    outcomes.push(outcome);
                }
            }
        }
        Ok(Decided::Facts(draft.into_facts(), outcomes))
    }
}

/// The reservation that a command ends or extends.
fn reservation_of(command: &Command<'_>) -> Option<ReservationId> {
    match command {
        Command::Confirm(Confirm { reservation, .. })
        | Command::Release(Release { reservation, .. })
        | Command::Extend(Extend { reservation, .. }) => Some(*reservation),
        Command::Receive(_)
        | Command::Adjust(_)
        | Command::WriteOff(_)
        | Command::Reserve(_)
        | Command::Transfer(_) => None,
    }
}

/// What a command brings into its fact beside numbers.
fn text_bytes(command: &Command<'_>) -> usize {
    match command {
        Command::Receive(Receive { note, .. })
        | Command::Adjust(Adjust { note, .. })
        | Command::WriteOff(WriteOff { note, .. })
        | Command::Transfer(Transfer { note, .. }) => note.len(),
        Command::Reserve(reserve) => reserve.details.len(),
        Command::Confirm(_) | Command::Release(_) | Command::Extend(_) => 0,
    }
}

/// How many accounts a command's fact tells of, each as often as it does.
fn line_count(fact: &Fact<'_>) -> usize {
    match fact {
        Fact::Reserved { lines, .. } | Fact::Extended { lines, .. } => lines.len(),
        Fact::Confirmed(end) | Fact::Released(end) => end.lines.len(),
        Fact::Transferred { .. } => 2,
        _ => 1,
    }
}
