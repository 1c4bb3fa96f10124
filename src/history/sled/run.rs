//! Runs: the rows of one table as it was moved to sled, or of several that were merged, in blocks that
//! never change. A newer run says more than an older one; rows that an earlier release kept one by one
//! are older than all.

use super::block::{Block, BlockKey, BlockWriter, Row};
use super::disk::{Disk, guarded};
use super::key::{Key, KeyRange};
use super::value::unseal;
use crate::base::Seq;
use crate::base::bytes::Reader;
use crate::base::error::{Error, Result};

/// What one write of sled takes of blocks: its memory grows without bound with larger ones.
const BATCH_BYTES: usize = 256 << 10;
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
    fn new(id: u32) -> Self {
        Self { id, rows: 0, spans: Vec::new() }
    }

    #[cfg(test)]
    pub(super) fn of(rows: u64) -> Self {
        Self { rows, ..Self::new(0) }
    }

    fn add(&mut self, key: Key) {
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

/// Writes a run.
#[derive(Debug)]
pub(super) struct RunWriter {
    run: Run,
    block: BlockWriter,
    batch: sled::Batch,
    batch_bytes: usize,
}

impl RunWriter {
    pub(super) fn new(id: u32) -> Self {
        Self {
            run: Run::new(id),
            block: BlockWriter::default(),
            batch: sled::Batch::default(),
            batch_bytes: 0,
        }
    }

    /// Adds a row, whose key is greater than those before. It counts when the run is among those
    /// that do. After an error it was not added.
    ///
    /// # Errors
    /// Those of [`Disk::write`].
    pub(super) fn push(&mut self, disk: &Disk, key: Key, seq: Seq, payload: &[u8]) -> Result<()> {
        if self.batch_bytes >= BATCH_BYTES {
            disk.write(self.batch.clone())?;
            (self.batch, self.batch_bytes) = (sled::Batch::default(), 0);
        }
        self.block.push(key, seq, payload);
        self.run.add(key);
        if self.block.is_full() {
            self.end_block();
        }
        Ok(())
    }

    fn end_block(&mut self) {
        if let Some((key, value)) = self.block.take(self.run.id) {
            self.batch_bytes += value.len();
            self.batch.insert(key.as_ref(), value);
        }
    }

    /// The run, if it has a row, and what is left to be written of it.
    pub(super) fn finish(&mut self) -> (Option<Run>, sled::Batch) {
        self.end_block();
        let run = Some(&self.run).filter(|run| run.rows > 0);
        (run.cloned(), self.batch.clone())
    }

    pub(super) fn id(&self) -> u32 {
        self.run.id
    }
}

/// The rows of a run, or those that stand alone, from one key to another.
#[derive(Debug)]
pub(super) struct Cursor {
    rows: Rows,
    range: KeyRange,
}

enum Rows {
    InBlocks { blocks: sled::Iter, block: Option<Block> },
    Alone(sled::Iter),
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::InBlocks { .. } => "InBlocks",
            Self::Alone(_) => "Alone",
        })
    }
}

impl Cursor {
    /// # Errors
    /// `Corrupt` or `Unavailable` when sled cannot read.
    pub(super) fn of_run(db: &sled::Db, run: &Run, range: KeyRange) -> Result<Self> {
        let [least, _] = BlockKey::of_run(run.id);
        let [first, last] = [range.first, range.last].map(|key| BlockKey::new(run.id, key));
        // The range may begin within the block before.
        let before = guarded("scanning the store", || {
            db.range(least.as_ref()..=first.as_ref()).next_back().transpose()
        })?;
        let start = before.map_or_else(|| sled::IVec::from(first.as_ref()), |(key, _)| key);
        let blocks = db.range(start..=sled::IVec::from(last.as_ref()));
        Ok(Self { rows: Rows::InBlocks { blocks, block: None }, range })
    }

    /// Over the rows that stand alone.
    pub(super) fn alone(db: &sled::Db, range: KeyRange) -> Self {
        let first = range.first.max(Key::LEAST).to_bytes();
        Self { rows: Rows::Alone(db.range(first..=range.last.to_bytes())), range }
    }

    /// # Errors
    /// `Corrupt` or `Unavailable` when sled cannot read.
    pub(super) fn next(&mut self) -> Result<Option<Row>> {
        let range = self.range;
        match &mut self.rows {
            Rows::Alone(rows) => loop {
                let Some((key, value)) = next_of(rows)? else {
                    return Ok(None);
                };
                let key = Key::from_bytes(&key)
                    .ok_or_else(|| Error::corrupt(format!("the store holds a key {key:?}")))?;
                if key != Key::meta() {
                    let (seq, payload) = unseal(key, &value)?;
                    let start = size_of::<Seq>();
                    return Ok(Some(Row::new(key, seq, &value, start..start + payload.len())));
                }
            },
            Rows::InBlocks { blocks, block } => loop {
                if let Some(block) = block
                    && let Some(row) = block.next_from(range.first)?
                {
                    return Ok(Some(row).filter(|row| row.key <= range.last));
                }
                match next_of(blocks)? {
                    Some((key, value)) => *block = Some(Block::open(&key, &value)?),
                    None => return Ok(None),
                }
            },
        }
    }
}

fn next_of(rows: &mut sled::Iter) -> Result<Option<(sled::IVec, sled::IVec)>> {
    guarded("scanning the store", || rows.next().transpose())
}
