//! The exchange over HTTP, against a bare hyper server that reads the same requests and answers as
//! many bytes. One load generator drives both, in turn, in one run: it writes bytes that were made
//! before and looks for the end of each answer, so that it costs the two servers as little as it
//! can.

mod generator;
mod metrics;
mod overload;
mod sustained;
mod watchers;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use self::generator::{Load, Requests};
use super::figures::{Figures, Target};
use super::stage::PLENTY;
use crate::base::AccountKey;
use crate::base::error::{Error, Result};
use crate::engine::Engine;
use crate::event::Policy;
use crate::http::{self, App, Auth, Limits, Role};
use crate::ledger::Receive;
use crate::mall::{Category, Mall, MallConfig, Product};

pub(super) use self::metrics::metrics;
pub(super) use self::overload::overload;
pub(super) use self::sustained::sustained;
pub(super) use self::watchers::watchers;

const CONNECTIONS: usize = 64;
const ROUNDS: usize = 3;
const MEASURE: Duration = Duration::from_millis(1_500);
const PATIENCE: Duration = Duration::from_secs(60);
pub(super) const SECRET: &str = "a secret that only this measurement knows";
const SOLD: &str = "plenty";
const SOLD_OUT: &str = "sold-out";

pub(super) fn http(dir: &Path, figures: &mut Figures) -> Result<()> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime =
        runtime.enable_all().build().map_err(|error| Error::io("starting a runtime", error))?;
    let engine = Engine::builder(dir).open()?;
    let auth = Auth::new(&SECRET.into())?;
    let requests = [SOLD, SOLD_OUT].map(|product| requests(&auth, product));
    let mall = Mall::open(engine.clone(), MallConfig::default())?;
    stock(&engine, &mall)?;
    let app = Arc::new(App::new(mall, auth, Limits::default()));
    let shop = Server::start(&runtime, |listener, stop| http::run(listener, stop, app))?;
    let [sold, sold_out] = requests;
    let bench = Bench { runtime: &runtime, engine: &engine, shop: &shop };
    bench.versus(sold?, StatusCode::OK, "exchange, confirmed and durable", 0.6, figures)?;
    bench.versus(
        sold_out?,
        StatusCode::CONFLICT,
        "exchange of a sold-out product",
        0.9,
        figures,
    )?;
    shop.stop(&runtime)?;
    engine.close()
}

struct Bench<'a> {
    runtime: &'a Runtime,
    engine: &'a Engine,
    shop: &'a Server,
}

impl Bench<'_> {
    /// The shop and an echo of the same sizes, in turn.
    fn versus(
        &self,
        requests: Requests,
        status: StatusCode,
        what: &str,
        target: f64,
        figures: &mut Figures,
    ) -> Result<()> {
        let answer = self.runtime.block_on(generator::one(self.shop.address, &requests))?;
        let answer = Bytes::from(vec![b' '; answer]);
        let echo =
            Server::start(self.runtime, |listener, stop| echo(listener, stop, status, answer))?;
        let load = Load::new(requests, status, CONNECTIONS, MEASURE);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            self.rest()?;
            theirs.push(self.runtime.block_on(load.run(echo.address))?);
            ours.push(self.runtime.block_on(load.run(self.shop.address))?);
        }
        echo.stop(self.runtime)?;
        let (ours, theirs) = (generator::median(ours), generator::median(theirs));
        let name = "bare hyper echo of the same sizes";
        figures
            .figure(&format!("{what}, 64 connections"), ours.rate, "/s", Target::None)
            .against(name, theirs.rate);
        figures.figure(
            "the same, of the echo's rate",
            ours.rate / theirs.rate,
            "",
            Target::Over(target),
        );
        figures
            .figure("the same: p50", ours.p50_ms, "ms", Target::None)
            .against(name, theirs.p50_ms);
        figures
            .figure("the same: p99", ours.p99_ms, "ms", Target::None)
            .against(name, theirs.p99_ms);
        Ok(())
    }

    /// Waits until history has put away what was sold: the echo does not pay for it.
    fn rest(&self) -> Result<()> {
        let start = Instant::now();
        let last_seq = self.engine.durable_seq();
        while self.engine.status().history_seq.is_some_and(|(_, on_disk)| on_disk < last_seq) {
            if start.elapsed() > PATIENCE {
                return Err(Error::unavailable("history does not catch up"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

/// A product that everybody can buy, and one that nobody can.
fn stock(engine: &Engine, mall: &Mall) -> Result<()> {
    let category: Category =
        document(serde_json::json!({"id": "all", "name": "all", "level": 1, "active": true}))?;
    mall.put_category(&category)?;
    for id in [SOLD, SOLD_OUT] {
        let product = serde_json::json!({"id": id, "name": id, "categoryId": "all", "pointsPrice": 1, "active": true});
        mall.put_product(&document::<Product>(product)?)?;
    }
    let mut accounts = vec![AccountKey::stock(SOLD)?];
    for user in 0..CONNECTIONS {
        accounts.push(AccountKey::points(&user_name(user))?);
    }
    for key in accounts {
        let account = engine.open_account(&key, Policy::strict())?;
        engine.receive(Receive::new(account, PLENTY))?.wait()?;
    }
    Ok(())
}

pub(super) fn document<T: serde::de::DeserializeOwned>(json: serde_json::Value) -> Result<T> {
    serde_json::from_value(json)
        .map_err(|cause| Error::invalid("a document of the measurement").with_source(cause))
}

pub(super) fn user_name(user: usize) -> String {
    format!("user-{user}")
}

/// What each connection sends, again and again: a user of its own buys one unit.
fn requests(auth: &Auth, product: &str) -> Result<Requests> {
    let body = format!(r#"{{"productId":"{product}","quantity":1,"confirm":true}}"#);
    let request = |user| {
        let token = auth.issue(&user_name(user), Role::User, u64::MAX / 2)?;
        let length = body.len();
        Ok(format!(
            "POST /api/mall/exchange HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: \
             application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    };
    (0..CONNECTIONS).map(request).collect::<Result<_>>().map(Requests)
}

/// A server on a port of its own.
struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    running: tokio::task::JoinHandle<()>,
}

impl Server {
    fn start<F: Future<Output = ()> + Send + 'static>(
        runtime: &Runtime,
        serve: impl FnOnce(TcpListener, Stop) -> F,
    ) -> Result<Self> {
        let failed = |error| Error::io("starting a server", error);
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (stop, stopped) = oneshot::channel();
        let stopped: Stop = Box::pin(async { drop(stopped.await) });
        Ok(Self { address, stop, running: runtime.spawn(serve(listener, stopped)) })
    }

    fn stop(self, runtime: &Runtime) -> Result<()> {
        drop(self.stop);
        runtime.block_on(self.running).map_err(|_| Error::unavailable("a measured server panicked"))
    }
}

type Stop = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// Reads each request whole and sends the same bytes: the least that a server made with hyper
/// does.
async fn echo(listener: TcpListener, mut stop: Stop, status: StatusCode, answer: Bytes) {
    loop {
        let accepted = tokio::select! {
            () = &mut stop => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        // Without it an answer may wait for the client; the shop's server does the same.
        drop(stream.set_nodelay(true));
        let answer = answer.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let answer = answer.clone();
            async move {
                drop(request.into_body().collect().await);
                let mut response = Response::new(Full::new(answer));
                *response.status_mut() = status;
                Ok::<_, Infallible>(response)
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
