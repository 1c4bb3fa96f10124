//! Units of each product: what an order is of, and what went back of it.

use std::array::from_fn;

use serde_json::Value;

use super::products::PRODUCTS;

/// How many units of each product, which go by their index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Units([u64; PRODUCTS.len()]);

impl Units {
    pub(super) fn of(product: usize, quantity: u64) -> Self {
        Self::default().with(product, quantity)
    }

    /// The same, and so many of this product.
    pub(super) fn with(mut self, product: usize, quantity: u64) -> Self {
        self.0[product] = quantity;
        self
    }

    pub(super) fn get(self, product: usize) -> u64 {
        self.0[product]
    }

    /// Products of which there are some, with how many there are.
    pub(super) fn iter(self) -> impl Iterator<Item = (usize, u64)> {
        self.0.into_iter().enumerate().filter(|(_, quantity)| *quantity > 0)
    }

    /// How many in all.
    pub(super) fn count(self) -> u64 {
        self.0.iter().sum()
    }

    /// The points that they cost.
    pub(super) fn cost(self) -> u64 {
        self.iter().map(|(product, quantity)| PRODUCTS[product].1 * quantity).sum()
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self(from_fn(|product| self.get(product) + other.get(product)))
    }

    /// What is left without others, which are among them.
    pub(super) fn minus(self, others: Self) -> Self {
        Self(from_fn(|product| self.get(product) - others.get(product)))
    }

    /// What an order is of, as the server shows it; `None` when that makes no sense.
    pub(super) fn shown(order: &Value) -> Option<Self> {
        let of = |item: &Value| {
            let id = item["productId"].as_str()?;
            let product = PRODUCTS.iter().position(|(name, _)| *name == id)?;
            Some((product, item["quantity"].as_u64()?))
        };
        let Some(items) = order["items"].as_array() else {
            return of(order).map(|(product, quantity)| Self::of(product, quantity));
        };
        let units = items.iter().try_fold(Self::default(), |units, item| {
            let (product, quantity) = of(item)?;
            (units.get(product) == 0).then(|| units.with(product, quantity))
        })?;
        let is_whole = order["productId"] == items.first()?["productId"]
            && order["quantity"].as_u64() == Some(units.count());
        is_whole.then_some(units)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_order_is_read_as_the_units_it_is_of() {
        let kfc = json!({"productId": "prod_kfc", "quantity": 2});
        assert_eq!(Units::shown(&kfc), Some(Units::of(3, 2)));
        let basket = |quantity: u64, first: &str| {
            let movie = json!({"productId": "prod_movie", "quantity": 1});
            json!({"productId": first, "quantity": quantity, "items": [kfc, movie]})
        };
        let both = Units::of(3, 2).with(4, 1);
        assert_eq!(Units::shown(&basket(3, "prod_kfc")), Some(both));
        assert_eq!((both.count(), both.cost()), (3, 2 * 8_900 + 4_500));
        assert_eq!(both.minus(Units::of(3, 2)).plus(Units::of(3, 1)), Units::of(3, 1).with(4, 1));
        for wrong in [
            basket(2, "prod_kfc"),
            basket(3, "prod_movie"),
            json!({"productId": "prod_tea", "quantity": 1}),
            json!({"productId": "prod_kfc", "quantity": 2, "items": []}),
        ] {
            assert_eq!(Units::shown(&wrong), None, "{wrong}");
        }
    }
}
