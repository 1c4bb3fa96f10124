//! What operators do: the catalogue, orders, points, stock, the clock and the mirror.

pub(in crate::http) mod alerts;
pub(in crate::http) mod categories;
pub(in crate::http) mod clock;
pub(in crate::http) mod documents;
pub(in crate::http) mod experiments;
pub(in crate::http) mod held;
pub(in crate::http) mod leaks;
pub(in crate::http) mod levels;
pub(in crate::http) mod mirror;
pub(in crate::http) mod orders;
pub(in crate::http) mod points;
pub(in crate::http) mod preferences;
pub(in crate::http) mod products;
pub(in crate::http) mod records;
pub(in crate::http) mod reports;
pub(in crate::http) mod revocations;
pub(in crate::http) mod sagas;
pub(in crate::http) mod status;
pub(in crate::http) mod stock;
pub(in crate::http) mod views;
pub(in crate::http) mod webhooks;

use std::borrow::Cow;

use crate::http::auth::Identity;
use crate::mall::Note;

/// A reason with who gives it.
pub(in crate::http) fn note<'a>(identity: &'a Identity, reason: Option<&'a str>) -> Cow<'a, str> {
    Note { operator: Some(identity.user.id()), reason: reason.unwrap_or_default() }.text()
}
