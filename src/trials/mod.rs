//! Trials of the whole: simulated crashes, a server under attack, a flash sale, and measurements.

#[cfg(feature = "bin")]
pub(crate) mod bench;
#[cfg(feature = "bin")]
mod client;
#[cfg(feature = "bin")]
pub(crate) mod evaluate;
#[cfg(feature = "bin")]
pub(crate) mod flash_sale;
#[cfg_attr(
    not(feature = "test-util"),
    allow(unused, reason = "tests outside the crate ask more of it")
)]
pub mod oracle;
#[cfg(feature = "bin")]
pub(crate) mod points_service;
#[cfg(all(any(test, feature = "bin"), not(stockhold_loom)))]
pub(crate) mod simulate;
#[cfg(feature = "bin")]
pub(crate) mod soak;

#[cfg(feature = "bin")]
pub(crate) use client::Client;
