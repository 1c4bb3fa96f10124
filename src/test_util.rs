//! For tests and fuzzers outside the crate; not covered by any promise.

use std::path::Path;

use crate::audit::{self, AuditConfig};
use crate::base::error::Result;
#[cfg(not(test))]
use crate::base::flaw;
use crate::event::{self, Event};
use crate::ledger::Level;
use crate::ledger::{LAYOUT_VERSION, Layout, Ledger, Limits, PART_COUNT, Replay};
use crate::vfs::RealVfs;

#[cfg(feature = "otel")]
pub use crate::process::traces::{SpanTold, decode_spans};
pub use crate::trials::oracle;

/// Lets this process make a deliberate mistake until it ends, by its name in `src/base/flaw.rs`: for
/// tests that must see it. False when there is none of that name, or this process makes another.
#[cfg(not(test))]
pub fn make_mistake(name: &str) -> bool {
    flaw::make(name)
}

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

/// Applies framed events, given as kind and payload, to an empty ledger. Returns the accounts.
///
/// # Errors
/// `Corrupt` when one is not an event, or contradicts those before it.
pub fn replay(frames: &[(u16, &[u8])]) -> Result<Vec<Level>> {
    let ledger = Ledger::new(Limits::default(), 0);
    let mut replay = Replay::new(&ledger);
    for (seq, (kind, payload)) in (1..).zip(frames) {
        replay.apply(seq, &event::decode(*kind, payload)?)?;
    }
    drop(replay);
    Ok(ledger.levels())
}

/// Loads one part of a snapshot into an empty ledger: from 128 on, of the layout before this one.
///
/// # Errors
/// `Corrupt` when the bytes are not such a part.
pub fn load_part(part: usize, bytes: &[u8]) -> Result<()> {
    let ledger = Ledger::new(Limits::default(), 0);
    let layout = Layout { version: if part < 128 { LAYOUT_VERSION } else { 1 }, taken_at: 1 };
    Replay::new(&ledger).load(layout, part % PART_COUNT, 1, bytes)
}

/// Audits the data directory `dir`, history apart; whether nothing is wrong with it.
///
/// # Errors
/// `NotFound` when it is not a data directory, `Unavailable` when it cannot be read.
pub fn audit(dir: &Path) -> Result<bool> {
    let config = AuditConfig { keys_max: 1 << 20, scratch: None };
    let audited = audit::audit(&RealVfs, dir, &config, &mut |_, _| {})?;
    Ok(audited.findings.worst().is_none())
}
