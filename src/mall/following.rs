//! Following the events for as long as a mall lives, over restarts: from where a claim says on, which
//! keeps in the journal what was not looked at yet.

use crate::base::Seq;
use crate::base::error::{ErrorKind, Result};
use crate::engine::{Claim, Engine, Subscription};
use crate::event::Event;
use crate::mall::views::{Changes, Views};

/// How many events are looked at in one call, so that others get a word in.
pub(super) const EVENTS_AT_ONCE: usize = 4096;
/// After how many the claim is moved on.
const HELD_MAX: u64 = 8192;

/// Where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// Where the claim says.
    Kept(Seq),
    /// The claim says where, and that is no longer kept, or not in this journal.
    Lost,
    /// Nobody has followed yet.
    New,
}

impl Beginning {
    /// What a claim says, `durable_seq` being the last event that is durable.
    ///
    /// # Errors
    /// What the engine reports, but that events are no longer kept.
    pub(super) fn of(claim: &Claim, engine: &Engine, durable_seq: Seq) -> Result<Self> {
        match claim.from_seq() {
            None => Ok(Self::New),
            Some(from) if from > durable_seq + 1 => Ok(Self::Lost),
            Some(from) => match engine.subscribe(from) {
                Ok(_) => Ok(Self::Kept(from)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::Lost),
                Err(error) => Err(error),
            },
        }
    }
}

/// Events one after the other, told as changes of the mall.
pub(super) struct Follower {
    claim: Claim,
    subscription: Subscription,
    views: Views,
    /// The last event that was given, and the last that is not held any more.
    at: Seq,
    held_after: Seq,
}

impl Follower {
    /// Goes on with the event `from_seq`, which the claim holds already, or will.
    ///
    /// # Errors
    /// What the engine reports.
    pub(super) fn begin(claim: Claim, engine: &Engine, from_seq: Seq) -> Result<Self> {
        let names = engine.clone();
        Ok(Self {
            subscription: engine.subscribe(from_seq)?,
            claim,
            views: Views::new(Box::new(move |account| names.key_of(account))),
            at: from_seq - 1,
            held_after: from_seq - 1,
        })
    }

    /// The next event that is durable; `None` when there is none yet.
    ///
    /// # Errors
    /// What the engine reports.
    pub(super) fn next(&mut self) -> Result<Option<(Seq, Event<'static>)>> {
        let next = self.subscription.try_next()?;
        if let Some((seq, _)) = &next {
            self.at = *seq;
        }
        Ok(next)
    }

    /// What an event that was just given changes.
    ///
    /// # Errors
    /// As [`Views::changes`].
    pub(super) fn changes<'e>(&mut self, event: &'e Event<'_>) -> Result<Changes<'e>> {
        self.views.changes(event)
    }

    /// The last event that was given.
    pub(super) fn at(&self) -> Seq {
        self.at
    }

    /// Whether the journal keeps much that nobody needs.
    pub(super) fn holds_much(&self) -> bool {
        let held = self.at - self.held_after;
        held >= HELD_MAX || (held > 0 && self.claim.held_bytes() > 0)
    }

    /// Holds nothing before the event `from_seq` any more.
    ///
    /// # Errors
    /// What the engine reports.
    pub(super) fn hold_from(&mut self, from_seq: Seq) -> Result<()> {
        self.claim.hold_from(from_seq)?;
        self.held_after = from_seq - 1;
        Ok(())
    }

    /// Follows no more, and holds nothing.
    ///
    /// # Errors
    /// What the engine reports.
    pub(super) fn give_up(&self) -> Result<()> {
        self.claim.give_up()
    }
}
