//! `stockhold probe`: whether a server on this machine lives, for whoever has no other way to ask.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use hyper::body::Bytes;
use hyper::{HeaderMap, Method, StatusCode};

use super::report::at_home;
use crate::base::error::{Error, Result};
use crate::outgoing::{Client, Endpoint, Guard, Limits, Sent, Trust};
use crate::process::{print, runtime};
use crate::settings::{Flags, OfProbe};

/// An answer is less than a page.
const LIMITS: Limits = Limits {
    connect_timeout: Duration::from_secs(1),
    timeout: Duration::from_secs(2),
    body_bytes_max: 64 << 10,
};

#[derive(Args)]
pub(super) struct ProbeArgs {
    /// What to ask
    #[arg(value_enum)]
    what: What,
    #[command(flatten)]
    settings: Flags<OfProbe>,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Whether it lives: only a restart helps when not
    Health,
    /// Whether it should be sent requests
    Ready,
}

/// Prints what the server says, and exits with 1 unless it says yes.
pub(super) fn probe(args: &ProbeArgs) -> Result<ExitCode> {
    let address = at_home(&args.settings.settings()?.listen)?;
    let path = match args.what {
        What::Health => "health",
        What::Ready => "ready",
    };
    let (status, said) = ask(address, path)?;
    print(&format!("{}\n", said.trim_end()))?;
    Ok(if status == StatusCode::OK { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn ask(address: SocketAddr, path: &str) -> Result<(StatusCode, String)> {
    let url = format!("http://{address}/{path}");
    let endpoint = Endpoint::parse(&url)?;
    let client = Client::new(Guard::new([endpoint.host().to_owned()]), Trust::new(None)?, LIMITS);
    let sent = Sent { method: Method::GET, headers: HeaderMap::new(), body: Bytes::new() };
    let answer = runtime()?.block_on(client.send(&endpoint, sent));
    let answer = answer.map_err(|error| Error::unavailable(format!("{url}: {error}")))?;
    Ok((answer.status, String::from_utf8_lossy(&answer.body).into_owned()))
}
