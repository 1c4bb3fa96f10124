//! Writing a run.

use super::block::BlockWriter;
use super::disk::Disk;
use super::key::Key;
use super::run::Run;
use crate::base::Seq;
use crate::base::error::Result;

/// What one write of sled takes of blocks: its memory grows without bound with larger ones.
const BATCH_BYTES: usize = 256 << 10;
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
