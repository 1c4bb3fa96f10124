//! Leaf ideas that every other module speaks in.

#[cfg(feature = "server")]
pub(crate) mod asked;
mod bounds;
pub(crate) mod bytes;
pub(crate) mod calls;
pub(crate) mod chunks;
pub(crate) mod clock;
pub(crate) mod error;
mod every;
pub(crate) mod flaw;
#[cfg(test)]
#[cfg_attr(stockhold_loom, allow(dead_code, reason = "few tests are built for loom"))]
pub(crate) mod golden;
#[cfg(feature = "server")]
mod grouped;
mod handle;
mod ids;
mod keys;
mod moment;
#[cfg(feature = "server")]
mod rfc3339;
pub(crate) mod sizes;
#[cfg(feature = "server")]
pub(crate) mod spans;
pub(crate) mod sync;
pub(crate) mod times;
pub(crate) mod waiters;

pub use bounds::{
    ATOMIC_COMMANDS_MAX, ATOMIC_LINES_MAX, BODY_BYTES_MAX, LINES_MAX, PLACE_BYTES_MAX, PLACES_MAX,
    QUANTITY_MAX, RECEIVED_MAX, TTL_MS_MAX,
};
pub(crate) use every::every;
#[cfg(feature = "server")]
pub(crate) use grouped::grouped;
pub(crate) use handle::handle;
pub use ids::{AccountId, ReservationId, Seq, TimeMs};
pub(crate) use ids::{SHARD_COUNT, ShardIndex};
pub(crate) use keys::halves;
pub use keys::{AccountKey, AccountKind, IdempotencyKey};
#[cfg(feature = "server")]
pub(crate) use rfc3339::rfc3339;
