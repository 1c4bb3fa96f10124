//! A product of the catalogue as readers share it.

use crate::base::AccountId;
use crate::mall::facts::document::{Kept, Stamp, Tag};
use crate::mall::model::Product;

/// A product with what belongs to it looked up once.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) product: Product,
    /// The account of its stock.
    pub(crate) stock: AccountId,
    pub(crate) stamp: Stamp,
    pub(crate) tag: Tag,
}

impl Item {
    pub(super) fn new(kept: Kept<Product>, stock: AccountId) -> Self {
        let Kept { content: product, stamp, tag } = kept;
        Self { product, stock, stamp, tag }
    }
}
