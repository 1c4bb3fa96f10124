//! Opening an engine, step by step: the lock, the newest snapshot and the journal after it, history
//! and claims, and the threads last. Beside it what may be chosen first, and other ways of opening.

pub(in crate::engine) mod background;
pub(in crate::engine) mod bound;
pub(in crate::engine) mod builder;
mod history;
mod in_memory;
pub(crate) mod loss;
#[cfg(any(all(test, not(stockhold_loom)), feature = "bin"))]
pub(in crate::engine) mod mend;
mod open;
mod recover;
mod standby;
#[cfg(any(test, feature = "bin"))]
mod stepped;
pub(in crate::engine) mod threads;
#[cfg(any(all(test, not(stockhold_loom)), feature = "bin"))]
pub(crate) mod warm;
