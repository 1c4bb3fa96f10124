//! What two servers say to each other when one takes over from the other: messages over a Unix socket,
//! and the descriptors of the sockets that clients connect to.

mod channel;
mod message;

pub(crate) use channel::{Channel, Received};
pub(crate) use message::{Door, Format, Left, Message, PROTOCOL};
