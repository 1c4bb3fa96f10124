//! What a basket is of, as a column of its order: so it is written, owned and reloaded with that
//! row, and is there as soon as it is.

use serde::Serialize;

use crate::mall::facts::{OrderDetails, OrderItem, SnapshotShown};
use crate::sink::mysql::value::json;

/// A product of a basket, as the API shows it, with what it cost.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemShown<'a> {
    product_id: &'a str,
    product_snapshot: SnapshotShown<'a>,
    quantity: u64,
    /// `None` where the numbers are none that an exchange could have had.
    points_cost: Option<u64>,
}

impl<'a> ItemShown<'a> {
    fn of(item: &'a OrderItem<String>) -> Self {
        let OrderItem { product, quantity } = item;
        Self {
            product_id: &product.id,
            product_snapshot: product.shown(),
            quantity: *quantity,
            points_cost: product.points_price.checked_mul(*quantity),
        }
    }
}

/// The products of a basket; `None` where the order is of one product.
pub(super) fn items(details: &OrderDetails) -> Option<String> {
    let items: Vec<ItemShown<'_>> = details.items.iter().map(ItemShown::of).collect();
    (!items.is_empty()).then(|| json(&items))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mall::facts::Snapshot;

    fn product(id: &str, points_price: u64) -> Snapshot<String> {
        let category_id = "food".to_owned();
        Snapshot {
            id: id.to_owned(),
            name: id.to_uppercase(),
            category_id,
            points_price,
            image: None,
            original_price_cents: None,
        }
    }

    #[test]
    fn a_basket_tells_its_products_and_another_order_none() {
        let items_of = |items: Vec<OrderItem<String>>| {
            super::items(&OrderDetails {
                user: "ann".to_owned(),
                quantity: 5,
                points_cost: 12,
                product: product("tea", 2),
                delivery_info: None,
                service: None,
                elsewhere: false,
                items,
            })
        };
        assert_eq!(items_of(Vec::new()), None);
        let basket = vec![
            OrderItem { product: product("tea", 2), quantity: 3 },
            OrderItem { product: product("milk", 3), quantity: 2 },
        ];
        let tea = r#"{"id":"tea","name":"TEA","categoryId":"food","pointsPrice":2,"image":null}"#;
        let milk =
            r#"{"id":"milk","name":"MILK","categoryId":"food","pointsPrice":3,"image":null}"#;
        let shown = |id, snapshot, rest| {
            format!(r#"{{"productId":"{id}","productSnapshot":{snapshot},{rest}}}"#)
        };
        let expected = format!(
            "[{},{}]",
            shown("tea", tea, r#""quantity":3,"pointsCost":6"#),
            shown("milk", milk, r#""quantity":2,"pointsCost":6"#)
        );
        assert_eq!(items_of(basket), Some(expected));
    }
}
