use std::borrow::Cow;

use super::*;
use crate::base::{AccountId, AccountKey};
use crate::event::{Event, EventLine, Fact, Part, PartLine};
use crate::ledger::first_made_at;
use crate::mall::facts::{Details, Snapshot};
use crate::mall::model::FREE_ORDERS;
use crate::mall::reports::{Span, Zone};
use crate::mall::views::Views;

const DAY_MS: u64 = 86_400_000;
/// The midnight before the 1st of January 2026.
const DAY_1: u64 = 20_454 * DAY_MS;

fn views() -> Views {
    Views::new(Box::new(|account: AccountId| match account.number() {
        1 => AccountKey::stock("tea").ok(),
        2 => AccountKey::points("ann").ok(),
        3 => AccountKey::custom("till", &["x"]).ok(),
        4 => AccountKey::quota("ann", FREE_ORDERS).ok(),
        _ => None,
    }))
}

/// Every order is one of teas, each for five points and 3.00 elsewhere.
struct Teas {
    elsewhere: bool,
}

impl Past for Teas {
    fn details(&self, _: ReservationId) -> Result<Option<OrderDetails>> {
        Ok(OrderDetails::read(&details(self.elsewhere)))
    }

    fn exchanged_before(&self, _: &str, _: TimeMs) -> Result<bool> {
        Ok(false)
    }
}

fn details(elsewhere: bool) -> Vec<u8> {
    let product = Snapshot {
        id: "tea",
        name: "Tea",
        category_id: "food",
        points_price: 5,
        image: None,
        original_price_cents: Some(300),
    };
    let (delivery_info, service) = (None, None);
    let (quantity, points_cost) = (2, 10);
    let user = "ann";
    let details =
        Details { user, quantity, points_cost, product, delivery_info, service, elsewhere };
    details.encode(&[]).expect("they can be written")
}

fn line(account: u32, quantity: u64, available: i64) -> EventLine {
    EventLine { account, quantity, consumed: quantity, available }
}

fn order() -> ReservationId {
    first_made_at(DAY_1 + 5)
}

/// Two teas for ten points.
fn sold() -> Fact<'static> {
    sold_for([line(2, 10, 90), line(1, 2, 8)], false)
}

fn sold_for(lines: [EventLine; 2], elsewhere: bool) -> Fact<'static> {
    Fact::Reserved {
        reservation: order(),
        owner: None,
        expires_at: DAY_1 + 9,
        confirmed: true,
        lines: lines.as_slice().into(),
        details: details(elsewhere).into(),
    }
}

/// One of them, with half of the points.
fn returned() -> Fact<'static> {
    returned_of([line(2, 5, 95), line(1, 1, 9)], [(2, 10, 5), (1, 2, 1)])
}

fn returned_of(lines: [EventLine; 2], parts: [(u32, u64, u64); 2]) -> Fact<'static> {
    let of = |account, consumed, returned| PartLine {
        account: AccountId::from_number(account),
        consumed,
        returned,
    };
    let lines_of_part = parts.map(|(account, consumed, returned)| of(account, consumed, returned));
    let part = Part { lines: lines_of_part.into(), written_off: Vec::new() };
    Fact::Returned {
        reservation: order(),
        lines: lines.as_slice().into(),
        note: Cow::Borrowed(""),
        consumed_at: None,
        expires_at: 0,
        part: Some(Box::new(part)),
    }
}

/// What `date` counts of these events: exchanges, refunds, net points, net revenue.
fn counted(date: &str, events: &[(TimeMs, Fact<'static>)]) -> (u64, u64, i64, i64) {
    counted_by(&Teas { elsewhere: false }, date, events)
}

fn counted_by(past: &Teas, date: &str, events: &[(TimeMs, Fact<'static>)]) -> (u64, u64, i64, i64) {
    let period = Period::parse(Span::Daily, date, &Zone::default()).expect("a day");
    let (mut tally, mut views) = (Tally::new(&period), views());
    for (at, fact) in events {
        let event = Event { at: *at, request: None, fact: fact.clone() };
        let changes = views.changes(&event).expect("a true event");
        tally.add(*at, changes, past).expect("few users");
    }
    let points = tally.points.consumed as i64 - tally.points.returned as i64;
    (tally.orders.exchanged, tally.orders.refunds, points, tally.revenue().net_cents)
}

#[test]
fn a_refund_is_counted_on_its_day_and_a_mistake_in_that_is_seen() {
    let events = [(DAY_1 + 5, sold()), (DAY_1 + DAY_MS, returned())];
    let days = || ["2026-01-01", "2026-01-02"].map(|date| counted(date, &events));
    let right = [(1, 0, 10, 600), (0, 1, -5, -300)];
    assert_eq!(days(), right);
    let wrong = flaw::with(Flaw::RefundsEarly, days);
    assert_eq!(wrong, [(1, 1, 5, 300), (0, 0, 0, 0)], "it is a mistake that changes the figures");
}

/// Would catch a report that leaves out what was paid to another service: no line has those points.
#[test]
fn points_that_are_kept_elsewhere_are_counted_as_others_are() {
    let free = |available| line(4, 1, available);
    let events = [
        (DAY_1 + 5, sold_for([free(0), line(1, 2, 8)], true)),
        (DAY_1 + DAY_MS, returned_of([line(4, 0, 0), line(1, 1, 9)], [(4, 1, 0), (1, 2, 1)])),
    ];
    let past = Teas { elsewhere: true };
    let days = ["2026-01-01", "2026-01-02"].map(|date| counted_by(&past, date, &events));
    assert_eq!(days, [(1, 0, 10, 600), (0, 1, -5, -300)]);
}

/// Would catch sales of an embedder's own that are told as exchanges of the mall.
#[test]
fn what_is_no_order_is_no_figure() {
    let lines = [line(3, 10, 90), line(1, 2, 8)];
    let other = Fact::Reserved {
        reservation: order(),
        owner: None,
        expires_at: DAY_1 + 9,
        confirmed: true,
        lines: lines.as_slice().into(),
        details: Cow::Borrowed(&[]),
    };
    assert_eq!(counted("2026-01-01", &[(DAY_1, other)]), (0, 0, 0, 0));
}

#[test]
fn the_first_and_the_last_moment_are_of_the_day() {
    for (at, count) in [(DAY_1 - 1, 0), (DAY_1, 1), (DAY_1 + DAY_MS - 1, 1), (DAY_1 + DAY_MS, 0)] {
        assert_eq!(counted("2026-01-01", &[(at, sold())]).0, count, "{at}");
    }
}
