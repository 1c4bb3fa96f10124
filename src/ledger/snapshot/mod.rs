//! The ledger as bytes, part by part, and back. Each shard is captured for itself, under its own
//! lock, with the place of the last event it shows; replay then applies to each shard only what it
//! does not show yet. So a checkpoint never stops the whole ledger. The layout is in
//! `docs/format.md`.

#[cfg(any(all(test, not(stockhold_loom)), feature = "bin"))]
mod digest;
mod read;
mod replay;
mod write;

use super::Ledger;
use crate::base::{SHARD_COUNT, Seq, TimeMs};
use crate::event::Recorder;

pub(crate) use replay::{Replay, Shown};

/// How many parts a snapshot has: the shards, and the documents.
pub(crate) const PART_COUNT: usize = SHARD_COUNT + 1;

/// The version of the layout that is written; those before it are read.
pub(crate) const LAYOUT_VERSION: u32 = 2;

/// How a snapshot is laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// 1 to [`LAYOUT_VERSION`].
    pub(crate) version: u32,
    /// When it was begun.
    pub(crate) taken_at: TimeMs,
}

/// How much later than a snapshot was begun its last part may have been taken, in milliseconds.
const CAPTURE_MS_MAX: u64 = 60_000;
/// By how much times of concurrent commands may be out of order: version 1 counted a use with the
/// newest one then.
const DISORDER_MS: u64 = 1_000;

/// The tag of what several commands did, which follows.
const ATOMIC: u8 = 12;
/// The tag of a reservation that was revived.
const REVIVED: u8 = 13;
/// Marks what was told, whose bytes follow it.
const ANSWERED: u8 = 14;
/// Mark a place in a line that was taken, and one that was given up.
const JOINED: u8 = 15;
const LEFT: u8 = 16;

/// Added to the number of the window where an account is closed.
const CLOSED: u64 = 1 << 8;

/// Added to the same where somebody waited for its units, now or before.
const QUEUED: u64 = 1 << 9;
/// Added to the same where somebody was served in line: when those were who were last.
const SERVED: u64 = 1 << 10;

/// The number that stands for "no owner".
const NO_OWNER: u32 = u32::MAX;

impl Ledger {
    /// Appends one part to `bytes` and returns the place of the last event that it shows.
    pub(crate) fn capture(
        &self,
        part: usize,
        recorder: &impl Recorder,
        bytes: &mut Vec<u8>,
    ) -> Seq {
        if part == SHARD_COUNT {
            let documents = self.documents.lock();
            for (collection, key, body) in documents.iter() {
                for field in [collection.as_bytes(), key.as_bytes(), body] {
                    write::put_bytes(bytes, field);
                }
            }
            return recorder.last_seq();
        }
        let shard = self.shards[part].lock();
        // An event that touches this shard is recorded and applied while its lock is held, so the
        // shard shows all of them up to here.
        let seq = recorder.last_seq();
        write::write_shard(&shard, bytes);
        seq
    }
}
