//! Alerts: low stock and sold out, told once when they begin and once when they are over.
//!
//! Which alerts there are follows from the events alone (`judge`), which a thread beside those that
//! sell reads one after the other (`follow`): a sale knows nothing of it. An alert is kept as a
//! document named for the event that began it. So whoever reads the same events again, after a
//! restart or a crash, finds that it was told.

mod follow;
mod judge;

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::facts::document::{self, Stamp};
use super::facts::{ALERTS, Acknowledged, Alert, AlertId, Condition};
use super::{Failure, Mall};
use crate::base::error::Result;
use crate::base::{IdempotencyKey, Seq};
use crate::engine::{Engine, Ticket};
use crate::ledger::PutDocument;

/// How many alerts that are over are kept; the oldest go first.
const PAST_MAX: usize = 10_000;

/// The alerts of a mall.
pub(in crate::mall) struct Alerts {
    table: RwLock<Table>,
    /// Held by whoever writes an alert: the one that follows the events, or an operator who has seen
    /// it. Those that read wait for neither.
    writing: Mutex<follow::Following>,
    /// Every event up to this one was looked at.
    seq: AtomicU64,
}

/// A copy of the documents in memory.
#[derive(Debug, Default)]
struct Table {
    all: BTreeMap<AlertId, Arc<Alert>>,
    /// By product.
    open: HashMap<String, Standing>,
    open_count: usize,
}

/// What is the matter with a product.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    low: Option<AlertId>,
    out: Option<AlertId>,
}

impl Standing {
    fn of(&mut self, condition: Condition) -> &mut Option<AlertId> {
        match condition {
            Condition::Low => &mut self.low,
            Condition::Out => &mut self.out,
        }
    }
}

impl Table {
    fn put(&mut self, alert: Alert) {
        let (id, is_open) = (alert.id(), alert.end.is_none());
        let standing = self.open.entry(alert.product_id.clone()).or_default();
        let place = standing.of(alert.condition);
        let was_open = *place == Some(id);
        if is_open {
            *place = Some(id);
        } else if was_open {
            *place = None;
        }
        if standing.low.or(standing.out).is_none() {
            self.open.remove(&alert.product_id);
        }
        self.open_count = self.open_count + usize::from(is_open) - usize::from(was_open);
        self.all.insert(id, Arc::new(alert));
    }

    fn open(&self, product: &str, condition: Condition) -> Option<&Arc<Alert>> {
        let mut standing = self.open.get(product).copied()?;
        standing.of(condition).and_then(|id| self.all.get(&id))
    }

    /// The oldest of those that are over, which are more than are kept.
    fn surplus(&self) -> Vec<AlertId> {
        let surplus = (self.all.len() - self.open_count).saturating_sub(PAST_MAX);
        let past = self.all.iter().filter(|(_, alert)| alert.end.is_some());
        past.take(surplus).map(|(id, _)| *id).collect()
    }
}

/// Which alerts to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct AlertFilter {
    /// Whether they are open; `None` is all.
    pub(crate) is_open: Option<bool>,
    pub(crate) is_acknowledged: Option<bool>,
    pub(crate) product_id: Option<String>,
}

impl AlertFilter {
    fn wants(&self, alert: &Alert) -> bool {
        self.is_open.is_none_or(|it| alert.end.is_none() == it)
            && self.is_acknowledged.is_none_or(|it| alert.acknowledged.is_some() == it)
            && self.product_id.as_ref().is_none_or(|it| alert.product_id == *it)
    }
}

/// One page of alerts, newest first.
#[derive(Debug)]
pub(crate) struct AlertsPage {
    pub(crate) alerts: Vec<Arc<Alert>>,
    /// What the next page is older than; `None` at the end.
    pub(crate) next_before: Option<AlertId>,
    /// How many are open in all.
    pub(crate) open_count: usize,
    /// The last event that they show.
    pub(crate) seq: Seq,
}

/// How many alerts are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OpenAlerts {
    pub(crate) low_stock: u64,
    pub(crate) sold_out: u64,
    /// Of both, those that no operator has acknowledged.
    pub(crate) unseen: u64,
}

impl Mall {
    /// How many alerts are open, counted while nobody writes one.
    pub(crate) fn open_alerts(&self) -> OpenAlerts {
        let table = self.shared.alerts.table.read();
        let mut open = OpenAlerts::default();
        for standing in table.open.values() {
            open.low_stock += u64::from(standing.low.is_some());
            open.sold_out += u64::from(standing.out.is_some());
            let ids = [standing.low, standing.out].into_iter().flatten();
            let unseen = ids.filter_map(|id| table.all.get(&id));
            open.unseen += unseen.filter(|alert| alert.acknowledged.is_none()).count() as u64;
        }
        open
    }
}

impl Alerts {
    /// Those that were told so far. One that cannot be read is named in the log and left out.
    pub(in crate::mall) fn load(engine: &Engine) -> Self {
        let mut table = Table::default();
        for (name, body) in engine.documents(ALERTS) {
            match document::read::<Alert>(&body) {
                Ok(kept) => table.put(kept.content),
                Err(why) => tracing::error!(name, why, "an alert cannot be read"),
            }
        }
        Self { table: RwLock::new(table), writing: Mutex::default(), seq: AtomicU64::new(0) }
    }

    fn list(&self, filter: &AlertFilter, before: Option<AlertId>, limit: usize) -> AlertsPage {
        let (table, seq) = (self.table.read(), self.seq());
        let older = (Bound::Unbounded, before.map_or(Bound::Unbounded, Bound::Excluded));
        let wanted = table.all.range(older).rev().filter(|(_, alert)| filter.wants(alert));
        // One more than asked for tells that there is a next page.
        let mut alerts: Vec<Arc<Alert>> =
            wanted.take(limit + 1).map(|(_, alert)| Arc::clone(alert)).collect();
        let next_before = (alerts.len() > limit).then(|| {
            alerts.truncate(limit);
            alerts.last().map(|last| last.id())
        });
        let open_count = table.open_count;
        AlertsPage { alerts, next_before: next_before.flatten(), open_count, seq }
    }

    /// Every event up to this one was looked at.
    fn seq(&self) -> Seq {
        // Relaxed: the number is the whole message.
        self.seq.load(Ordering::Relaxed)
    }

    /// Writes an alert as it is by now; what was written before it is durable no later. The stamp is
    /// an operator's, or none: so whoever follows the events knows news from what was seen.
    fn write(
        &self,
        _writing: &mut follow::Following,
        engine: &Engine,
        alert: Alert,
        stamp: Stamp,
        key: Option<IdempotencyKey>,
    ) -> Result<Ticket<()>> {
        let (kept, body) = document::written(alert, stamp)?;
        let name = kept.content.id().to_string();
        let ticket = engine.put_document(PutDocument::new(ALERTS, &name, &body).key(key))?;
        self.table.write().put(kept.content);
        Ok(ticket)
    }
}

impl Mall {
    /// A page of the alerts that `filter` finds. It shows everything acknowledged before the call,
    /// unless alerts cannot be written at this moment: then it says how far it goes.
    pub(crate) async fn alerts(
        &self,
        filter: AlertFilter,
        before: Option<AlertId>,
        limit: usize,
    ) -> Result<AlertsPage> {
        self.check_alive()?;
        let mall = self.clone();
        self.read(move || {
            if let Err(error) = mall.follow_alerts_to_now() {
                tracing::warn!(%error, "alerts are not shown as of now");
            }
            Ok(mall.shared.alerts.list(&filter, before, limit))
        })
        .await
    }

    /// An operator has seen an alert. Who has seen it first stays on record.
    pub(crate) async fn acknowledge(
        &self,
        id: AlertId,
        operator: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<Acknowledged, Failure> {
        let (mall, by) = (self.clone(), operator.to_owned());
        self.act(move || Ok(mall.acknowledge_now(id, by, key))).await?
    }

    fn acknowledge_now(
        &self,
        id: AlertId,
        by: String,
        key: Option<IdempotencyKey>,
    ) -> Result<Acknowledged, Failure> {
        let alerts = &self.shared.alerts;
        let mut writing = alerts.writing.lock();
        let found = alerts.table.read().all.get(&id).cloned().ok_or(Failure::AlertNotFound)?;
        if let Some(acknowledged) = &found.acknowledged {
            // It may have been written by a request that nobody was answered yet.
            self.engine().decided().wait()?;
            return Ok(acknowledged.clone());
        }
        let acknowledged = Acknowledged { by, at: self.now_ms() };
        let Acknowledged { by, at } = acknowledged.clone();
        let stamp = Stamp { updated_at: Some(at), updated_by: Some(by) };
        let alert = Alert { acknowledged: Some(acknowledged.clone()), ..Alert::clone(&found) };
        alerts.write(&mut writing, self.engine(), alert, stamp, key)?.wait()?;
        Ok(acknowledged)
    }
}

#[cfg(test)]
mod tests;
