//! Logs, on standard error.

use tracing_subscriber::EnvFilter;

use crate::error::{Error, Result};

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogFormat {
    Text,
    Json,
}

impl LogFormat {
    pub(super) fn parse(name: &str) -> Result<Self> {
        match name {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(Error::invalid(format!("log_format is {name:?}: it must be one of text, json"))),
        }
    }
}

/// Starts logging at `info`, or as `RUST_LOG` says.
pub(super) fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    let started = match format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        // Somebody installed a subscriber before, which then gets our lines.
        tracing::debug!("logging had been started");
    }
}
