//! What a caller learns from the answer to an act upon an order.

use super::acts::{Act, GiveBack};
use super::ask::{Asked, Reply};
use super::caller::Caller;
use super::known::{Heard, Span};
use super::units::Units;
use crate::base::ReservationId;
use crate::mall::OrderStatus;

impl Caller {
    /// Takes in the clear answer to an act. Only what is asked for the first time has its time.
    pub(super) fn learn_act(
        &mut self,
        asked: Asked,
        id: ReservationId,
        act: Act,
        reply: &Reply,
        when: Span,
        is_first: bool,
    ) {
        let Some(heard) = Heard::of(&reply.code) else {
            self.list(id);
            return self.surprise(asked, reply);
        };
        let order = self.known(id);
        let (before, held) = (order.may_be.one(), order.may_be.may_hold());
        let was_late = order.expires_at <= when.from;
        let is_too_much = matches!(act, Act::Refund(what) if what.is_too_much(order));
        let is_late = was_late || before == Some(OrderStatus::Expired);
        if let Err(wrong) = order.hear(act, heard, when) {
            let what = if is_too_much { "more goes back than is left" } else { "it cannot be" };
            self.findings.note(format!("of {id} {what}: {reply:?}: {wrong}"));
            return;
        }
        match heard {
            Heard::Done => {
                if let (Act::Extend { ttl_ms }, true) = (act, is_first) {
                    self.check_deadline(asked.ask, reply, when, ttl_ms);
                }
                self.counts.revivals += u64::from(act == Act::Reacquire && is_late && is_first);
                self.did(id, act, reply, before);
            }
            Heard::Refused => {
                self.count_refusal(act, before);
                self.counts.refunds_of_too_much += u64::from(is_too_much);
            }
            Heard::Short => self.learn_shortage(id, reply),
            Heard::TooLate => {
                self.counts.late_refused += u64::from(act == Act::Confirm && was_late);
            }
        }
        self.let_go(id, held);
        self.list(id);
    }

    /// Keeps what an act has done besides what the order is by it.
    fn did(&mut self, id: ReservationId, act: Act, reply: &Reply, before: Option<OrderStatus>) {
        let order = self.orders.get_mut(&id).expect("a caller asks for orders that it knows");
        let told = match act {
            // It waits on, as of then; a retry may hear it after the deadline.
            Act::Extend { .. } => Some(OrderStatus::Pending),
            _ => order.may_be.one(),
        };
        let number = told.map(|state| i64::from(state.number()));
        let has_number = number.is_none() || reply.data["status"].as_i64() == number;
        let is_told = match act {
            Act::Confirm
            | Act::Reacquire
            | Act::Cancel
            | Act::Extend { .. }
            | Act::Ship
            | Act::Deliver
            | Act::Complete
            | Act::Recall => has_number && reply.number("pointsCost") == order.units.cost(),
            Act::Redirect { to, .. } => reply.data["deliveryInfo"]["place"] == to,
            // Below, where it is known what that came to.
            Act::Refund(_) => true,
        };
        self.findings.check(is_told, || format!("{act:?} of {order:?} was answered {reply:?}"));
        let counts = &mut self.counts;
        match act {
            Act::Confirm | Act::Reacquire => counts.confirms += 1,
            Act::Cancel => {
                counts.cancels += u64::from(before == Some(OrderStatus::Pending));
                counts.returns += u64::from(before == Some(OrderStatus::Confirmed));
            }
            Act::Recall => counts.recalls += 1,
            Act::Extend { .. } => {
                counts.extensions += 1;
                order.expires_at = reply.number("expiresAt");
            }
            Act::Redirect { to, .. } => {
                counts.redirects += 1;
                order.go_to(to);
            }
            Act::Ship => counts.ships += 1,
            Act::Deliver => {
                counts.deliveries += 1;
                order.is_delivered = true;
            }
            Act::Complete => counts.completions += 1,
            Act::Refund(what) => self.refunded(id, what, reply, before),
        }
    }

    /// An operator gave units of an order back.
    fn refunded(
        &mut self,
        id: ReservationId,
        what: GiveBack,
        reply: &Reply,
        before: Option<OrderStatus>,
    ) {
        let order = self.orders.get_mut(&id).expect("a caller asks for orders that it knows");
        let units = match what.part {
            Some((product, quantity)) => Units::of(product, quantity),
            None => order.left(),
        };
        let user = order.user;
        let is_over = units == order.left();
        // Whatever is left of an order that is over is let go with it.
        if !is_over {
            order.returned = order.returned.plus(units);
            self.users[user].purse.spent_max -= units.cost();
        }
        let quantity = what.part.map(|(_, quantity)| quantity);
        let is_told =
            reply.data["quantity"].as_u64() == quantity && reply.data["isOver"] == is_over;
        self.findings.check(is_told, || format!("{what:?} of {order:?} was answered {reply:?}"));
        if !what.restock {
            for (product, quantity) in units.iter() {
                self.stocks[product].written_off += quantity;
            }
        }
        let counts = &mut self.counts;
        let count =
            if quantity.is_some() { &mut counts.refunds } else { &mut counts.whole_refunds };
        *count += 1;
        counts.refunds_of_sent += u64::from(before == Some(OrderStatus::Shipped));
        counts.refunds_of_completed += u64::from(before == Some(OrderStatus::Completed));
    }
}
