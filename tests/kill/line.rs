//! Places in the lines for products, as far as callers were told.

use std::collections::BTreeMap;

use super::books::Books;
use super::request::{Ask, Effect};
use super::shop::{PRODUCTS, Shop};

/// Who has which place, and whether it was given up or served since. Of two callers, the later one
/// may be heard first.
#[derive(Default)]
pub struct Places {
    /// By product and number.
    acked: BTreeMap<(u64, u64), Place>,
    /// How many places of each line were given out by the last check.
    given: [u64; PRODUCTS as usize],
}

#[derive(Debug)]
struct Place {
    user: u64,
    is_gone: bool,
}

impl Places {
    /// Whether something happened: a place is given to somebody once, and told as often as they ask.
    pub fn is_news(&self, ask: Ask, effect: Effect) -> bool {
        let Ask::Join { product, .. } = ask else { return true };
        let place = effect[1];
        place >= self.given[product as usize] && !self.acked.contains_key(&(product, place))
    }

    /// Takes in what was acknowledged.
    pub fn take_in(&mut self, ask: Ask, effect: Effect) {
        let (product, user, place, is_gone) = match ask {
            Ask::Join { user, product } => (product, user, effect[1], false),
            Ask::Leave { user, product } => (product, user, effect[1], true),
            Ask::Grant { order, place, .. } => (order.product, order.user, place, true),
            _ => return,
        };
        let told = self.acked.entry((product, place)).or_insert(Place { user, is_gone: false });
        assert_eq!(told.user, user, "place {place} of product {product} is told of two users");
        assert!(!(told.is_gone && is_gone), "place {place} of product {product} is gone twice");
        told.is_gone |= is_gone;
    }

    /// Every acknowledged place was given out, to that user; and what was given up or served is in no
    /// line any more.
    pub fn check(&mut self, books: &Books, shop: &Shop<'_>) {
        for ((product, place), told) in &self.acked {
            let line = &books.accounts[&shop.stock(*product)];
            let found = line.line.iter().find(|waiting| waiting.place == *place);
            let is_his = found.is_none_or(|it| it.owner == shop.points(told.user));
            let agrees = *place < line.given && is_his && !(told.is_gone && found.is_some());
            assert!(
                agrees,
                "place {place} of product {product} was acknowledged as {told:?}, and the line is {line:?}"
            );
        }
        for product in 0..PRODUCTS {
            // A kill may come before the product has an account.
            let account = books.accounts.get(&shop.stock(product));
            self.given[product as usize] = account.map_or(0, |account| account.given);
        }
    }
}
