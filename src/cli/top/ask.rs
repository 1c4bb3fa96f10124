//! Asks a server for its numbers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};

use super::numbers::Numbers;
use crate::base::error::{Error, Result};
use crate::cli::report::at_home;
use crate::http::{Auth, Role};
use crate::outgoing::{Client, Endpoint, Guard, Limits, Sent, Trust};
use crate::settings::{Config, secret};

/// Whose token asks, and for how long each is good.
const ASKER: &str = "top";
const TOKEN_TTL_MS: u64 = 60_000;

/// A server that takes longer is away.
const LIMITS: Limits = Limits {
    connect_timeout: Duration::from_secs(1),
    timeout: Duration::from_secs(3),
    body_bytes_max: 8 << 20,
};

/// One server, and what it is asked with.
pub(super) struct Asker {
    address: SocketAddr,
    endpoint: Endpoint,
    client: Client,
    bearer: Bearer,
}

/// Where the token comes from.
enum Bearer {
    /// A file, which is read for each question: another token may be there by then.
    File(PathBuf),
    /// The secret that the server has as well; for each question there is a new one.
    Made(Box<Auth>),
}

impl Asker {
    /// # Errors
    /// `Invalid` when there is no address to ask, or no secret to ask with.
    pub(super) fn new(
        config: Config,
        server: Option<SocketAddr>,
        token_file: Option<PathBuf>,
    ) -> Result<Self> {
        let address = server.map_or_else(|| at_home(&config), Ok)?;
        let bearer = match token_file {
            Some(file) => Bearer::File(file),
            None => {
                let secret =
                    secret::configured_or_demo(config.auth_secret.clone(), &config.data_dir)?;
                Bearer::Made(Box::new(config.expecting(Auth::new(&secret)?)))
            }
        };
        let endpoint = Endpoint::parse(&format!("http://{address}/metrics"))?;
        // Nobody is asked by TLS.
        let client =
            Client::new(Guard::new([endpoint.host().to_owned()]), Trust::anybody()?, LIMITS);
        Ok(Self { address, endpoint, client, bearer })
    }

    /// Who is asked, for people.
    pub(super) fn place(&self) -> String {
        self.address.to_string()
    }

    /// # Errors
    /// `Unavailable` when nobody answers in time, `Invalid` when the token is refused.
    pub(super) async fn ask(&self) -> Result<Numbers> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, self.bearer.header()?);
        headers.insert(ACCEPT, HeaderValue::from_static("text/plain"));
        let sent = Sent { method: Method::GET, headers, body: Bytes::new() };
        let answer = self.client.send(&self.endpoint, sent).await;
        let answer = answer.map_err(|error| Error::unavailable(error.to_string()))?;
        match answer.status {
            StatusCode::OK if answer.is_cut => Err(Error::unavailable("the answer broke off")),
            StatusCode::OK => Numbers::parse(&String::from_utf8_lossy(&answer.body)),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                Err(Error::invalid(format!(
                    "the token is refused ({status}): it must be one of a monitor or an operator"
                )))
            }
            status => Err(Error::unavailable(format!("the answer is {status}"))),
        }
    }
}

impl Bearer {
    #[allow(clippy::disallowed_methods, reason = "an operator's file, not the engine's")]
    fn header(&self) -> Result<HeaderValue> {
        let token = match self {
            Self::File(file) => std::fs::read_to_string(file)
                .map_err(|cause| Error::io(format!("reading {}", file.display()), cause))?,
            Self::Made(auth) => auth.issue_for(ASKER, Role::Monitor, TOKEN_TTL_MS)?,
        };
        let mut header = HeaderValue::try_from(format!("Bearer {}", token.trim()))
            .map_err(|cause| Error::invalid("the token is no header").with_source(cause))?;
        header.set_sensitive(true);
        Ok(header)
    }
}
