//! What a caller asks next, as its seed says.

use super::acts::{Act, GiveBack};
use super::ask::Ask;
use super::caller::{Caller, USERS};
use super::known::Order;
use super::products::PRODUCTS;
use super::units::Units;
use crate::base::ReservationId;
use crate::mall::OrderStatus;

/// How far an order's deadline is moved at most, and how far it may not be.
const EXTENSION_MS: u64 = 8_000;
const TOO_LONG_MS: u64 = 7_200_000;
/// In so long an answer is there.
const SOON_MS: u64 = 60_000;
/// The first so many products are moved away until they are sold out.
const SCARCE: usize = 2;

impl Caller {
    pub(super) fn invent(&mut self) -> Ask {
        let chance = &mut self.chance;
        let (user, product) =
            (chance.below(USERS as u64) as usize, chance.below(PRODUCTS.len() as u64) as usize);
        match chance.below(100) {
            0..4 => {
                // Those that end do so with the day.
                let until =
                    (self.seen_ms > 0 && chance.below(2) == 0).then_some(self.seen_ms + SOON_MS);
                Ask::Award { user, points: 3_500 * chance.between(1, 3_000), until }
            }
            4..6 => Ask::Receive { product, quantity: chance.between(1, 5) },
            6..9 => self.store(product),
            9 => Ask::Deduct { user, points: 3_500 * chance.between(1, 30) },
            10..12 => {
                // Mostly a little; often more than there ever is.
                let deltas = [-3, -2, -1, 1, 2, 3, -1_000_000_000];
                Ask::Adjust { product, delta: deltas[chance.below(12).min(6) as usize] }
            }
            12..17 => self.ask_of_a_line(user, product % SCARCE),
            17..19 if !self.lapsed.is_empty() => {
                let at = self.chance.below(self.lapsed.len() as u64) as usize;
                let order = self.lapsed.swap_remove(at);
                self.with(order, Act::Reacquire)
            }
            19..40 if !self.waiting.is_empty() => self.ask_for_what_waits(),
            40..62 if !self.paid.is_empty() => self.ask_for_what_is_paid(),
            62..65 if !self.orders.is_empty() => match self.over() {
                Some(order) => {
                    let act = self.any_act(order);
                    self.with(order, act)
                }
                None => self.exchange(user, product),
            },
            _ => self.exchange(user, product),
        }
    }

    /// Most have a key. Without one nobody could say what became of points or stock that were
    /// given.
    pub(super) fn invent_key(&mut self, ask: Ask) -> Option<u64> {
        self.next_key += 1;
        let free = ask.user().is_some() && self.chance.below(4) == 0;
        (!free && ask.takes_a_key()).then_some(self.next_key)
    }

    /// Units are written off, moved or counted; moved so many at times that few are left to sell.
    fn store(&mut self, product: usize) -> Ask {
        // What came of the last may not be known yet.
        let is_unclear = self.unclear.iter().any(|asked| asked.ask.stored() == Some(product));
        let quantity = [1, 3, 40][self.chance.below(3) as usize];
        match self.chance.below(7) {
            _ if is_unclear => Ask::WriteOff { product, quantity },
            0 | 6 => Ask::WriteOff { product, quantity },
            1..4 => Ask::Transfer { product, quantity, is_back: false },
            // Until something was brought there, there is no such location.
            4 if self.stored[product] > 0 => Ask::Transfer { product, quantity, is_back: true },
            _ => Ask::Count { product, counted: self.chance.below(60) },
        }
    }

    /// Mostly joins the line for a product that is often sold out.
    fn ask_of_a_line(&mut self, user: usize, product: usize) -> Ask {
        let waiting = self.lines.iter().find(|(_, place)| place.since.is_some());
        match waiting.map(|(at, _)| *at) {
            Some((user, product)) if self.chance.below(2) == 0 => Ask::Leave { user, product },
            Some(_) | None => {
                let (user, product) = self.sold_out.take().unwrap_or((user, product));
                Ask::Join { user, product }
            }
        }
    }

    fn with(&self, order: ReservationId, act: Act) -> Ask {
        Ask::Order { user: self.orders[&order].user, order, act }
    }

    /// One product, or a basket of a few.
    fn exchange(&mut self, user: usize, product: usize) -> Ask {
        let mut units = Units::of(product, self.chance.between(1, 3));
        let as_basket = self.chance.below(4) == 0;
        let more = if as_basket { self.chance.below(3) } else { 0 };
        for _ in 0..more {
            let another = self.chance.below(PRODUCTS.len() as u64) as usize;
            units = units.with(another, self.chance.between(1, 2));
        }
        Ask::Exchange { user, units, as_basket, confirm: self.chance.below(3) == 0 }
    }

    /// Mostly ends an order that waits; one that is past its deadline, if there is one and it comes
    /// to that.
    fn ask_for_what_waits(&mut self) -> Ask {
        let late =
            self.waiting.iter().position(|order| self.orders[order].expires_at <= self.seen_ms);
        let any = self.chance.below(self.waiting.len() as u64) as usize;
        let at = late.filter(|_| self.chance.below(2) == 0).unwrap_or(any);
        let order = self.waiting.swap_remove(at);
        let act = match self.chance.below(20) {
            0..9 => Act::Confirm,
            9..11 => Act::Reacquire,
            11..14 => Act::Cancel,
            14..17 => self.extension(),
            17 => self.redirect(),
            18 => Act::Recall,
            _ => self.any_act(order),
        };
        self.with(order, act)
    }

    /// Often the order that was asked for before, so that some come far.
    fn ask_for_what_is_paid(&mut self) -> Ask {
        let last = self.paid.len() - 1;
        let any = self.chance.below(self.paid.len() as u64) as usize;
        let at = if self.chance.below(3) > 0 { last } else { any };
        let order = self.paid.swap_remove(at);
        let act = match self.chance.below(16) {
            0..7 => self.onward(order),
            7 => Act::Cancel,
            8 => Act::Recall,
            9..12 => self.refund_of_some(order, 0),
            12 => self.refund_of_some(order, 1),
            13 => self.redirect(),
            _ => self.any_act(order),
        };
        self.with(order, act)
    }

    /// What usually follows.
    fn onward(&mut self, order: ReservationId) -> Act {
        let known = &self.orders[&order];
        let is_awaited = !known.is_delivered && self.chance.below(2) == 0;
        match known.may_be.one() {
            Some(OrderStatus::Confirmed) => Act::Ship,
            Some(OrderStatus::Shipped) if is_awaited => Act::Deliver,
            Some(OrderStatus::Shipped) => Act::Complete,
            Some(OrderStatus::Completed) => {
                Act::Refund(GiveBack { even_completed: true, ..self.give_back(None) })
            }
            Some(OrderStatus::Pending | OrderStatus::Cancelled | OrderStatus::Expired) | None => {
                self.refund_of_all()
            }
        }
    }

    /// Whatever there is, though it may make no sense.
    fn any_act(&mut self, order: ReservationId) -> Act {
        match self.chance.below(11) {
            0 => Act::Confirm,
            10 => Act::Reacquire,
            1 => Act::Cancel,
            2 => self.extension(),
            3 => self.redirect(),
            4 => Act::Ship,
            5 => Act::Deliver,
            6 => Act::Complete,
            7 => Act::Recall,
            8 => self.refund_of_all(),
            _ => self.refund_of_some(order, 0),
        }
    }

    fn extension(&mut self) -> Act {
        let ttl_ms = self.chance.between(200, EXTENSION_MS);
        Act::Extend { ttl_ms: if self.chance.below(8) == 0 { TOO_LONG_MS } else { ttl_ms } }
    }

    fn redirect(&mut self) -> Act {
        self.places += 1;
        Act::Redirect { to: self.places, by_operator: self.chance.below(2) == 0 }
    }

    fn refund_of_all(&mut self) -> Act {
        Act::Refund(self.give_back(None))
    }

    /// Units of one product: some of what is left, or so many more than that.
    fn refund_of_some(&mut self, order: ReservationId, more: u64) -> Act {
        let known = &self.orders[&order];
        let products: Vec<usize> = known.units.iter().map(|(product, _)| product).collect();
        let left = known.left();
        let at = self.chance.below(products.len() as u64) as usize;
        let product = products[at];
        let left = left.get(product);
        let quantity = match more {
            0 => self.chance.between(1, left.max(1)),
            more => left + more,
        };
        Act::Refund(self.give_back(Some((product, quantity))))
    }

    fn give_back(&mut self, part: Option<(usize, u64)>) -> GiveBack {
        let (restock, even_completed) = (self.chance.below(3) > 0, self.chance.below(2) == 0);
        GiveBack { part, restock, even_completed }
    }

    /// Some order that is over.
    fn over(&mut self) -> Option<ReservationId> {
        let near = self.any_number();
        let is_over = |order: &Order| !order.may_be.may_hold() && order.doubt.is_none();
        let mut later = self.orders.range(near..).take(50);
        later.find(|(_, order)| is_over(order)).map(|(id, _)| *id)
    }

    /// A number between those of the orders there are. Numbers grow with time, so any is near to
    /// an order.
    pub(super) fn any_number(&mut self) -> ReservationId {
        let newest = self.orders.last_key_value().map_or(0, |(id, _)| id.number());
        let oldest = self.orders.first_key_value().map_or(0, |(id, _)| id.number());
        ReservationId::from_number(self.chance.between(oldest, newest))
    }
}
