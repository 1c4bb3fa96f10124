//! Commands on a directory that an engine of this process left, and engines on what commands left.
//! One module for each scenario.
#![cfg(feature = "bin")]

#[path = "../support/mod.rs"]
mod support;

mod catalogue;
mod clock;
mod fixture_v1;
mod import;
mod import_killed;
mod loss;
mod newer;
mod points;
mod report;
