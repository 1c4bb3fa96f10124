//! A mall to test against, in this process or in a child process, and a client that speaks to it.
#![allow(
    missing_docs,
    dead_code,
    unused_imports,
    reason = "each test uses its part of this module"
)]
#![allow(clippy::disallowed_methods, reason = "tests keep files of their own")]

mod client;
mod hook;
mod process;
mod shop;

pub use client::{Client, Reply, raw};
pub use hook::{Answer, Hook, Told, by_order, signature};
pub use process::{PROGRAM, Process, demo_token, exit_code, isolated, run, stockhold};
pub use shop::{NOW_MS, SECRET, Setup, Shop, product, token, token_made, token_until};
