//! A small shop over HTTP, with axum: stock, orders that are held for a quarter of an hour, payment.
//! Tickets are awaited, so a waiting request costs no thread.
//!
//! ```sh
//! cargo run --example axum_service -- 127.0.0.1:8080 data    # serves until Ctrl-C
//! cargo run --example axum_service                           # asks itself a few things, and ends
//! ```

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use stockhold::{
    AccountId, AccountKey, ConfirmOutcome, Engine, ErrorKind, IdempotencyKey, Line, Policy,
    Receive, ReservationId, Reserve, ReserveOutcome,
};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const QUARTER_HOUR_MS: u64 = 15 * 60 * 1000;

#[derive(Clone)]
struct Shop {
    engine: Engine,
    tea: AccountId,
}

/// What stands between a request and its answer, told as HTTP has it.
struct Failure(stockhold::Error);

impl From<stockhold::Error> for Failure {
    fn from(error: stockhold::Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match self.0.kind() {
            ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::Throttled => StatusCode::TOO_MANY_REQUESTS,
            // Nothing was changed, and the same request may succeed later.
            ErrorKind::Overloaded | ErrorKind::Stalled | ErrorKind::LowSpace => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, self.0.to_string()).into_response()
    }
}

#[derive(Serialize)]
struct Stock {
    available: i64,
    reserved: u64,
    sold: u64,
}

async fn stock(State(shop): State<Shop>) -> Result<Json<Stock>, Failure> {
    let level = shop.engine.level(shop.tea)?;
    Ok(Json(Stock { available: level.available, reserved: level.reserved, sold: level.consumed }))
}

#[derive(Deserialize)]
struct Wish {
    quantity: u64,
}

#[derive(Serialize)]
struct Order {
    order: u64,
    #[serde(rename = "expiresAt")]
    expires_at: u64,
}

async fn place(
    State(shop): State<Shop>,
    headers: HeaderMap,
    Json(wish): Json<Wish>,
) -> Result<Response, Failure> {
    let lines = [Line { account: shop.tea, quantity: wish.quantity }];
    // With this header a client may ask again as often as it likes, and buys once.
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let key = key.map(|key| IdempotencyKey::new("place", key)).transpose()?;
    let ticket = shop.engine.reserve(Reserve::new(&lines, QUARTER_HOUR_MS).key(key))?;
    Ok(match ticket.await? {
        ReserveOutcome::Reserved(it) => {
            let order = Order { order: it.reservation.number(), expires_at: it.expires_at };
            (StatusCode::CREATED, Json(order)).into_response()
        }
        ReserveOutcome::Refused(refusal) => {
            (StatusCode::CONFLICT, format!("{} left", refusal.available)).into_response()
        }
    })
}

async fn pay(State(shop): State<Shop>, Path(order): Path<u64>) -> Result<Response, Failure> {
    let outcome = shop.engine.confirm(ReservationId::from_number(order))?.await?;
    Ok(match outcome {
        ConfirmOutcome::Confirmed { .. } => (StatusCode::OK, "paid").into_response(),
        ConfirmOutcome::Late { .. } => (StatusCode::GONE, "too late").into_response(),
        _ => (StatusCode::NOT_FOUND, "there is no such order to pay").into_response(),
    })
}

/// Serves until `stop` resolves, answers what is under way, and closes the engine.
async fn serve(
    listener: TcpListener,
    dir: std::path::PathBuf,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // Opening reads files: that belongs on a thread that may block.
    let opened = tokio::task::spawn_blocking(move || -> stockhold::Result<Shop> {
        let engine = Engine::builder(dir).open()?;
        let tea = engine.open_account(&AccountKey::stock("tea")?, Policy::strict())?;
        if engine.level(tea)?.received == 0 {
            engine.receive(Receive::new(tea, 3).note("first delivery"))?.wait()?;
        }
        Ok(Shop { engine, tea })
    });
    let shop = opened.await??;
    let engine = shop.engine.clone();
    let router = Router::new()
        .route("/stock", get(stock))
        .route("/orders", post(place))
        .route("/orders/{order}/pay", post(pay))
        .with_state(shop);
    axum::serve(listener, router).with_graceful_shutdown(stop).await?;
    tokio::task::spawn_blocking(move || engine.close()).await??;
    Ok(())
}

/// One request on a connection of its own; the status line and the body.
fn ask(address: SocketAddr, request: &str, more: &str, body: &str) -> io::Result<(String, String)> {
    let mut stream = TcpStream::connect(address)?;
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{more}\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Ok((head.lines().next().unwrap_or_default().to_owned(), body.to_owned()))
}

/// What a client would do.
fn visit(address: SocketAddr) -> io::Result<()> {
    let (status, body) = ask(address, "GET /stock", "", "")?;
    assert!(status.contains(" 200 ") && body.contains("\"available\":3"), "{status} {body}");
    let key = "Idempotency-Key: 7f3c\r\n";
    let (status, first) = ask(address, "POST /orders", key, r#"{"quantity":2}"#)?;
    assert!(status.contains(" 201 "), "{status} {first}");
    let (_, again) = ask(address, "POST /orders", key, r#"{"quantity":2}"#)?;
    assert_eq!(first, again, "a retry hears the first answer");
    let (status, body) = ask(address, "POST /orders", "", r#"{"quantity":2}"#)?;
    assert!(status.contains(" 409 ") && body == "1 left", "{status} {body}");
    let digits = first.chars().skip_while(|c| !c.is_ascii_digit());
    let order: String = digits.take_while(char::is_ascii_digit).collect();
    let (status, body) = ask(address, &format!("POST /orders/{order}/pay"), "", "")?;
    assert!(status.contains(" 200 "), "{status} {body}");
    let (status, _) = ask(address, "POST /orders", "", r#"{"quantity":0}"#)?;
    assert!(status.contains(" 400 "), "{status}");
    let (_, body) = ask(address, "GET /stock", "", "")?;
    println!("the shop answers: {body}");
    assert_eq!(body, r#"{"available":1,"reserved":0,"sold":2}"#);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut args = std::env::args().skip(1);
    if let Some(address) = args.next() {
        let dir = args.next().unwrap_or_else(|| "data".to_owned());
        let stop = async { drop(tokio::signal::ctrl_c().await) };
        return serve(TcpListener::bind(address).await?, dir.into(), stop).await;
    }
    let dir = tempfile::tempdir()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(listener, dir.path().into(), async { drop(stopped.await) }));
    tokio::task::spawn_blocking(move || visit(address)).await??;
    drop(stop);
    served.await?
}
