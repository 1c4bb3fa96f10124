//! `stockhold serve --background`: a server in a process of its own, for whoever waits until it serves.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::greeting::IS_SERVING;
use crate::base::error::{Error, Result};
use crate::process::print;

/// The flag, which the other process does not get.
const FLAG: &str = "--background";

/// Starts a server with the arguments of this process, and waits until it serves.
///
/// # Errors
/// `Unavailable` when it does not start, or ends before it serves; it has said why.
pub(super) fn serve() -> Result<()> {
    let failed = |cause| Error::io("starting a server", cause);
    let program = std::env::current_exe().map_err(failed)?;
    let args: Vec<OsString> = std::env::args_os().skip(1).filter(|arg| arg != FLAG).collect();
    let mut command = Command::new(program);
    let mut server =
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let said = server.stdout.take().map(BufReader::new);
    for line in said.into_iter().flat_map(|said| said.lines()) {
        let line = line.map_err(failed)?;
        if line.starts_with(IS_SERVING) {
            return print(&format!("{line}\n"));
        }
    }
    let ended = server.wait().map_err(failed)?;
    Err(Error::unavailable(format!("the server ended before it served: {ended}")))
}
