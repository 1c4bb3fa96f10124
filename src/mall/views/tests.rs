use std::borrow::Cow;

use super::*;
use crate::base::{AccountId, AccountKey, ReservationId};
use crate::event::{EventLine, Fact, Facts};
use crate::mall::facts::OrderFact;

fn views() -> Views {
    let known = |account: AccountId| match account.number() {
        1 => AccountKey::stock("tea").ok(),
        2 => AccountKey::points("ann").ok(),
        3 => AccountKey::quota("ann", "tea").ok(),
        4 => AccountKey::stock_at("tea", "north").ok(),
        5 => AccountKey::points_until("ann", 86_400_000).ok(),
        6 => AccountKey::custom("points-not-earned", &["ann"]).ok(),
        7 => AccountKey::custom("points-moved", &["ann"]).ok(),
        8 => AccountKey::custom("points-else", &["ann"]).ok(),
        _ => None,
    };
    Views::new(Box::new(known))
}

fn line(account: u32, quantity: u64, available: i64) -> EventLine {
    EventLine { account, quantity, consumed: quantity, available }
}

fn event(fact: Fact<'static>) -> Event<'static> {
    Event { at: 1_000, request: None, fact }
}

fn reservation() -> ReservationId {
    ReservationId::from_number(64)
}

#[test]
fn an_exchange_is_an_order_and_two_movements_and_no_limit_is_shown() {
    let lines = [line(2, 10, 90), line(3, 1, 0), line(1, 2, 8)];
    let event = event(Fact::Reserved {
        reservation: reservation(),
        owner: None,
        expires_at: 9_000,
        confirmed: true,
        lines: lines.as_slice().into(),
        details: Cow::Borrowed(&[]),
    });
    let changes = views().changes(&event).expect("a true event");
    let [Change::Order(order), Change::Points(points), Change::Stock(stock)] = &changes[..] else {
        panic!("{changes:?}")
    };
    let OrderStep::Made { subject, confirmed: true, details: None, .. } = &order.step else {
        panic!("{order:?}")
    };
    let Subject { user, product, quantity, points_cost } = subject;
    assert_eq!((&**user, &**product, *quantity, *points_cost), ("ann", "tea", 2, 10));
    assert_eq!(order.standing().map(|(user, by)| (&**user, by)), Some(("ann", 1)));
    assert_eq!((&*points.owner, points.change.delta), ("ann", -10));
    assert_eq!((&*stock.owner, stock.change.consumed), ("tea", 2));
}

/// Would catch units elsewhere that are told as what can be bought, or as another product.
#[test]
fn units_at_a_location_are_told_apart_from_those_for_sale() {
    let moved = event(Fact::Transferred {
        from: AccountId::from_number(1),
        to: AccountId::from_number(4),
        quantity: 3,
        from_available: 7,
        to_available: 3,
        note: Cow::Borrowed("x"),
    });
    let changes = views().changes(&moved).expect("a true event");
    let told: Vec<_> = changes
        .iter()
        .map(|change| match change {
            Change::Stock(it) => (&*it.owner, it.location.as_deref(), it.change.delta),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, [("tea", None, -3), ("tea", Some("north"), 3)]);
}

#[test]
fn an_order_of_points_with_several_ends_costs_all_of_them() {
    let lines = [line(5, 6, 0), line(2, 4, 90), line(1, 2, 8)];
    let subject = views().subject(&lines).expect("a true event").expect("an order");
    assert_eq!((&*subject.user, subject.points_cost, subject.quantity), ("ann", 10, 2));
}

#[test]
fn a_note_of_the_malls_is_a_step_of_its_order_and_no_other_is() {
    let fact = OrderFact::Remarked { operator: "ops".into(), text: "fragile".into() };
    for (body, is_step) in [(fact.encode(), true), (b"anything".to_vec(), false)] {
        let event = event(Fact::Noted { reservation: reservation(), body: body.into() });
        let changes = views().changes(&event).expect("a true event");
        assert_eq!(changes.len(), usize::from(is_step), "{changes:?}");
    }
}

#[test]
fn only_the_malls_documents_are_entries_and_what_cannot_be_read_says_why() {
    for (collection, body, is_entry, is_read) in [
        ("category", Some("{\"id\":\"c\",\"name\":\"C\",\"level\":1,\"active\":true}"), true, true),
        ("category", Some("["), true, false),
        ("product", None, true, true),
        ("product", Some("{\"id\":1}"), true, false),
        ("alert", None, true, true),
        ("alert", Some("{}"), true, false),
        ("preference", Some("{\"userId\":\"ann\"}"), true, true),
        ("preference", Some("{}"), true, false),
        ("browsed", Some("{\"userId\":\"ann\",\"products\":[]}"), true, true),
        ("browsed", Some("{}"), true, false),
        ("level", Some("{\"id\":\"levels\",\"levels\":[]}"), true, true),
        ("level", Some("{}"), true, false),
        ("elsewhere", Some("x"), false, false),
    ] {
        let event = event(Fact::Document {
            collection: collection.into(),
            key: "c".into(),
            body: body.map(|body| Cow::Borrowed(body.as_bytes())),
        });
        let changes = views().changes(&event).expect("a true event");
        let read = changes.first().map(|change| match change {
            Change::Category(entry) => entry.to.is_ok(),
            Change::Product(entry) => entry.to.is_ok(),
            Change::Alert(entry) => entry.to.is_ok(),
            Change::Levels(entry) => entry.to.is_ok(),
            Change::Preferences(entry) => entry.to.is_ok(),
            Change::Browsed(entry) => entry.to.is_ok(),
            Change::Order(_)
            | Change::Stock(_)
            | Change::Points(_)
            | Change::Line(_)
            | Change::Earned { .. } => {
                panic!("{change:?}")
            }
        });
        assert_eq!(read, is_entry.then_some(is_read), "{collection} {body:?}");
    }
}

/// Would catch a refund, a correction or a move between lots that counts as earned.
#[test]
fn what_comes_in_is_earned_but_for_what_is_counted_beside_it() {
    let id = AccountId::from_number;
    let received = |account, quantity| Fact::Received {
        account: id(account),
        quantity,
        available: quantity.cast_signed(),
        note: Cow::Borrowed(""),
    };
    let adjusted = |delta| Fact::Adjusted { account: id(2), delta, available: 9, note: "".into() };
    let moved = || Fact::Transferred {
        from: id(5),
        to: id(2),
        quantity: 6,
        from_available: 0,
        to_available: 6,
        note: Cow::Borrowed(""),
    };
    let together = |facts: Vec<Fact<'static>>| {
        Fact::Atomic(Facts::new(facts).expect("they may happen together"))
    };
    for (fact, earned) in [
        (received(2, 100), Some(100)),
        (received(5, 7), Some(7)),
        (received(1, 3), None),
        (received(8, 3), None),
        (adjusted(4), Some(4)),
        (adjusted(-4), None),
        (together(vec![received(2, 5), received(6, 5)]), None),
        (together(vec![adjusted(-5), received(6, 5)]), Some(-5)),
        (together(vec![moved(), received(7, 6)]), None),
        (together(vec![received(2, 5), received(5, 1)]), Some(6)),
    ] {
        let told = format!("{fact:?}");
        let event = event(fact);
        let changes = views().changes(&event).expect("a true event");
        let found: Vec<_> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Earned { user, by } => Some((&**user, *by)),
                _ => None,
            })
            .collect();
        assert_eq!(found, earned.map(|by| ("ann", by)).into_iter().collect::<Vec<_>>(), "{told}");
    }
}

#[test]
fn who_joins_a_line_gets_something_or_leaves_is_told_by_name() {
    let (tea, ann) = (AccountId::from_number(1), AccountId::from_number(2));
    let joined = Fact::Queued { account: tea, place: 7, owner: ann, body: Cow::Borrowed(b"x") };
    let gone = |reservation, note: &'static str| Fact::Dequeued {
        account: tea,
        place: 7,
        owner: ann,
        reservation,
        note: note.into(),
    };
    for (fact, step) in [
        (joined, InLine::Joined),
        (gone(Some(reservation()), ""), InLine::Granted(reservation())),
        (gone(None, "lackedPoints"), InLine::Left(Some(Parting::LackedPoints))),
        (gone(None, "had enough"), InLine::Left(None)),
    ] {
        let event = event(fact);
        let changes = views().changes(&event).expect("a true event");
        let [Change::Line(line)] = &changes[..] else { panic!("{changes:?}") };
        let should = LineChange { product: "tea".into(), user: "ann".into(), place: 7, step };
        assert_eq!(*line, should);
    }
}
