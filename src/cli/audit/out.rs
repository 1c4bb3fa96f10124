//! Standard output, for a program that may print millions of lines to a reader that leaves early.

use std::io::{BufWriter, ErrorKind, StdoutLock, Write, stdout};

use serde::Serialize;

use crate::base::error::{Error, Result};

pub(super) struct Out(BufWriter<StdoutLock<'static>>);

impl Out {
    pub(super) fn new() -> Self {
        Self(BufWriter::with_capacity(64 << 10, stdout().lock()))
    }

    /// Prints a line; false when nobody reads any more.
    pub(super) fn line(&mut self, line: &str) -> Result<bool> {
        let written = self.0.write_all(line.as_bytes()).and_then(|()| self.0.write_all(b"\n"));
        reader_is_there(written)
    }

    /// Prints a value as a line of JSON; false when nobody reads any more.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<bool> {
        let line = serde_json::to_string(value);
        self.line(
            &line.map_err(|cause| {
                Error::unavailable("a line cannot be written").with_source(cause)
            })?,
        )
    }

    pub(super) fn finish(mut self) -> Result<()> {
        reader_is_there(self.0.flush()).map(drop)
    }
}

fn reader_is_there(written: std::io::Result<()>) -> Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Error::io("printing", error)),
    }
}
