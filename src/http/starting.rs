//! Before the engine is open: the address answers already, that the process lives and is not ready.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::error::{ApiError, Code};
use super::format::Format;
use super::listener::{Listener, Stream};
use super::reply::{HttpResponse, Telling, failure, respond};
use super::request_id::{self, RequestIds};
use super::server::ACCEPT_PAUSE;
use crate::base::clock::{Clock as _, SystemClock};

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
pub(crate) async fn starting(listener: &Listener) {
    let places = Arc::new(Semaphore::new(ASKING_MAX));
    let ids = Arc::new(RequestIds::new());
    loop {
        // The semaphore is never closed.
        let place = places.clone().acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let ids = ids.clone();
                tokio::spawn(async move {
                    let answered = tokio::time::timeout(ASKING_TIMEOUT, serve(stream, &ids)).await;
                    if answered.is_err() {
                        tracing::debug!("a client took too long");
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

async fn serve(stream: Stream, ids: &RequestIds) {
    let service = service_fn(|request: Request<Incoming>| {
        let asked = ids.of(request.headers());
        let mut response = answer(request.uri().path());
        request_id::say(&asked.id, response.headers_mut());
        async move { Ok::<_, Infallible>(response) }
    });
    let mut builder = http1::Builder::new();
    builder.half_close(true).keep_alive(false);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn answer(path: &str) -> HttpResponse {
    let now_ms = SystemClock::default().now_ms();
    let report = |status| Report {
        status,
        timestamp: humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(now_ms))
            .to_string(),
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
