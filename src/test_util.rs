//! For tests and fuzzers outside the crate; not covered by any promise.

use crate::error::Result;
use crate::event::{self, Event};

/// Reads the payload of a journal frame.
///
/// # Errors
/// `Corrupt` when it is not an event of this kind.
pub fn decode_event(kind: u16, payload: &[u8]) -> Result<Event<'_>> {
    event::decode(kind, payload)
}

/// The kind and payload under which an event is framed.
pub fn encode_event(event: &Event<'_>) -> (u16, Vec<u8>) {
    let mut payload = Vec::new();
    event::encode(event, &mut payload);
    (event::kind_of(event), payload)
}
