//! The shop's pages.

pub(super) mod exchange;
pub(super) mod home;
pub(super) mod list;
pub(super) mod order;
pub(super) mod orders;
mod part;
pub(super) mod points;
pub(super) mod preferences;
pub(super) mod product;
pub(super) mod sale;
