//! Trials of the whole: simulated crashes, a server under attack, a flash sale, and measurements.

#[cfg(feature = "server")]
pub(crate) mod bench;
#[cfg(feature = "server")]
mod client;
#[cfg(feature = "server")]
pub(crate) mod flash_sale;
#[cfg(not(stockhold_loom))]
pub(crate) mod simulate;
#[cfg(feature = "server")]
pub(crate) mod soak;
