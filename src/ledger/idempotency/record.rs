//! What is kept of a request with an idempotency key: what it did, and until when that is told again.

use crate::base::{AccountId, ReservationId, Seq, TimeMs};
use crate::event::{Event, EventLine, Fact, Part};
use crate::ledger::{Changed, FirstAnswer, Reserved, Transferred};

/// For how long answers are kept that promised nothing: those up to 0.1.0.
pub(in crate::ledger) const UNPROMISED_MS: u64 = 24 * 3600 * 1000;

/// So many bytes of an answer count as one record more; one takes no less.
const ANSWER_BYTES: usize = 128;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ledger) enum Effect {
    Changed {
        account: AccountId,
        available: i64,
    },
    Reserved {
        reservation: ReservationId,
        terms: Terms,
        confirmed: bool,
    },
    Confirmed {
        reservation: ReservationId,
        terms: Terms,
    },
    Released {
        reservation: ReservationId,
        terms: Terms,
    },
    Returned {
        reservation: ReservationId,
        terms: Terms,
    },
    ReturnedInPart {
        reservation: ReservationId,
    },
    Noted {
        reservation: ReservationId,
    },
    Transferred {
        from: AccountId,
        to: AccountId,
        from_available: i64,
        to_available: i64,
    },
    Extended {
        reservation: ReservationId,
        terms: Terms,
    },
    Revived {
        reservation: ReservationId,
        terms: Terms,
    },
    DocumentPut,
    PolicySet {
        account: AccountId,
    },
    /// Somebody took a place in a line.
    Queued {
        account: AccountId,
        place: u64,
    },
    /// Somebody gave one up.
    Dequeued {
        account: AccountId,
        place: u64,
    },
    /// Nothing by itself: this was told.
    Answered(Box<[u8]>),
    /// What each of several commands did.
    Atomic(Box<[Self]>),
}

impl Effect {
    /// The effect that a retry is told of; `None` for facts that no keyed request has.
    fn of(fact: &Fact<'_>) -> Option<Self> {
        Some(match fact {
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
            Fact::Returned { reservation, lines, expires_at, part, .. } => {
                Self::returned(*reservation, *expires_at, lines, part.as_deref())
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
            Fact::Revived { reservation, expires_at, lines, .. } => {
                Self::Revived { reservation: *reservation, terms: Terms::of(*expires_at, lines) }
            }
            Fact::PolicyChanged { account, .. } => Self::PolicySet { account: *account },
            Fact::Document { .. } => Self::DocumentPut,
            Fact::Queued { account, place, .. } => {
                Self::Queued { account: *account, place: *place }
            }
            Fact::Dequeued { account, place, reservation: None, .. } => {
                Self::Dequeued { account: *account, place: *place }
            }
            Fact::Answered { answer } => Self::Answered(answer.as_ref().into()),
            // What a window gave back before one of the commands is none of their answers.
            Fact::Atomic(facts) => Self::Atomic(facts.iter().filter_map(Self::of).collect()),
            Fact::AccountOpened { .. }
            | Fact::Renewed { .. }
            | Fact::Expired(_)
            | Fact::AccountClosed { .. }
            // Who is first in a line is served without a key.
            | Fact::Dequeued { reservation: Some(_), .. }
            | Fact::ClockMended { .. } => return None,
        })
    }

    fn returned(
        reservation: ReservationId,
        expires_at: TimeMs,
        lines: &[EventLine],
        part: Option<&Part>,
    ) -> Self {
        match part {
            None => Self::Returned { reservation, terms: Terms::of(expires_at, lines) },
            // Its lines are not all that was bought.
            Some(part) if part.is_last() => {
                Self::Returned { reservation, terms: Terms::of(expires_at, &[]) }
            }
            Some(_) => Self::ReturnedInPart { reservation },
        }
    }

    pub(super) fn told(&self) -> FirstAnswer {
        match *self {
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
            Self::ReturnedInPart { reservation } => FirstAnswer::ReturnedInPart { reservation },
            Self::Noted { reservation } => FirstAnswer::Noted { reservation },
            Self::Extended { reservation, terms } => {
                FirstAnswer::Extended { reservation, expires_at: terms.expires_at }
            }
            Self::Revived { reservation, .. } => FirstAnswer::Revived { reservation },
            Self::DocumentPut => FirstAnswer::DocumentPut,
            Self::PolicySet { account } => FirstAnswer::PolicySet { account },
            Self::Queued { account, place } => FirstAnswer::Queued { account, place },
            Self::Dequeued { account, place } => FirstAnswer::Dequeued { account, place },
            Self::Answered(ref answer) => FirstAnswer::Answered(answer.clone()),
            Self::Atomic(ref effects) => {
                FirstAnswer::Atomic(effects.iter().map(Self::told).collect())
            }
            Self::Transferred { from, to, from_available, to_available } => {
                FirstAnswer::Transferred(Transferred {
                    from: Changed { account: from, available: from_available },
                    to: Changed { account: to, available: to_available },
                })
            }
        }
    }

    pub(super) fn terms(&self) -> Option<Terms> {
        match self {
            Self::Changed { .. }
            | Self::ReturnedInPart { .. }
            | Self::Noted { .. }
            | Self::Transferred { .. }
            | Self::DocumentPut
            | Self::PolicySet { .. }
            | Self::Queued { .. }
            | Self::Dequeued { .. }
            | Self::Answered(_)
            | Self::Atomic(_) => None,
            Self::Reserved { terms, .. }
            | Self::Confirmed { terms, .. }
            | Self::Released { terms, .. }
            | Self::Returned { terms, .. }
            | Self::Extended { terms, .. }
            | Self::Revived { terms, .. } => terms.whole(),
        }
    }
}

/// A request with an idempotency key that did something, and the event that makes it durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ledger) struct KeyRecord {
    pub(in crate::ledger) number: u128,
    pub(in crate::ledger) fingerprint: u64,
    pub(in crate::ledger) seq: Seq,
    /// 0 for nobody.
    pub(in crate::ledger) owner: u64,
    /// From then on, the key may do something again.
    pub(in crate::ledger) until: TimeMs,
    pub(in crate::ledger) effect: Effect,
}

impl KeyRecord {
    /// The record of an event, if its request had a key.
    pub(in crate::ledger) fn of(seq: Seq, event: &Event<'_>) -> Option<Self> {
        let (request, effect) = event.request.zip(Effect::of(&event.fact))?;
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

    /// How many records it counts as: one more for each of several commands, or for so many bytes of
    /// an answer, so that what bounds the records bounds their memory.
    pub(in crate::ledger) fn weight(&self) -> usize {
        match &self.effect {
            Effect::Atomic(effects) => Self::weight_of(effects.len()),
            Effect::Answered(answer) => Self::weight_of_answer(answer.len()),
            _ => 1,
        }
    }

    /// What the record of an answer of so many bytes counts as.
    pub(in crate::ledger) fn weight_of_answer(bytes: usize) -> usize {
        1 + bytes.div_ceil(ANSWER_BYTES)
    }

    /// What the record of so many commands that happen together counts as.
    pub(in crate::ledger) fn weight_of(commands: usize) -> usize {
        1 + commands
    }
}

/// The first execution of a keyed request, as a retry hears of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FirstExecution {
    pub(crate) answer: FirstAnswer,
    pub(crate) seq: Seq,
    /// `None` where a release before this one did not keep them, and for changes of an account.
    pub(crate) terms: Option<Terms>,
}
