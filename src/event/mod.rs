//! Facts in the journal. An event is a result: whoever applies it decides nothing.

#[cfg_attr(not(feature = "history"), allow(dead_code, reason = "only history remembers one"))]
pub(crate) mod branch;
#[cfg_attr(not(feature = "history"), allow(dead_code, reason = "only history keeps its numbers"))]
mod change;
mod codec;
#[cfg_attr(not(feature = "history"), allow(dead_code, reason = "history and the mall read them"))]
pub(crate) mod effects;
mod facts;
mod part;
mod policy;

use std::borrow::Cow;
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::base::error::Result;
use crate::base::{AccountId, AccountKey, IdempotencyKey, ReservationId, Seq, TimeMs};

pub use change::ChangeKind;
pub(crate) use codec::{decode, encode, kind_of, mark};
pub use facts::Facts;
pub use part::{Part, PartLine};
pub use policy::{Policy, Window};

/// What an event did to one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventLine {
    /// The account's number.
    pub account: u32,
    /// How many units the line is about: taken by `Reserved` and `Revived`, no longer reserved by the three ends,
    /// given back or written off by `Returned`. A cap on what is outstanding has them all available again when
    /// they are consumed.
    pub quantity: u64,
    /// How many of them are consumed: all or none, but for a confirm in part. Of `Returned`: how
    /// many more the reservation had consumed, which no longer counted; they are forgotten.
    pub consumed: u64,
    /// What the account has available after the event.
    pub available: i64,
}

impl EventLine {
    /// The account.
    pub fn account(&self) -> AccountId {
        AccountId::from_number(self.account)
    }
}

/// The lines of an event: a slice that owns up to four of them without an allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EventLines(SmallVec<[EventLine; 4]>);

impl EventLines {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn push(&mut self, line: EventLine) {
        self.0.push(line);
    }
}

impl Deref for EventLines {
    type Target = [EventLine];

    fn deref(&self) -> &[EventLine] {
        &self.0
    }
}

impl DerefMut for EventLines {
    fn deref_mut(&mut self) -> &mut [EventLine] {
        &mut self.0
    }
}

impl FromIterator<EventLine> for EventLines {
    fn from_iter<I: IntoIterator<Item = EventLine>>(lines: I) -> Self {
        Self(lines.into_iter().collect())
    }
}

impl From<&[EventLine]> for EventLines {
    fn from(lines: &[EventLine]) -> Self {
        Self(lines.into())
    }
}

impl<'a> IntoIterator for &'a EventLines {
    type Item = &'a EventLine;
    type IntoIter = std::slice::Iter<'a, EventLine>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// Reads lines without believing how many there are said to be: a small vector makes room for all
/// of them at once, a large one as they come.
impl<'de> Deserialize<'de> for EventLines {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(|lines| Self(SmallVec::from_vec(lines)))
    }
}

/// The request behind an event, when it had an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The hash of the key.
    pub key: IdempotencyKey,
    /// The hash of what was asked, to tell a retry from another request under the same key.
    pub fingerprint: u64,
    /// What was promised of the answer; `None` in events up to 0.1.0, which kept the newest answers
    /// by count.
    #[serde(default)]
    pub kept: Option<Kept>,
}

/// For how long the answer to a keyed request is kept, and in whose share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The hash of the key's owner; 0 when it has none.
    pub owner: u64,
    /// Until then the key does nothing again: Unix time in milliseconds.
    pub until: TimeMs,
}

/// A fact, with when it happened and for which request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event<'a> {
    /// When, by the engine's clock.
    pub at: TimeMs,
    /// For which request.
    pub request: Option<Request>,
    /// What happened.
    #[serde(borrow)]
    pub fact: Fact<'a>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact<'a> {
    /// An account exists from now on; a quota starts with its limit.
    AccountOpened {
        /// Its number.
        account: AccountId,
        /// Its name.
        key: AccountKey,
        /// Its rules.
        policy: Policy,
    },
    /// An account has other rules. A quota's `received` moved with its limit, as far as the units
    /// were there; what is out beyond the limit is owed, and paid by what comes back first.
    PolicyChanged {
        /// The account.
        account: AccountId,
        /// The new rules.
        policy: Policy,
        /// What is available after it.
        available: i64,
        /// How many of the units consumed so far count by these rules. `None` in journals of
        /// earlier releases: as many as did before.
        #[serde(default)]
        consumed: Option<u64>,
    },
    /// Units came in.
    Received {
        /// The account.
        account: AccountId,
        /// How many.
        quantity: u64,
        /// What is available after it.
        available: i64,
        /// Why.
        note: Cow<'a, str>,
    },
    /// A count corrected the account: upwards counts as received, downwards as written off.
    Adjusted {
        /// The account.
        account: AccountId,
        /// By how many units.
        delta: i64,
        /// What is available after it.
        available: i64,
        /// Why.
        note: Cow<'a, str>,
    },
    /// Units left for good.
    WrittenOff {
        /// The account.
        account: AccountId,
        /// How many.
        quantity: u64,
        /// What is available after it.
        available: i64,
        /// Why.
        note: Cow<'a, str>,
    },
    /// A quota's window gave consumed units back.
    Renewed {
        /// The account.
        account: AccountId,
        /// How many.
        quantity: u64,
        /// What is available after it.
        available: i64,
        /// Whether the ledger remembers when they were consumed, for rules to come. False in
        /// journals of earlier releases.
        #[serde(default)]
        kept: bool,
    },
    /// A reservation took its lines; when `confirmed`, they are consumed at once.
    Reserved {
        /// Its number.
        reservation: ReservationId,
        /// On whose behalf.
        owner: Option<AccountId>,
        /// The deadline.
        expires_at: TimeMs,
        /// Whether it was confirmed in the same step.
        confirmed: bool,
        /// What it took.
        lines: EventLines,
        /// Opaque details for history.
        details: Cow<'a, [u8]>,
    },
    /// A reservation became final; what was not consumed went back.
    Confirmed(End),
    /// A reservation was given up.
    Released(End),
    /// A reservation's deadline passed.
    Expired(End),
    /// Consumed units of a confirmed reservation went back.
    Returned {
        /// The reservation.
        reservation: ReservationId,
        /// What went back.
        lines: EventLines,
        /// Why.
        note: Cow<'a, str>,
        /// When they were consumed. `None` in journals of earlier releases, which did not say whose
        /// units went back.
        #[serde(default)]
        consumed_at: Option<TimeMs>,
        /// The deadline it had; 0 when that is not known.
        #[serde(default)]
        expires_at: TimeMs,
        /// `None` when everything that it consumed went back at once, and is available again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        part: Option<Box<Part>>,
    },
    /// Something worth keeping happened to a reservation; no account changed.
    Noted {
        /// The reservation.
        reservation: ReservationId,
        /// Opaque; history keeps it.
        body: Cow<'a, [u8]>,
    },
    /// A document beside the ledger was written, or removed when `body` is `None`.
    Document {
        /// Its collection, such as `product`.
        collection: Cow<'a, str>,
        /// Its key in the collection.
        key: Cow<'a, str>,
        /// Its content.
        body: Option<Cow<'a, [u8]>>,
    },
    /// An operator set the engine's time back to when this event happened: a clock that was wrong
    /// had taken it further. Events before this one may be of a later time.
    ClockMended {
        /// What the time was before.
        from: TimeMs,
    },
    /// Units went from one account to another. They count as written off there and as received here.
    Transferred {
        /// Where they were.
        from: AccountId,
        /// Where they are.
        to: AccountId,
        /// How many.
        quantity: u64,
        /// What `from` has available after it.
        from_available: i64,
        /// What `to` has available after it.
        to_available: i64,
        /// Why.
        note: Cow<'a, str>,
    },
    /// A pending reservation has another deadline; no unit moved.
    Extended {
        /// The reservation.
        reservation: ReservationId,
        /// The deadline that it had.
        was: TimeMs,
        /// The deadline that it has from now on, later or earlier.
        expires_at: TimeMs,
        /// What it holds; none of it is consumed.
        lines: EventLines,
    },
    /// A reservation that had expired took its lines once more, and is confirmed. It is a record of a
    /// kind of its own.
    Revived {
        /// Its number, which it keeps.
        reservation: ReservationId,
        /// On whose behalf.
        owner: Option<AccountId>,
        /// The deadline that it had.
        expires_at: TimeMs,
        /// What it took; all of it is consumed.
        lines: EventLines,
    },
    /// An account is closed for good: its number is never used again, its key may be.
    AccountClosed {
        /// The account.
        account: AccountId,
        /// The key that is free from now on.
        key: AccountKey,
    },
    /// Somebody waits for units of an account, at the end of its line: from now on nobody takes any
    /// who is not the first in it.
    Queued {
        /// The account.
        account: AccountId,
        /// The place: how many the account gave out before.
        place: u64,
        /// Who waits.
        owner: AccountId,
        /// Opaque; kept with the place.
        body: Cow<'a, [u8]>,
    },
    /// Somebody waits no longer.
    Dequeued {
        /// The account.
        account: AccountId,
        /// The place that is given up.
        place: u64,
        /// Who waited.
        owner: AccountId,
        /// What they got, in the same event: they were the first in the line. `None` when they left
        /// it without.
        reservation: Option<ReservationId>,
        /// Why, when they left without.
        note: Cow<'a, str>,
    },
    /// What a request with an idempotency key was told, by whoever answers in the engine's place: it
    /// changes nothing, and its retries hear the same.
    Answered {
        /// Opaque.
        answer: Cow<'a, [u8]>,
    },
    /// Several commands happened together, in this order. It is a record of a kind of its own, and
    /// so never written or read among other facts.
    #[serde(skip)]
    Atomic(Facts<'a>),
}

/// The end of a pending reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The reservation.
    pub reservation: ReservationId,
    /// The deadline it had.
    pub expires_at: TimeMs,
    /// What it held, and how much of that is consumed.
    pub lines: EventLines,
}

impl Event<'_> {
    /// The event on its own feet, apart from the buffer it was read from.
    pub fn into_owned(self) -> Event<'static> {
        Event { at: self.at, request: self.request, fact: self.fact.into_owned() }
    }
}

impl<'a> Event<'a> {
    /// What happened, one after the other: of commands that happened together what became of each,
    /// otherwise the one fact.
    pub fn facts(&self) -> &[Fact<'a>] {
        match &self.fact {
            Fact::Atomic(parts) => parts,
            fact => std::slice::from_ref(fact),
        }
    }
}

impl Fact<'_> {
    fn into_owned(self) -> Fact<'static> {
        let text = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let bytes = |bytes: Cow<'_, [u8]>| Cow::Owned(bytes.into_owned());
        match self {
            Self::AccountOpened { account, key, policy } => {
                Fact::AccountOpened { account, key, policy }
            }
            Self::PolicyChanged { account, policy, available, consumed } => {
                Fact::PolicyChanged { account, policy, available, consumed }
            }
            Self::Received { account, quantity, available, note } => {
                Fact::Received { account, quantity, available, note: text(note) }
            }
            Self::Adjusted { account, delta, available, note } => {
                Fact::Adjusted { account, delta, available, note: text(note) }
            }
            Self::WrittenOff { account, quantity, available, note } => {
                Fact::WrittenOff { account, quantity, available, note: text(note) }
            }
            Self::Renewed { account, quantity, available, kept } => {
                Fact::Renewed { account, quantity, available, kept }
            }
            Self::Reserved { reservation, owner, expires_at, confirmed, lines, details } => {
                Fact::Reserved {
                    reservation,
                    owner,
                    expires_at,
                    confirmed,
                    lines,
                    details: bytes(details),
                }
            }
            Self::Confirmed(end) => Fact::Confirmed(end),
            Self::Released(end) => Fact::Released(end),
            Self::Expired(end) => Fact::Expired(end),
            Self::Returned { reservation, lines, note, consumed_at, expires_at, part } => {
                let note = text(note);
                Fact::Returned { reservation, lines, note, consumed_at, expires_at, part }
            }
            Self::Noted { reservation, body } => Fact::Noted { reservation, body: bytes(body) },
            Self::Document { collection, key, body } => Fact::Document {
                collection: text(collection),
                key: text(key),
                body: body.map(bytes),
            },
            Self::ClockMended { from } => Fact::ClockMended { from },
            Self::Transferred { from, to, quantity, from_available, to_available, note } => {
                Fact::Transferred {
                    from,
                    to,
                    quantity,
                    from_available,
                    to_available,
                    note: text(note),
                }
            }
            Self::AccountClosed { account, key } => Fact::AccountClosed { account, key },
            Self::Extended { reservation, was, expires_at, lines } => {
                Fact::Extended { reservation, was, expires_at, lines }
            }
            Self::Revived { reservation, owner, expires_at, lines } => {
                Fact::Revived { reservation, owner, expires_at, lines }
            }
            Self::Queued { account, place, owner, body } => {
                Fact::Queued { account, place, owner, body: bytes(body) }
            }
            Self::Dequeued { account, place, owner, reservation, note } => {
                Fact::Dequeued { account, place, owner, reservation, note: text(note) }
            }
            Self::Answered { answer } => Fact::Answered { answer: bytes(answer) },
            Self::Atomic(parts) => Fact::Atomic(parts.into_owned()),
        }
    }
}

/// Where the ledger puts its events: the journal, or a test's list.
pub(crate) trait Recorder {
    /// Whether an event may be recorded now. Asked before anything is decided, so that a refusal
    /// changes nothing.
    ///
    /// # Errors
    /// `Overloaded`, `Unavailable` or `Closed`.
    fn admit(&self) -> Result<()>;

    /// Puts the event at the end of the journal, not yet durable, and returns its place. Called
    /// while the shards that the event touches are locked, so journal order is the order in which
    /// each account changed.
    fn record(&self, event: &Event<'_>) -> Seq;

    /// The place of the last event recorded.
    fn last_seq(&self) -> Seq;
}

#[cfg(all(test, not(stockhold_loom)))]
mod golden;
#[cfg(test)]
mod tests;
