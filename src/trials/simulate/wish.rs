//! What a plan wishes, as requests that name their accounts and reservations.

use super::step::Wish;
use crate::base::{AccountId, IdempotencyKey, ReservationId};
use crate::event::Policy;
use crate::ledger::{Deadline, Line};
use crate::trials::oracle::{Ask, PendingReservation};

/// A return that was asked for.
#[derive(Clone, Debug)]
pub(super) struct Returned {
    pub(super) reservation: ReservationId,
    pub(super) part: Option<Vec<Line>>,
    pub(super) written_off: Vec<AccountId>,
}

impl Wish {
    /// The places of the accounts that it names.
    pub(super) fn places(&self) -> Vec<usize> {
        match self {
            Self::Receive { account, .. }
            | Self::Adjust { account, .. }
            | Self::Count { account, .. }
            | Self::WriteOff { account, .. } => {
                vec![*account]
            }
            Self::Reserve { lines, owner, .. } => {
                lines.iter().map(|(place, _)| *place).chain(*owner).collect()
            }
            Self::Transfer { from, to, .. } => vec![*from, *to],
            Self::Confirm { owner, .. }
            | Self::Release { owner, .. }
            | Self::Extend { owner, .. } => owner.iter().copied().collect(),
        }
    }

    /// The request, when accounts and reservations are known.
    pub(super) fn ask(
        &self,
        account: impl Fn(usize) -> AccountId,
        reservation: impl FnOnce(usize) -> ReservationId,
    ) -> Ask {
        match self.clone() {
            Self::Receive { account: place, quantity } => {
                Ask::Receive { account: account(place), quantity }
            }
            Self::Adjust { account: place, delta } => {
                Ask::Adjust { account: account(place), delta }
            }
            Self::Count { account: place, units } => Ask::Count { account: account(place), units },
            Self::WriteOff { account: place, quantity } => {
                Ask::WriteOff { account: account(place), quantity }
            }
            Self::Reserve { lines, ttl_ms, confirm, owner, details } => {
                let line = |(place, quantity)| Line { account: account(place), quantity };
                let lines = lines.into_iter().map(line).collect();
                Ask::Reserve { lines, ttl_ms, confirm, owner: owner.map(account), details }
            }
            Self::Confirm { pick, owner, parts } => {
                Ask::Confirm { reservation: reservation(pick), owner: owner.map(account), parts }
            }
            Self::Release { pick, owner } => {
                Ask::Release { reservation: reservation(pick), owner: owner.map(account) }
            }
            Self::Transfer { from, to, quantity } => {
                Ask::Transfer { from: account(from), to: account(to), quantity }
            }
            Self::Extend { pick, ttl_ms, owner } => {
                let (reservation, owner) = (reservation(pick), owner.map(account));
                Ask::Extend { reservation, deadline: Deadline::After(ttl_ms), owner }
            }
        }
    }
}

impl Returned {
    /// The name of this request, told by what is asked.
    pub(super) fn key(&self, key: u8) -> IdempotencyKey {
        let named = IdempotencyKey::new("returns", &key.to_string());
        named.expect("a number is a short key").with_body(format!("{self:?}").as_bytes())
    }
}

/// A revival that was asked for.
#[derive(Clone, Debug)]
pub(super) struct Revived {
    pub(super) reservation: ReservationId,
    /// What it held then.
    pub(super) held: PendingReservation,
    /// What it is to take.
    pub(super) takes: Vec<Line>,
    pub(super) key: Option<u8>,
}

impl Revived {
    /// The name of this request, told by what is asked.
    pub(super) fn key(&self) -> Option<IdempotencyKey> {
        let body = self.reservation.to_string();
        let named = |key: u8| IdempotencyKey::new("revivals", &key.to_string());
        let named = self.key.map(|key| named(key).expect("a number is a short key"));
        named.map(|key| key.with_body(body.as_bytes()))
    }
}

/// What was asked to be recorded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Recorded {
    /// A document of so many bytes, or that there is none.
    Document {
        name: u8,
        bytes: Option<usize>,
    },
    Policy {
        account: AccountId,
        policy: Policy,
    },
    /// An answer of so many bytes.
    Answer {
        bytes: usize,
    },
    Join {
        account: AccountId,
        owner: AccountId,
        places_max: usize,
    },
    Leave {
        account: AccountId,
        owner: AccountId,
    },
}
