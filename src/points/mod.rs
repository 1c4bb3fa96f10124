//! A service that keeps points, over HTTP: docs/points-service.md is its protocol.
//!
//! The mall knows it by its trait alone; this is the one that calls.

mod client;
#[cfg(test)]
mod tests;

pub(crate) use client::{Client, ServiceConfig};
