//! Which alerts an event begins and ends: a function of the events, and of what was told before.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::ledger::Level;
use crate::mall::facts::{Alert, AlertKind, Condition};
use crate::mall::model::Product;
use crate::mall::views::{Change, Entry, Movement};

/// What an event did to a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touch {
    /// What can be bought of it changed.
    Moved {
        before: i64,
        after: i64,
    },
    /// Its document was written, with this threshold or another.
    Ruled,
    Removed,
}

/// What can be said of a product's stock without an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stock {
    pub(super) available: i64,
    /// Whether it ever had any: one that is yet to come in is not sold out.
    pub(super) was_stocked: bool,
}

impl Stock {
    pub(super) fn of(level: &Level) -> Self {
        Self { available: level.available, was_stocked: level.received > 0 }
    }
}

/// What becomes of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Begins { available: i64 },
    Ends { kind: AlertKind, available: i64 },
}

/// The rules by which events are judged.
#[derive(Debug, Default)]
pub(super) struct Judge {
    /// Of the products that have one.
    thresholds: HashMap<Arc<str>, u64>,
}

impl Judge {
    /// The rule of a product, from now on.
    pub(super) fn set(&mut self, product_id: &str, threshold: Option<u64>) {
        match threshold {
            Some(threshold) => self.thresholds.insert(product_id.into(), threshold),
            None => self.thresholds.remove(product_id),
        };
    }

    pub(super) fn threshold(&self, product_id: &str) -> Option<u64> {
        self.thresholds.get(product_id).copied()
    }

    /// The products that one event touched. What happened together counts together: nobody has seen
    /// what was in between. Rules are those of after the event.
    pub(super) fn touched(&mut self, changes: &[Change<'_>]) -> BTreeMap<Arc<str>, Touch> {
        let mut touched = BTreeMap::new();
        for change in changes {
            match change {
                // What is elsewhere is not for sale.
                Change::Stock(Movement { location: Some(_), .. }) => {}
                Change::Stock(Movement { owner, change, location: None }) => {
                    let before = change.available.saturating_sub(change.delta);
                    let first = match touched.get(owner) {
                        Some(Touch::Moved { before, .. }) => *before,
                        Some(Touch::Ruled | Touch::Removed) | None => before,
                    };
                    let moved = Touch::Moved { before: first, after: change.available };
                    touched.insert(Arc::clone(owner), moved);
                }
                Change::Product(entry) => {
                    touched.extend(self.rule(entry).map(|touch| (entry.id.into(), touch)));
                }
                Change::Order(_)
                | Change::Points(_)
                | Change::Category(_)
                | Change::Line(_)
                | Change::Alert(_)
                | Change::Levels(_)
                | Change::Earned { .. }
                | Change::Preferences(_)
                | Change::Browsed(_) => {}
            }
        }
        touched
    }

    fn rule(&mut self, entry: &Entry<'_, Product>) -> Option<Touch> {
        match &entry.to {
            Ok(Some(kept)) => {
                self.set(entry.id, kept.content.low_stock_threshold);
                Some(Touch::Ruled)
            }
            Ok(None) => {
                self.set(entry.id, None);
                Some(Touch::Removed)
            }
            // What cannot be read changes no rule.
            Err(_) => None,
        }
    }
}

/// What becomes of the alert of a product with this threshold; `open` is the one that is open. `stock`
/// is what there was when its document was written.
pub(super) fn turn(
    threshold: Option<u64>,
    touch: Touch,
    condition: Condition,
    open: Option<&Alert>,
    stock: Option<Stock>,
) -> Option<Turn> {
    let is_met = |available: i64| match condition {
        Condition::Low => threshold.is_some_and(|it| i128::from(available) <= i128::from(it)),
        Condition::Out => available <= 0,
    };
    match (touch, open) {
        (Touch::Moved { after: available, .. }, Some(_)) if !is_met(available) => {
            Some(Turn::Ends { kind: condition.recovers(), available })
        }
        (Touch::Moved { before, after: available }, None) => {
            (available < before && is_met(available)).then_some(Turn::Begins { available })
        }
        (Touch::Removed, Some(alert)) => {
            Some(Turn::Ends { kind: AlertKind::Lifted, available: alert.available })
        }
        // Another rule is about low stock alone.
        (Touch::Ruled, Some(alert)) if condition == Condition::Low => {
            let stock = stock.filter(|_| alert.threshold != threshold)?;
            let (kind, available) = (AlertKind::Lifted, stock.available);
            (!is_met(available)).then_some(Turn::Ends { kind, available })
        }
        (Touch::Ruled, None) if condition == Condition::Low && threshold.is_some() => {
            let Stock { available, was_stocked } = stock?;
            (was_stocked && is_met(available)).then_some(Turn::Begins { available })
        }
        (Touch::Moved { .. } | Touch::Ruled, Some(_)) | (Touch::Ruled | Touch::Removed, None) => {
            None
        }
    }
}

/// What becomes of it where the events in between are not known: only how it stands now.
pub(super) fn turn_unseen(
    threshold: Option<u64>,
    stock: Stock,
    condition: Condition,
    open: Option<&Alert>,
) -> Option<Turn> {
    let Stock { available, was_stocked } = stock;
    // As if everything that is missing had just gone, or all that there is had just come.
    let before = if open.is_some() || !was_stocked { i64::MIN } else { i64::MAX };
    let touch = Touch::Moved { before, after: available };
    turn(threshold, touch, condition, open, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(condition: Condition, threshold: Option<u64>) -> Alert {
        Alert {
            product_id: "tea".into(),
            condition,
            threshold,
            available: 0,
            begun_seq: 1,
            begun_at: 1,
            end: None,
            acknowledged: None,
        }
    }

    const STOCKED: Stock = Stock { available: 4, was_stocked: true };

    #[test]
    fn a_threshold_is_crossed_once_each_way() {
        use Condition::{Low, Out};
        let moved = |before, after| Touch::Moved { before, after };
        let ends = |kind, available| Some(Turn::Ends { kind, available });
        let begins = |available| Some(Turn::Begins { available });
        for (touch, condition, is_open, expected) in [
            (moved(12, 11), Low, false, None),
            (moved(11, 10), Low, false, begins(10)),
            (moved(10, 9), Low, true, None),
            (moved(9, 10), Low, true, None),
            (moved(10, 11), Low, true, ends(AlertKind::StockRecovered, 11)),
            // Units that come in for the first time make nothing low.
            (moved(0, 5), Low, false, None),
            (moved(5, 4), Low, false, begins(4)),
            (moved(1, 0), Out, false, begins(0)),
            (moved(0, -1), Out, true, None),
            (moved(-1, 0), Out, true, None),
            (moved(0, 1), Out, true, ends(AlertKind::BackInStock, 1)),
            (Touch::Removed, Low, true, ends(AlertKind::Lifted, 0)),
            (Touch::Removed, Out, true, ends(AlertKind::Lifted, 0)),
            (Touch::Removed, Out, false, None),
            (Touch::Ruled, Low, false, begins(4)),
            (Touch::Ruled, Low, true, None),
            (Touch::Ruled, Out, false, None),
            (Touch::Ruled, Out, true, None),
        ] {
            let alert = is_open.then(|| open(condition, Some(10)));
            let turned = turn(Some(10), touch, condition, alert.as_ref(), Some(STOCKED));
            assert_eq!(turned, expected, "{touch:?} {condition:?} {is_open}");
        }
    }

    #[test]
    fn another_threshold_lifts_or_begins() {
        let (low, ruled) = (Condition::Low, Touch::Ruled);
        let alert = open(low, Some(10));
        for (threshold, open, expected) in [
            (None, Some(&alert), Some(Turn::Ends { kind: AlertKind::Lifted, available: 4 })),
            (Some(3), Some(&alert), Some(Turn::Ends { kind: AlertKind::Lifted, available: 4 })),
            (Some(4), Some(&alert), None),
            (Some(4), None, Some(Turn::Begins { available: 4 })),
            (Some(3), None, None),
            (None, None, None),
        ] {
            let turned = turn(threshold, ruled, low, open, Some(STOCKED));
            assert_eq!(turned, expected, "{threshold:?}");
        }
        let none_yet = Stock { available: 0, was_stocked: false };
        assert_eq!(turn(Some(9), ruled, low, None, Some(none_yet)), None);
        assert_eq!(turn(Some(9), ruled, low, None, None), None);
    }

    #[test]
    fn what_was_not_seen_is_told_by_how_it_stands() {
        let out = Condition::Out;
        let gone = Stock { available: 0, was_stocked: true };
        let never = Stock { available: 0, was_stocked: false };
        let begins = Some(Turn::Begins { available: 0 });
        let back = Some(Turn::Ends { kind: AlertKind::BackInStock, available: 4 });
        let alert = open(out, None);
        for (stock, open, expected) in [
            (gone, None, begins),
            (never, None, None),
            (STOCKED, None, None),
            (STOCKED, Some(&alert), back),
            (gone, Some(&alert), None),
        ] {
            assert_eq!(turn_unseen(None, stock, out, open), expected, "{stock:?}");
        }
    }
}
