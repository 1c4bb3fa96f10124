//! The idempotency window of one shard: the newest keyed requests and what they were answered.

use hashbrown::HashTable;

use crate::command::Outcome;
use crate::error::{Error, Result};
use crate::event::{Event, Fact, Request};
use crate::types::{AccountId, IdempotencyKey, ReservationId, Seq, TimeMs};

/// What a keyed request did, small enough to keep a million of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Changed { account: AccountId, available: i64 },
    Reserved { reservation: ReservationId, expires_at: TimeMs, confirmed: bool },
    Confirmed { reservation: ReservationId },
    Released { reservation: ReservationId },
    Returned { reservation: ReservationId },
}

impl Effect {
    /// The effect that a retry is told of; `None` for facts that no keyed request has.
    pub(super) fn of(event: &Event<'_>) -> Option<Self> {
        Some(match &event.fact {
            Fact::Received { account, available, .. }
            | Fact::Adjusted { account, available, .. }
            | Fact::WrittenOff { account, available, .. } => Self::Changed { account: *account, available: *available },
            Fact::Reserved { reservation, expires_at, confirmed, .. } => {
                Self::Reserved { reservation: *reservation, expires_at: *expires_at, confirmed: *confirmed }
            }
            Fact::Confirmed(end) => Self::Confirmed { reservation: end.reservation },
            Fact::Released(end) => Self::Released { reservation: end.reservation },
            Fact::Returned { reservation, .. } => Self::Returned { reservation: *reservation },
            _ => return None,
        })
    }

    fn outcome(self) -> Outcome {
        match self {
            Self::Changed { account, available } => Outcome::Changed { account, available },
            Self::Reserved { reservation, expires_at, confirmed } => {
                Outcome::Reserved { reservation, expires_at, confirmed }
            }
            Self::Confirmed { reservation } => Outcome::Confirmed { reservation },
            Self::Released { reservation } => Outcome::Released { reservation },
            Self::Returned { reservation } => Outcome::Returned { reservation },
        }
    }
}

/// The answer to a keyed request, and the event that makes it durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) request: Request,
    pub(super) seq: Seq,
    pub(super) effect: Effect,
}

/// A ring of the newest answers. The oldest makes room for the newest, by count alone: which answers are kept is a
/// function of the events, never of the time.
#[derive(Debug)]
pub(super) struct Answers {
    ring: Vec<Answer>,
    oldest: usize,
    count_max: usize,
    index: HashTable<u32>,
}

fn hash(key: IdempotencyKey) -> u64 {
    // The key is a cryptographic hash already.
    (key.number() >> 64) as u64
}

impl Answers {
    pub(super) fn new(count_max: usize) -> Self {
        Self { ring: Vec::new(), oldest: 0, count_max, index: HashTable::new() }
    }

    /// The first answer to the request with this key, with its event's place. Without a fingerprint, whatever was asked.
    ///
    /// # Errors
    /// `Conflict` when the key was used for another request.
    pub(super) fn find(&self, key: IdempotencyKey, fingerprint: Option<u64>) -> Result<Option<(Outcome, Seq)>> {
        let found = self.index.find(hash(key), |at| self.ring[*at as usize].request.key.number() == key.number());
        let Some(at) = found else { return Ok(None) };
        let answer = &self.ring[*at as usize];
        if fingerprint.is_some_and(|fingerprint| fingerprint != answer.request.fingerprint) {
            return Err(Error::conflict("the idempotency key was used for another request"));
        }
        Ok(Some((answer.effect.outcome(), answer.seq)))
    }

    pub(super) fn insert(&mut self, answer: Answer) {
        let at = self.make_room();
        if at == self.ring.len() {
            self.ring.push(answer);
        } else {
            self.ring[at] = answer;
        }
        let ring = &self.ring;
        let at = u32::try_from(at).expect("count_max fits a u32");
        self.index.insert_unique(hash(answer.request.key), at, |at| hash(ring[*at as usize].request.key));
    }

    /// The place of the next answer, freed of the oldest where the ring is full.
    fn make_room(&mut self) -> usize {
        if self.ring.len() < self.count_max {
            return self.ring.len();
        }
        let at = self.oldest;
        let found = self.index.find_entry(hash(self.ring[at].request.key), |slot| *slot as usize == at);
        found.expect("every answer in the ring is in the index").remove();
        self.oldest = (at + 1) % self.count_max;
        at
    }

    /// The answers, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Answer> {
        self.ring[self.oldest..].iter().chain(&self.ring[..self.oldest])
    }

    pub(super) fn len(&self) -> usize {
        self.ring.len()
    }
}
