//! The commands that look at a data directory: `verify`, and what goes with it. They take the
//! directory as their argument and change nothing in it, unless their name says so.

mod event;
mod inspect;
mod life;
mod names;
mod out;
mod progress;
mod rebuild;
mod state;
mod table;
mod time;
mod verify;

pub(super) use inspect::{InspectArgs, inspect};
pub(super) use progress::Progress;
pub(super) use rebuild::{RebuildArgs, rebuild};
pub(super) use state::{StateArgs, state};
pub(super) use table::table;
pub(super) use time::{Moment, parse_moment, parse_time, show_time};
pub(super) use verify::{VerifyArgs, verify};
