//! The idempotency window of one shard: keyed requests and what they were answered.
//!
//! Each answer is kept until a time that its own event names, and makes room only for an event of
//! that time or later: so what is kept is a function of the events, and nobody's request pushes out
//! another's answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashTable;

use super::share::Share;
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::base::{AccountId, ReservationId, Seq, ShardIndex, TimeMs};
use crate::event::{Event, EventLine, Fact};
use crate::ledger::{Changed, FirstAnswer, Reserved, Transferred};

/// For how long answers are kept that promised nothing: those up to 0.1.0.
pub(super) const UNPROMISED_MS: u64 = 24 * 3600 * 1000;

/// What a caller may have told beside the outcome: with it, an answer needs no history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The reservation's deadline.
    pub(crate) expires_at: TimeMs,
    /// The units of its first line.
    pub(crate) units: u64,
}

impl Terms {
    fn of(expires_at: TimeMs, lines: &[EventLine]) -> Self {
        Self { expires_at, units: lines.first().map_or(0, |line| line.quantity) }
    }

    /// What was written by 0.1.0 lacks one or the other.
    fn whole(self) -> Option<Self> {
        (self.expires_at > 0 && self.units > 0).then_some(self)
    }
}

/// What a keyed request did, small enough to keep millions of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Changed { account: AccountId, available: i64 },
    Reserved { reservation: ReservationId, terms: Terms, confirmed: bool },
    Confirmed { reservation: ReservationId, terms: Terms },
    Released { reservation: ReservationId, terms: Terms },
    Returned { reservation: ReservationId, terms: Terms },
    Noted { reservation: ReservationId },
    Transferred { from: AccountId, to: AccountId, from_available: i64, to_available: i64 },
    Extended { reservation: ReservationId, terms: Terms },
}

impl Effect {
    /// The effect that a retry is told of; `None` for facts that no keyed request has.
    fn of(event: &Event<'_>) -> Option<Self> {
        Some(match &event.fact {
            Fact::Received { account, available, .. }
            | Fact::Adjusted { account, available, .. }
            | Fact::WrittenOff { account, available, .. } => {
                Self::Changed { account: *account, available: *available }
            }
            Fact::Reserved { reservation, expires_at, confirmed, lines, .. } => {
                let terms = Terms::of(*expires_at, lines);
                Self::Reserved { reservation: *reservation, terms, confirmed: *confirmed }
            }
            Fact::Confirmed(end) => Self::Confirmed {
                reservation: end.reservation,
                terms: Terms::of(end.expires_at, &end.lines),
            },
            Fact::Released(end) => Self::Released {
                reservation: end.reservation,
                terms: Terms::of(end.expires_at, &end.lines),
            },
            Fact::Returned { reservation, lines, expires_at, .. } => {
                Self::Returned { reservation: *reservation, terms: Terms::of(*expires_at, lines) }
            }
            Fact::Noted { reservation, .. } => Self::Noted { reservation: *reservation },
            Fact::Transferred { from, to, from_available, to_available, .. } => Self::Transferred {
                from: *from,
                to: *to,
                from_available: *from_available,
                to_available: *to_available,
            },
            Fact::Extended { reservation, expires_at, lines, .. } => {
                Self::Extended { reservation: *reservation, terms: Terms::of(*expires_at, lines) }
            }
            Fact::AccountOpened { .. }
            | Fact::PolicyChanged { .. }
            | Fact::Renewed { .. }
            | Fact::Expired(_)
            | Fact::Document { .. }
            | Fact::AccountClosed { .. }
            | Fact::ClockMended { .. } => return None,
        })
    }

    fn told(self) -> FirstAnswer {
        match self {
            Self::Changed { account, available } => {
                FirstAnswer::Changed(Changed { account, available })
            }
            Self::Reserved { reservation, terms, confirmed } => FirstAnswer::Reserved(Reserved {
                reservation,
                expires_at: terms.expires_at,
                confirmed,
            }),
            Self::Confirmed { reservation, .. } => FirstAnswer::Confirmed { reservation },
            Self::Released { reservation, .. } => FirstAnswer::Released { reservation },
            Self::Returned { reservation, .. } => FirstAnswer::Returned { reservation },
            Self::Noted { reservation } => FirstAnswer::Noted { reservation },
            Self::Extended { reservation, terms } => {
                FirstAnswer::Extended { reservation, expires_at: terms.expires_at }
            }
            Self::Transferred { from, to, from_available, to_available } => {
                FirstAnswer::Transferred(Transferred {
                    from: Changed { account: from, available: from_available },
                    to: Changed { account: to, available: to_available },
                })
            }
        }
    }

    fn terms(self) -> Option<Terms> {
        match self {
            Self::Changed { .. } | Self::Noted { .. } | Self::Transferred { .. } => None,
            Self::Reserved { terms, .. }
            | Self::Confirmed { terms, .. }
            | Self::Released { terms, .. }
            | Self::Returned { terms, .. }
            | Self::Extended { terms, .. } => terms.whole(),
        }
    }
}

/// The answer to a keyed request, and the event that makes it durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) number: u128,
    pub(super) fingerprint: u64,
    pub(super) seq: Seq,
    /// 0 for nobody.
    pub(super) owner: u64,
    /// From then on, the key may do something again.
    pub(super) until: TimeMs,
    pub(super) effect: Effect,
}

impl Answer {
    /// The answer in an event, if it has one.
    pub(super) fn of(seq: Seq, event: &Event<'_>) -> Option<Self> {
        let (request, effect) = event.request.zip(Effect::of(event))?;
        let (owner, until) = match request.kept {
            Some(kept) => (kept.owner, kept.until),
            None => (0, event.at.saturating_add(UNPROMISED_MS)),
        };
        Some(Self {
            number: request.key.number(),
            fingerprint: request.fingerprint,
            seq,
            owner,
            until,
            effect,
        })
    }
}

/// The first answer, as a retry hears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct First {
    pub(crate) answer: FirstAnswer,
    pub(crate) seq: Seq,
    /// `None` where a release before this one did not keep them, and for changes of an account.
    pub(crate) terms: Option<Terms>,
}

/// How a retry shows that it is one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked {
    /// Whatever was asked.
    Anything,
    /// The same as by this fingerprint, or by that which 0.1.0 made of it.
    Same(u64, u64),
}

#[derive(Debug)]
pub(super) struct Answers {
    shard: ShardIndex,
    slots: Vec<Answer>,
    free: Vec<u32>,
    index: HashTable<u32>,
    /// When each may be forgotten, with its slot.
    order: BTreeSet<(TimeMs, u32)>,
    hasher: foldhash::fast::RandomState,
    share: Arc<Share>,
}

impl Answers {
    pub(super) fn new(shard: ShardIndex, share: Arc<Share>) -> Self {
        Self {
            shard,
            slots: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            order: BTreeSet::new(),
            hasher: foldhash::fast::RandomState::default(),
            share,
        }
    }

    /// The shard in which the answer to this key is kept.
    pub(super) fn place(&self, number: u128) -> ShardIndex {
        self.share.place(number)
    }

    fn hash(&self, number: u128) -> u64 {
        // Outsiders choose keys, and could make them meet in a table whose places they know.
        std::hash::BuildHasher::hash_one(&self.hasher, number)
    }

    fn slot(&self, number: u128) -> Option<u32> {
        self.index
            .find(self.hash(number), |slot| self.slots[*slot as usize].number == number)
            .copied()
    }

    /// The first answer to the request with this key.
    ///
    /// # Errors
    /// `Conflict` when the key was used for another request.
    pub(super) fn find(&self, number: u128, asked: Asked, now: TimeMs) -> Result<Option<First>> {
        let found = self.slot(number).map(|slot| &self.slots[slot as usize]);
        let Some(answer) = found.filter(|answer| answer.until > now) else {
            return Ok(None);
        };
        if let Asked::Same(fingerprint, before) = asked
            && ![fingerprint, before].contains(&answer.fingerprint)
        {
            return Err(Error::conflict("the idempotency key was used for another request"));
        }
        let Answer { seq, effect, .. } = *answer;
        Ok(Some(First { answer: effect.told(), seq, terms: effect.terms() }))
    }

    /// Keeps the answer of an event of the time `at`, which lets go of what is old by then.
    pub(super) fn keep(&mut self, answer: Answer, at: TimeMs) {
        while let Some(&(until, slot)) = self.order.first()
            && (until <= at || flaw::is_made(Flaw::ForgetsYoungAnswers) && self.order.len() > 1)
        {
            let owner = self.let_go(until, slot);
            self.share.forget_old(owner, until);
        }
        self.put(answer);
    }

    /// Keeps an answer, unless it is there already: a snapshot's part may show more than where
    /// replay begins.
    pub(super) fn put(&mut self, answer: Answer) {
        if let Some(slot) = self.slot(answer.number) {
            let there = self.slots[slot as usize];
            if there.seq >= answer.seq {
                return;
            }
            let owner = self.let_go(there.until, slot);
            self.share.forget_one(owner, there.until);
        }
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = answer;
                slot
            }
            None => {
                self.slots.push(answer);
                u32::try_from(self.slots.len() - 1)
                    .expect("a window has less than u32::MAX answers")
            }
        };
        let (hash, hasher, slots) = (self.hash(answer.number), &self.hasher, &self.slots);
        let rehash =
            |slot: &u32| std::hash::BuildHasher::hash_one(hasher, slots[*slot as usize].number);
        self.index.insert_unique(hash, slot, rehash);
        self.order.insert((answer.until, slot));
        self.share.keep(answer.owner, answer.until);
        self.tell_first();
    }

    /// Lets go of an answer; returns whose it was.
    fn let_go(&mut self, until: TimeMs, slot: u32) -> u64 {
        let hash = self.hash(self.slots[slot as usize].number);
        let found = self.index.find_entry(hash, |other| *other == slot);
        found.expect("every answer is in the index").remove();
        self.order.remove(&(until, slot));
        self.free.push(slot);
        self.tell_first();
        self.slots[slot as usize].owner
    }

    fn tell_first(&self) {
        self.share
            .tell_first(self.shard, self.order.first().map_or(TimeMs::MAX, |(until, _)| *until));
    }

    /// The answers, those first that may be forgotten first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Answer> {
        self.order.iter().map(|(_, slot)| &self.slots[*slot as usize])
    }

    /// What they take, those of the share apart.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> u64 {
        let places = self.free.capacity() * size_of::<u32>() + self.index.allocation_size();
        let order = self.order.len() * size_of::<(TimeMs, u32)>();
        (self.slots.capacity() * size_of::<Answer>() + places + order) as u64
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }
}
