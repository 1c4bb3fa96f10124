//! The products that are wanted, as they are on the shelf: what they cost, and what an order keeps of
//! them.

use super::{DETAILS_BYTES_MAX, Exchange};
use crate::base::QUANTITY_MAX;
use crate::base::error::{Error, Result};
use crate::mall::facts::{Details, OrderItem, Snapshot};
use crate::mall::levels::Terms;
use crate::mall::{Item, PurchaseLimit, User};

/// A product that is wanted, as it is on the shelf.
pub(super) struct Chosen<'a> {
    pub(super) item: &'a Item,
    pub(super) quantity: u64,
    /// What one unit costs this user.
    price: u64,
    /// How many this user may take.
    pub(super) limit: Option<PurchaseLimit>,
    pub(super) points_cost: u64,
}

impl<'a> Chosen<'a> {
    pub(super) fn of(terms: &Terms<'_>, item: &'a Item, quantity: u64) -> Result<Self> {
        let (price, limit) = (terms.price(&item.product)?, terms.limit(&item.product)?);
        Ok(Self { item, quantity, price, limit, points_cost: cost(price, quantity)? })
    }
}

fn cost(price: u64, quantity: u64) -> Result<u64> {
    let cost = price.checked_mul(quantity).filter(|&cost| cost <= QUANTITY_MAX);
    cost.ok_or_else(|| Error::invalid("the order costs more points than can be counted"))
}

pub(super) fn add_cost(sum: u64, cost: u64) -> Result<u64> {
    let sum = sum.checked_add(cost).filter(|&sum| sum <= QUANTITY_MAX);
    sum.ok_or_else(|| Error::invalid("the order costs more points than can be counted"))
}

pub(super) fn details(
    user: &User,
    chosen: &[Chosen<'_>],
    request: &Exchange<'_>,
    points_cost: u64,
    elsewhere: bool,
) -> Result<Vec<u8>> {
    let first = chosen.first().ok_or_else(|| Error::invalid("items must not be empty"))?;
    let items = chosen.iter().filter(|_| request.is_basket).map(|it| OrderItem {
        product: Snapshot::of(&it.item.product, it.price),
        quantity: it.quantity,
    });
    let details = Details {
        user: user.id(),
        quantity: chosen.iter().map(|it| it.quantity).sum(),
        points_cost,
        product: Snapshot::of(&first.item.product, first.price),
        delivery_info: request.delivery_info,
        service: user.service(),
        elsewhere,
    };
    let encoded = details.encode(&items.collect::<Vec<_>>())?;
    if encoded.len() > DETAILS_BYTES_MAX {
        return Err(Error::invalid(format!(
            "the order's details are longer than {DETAILS_BYTES_MAX} bytes"
        )));
    }
    Ok(encoded)
}
