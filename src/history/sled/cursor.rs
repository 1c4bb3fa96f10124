//! Going through the rows of a run.

use super::block::{Block, BlockKey, Row};
use super::guarded::guarded;
use super::key::{Key, KeyRange};
use super::run::Run;
use super::value::unseal;
use crate::base::Seq;
use crate::base::error::{Error, Result};

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
