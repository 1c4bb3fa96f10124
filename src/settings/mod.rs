//! The server's settings, a row of a table each: a flag goes before the environment, that before
//! the file, that before the default.

mod config;
pub(crate) mod duration;
mod flags;
mod given;
mod log;
mod look;
pub(crate) mod secret;
mod setting;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use config::{BackupConfig, Config, KeysUrl, PointsConfig, TlsFiles, TracesConfig};
#[cfg(feature = "mysql")]
pub(crate) use flags::OfMirror;
pub(crate) use flags::{
    Flags, OfData, OfPoints, OfPointsService, OfProbe, OfReport, OfServer, OfTokens,
};
pub(crate) use given::Wrong;
pub(crate) use log::{LogConfig, LogFormat, LogUserIds};
pub(crate) use look::Looked;

/// The log as it is unless it is set.
#[cfg(test)]
pub(crate) fn log_for_tests() -> LogConfig {
    given::Given::nothing().check().expect("valid defaults").log
}
