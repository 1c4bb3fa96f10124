//! Merging runs, so that a read looks at few of them.

use super::cursor::Cursor;
use super::disk::Disk;
use super::key::KeyRange;
use super::run::{Run, Runs};
use super::run_writer::RunWriter;
use super::view::Merged;
use crate::base::error::{Error, Result};

/// What the runs of the least size hold, in rows.
const LEAST_ROWS: u64 = 4_096;

/// How many sizes there may be before there are many runs.
const SIZES: usize = 6;

/// Whether there are many runs.
pub(super) fn are_many(runs: &Runs, alike_max: usize) -> bool {
    runs.0.len() >= SIZES * alike_max
}

/// How many of the newest runs are to be merged to one, so that fewer than `alike_max` are of about
/// one size; 0 when they are. A larger run is in the way of smaller ones that are older: when there are
/// many runs because of that, it is merged with them.
pub(super) fn due(runs: &Runs, alike_max: usize) -> usize {
    let alike_max = alike_max.max(2);
    let largest = runs.0.iter().map(|run| run.rows).max().unwrap_or(0);
    let mut sizes = 0..=LEAST_ROWS;
    let mut in_the_way = 0;
    loop {
        let smaller = runs.0.iter().take_while(|run| run.rows <= *sizes.end());
        let count = smaller.clone().count();
        if smaller.filter(|run| sizes.contains(&run.rows)).count() >= alike_max {
            return count;
        }
        if in_the_way == 0 && count >= alike_max {
            in_the_way = count;
        }
        let end = *sizes.end();
        if end >= largest {
            return if are_many(runs, alike_max) { in_the_way } else { 0 };
        }
        sizes = end + 1..=end.saturating_mul(alike_max as u64);
    }
}

/// A merge under way.
#[derive(Debug)]
pub(super) struct Merging {
    /// The runs that are merged, and how many rows each has.
    ids: Vec<u32>,
    row_counts: Vec<u64>,
    rows: Merged,
    writer: RunWriter,
}

impl Merging {
    /// Begins to merge the newest `count` runs into the run `id`.
    ///
    /// # Errors
    /// `Corrupt` or `Unavailable` when sled cannot read.
    pub(super) fn new(db: &sled::Db, runs: &Runs, count: usize, id: u32) -> Result<Self> {
        let sources = runs.0.iter().take(count);
        let cursors: Result<Vec<Cursor>> =
            sources.clone().map(|run| Cursor::of_run(db, run, KeyRange::everything())).collect();
        let (ids, row_counts) = sources.map(|run| (run.id, run.rows)).unzip();
        Ok(Self { ids, row_counts, rows: Merged::new(cursors?)?, writer: RunWriter::new(id) })
    }

    /// Writes at most `budget` rows; returns whether those were the last.
    ///
    /// # Errors
    /// Those of reading and of [`Disk::write`]; `Corrupt` when a run lacks rows.
    pub(super) fn step(&mut self, disk: &Disk, budget: usize) -> Result<bool> {
        for _ in 0..budget {
            let Some(row) = self.rows.next()? else {
                return self.check().map(|()| true);
            };
            self.writer.push(disk, row.key, row.seq, row.payload())?;
        }
        Ok(false)
    }

    /// A run that lacks rows is not to be made one that does not.
    fn check(&self) -> Result<()> {
        match self.rows.seen().eq(self.row_counts.iter().copied()) {
            true => Ok(()),
            false => Err(Error::corrupt("a run of the store has not as many rows as it says")),
        }
    }

    /// The run that it makes.
    pub(super) fn id(&self) -> u32 {
        self.writer.id()
    }

    /// What is left to be written, the runs as they are then, and those that no longer count.
    pub(super) fn finish(&mut self, runs: &Runs) -> (sled::Batch, Runs, Vec<u32>) {
        let (merged, batch) = self.writer.finish();
        let is_source = |run: &Run| self.ids.contains(&run.id);
        let newer = runs.0.iter().take_while(|run| !is_source(run));
        let older = runs.0.iter().skip_while(|run| !is_source(run)).filter(|run| !is_source(run));
        let runs = newer.cloned().chain(merged).chain(older.cloned()).collect();
        (batch, Runs(runs), self.ids.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those of a size are merged once there are enough of them, with all that are newer; a large one
    /// stays until there are as many of its size.
    #[test]
    fn few_runs_of_each_size() {
        let due = |rows: &[u64]| due(&Runs(rows.iter().map(|rows| Run::of(*rows)).collect()), 4);
        assert_eq!(due(&[]), 0);
        assert_eq!(due(&[9, 9, 9]), 0);
        assert_eq!(due(&[9, 9, 9, 9]), 4);
        assert_eq!(due(&[9, 9, 9, 1_000_000]), 0);
        assert_eq!(due(&[9, 9, 9, 9, 1_000_000]), 4);
        assert_eq!(due(&[9, 10_000, 10_000, 10_000, 1_000_000]), 0);
        assert_eq!(due(&[9, 10_000, 10_000, 10_000, 10_000, 1_000_000]), 5);
        assert_eq!(due(&[9, 10_000, 1_000_000, 10_000, 10_000]), 0, "what is older is not newer");
        assert_eq!(due(&[u64::MAX; 4]), 4);
        let shielded = [[9, 9, 9, 10_000].repeat(3), [9, 9, 9, 100_000].repeat(3)].concat();
        assert_eq!(due(&shielded[..12]), 0);
        assert_eq!(due(&shielded), 15, "there are many, and the larger ones are in the way");
    }
}
