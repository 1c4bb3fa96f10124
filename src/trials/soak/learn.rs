//! What a caller learns from answers, and from their want.

use serde_json::Value;

use super::acts::Act;
use super::ask::{Ask, Asked, Reply};
use super::caller::{ANSWERED_MAX, Answered, Caller};
use super::known::{Order, POINTS, SHORT, Span};
use super::products::PRODUCTS;
use super::states::States;
use super::units::Units;
use crate::base::ReservationId;
use crate::mall::{OrderStatus, parse_order_id};

impl Caller {
    /// Nobody knows what came of it.
    pub(super) fn doubt(&mut self, asked: Asked) {
        self.counts.unclear += 1;
        match asked.ask {
            Ask::Order { order, act, .. } => {
                let held = self.orders[&order].may_be.may_hold();
                self.known(order).doubt(act);
                self.let_go(order, held);
            }
            Ask::Exchange { user, units, .. } => self.users[user].purse.spent_max += units.cost(),
            Ask::Deduct { user, points } => self.users[user].purse.spent_max += points,
            Ask::Join { user, product } => self.may_wait(user, product),
            Ask::Leave { user, product } => self.place(user, product).since = None,
            Ask::Award { .. } | Ask::Receive { .. } | Ask::Adjust { .. } => {}
            Ask::WriteOff { .. } | Ask::Transfer { .. } | Ask::Count { .. } => {}
        }
        self.unclear.push(asked);
    }

    pub(super) fn known(&mut self, order: ReservationId) -> &mut Order {
        self.fresh.insert(order);
        self.orders.get_mut(&order).expect("a caller asks for orders that it knows")
    }

    /// Takes in a clear answer.
    pub(super) fn learn(&mut self, asked: Asked, reply: &Reply, when: Span, ttl_ms: Option<u64>) {
        let before = self.standing(asked.ask);
        match asked.ask {
            Ask::Exchange { .. } if reply.is_success() => {
                self.learn_order(asked.ask, reply, when, ttl_ms)
            }
            Ask::Exchange { .. } => self.learn_refusal(asked, reply),
            Ask::Order { order, act, .. } => {
                self.learn_act(asked, order, act, reply, when, ttl_ms.is_some())
            }
            Ask::Award { user, points, until } if reply.is_success() => {
                self.counts.awards += 1;
                self.counts.awards_ending += u64::from(until.is_some());
                let purse = &mut self.users[user].purse;
                purse.received += points;
                purse.ending += until.map_or(0, |_| points);
            }
            // The day was over before it was asked.
            Ask::Award { until: Some(_), .. } if reply.code == "INVALID_REQUEST" => {}
            Ask::Deduct { user, points } if reply.is_success() => {
                self.counts.deducts += 1;
                self.users[user].purse.deducted += points;
                self.users[user].purse.spent_max += points;
            }
            Ask::Deduct { user, points } if reply.code == POINTS => {
                let least = self.least(user);
                self.findings.check(least < points, || {
                    format!("{:?} was refused, where there are {least}: {reply:?}", asked.ask)
                });
            }
            Ask::Join { user, product } => self.learn_join(user, product, asked, reply, when),
            Ask::Leave { user, product } => self.learn_leave(user, product, asked, reply),
            Ask::WriteOff { .. } | Ask::Transfer { .. } | Ask::Count { .. } => {
                self.learn_storing(asked, reply)
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
            Ask::Award { .. } | Ask::Deduct { .. } | Ask::Receive { .. } | Ask::Adjust { .. } => {
                self.surprise(asked, reply)
            }
        }
        // A key is kept with what its request did.
        let did = before.is_none() || before != self.standing(asked.ask);
        if asked.key.is_some() && reply.is_success() && did {
            self.answered.push_back(Answered { asked, lasting: reply.lasting.clone() });
            if self.answered.len() > ANSWERED_MAX {
                self.answered.pop_front();
            }
        }
    }

    /// Where the order stands that a user wants confirmed or cancelled: it may be so already.
    fn standing(&self, ask: Ask) -> Option<States> {
        match ask {
            Ask::Order { order, act: Act::Confirm | Act::Reacquire | Act::Cancel, .. } => {
                self.orders.get(&order).map(|order| order.may_be)
            }
            Ask::Exchange { .. } | Ask::Order { .. } => None,
            Ask::Award { .. } | Ask::Deduct { .. } => None,
            Ask::Receive { .. } | Ask::Adjust { .. } | Ask::WriteOff { .. } => None,
            Ask::Transfer { .. } | Ask::Count { .. } => None,
            Ask::Join { .. } | Ask::Leave { .. } => None,
        }
    }

    pub(super) fn surprise(&mut self, asked: Asked, reply: &Reply) {
        // Nothing was changed, it says, and nobody wonders.
        if !reply.says_that_nothing_changed() {
            self.findings.note(format!("{asked:?} was answered {reply:?}"));
        }
    }

    fn learn_order(&mut self, ask: Ask, reply: &Reply, when: Span, ttl_ms: Option<u64>) {
        let Ask::Exchange { user, units, as_basket, confirm } = ask else {
            return;
        };
        let state = if confirm { OrderStatus::Confirmed } else { OrderStatus::Pending };
        let Some(id) = parse_order_id(reply.text("orderId")) else {
            return self.findings.note(format!("{ask:?} made an order without an id: {reply:?}"));
        };
        let expires_at = reply.number("expiresAt");
        let told = (reply.data["status"].as_i64(), reply.number("pointsCost"));
        self.findings.check(told == (Some(state.number().into()), units.cost()), || {
            format!("{ask:?} made {reply:?}")
        });
        if let Some(ttl_ms) = ttl_ms {
            self.check_deadline(ask, reply, when, ttl_ms);
        }
        self.counts.exchanges += 1;
        self.counts.baskets += u64::from(as_basket);
        self.suspect(user, units, id);
        self.enter(id, Order::new(user, units, expires_at, state));
    }

    /// What was asked for at this time waits for so long.
    pub(super) fn check_deadline(&mut self, ask: Ask, reply: &Reply, when: Span, ttl_ms: u64) {
        let in_time = when.from + ttl_ms..=when.to + ttl_ms;
        self.findings.check(in_time.contains(&reply.number("expiresAt")), || {
            format!("{ask:?} was answered {reply:?}, asked {when:?} to wait {ttl_ms} ms")
        });
    }

    /// A new order.
    pub(super) fn enter(&mut self, id: ReservationId, order: Order) {
        self.users[order.user].purse.spent_max += order.units.cost();
        self.fresh.insert(id);
        let before = self.orders.insert(id, order);
        self.findings
            .check(before.is_none(), || format!("the number {id} was given twice: {before:?}"));
        self.list(id);
    }

    /// Puts an order where it is found when something is to be asked for it.
    pub(super) fn list(&mut self, id: ReservationId) {
        let order = &self.orders[&id];
        if order.doubt.is_some() {
            return;
        }
        if order.may_be.has(OrderStatus::Pending) {
            self.waiting.push(id);
        } else if order.may_be.may_be_paid() {
            self.paid.push(id);
        } else if order.may_be.has(OrderStatus::Expired) {
            self.lapsed.push(id);
        }
    }

    /// An exchange was refused: everything that is named was short, and what is named first gives
    /// the refusal its code.
    fn learn_refusal(&mut self, asked: Asked, reply: &Reply) {
        let Ask::Exchange { user, units, as_basket, .. } = asked.ask else {
            return;
        };
        if !SHORT.contains(&reply.code.as_str()) {
            return self.surprise(asked, reply);
        }
        let mut lines = match reply.data["lines"].as_array() {
            Some(lines) if as_basket => lines.iter().map(Short::of_basket).collect(),
            _ => vec![Some(Short::alone(&reply.code, units, &reply.data))],
        };
        let first = lines.first().copied().flatten().map(|line| line.code);
        let fits = |line: &Option<Short<'_>>| line.is_some_and(|line| line.is_true(units));
        let is_true = first == Some(reply.code.as_str()) && lines.iter().all(fits);
        self.findings.check(is_true, || format!("{asked:?} was refused for no reason: {reply:?}"));
        let sold_out = reply.code == "OUT_OF_STOCK";
        let first = units.iter().next().map(|(product, _)| (user, product));
        self.sold_out = first.filter(|_| sold_out).or(self.sold_out);
        let least = self.least(user);
        lines.retain(|line| line.is_some_and(|line| line.code == POINTS));
        self.findings.check(lines.is_empty() || least < units.cost(), || {
            format!("{asked:?} was refused, though the user has {least} points at least: {reply:?}")
        });
    }

    /// The user has the points again of an order that held them, and does not any more; or the other
    /// way round.
    pub(super) fn let_go(&mut self, id: ReservationId, held: bool) {
        let order = &self.orders[&id];
        let (holds, cost) = (order.may_be.may_hold(), order.left().cost());
        let spent_max = &mut self.users[order.user].purse.spent_max;
        match (held, holds) {
            (true, false) => *spent_max -= cost,
            (false, true) => *spent_max += cost,
            (true, true) | (false, false) => {}
        }
    }

    /// A late payment was refused for what is short: whoever has it knows that nothing was taken.
    pub(super) fn learn_shortage(&mut self, id: ReservationId, reply: &Reply) {
        self.counts.revivals_short += 1;
        let units = self.orders[&id].units;
        let lines = reply.data["lines"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_true = |line: &Value| Short::of_basket(line).is_some_and(|it| it.is_true(units));
        let first = lines.first().and_then(Short::of_basket).map(|line| line.code);
        self.findings
            .check(first == Some(reply.code.as_str()) && lines.iter().all(is_true), || {
                format!("a late payment of {id} was refused for no reason: {reply:?}")
            });
    }

    /// What there is to be said of an order that is refused something.
    pub(super) fn count_refusal(&mut self, act: Act, before: Option<OrderStatus>) {
        self.counts.refused_for_state += 1;
        let was_sent = matches!(before, Some(OrderStatus::Shipped | OrderStatus::Completed));
        self.counts.cancels_too_late += u64::from(act == Act::Cancel && was_sent);
    }
}

/// Something that an exchange found too little of.
#[derive(Clone, Copy)]
struct Short<'a> {
    code: &'a str,
    product: Option<&'a str>,
    required: u64,
    available: u64,
}

impl<'a> Short<'a> {
    fn of_basket(line: &'a Value) -> Option<Self> {
        let (required, available) = (line["required"].as_u64()?, line["available"].as_u64()?);
        Some(Self {
            code: line["code"].as_str()?,
            product: line["productId"].as_str(),
            required,
            available,
        })
    }

    /// Of an exchange of one product.
    fn alone(code: &'a str, units: Units, data: &Value) -> Self {
        let number = |name: &str| data[name].as_u64().unwrap_or_default();
        let product = units.iter().next().map(|(product, _)| PRODUCTS[product].0);
        Self { code, product, required: number("required"), available: number("available") }
    }

    /// Whether it is what these units need, and there was less.
    fn is_true(self, units: Units) -> bool {
        let of_product = || {
            let mut wanted = units.iter().filter(|(at, _)| Some(PRODUCTS[*at].0) == self.product);
            wanted.next().map(|(_, quantity)| quantity)
        };
        let wanted = match self.code {
            POINTS => Some(units.cost()),
            // Of the products none has a limit: it is that of orders that wait.
            "LIMIT_EXCEEDED" => Some(1),
            _ => of_product(),
        };
        wanted == Some(self.required) && self.available < self.required
    }
}
