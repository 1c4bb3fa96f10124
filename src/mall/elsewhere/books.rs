//! Both books side by side: what orders took and returned here, and what the service says of each.

use std::collections::BTreeMap;

use super::service::{TakeRecord, TakeState};
use crate::base::error::Result;
use crate::history::record::{ReservationRecord, ReservationState};
use crate::mall::facts::OrderDetails;
use crate::mall::model::order_id;
use crate::mall::orders::order_of;

/// What an order has of points that are kept elsewhere, as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ours {
    pub(crate) user_id: String,
    /// What it took, less what it returned; what it costs while it waits.
    pub(crate) points: u64,
    /// It waits: the service has all of its points, or none yet.
    pub(crate) waits: bool,
}

impl Ours {
    /// What the record of an order says, by the key of its take; `None` where it has no points
    /// elsewhere.
    ///
    /// # Errors
    /// `Corrupt` when the order cannot be read.
    pub(crate) fn of(record: &ReservationRecord) -> Result<Option<(String, Self)>> {
        if !OrderDetails::read(&record.details).is_some_and(|details| details.elsewhere) {
            return Ok(None);
        }
        let order = order_of(record, 0)?;
        let points = match record.state {
            ReservationState::Confirmed => {
                order.details.points_cost.saturating_sub(order.returned_points)
            }
            ReservationState::Pending => order.details.points_cost,
            ReservationState::Released | ReservationState::Expired | ReservationState::Returned => {
                0
            }
        };
        let waits = record.state == ReservationState::Pending;
        let ours = Self { user_id: order.details.user, points, waits };
        Ok(Some((order_id(record.reservation), ours)))
    }
}

/// What differs, a line for each.
pub(crate) fn differences(
    ours: &BTreeMap<String, Ours>,
    theirs: &BTreeMap<String, TakeRecord>,
) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, ours) in ours {
        let there = theirs.get(key);
        let held = there.map_or(0, |take| take.taken.saturating_sub(take.returned));
        if held != ours.points && !(ours.waits && held == 0) {
            let waits = if ours.waits { ", and the order waits" } else { "" };
            let (user, here) = (&ours.user_id, ours.points);
            lines.push(format!("{key} of {user}: {here} points here, {held} there{waits}"));
        }
        if let Some(take) = there.filter(|it| it.user_id != ours.user_id && it.taken > 0) {
            lines.push(format!("{key}: of {} here, of {} there", ours.user_id, take.user_id));
        }
    }
    for (key, take) in theirs {
        let held = take.taken.saturating_sub(take.returned);
        if !ours.contains_key(key) && held > 0 {
            lines.push(format!("{key} of {}: unknown here, {held} points there", take.user_id));
        }
        if take.returned > take.taken || (take.state == TakeState::Closed && held > 0) {
            let (taken, returned) = (take.taken, take.returned);
            lines.push(format!("{key}: {taken} points taken and {returned} returned there"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_differs_has_a_line() {
        let ours = |points, waits| Ours { user_id: "ann".into(), points, waits };
        let take = |key: &str, taken, returned| TakeRecord {
            key: key.into(),
            user_id: "ann".into(),
            state: TakeState::Taken,
            taken,
            returned,
            balance: None,
        };
        let here = [
            ("a", ours(9, false)),
            ("b", ours(4, false)),
            ("c", ours(9, false)),
            ("d", ours(8, true)),
            ("e", ours(0, false)),
            ("f", ours(9, true)),
            ("g", ours(9, true)),
        ];
        let here = here.into_iter().map(|(key, it)| (key.to_owned(), it)).collect();
        let bob = TakeRecord { user_id: "bob".into(), ..take("a", 9, 0) };
        let there = [
            bob,
            take("b", 9, 0),
            take("d", 9, 0),
            take("g", 9, 0),
            take("x", 3, 0),
            take("y", 3, 3),
            take("z", 1, 2),
        ];
        let there = there.into_iter().map(|it| (it.key.clone(), it)).collect();
        let want = [
            "a: of ann here, of bob there",
            "b of ann: 4 points here, 9 there",
            "c of ann: 9 points here, 0 there",
            "d of ann: 8 points here, 9 there, and the order waits",
            "x of ann: unknown here, 3 points there",
            "z: 1 points taken and 2 returned there",
        ];
        assert_eq!(differences(&here, &there), want);
        assert!(differences(&BTreeMap::new(), &BTreeMap::new()).is_empty());
    }
}
