//! What no product and no balance could make right of an exchange.

use serde_json::{Map, Value};

use super::{Exchange, ITEMS_MAX, ORDER_QUANTITY_MAX};
use crate::base::error::{Error, Result};

/// The deepest nesting of a delivery's details: they are read back by code that recurses.
const DELIVERY_DEPTH_MAX: usize = 16;

/// Rejects what no product and no balance could make right.
pub(super) fn check(request: &Exchange<'_>) -> Result<()> {
    if !(1..=ITEMS_MAX).contains(&request.items.len()) {
        return Err(Error::invalid(format!("items must be 1 to {ITEMS_MAX}")));
    }
    let mut sum: u64 = 0;
    for (at, wanted) in request.items.iter().enumerate() {
        let path = |field: &str| match request.is_basket {
            true => format!("items[{at}].{field}"),
            false => field.to_owned(),
        };
        sum = sum.saturating_add(wanted.quantity);
        if wanted.quantity == 0 || sum > ORDER_QUANTITY_MAX {
            let all = if at > 0 { ", with those before it" } else { "" };
            return Err(Error::invalid(format!(
                "{} must be 1 to {ORDER_QUANTITY_MAX}{all}",
                path("quantity")
            )));
        }
        if request.items[..at].iter().any(|before| before.product_id == wanted.product_id) {
            return Err(Error::invalid(format!(
                "{} names a product that is named before",
                path("productId")
            )));
        }
    }
    request.delivery_info.map_or(Ok(()), check_delivery)
}

/// Rejects details of a delivery that could not be read back.
pub(in crate::mall) fn check_delivery(info: &Map<String, Value>) -> Result<()> {
    if info.values().any(|value| depth(value) >= DELIVERY_DEPTH_MAX) {
        return Err(Error::invalid(format!(
            "deliveryInfo may be nested {DELIVERY_DEPTH_MAX} levels deep at most"
        )));
    }
    Ok(())
}

/// Levels of nesting. Recursion is bounded by the parsers, which refuse what is nested very deep.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_levels() {
        assert_eq!(depth(&serde_json::json!(1)), 0);
        assert_eq!(depth(&serde_json::json!({"a": [1, {"b": 2}]})), 3);
    }
}
