//! What each endpoint answers, grouped by caller and subject.

pub(super) mod admin;
pub(super) mod csv;
pub(super) mod health;
pub(super) mod ledger;
pub(super) mod manual;
pub(super) mod metrics;
pub(super) mod order;
pub(super) mod orders;
pub(super) mod points;
pub(super) mod shop;
