//! How a line of the log is written.

use crate::base::error::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl LogFormat {
    pub(crate) fn parse(name: &str) -> Result<Self> {
        match name {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => {
                Err(Error::invalid(format!("log_format is {name:?}: it must be one of text, json")))
            }
        }
    }
}
