//! What must come of commands that happen together: the first of what the books are, and each other
//! of what the books would be after those before it.

use std::collections::BTreeSet;

use super::books::{Answer, Books};
use super::check::{Checked, agree};
use super::decide::{Bounds, Due, Terms};
use super::said::Said;
use crate::base::error::ErrorKind;
use crate::base::{
    ATOMIC_COMMANDS_MAX, ATOMIC_LINES_MAX, BODY_BYTES_MAX, ReservationId, Seq, TimeMs,
};
use crate::event::{Event, Fact, Facts};
use crate::ledger::{
    Adjust, Atomic, AtomicOutcome, Command, Confirm, Extend, Receive, Release, Transfer, WriteOff,
};

/// What was said of each, or which one could not happen and what was said of it.
pub type SaidTogether = Result<Vec<Said>, (usize, Said)>;

/// What must come of commands that happen together.
#[allow(clippy::large_enum_variant, reason = "a check has one of them")]
#[derive(Clone, Debug)]
pub enum DueTogether {
    /// This one fact, and the answers.
    Fact(Fact<'static>, Vec<Said>),
    /// Nothing happens, because of this one.
    Nothing(usize, Said),
    /// The first answers once more.
    Again(Vec<Said>, Seq),
    /// They are refused, and nothing happens.
    Error(ErrorKind),
}

impl DueTogether {
    /// What must be said.
    ///
    /// # Errors
    /// The error that must be.
    pub fn answer(&self) -> Result<SaidTogether, ErrorKind> {
        match self {
            Self::Fact(_, said) | Self::Again(said, _) => Ok(Ok(said.clone())),
            Self::Nothing(index, said) => Ok(Err((*index, *said))),
            Self::Error(kind) => Err(*kind),
        }
    }
}

/// An outcome, as it is said.
pub fn said_together(outcome: AtomicOutcome) -> SaidTogether {
    match outcome.done() {
        Ok(outcomes) => Ok(outcomes.into_iter().map(Said::from).collect()),
        Err((index, outcome)) => Err((index, outcome.into())),
    }
}

/// The reservations that were made, in the order of the commands.
pub fn numbers_of(said: &Result<SaidTogether, ErrorKind>) -> Vec<Option<ReservationId>> {
    let Ok(Ok(said)) = said else { return Vec::new() };
    let number = |said: &Said| match said {
        Said::Reserved { reservation, .. } => Some(*reservation),
        _ => None,
    };
    said.iter().map(number).collect()
}

impl Books {
    /// Holds what was said of commands together to what must come of them, and enters that.
    ///
    /// # Errors
    /// What should have been said.
    pub fn hear_together(
        &mut self,
        atomic: &Atomic<'_>,
        now: TimeMs,
        said: &Result<SaidTogether, ErrorKind>,
        terms: &Terms,
    ) -> Checked {
        let due = self.decide_together(atomic, now, &numbers_of(said), &terms.bounds);
        self.hold_together(said, &due)?;
        match due {
            DueTogether::Fact(fact, _) => {
                let request = atomic.key.map(|key| terms.request(key, now));
                self.enter_all(now, request, vec![fact], |_| {})
            }
            DueTogether::Nothing(..) | DueTogether::Again(..) | DueTogether::Error(_) => Ok(()),
        }
    }

    /// Holds what was said of commands together to what is due.
    ///
    /// # Errors
    /// What should have been said.
    pub fn hold_together(
        &self,
        said: &Result<SaidTogether, ErrorKind>,
        due: &DueTogether,
    ) -> Checked {
        match (said, &due.answer()) {
            (Ok(Err((is, said))), Ok(Err((should, due)))) => {
                agree("which of them cannot happen", is, should)?;
                self.hold_answer(&Ok(*said), &Ok(*due))
            }
            (said, due) => agree("the answer together", said, due),
        }
    }

    /// What must come of commands together. The ledger chooses the numbers of reservations, so they
    /// are told here.
    pub fn decide_together(
        &self,
        atomic: &Atomic<'_>,
        now: TimeMs,
        numbers: &[Option<ReservationId>],
        bounds: &Bounds,
    ) -> DueTogether {
        if let Some(kind) = self.malformed_together(atomic.commands) {
            return DueTogether::Error(kind);
        }
        let known = atomic.key.and_then(|key| self.answers.get(&key.number()));
        if let Some(Answer { fingerprint, seq, parts, .. }) =
            known.filter(|answer| answer.until > now)
        {
            let same =
                atomic.key.and_then(|key| key.body()).is_none_or(|body| body == *fingerprint);
            return match same {
                true => DueTogether::Again(parts.clone(), *seq),
                false => DueTogether::Error(ErrorKind::Conflict),
            };
        }
        let due = self.decide_one_by_one(atomic.commands, now, numbers, bounds);
        let weight = 1 + atomic.commands.len();
        let kept = atomic.key.map_or(0, |key| self.kept(key.owner(), now) + weight);
        match due {
            DueTogether::Fact(..) if kept > bounds.keys_per_owner => {
                DueTogether::Error(ErrorKind::Throttled)
            }
            due => due,
        }
    }

    fn malformed_together(&self, commands: &[Command<'_>]) -> Option<ErrorKind> {
        if !(1..=ATOMIC_COMMANDS_MAX).contains(&commands.len()) {
            return Some(ErrorKind::Invalid);
        }
        let mut named = BTreeSet::new();
        let texts: usize = commands.iter().map(text_bytes).sum();
        let found = commands.iter().find_map(|command| {
            let twice = matches!(
                command,
                Command::Confirm(Confirm { reservation, .. })
                | Command::Release(Release { reservation, .. })
                | Command::Extend(Extend { reservation, .. }) if !named.insert(*reservation)
            );
            twice.then_some(ErrorKind::Invalid).or_else(|| self.malformed(command))
        });
        found.or((texts > BODY_BYTES_MAX).then_some(ErrorKind::Invalid))
    }

    fn decide_one_by_one(
        &self,
        commands: &[Command<'_>],
        now: TimeMs,
        numbers: &[Option<ReservationId>],
        bounds: &Bounds,
    ) -> DueTogether {
        let (mut trial, mut all, mut said, mut lines) = (self.clone(), Vec::new(), Vec::new(), 0);
        for (index, command) in commands.iter().enumerate() {
            // Where none is told, because nothing happened: one that was never given out.
            let number = numbers.get(index).copied().flatten().or_else(|| made_up(command, index));
            // What is pending is what was so before all of them.
            if let (None, Due::Nothing(said)) =
                (made_up(command, index), self.decide(command, now, number, bounds, false))
                && matches!(said, Said::NotPending { .. })
            {
                return DueTogether::Nothing(index, said);
            }
            let (facts, outcome) = match trial.decide(command, now, number, bounds, false) {
                Due::Facts(facts, outcome) => (facts, outcome),
                Due::Nothing(outcome) => return DueTogether::Nothing(index, outcome),
                Due::Error(kind) => return DueTogether::Error(kind),
                Due::Again(..) => unreachable!("none has a key"),
            };
            lines += facts.iter().map(line_count).sum::<usize>();
            if lines > ATOMIC_LINES_MAX {
                return DueTogether::Error(ErrorKind::Invalid);
            }
            for fact in facts {
                let event = Event { at: now, request: None, fact };
                if trial.enter(&event).is_err() {
                    // Entering what comes of all of them says what is wrong.
                    break;
                }
                all.push(event.fact);
            }
            said.push(outcome);
        }
        let facts = Facts::new(all).expect("lines and commands are bounded");
        DueTogether::Fact(Fact::Atomic(facts), said)
    }
}

fn made_up(command: &Command<'_>, index: usize) -> Option<ReservationId> {
    let Command::Reserve(reserve) = command else { return None };
    let home = reserve.lines.iter().map(|line| line.account.shard()).min()?;
    Some(ReservationId::new(home, (1 << 57) - index as u64))
}

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

fn line_count(fact: &Fact<'_>) -> usize {
    match fact {
        Fact::Reserved { lines, .. } | Fact::Extended { lines, .. } => lines.len(),
        Fact::Confirmed(end) | Fact::Released(end) => end.lines.len(),
        Fact::Transferred { .. } => 2,
        Fact::Renewed { .. } => 0,
        _ => 1,
    }
}
