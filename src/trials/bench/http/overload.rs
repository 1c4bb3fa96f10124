//! More exchanges than can be done: how long those take that are let in, and whose they are.
//!
//! The server has one processor and the load another, where there are two. Thousands of users have a
//! connection each, and ask at times that were drawn before; who still waits for an answer then asks as
//! soon as it has that. A request counts from when it is sent: how long its user waited for the one
//! before is no time that the server took for it.

mod open_loop;

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hyper::StatusCode;
use tokio::runtime::Runtime;

use self::open_loop::{Crowd, Seen};
use super::generator::{Load, Requests};
use super::{CONNECTIONS, SECRET, Server, document, user_name};
use crate::base::AccountKey;
use crate::base::error::{Error, Result};
use crate::engine::Engine;
use crate::event::Policy;
use crate::http::{self, App, Auth, Limits, Role};
use crate::ledger::Receive;
use crate::mall::{Category, Mall, MallConfig, Product};
use crate::trials::bench::figures::{Figures, Target};
use crate::trials::bench::machine;
use crate::trials::bench::stage::PLENTY;

/// How many products each exchange has: so many that the load costs less than what is asked for.
const ITEMS: usize = 20;
const MEASURE: Duration = Duration::from_secs(2);
/// What is let in waits for no longer, as the program has it.
const WAIT: Duration = Duration::from_millis(25);
const QUIET_USERS: usize = 2_000;
/// How many connections one user has who asks for most.
const BUSY_CONNECTIONS: usize = 1_000;
const BUSY: &str = "busy";
/// What an unloaded server is asked for, and an overloaded one, in parts of what it can do.
const UNLOADED: f64 = 0.1;
const OVERLOADED: f64 = 10.0;

pub(in crate::trials::bench) fn overload(dir: &Path, figures: &mut Figures) -> Result<()> {
    machine::run_on(0);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime =
        runtime.enable_all().build().map_err(|error| Error::io("starting a runtime", error))?;
    let engine = Engine::builder(dir).open()?;
    let auth = Arc::new(Auth::new(&SECRET.into())?);
    let mall = Mall::open(engine.clone(), MallConfig::default())?;
    stock(&engine, &mall)?;
    let serve = |limits: Limits| {
        let app = Arc::new(App::new(mall.clone(), Arc::clone(&auth), limits));
        Server::start(&runtime, |listener, stop| http::run(listener, stop, app))
    };
    let open = serve(Limits::default())?;
    let gated = serve(Limits { overload_wait: Some(WAIT), ..Limits::default() })?;
    let closed = serve(Limits { user_requests_under_way: Some(0), ..Limits::default() })?;
    let asked = Asked { auth: &auth };

    let load = |server: &Server, status| {
        let requests =
            Requests((0..CONNECTIONS).map(|n| asked.by(&user_name(n))).collect::<Result<_>>()?);
        let load = Load::new(requests, status, CONNECTIONS, MEASURE);
        on_another(|runtime| runtime.block_on(load.run(server.address)))
    };
    let capacity = load(&open, StatusCode::OK)?.rate;
    let what = format!("exchanges of {ITEMS} products, {CONNECTIONS} connections, one processor");
    figures.figure(&what, capacity, "/s", Target::None);
    let turned_away = load(&closed, StatusCode::SERVICE_UNAVAILABLE)?.rate;
    figures
        .figure("turned away instead", turned_away, "/s", Target::None)
        .against("exchanges", capacity);

    let run = |server: &Server, crowd: Crowd| {
        on_another(|runtime| runtime.block_on(crowd.run(server.address, &asked)))
    };
    let unloaded = run(&gated, Crowd::alike(UNLOADED * capacity))?;
    figures.figure("a tenth of these: p50", unloaded.quiet.ms(0.5), "ms", Target::None);
    let p99_ms = unloaded.quiet.ms(0.99);
    figures.figure("the same: p99", p99_ms, "ms", Target::None);
    let as_many = run(&gated, Crowd::alike(capacity))?;
    told(figures, "as many, all users alike", &as_many, capacity, None);
    let alike = run(&gated, Crowd::alike(OVERLOADED * capacity))?;
    told(figures, "ten times as many, all users alike", &alike, capacity, Some(p99_ms));
    let one = run(&gated, Crowd::with_a_busy_one(OVERLOADED * capacity))?;
    told(figures, "ten times as many, nine of ten from one user", &one, capacity, Some(p99_ms));
    let none = run(&open, Crowd::with_a_busy_one(OVERLOADED * capacity))?;
    told(figures, "the same, and nobody is turned away", &none, capacity, None);
    for server in [open, gated, closed] {
        server.stop(&runtime)?;
    }
    engine.close()
}

fn told(figures: &mut Figures, what: &str, seen: &Seen, capacity: f64, unloaded_ms: Option<f64>) {
    let rate = |count: u64| count as f64 / MEASURE.as_secs_f64();
    let asked = seen.quiet.asked() + seen.busy.asked();
    figures
        .figure(&format!("{what}: asked"), rate(asked), "/s", Target::None)
        .against("what can be done", capacity);
    let let_in = seen.quiet.let_in() + seen.busy.let_in();
    figures
        .figure("let in", rate(let_in), "/s", Target::None)
        .against("what can be done", capacity);
    let quiet = seen.quiet.let_in() as f64 / seen.quiet.asked().max(1) as f64;
    figures.figure("of what quiet users asked", 100.0 * quiet, "%", Target::None);
    if seen.busy.asked() > 0 {
        let busy = seen.busy.let_in() as f64 / seen.busy.asked() as f64;
        figures.figure("of what the busy one asked", 100.0 * busy, "%", Target::None);
        figures.figure("the busy one, let in: p99", seen.busy.ms(0.99), "ms", Target::None);
    }
    figures.figure("quiet users, let in: p50", seen.quiet.ms(0.5), "ms", Target::None);
    let target = unloaded_ms.map_or(Target::None, |ms| Target::Under(2.0 * ms));
    let p99 = figures.figure("the same: p99", seen.quiet.ms(0.99), "ms", target);
    if let Some(ms) = unloaded_ms {
        p99.against("unloaded", ms);
    }
    figures.figure("quiet users, turned away: p99", seen.quiet.shed_ms(0.99), "ms", Target::None);
}

/// Does what is the load's on its own processor.
fn on_another<T: Send>(work: impl FnOnce(&Runtime) -> Result<T> + Send) -> Result<T> {
    let apart = || {
        machine::run_on(1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        work(&runtime.map_err(|error| Error::io("starting a runtime", error))?)
    };
    let done = thread::scope(|scope| scope.spawn(apart).join());
    done.unwrap_or_else(|_| Err(Error::unavailable("the load panicked")))
}

/// What is asked for.
struct Asked<'a> {
    auth: &'a Auth,
}

impl Asked<'_> {
    fn by(&self, user: &str) -> Result<String> {
        let items: Vec<String> = (0..ITEMS)
            .map(|item| format!(r#"{{"productId":"{}","quantity":1}}"#, product_name(item)))
            .collect();
        let body = format!(r#"{{"items":[{}],"confirm":true}}"#, items.join(","));
        let token = self.auth.issue(user, Role::User, u64::MAX / 2)?;
        let length = body.len();
        Ok(format!(
            "POST /api/mall/exchange HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: \
             application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }
}

fn product_name(item: usize) -> String {
    format!("plenty-{item}")
}

fn stock(engine: &Engine, mall: &Mall) -> Result<()> {
    let category: Category =
        document(serde_json::json!({"id": "all", "name": "all", "level": 1, "active": true}))?;
    mall.put_category(&category)?;
    let mut accounts = vec![AccountKey::points(BUSY)?];
    for id in (0..ITEMS).map(product_name) {
        let product = serde_json::json!({"id": id, "name": id, "categoryId": "all", "pointsPrice": 1, "active": true});
        mall.put_product(&document::<Product>(product)?)?;
        accounts.push(AccountKey::stock(&id)?);
    }
    for user in 0..QUIET_USERS.max(CONNECTIONS) {
        accounts.push(AccountKey::points(&user_name(user))?);
    }
    for key in accounts {
        let account = engine.open_account(&key, Policy::strict())?;
        engine.receive(Receive::new(account, PLENTY))?.wait()?;
    }
    Ok(())
}
