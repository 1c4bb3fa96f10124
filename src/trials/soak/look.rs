//! Holding an order as the server shows it to what a caller knows of it.

use hyper::Method;
use hyper::body::Bytes;
use serde_json::Value;

use super::acts::{Act, CARRIER, tracking_no};
use super::ask::{Ask, Reply, send};
use super::caller::Caller;
use super::check::gone;
use super::known::{Order, Span};
use super::units::Units;
use crate::base::ReservationId;
use crate::base::error::Result;
use crate::mall::{OrderStatus, order_id};
use crate::trials::client::Client;

/// How many orders of a user are looked for in the operators' list.
const THEIRS: usize = 20;

impl Caller {
    /// Holds an order as the server shows it against what is known of it.
    pub(super) fn compare(&mut self, id: ReservationId, shown: &Value, when: Span, reply: &Reply) {
        self.counts.orders_looked_up += 1;
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        let Some(state) = state_of(shown) else {
            return self
                .findings
                .note(format!("{id} is known as {order:?} and shown as {reply:?}"));
        };
        order.see_what_was_doubted(shown);
        let is_same = order.is_shown(id, state, shown);
        let held = order.may_be.may_hold();
        let was_open = order.may_be.has(OrderStatus::Pending);
        let was_unclear = was_open && order.may_be.is_unclear();
        let found = order.find(state, when);
        let lapsed = was_open && state == OrderStatus::Expired;
        self.counts.expiries_seen += u64::from(lapsed);
        self.lapsed.extend(lapsed.then_some(id));
        self.counts.ended_without_an_answer +=
            u64::from(was_unclear && state == OrderStatus::Confirmed);
        self.findings.check(is_same, || format!("{id} is known otherwise than {shown}: {order:?}"));
        if let Err(wrong) = found {
            self.findings.note(format!("{id} is found {shown}: {wrong}"));
        }
        self.let_go(id, held);
    }

    /// An order that nobody answered for: it must be what a request without a key asked for, or what
    /// a user waited for in a line.
    pub(super) fn adopt(&mut self, id: ReservationId, user: usize, shown: &Value) {
        let found = Units::shown(shown);
        let matches = |ask: &Ask| {
            matches!(*ask, Ask::Exchange { user: asker, units, .. } if asker == user
                && Some(units) == found)
        };
        let at = self.lost.iter().position(matches);
        let units = match at.map(|at| self.lost.swap_remove(at)) {
            Some(Ask::Exchange { units, .. }) => {
                self.counts.found_in_list += 1;
                Some(units)
            }
            Some(_) | None => found.filter(|units| self.is_served(user, *units)),
        };
        let (Some(units), Some(state)) = (units, state_of(shown)) else {
            return self.findings.note(format!("nobody asked for the order {shown}"));
        };
        let expires_at = shown["expiresAt"].as_u64().unwrap_or_default();
        self.enter(id, Order::new(user, units, expires_at, state));
        self.let_go(id, true);
    }

    /// Operators see the same orders in their list, and an order's pages say what the lists say.
    ///
    /// # Errors
    /// `Unavailable` when the server does not answer.
    pub(super) async fn look_at_pages(
        &mut self,
        client: &mut Client,
        user: usize,
        shown: &[Value],
    ) -> Result<()> {
        let shown = &shown[..shown.len().min(THEIRS)];
        let name = self.users[user].name.clone();
        let path = format!("/api/admin/orders?user_id={name}&page_size={}", shown.len().max(1));
        let theirs = self.get_all(client, &path).await?;
        let listed = theirs.data["orders"].as_array().map_or(&[][..], Vec::as_slice);
        let is_same = listed.len() == shown.len()
            && listed.iter().zip(shown).all(|(all, own)| contains(all, own));
        self.findings
            .check(is_same, || format!("operators see {theirs:?} where {name} sees {shown:?}"));
        let Some(own) = self.chance.index(shown.len()).map(|at| &shown[at]) else {
            return Ok(());
        };
        let id = own["orderId"].as_str().unwrap_or_default();
        let page = self.get(client, user, &format!("/api/mall/orders/{id}")).await?;
        let whole = self.get_all(client, &format!("/api/admin/orders/{id}")).await?;
        for page in [&page, &whole] {
            self.findings.check(contains(&page.data, own), || {
                format!("a list shows {own}, and its page is {page:?}")
            });
        }
        self.findings.check(whole.data["userId"] == *name, || {
            format!("an order of {name} is shown as {whole:?}")
        });
        self.counts.pages_compared += 1;
        Ok(())
    }

    /// As an operator.
    async fn get_all(&mut self, client: &mut Client, path: &str) -> Result<Reply> {
        let reply = send(client, Method::GET, path, &self.admin, None, Bytes::new()).await;
        self.hear(reply).ok_or_else(gone)
    }
}

impl Order {
    /// What came of an act without an answer, as far as the order shows it besides its state. How
    /// many units went back is told by a retry alone.
    fn see_what_was_doubted(&mut self, shown: &Value) {
        match self.doubt.map(|doubt| doubt.act) {
            Some(Act::Extend { .. }) => {
                // It may be sooner than before: it is counted from when it was asked for.
                self.expires_at = shown["expiresAt"].as_u64().unwrap_or(self.expires_at);
            }
            Some(Act::Redirect { to, .. }) if place_of(shown) == Some(to) => self.go_to(to),
            Some(Act::Deliver) => self.is_delivered = shown["deliveredAt"].is_u64(),
            Some(
                Act::Confirm
                | Act::Reacquire
                | Act::Cancel
                | Act::Redirect { .. }
                | Act::Ship
                | Act::Complete
                | Act::Recall
                | Act::Refund(_),
            )
            | None => {}
        }
    }

    /// Whether an order in this state, as it is known, looks like this.
    fn is_shown(&self, id: ReservationId, state: OrderStatus, shown: &Value) -> bool {
        let number = |name: &str| shown[name].as_u64();
        let in_time =
            self.may_be_late || number("exchangedAt").is_none_or(|at| at < self.expires_at);
        shown["orderId"] == order_id(id)
            && shown["status"] == state.number()
            && Units::shown(shown) == Some(self.units)
            && number("pointsCost") == Some(self.units.cost())
            && number("expiresAt") == Some(self.expires_at)
            && place_of(shown) == self.goes_to
            && in_time
            && self.is_shown_sent(id, state, shown)
            && self.is_shown_back(state, shown)
    }

    fn is_shown_sent(&self, id: ReservationId, state: OrderStatus, shown: &Value) -> bool {
        let has = |name: &str| shown[name].is_u64();
        let is_sent = shown["trackingNo"] == tracking_no(id)
            && shown["carrier"] == CARRIER
            && has("shippedAt")
            && has("deliveredAt") == self.is_delivered;
        let is_not = shown["trackingNo"].is_null() && !has("shippedAt") && !has("deliveredAt");
        let is_there = has("deliveredAt") || has("completedAt");
        let delivery = if is_there { 2 } else { u64::from(has("shippedAt")) };
        let is_as_its_state = match state {
            OrderStatus::Pending | OrderStatus::Confirmed | OrderStatus::Expired => is_not,
            OrderStatus::Shipped => is_sent && !has("completedAt"),
            OrderStatus::Completed => is_sent && has("completedAt"),
            // It may have been sent before.
            OrderStatus::Cancelled => is_sent || is_not && !has("completedAt"),
        };
        is_as_its_state && shown["deliveryStatus"].as_u64() == Some(delivery)
    }

    /// Whether so many units, and their points, are back as of an order in this state.
    fn is_shown_back(&self, state: OrderStatus, shown: &Value) -> bool {
        let back = (shown["returnedQuantity"].as_u64(), shown["returnedPoints"].as_u64());
        let is = |units: Units| back == (Some(units.count()), Some(units.cost()));
        if state == OrderStatus::Cancelled {
            // It was paid, and all of it went back, or it never was.
            return is(if shown["exchangedAt"].is_u64() { self.units } else { Units::default() });
        }
        // What came of a refund without an answer is not known yet.
        let doubted = match self.doubt.map(|doubt| doubt.act) {
            Some(Act::Refund(what)) => what.part.filter(|_| !what.is_too_much(self)),
            _ => None,
        };
        let with = |(product, quantity)| self.returned.plus(Units::of(product, quantity));
        is(self.returned) || doubted.is_some_and(|part| is(with(part)))
    }
}

fn place_of(shown: &Value) -> Option<u64> {
    shown["deliveryInfo"]["place"].as_u64()
}

/// Whether everything that `part` shows is shown by `whole` just so.
fn contains(whole: &Value, part: &Value) -> bool {
    let fields = part.as_object();
    fields.is_some_and(|fields| fields.iter().all(|(name, value)| whole[name] == *value))
}

fn state_of(shown: &Value) -> Option<OrderStatus> {
    OrderStatus::from_name(shown["state"].as_str()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id() -> ReservationId {
        ReservationId::from_number(9)
    }

    /// An order of two units of one product, sent and delivered, of which a unit went back.
    fn shown() -> Value {
        json!({
            "orderId": order_id(id()), "status": 2, "state": "shipped",
            "productId": "prod_movie", "quantity": 2, "pointsCost": 9_000,
            "expiresAt": 100, "exchangedAt": 50, "deliveryInfo": {"place": 7},
            "trackingNo": tracking_no(id()), "carrier": CARRIER, "shippedAt": 60,
            "deliveredAt": 70, "completedAt": null, "deliveryStatus": 2,
            "returnedQuantity": 1, "returnedPoints": 4_500,
        })
    }

    fn order() -> Order {
        let mut order = Order::new(0, Units::of(4, 2), 100, OrderStatus::Shipped);
        order.returned = Units::of(4, 1);
        order.is_delivered = true;
        order.go_to(7);
        order
    }

    #[test]
    fn an_order_that_is_shown_otherwise_in_anything_is_seen() {
        let is_shown = |shown: &Value| order().is_shown(id(), OrderStatus::Shipped, shown);
        assert!(is_shown(&shown()));
        for (field, value) in [
            ("orderId", json!("ord_1")),
            ("status", json!(1)),
            ("quantity", json!(1)),
            ("pointsCost", json!(9_001)),
            ("expiresAt", json!(101)),
            ("exchangedAt", json!(100)),
            ("deliveryInfo", json!(null)),
            ("deliveryInfo", json!({"place": 8})),
            ("trackingNo", json!("SF-1")),
            ("carrier", json!(null)),
            ("shippedAt", json!(null)),
            ("deliveredAt", json!(null)),
            ("completedAt", json!(80)),
            ("deliveryStatus", json!(1)),
            ("returnedQuantity", json!(0)),
            ("returnedPoints", json!(4_501)),
        ] {
            let mut otherwise = shown();
            otherwise[field] = value;
            assert!(!is_shown(&otherwise), "{field} is {otherwise}");
        }
    }
}
