//! What there is to buy.

/// A product of the demo, with its price.
pub(super) const PRODUCTS: [(&str, u64); 5] = [
    ("prod_iphone15", 999_900),
    ("prod_airpods", 189_900),
    ("prod_starbucks", 3_500),
    ("prod_kfc", 8_900),
    ("prod_movie", 4_500),
];
