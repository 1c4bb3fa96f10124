//! A points service to try the mall with: it speaks the protocol of docs/points-service.md, keeps its
//! book in a file, and misbehaves as it is told.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::base::error::{Error, Result};
use crate::mall::elsewhere::{Book, NotGivenBack};
use crate::process::{print, runtime};

const BODY_BYTES_MAX: usize = 64 << 10;
const PAGE_MAX: usize = 500;

#[derive(Args)]
pub(crate) struct StandInArgs {
    /// Where to listen; port 0 takes a free one and prints it
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR")]
    listen: SocketAddr,
    /// Where the book is kept; it is made when it is missing
    #[arg(long, value_name = "FILE")]
    book: PathBuf,
    /// What a user has who is not in the book yet, as in ann=5000
    #[arg(long = "balance", value_name = "USER=POINTS", value_parser = balance)]
    balances: Vec<(String, u64)>,
    /// Who calls must have this secret as a bearer's token
    #[arg(long, value_name = "SECRET")]
    secret: Option<String>,
    /// What to do wrong, and with which call that changes something, counted since the start: fail,
    /// stall, lose, twice, die-before or die-after, as in lose=3
    #[arg(long = "trouble", value_name = "KIND=EVERY", value_parser = trouble)]
    troubles: Vec<(Trouble, u64)>,
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// It answers 500 and does nothing.
    Fail,
    /// It does nothing, and never answers.
    Stall,
    /// It does it, and breaks off.
    Lose,
    /// It does it twice.
    Twice,
    /// It dies before it does it, or after.
    DieBefore,
    DieAfter,
}

struct Service {
    book: Mutex<Book>,
    calls: Mutex<u64>,
    path: PathBuf,
    secret: Option<String>,
    troubles: Vec<(Trouble, u64)>,
}

/// An answer; `None` breaks the connection off.
type Answer = Option<(StatusCode, Value)>;

fn balance(text: &str) -> Result<(String, u64), String> {
    let parsed = text
        .split_once('=')
        .and_then(|(user, points)| Some((user.to_owned(), points.parse().ok()?)));
    parsed.ok_or_else(|| "it must be USER=POINTS".to_owned())
}

fn trouble(text: &str) -> Result<(Trouble, u64), String> {
    let parsed = text.split_once('=').and_then(|(kind, every)| {
        let kind = match kind {
            "fail" => Trouble::Fail,
            "stall" => Trouble::Stall,
            "lose" => Trouble::Lose,
            "twice" => Trouble::Twice,
            "die-before" => Trouble::DieBefore,
            "die-after" => Trouble::DieAfter,
            _ => return None,
        };
        Some((kind, every.parse().ok().filter(|every| *every > 0)?))
    });
    parsed.ok_or_else(|| "it must be KIND=EVERY, as in lose=3".to_owned())
}

/// Serves until it is killed.
pub(crate) fn stand_in(args: &StandInArgs) -> Result<()> {
    let service = Arc::new(Service::open(args)?);
    runtime()?.block_on(async {
        let failed = |cause| Error::io(format!("listening on {}", args.listen), cause);
        let listener = TcpListener::bind(args.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        print(&format!("a points service listens on http://{address}\n"))?;
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let service = Arc::clone(&service);
            tokio::spawn(async move {
                let answer = service_fn(|request| service.answer(request));
                let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
                drop(serving.await);
            });
        }
    })
}

#[allow(clippy::disallowed_methods, reason = "a file of a trial, not the engine's")]
impl Service {
    fn open(args: &StandInArgs) -> Result<Self> {
        let failed = |cause| Error::io(format!("the book {}", args.book.display()), cause);
        let mut book = match std::fs::read(&args.book) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|cause| failed(cause.into()))?,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Book::default(),
            Err(cause) => return Err(failed(cause)),
        };
        for (user, points) in &args.balances {
            book.balances.entry(user.clone()).or_insert(*points);
        }
        let service = Self {
            book: Mutex::new(book),
            calls: Mutex::new(0),
            path: args.book.clone(),
            secret: args.secret.clone(),
            troubles: args.troubles.clone(),
        };
        service.keep(&service.book.lock()).map_err(failed)?;
        Ok(service)
    }

    /// Puts the book where it survives.
    fn keep(&self, book: &Book) -> std::io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = std::fs::File::create(&new)?;
        file.write_all(&serde_json::to_vec(book)?)?;
        file.sync_all()?;
        std::fs::rename(&new, &self.path)
    }
}

impl Service {
    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await?.to_bytes();
        let bearer = head.headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
        let wanted = self.secret.as_ref().map(|secret| format!("Bearer {secret}"));
        let answer = match wanted.is_some_and(|wanted| bearer != Some(&wanted)) {
            true => Some(refused(StatusCode::UNAUTHORIZED, "unauthorized")),
            false if head.method == Method::POST => self.change(head.uri.path(), &body).await,
            false => Some(self.read(head.uri.path(), head.uri.query().unwrap_or_default())),
        };
        let (status, value) = answer.ok_or("broken off")?;
        let response = Response::builder().status(status).header(CONTENT_TYPE, "application/json");
        Ok(response.body(Full::new(Bytes::from(value.to_string())))?)
    }

    async fn change(&self, path: &str, body: &[u8]) -> Answer {
        let count = {
            let mut calls = self.calls.lock();
            *calls += 1;
            *calls
        };
        let due = self.troubles.iter().find(|(_, every)| count.is_multiple_of(*every));
        match due.map(|(trouble, _)| *trouble) {
            Some(Trouble::Fail) => Some(refused(StatusCode::INTERNAL_SERVER_ERROR, "out_of_order")),
            Some(Trouble::Stall) => {
                let never: Infallible = std::future::pending().await;
                match never {}
            }
            Some(Trouble::DieBefore) => std::process::exit(1),
            Some(Trouble::DieAfter) => {
                self.carry(path, body);
                std::process::exit(1)
            }
            Some(Trouble::Lose) => {
                self.carry(path, body);
                None
            }
            Some(Trouble::Twice) => {
                self.carry(path, body);
                Some(self.carry(path, body))
            }
            None => Some(self.carry(path, body)),
        }
    }

    /// Does what is asked for. It is kept when this returns.
    fn carry(&self, path: &str, body: &[u8]) -> (StatusCode, Value) {
        let mut book = self.book.lock();
        let done = match path {
            "/takes" => serde_json::from_slice(body)
                .map(|take| book.take(&take).map_err(|_| NotGivenBack::KeyConflict)),
            "/returns" => serde_json::from_slice(body).map(|back| book.give_back(&back)),
            _ => return refused(StatusCode::NOT_FOUND, "no_such_path"),
        };
        if self.keep(&book).is_err() {
            return refused(StatusCode::INTERNAL_SERVER_ERROR, "not_kept");
        }
        match done {
            Ok(Ok(record)) => (StatusCode::OK, json!(record)),
            Ok(Err(NotGivenBack::KeyConflict)) => refused(StatusCode::CONFLICT, "key_conflict"),
            Ok(Err(NotGivenBack::UnknownTake)) => refused(StatusCode::NOT_FOUND, "unknown_take"),
            Ok(Err(NotGivenBack::TooMuch)) => refused(StatusCode::CONFLICT, "too_much"),
            Err(_) => refused(StatusCode::BAD_REQUEST, "invalid"),
        }
    }

    fn read(&self, path: &str, query: &str) -> (StatusCode, Value) {
        let book = self.book.lock();
        if path == "/takes" {
            let value = |name: &str| {
                query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
            };
            let limit = value("limit").and_then(|it| it.parse().ok()).unwrap_or(PAGE_MAX);
            let takes = book.page(value("after").unwrap_or_default(), limit.min(PAGE_MAX));
            return (StatusCode::OK, json!({"takes": takes}));
        }
        if let Some(key) = path.strip_prefix("/takes/") {
            let take = book.look(key).map(|record| (StatusCode::OK, json!(record)));
            return take.unwrap_or_else(|| refused(StatusCode::NOT_FOUND, "unknown_take"));
        }
        let user = path.strip_prefix("/users/").and_then(|it| it.strip_suffix("/balance"));
        match user {
            Some(user) => {
                let balance = book.balances.get(user).copied().unwrap_or(0);
                (StatusCode::OK, json!({"userId": user, "balance": balance}))
            }
            None => refused(StatusCode::NOT_FOUND, "no_such_path"),
        }
    }
}

fn refused(status: StatusCode, error: &str) -> (StatusCode, Value) {
    (status, json!({"error": error, "message": "of the stand-in"}))
}
