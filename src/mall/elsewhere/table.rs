//! The sagas that wait: their documents, and what this process knows beside them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::base::ReservationId;
use crate::base::error::Result;
use crate::engine::{Engine, Ticket};
use crate::ledger::PutDocument;
use crate::mall::facts::document::{self, Stamp};
use crate::mall::facts::{SAGAS, Saga};
use crate::mall::model::{order_id, parse_order_id};

/// How long a saga is kept whose order is being changed by somebody who went away: what they asked
/// for may be decided still.
const KEPT: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Table {
    all: Mutex<BTreeMap<ReservationId, Arc<Entry>>>,
    /// Something can be done at once.
    pub(super) woken: Notify,
}

/// A saga that waits.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) state: Mutex<State>,
    /// Held by whoever drives it or writes its document.
    pub(super) turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) saga: Saga,
    /// Nobody can have asked the service for its points yet.
    pub(super) unsent: bool,
    /// How often it was driven in vain, one time after another.
    pub(super) tries: u32,
    pub(super) due: Instant,
    pub(super) trouble: Option<String>,
    /// Its user has to confirm it.
    pub(super) rests: bool,
    /// How many are about to change its order.
    holds: usize,
    keep_until: Option<Instant>,
}

/// Somebody is about to change the order, and its saga has to look at what came of it.
#[derive(Debug)]
pub(in crate::mall) struct Held<'t> {
    table: &'t Table,
    entry: Arc<Entry>,
    is_done: bool,
}

impl Entry {
    fn new(saga: Saga, unsent: bool) -> Self {
        let state = State {
            saga,
            unsent,
            tries: 0,
            due: Instant::now(),
            trouble: None,
            rests: false,
            holds: 0,
            keep_until: None,
        };
        Self { state: Mutex::new(state), turn: tokio::sync::Mutex::default() }
    }
}

impl Table {
    /// Those of before. One that cannot be read is named in the log and left out.
    pub(super) fn load(engine: &Engine) -> Self {
        let mut all = BTreeMap::new();
        for (name, body) in engine.documents(SAGAS) {
            match (parse_order_id(&name), document::read::<Saga>(&body)) {
                (Some(order), Ok(kept)) => {
                    all.insert(order, Arc::new(Entry::new(kept.content, false)));
                }
                (None, Ok(_)) => tracing::error!(name, "a saga is named for no order"),
                (_, Err(why)) => tracing::error!(name, why, "a saga cannot be read"),
            }
        }
        Self { all: Mutex::new(all), woken: Notify::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.lock().is_empty()
    }

    pub(super) fn get(&self, order: ReservationId) -> Option<Arc<Entry>> {
        self.all.lock().get(&order).cloned()
    }

    /// All of them after `after`, in the order in which their orders were made.
    pub(super) fn after(&self, after: Option<ReservationId>) -> Vec<(ReservationId, Arc<Entry>)> {
        let bounds = (
            after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded),
            std::ops::Bound::Unbounded,
        );
        self.all.lock().range(bounds).map(|(order, entry)| (*order, Arc::clone(entry))).collect()
    }

    /// Whether points of this user are on their way, for another order than this one.
    pub(super) fn is_moving(&self, user_id: &str, order: ReservationId) -> bool {
        let all = self.all.lock();
        let mut others = all.iter().filter(|(other, _)| **other != order);
        others.any(|(_, entry)| {
            let state = entry.state.lock();
            state.saga.user_id == user_id && !state.rests
        })
    }

    /// Begins a saga, unless the order has one. It is durable when the ticket says so.
    pub(super) fn begin(
        &self,
        engine: &Engine,
        order: ReservationId,
        saga: Saga,
        unsent: bool,
    ) -> Result<(Arc<Entry>, Option<Ticket<()>>)> {
        let mut all = self.all.lock();
        if let Some(entry) = all.get(&order) {
            return Ok((Arc::clone(entry), None));
        }
        let ticket = write(engine, order, &saga)?;
        let entry = Arc::new(Entry::new(saga, unsent));
        all.insert(order, Arc::clone(&entry));
        Ok((entry, Some(ticket)))
    }

    /// As [`Table::begin`], and keeps it there until somebody has changed the order. What they do is
    /// behind the document in the journal, and durable only after it.
    pub(super) fn hold(
        &self,
        engine: &Engine,
        order: ReservationId,
        saga: Saga,
    ) -> Result<Held<'_>> {
        let mut all = self.all.lock();
        let entry = match all.get(&order) {
            Some(entry) => Arc::clone(entry),
            None => {
                drop(write(engine, order, &saga)?);
                let entry = Arc::new(Entry::new(saga, false));
                all.insert(order, Arc::clone(&entry));
                entry
            }
        };
        entry.state.lock().holds += 1;
        drop(all);
        Ok(Held { table: self, entry, is_done: false })
    }

    /// Removes a saga that is over; false while somebody is about to change its order.
    pub(super) fn end(&self, engine: &Engine, order: ReservationId) -> Result<bool> {
        let mut all = self.all.lock();
        let Some(entry) = all.get(&order) else {
            return Ok(true);
        };
        {
            let state = entry.state.lock();
            let is_kept = state.keep_until.is_some_and(|until| Instant::now() < until);
            if state.holds > 0 || is_kept {
                return Ok(false);
            }
        }
        // Not awaited: whoever finds it again after a crash finds that there is nothing to do.
        drop(engine.put_document(PutDocument::remove(SAGAS, &order_id(order)))?);
        all.remove(&order);
        Ok(true)
    }
}

/// Writes the document of a saga.
pub(super) fn write(engine: &Engine, order: ReservationId, saga: &Saga) -> Result<Ticket<()>> {
    let (_, body) = document::written(saga, Stamp::default())?;
    engine.put_document(PutDocument::new(SAGAS, &order_id(order), &body))
}

impl Held<'_> {
    /// What was asked for is decided.
    pub(in crate::mall) fn done(mut self) {
        self.is_done = true;
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut state = self.entry.state.lock();
        state.holds = state.holds.saturating_sub(1);
        if !self.is_done {
            state.keep_until = Some(Instant::now() + KEPT);
        }
        (state.due, state.rests) = (Instant::now(), false);
        drop(state);
        self.table.woken.notify_one();
    }
}
