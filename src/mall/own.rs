//! Which accounts are the mall's own, so that nobody else changes what it reads from them.

use super::facts::OrderDetails;
use crate::base::{AccountKey, AccountKind};

/// Whether the mall keeps this account: stock, points, limits, and what it counts beside them under
/// names that begin so.
pub(crate) fn is_of_mall(key: &AccountKey) -> bool {
    match key.kind() {
        AccountKind::Stock | AccountKind::Points | AccountKind::Quota => true,
        AccountKind::Custom => {
            let first = key.kind_name().split_once('-').map(|(first, _)| first);
            matches!(first, Some("stock" | "points" | "quota" | "mall"))
        }
    }
}

/// Whether a reservation with these details would be taken for an order.
pub(crate) fn is_like_order(details: &[u8]) -> bool {
    OrderDetails::read(details).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_of_the_mall_are_known_by_their_names() {
        for (key, expected) in [
            ("stock/tea", true),
            ("stock/tea/north", true),
            ("points/ann", true),
            ("quota/ann/tea", true),
            ("points-moved/ann", true),
            ("mall-anything/ann", true),
            ("seat/hall-1/12", false),
            ("stocks/tea", false),
            ("wallet-eur/ann", false),
        ] {
            assert_eq!(is_of_mall(&key.parse().expect("a key")), expected, "{key}");
        }
    }
}
