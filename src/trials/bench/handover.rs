//! How long clients wait while one server takes over from another, with many accounts.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::header::HeaderValue;
use hyper::{Method, StatusCode};

use super::figures::{Figures, Target};
use super::http::{SECRET, document, user_name};
use super::stage::{self, PLENTY};
use crate::base::AccountKey;
use crate::base::error::{Error, Result};
use crate::engine::Engine;
use crate::event::Policy;
use crate::http::{Auth, Role};
use crate::ledger::{Command as Ask, Receive};
use crate::mall::{Category, Mall, MallConfig, Product};
use crate::trials::client::Client;

/// Accounts with points, one for each user.
const ACCOUNTS: usize = 120_000;
const CLIENTS: usize = 8;
/// How many users each client buys for, in turn.
const USERS: usize = 1_000;
/// How long a client rests between two exchanges.
const REST: Duration = Duration::from_millis(2);
const ROUNDS: usize = 10;
/// How many exchanges there are between two rounds.
const BETWEEN: usize = 2_000;
const SOLD: &str = "plenty";
const SAYS: &str = "Stockhold is serving on http://";

/// What clients saw in one round.
#[derive(Default)]
struct Seen {
    /// The longest that an exchange took, with all its tries.
    longest: Duration,
    asked_again: usize,
}

pub(super) fn handover(dir: &Path, figures: &mut Figures) -> Result<()> {
    let auth = Auth::new(&SECRET.into())?;
    fill(dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| Error::io("starting a runtime", cause))?;
    let (mut server, address) = start(dir, None)?;
    let crowd = Crowd::begin(&runtime, address, &auth)?;
    let mut quiet = Vec::new();
    let mut waits = Vec::new();
    let mut asked_again = 0;
    for _ in 0..ROUNDS {
        crowd.enough()?;
        quiet.push(crowd.turn().longest);
        let (next, _) = start(dir, Some(address))?;
        let before = std::mem::replace(&mut server, next);
        before.end("the server that was taken over from")?;
        let seen = crowd.turn();
        waits.push(seen.longest);
        asked_again += seen.asked_again;
    }
    let exchanges = crowd.end(&runtime)?;
    server.stop()?;
    quiet.sort();
    waits.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    figures
        .figure(
            "longest wait of a client in a hand-over, median of 10",
            ms(waits[ROUNDS / 2]),
            "ms",
            Target::Under(100.0),
        )
        .against("the same between hand-overs", ms(quiet[ROUNDS / 2]));
    figures.figure("the worst of them", ms(waits[ROUNDS - 1]), "ms", Target::Under(100.0));
    figures.figure("the best of them", ms(waits[0]), "ms", Target::None);
    figures.figure(
        "exchanges asked again, of a closed connection",
        asked_again as f64,
        "",
        Target::None,
    );
    figures.figure("exchanges in all", exchanges as f64, "", Target::None);
    Ok(())
}

/// A shop with as many accounts.
fn fill(dir: &Path) -> Result<()> {
    let engine = Engine::builder(dir).open()?;
    let mall = Mall::open(engine.clone(), MallConfig::default())?;
    let category = serde_json::json!({"id": "all", "name": "all", "level": 1, "active": true});
    mall.put_category(&document::<Category>(category)?)?;
    let product = serde_json::json!({"id": SOLD, "name": SOLD, "categoryId": "all", "pointsPrice": 1, "active": true});
    mall.put_product(&document::<Product>(product)?)?;
    let units = engine.open_account(&AccountKey::stock(SOLD)?, Policy::strict())?;
    engine.receive(Receive::new(units, PLENTY))?.wait()?;
    let mut received = Vec::with_capacity(stage::BATCH);
    for user in 0..ACCOUNTS {
        let account =
            engine.open_account(&AccountKey::points(&user_name(user))?, Policy::strict())?;
        received.push(Ask::Receive(Receive::new(account, 1_000_000)));
        if received.len() == stage::BATCH || user + 1 == ACCOUNTS {
            engine.batch(&received)?.wait()?.into_iter().try_for_each(|it| it.map(drop))?;
            received.clear();
        }
    }
    engine.close()
}

/// A server in a process of its own. Dropped, it is killed.
struct Server(Child);

/// Starts a server, which takes over from the one at `address` where there is one, and waits until it
/// serves.
fn start(dir: &Path, address: Option<SocketAddr>) -> Result<(Server, SocketAddr)> {
    let failed = |cause| Error::io("starting a server", cause);
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STOCKHOLD_")) {
        command.env_remove(name);
    }
    let listen = address.map_or_else(|| "127.0.0.1:0".to_owned(), |it| it.to_string());
    command.args(["serve", "--listen", &listen, "--data-dir"]).arg(dir);
    command.env("STOCKHOLD_AUTH_SECRET", SECRET);
    if address.is_some() {
        command.arg("--take-over");
    }
    let log = if std::env::var_os("RUST_LOG").is_some() { Stdio::inherit() } else { Stdio::null() };
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn();
    let mut server = Server(child.map_err(failed)?);
    let said = server.0.stdout.take().map(BufReader::new);
    for line in said.into_iter().flat_map(|said| said.lines()) {
        if let Some(at) = line.map_err(failed)?.strip_prefix(SAYS) {
            let at = at.parse().map_err(|_| Error::unavailable("a server serves nowhere"))?;
            return Ok((server, at));
        }
    }
    Err(Error::unavailable("a server did not start"))
}

impl Server {
    fn stop(self) -> Result<()> {
        let pid = rustix::process::Pid::from_child(&self.0);
        let asked = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        asked.map_err(|errno| Error::io("stopping a server", errno.into()))?;
        self.end("the last server")
    }

    fn end(mut self, which: &str) -> Result<()> {
        let ended = self.0.wait().map_err(|cause| Error::io("waiting for a server", cause))?;
        if ended.success() {
            return Ok(());
        }
        Err(Error::unavailable(format!("{which} ended with {ended}")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Clients that buy all the while.
struct Crowd {
    shared: Arc<Shared>,
    clients: Vec<tokio::task::JoinHandle<Result<()>>>,
}

#[derive(Default)]
struct Shared {
    seen: parking_lot::Mutex<Seen>,
    done: AtomicUsize,
    stop: AtomicBool,
}

impl Crowd {
    fn begin(runtime: &tokio::runtime::Runtime, address: SocketAddr, auth: &Auth) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut clients = Vec::new();
        for client in 0..CLIENTS {
            let token = |user: usize| {
                let token = auth.issue(&user_name(user), Role::User, u64::MAX / 2)?;
                HeaderValue::from_str(&format!("Bearer {token}"))
                    .map_err(|cause| Error::invalid("a token is no header").with_source(cause))
            };
            let tokens = (client * USERS..(client + 1) * USERS).map(token);
            let tokens = tokens.collect::<Result<Vec<_>>>()?;
            clients.push(runtime.spawn(buy(address, tokens, client, shared.clone())));
        }
        Ok(Self { shared, clients })
    }

    /// Waits for more exchanges.
    fn enough(&self) -> Result<()> {
        let enough = self.shared.done.load(Ordering::SeqCst) + BETWEEN;
        while self.shared.done.load(Ordering::SeqCst) < enough {
            if self.clients.iter().any(|client| client.is_finished()) {
                return Err(Error::unavailable("a client was refused"));
            }
            std::thread::sleep(REST);
        }
        Ok(())
    }

    /// What was seen since the last turn.
    fn turn(&self) -> Seen {
        std::mem::take(&mut *self.shared.seen.lock())
    }

    fn end(self, runtime: &tokio::runtime::Runtime) -> Result<usize> {
        self.shared.stop.store(true, Ordering::SeqCst);
        for client in self.clients {
            let ended = runtime.block_on(client);
            ended.map_err(|cause| Error::unavailable("a client failed").with_source(cause))??;
        }
        Ok(self.shared.done.load(Ordering::SeqCst))
    }
}

/// Buys for one user after the other. Where a connection that was kept ends without an answer, the same
/// is asked on another one; one that cannot be made is an error.
async fn buy(
    address: SocketAddr,
    tokens: Vec<HeaderValue>,
    client: usize,
    shared: Arc<Shared>,
) -> Result<()> {
    let body = Bytes::from(format!(r#"{{"productId":"{SOLD}","quantity":1,"confirm":true}}"#));
    let mut connection = Client::connect(address).await?;
    for (at, token) in tokens.iter().cycle().enumerate() {
        if shared.stop.load(Ordering::SeqCst) {
            break;
        }
        let key = format!("bench-{client}-{at}");
        let (began, mut tries) = (Instant::now(), 0);
        let status = loop {
            tries += 1;
            let path = "/api/mall/exchange";
            let asked =
                connection.send_keyed(Method::POST, path, token, Some(&key), body.clone()).await;
            match asked {
                Ok((status, _)) => break status,
                Err(_) => connection = Client::connect(address).await?,
            }
        };
        if status != StatusCode::OK {
            return Err(Error::unavailable(format!("an exchange answered {status}")));
        }
        {
            let mut seen = shared.seen.lock();
            seen.longest = seen.longest.max(began.elapsed());
            seen.asked_again += tries - 1;
        }
        shared.done.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(REST).await;
    }
    Ok(())
}
