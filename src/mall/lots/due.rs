//! Which lots that have ended are to be looked at: each once at its end, and again when units come
//! back to it, as events tell. So a lot that rests costs nothing, however many there are.
//!
//! Nothing of this is kept: after a restart every lot that has ended is looked at once.

use std::collections::BTreeSet;

use super::index::Lots;
use crate::base::error::{ErrorKind, Result};
use crate::base::{AccountId, TimeMs};
use crate::engine::{Engine, Subscription};
use crate::event::effects::Effects;
use crate::event::{Event, Fact};

/// How many events one call looks at.
const EVENTS_AT_ONCE: usize = 16_384;

/// The lots that are to be looked at.
#[derive(Debug, Default)]
pub(in crate::mall) struct Due {
    lots: BTreeSet<AccountId>,
    /// What happens from now on; `None` while no lot has ended, and where something was missed.
    events: Option<Subscription>,
}

/// What an event means for lots that have ended.
enum Told {
    /// Units came to accounts, which may be among them.
    CameTo(Vec<AccountId>),
    /// The time was set back: what has ended may be good again.
    TimeSetBack,
}

impl Due {
    /// Finds out what is to be looked at by now; whether there may be more at once.
    pub(super) fn find(&mut self, engine: &Engine, all: &Lots, now: TimeMs) -> Result<bool> {
        if self.events.is_none() {
            if !all.has_ended(now) {
                return Ok(false);
            }
            // From before they are looked at: whatever comes later is told.
            self.events = Some(engine.subscribe(engine.durable_seq() + 1)?);
        }
        self.lots.extend(all.newly_ended(now));
        for _ in 0..EVENTS_AT_ONCE {
            match self.next() {
                Ok(None) => return Ok(false),
                Ok(Some(Told::CameTo(accounts))) => {
                    let has_ended = |account: &AccountId| {
                        let until = engine.key_of(*account).and_then(|key| key.until());
                        until.is_some_and(|until| until <= now)
                    };
                    self.lots.extend(accounts.into_iter().filter(has_ended));
                }
                Ok(Some(Told::TimeSetBack)) => return Ok(self.begin_anew(all)),
                // They are no longer kept.
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Ok(self.begin_anew(all));
                }
                Err(error) => {
                    self.begin_anew(all);
                    return Err(error);
                }
            }
        }
        Ok(true)
    }

    fn next(&mut self) -> Result<Option<Told>> {
        let Some(events) = &mut self.events else {
            return Ok(None);
        };
        events.try_next()?.map(|(_, event)| told(&event)).transpose()
    }

    /// Looks at all of them once more.
    fn begin_anew(&mut self, all: &Lots) -> bool {
        all.begin_anew();
        *self = Self::default();
        true
    }

    /// The next that are to be looked at, and whether those are all.
    pub(super) fn first(&self, limit: usize) -> (Vec<AccountId>, bool) {
        (self.lots.iter().copied().take(limit).collect(), self.lots.len() <= limit)
    }

    /// There is nothing to do about this one until units come to it.
    pub(super) fn rests(&mut self, account: AccountId) {
        self.lots.remove(&account);
    }
}

fn told(event: &Event<'_>) -> Result<Told> {
    if event.facts().iter().any(|fact| matches!(fact, Fact::ClockMended { .. })) {
        return Ok(Told::TimeSetBack);
    }
    let mut accounts = Vec::new();
    for effects in Effects::of(event)? {
        let grew = effects.changes.iter().filter(|change| change.delta > 0);
        accounts.extend(grew.map(|change| change.account));
    }
    Ok(Told::CameTo(accounts))
}
