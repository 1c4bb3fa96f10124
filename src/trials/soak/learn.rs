//! What a caller learns from answers, and from their want.

use super::ask::{Ask, Asked, PRODUCTS, Reply};
use super::caller::{ANSWERED_MAX, Answered, Caller};
use super::known::{Order, Span, States};
use crate::base::ReservationId;
use crate::mall::{OrderStatus, parse_order_id};

impl Caller {
    /// Nobody knows what came of it.
    pub(super) fn doubt(&mut self, asked: Asked) {
        self.counts.unclear += 1;
        match asked.ask {
            Ask::Confirm { order, .. } => self.known(order).doubt(OrderStatus::Confirmed),
            Ask::Cancel { order, .. } => self.known(order).doubt(OrderStatus::Cancelled),
            Ask::Refund { order, quantity, .. } => {
                let order = self.known(order);
                if order.left() == quantity {
                    order.doubt(OrderStatus::Cancelled);
                }
            }
            Ask::Exchange { user, .. } => self.users[user].purse.spent_max += cost_of(asked.ask),
            _ => {}
        }
        self.unclear.push(asked);
    }

    fn known(&mut self, order: ReservationId) -> &mut Order {
        self.fresh.insert(order);
        self.orders.get_mut(&order).expect("a caller asks for orders that it knows")
    }

    /// Takes in a clear answer.
    pub(super) fn learn(&mut self, asked: Asked, reply: &Reply, when: Span, ttl_ms: Option<u64>) {
        match asked.ask {
            Ask::Exchange { .. } if reply.is_success() => {
                self.learn_order(asked.ask, reply, when, ttl_ms)
            }
            Ask::Exchange { user, .. } => self.learn_refusal(user, asked.ask, reply),
            Ask::Confirm { order, .. } => {
                self.learn_end(asked, order, OrderStatus::Confirmed, reply, when)
            }
            Ask::Cancel { order, .. } => {
                self.learn_end(asked, order, OrderStatus::Cancelled, reply, when)
            }
            Ask::Refund { .. } if reply.is_success() => self.learn_refund(asked.ask, reply, when),
            Ask::Award { user, points } if reply.is_success() => {
                self.counts.awards += 1;
                self.users[user].purse.received += points;
            }
            Ask::Receive { product, quantity } if reply.is_success() => {
                self.counts.receives += 1;
                self.stocks[product].received += quantity;
            }
            Ask::Adjust { product, delta } if reply.is_success() => {
                self.counts.adjusts += 1;
                let stock = &mut self.stocks[product];
                let moved = if delta > 0 { &mut stock.received } else { &mut stock.written_off };
                *moved += delta.unsigned_abs();
            }
            Ask::Adjust { delta, .. } if reply.code == "OUT_OF_STOCK" => {
                self.findings.check(reply.number("available") < delta.unsigned_abs(), || {
                    format!("{:?} was refused for what there was: {reply:?}", asked.ask)
                });
            }
            _ => self.surprise(asked, reply),
        }
        if asked.key.is_some() && reply.is_success() {
            self.answered.push_back(Answered { asked, lasting: reply.lasting.clone() });
            if self.answered.len() > ANSWERED_MAX {
                self.answered.pop_front();
            }
        }
    }

    fn surprise(&mut self, asked: Asked, reply: &Reply) {
        // Nothing was changed, it says, and nobody wonders.
        if !reply.says_that_nothing_changed() {
            self.findings.note(format!("{asked:?} was answered {reply:?}"));
        }
    }

    fn learn_order(&mut self, ask: Ask, reply: &Reply, when: Span, ttl_ms: Option<u64>) {
        let Ask::Exchange { user, product, quantity, confirm } = ask else {
            return;
        };
        let cost = cost_of(ask);
        let state = if confirm { OrderStatus::Confirmed } else { OrderStatus::Pending };
        let Some(id) = parse_order_id(reply.text("orderId")) else {
            return self.findings.note(format!("{ask:?} made an order without an id: {reply:?}"));
        };
        let expires_at = reply.number("expiresAt");
        let told = (reply.data["status"].as_i64(), reply.number("pointsCost"));
        self.findings.check(told == (Some(state.number().into()), cost), || {
            format!("{ask:?} made {reply:?}")
        });
        if let Some(ttl_ms) = ttl_ms {
            let in_time = (when.from + ttl_ms..=when.to + ttl_ms).contains(&expires_at);
            self.findings.check(in_time, || {
                format!("{ask:?} made {reply:?}, asked {when:?} to wait {ttl_ms} ms")
            });
        }
        self.counts.exchanges += 1;
        self.enter(
            id,
            Order {
                user,
                product,
                quantity,
                returned: 0,
                cost,
                expires_at,
                may_be: States::only(state),
            },
        );
    }

    /// A new order.
    pub(super) fn enter(&mut self, id: ReservationId, order: Order) {
        self.users[order.user].purse.spent_max += order.cost;
        let list = if order.may_be.has(OrderStatus::Pending) {
            &mut self.waiting
        } else {
            &mut self.confirmed
        };
        list.push(id);
        self.fresh.insert(id);
        let before = self.orders.insert(id, order);
        self.findings
            .check(before.is_none(), || format!("the number {id} was given twice: {before:?}"));
    }

    fn learn_refusal(&mut self, user: usize, ask: Ask, reply: &Reply) {
        let least = self.users[user].purse.least();
        let (required, available) = (reply.number("required"), reply.number("available"));
        let wanted = match (reply.code.as_str(), ask) {
            ("INSUFFICIENT_POINTS", _) => cost_of(ask),
            ("OUT_OF_STOCK", Ask::Exchange { quantity, .. }) => quantity,
            ("LIMIT_EXCEEDED", _) => 1,
            _ => return self.surprise(Asked { ask, key: None }, reply),
        };
        let is_true = required == wanted && available < wanted;
        self.findings
            .check(is_true, || format!("{ask:?} was refused for what there was: {reply:?}"));
        self.findings.check(reply.code != "INSUFFICIENT_POINTS" || least < wanted, || {
            format!("{ask:?} was refused, though the user has {least} points at least: {reply:?}")
        });
    }

    fn learn_end(
        &mut self,
        asked: Asked,
        id: ReservationId,
        state: OrderStatus,
        reply: &Reply,
        when: Span,
    ) {
        let order = self.orders.get(&id).expect("a caller asks for orders that it knows");
        let (held, was_confirmed) =
            (order.may_be.may_hold(), order.may_be.has(OrderStatus::Confirmed));
        let was_late = order.expires_at <= when.from;
        let told = match reply.code.as_str() {
            "SUCCESS" => self.known(id).end(state, when),
            "RESERVATION_EXPIRED" => self.known(id).find(OrderStatus::Expired, when),
            "ORDER_STATE" if state == OrderStatus::Confirmed => {
                self.known(id).find(OrderStatus::Cancelled, when)
            }
            _ => return self.surprise(asked, reply),
        };
        if let Err(wrong) = told {
            self.findings.note(format!("{id} is told {reply:?}: {wrong}"));
        }
        self.let_go(id, held);
        match (reply.is_success(), state) {
            (true, OrderStatus::Confirmed) => {
                self.counts.confirms += 1;
                self.confirmed.push(id);
            }
            (true, _) if was_confirmed => self.counts.returns += 1,
            (true, _) => self.counts.cancels += 1,
            (false, OrderStatus::Confirmed) if was_late => self.counts.late_refused += 1,
            (false, _) => {}
        }
    }

    /// An operator gave units of an order back.
    fn learn_refund(&mut self, ask: Ask, reply: &Reply, when: Span) {
        let Ask::Refund { order: id, quantity, restock } = ask else {
            return;
        };
        let order = self.known(id);
        // It may have been found over before this was known.
        let held = order.may_be.may_hold();
        order.returned += quantity;
        let (user, product, is_over) = (order.user, order.product, order.left() == 0);
        let told = match is_over {
            true => order.end(OrderStatus::Cancelled, when),
            false => order.find(OrderStatus::Confirmed, when),
        };
        if let Err(wrong) = told {
            self.findings.note(format!("of {id} goes back {reply:?}: {wrong}"));
        }
        let is_told = reply.number("quantity") == quantity && reply.data["isOver"] == is_over;
        self.findings.check(is_told, || format!("{ask:?} was answered {reply:?}"));
        if held {
            self.users[user].purse.spent_max -= PRODUCTS[product].1 * quantity;
        }
        if !restock {
            self.stocks[product].written_off += quantity;
        }
        if !is_over {
            self.confirmed.push(id);
        }
        self.fresh.insert(id);
        self.counts.refunds += 1;
    }

    /// The user has the points again of an order that held them, and does not any more.
    pub(super) fn let_go(&mut self, id: ReservationId, held: bool) {
        let order = &self.orders[&id];
        if held && !order.may_be.may_hold() {
            self.users[order.user].purse.spent_max -= order.left_cost();
        }
    }
}

pub(super) fn cost_of(ask: Ask) -> u64 {
    match ask {
        Ask::Exchange { product, quantity, .. } => PRODUCTS[product].1 * quantity,
        _ => 0,
    }
}
