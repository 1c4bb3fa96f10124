//! One request and its answer, each on a connection of its own.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::endpoint::Endpoint;
use super::guard::Guard;
use super::resolve::{self, Resolver};
use super::tls::Trust;

/// The longest head of an answer, in bytes: hyper takes no less than 8 KiB.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// What the other side may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How long until there is a connection, with the look-up of the name and TLS.
    pub(crate) connect_timeout: Duration,
    /// How long for everything together.
    pub(crate) timeout: Duration,
    /// How much of an answer's body is read, in bytes; the rest is not.
    pub(crate) body_bytes_max: usize,
}

/// A request.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) method: Method,
    /// Without `Host` and without the length of the body.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// An answer. One that sends elsewhere is an answer like any other.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether the body is not whole: it was too long, took too long, or broke off.
    pub(crate) is_cut: bool,
}

/// An answer whose body is still to come.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Incoming,
    /// What carries the connection. Dropped with the rest, the connection ends.
    _beside: JoinSet<Result<(), hyper::Error>>,
}

/// Why there was no answer.
#[derive(Debug)]
pub(crate) enum SendError {
    /// The name stands for no address.
    Unresolved(io::Error),
    /// No address that it stands for may be connected to.
    Forbidden,
    Unreachable(io::Error),
    /// There was a connection, and no TLS on it.
    Tls(io::Error),
    /// There was no connection in time.
    ConnectTimeout,
    /// There was no answer in time.
    Timeout,
    /// The connection broke off, or what came was no answer.
    Broken(hyper::Error),
    /// The request cannot be written.
    Unwritable(hyper::http::Error),
}

impl SendError {
    /// Whether the other side may have received the request.
    pub(crate) fn may_have_arrived(&self) -> bool {
        match self {
            Self::Timeout | Self::Broken(_) => true,
            Self::Unresolved(_)
            | Self::Forbidden
            | Self::Unreachable(_)
            | Self::Tls(_)
            | Self::ConnectTimeout
            | Self::Unwritable(_) => false,
        }
    }

    /// Its name, for programs.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Unresolved(_) => "unresolved",
            Self::Forbidden => "forbiddenAddress",
            Self::Unreachable(_) => "unreachable",
            Self::Tls(_) => "tls",
            Self::ConnectTimeout => "connectTimeout",
            Self::Timeout => "timeout",
            Self::Broken(_) => "broken",
            Self::Unwritable(_) => "unwritable",
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unresolved(cause) => write!(f, "the host's name stands for no address: {cause}"),
            Self::Forbidden => f.write_str("the host is at an address that is not public"),
            Self::Unreachable(cause) => write!(f, "nobody answers at the address: {cause}"),
            Self::Tls(cause) => write!(f, "no TLS: {cause}"),
            Self::ConnectTimeout => f.write_str("there was no connection in time"),
            Self::Timeout => f.write_str("there was no answer in time"),
            Self::Broken(cause) => write!(f, "the connection broke off: {cause}"),
            Self::Unwritable(cause) => write!(f, "the request cannot be written: {cause}"),
        }
    }
}

/// Sends requests within `limits`, where `guard` lets them go. Clones share their look-ups; whoever
/// must not wait for another's has a client of its own.
#[derive(Clone)]
pub(crate) struct Client {
    guard: Guard,
    trust: Trust,
    limits: Limits,
    resolver: Resolver,
}

impl Client {
    pub(crate) fn new(guard: Guard, trust: Trust, limits: Limits) -> Self {
        Self { guard, trust, limits, resolver: Resolver::new(Arc::new(resolve::system)) }
    }

    /// Finds addresses otherwise than the system does.
    #[cfg(test)]
    pub(super) fn looking_up(self, lookup: Arc<resolve::Lookup>) -> Self {
        Self { resolver: Resolver::new(lookup), ..self }
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Sends one request, and reads the answer as far as it may be long. Dropped, it ends the
    /// connection.
    ///
    /// # Errors
    /// Why there was no answer.
    pub(crate) async fn send(&self, to: &Endpoint, sent: Sent) -> Result<Response, SendError> {
        let deadline = Instant::now() + self.limits.timeout;
        let Opened { status, headers, body, _beside } = self.open(to, sent).await?;
        let (body, is_cut) = self.read(body, deadline).await;
        Ok(Response { status, headers, body, is_cut })
    }

    /// Sends one request, and hands over the answer's body as it comes: of it nothing is bounded. The
    /// head comes within the time for everything.
    ///
    /// # Errors
    /// Why there was no answer.
    pub(crate) async fn open(&self, to: &Endpoint, sent: Sent) -> Result<Opened, SendError> {
        let begun = Instant::now();
        let connected = begun + self.limits.connect_timeout.min(self.limits.timeout);
        let deadline = begun + self.limits.timeout;
        let connecting = async {
            let stream = self.connect(to).await?;
            if !to.is_tls {
                return Ok(Wire::Plain(stream));
            }
            let name = ServerName::try_from(to.host.clone())
                .map_err(|cause| SendError::Tls(io::Error::other(cause)))?;
            let connector = TlsConnector::from(self.trust.config.clone());
            let stream = connector.connect(name, stream).await.map_err(SendError::Tls)?;
            Ok(Wire::Tls(Box::new(stream)))
        };
        let wire = timeout_at(connected, connecting).await;
        match wire.map_err(|_| SendError::ConnectTimeout)?? {
            Wire::Plain(stream) => exchange(stream, to, sent, deadline).await,
            Wire::Tls(stream) => exchange(stream, to, sent, deadline).await,
        }
    }

    /// Connects to the first address that may be, and answers.
    async fn connect(&self, to: &Endpoint) -> Result<TcpStream, SendError> {
        let found = self.resolver.addresses(&to.host, to.port).await;
        let mut last = SendError::Forbidden;
        for address in found.map_err(SendError::Unresolved)? {
            if !self.guard.lets(to, address.ip()) {
                continue;
            }
            match TcpStream::connect(address).await.and_then(|stream| {
                stream.set_nodelay(true)?;
                Ok(stream)
            }) {
                Ok(stream) => return Ok(stream),
                Err(cause) => last = SendError::Unreachable(cause),
            }
        }
        Err(last)
    }

    /// As much of a body as may be, and whether that is not all.
    async fn read(&self, mut body: Incoming, deadline: Instant) -> (Bytes, bool) {
        let bytes_max = self.limits.body_bytes_max;
        let mut read = Vec::new();
        loop {
            let frame = match timeout_at(deadline, body.frame()).await {
                Ok(None) => return (read.into(), false),
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(_))) | Err(_) => return (read.into(), true),
            };
            let Ok(data) = frame.into_data() else { continue };
            let room = bytes_max - read.len();
            read.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                return (read.into(), true);
            }
        }
    }
}

/// Asks on a connection, and answers with what came of it.
async fn exchange<S>(
    stream: S,
    to: &Endpoint,
    sent: Sent,
    deadline: Instant,
) -> Result<Opened, SendError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let Sent { method, headers, body } = sent;
    let request = Request::builder().method(method).uri(to.target.as_str());
    let mut request = request.body(Full::new(body)).map_err(SendError::Unwritable)?;
    *request.headers_mut() = headers;
    request.headers_mut().insert(HOST, to.authority.clone());
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX);
    let mut beside = JoinSet::new();
    let exchanging = async {
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        beside.spawn(connection);
        sender.send_request(request).await
    };
    let answered = timeout_at(deadline, exchanging).await;
    let answer = answered.map_err(|_| SendError::Timeout)?.map_err(SendError::Broken)?;
    let (head, body) = answer.into_parts();
    Ok(Opened { status: head.status, headers: head.headers, body, _beside: beside })
}

/// A connection.
enum Wire {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}
