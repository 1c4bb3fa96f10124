//! Following the events, one after the other, each until what it began and ended is on record.
//!
//! A claim says from where on: no event is let go before it was looked at. It moves on once in a
//! while, so a restart looks at some events again, and finds what they made.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::judge::{self, Judge, Stock, Touch, Turn};
use crate::base::error::Result;
use crate::base::{Seq, TimeMs};
use crate::engine::Ticket;
use crate::event::Event;
use crate::ledger::PutDocument;
use crate::mall::Mall;
use crate::mall::facts::document::Stamp;
use crate::mall::facts::{ALERTS, Alert, AlertEnd, Condition};
use crate::mall::following::{Beginning, EVENTS_AT_ONCE, Follower};

/// The name of the claim.
const CLAIM: &str = "alerts";
/// How many alerts more than are kept may be there before the oldest are removed.
const SURPLUS_MAX: usize = 256;

/// Where to go on; `None` until it was found out.
#[derive(Default)]
pub(in crate::mall) struct Following(Option<Judging>);

struct Judging {
    events: Follower,
    judge: Judge,
    /// Of what is read again: the last event that each product's alerts tell of.
    told: HashMap<(String, Condition), Seq>,
    /// Of products that were judged by how they stood: the last event that showed, until all those
    /// were read. No event is held before that, so a process that dies meanwhile leaves the next one
    /// to judge all products anew.
    seen: Option<HashMap<String, Seq>>,
    /// Products with another rule, until it is known what there was of them then.
    ruled: BTreeMap<Arc<str>, Vec<Ruled>>,
}

/// A rule that counts from some event on.
#[derive(Clone, Copy)]
struct Ruled {
    moment: Moment,
    threshold: Option<u64>,
    /// What there is of the product, unless it moved before `known_at`.
    stock: Stock,
    known_at: Seq,
}

/// What is to be judged of a product.
#[derive(Clone, Copy)]
struct Case {
    moment: Moment,
    touch: Touch,
    threshold: Option<u64>,
    /// Of a rule: what there was when it came.
    stock: Option<Stock>,
}

impl Ruled {
    fn case(&self, stock: Stock) -> Case {
        let Self { moment, threshold, .. } = *self;
        Case { moment, touch: Touch::Ruled, threshold, stock: Some(stock) }
    }
}

/// The event that is looked at.
#[derive(Clone, Copy)]
struct Moment {
    seq: Seq,
    at: TimeMs,
}

impl Mall {
    /// Looks at the next events, some thousand at most, and tells of stock that is low or sold out
    /// and of stock that is back; whether there may be more. A server calls this by itself. It
    /// blocks on the disk.
    ///
    /// # Errors
    /// What the engine reports; it goes on from there when it is called again.
    pub fn follow_alerts(&self) -> Result<bool> {
        let mut writing = self.shared.alerts.writing.lock();
        let followed = self.follow(&mut writing);
        if followed.is_err() {
            // What was not written is judged again.
            writing.0 = None;
        }
        followed
    }

    /// Looks at everything that is durable by now.
    pub(super) fn follow_alerts_to_now(&self) -> Result<()> {
        let now = self.engine().durable_seq();
        while self.follow_alerts()? && self.shared.alerts.seq() < now {}
        Ok(())
    }

    fn follow(&self, writing: &mut Following) -> Result<bool> {
        let mut judging = match writing.0.take() {
            Some(judging) => judging,
            None => self.begin(writing, self.engine().durable_seq())?,
        };
        let (mut count, mut last) = (0, None);
        while count < EVENTS_AT_ONCE
            && let Some((seq, event)) = judging.events.next()?
        {
            last = self.look(writing, &mut judging, seq, &event)?.or(last);
            count += 1;
        }
        // What was written before it is durable with it.
        last.map_or(Ok(()), Ticket::wait)?;
        self.shared.alerts.seq.store(judging.events.at(), Ordering::Relaxed);
        if judging.may_let_go() && (judging.events.holds_much() || judging.seen.is_some()) {
            judging.let_go()?;
        }
        self.forget_surplus(&mut judging)?;
        writing.0 = Some(judging);
        Ok(count == EVENTS_AT_ONCE)
    }

    /// Begins after this event, as if that had been the last one a moment ago.
    #[cfg(test)]
    pub(super) fn begin_alerts_after(&self, durable_seq: Seq) -> Result<()> {
        let mut writing = self.shared.alerts.writing.lock();
        let judging = self.begin(&mut writing, durable_seq)?;
        writing.0 = Some(judging);
        Ok(())
    }

    /// Finds where to go on, `durable_seq` being the last event that is durable. Where that is not
    /// known, or not kept, alerts are made by how the stock stands, and more happens meanwhile.
    fn begin(&self, writing: &mut Following, durable_seq: Seq) -> Result<Judging> {
        let engine = self.engine();
        let claim = engine.claim(CLAIM)?;
        let mut judge = Judge::default();
        for row in self.shelf().rows() {
            judge.set(&row.item.product.id, row.item.product.low_stock_threshold);
        }
        let mut seen = None;
        let from_seq = match Beginning::of(&claim, engine, durable_seq)? {
            Beginning::Kept(from) => from,
            Beginning::Lost | Beginning::New => {
                seen = Some(self.look_at_all(writing, &judge)?);
                durable_seq + 1
            }
        };
        let events = Follower::begin(claim, engine, from_seq)?;
        Ok(Judging { events, judge, told: self.told(), seen, ruled: BTreeMap::new() })
    }

    /// The last event that the alerts of each product tell of.
    fn told(&self) -> HashMap<(String, Condition), Seq> {
        let mut told = HashMap::new();
        for alert in self.shared.alerts.table.read().all.values() {
            let seq = told.entry((alert.product_id.clone(), alert.condition)).or_default();
            *seq = alert.last_seq().max(*seq);
        }
        told
    }

    /// Judges all products by how they stand. Answers the last event that each showed: that is still
    /// to be read, and is not to be told once more.
    fn look_at_all(&self, writing: &mut Following, judge: &Judge) -> Result<HashMap<String, Seq>> {
        let (mut seen, mut last) = (HashMap::new(), None);
        for row in self.shelf().rows() {
            let product = &row.item.product.id;
            let (level, seq) = self.engine().level_as_of(row.item.stock)?;
            let (stock, moment) = (Stock::of(&level), Moment { seq, at: self.now_ms() });
            seen.insert(product.clone(), seq);
            for condition in Condition::ALL.iter().copied() {
                let open = self.shared.alerts.table.read().open(product, condition).cloned();
                let threshold = judge.threshold(product);
                let turn = judge::turn_unseen(threshold, stock, condition, open.as_deref());
                if let Some(turn) = turn {
                    let turned =
                        turned(moment, product, condition, threshold, open.as_deref(), turn);
                    last = Some(self.tell(writing, turned)?);
                }
            }
        }
        last.map_or(Ok(()), Ticket::wait)?;
        Ok(seen)
    }

    /// Looks at one event; the ticket of the last alert that was written of it.
    fn look(
        &self,
        writing: &mut Following,
        judging: &mut Judging,
        seq: Seq,
        event: &Event<'_>,
    ) -> Result<Option<Ticket<()>>> {
        let changes = judging.events.changes(event)?;
        let (moment, mut last) = (Moment { seq, at: event.at }, None);
        for (product, touch) in judging.judge.touched(&changes) {
            if touch == Touch::Ruled {
                if let Some(ruled) = self.ruled(judging, &product, moment)? {
                    judging.ruled.entry(product).or_default().push(ruled);
                }
                continue;
            }
            if matches!(touch, Touch::Moved { .. }) && judging.has_seen(&product, seq) {
                continue;
            }
            let rules = judging.ruled.remove(&product).unwrap_or_default();
            if let Touch::Moved { before, .. } = touch {
                // Nothing has moved between the rules and this event.
                let table = &self.shared.alerts.table;
                let is_sold_out = table.read().open(&product, Condition::Out).is_some();
                let stock = Stock { available: before, was_stocked: before > 0 || is_sold_out };
                for ruled in rules {
                    let case = ruled.case(stock);
                    last = self.judge(writing, &judging.told, &product, case)?.or(last);
                }
            }
            let threshold = judging.judge.threshold(&product);
            let case = Case { moment, touch, threshold, stock: None };
            last = self.judge(writing, &judging.told, &product, case)?.or(last);
        }
        let is_known = |rules: &Vec<Ruled>| rules.last().is_none_or(|last| last.known_at <= seq);
        let known: Vec<_> = judging.ruled.extract_if(.., |_, rules| is_known(rules)).collect();
        for (product, rules) in known {
            for ruled in rules {
                let case = ruled.case(ruled.stock);
                last = self.judge(writing, &judging.told, &product, case)?.or(last);
            }
        }
        Ok(last)
    }

    /// A product has another rule, perhaps. What there was of it just then is known later: when it
    /// moves, or when it did not until now.
    fn ruled(&self, judging: &Judging, product: &str, moment: Moment) -> Result<Option<Ruled>> {
        let threshold = judging.judge.threshold(product);
        let is_low = self.shared.alerts.table.read().open(product, Condition::Low).is_some();
        let is_open = is_low || judging.ruled.contains_key(product);
        if threshold.is_none() && !is_open {
            return Ok(None);
        }
        let stock = self.stock_of(product)?;
        // Read after the stock, so that it is no older.
        let known_at = self.engine().last_seq();
        Ok(stock.map(|stock| Ruled { moment, threshold, stock, known_at }))
    }

    /// Writes what becomes of a product's alerts; the ticket of the last one.
    fn judge(
        &self,
        writing: &mut Following,
        told: &HashMap<(String, Condition), Seq>,
        product: &str,
        case: Case,
    ) -> Result<Option<Ticket<()>>> {
        let Case { moment, touch, threshold, stock } = case;
        let mut last = None;
        for condition in Condition::ALL.iter().copied() {
            if told.get(&(product.to_owned(), condition)).is_some_and(|last| moment.seq <= *last) {
                // It was told before this process began.
                continue;
            }
            let open = self.shared.alerts.table.read().open(product, condition).cloned();
            let turn = judge::turn(threshold, touch, condition, open.as_deref(), stock);
            if let Some(turn) = turn {
                let turned = turned(moment, product, condition, threshold, open.as_deref(), turn);
                last = Some(self.tell(writing, turned)?);
            }
        }
        Ok(last)
    }

    /// Writes an alert that nobody but the events asked for.
    fn tell(&self, writing: &mut Following, alert: Alert) -> Result<Ticket<()>> {
        self.shared.alerts.write(writing, self.engine(), alert, Stamp::default(), None)
    }

    /// The stock of a product, if it is on the shelf.
    fn stock_of(&self, product: &str) -> Result<Option<Stock>> {
        let shelf = self.shelf();
        let Some(item) = shelf.any_item(product) else { return Ok(None) };
        Ok(Some(Stock::of(&self.engine().level(item.stock)?)))
    }

    /// Removes the oldest alerts that are over, once there are too many of them.
    fn forget_surplus(&self, judging: &mut Judging) -> Result<()> {
        let surplus = self.shared.alerts.table.read().surplus();
        if surplus.len() < SURPLUS_MAX || !judging.ruled.is_empty() || !judging.may_let_go() {
            return Ok(());
        }
        // The events that made them must not be looked at again.
        judging.let_go()?;
        for id in surplus {
            drop(self.engine().put_document(PutDocument::remove(ALERTS, &id.to_string()))?);
            self.shared.alerts.table.write().all.remove(&id);
        }
        Ok(())
    }
}

impl Judging {
    /// Whether a product was judged by how it stood after this event.
    fn has_seen(&self, product: &str, seq: Seq) -> bool {
        let last = self.seen.as_ref().and_then(|seen| seen.get(product));
        last.is_some_and(|last| seq <= *last)
    }

    /// Whether everything that products were judged by was read by now.
    fn may_let_go(&self) -> bool {
        self.seen.iter().flat_map(HashMap::values).all(|last| *last <= self.events.at())
    }

    /// Holds nothing any more of what was looked at, and is judged.
    fn let_go(&mut self) -> Result<()> {
        let first_open = self.ruled.values().flatten().map(|ruled| ruled.moment.seq).min();
        self.events.hold_from(first_open.unwrap_or(self.events.at() + 1))?;
        self.seen = None;
        Ok(())
    }
}

/// The alert after a turn.
fn turned(
    moment: Moment,
    product: &str,
    condition: Condition,
    threshold: Option<u64>,
    open: Option<&Alert>,
    turn: Turn,
) -> Alert {
    let Moment { seq, at } = moment;
    let begun = |available| Alert {
        product_id: product.to_owned(),
        condition,
        threshold: threshold.filter(|_| condition == Condition::Low),
        available,
        begun_seq: seq,
        begun_at: at,
        end: None,
        acknowledged: None,
    };
    match turn {
        Turn::Begins { available } => begun(available),
        Turn::Ends { kind, available } => Alert {
            end: Some(AlertEnd { kind, available, seq, at }),
            ..open.cloned().unwrap_or_else(|| begun(available))
        },
    }
}
