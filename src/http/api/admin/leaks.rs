//! Whether anything is held that should not be.

use serde::Serialize;

use super::held::order;
use crate::base::TimeMs;
use crate::http::call::OperatorCall;
use crate::http::query;
use crate::http::reply::Answer;
use crate::mall::{Found, Leaks, Overdue, Unexplained, Unordered, order_id};

/// Findings of one kind: all are counted, the first are told.
#[derive(Serialize)]
struct FoundWire<T> {
    count: usize,
    first: Vec<T>,
}

impl<T> FoundWire<T> {
    fn of<'f, F>(found: &'f Found<F>, wire: impl Fn(&'f F) -> T) -> Self {
        Self { count: found.count, first: found.told.iter().map(wire).collect() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OverdueWire {
    order_id: String,
    expires_at: TimeMs,
    overdue_ms: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UnexplainedWire<'a> {
    product_id: &'a str,
    reserved: u64,
    held_by_reservations: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UnorderedWire {
    order_id: String,
    why: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LostWire {
    order_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HealthWire<'a> {
    /// Nothing was found in what was looked at.
    healthy: bool,
    overdue_reservations: FoundWire<OverdueWire>,
    unexplained_units: FoundWire<UnexplainedWire<'a>>,
    reservations_without_order: FoundWire<UnorderedWire>,
    orders_without_reservation: FoundWire<LostWire>,
    looked_at: LookedAtWire,
    /// Where to go on with reservations and with orders; null when it was all of them.
    next_after: Option<String>,
    next_before: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LookedAtWire {
    reservations: usize,
    stocks: usize,
    /// Stocks that changed all the while.
    unsettled_stocks: usize,
    orders: usize,
}

impl<'a> HealthWire<'a> {
    fn of(leaks: &'a Leaks) -> Self {
        let Leaks { overdue, unexplained, unordered, lost, looked_at, now_ms } = leaks;
        let is_empty = overdue.count + unexplained.count + unordered.count + lost.count == 0;
        let overdue_wire = |it: &Overdue| OverdueWire {
            order_id: order_id(it.reservation),
            expires_at: it.expires_at,
            overdue_ms: now_ms.saturating_sub(it.expires_at),
        };
        let unexplained_wire = |it: &'a Unexplained| UnexplainedWire {
            product_id: &it.product_id,
            reserved: it.reserved,
            held_by_reservations: it.held,
        };
        let unordered_wire = |it: &Unordered| UnorderedWire {
            order_id: order_id(it.reservation),
            why: it.why.name(),
        };
        Self {
            healthy: is_empty,
            overdue_reservations: FoundWire::of(overdue, overdue_wire),
            unexplained_units: FoundWire::of(unexplained, unexplained_wire),
            reservations_without_order: FoundWire::of(unordered, unordered_wire),
            orders_without_reservation: FoundWire::of(lost, |it| LostWire {
                order_id: order_id(*it),
            }),
            looked_at: LookedAtWire {
                reservations: looked_at.reservations,
                stocks: looked_at.stocks,
                unsettled_stocks: looked_at.unsettled,
                orders: looked_at.orders,
            },
            next_after: looked_at.next_after.map(order_id),
            next_before: looked_at.next_before.map(order_id),
        }
    }
}

/// Looks twice: what others were doing at the first look is over at the second.
pub(in crate::http) async fn health(call: OperatorCall<'_>) -> Answer {
    let (mut after, mut before) = (None, None);
    for (name, value) in call.query()? {
        match name.as_str() {
            "after" => after = Some(order(&name, &value)?),
            "before" => before = Some(order(&name, &value)?),
            _ => return Err(query::unknown(&name)),
        }
    }
    let (lanes, mall) = (call.lanes(), &call.app.mall);
    mall.show_orders().await?;
    let first = mall.clone();
    let look = move || Ok(first.look_for_leaks(after, before)?);
    let found = lanes.lists.run(look).await?;
    mall.show_orders().await?;
    let second = mall.clone();
    let leaks = lanes.lists.run(move || Ok(second.still_leaking(found)?)).await?;
    Ok(call.success(&HealthWire::of(&leaks)))
}
