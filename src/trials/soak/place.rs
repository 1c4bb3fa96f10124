//! Places in lines, as far as a caller knows of them.

use super::products::PRODUCTS;
use crate::base::{ReservationId, TimeMs};

/// Since when somebody is in the line for each product.
pub(super) type InLine = [Option<TimeMs>; PRODUCTS.len()];

/// A user in the line for a product.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    /// Since when they wait, where that was told and nothing has happened to it since.
    pub(super) since: Option<TimeMs>,
    /// How often they may be served at most: once for each place that they may have been given.
    pub(super) grants: u64,
}

/// An order that others may have been before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suspect {
    pub(super) order: ReservationId,
    pub(super) waiting: usize,
    pub(super) product: usize,
    pub(super) since: TimeMs,
}
