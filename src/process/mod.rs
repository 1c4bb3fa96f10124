//! What a process of ours does with its surroundings: the terminal, the log, signals, threads and
//! file descriptors.

pub(crate) mod activation;
pub(crate) mod descriptors;
pub(crate) mod logs;
pub(crate) mod notify;
mod print;
mod runtime;
pub(crate) mod stop;

pub(crate) use print::print;
pub(crate) use runtime::runtime;
