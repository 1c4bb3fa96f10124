//! The commands that look at a data directory: `verify`, and what goes with it. They take the directory as their argument
//! and change nothing in it, unless their name says so.

mod progress;
mod table;
mod time;
mod verify;

pub(super) use verify::{VerifyArgs, verify};
