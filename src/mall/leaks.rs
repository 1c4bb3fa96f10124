//! Looking for leaks: units that are held and should not be, and orders that hold nothing.
//!
//! A look reads pages of the ledger and of history while the shop sells. So whatever is found is
//! looked at a second time ([`Mall::still_leaking`]) once history shows everything of the first.

use std::collections::{HashMap, HashSet};

use super::Mall;
use super::held::{Page, Stocks};
use super::orders::is_order;
use crate::base::error::Result;
use crate::base::{AccountId, ReservationId, TimeMs};
use crate::history::record::ReservationState;
use crate::ledger::{Level, Pending};

/// How long after its deadline a reservation may be pending. What lapses goes back within some
/// milliseconds; very much that lapses together, within seconds.
pub(crate) const LAPSE_LAG_MS: u64 = 10_000;
/// How many waiting reservations one look compares with history, the oldest first.
pub(crate) const RESERVATIONS_MAX: usize = 1_024;
/// How many orders one look compares with the ledger, the newest first.
pub(crate) const ORDERS_MAX: usize = 4_096;
/// How many orders are read at once.
const PIECE: usize = 64;
/// How many findings of a kind are told; the rest are counted.
const TOLD_MAX: usize = 100;
/// How often an account is seen alike before it is believed: others change it meanwhile.
const SEEN_ALIKE: usize = 3;
/// How often accounts are looked at that keep changing.
const LOOKS_MAX: usize = 8;

/// Findings of one kind: all are counted, the first are told.
#[derive(Debug)]
pub(crate) struct Found<T> {
    pub(crate) count: usize,
    pub(crate) told: Vec<T>,
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self { count: 0, told: Vec::new() }
    }
}

impl<T> Found<T> {
    fn add(&mut self, finding: T) {
        self.count += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(finding);
        }
    }

    /// Those that are so still; those that are not told are believed.
    fn still(mut self, is_so: impl Fn(&T) -> Result<bool>) -> Result<Self> {
        let told = std::mem::take(&mut self.told);
        self.count -= told.len();
        for finding in told {
            if is_so(&finding)? {
                self.add(finding);
            }
        }
        Ok(self)
    }
}

/// What a look has found.
#[derive(Debug, Default)]
pub(crate) struct Leaks {
    /// Past their deadline by more than [`LAPSE_LAG_MS`].
    pub(crate) overdue: Found<Overdue>,
    /// Stock of which another number is reserved than reservations hold.
    pub(crate) unexplained: Found<Unexplained>,
    /// Reservations that hold stock, and no order that waits explains them.
    pub(crate) unordered: Found<Unordered>,
    /// Orders that wait, and have no reservation.
    pub(crate) lost: Found<ReservationId>,
    pub(crate) looked_at: LookedAt,
    pub(crate) now_ms: TimeMs,
}

/// How much a look was of.
#[derive(Debug, Default)]
pub(crate) struct LookedAt {
    /// All that hold stock.
    pub(crate) reservations: usize,
    pub(crate) stocks: usize,
    /// Stocks that changed all the while: nothing can be said of them.
    pub(crate) unsettled: usize,
    pub(crate) orders: usize,
    /// Where the next look at reservations and at orders goes on; `None` when it was all.
    pub(crate) next_after: Option<ReservationId>,
    pub(crate) next_before: Option<ReservationId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overdue {
    pub(crate) reservation: ReservationId,
    pub(crate) expires_at: TimeMs,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unexplained {
    pub(crate) product_id: String,
    /// What the stock's own books say.
    pub(crate) reserved: u64,
    /// What pending reservations hold.
    pub(crate) held: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unordered {
    pub(crate) reservation: ReservationId,
    pub(crate) why: NoOrder,
}

/// Why no order explains a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoOrder {
    /// History knows nothing of it.
    Unknown,
    /// The mall did not make it.
    Foreign,
    /// Its order has ended.
    Ended,
}

impl NoOrder {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Foreign => "foreign",
            Self::Ended => "ended",
        }
    }
}

/// How one stock stood in a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stand {
    available: i64,
    reserved: u64,
    consumed: u64,
    received: u64,
    written_off: u64,
}

impl Stand {
    fn of(level: &Level) -> Self {
        let Level { available, reserved, consumed, received, written_off, .. } = *level;
        Self { available, reserved, consumed, received, written_off }
    }
}

impl Mall {
    /// Looks for leaks: among all reservations and stocks, and among the orders that
    /// [`RESERVATIONS_MAX`] and [`ORDERS_MAX`] bound, which are younger than `after` and older than
    /// `before`. Blocks on the disk.
    ///
    /// # Errors
    /// What history reports.
    pub(crate) fn look_for_leaks(
        &self,
        after: Option<ReservationId>,
        before: Option<ReservationId>,
    ) -> Result<Leaks> {
        let (stocks, now_ms) = (self.stocks(None), self.now_ms());
        let mut leaks = Leaks { now_ms, ..Leaks::default() };
        leaks.looked_at.stocks = stocks.len();
        let oldest = self.look_at_reservations(&stocks, after, &mut leaks);
        for reservation in oldest {
            if let Some(why) = self.unordered(reservation)? {
                leaks.unordered.add(Unordered { reservation, why });
            }
        }
        self.look_at_orders(before, &mut leaks)?;
        self.look_at_stocks(&stocks, &mut leaks);
        Ok(leaks)
    }

    /// Of what was found, what is still so. Called once history shows what it did not then.
    ///
    /// # Errors
    /// What history reports.
    pub(crate) fn still_leaking(&self, leaks: Leaks) -> Result<Leaks> {
        let Leaks { overdue, unordered, lost, .. } = leaks;
        let is_pending = |it: &Overdue| Ok(self.engine().pending(it.reservation).is_some());
        let overdue = overdue.still(is_pending)?;
        let unordered = unordered.still(|it| Ok(self.unordered(it.reservation)?.is_some()))?;
        let lost = lost.still(|it| self.is_lost(*it))?;
        Ok(Leaks { overdue, unordered, lost, ..leaks })
    }

    /// Finds what is overdue; returns the oldest of those that hold stock.
    fn look_at_reservations(
        &self,
        stocks: &Stocks,
        after: Option<ReservationId>,
        leaks: &mut Leaks,
    ) -> Vec<ReservationId> {
        let mut page = Page::new(after, RESERVATIONS_MAX);
        self.each_pending(stocks, |pending, _| {
            leaks.looked_at.reservations += 1;
            let Pending { reservation, expires_at, .. } = *pending;
            if expires_at.saturating_add(LAPSE_LAG_MS) <= leaks.now_ms {
                leaks.overdue.add(Overdue { reservation, expires_at });
            }
            page.entry(reservation, || ());
        });
        let (oldest, next_after) = page.finish();
        leaks.looked_at.next_after = next_after;
        oldest.into_keys().collect()
    }

    /// Why no order explains a reservation, when it is pending and none does.
    fn unordered(&self, reservation: ReservationId) -> Result<Option<NoOrder>> {
        let history = self.engine().history();
        let why = match history.reservation(reservation)? {
            Some(record) if !is_order(&record) => NoOrder::Foreign,
            Some(record) if record.state == ReservationState::Pending => return Ok(None),
            Some(_) => NoOrder::Ended,
            // History may have been lost, and begin later than the reservation.
            None if history.first_seq()? > 1 => return Ok(None),
            None => NoOrder::Unknown,
        };
        Ok(self.engine().pending(reservation).map(|_| why))
    }

    fn look_at_orders(&self, before: Option<ReservationId>, leaks: &mut Leaks) -> Result<()> {
        let mut at = before;
        while leaks.looked_at.orders < ORDERS_MAX {
            let piece = self.engine().history().reservations(at, PIECE)?;
            leaks.looked_at.orders += piece.len();
            at = piece.last().map(|last| last.reservation);
            for record in &piece {
                let waits = record.state == ReservationState::Pending && is_order(record);
                if waits && self.engine().pending(record.reservation).is_none() {
                    leaks.lost.add(record.reservation);
                }
            }
            if piece.len() < PIECE {
                return Ok(());
            }
        }
        leaks.looked_at.next_before = at;
        Ok(())
    }

    /// Whether an order waits that has no reservation.
    fn is_lost(&self, order: ReservationId) -> Result<bool> {
        let record = self.engine().history().reservation(order)?;
        let waits = record.is_some_and(|record| record.state == ReservationState::Pending);
        Ok(waits && self.engine().pending(order).is_none())
    }

    /// Compares what is reserved of each stock with what reservations hold of it. Both are read while
    /// others change them: so a stock is looked at until it rested during a look and all was right,
    /// or the same was wrong several times.
    fn look_at_stocks(&self, stocks: &Stocks, leaks: &mut Leaks) {
        let mut open: HashSet<AccountId> = stocks.keys().copied().collect();
        let mut seen: HashMap<AccountId, (Stand, u64, usize)> = HashMap::new();
        for _ in 0..LOOKS_MAX {
            if open.is_empty() {
                break;
            }
            let before = self.stands(&open);
            let mut held: HashMap<AccountId, u64> = HashMap::new();
            self.each_pending(stocks, |_, lines| {
                for (stock, units) in lines.iter().filter(|(stock, _)| open.contains(stock)) {
                    let sum = held.entry(*stock).or_default();
                    *sum = sum.saturating_add(*units);
                }
            });
            let after = self.stands(&open);
            open.retain(|stock| {
                let held = held.get(stock).copied().unwrap_or(0);
                match (before.get(stock), after.get(stock)) {
                    (Some(before), Some(after)) if before == after => {
                        settle(&mut seen, *stock, *before, held)
                    }
                    // It is closed at this moment.
                    (_, None) | (None, _) => false,
                    (Some(_), Some(_)) => true,
                }
            });
        }
        leaks.looked_at.unsettled = open.len();
        for (stock, (stand, held, times)) in seen {
            if times >= SEEN_ALIKE {
                let product_id = stocks.get(&stock).map_or_else(String::new, |id| id.to_string());
                leaks.unexplained.add(Unexplained { product_id, reserved: stand.reserved, held });
            }
        }
    }

    fn stands(&self, stocks: &HashSet<AccountId>) -> HashMap<AccountId, Stand> {
        let level =
            |stock: &AccountId| Some((*stock, Stand::of(&self.engine().level(*stock).ok()?)));
        stocks.iter().filter_map(level).collect()
    }
}

/// Takes a stock that rested for what it is; whether it has to be looked at again.
fn settle(
    seen: &mut HashMap<AccountId, (Stand, u64, usize)>,
    stock: AccountId,
    stand: Stand,
    held: u64,
) -> bool {
    if stand.reserved == held {
        seen.remove(&stock);
        return false;
    }
    let times = match seen.get(&stock) {
        Some((before, was, times)) if (*before, *was) == (stand, held) => times + 1,
        Some(_) | None => 1,
    };
    seen.insert(stock, (stand, held, times));
    times < SEEN_ALIKE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stock_is_believed_when_all_is_right_or_the_same_is_wrong_again_and_again() {
        let stock = AccountId::from_number(7);
        let stand = |reserved| Stand {
            available: 1,
            reserved,
            consumed: 0,
            received: 1 + reserved,
            written_off: 0,
        };
        let mut seen = HashMap::new();
        assert!(!settle(&mut seen, stock, stand(3), 3), "all is right");
        let looks = [(3, 2, true), (3, 2, true), (4, 3, true), (4, 3, true), (4, 3, false)];
        for (reserved, held, again) in looks {
            assert_eq!(settle(&mut seen, stock, stand(reserved), held), again, "{reserved}");
        }
        assert_eq!(seen[&stock].2, SEEN_ALIKE);
        // It was only read while it changed.
        assert!(!settle(&mut seen, stock, stand(2), 2));
        assert!(seen.is_empty());
    }
}
