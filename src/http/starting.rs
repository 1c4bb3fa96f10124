//! Before the engine is open: the address answers already, that the process lives and is not ready.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::error::{ApiError, Code};
use super::format::Format;
use super::listener::{Audience, Listener, Stream};
use super::proxies::{self, Proxies};
use super::reply::{HttpResponse, Telling, failure, respond};
use super::request_id::{self, RequestIds};
use super::server::ACCEPT_PAUSE;
use crate::base::clock::{Clock as _, SystemClock};
use crate::base::rfc3339;

/// How many are answered at one time; others wait to be accepted.
const ASKING_MAX: usize = 32;
/// How long one of them may take.
const ASKING_TIMEOUT: Duration = Duration::from_secs(1);

/// `/health` and `/ready` as long as there is nothing to look at.
#[derive(Serialize)]
struct Report {
    status: &'static str,
    timestamp: String,
    phase: &'static str,
    checks: Checks,
}

#[derive(Serialize)]
struct Checks {
    accepting: bool,
}

/// Answers on `listener` until it is dropped: `/health` with 200, `/ready` with 503, and everything
/// else with `UNAVAILABLE`. Each connection is closed after its answer, so that the next request
/// finds the whole server.
pub(crate) async fn starting(listener: &Listener, proxies: &Proxies) {
    let places = Arc::new(Semaphore::new(ASKING_MAX));
    let ids = Arc::new(RequestIds::new());
    loop {
        // The semaphore is never closed.
        let place = places.clone().acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let (ids, greeting) = (ids.clone(), Greeting::of(listener, proxies));
                tokio::spawn(async move {
                    let serving = greet_and_serve(stream, greeting, &ids);
                    match tokio::time::timeout(ASKING_TIMEOUT, serving).await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => tracing::debug!(%error, "a connection ended early"),
                        Err(_) => tracing::debug!("a client took too long"),
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// What comes before the first request.
struct Greeting {
    is_announced: bool,
    tls: Option<TlsAcceptor>,
}

impl Greeting {
    fn of(listener: &Listener, proxies: &Proxies) -> Self {
        let is_announced = proxies.are_announced() && listener.audience() == Audience::Everybody;
        Self { is_announced, tls: listener.acceptor() }
    }
}

async fn greet_and_serve(
    mut stream: Stream,
    greeting: Greeting,
    ids: &RequestIds,
) -> io::Result<()> {
    if greeting.is_announced {
        let _client = proxies::of_connection(&mut stream).await?;
    }
    match greeting.tls {
        None => serve(stream, ids).await,
        Some(tls) => serve(tls.accept(stream).await?, ids).await,
    }
    .map_err(io::Error::other)
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ids: &RequestIds,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let service = service_fn(|request: Request<Incoming>| {
        let asked = ids.of(request.headers());
        let mut response = answer(request.uri().path());
        request_id::say(&asked.id, response.headers_mut());
        async move { Ok::<_, Infallible>(response) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().half_close(true).keep_alive(false);
    builder.serve_connection(TokioIo::new(stream), service).await
}

fn answer(path: &str) -> HttpResponse {
    let now_ms = SystemClock::default().now_ms();
    let report = |status| Report {
        status,
        timestamp: rfc3339(now_ms).unwrap_or_default(),
        phase: "starting",
        checks: Checks { accepting: false },
    };
    let mut response = match path {
        "/health" => respond(StatusCode::OK, Format::Json, &report("healthy")),
        "/ready" => respond(StatusCode::SERVICE_UNAVAILABLE, Format::Json, &report("not ready")),
        _ => {
            let error = ApiError::new(Code::Unavailable).detail("the server is starting");
            failure(&error, Telling::Envelope(Format::Json), now_ms)
        }
    };
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
