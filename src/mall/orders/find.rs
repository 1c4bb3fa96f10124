//! Orders by what they are about: a look at those that history has, newest first, bounded.

use super::{Orders, is_order, status_of};
use crate::base::error::Result;
use crate::base::{ReservationId, TimeMs};
use crate::history::record::{ReservationRecord, ReservationState};
use crate::ledger::{first_made_at, made_at_ms};
use crate::mall::facts::{OrderDetails, OrderFact};
use crate::mall::model::{ORDER_NO_DIGITS, ORDER_NO_PREFIX, OrderStatus, parse_order_id};
use crate::mall::{Mall, User};

/// How many orders are read at once.
const PIECE: usize = 32;
/// How many are looked at for one page: whoever wants more asks for the next.
const LOOKED_AT_MAX: usize = 4096;
/// By how much the clock may have been set back under an order that is looked for by its time.
const SET_BACK_MS: u64 = 86_400_000;

/// Which orders to find.
#[derive(Debug, Default)]
pub(crate) struct OrderFilter {
    /// `None` is anybody.
    pub(crate) user: Option<User>,
    /// Standing in one of these; none is in any.
    pub(crate) statuses: Vec<OrderStatus>,
    pub(crate) product: Option<String>,
    /// Made in this time, both included.
    pub(crate) from: Option<TimeMs>,
    pub(crate) to: Option<TimeMs>,
    /// With these numbers, both included.
    pub(crate) numbers: Option<(ReservationId, ReservationId)>,
    /// Without those that only their refusal made: an exchange that lacked points at the service that
    /// keeps them had reserved its units, and is no order to whoever was refused.
    pub(crate) without_refused: bool,
}

/// The orders whose id, or number, is this, or whose number begins so.
pub(crate) fn numbered(text: &str) -> Option<(ReservationId, ReservationId)> {
    if let Some(order) = parse_order_id(text) {
        return Some((order, order));
    }
    let digits = text.strip_prefix(ORDER_NO_PREFIX).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
    let open = ORDER_NO_DIGITS.checked_sub(digits.len()).filter(|_| is_number)?;
    let first: u128 = digits.parse().ok()?;
    let step = 10_u128.pow(u32::try_from(open).ok()?);
    let (first, last) = (first * step, (first + 1) * step - 1);
    let id = |number: u128| ReservationId::from_number(u64::try_from(number).unwrap_or(u64::MAX));
    (first <= u128::from(u64::MAX)).then(|| (id(first), id(last)))
}

impl OrderFilter {
    /// Where to begin: nothing that is wanted is newer than what is older than this.
    fn begin(&self, before: Option<ReservationId>) -> Option<ReservationId> {
        let after = |id: ReservationId| ReservationId::from_number(id.number().saturating_add(1));
        let by_number = self.numbers.map(|(_, last)| after(last));
        let by_time =
            self.to.map(|to| first_made_at(to.saturating_add(SET_BACK_MS).saturating_add(1)));
        [before, by_number, by_time].into_iter().flatten().min()
    }

    /// Whether nothing that is as old as this, or older, is wanted.
    fn is_past(&self, reservation: ReservationId) -> bool {
        self.numbers.is_some_and(|(first, _)| reservation < first)
            || self.from.is_some_and(|from| made_at_ms(reservation) < from)
    }

    fn wants(&self, record: &ReservationRecord, now_ms: TimeMs) -> bool {
        self.from.is_none_or(|from| record.created_at >= from)
            && self.to.is_none_or(|to| record.created_at <= to)
            && is_order(record)
            && (self.statuses.is_empty() || self.statuses.contains(&status_of(record, now_ms)))
            && self.product.as_ref().is_none_or(|product| is_of(record, product))
            && !(self.without_refused && was_refused(record))
    }
}

fn was_refused(record: &ReservationRecord) -> bool {
    let has_ended = match record.state {
        ReservationState::Released | ReservationState::Expired => true,
        ReservationState::Pending | ReservationState::Confirmed | ReservationState::Returned => {
            false
        }
    };
    let facts = record.notes.iter().filter_map(|note| OrderFact::read(&note.body));
    let is_refusal =
        |fact: OrderFact| matches!(fact, OrderFact::PointsLacked { was_known: false, .. });
    has_ended && facts.into_iter().any(is_refusal)
}

fn is_of(record: &ReservationRecord, product: &str) -> bool {
    OrderDetails::read(&record.details).is_some_and(|details| {
        details.product.id == product || details.items.iter().any(|it| it.product.id == product)
    })
}

impl Mall {
    /// The orders that `filter` finds, newest first, older than `before`: at most `limit`, and as
    /// many as `has_room` allows after each. Blocks on the disk.
    ///
    /// # Errors
    /// What history reports.
    pub(crate) fn find_orders(
        &self,
        filter: &OrderFilter,
        before: Option<ReservationId>,
        limit: usize,
        mut has_room: impl FnMut(&ReservationRecord) -> bool,
    ) -> Result<Orders> {
        let now_ms = self.now_ms();
        let mut found = Orders { records: Vec::new(), next_before: None, now_ms };
        let (mut at, mut looked_at) = (filter.begin(before), 0);
        loop {
            let piece = self.piece(filter, at)?;
            let is_last = piece.len() < PIECE;
            for record in piece {
                let reservation = record.reservation;
                if filter.is_past(reservation) {
                    return Ok(found);
                }
                looked_at += 1;
                at = Some(reservation);
                if !filter.wants(&record, now_ms) {
                    continue;
                }
                // One more than asked for tells that there is a next page.
                if found.records.len() == limit || !has_room(&record) {
                    found.next_before = found.records.last().map(|last| last.reservation);
                    return Ok(found);
                }
                found.records.push(record);
            }
            if is_last {
                return Ok(found);
            }
            if looked_at >= LOOKED_AT_MAX {
                found.next_before = at;
                return Ok(found);
            }
        }
    }

    /// The next orders to look at.
    fn piece(
        &self,
        filter: &OrderFilter,
        before: Option<ReservationId>,
    ) -> Result<Vec<ReservationRecord>> {
        let history = self.engine().history();
        match &filter.user {
            None => history.reservations(before, PIECE),
            Some(user) => match user.points(self.engine()) {
                None => Ok(Vec::new()),
                Some(owner) => history.reservations_of(owner, before, PIECE),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mall::{order_id, order_no};

    #[test]
    fn a_number_is_found_by_how_it_begins() {
        let id = ReservationId::from_number(470_678_485_269_741_569);
        assert_eq!(order_no(id), "EX00470678485269741569");
        for text in [&order_id(id), &order_no(id), "00470678485269741569"] {
            assert_eq!(numbered(text), Some((id, id)), "{text}");
        }
        for text in ["EX004706784852697415", "0047"] {
            let (first, last) = numbered(text).expect(text);
            assert!(first < id && id < last, "{text}");
        }
        let (_, last) = numbered("EX18").expect("it begins as the largest does");
        assert_eq!(last, ReservationId::from_number(u64::MAX));
        for wrong in ["", "EX", "x", "EX99", "EX004706784852697415690", "+4", "EX-1", "ord_12"] {
            assert_eq!(numbered(wrong), None, "{wrong}");
        }
    }
}
