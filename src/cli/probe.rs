//! `stockhold probe`: whether a server on this machine lives, for whoever has no other way to ask.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::header::HOST;
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::report::near;
use crate::base::error::{Error, Result};
use crate::http::Place;
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
    let listen = args.settings.settings()?.listen;
    let path = match args.what {
        What::Health => "health",
        What::Ready => "ready",
    };
    let (status, said) = match listen.first() {
        Some(Place::Unix(socket)) => runtime()?.block_on(ask_by(socket, path))?,
        Some(Place::Tcp(address)) => ask("http", *address, path)?,
        Some(Place::Tls(address)) => ask("https", *address, path)?,
        None => return Err(Error::invalid("listen has no place that could be asked")),
    };
    print(&format!("{}\n", said.trim_end()))?;
    Ok(if status == StatusCode::OK { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn ask(scheme: &str, listen: SocketAddr, path: &str) -> Result<(StatusCode, String)> {
    let url = format!("{scheme}://{}/{path}", near(listen));
    let endpoint = Endpoint::parse(&url)?;
    // The certificate is of the shop's name, and this is an address of the machine. Nothing secret is
    // sent there, and a certificate that is not good any more is no reason for a restart.
    let client = Client::new(Guard::new([endpoint.host().to_owned()]), Trust::anybody()?, LIMITS);
    let sent = Sent { method: Method::GET, headers: HeaderMap::new(), body: Bytes::new() };
    let answer = runtime()?.block_on(client.send(&endpoint, sent));
    let answer = answer.map_err(|error| Error::unavailable(format!("{url}: {error}")))?;
    Ok((answer.status, String::from_utf8_lossy(&answer.body).into_owned()))
}

/// The same by a Unix socket.
async fn ask_by(socket: &Path, path: &str) -> Result<(StatusCode, String)> {
    let failed = |what: &dyn std::fmt::Display| {
        Error::unavailable(format!("unix:{}: {what}", socket.display()))
    };
    let asked = async {
        let stream = UnixStream::connect(socket).await.map_err(|error| failed(&error))?;
        let shaken = handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|error| failed(&error))?;
        // It ends with the runtime.
        tokio::spawn(connection);
        let request = Request::get(format!("/{path}")).header(HOST, "localhost");
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| failed(&error))?;
        let answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
        let (status, body) = (answer.status(), answer.into_body());
        let body = Limited::new(body, LIMITS.body_bytes_max).collect().await;
        let body = body.map_err(|error| failed(&error))?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    };
    let answered = tokio::time::timeout(LIMITS.timeout, asked).await;
    answered.unwrap_or_else(|_| Err(failed(&"no answer in time")))
}
