//! What the settings say of the log.

use std::path::PathBuf;
use std::time::Duration;

use crate::base::error::Error;

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// What a line of the log tells of who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogUserIds {
    /// The user's id.
    Shown,
    /// A keyed hash of it: lines of one user can be told to be so.
    Hashed,
    /// That there is one.
    Hidden,
}

/// The log.
#[derive(Clone, Debug)]
pub(crate) struct LogConfig {
    pub(crate) format: LogFormat,
    /// The least severe level that is logged, unless `RUST_LOG` says otherwise.
    pub(crate) level: &'static str,
    /// What the lines say that they are of.
    pub(crate) service: String,
    pub(crate) user_ids: LogUserIds,
    /// `None` for standard error.
    pub(crate) file: Option<PathBuf>,
    /// How long a file may become before the next one is begun, in bytes; `None` for any length.
    pub(crate) file_bytes_max: Option<u64>,
    /// After which time it is begun anew, from whole times since 1970 on; `None` for never.
    pub(crate) file_period: Option<Duration>,
    /// How many files are kept beside the one that is written.
    pub(crate) files_kept: u64,
}

impl LogConfig {
    /// # Errors
    /// `Invalid`, with the name of a setting of a file where there is none.
    pub(super) fn check(&self) -> Result<(), (&'static str, Error)> {
        let lacking = match (&self.file, self.file_bytes_max, self.file_period) {
            (None, Some(_), _) => "log_file_bytes",
            (None, None, Some(_)) => "log_file_period",
            (Some(_), ..) | (None, None, None) => return Ok(()),
        };
        Err((lacking, Error::invalid(format!("{lacking} is set, but there is no log_file"))))
    }

    /// Before anything is set.
    pub(super) fn unset() -> Self {
        Self {
            format: LogFormat::Text,
            level: "info",
            service: String::new(),
            user_ids: LogUserIds::Shown,
            file: None,
            file_bytes_max: None,
            file_period: None,
            files_kept: 0,
        }
    }
}
