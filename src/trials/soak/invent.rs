//! What a caller asks next, as its seed says.

use super::ask::{Ask, PRODUCTS};
use super::caller::{Caller, USERS};
use super::known::Order;

impl Caller {
    pub(super) fn invent(&mut self) -> Ask {
        let chance = &mut self.chance;
        let (user, product) =
            (chance.below(USERS as u64) as usize, chance.below(PRODUCTS.len() as u64) as usize);
        match chance.below(100) {
            0..5 => Ask::Award { user, points: 3_500 * chance.between(1, 3_000) },
            5..10 => Ask::Receive { product, quantity: chance.between(1, 12) },
            10..13 => {
                Ask::Adjust { product, delta: [-3, -2, -1, 1, 2, 3][chance.below(6) as usize] }
            }
            13..38 if !self.waiting.is_empty() => self.end_one(),
            38..44 if !self.confirmed.is_empty() => {
                let at = self.chance.below(self.confirmed.len() as u64) as usize;
                let order = self.confirmed.swap_remove(at);
                let Order { user, .. } = self.orders[&order];
                match self.chance.below(2) {
                    0 => Ask::Cancel { user, order },
                    _ => {
                        let quantity = self.chance.between(1, self.orders[&order].left());
                        Ask::Refund { order, quantity, restock: self.chance.below(3) > 0 }
                    }
                }
            }
            _ => Ask::Exchange {
                user,
                product,
                quantity: chance.between(1, 3),
                confirm: chance.below(3) == 0,
            },
        }
    }

    /// Confirms or cancels an order that waits; one that is past its deadline, if there is one and
    /// it comes to that.
    fn end_one(&mut self) -> Ask {
        let late =
            self.waiting.iter().position(|order| self.orders[order].expires_at <= self.seen_ms);
        let any = self.chance.below(self.waiting.len() as u64) as usize;
        let at = late.filter(|_| self.chance.below(2) == 0).unwrap_or(any);
        let order = self.waiting.swap_remove(at);
        let user = self.orders[&order].user;
        match self.chance.below(4) {
            0 => Ask::Cancel { user, order },
            _ => Ask::Confirm { user, order },
        }
    }

    /// Most have a key. Without one nobody could say what became of points or stock that were
    /// given.
    pub(super) fn invent_key(&mut self, ask: Ask) -> Option<u64> {
        self.next_key += 1;
        let free = ask.user().is_some() && self.chance.below(4) == 0;
        (!free).then_some(self.next_key)
    }
}
