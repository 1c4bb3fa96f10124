//! Runs: the rows of one table as it was moved to sled, or of several that were merged, in blocks that
//! never change. A newer run says more than an older one; rows that an earlier release kept one by one
//! are older than all.

use super::key::{Key, KeyRange};
use crate::base::bytes::Reader;
use crate::base::error::{Error, Result};

/// The kinds of keys, each of which has its span.
const SPANS_MAX: u8 = 8;

/// A run: which one, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) id: u32,
    pub(super) rows: u64,
    /// For each kind of keys, the first and the last.
    spans: Vec<KeyRange>,
}

/// The runs that count, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Runs(pub(super) Vec<Run>);

impl Run {
    pub(super) fn new(id: u32) -> Self {
        Self { id, rows: 0, spans: Vec::new() }
    }

    #[cfg(test)]
    pub(super) fn of(rows: u64) -> Self {
        Self { rows, ..Self::new(0) }
    }

    pub(super) fn add(&mut self, key: Key) {
        self.rows += 1;
        match self.spans.last_mut() {
            Some(span) if span.last.is_of_kind(key) => span.last = key,
            _ => self.spans.push(KeyRange { first: key, last: key }),
        }
    }

    /// Whether a row of this range may be in it.
    pub(super) fn may_have(&self, range: KeyRange) -> bool {
        self.spans.iter().any(|span| span.first <= range.last && range.first <= span.last)
    }
}

impl Runs {
    /// A number that no run has.
    ///
    /// # Errors
    /// `Unavailable` when there is none.
    pub(super) fn next_id(&self) -> Result<u32> {
        let last = self.0.iter().map(|run| run.id).max().unwrap_or(0);
        last.checked_add(1).ok_or_else(Self::too_many)
    }

    pub(super) fn too_many() -> Error {
        Error::unavailable("the store has had as many runs as there are numbers; rebuild it")
    }

    pub(super) fn encode(&self, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(&(self.0.len() as u32).to_le_bytes());
        for run in &self.0 {
            buffer.extend_from_slice(&run.id.to_le_bytes());
            buffer.extend_from_slice(&run.rows.to_le_bytes());
            buffer.push(run.spans.len() as u8);
            for span in &run.spans {
                buffer.extend_from_slice(&span.first.to_fixed());
                buffer.extend_from_slice(&span.last.to_fixed());
            }
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let mut runs = Vec::new();
        for _ in 0..reader.u32()? {
            let mut run = Run { id: reader.u32()?, rows: reader.u64()?, spans: Vec::new() };
            for _ in 0..Some(reader.u8()?).filter(|count| *count <= SPANS_MAX)? {
                let [first, last] = [reader.array()?, reader.array()?];
                let (first, last) = (Key::from_fixed(first)?, Key::from_fixed(last)?);
                run.spans.push(KeyRange { first, last });
            }
            runs.push(run);
        }
        Some(Self(runs))
    }
}
