//! The server's settings, a row of a table each: a flag goes before the environment, that before
//! the file, that before the default.

mod config;
pub(crate) mod duration;
mod flags;
mod given;
pub(crate) mod secret;
mod setting;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use config::{Config, KeysUrl, LogFormat, PointsConfig};
#[cfg(feature = "mysql")]
pub(crate) use flags::OfMirror;
pub(crate) use flags::{Flags, OfData, OfPoints, OfPointsService, OfReport, OfServer, OfTokens};
