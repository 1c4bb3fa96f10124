//! What a process of ours does with its surroundings: the terminal, the log, signals, threads and
//! file descriptors.

pub(crate) mod activation;
pub(crate) mod descriptors;
pub(crate) mod handover;
pub(crate) mod logs;
pub(crate) mod notify;
mod print;
mod runtime;
pub(crate) mod stop;
#[cfg(feature = "otel")]
pub(crate) mod traces;
#[cfg(not(feature = "otel"))]
#[path = "traces/absent.rs"]
pub(crate) mod traces;

pub(crate) use print::print;
pub(crate) use runtime::runtime;
