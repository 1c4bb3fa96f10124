//! What others reached on this kind of machine (2 cores, generator on the same ones), each durable.
//! Taken on another day than any run of ours: `docs/benchmarks.md` has where they come from.

pub(super) const TIGERBEETLE_RESERVES: (&str, f64) = ("TigerBeetle, batches of 8,189", 0.8e6);
pub(super) const TIGERBEETLE_COMPLETED: (&str, f64) = ("TigerBeetle, batches of 8,189", 197e3);
pub(super) const TIGERBEETLE_CALLERS: (&str, f64) = ("TigerBeetle, 256 tasks", 32e3);
pub(super) const TIGERBEETLE_CALLERS_P99_MS: (&str, f64) = ("TigerBeetle, 256 tasks", 26.0);
pub(super) const TIGERBEETLE_SOLD_OUT: (&str, f64) = ("TigerBeetle, batches of 8,189", 1.8e6);
