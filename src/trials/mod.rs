//! Trials of the whole: simulated crashes, a server under attack, a flash sale, and measurements.

#[cfg(feature = "bin")]
pub(crate) mod bench;
#[cfg(feature = "bin")]
mod client;
#[cfg(feature = "bin")]
pub(crate) mod flash_sale;
#[cfg(not(stockhold_loom))]
pub(crate) mod simulate;
#[cfg(feature = "bin")]
pub(crate) mod soak;
