//! What is in sled, read as one: the newest run that has a row says how it is.

use super::block::{Block, BlockKey, Row};
use super::cursor::Cursor;
use super::guarded::guarded;
use super::key::{Key, KeyRange};
use super::run::{Run, Runs};
use crate::base::error::{Error, Result};

/// Sled, and which of its runs count.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) db: &'a sled::Db,
    pub(super) runs: &'a Runs,
    /// Whether an earlier release left rows that stand alone.
    pub(super) has_alone: bool,
}

impl View<'_> {
    /// # Errors
    /// `Corrupt` or `Unavailable` when sled cannot read.
    pub(super) fn get(&self, key: Key) -> Result<Option<Row>> {
        let range = KeyRange { first: key, last: key };
        for run in self.runs.0.iter().filter(|run| run.may_have(range)) {
            let [least, _] = BlockKey::of_run(run.id);
            let block = guarded("reading the store", || {
                let at = BlockKey::new(run.id, key);
                self.db.range(least.as_ref()..=at.as_ref()).next_back().transpose()
            })?;
            let Some((at, value)) = block else { continue };
            let row = Block::open(&at, &value)?.next_from(key)?;
            if let Some(row) = row.filter(|row| row.key == key) {
                return Ok(Some(row));
            }
        }
        if !self.has_alone {
            return Ok(None);
        }
        Cursor::alone(self.db, range).next()
    }

    /// The rows of a range, in the order of their keys.
    ///
    /// # Errors
    /// As [`View::get`].
    pub(super) fn rows(&self, range: KeyRange) -> Result<Merged> {
        let mut cursors = Vec::new();
        for run in self.runs.0.iter().filter(|run| run.may_have(range)) {
            cursors.push(Cursor::of_run(self.db, run, range)?);
        }
        cursors.extend(self.has_alone.then(|| Cursor::alone(self.db, range)));
        Merged::new(cursors)
    }

    /// The keys of a range, of each run at most the last `limit`; some may come twice.
    ///
    /// # Errors
    /// As [`View::get`].
    pub(super) fn keys_back(&self, range: KeyRange, limit: usize) -> Result<Vec<Key>> {
        let mut keys = Vec::new();
        for run in self.runs.0.iter().filter(|run| run.may_have(range)) {
            run_back(self.db, run, range, limit, &mut keys)?;
        }
        if self.has_alone {
            let mut rows = self.db.range(range.first.to_bytes()..=range.last.to_bytes()).rev();
            for _ in 0..limit {
                let row = guarded("scanning the store", || rows.next().transpose())?;
                let Some((key, _)) = row else { break };
                let read = Key::from_bytes(&key);
                keys.push(
                    read.ok_or_else(|| Error::corrupt(format!("the store holds a key {key:?}")))?,
                );
            }
        }
        Ok(keys)
    }

    /// Reads everything, and says how many rows there are.
    ///
    /// # Errors
    /// As [`View::get`]; `Corrupt` when a run has not as many as it says.
    pub(super) fn verify(&self) -> Result<u64> {
        let mut total: u64 = 0;
        for run in &self.runs.0 {
            let count = count(Cursor::of_run(self.db, run, KeyRange::everything())?)?;
            if count != run.rows {
                let (id, rows) = (run.id, run.rows);
                return Err(Error::corrupt(format!("its run {id} holds {count} rows of {rows}")));
            }
            total += count;
        }
        if !self.has_alone {
            return Ok(total);
        }
        // Of a row that stands alone and was changed since, one counts.
        let mut rows = self.rows(KeyRange::everything())?;
        total = 0;
        while rows.next()?.is_some() {
            total += 1;
        }
        Ok(total)
    }
}

fn count(mut rows: Cursor) -> Result<u64> {
    let mut count = 0;
    while rows.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}

fn run_back(
    db: &sled::Db,
    run: &Run,
    range: KeyRange,
    limit: usize,
    found: &mut Vec<Key>,
) -> Result<()> {
    let [least, _] = BlockKey::of_run(run.id);
    let last = BlockKey::new(run.id, range.last);
    let mut blocks = db.range(least.as_ref()..=last.as_ref()).rev();
    let mut left = limit;
    while left > 0
        && let Some((key, value)) = guarded("scanning the store", || blocks.next().transpose())?
    {
        let keys = Block::open(&key, &value)?.keys()?;
        let begins_before = keys.first().is_some_and(|first| *first < range.first);
        let inside = keys.into_iter().rev().filter(|key| range.has(*key)).take(left);
        let before = found.len();
        found.extend(inside);
        left -= found.len() - before;
        if begins_before {
            break;
        }
    }
    Ok(())
}

/// The rows of several runs in the order of their keys, each as the newest of them has it.
#[derive(Debug)]
pub(super) struct Merged {
    /// The newest first.
    sources: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    cursor: Cursor,
    head: Option<Row>,
    /// How many rows came of it.
    seen: u64,
}

impl Merged {
    /// Of runs of which the newest comes first.
    ///
    /// # Errors
    /// As [`View::get`].
    pub(super) fn new(cursors: Vec<Cursor>) -> Result<Self> {
        let mut sources = Vec::with_capacity(cursors.len());
        for mut cursor in cursors {
            let head = cursor.next()?;
            sources.push(Source { cursor, head, seen: 0 });
        }
        Ok(Self { sources })
    }

    /// How many rows came of each run.
    pub(super) fn seen(&self) -> impl Iterator<Item = u64> {
        self.sources.iter().map(|source| source.seen)
    }

    /// # Errors
    /// As [`View::get`].
    pub(super) fn next(&mut self) -> Result<Option<Row>> {
        let heads = self.sources.iter().filter_map(|source| source.head.as_ref());
        let Some(least) = heads.map(|row| row.key).min() else {
            return Ok(None);
        };
        let mut newest = None;
        for source in &mut self.sources {
            if source.head.as_ref().is_some_and(|row| row.key == least) {
                let next = source.cursor.next()?;
                let row = std::mem::replace(&mut source.head, next);
                source.seen += 1;
                newest = newest.or(row);
            }
        }
        Ok(newest)
    }
}
