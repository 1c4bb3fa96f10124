//! What waiting orders hold: how old they are, the oldest of them, and who holds units of what.
//!
//! Each look goes through all pending reservations, a page at a time, and keeps of them no more than
//! it shows. No lock is held between two pages, so it is not one moment's picture.

use std::collections::{BTreeMap, HashMap};

use super::Mall;
use crate::base::error::Result;
use crate::base::{AccountId, ReservationId, TimeMs};
use crate::ledger::{Level, Pending, made_at_ms};

/// The ages that are told apart, in milliseconds: a minute, five, a quarter of an hour, an hour, a
/// day.
pub(crate) const AGES_MS: [u64; 5] = [60_000, 300_000, 900_000, 3_600_000, 86_400_000];
/// How many products are named.
pub(crate) const PRODUCTS_MAX: usize = 20;

/// How many reservations there are, and how many units they hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) reservations: u64,
    pub(crate) units: u64,
}

impl Tally {
    fn add(&mut self, units: u64) {
        self.reservations += 1;
        self.units = self.units.saturating_add(units);
    }
}

/// What is held.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) total: Tally,
    /// Younger than each of [`AGES_MS`], and older than all of them.
    pub(crate) ages: [Tally; AGES_MS.len() + 1],
    /// The products of which most is held, and how many there are in all.
    pub(crate) products: Vec<(String, Tally)>,
    pub(crate) product_count: usize,
    /// The oldest first.
    pub(crate) oldest: Vec<Waiting>,
    /// What the next page is younger than; `None` at the end.
    pub(crate) next_after: Option<ReservationId>,
    pub(crate) now_ms: TimeMs,
}

/// A reservation that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) reservation: ReservationId,
    /// `None` when it is on nobody's behalf.
    pub(crate) user_id: Option<String>,
    pub(crate) made_at: TimeMs,
    pub(crate) expires_at: TimeMs,
    /// How many units of which product.
    pub(crate) items: Vec<(String, u64)>,
}

/// What one user holds of one product.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) product_id: String,
    pub(crate) user_id: Option<String>,
    pub(crate) tally: Tally,
}

/// Where a list of holders goes on: the numbers of the two accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HolderPlace {
    stock: u32,
    owner: Option<u32>,
}

impl HolderPlace {
    /// A place as it is shown.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (stock, owner) = text.split_once('.')?;
        let owner = if owner == "-" { None } else { Some(owner.parse().ok()?) };
        Some(Self { stock: stock.parse().ok()?, owner })
    }
}

impl std::fmt::Display for HolderPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.owner {
            Some(owner) => write!(f, "{}.{owner}", self.stock),
            None => write!(f, "{}.-", self.stock),
        }
    }
}

/// The smallest entries behind a place, as many as a page shows and one more.
pub(super) struct Page<K, V> {
    after: Option<K>,
    limit: usize,
    entries: BTreeMap<K, V>,
}

impl<K: Ord + Copy, V> Page<K, V> {
    pub(super) fn new(after: Option<K>, limit: usize) -> Self {
        Self { after, limit, entries: BTreeMap::new() }
    }

    /// The entry of `key`, made by `new` when it is to be on the page.
    pub(super) fn entry(&mut self, key: K, new: impl FnOnce() -> V) -> Option<&mut V> {
        if self.after.is_some_and(|after| key <= after) {
            return None;
        }
        if self.entries.len() > self.limit && !self.entries.contains_key(&key) {
            // One that was dropped is behind all that are left, and stays dropped.
            if self.entries.last_key_value().is_none_or(|(last, _)| *last < key) {
                return None;
            }
            self.entries.pop_last();
        }
        Some(self.entries.entry(key).or_insert_with(new))
    }

    /// What is on the page, and where the next goes on.
    pub(super) fn finish(mut self) -> (BTreeMap<K, V>, Option<K>) {
        let is_last = self.entries.len() <= self.limit;
        if !is_last {
            self.entries.pop_last();
        }
        let next = self.entries.last_key_value().filter(|_| !is_last).map(|(key, _)| *key);
        (self.entries, next)
    }
}

/// The products by their stock.
pub(super) type Stocks = HashMap<AccountId, Box<str>>;

impl Mall {
    /// What is held of a product, or of all, and the oldest reservations that are younger than
    /// `after`.
    pub(crate) fn held(
        &self,
        product_id: Option<&str>,
        after: Option<ReservationId>,
        limit: usize,
    ) -> Result<Held> {
        self.check_alive()?;
        let (stocks, now_ms) = (self.stocks(product_id), self.now_ms());
        let mut held = Held { now_ms, ..Held::default() };
        let mut products: HashMap<AccountId, Tally> = HashMap::new();
        let mut page = Page::new(after, limit);
        self.each_pending(&stocks, |pending, lines| {
            let units = lines.iter().fold(0, |sum: u64, (_, units)| sum.saturating_add(*units));
            held.total.add(units);
            held.ages[bucket(now_ms.saturating_sub(made_at_ms(pending.reservation)))].add(units);
            for (stock, units) in lines {
                products.entry(*stock).or_default().add(*units);
            }
            page.entry(pending.reservation, || (pending.clone(), lines.to_vec()));
        });
        let (oldest, next_after) = page.finish();
        let waiting = |(pending, lines): (Pending, Vec<(AccountId, u64)>)| Waiting {
            reservation: pending.reservation,
            user_id: pending.owner.and_then(|owner| self.user_of(owner)),
            made_at: made_at_ms(pending.reservation),
            expires_at: pending.expires_at,
            items: lines.iter().map(|(stock, units)| (name(&stocks, *stock), *units)).collect(),
        };
        held.oldest = oldest.into_values().map(waiting).collect();
        held.next_after = next_after;
        held.product_count = products.len();
        let mut most: Vec<_> = products.into_iter().collect();
        most.sort_unstable_by_key(|(stock, tally)| {
            (std::cmp::Reverse(tally.units), stock.number())
        });
        most.truncate(PRODUCTS_MAX);
        held.products =
            most.into_iter().map(|(stock, tally)| (name(&stocks, stock), tally)).collect();
        Ok(held)
    }

    /// Who holds how much of a product, or of each, behind `after`; and where the next page goes on.
    pub(crate) fn holders(
        &self,
        product_id: Option<&str>,
        after: Option<HolderPlace>,
        limit: usize,
    ) -> Result<(Vec<Holder>, Option<HolderPlace>)> {
        self.check_alive()?;
        let stocks = self.stocks(product_id);
        let mut page: Page<HolderPlace, Tally> = Page::new(after, limit);
        self.each_pending(&stocks, |pending, lines| {
            for (stock, units) in lines {
                let owner = pending.owner.map(AccountId::number);
                let place = HolderPlace { stock: stock.number(), owner };
                if let Some(tally) = page.entry(place, Tally::default) {
                    tally.add(*units);
                }
            }
        });
        let (found, next) = page.finish();
        let holder = |(place, tally): (HolderPlace, Tally)| Holder {
            product_id: name(&stocks, AccountId::from_number(place.stock)),
            user_id: place.owner.and_then(|owner| self.user_of(AccountId::from_number(owner))),
            tally,
        };
        Ok((found.into_iter().map(holder).collect(), next))
    }

    /// The products by their stock: this one, or all. Stock that is elsewhere has its place behind
    /// the product's id.
    pub(super) fn stocks(&self, product_id: Option<&str>) -> Stocks {
        let levels = self.engine().accounts_of_kind("stock").flatten();
        let wanted = levels.filter(|level| product_id.is_none_or(|id| level.key.owner() == id));
        let name = |level: &Level| {
            let key = level.key.as_str();
            key.strip_prefix("stock/").unwrap_or(key).into()
        };
        wanted.map(|level| (level.account, name(&level))).collect()
    }

    /// Each pending reservation that holds some of these stocks, with what it holds of each.
    pub(super) fn each_pending(
        &self,
        stocks: &Stocks,
        mut visit: impl FnMut(&Pending, &[(AccountId, u64)]),
    ) {
        let mut lines = Vec::new();
        for pending in self.engine().pending_pages().flatten() {
            lines.clear();
            let stock = pending.lines.iter().filter(|line| stocks.contains_key(&line.account));
            lines.extend(stock.map(|line| (line.account, line.quantity)));
            if !lines.is_empty() {
                visit(&pending, &lines);
            }
        }
    }

    pub(super) fn user_of(&self, owner: AccountId) -> Option<String> {
        self.engine().key_of(owner).map(|key| key.owner().to_owned())
    }
}

fn name(stocks: &Stocks, stock: AccountId) -> String {
    stocks.get(&stock).map_or_else(String::new, |name| name.to_string())
}

/// The place of an age among those that are told apart.
fn bucket(age_ms: u64) -> usize {
    AGES_MS.partition_point(|bound| *bound <= age_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_in_one_bucket() {
        for (age_ms, place) in
            [(0, 0), (59_999, 0), (60_000, 1), (899_999, 2), (86_399_999, 4), (86_400_000, 5)]
        {
            assert_eq!(bucket(age_ms), place, "{age_ms}");
        }
    }

    /// Entries come in any order and again; a page has the first of them, each with all that is its.
    #[test]
    fn pages_have_every_entry_once_and_whole() {
        let entries = [5, 3, 9, 3, 1, 7, 5, 1, 8, 3];
        let (mut after, mut all) = (None, Vec::new());
        loop {
            let mut page: Page<i32, u32> = Page::new(after, 2);
            for key in entries {
                if let Some(count) = page.entry(key, || 0) {
                    *count += 1;
                }
            }
            let (found, next) = page.finish();
            assert!(found.len() <= 2);
            all.extend(found);
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(all, [(1, 2), (3, 3), (5, 2), (7, 1), (8, 1), (9, 1)]);
    }

    #[test]
    fn a_place_reads_back() {
        for place in
            [HolderPlace { stock: 7, owner: None }, HolderPlace { stock: 7, owner: Some(64) }]
        {
            assert_eq!(HolderPlace::parse(&place.to_string()), Some(place));
        }
        for wrong in ["", "7", "7.", ".7", "a.b", "-1.-"] {
            assert_eq!(HolderPlace::parse(wrong), None, "{wrong}");
        }
    }
}
