//! Requests as the ledger takes them. Requests are never journaled; their results are.
//!
//! Each begins with what it cannot do without, and is told the rest by methods named for it.

mod account;
mod atomic;
mod queue;
mod record;
mod refund;
mod reservation;

use crate::base::IdempotencyKey;

pub use account::{Adjust, Receive, SetPolicy, Transfer, WriteOff};
pub use atomic::Atomic;
pub use queue::{Grant, Join, Leave};
pub(crate) use record::Noting;
pub use record::{Note, PutDocument};
pub(crate) use refund::{Held, Return, Used};
pub use reservation::{Confirm, Deadline, Extend, Line, Reacquire, Refund, Release, Reserve};

/// The methods that several requests have, each for its field.
macro_rules! builders {
    ([$($lifetime:lifetime)?] $request:ty { $($field:ident),+ }) => {
        impl<$($lifetime)?> $request {
            $($crate::ledger::command::builders!(@$field);)+
        }
    };
    (@key) => {
        /// With this idempotency key.
        pub fn key(mut self, key: impl Into<Option<IdempotencyKey>>) -> Self {
            self.key = key.into();
            self
        }
    };
    (@note) => {
        /// Why, for history: at most [`BODY_BYTES_MAX`](crate::limits::BODY_BYTES_MAX) bytes.
        pub fn note(mut self, note: &'a str) -> Self {
            self.note = note;
            self
        }
    };
    (@only_of) => {
        /// Only when the reservation is on behalf of this account.
        pub fn owner(mut self, owner: impl Into<Option<AccountId>>) -> Self {
            self.owner = owner.into();
            self
        }
    };
}
use builders;

/// A request that the ledger decides at once, alone or in a batch.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Command<'a> {
    /// See [`Receive`].
    Receive(Receive<'a>),
    /// See [`Adjust`].
    Adjust(Adjust<'a>),
    /// See [`WriteOff`].
    WriteOff(WriteOff<'a>),
    /// See [`Reserve`].
    Reserve(Reserve<'a>),
    /// See [`Confirm`].
    Confirm(Confirm<'a>),
    /// See [`Release`].
    Release(Release),
    /// See [`Transfer`].
    Transfer(Transfer<'a>),
    /// See [`Extend`].
    Extend(Extend),
}

impl Command<'_> {
    /// The request's name, where it has one.
    pub fn key(&self) -> Option<IdempotencyKey> {
        match self {
            Self::Receive(receive) => receive.key,
            Self::Adjust(adjust) => adjust.key,
            Self::WriteOff(write_off) => write_off.key,
            Self::Reserve(reserve) => reserve.key,
            Self::Confirm(confirm) => confirm.key,
            Self::Release(release) => release.key,
            Self::Transfer(transfer) => transfer.key,
            Self::Extend(extend) => extend.key,
        }
    }
}

/// A command is made from the request that it is.
macro_rules! commands {
    ($($name:ident: $request:ty),*) => {$(
        impl<'a> From<$request> for Command<'a> {
            fn from(request: $request) -> Self {
                Self::$name(request)
            }
        }
    )*};
}

commands!(
    Receive: Receive<'a>,
    Adjust: Adjust<'a>,
    WriteOff: WriteOff<'a>,
    Reserve: Reserve<'a>,
    Confirm: Confirm<'a>,
    Release: Release,
    Transfer: Transfer<'a>,
    Extend: Extend
);
