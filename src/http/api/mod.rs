//! What each endpoint answers, grouped by who asks for what.

pub(super) mod admin;
pub(super) mod csv;
pub(super) mod health;
pub(super) mod order;
pub(super) mod orders;
pub(super) mod points;
pub(super) mod shop;
