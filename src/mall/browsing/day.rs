//! How often products were looked at in a day.

use std::collections::{BTreeMap, BTreeSet};

use super::write;
use crate::base::TimeMs;
use crate::base::error::Result;
use crate::engine::Engine;
use crate::ledger::PutDocument;
use crate::mall::facts::document;
use crate::mall::facts::{DayPart, DayTotals, PART_PRODUCTS_MAX, VIEW_DAYS, Views};
use crate::mall::reports::{Period, Zone};

/// How many documents a day has at most: 4,000 products are told apart.
const PARTS_MAX: usize = 8;
/// For how many days they are kept.
const DAYS_KEPT: u64 = 400;
const DAY_MS: u64 = 86_400_000;

/// The views of a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DayOfViews {
    pub(crate) totals: DayTotals,
    pub(crate) products: BTreeMap<String, Views>,
}

/// The sums of a day, in the parts in which they are written.
#[derive(Debug)]
pub(super) struct Day {
    name: String,
    from: TimeMs,
    to: TimeMs,
    pub(super) totals: DayTotals,
    parts: Vec<BTreeMap<String, Views>>,
    totals_written: DayTotals,
    changed: BTreeSet<usize>,
}

/// Whether a view is the first of its user.
#[derive(Clone, Copy, Debug)]
pub(super) struct First {
    /// Of anything, in this day.
    pub(super) today: bool,
    pub(super) of_product: bool,
}

impl Day {
    /// The sums of a day that goes on, as they are written.
    pub(super) fn of(engine: &Engine, period: &Period) -> Self {
        Self { from: period.from, to: period.to, ..Self::read(engine, &period.name) }
    }

    /// The sums of a day with this name, as they are written.
    pub(super) fn read(engine: &Engine, name: &str) -> Self {
        let (mut totals, mut parts) = (DayTotals::default(), Vec::new());
        for number in 0..PARTS_MAX {
            let name = part_name(name, number);
            let Some(body) = engine.document(VIEW_DAYS, &name) else { break };
            let part = document::read::<DayPart>(&body).map(|kept| kept.content);
            let part = part.unwrap_or_else(|why| {
                tracing::warn!(name, why, "views of a day cannot be read, and begin anew");
                DayPart::default()
            });
            totals = part.totals.unwrap_or(totals);
            parts.push(part.products);
        }
        let (name, totals_written, changed) = (name.to_owned(), totals, BTreeSet::new());
        Self { name, from: 0, to: 0, totals, parts, totals_written, changed }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn from(&self) -> TimeMs {
        self.from
    }

    pub(super) fn has(&self, at: TimeMs) -> bool {
        (self.from..self.to).contains(&at)
    }

    /// Adds a view; `first` is `None` where nobody has said whose it is.
    pub(super) fn count(&mut self, product: &str, first: Option<First>) {
        self.totals.views += 1;
        match first {
            None => self.totals.by_guests += 1,
            Some(first) => self.totals.viewers += u64::from(first.today),
        }
        let Some(number) = self.part_of(product) else {
            self.totals.of_others += 1;
            return;
        };
        let views = self.parts[number].entry(product.to_owned()).or_default();
        views.views += 1;
        views.viewers += u64::from(first.is_some_and(|first| first.of_product));
        self.changed.insert(number);
    }

    /// The part that a product is in, or comes into; `None` where there is no room.
    fn part_of(&mut self, product: &str) -> Option<usize> {
        if let Some(number) = self.parts.iter().position(|part| part.contains_key(product)) {
            return Some(number);
        }
        if self.parts.last().is_none_or(|part| part.len() >= PART_PRODUCTS_MAX) {
            if self.parts.len() >= PARTS_MAX {
                return None;
            }
            self.parts.push(BTreeMap::new());
        }
        Some(self.parts.len() - 1)
    }

    /// What it comes to; `None` where there is nothing.
    pub(super) fn shown(&self) -> Option<DayOfViews> {
        let products = self.parts.iter().flatten().map(|(id, views)| (id.clone(), *views));
        let shown = DayOfViews { totals: self.totals, products: products.collect() };
        (shown != DayOfViews::default()).then_some(shown)
    }

    /// Writes what changed, without waiting for the disk.
    pub(super) fn write(&mut self, engine: &Engine) -> Result<()> {
        if self.totals != self.totals_written {
            if self.parts.is_empty() {
                self.parts.push(BTreeMap::new());
            }
            self.changed.insert(0);
        }
        while let Some(&number) = self.changed.last() {
            let part = DayPart {
                day: self.name.clone(),
                totals: (number == 0).then_some(self.totals),
                products: self.parts[number].clone(),
            };
            write(engine, VIEW_DAYS, &part_name(&self.name, number), part)?;
            self.changed.remove(&number);
        }
        self.totals_written = self.totals;
        Ok(())
    }
}

fn part_name(day: &str, number: usize) -> String {
    format!("{day}.{number}")
}

/// Removes the days that are no longer kept.
pub(super) fn forget_old(engine: &Engine, now: TimeMs, zone: &Zone) -> Result<()> {
    let oldest = Period::day_at(now.saturating_sub(DAYS_KEPT * DAY_MS), zone)?.name;
    for (name, _) in engine.documents(VIEW_DAYS) {
        // Days of four digits' years are in the order of their names.
        if name < oldest {
            drop(engine.put_document(PutDocument::remove(VIEW_DAYS, &name))?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: &str = "2026-11-30";

    fn day(engine: &Engine) -> Day {
        let zone = Zone::default();
        let period = Period::parse(crate::mall::reports::Span::Daily, DAY, &zone);
        Day::of(engine, &period.expect("a day"))
    }

    #[test]
    fn a_day_is_read_as_it_was_written_and_goes_on() {
        let engine = Engine::in_memory().open().expect("an engine");
        let mut today = day(&engine);
        assert_eq!(today.shown(), None);
        let first = |today, of_product| Some(First { today, of_product });
        for (product, first) in [
            ("tea", first(true, true)),
            ("tea", first(false, false)),
            ("cup", first(false, true)),
            ("tea", None),
        ] {
            today.count(product, first);
        }
        today.write(&engine).expect("it is written");
        let mut again = day(&engine);
        assert_eq!(again.shown(), today.shown());
        again.count("tea", first(true, true));
        again.totals.dropped += 3;
        again.write(&engine).expect("it is written");
        let shown = Day::read(&engine, DAY).shown().expect("there is something");
        let totals = DayTotals { views: 5, by_guests: 1, viewers: 2, dropped: 3, of_others: 0 };
        assert_eq!(shown.totals, totals);
        let of = |id: &str| shown.products.get(id).map(|it| (it.views, it.viewers));
        assert_eq!((of("tea"), of("cup"), of("pot")), (Some((4, 2)), Some((1, 1)), None));
    }

    #[test]
    fn products_have_parts_and_an_end_and_only_what_changed_is_written() {
        let engine = Engine::in_memory().open().expect("an engine");
        let mut today = day(&engine);
        let most = PARTS_MAX * PART_PRODUCTS_MAX;
        (0..most + 7).for_each(|n| today.count(&format!("thing{n}"), None));
        today.write(&engine).expect("it is written");
        assert_eq!(engine.documents(VIEW_DAYS).len(), PARTS_MAX);
        let shown = Day::read(&engine, DAY).shown().expect("there is something");
        assert_eq!((shown.products.len(), shown.totals.of_others), (most, 7));
        let seq = engine.durable_seq();
        today.count("thing600", None);
        today.write(&engine).expect("it is written");
        engine.decided().wait().expect("it is durable");
        assert_eq!(engine.durable_seq() - seq, 2, "the totals, and the part it is in");
        today.write(&engine).expect("there is nothing to write");
        assert_eq!(engine.decided().seq(), Some(engine.durable_seq()));
    }

    #[test]
    fn days_of_long_ago_are_forgotten() {
        let engine = Engine::in_memory().open().expect("an engine");
        let mut today = day(&engine);
        today.count("tea", None);
        today.write(&engine).expect("it is written");
        let zone = Zone::default();
        let last = today.to - 1 + DAYS_KEPT * DAY_MS;
        forget_old(&engine, last, &zone).expect("nothing is old");
        assert!(Day::read(&engine, DAY).shown().is_some());
        forget_old(&engine, last + 1, &zone).expect("it is removed");
        assert_eq!(Day::read(&engine, DAY).shown(), None);
    }
}
