//! The orders of a list of products, and where in one a page goes on.

use std::cmp::Ordering;
use std::fmt;

use super::catalogue::Row;
use crate::base::every;

every! {
    /// In which order products are listed. What is equal is ordered by the other keys, then by id.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) enum Order {
        /// By their sort order, then sales, both largest first, then newest.
        #[default]
        Shelf,
        /// Cheapest first.
        PriceUp,
        /// Dearest first.
        PriceDown,
        /// Most sold first.
        Sales,
        Newest,
    }
}

impl Order {
    /// Its name in queries.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Shelf => "default",
            Self::PriceUp => "price_asc",
            Self::PriceDown => "price_desc",
            Self::Sales => "sales",
            Self::Newest => "newest",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|order| order.name() == name)
    }

    /// What cursors of this order begin with.
    fn mark(self) -> char {
        match self {
            Self::Shelf => 's',
            Self::PriceUp => 'u',
            Self::PriceDown => 'd',
            Self::Sales => 'b',
            Self::Newest => 'n',
        }
    }

    /// What orders products, smallest first.
    fn keys(self, row: &Row) -> Keys {
        // Signed numbers order as unsigned ones with the sign turned; and the other way round with
        // every bit turned.
        let sort_order = !((row.sort_order as u64) ^ (1 << 63));
        let (sales, newest) = (!row.sales(), !row.created_at);
        match self {
            Self::Shelf => [sort_order, sales, newest],
            Self::PriceUp => [row.price, sort_order, sales],
            Self::PriceDown => [!row.price, sort_order, sales],
            Self::Sales => [sales, sort_order, newest],
            Self::Newest => [newest, sort_order, sales],
        }
    }
}

type Keys = [u64; 3];

/// A product in its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ranked<'a> {
    keys: Keys,
    pub(super) row: &'a Row,
}

impl<'a> Ranked<'a> {
    pub(super) fn new(order: Order, row: &'a Row) -> Self {
        // The keys are taken once: sales move while others are compared with them.
        Self { keys: order.keys(row), row }
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        self.keys.cmp(&other.keys).then_with(|| self.row.id().cmp(&other.row.id()))
    }

    /// Whether it comes after this place.
    pub(super) fn is_after(&self, after: &After) -> bool {
        (self.keys, &*self.row.item.product.id) > (after.keys, &*after.id)
    }

    /// The place of this one.
    pub(super) fn place(&self, order: Order) -> After {
        After { order, keys: self.keys, id: self.row.item.product.id.clone() }
    }
}

/// A place in a list: that of a product as it stood when it was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct After {
    pub(super) order: Order,
    keys: Keys,
    id: String,
}

impl After {
    /// A place as it is written.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (mark, rest) = text.split_at_checked(1)?;
        let order = Order::ALL.iter().copied().find(|order| mark.starts_with(order.mark()))?;
        let (keys, id) = rest.split_at_checked(48)?;
        if !keys.bytes().all(|digit| digit.is_ascii_hexdigit()) || !(1..=64).contains(&id.len()) {
            return None;
        }
        let key = |at: usize| u64::from_str_radix(&keys[16 * at..16 * (at + 1)], 16).ok();
        Some(Self { order, keys: [key(0)?, key(1)?, key(2)?], id: id.to_owned() })
    }

    pub(crate) fn order(&self) -> Order {
        self.order
    }
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.keys;
        write!(f, "{}{a:016x}{b:016x}{c:016x}{}", self.order.mark(), self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back() {
        for &order in Order::ALL {
            assert_eq!(Order::named(order.name()), Some(order));
            let after = After { order, keys: [1, u64::MAX, 0], id: "prod_1".into() };
            assert_eq!(After::parse(&after.to_string()), Some(after));
        }
        for text in ["", "s", "s0", "x", "茶", &format!("z{}a", "0".repeat(48))] {
            assert_eq!(After::parse(text), None, "{text}");
        }
        let long = format!("s{}{}", "0".repeat(48), "a".repeat(65));
        assert_eq!((After::parse(&long), After::parse(&long[..49])), (None, None));
        assert!(After::parse(&format!("s{}a", "+".repeat(48))).is_none());
    }
}
