//! Records of what changed the stock of products: from history, newest first, page by page.
//!
//! What is asked for says where it is looked for ([`Source`]): by order, the events that history
//! keeps with it; by product, the changes of its few accounts; otherwise the index of events, of
//! which what operators do is a small part. Wherever that is, one page looks at a bounded number of
//! changes, and says where the next goes on.

use std::collections::HashMap;

use super::filter::{RecordFilter, SET_BACK_MS};
use super::source::{Found, Source};
use crate::base::error::Result;
use crate::base::{AccountId, AccountKey, Seq, TimeMs};
use crate::engine::Engine;
use crate::history::record::ChangeRecord;
use crate::mall::Mall;
use crate::mall::model::RecordPlace;

/// How many changes that are not wanted are looked at for one page: whoever wants more asks for the
/// next.
const LOOKED_AT_MAX: usize = 4096;
/// How near the search for a time comes to it, in events.
const NEAR: u64 = 64;

/// A change of the stock of a product.
#[derive(Debug)]
pub(crate) struct StockRecord {
    pub(crate) place: RecordPlace,
    pub(crate) product_id: String,
    /// `None` is what is sold from.
    pub(crate) location: Option<String>,
    pub(crate) change: ChangeRecord,
}

/// Changes, newest first.
#[derive(Debug, Default)]
pub(crate) struct StockRecords {
    pub(crate) records: Vec<StockRecord>,
    /// What the next page is older than; `None` when there is none.
    pub(crate) next_before: Option<RecordPlace>,
}

impl Mall {
    /// Resolves when [`Mall::find_records`] shows everything as of this call.
    pub(crate) async fn show_records(&self) -> Result<()> {
        self.caught_up().await
    }

    /// The changes that `filter` finds, newest first, older than `before`: at most `limit`, and as
    /// many as `has_room` allows after each. Blocks on the disk.
    ///
    /// # Errors
    /// What history reports.
    pub(crate) fn find_records(
        &self,
        filter: &RecordFilter,
        before: Option<RecordPlace>,
        limit: usize,
        mut has_room: impl FnMut(&StockRecord) -> bool,
    ) -> Result<StockRecords> {
        let engine = self.engine();
        let mut page = StockRecords::default();
        let mut source = Source::of(engine, filter)?;
        let mut keys = Keys { engine, known: HashMap::new() };
        let mut below = before.map_or(Seq::MAX, |place| place.seq.saturating_add(1));
        if let Some(to) = filter.to {
            below = below.min(first_after(engine, &source, to, below)?);
        }
        let mut looked_at = 0;
        while let Some(Found { seq, changes }) = source.next(engine, filter, below)? {
            below = seq;
            if changes.first().is_some_and(|(_, change)| filter.is_past(change.at)) {
                return Ok(page);
            }
            looked_at += changes.len().max(1);
            for (place, change) in changes {
                let key = keys.of(change.account).filter(|key| filter.is_at(key));
                let Some(key) = key.filter(|_| filter.wants(&change)) else {
                    continue;
                };
                if before.is_some_and(|before| place >= before) {
                    continue;
                }
                let record = StockRecord {
                    place,
                    product_id: key.owner().to_owned(),
                    location: key.location().map(str::to_owned),
                    change,
                };
                // One more than asked for tells that there is a next page.
                if page.records.len() == limit || !has_room(&record) {
                    page.next_before = page.records.last().map(|last| last.place);
                    return Ok(page);
                }
                looked_at = looked_at.saturating_sub(1);
                page.records.push(record);
            }
            if looked_at >= LOOKED_AT_MAX {
                page.next_before = Some(RecordPlace::before(seq));
                return Ok(page);
            }
        }
        Ok(page)
    }
}

/// An event below which everything is that is not newer than `to`: as near to it as a search comes
/// that trusts no clock by more than it may have been set back. An event that is later than that is
/// followed by none that is wanted, wherever it was found.
fn first_after(engine: &Engine, source: &Source, to: TimeMs, below: Seq) -> Result<Seq> {
    let newest = engine.history().seq()?.saturating_add(1);
    let (mut low, mut high) = (0, below.min(newest));
    while high.saturating_sub(low) > NEAR {
        let middle = low + (high - low) / 2;
        match source.look(engine, middle)? {
            Some((seq, at)) if at > to.saturating_add(SET_BACK_MS) => high = seq,
            Some(_) | None => low = middle,
        }
    }
    Ok(high)
}

/// The names of accounts, each looked up once.
struct Keys<'e> {
    engine: &'e Engine,
    known: HashMap<AccountId, Option<AccountKey>>,
}

impl Keys<'_> {
    fn of(&mut self, account: AccountId) -> Option<AccountKey> {
        let engine = self.engine;
        self.known.entry(account).or_insert_with(|| engine.key_of(account)).clone()
    }
}
