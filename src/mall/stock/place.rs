//! Where units of a product are: what is sold from, and any number of locations beside it. Each is
//! an account of its own, so that nothing is sold from a location, and a transfer is one step.

use crate::base::error::{Error, Result};
use crate::base::{AccountId, AccountKey};
use crate::engine::Engine;
use crate::ledger::Level;
use crate::mall::{Failure, Mall};

/// How long the name of a location may be.
pub(crate) const LOCATION_CHARS_MAX: usize = 32;
/// How many locations a product may have.
const LOCATIONS_MAX: usize = 64;

/// Where units of a product are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) product_id: &'a str,
    /// `None` is what is sold from.
    pub(crate) location: Option<&'a str>,
}

impl<'a> Place<'a> {
    /// What is sold from.
    #[cfg(feature = "server")]
    pub(crate) fn for_sale(product_id: &'a str) -> Self {
        Self { product_id, location: None }
    }
}

/// Whether a location may have this name.
pub(crate) fn is_location(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    (1..=LOCATION_CHARS_MAX).contains(&name.len()) && name.bytes().all(allowed)
}

/// The locations of a product, by their names.
pub(in crate::mall) fn locations(engine: &Engine, product_id: &str) -> Vec<Level> {
    // All of them are in the shard of the product.
    let pages = engine.accounts_with_prefix(&format!("stock/{product_id}/"));
    let mut found: Vec<Level> = pages.flatten().filter(|level| !level.closed).collect();
    found.sort_by(|a, b| a.key.cmp(&b.key));
    found
}

impl Mall {
    /// The account of a place that units were brought to before.
    pub(super) fn place(&self, place: Place<'_>) -> Result<AccountId, Failure> {
        let item = self.any_item(place.product_id)?;
        let Some(location) = place.location else {
            return Ok(item.stock);
        };
        let key = AccountKey::stock_at(place.product_id, location)?;
        let no_such = || Error::not_found(format!("the product has no location {location}"));
        Ok(self.engine().account(&key).ok_or_else(no_such)?)
    }

    /// The account of a place that units come to: a location begins with the first of them.
    pub(super) async fn place_to_fill(&self, place: Place<'_>) -> Result<AccountId, Failure> {
        let item = self.any_item(place.product_id)?;
        let Some(location) = place.location else {
            return Ok(item.stock);
        };
        let key = AccountKey::stock_at(place.product_id, location)?;
        if let Some(account) = self.engine().account(&key) {
            return Ok(account);
        }
        let mall = self.clone();
        let opened = self.act(move || mall.begin_location(&key)).await?;
        opened.ok_or(Failure::ProductNotFound)
    }

    /// `None` when the product is gone. While the catalogue stands still: whoever removes a product
    /// closes its locations, and none begins behind that.
    fn begin_location(&self, key: &AccountKey) -> Result<Option<AccountId>> {
        self.shared.catalogue.while_still(|shelf| {
            if shelf.any_item(key.owner()).is_none() {
                return Ok(None);
            }
            let engine = self.engine();
            if engine.account(key).is_none()
                && locations(engine, key.owner()).len() >= LOCATIONS_MAX
            {
                let why = format!("a product has at most {LOCATIONS_MAX} locations");
                return Err(Error::invalid(why));
            }
            crate::mall::account(engine, key).map(Some)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_has_a_short_plain_name() {
        let long = "x".repeat(LOCATION_CHARS_MAX);
        for name in ["north", "A-1", "shelf_2.left", "7", &long] {
            assert!(is_location(name), "{name}");
            assert!(AccountKey::stock_at("tea@shop", name).is_ok(), "{name}");
        }
        let too_long = format!("{long}x");
        for name in ["", "a b", "a/b", "a@b", "a:b", "\u{4ed3}", "a\n", &too_long] {
            assert!(!is_location(name), "{name:?}");
        }
    }
}
