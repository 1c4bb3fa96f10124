//! What customers do: look, buy, and look after their orders.

pub(in crate::http) mod catalogue;
pub(in crate::http) mod exchange;
pub(in crate::http) mod orders;
pub(in crate::http) mod preferences;
pub(in crate::http) mod recommend;
pub(in crate::http) mod waiting;
