//! Who waits for units of an account. While anybody does, nobody else takes any.

use std::collections::VecDeque;

use crate::base::error::{Error, Result};
use crate::base::{AccountId, TimeMs};

/// A place in the line for units of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its number: each account counts its own, and never gives one out again.
    pub place: u64,
    /// Who waits.
    pub owner: AccountId,
    /// Since when, Unix time in milliseconds.
    pub since: TimeMs,
    /// What was kept with it.
    pub body: Box<[u8]>,
}

/// How many who were served are remembered.
pub(crate) const SERVED_MAX: usize = 16;

/// The line of an account, the first first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Queue {
    /// How many places were ever given out.
    pub(super) given: u64,
    pub(super) places: VecDeque<Waiting>,
    /// When those were served who were last, the oldest first: how fast the line moves.
    pub(super) served: VecDeque<TimeMs>,
}

impl Queue {
    /// A copy for a draft, which only asks whether anybody waits: a line may be long.
    pub(super) fn sketch(&self) -> Self {
        let places = self.places.front().cloned().into_iter().collect();
        Self { given: self.given, places, served: VecDeque::new() }
    }

    /// Where somebody stands: how many are ahead, and the place.
    pub(super) fn find(&self, owner: AccountId) -> Option<(usize, &Waiting)> {
        self.places.iter().enumerate().find(|(_, waiting)| waiting.owner == owner)
    }

    /// Puts somebody at the end.
    pub(super) fn join(&mut self, waiting: Waiting) -> Result<()> {
        if waiting.place != self.given || self.find(waiting.owner).is_some() {
            return Err(Error::corrupt("an event gives a place in a line that is no next one"));
        }
        self.given += 1;
        self.places.push_back(waiting);
        Ok(())
    }

    fn was_served(&mut self, at: TimeMs) {
        if self.served.len() == SERVED_MAX {
            self.served.pop_front();
        }
        self.served.push_back(at);
    }

    /// Takes a place out; at `served`, where its owner got what it was for.
    pub(super) fn leave(
        &mut self,
        place: u64,
        owner: AccountId,
        served: Option<TimeMs>,
    ) -> Result<()> {
        let at = self.places.binary_search_by_key(&place, |waiting| waiting.place);
        match at.ok().filter(|at| self.places[*at].owner == owner) {
            Some(at) => {
                self.places.remove(at);
                if let Some(at) = served {
                    self.was_served(at);
                }
                Ok(())
            }
            None => Err(Error::corrupt("an event takes out a place in a line that is not there")),
        }
    }
}
