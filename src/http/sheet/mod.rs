//! Files of many lines, as operators send and are sent them.

pub(crate) mod catalogue;
mod table;

pub(crate) use table::{Cell, Columns, Sheet, rows};
#[cfg(feature = "bin")]
pub(crate) use table::{Lines, Reads};
