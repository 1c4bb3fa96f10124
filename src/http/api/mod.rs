//! What each endpoint answers.

pub(super) mod admin;
pub(super) mod catalogue;
pub(super) mod exchange;
pub(super) mod health;
pub(super) mod mirror;
pub(super) mod orders;
pub(super) mod points;
