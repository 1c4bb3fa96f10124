//! Moving tables into sled as runs, and merging runs.

use std::ops::Bound;
use std::sync::{Arc, Weak};

use super::disk::{Disk, End};
use super::key::Key;
use super::merge::{self, Merging};
use super::run::Runs;
use super::run_writer::RunWriter;
use super::table::Sealed;
use crate::base::error::Result;

/// What is under way.
#[derive(Debug)]
pub(super) struct Flusher {
    /// See [`merge::due`].
    alike_max: usize,
    moving: Option<Moving>,
    merging: Option<Merging>,
    /// Runs that were merged, until nobody reads them any more.
    left: Vec<Left>,
    /// Lists of runs that no longer hold, which somebody may still read by.
    replaced: Vec<Weak<Runs>>,
    /// The number that a run was given last.
    last_id: u32,
}

/// How far the sealed table is in sled.
#[derive(Debug)]
struct Moving {
    cursor: Option<Key>,
    writer: RunWriter,
}

impl Moving {
    fn new(id: u32) -> Self {
        Self { cursor: None, writer: RunWriter::new(id) }
    }
}

/// How much was moved.
#[derive(Debug, Default)]
pub(super) struct Moved {
    pub(super) rows: usize,
    /// Whether the whole table is durable in sled now.
    pub(super) is_all: bool,
}

/// A run that no longer counts, and who may still read it.
#[derive(Debug)]
struct Left {
    id: u32,
    readers: Vec<Weak<Runs>>,
}

impl Flusher {
    pub(super) fn new(alike_max: usize) -> Self {
        Self {
            alike_max,
            moving: None,
            merging: None,
            left: Vec::new(),
            replaced: Vec::new(),
            last_id: 0,
        }
    }

    /// For a store that was emptied.
    pub(super) fn anew(&self) -> Self {
        Self { last_id: self.last_id, ..Self::new(self.alike_max) }
    }

    /// Moves at most `budget` rows of a table; with the last of them, the table is made durable. After
    /// an error it goes on from there.
    ///
    /// # Errors
    /// Those of [`Disk::write`].
    pub(super) fn move_rows(
        &mut self,
        disk: &Disk,
        sealed: &Sealed,
        budget: usize,
    ) -> Result<Moved> {
        let moving = match self.moving.take() {
            Some(moving) => moving,
            None => Moving::new(self.new_id(disk)?),
        };
        let moving = self.moving.insert(moving);
        let start = moving.cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = sealed.rows.range((start, Bound::Unbounded));
        let mut moved = Moved::default();
        for (key, value) in rest.by_ref().take(budget) {
            moving.writer.push(disk, *key, value.seq(), value.payload())?;
            moving.cursor = Some(*key);
            moved.rows += 1;
        }
        if rest.next().is_some() {
            return Ok(moved);
        }
        let (run, batch) = moving.writer.finish();
        let runs = run.into_iter().chain(disk.runs().0.iter().cloned()).collect();
        let Sealed { through, row_count, branch, .. } = *sealed;
        let end = End { watermark: through, rows: row_count, branch };
        self.commit(disk, batch, Some(end), Runs(runs))?;
        self.moving = None;
        moved.is_all = true;
        Ok(moved)
    }

    /// Whether there is something to merge, or to remove.
    pub(super) fn wants_merging(&self, disk: &Disk) -> bool {
        self.merging.is_some()
            || self.left.iter().any(Left::is_unread)
            || merge::due(&disk.runs(), self.alike_max) > 0
    }

    /// Whether a read may have to look at so many runs that merging them does not wait.
    pub(super) fn must_merge(&self, disk: &Disk) -> bool {
        merge::are_many(&disk.runs(), self.alike_max) && self.wants_merging(disk)
    }

    /// Whether somebody still reads what was merged.
    pub(super) fn awaits_readers(&self) -> bool {
        !self.left.is_empty()
    }

    /// Merges on, by at most `budget` rows, or removes what was merged.
    ///
    /// # Errors
    /// Those of reading and of [`Disk::write`].
    pub(super) fn merge(&mut self, disk: &Disk, budget: usize) -> Result<()> {
        if let Some(at) = self.left.iter().position(Left::is_unread) {
            if disk.remove_run(self.left[at].id)? {
                self.left.swap_remove(at);
            }
            return Ok(());
        }
        let runs = disk.runs();
        if self.merging.is_none() {
            match merge::due(&runs, self.alike_max) {
                0 => return Ok(()),
                count => {
                    let id = self.new_id(disk)?;
                    self.merging = Some(Merging::new(disk.db(), &runs, count, id)?);
                }
            }
        }
        let Some(merging) = &mut self.merging else { return Ok(()) };
        match merging.step(disk, budget) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => {
                // It begins again, and no list of runs has named this one.
                self.left.push(Left { id: merging.id(), readers: Vec::new() });
                self.merging = None;
                return Err(error);
            }
        }
        let (batch, now, merged) = merging.finish(&runs);
        drop(runs);
        self.commit(disk, batch, None, now)?;
        self.merging = None;
        let left = merged.into_iter().map(|id| Left { id, readers: self.replaced.clone() });
        self.left.extend(left);
        Ok(())
    }

    fn commit(
        &mut self,
        disk: &Disk,
        batch: sled::Batch,
        end: Option<End>,
        runs: Runs,
    ) -> Result<()> {
        let before = disk.commit(batch, end, runs)?;
        self.replaced.retain(|runs| runs.strong_count() > 0);
        self.replaced.push(Arc::downgrade(&before));
        Ok(())
    }

    /// A number that no run has had since the store was opened, nor has now.
    fn new_id(&mut self, disk: &Disk) -> Result<u32> {
        let next = self.last_id.checked_add(1).ok_or_else(Runs::too_many)?;
        self.last_id = disk.runs().next_id()?.max(next);
        Ok(self.last_id)
    }
}

impl Left {
    fn is_unread(&self) -> bool {
        self.readers.iter().all(|runs| runs.strong_count() == 0)
    }
}
