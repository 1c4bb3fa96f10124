//! Would catch an answer of the server that no order of the requests explains: clients on connections
//! of their own exchange, confirm, cancel and look, some hang up before the answer, and what they
//! were told is searched for an order that explains it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::Rng;
use super::checker::{Timed, overlaps};
use super::mall::{Call, PRICE, Said, User, View, What, explain};
use super::support::{Client, NOW_MS, Shop, product, token};
use stockhold::http::Role;

const ROUNDS: u64 = 120;
const USERS: usize = 2;
/// Each user has so many connections, and there is one for the operator.
const CONNECTIONS: usize = 2;
const STEPS: u64 = 7;
const STOCK: i64 = 4;
const POINTS: i64 = 5 * PRICE;

/// What the tasks of a round share.
struct Round {
    number: u64,
    /// Numbers calls and returns, for all rounds.
    order: Arc<AtomicU64>,
    calls: Mutex<Vec<Timed<Call>>>,
    orders: Mutex<Vec<(User, String)>>,
    address: std::net::SocketAddr,
}

impl Round {
    fn product(&self) -> String {
        format!("rare-{}", self.number)
    }

    fn user(&self, user: User) -> String {
        format!("user-{}-{user}", self.number)
    }

    fn begin(&self) -> u64 {
        self.order.fetch_add(1, Ordering::SeqCst)
    }

    /// Enters a call with its answer; one whose answer was lost may take effect whenever it likes.
    fn enter(&self, called: u64, what: What, said: Said) {
        let returned = if said == Said::Lost { u64::MAX } else { self.begin() };
        if let (What::Exchange { user, .. }, Said::Order { id, .. }) = (&what, &said) {
            let mut orders = self.orders.lock().expect("no task panics");
            if !orders.iter().any(|(_, known)| known == id) {
                orders.push((*user, id.clone()));
            }
        }
        let mut calls = self.calls.lock().expect("no task panics");
        let number = calls.len();
        calls.push(Timed { called, returned, op: Call { number, what, said } });
    }

    async fn ask(&self, client: &mut Client, what: What) {
        let (path, key, body) = self.request(&what);
        let called = self.begin();
        let reply = match (&body, key) {
            (None, _) => client.get(&path).await,
            (Some(body), None) => client.post(&path, body.clone()).await,
            (Some(body), Some(key)) => client.post_keyed(&path, &key, body.clone()).await,
        };
        let said = match (reply.status, &what) {
            (200, What::Balance { .. }) => {
                numbers(&reply.data(), ["balance", "reserved", "consumed", "received"])
            }
            (200, What::Inventory) => {
                numbers(&reply.data(), ["available", "reserved", "sold", "total"])
            }
            (200, What::Receive { .. }) => {
                Said::Stock(reply.data()["stockQuantity"].as_i64().expect("a number"))
            }
            (200, _) => {
                let data = reply.data();
                let id = data["orderId"].as_str().expect("a string").to_owned();
                Said::Order { id, status: data["status"].as_i64().expect("a number") }
            }
            _ => refusal(&reply.envelope()),
        };
        self.enter(called, what, said);
    }

    /// Sends a request, and hangs up.
    async fn hang_up(&self, user: User, what: What) {
        let (path, key, body) = self.request(&what);
        let body = body.expect("only what has an effect is worth losing").to_string();
        let key = key.map(|key| format!("Idempotency-Key: {key}\r\n")).unwrap_or_default();
        let token = token(&self.user(user), Role::User);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: mall\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             {key}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let called = self.begin();
        let mut stream = TcpStream::connect(self.address).await.expect("the server accepts");
        stream.write_all(head.as_bytes()).await.expect("the server reads");
        drop(stream);
        self.enter(called, what, Said::Lost);
    }

    /// Path, key and body.
    fn request(&self, what: &What) -> (String, Option<String>, Option<Value>) {
        let product = self.product();
        match what {
            What::Exchange { quantity, confirm, key, .. } => {
                let body = json!({"productId": product, "quantity": quantity, "confirm": confirm});
                ("/api/mall/exchange".to_owned(), key.map(|key| key.to_string()), Some(body))
            }
            What::Confirm { order, .. } => {
                (format!("/api/mall/orders/{order}/confirm"), None, Some(json!({})))
            }
            What::Cancel { order, .. } => {
                (format!("/api/mall/orders/{order}/cancel"), None, Some(json!({})))
            }
            What::Balance { .. } => ("/api/points/balance".to_owned(), None, None),
            What::Inventory => (format!("/api/admin/inventory/{product}"), None, None),
            What::Receive { quantity } => {
                let body = json!({"quantity": quantity, "reason": "到货"});
                (format!("/api/admin/inventory/{product}/receive"), None, Some(body))
            }
        }
    }

    fn newest(&self, user: User, rng: &mut Rng) -> Option<String> {
        let orders = self.orders.lock().expect("no task panics");
        let own: Vec<&String> =
            orders.iter().filter(|(owner, _)| *owner == user).map(|(_, id)| id).collect();
        let newest = own.len().min(2);
        (newest > 0).then(|| own[own.len() - 1 - rng.below(newest as u64) as usize].clone())
    }

    fn wish(&self, user: User, rng: &mut Rng) -> What {
        match rng.below(12) {
            0..4 => {
                let (quantity, confirm) = (1 + rng.below(2) as i64, rng.below(3) == 0);
                What::Exchange { user, quantity, confirm, key: None }
            }
            4..7 => {
                // The body of a key is always the same.
                let key = rng.below(2) as u8;
                What::Exchange {
                    user,
                    quantity: 1 + i64::from(key),
                    confirm: key == 0,
                    key: Some(key),
                }
            }
            choice @ 7..11 => match self.newest(user, rng) {
                Some(order) if choice < 9 => What::Confirm { user, order },
                Some(order) => What::Cancel { user, order },
                None => What::Balance { user },
            },
            _ => What::Balance { user },
        }
    }
}

fn numbers(data: &Value, fields: [&str; 4]) -> Said {
    Said::Numbers(fields.map(|field| data[field].as_i64().expect("a number")))
}

fn refusal(envelope: &Value) -> Said {
    let available = || envelope["data"]["available"].as_i64().expect("what was short");
    match envelope["code"].as_str() {
        Some("INSUFFICIENT_POINTS") => Said::NoPoints { available: available() },
        Some("OUT_OF_STOCK") => Said::NoStock { available: available() },
        Some("ORDER_STATE") => Said::Ended,
        _ => panic!("{envelope}"),
    }
}

async fn user_steps(round: &Round, user: User, client: &mut Client, rng: &mut Rng) {
    for _ in 0..STEPS {
        let what = round.wish(user, rng);
        let loses = rng.below(12) == 0 && !matches!(what, What::Balance { .. });
        if loses { round.hang_up(user, what).await } else { round.ask(client, what).await }
    }
}

async fn operator_steps(round: &Round, client: &mut Client, rng: &mut Rng) {
    for _ in 0..STEPS {
        let what = if rng.below(4) == 0 { What::Receive { quantity: 1 } } else { What::Inventory };
        round.ask(client, what).await;
    }
}

/// One round: everybody at once, and then everything is looked at.
async fn play(shop: &Shop, number: u64, order: &Arc<AtomicU64>, seed: u64) -> Vec<Timed<Call>> {
    let round = Arc::new(Round {
        number,
        order: Arc::clone(order),
        calls: Mutex::default(),
        orders: Mutex::default(),
        address: shop.address,
    });
    shop.mall.put_product(&product(&round.product(), PRICE as u64)).expect("a valid product");
    let mut operator = shop.admin().await;
    let receive = json!({"quantity": STOCK, "reason": "到货"});
    operator
        .post(&format!("/api/admin/inventory/{}/receive", round.product()), receive)
        .await
        .data();
    for user in 0..USERS {
        shop.user_with(&round.user(user), POINTS as u64).await;
    }
    let start = Arc::new(Barrier::new(USERS * CONNECTIONS + 1));
    let mut tasks = JoinSet::new();
    for task in 0..USERS * CONNECTIONS {
        let user = task % USERS;
        let mut client = shop.user(&round.user(user)).await;
        let (round, start) = (Arc::clone(&round), Arc::clone(&start));
        let mut rng = Rng(seed ^ number << 16 ^ task as u64);
        tasks.spawn(async move {
            start.wait().await;
            user_steps(&round, user, &mut client, &mut rng).await;
        });
    }
    let mut rng = Rng(seed ^ number << 16 ^ 0xff);
    start.wait().await;
    operator_steps(&round, &mut operator, &mut rng).await;
    while let Some(done) = tasks.join_next().await {
        done.expect("no task panics");
    }
    round.ask(&mut operator, What::Inventory).await;
    for user in 0..USERS {
        let mut client = shop.user(&round.user(user)).await;
        round.ask(&mut client, What::Balance { user }).await;
    }
    std::mem::take(&mut *round.calls.lock().expect("no task panics"))
}

/// Holds the whole to the mall, and then each account to itself.
fn check(calls: &[Timed<Call>]) -> Result<(), String> {
    let mut views = [View::Whole, View::Stock].into_iter().chain((0..USERS).map(View::Points));
    views.try_for_each(|view| explain(calls, view, STOCK, &[POINTS; USERS]))
}

/// How often each thing happened.
#[derive(Debug, Default)]
struct Counts {
    calls: usize,
    overlaps: usize,
    ordered: usize,
    turned: usize,
    refused: usize,
    ended: usize,
    retries: usize,
    lost: usize,
    looks: usize,
    lies_seen: usize,
}

impl Counts {
    fn add(&mut self, calls: &[Timed<Call>]) {
        self.calls += calls.len();
        self.overlaps += overlaps(calls);
        let mut ids = std::collections::BTreeSet::new();
        for Timed { op: Call { what, said, .. }, .. } in calls {
            match (what, said) {
                (_, Said::Lost) => self.lost += 1,
                (What::Exchange { .. }, Said::Order { id, .. }) if !ids.insert(id) => {
                    self.retries += 1
                }
                (What::Exchange { .. }, Said::Order { .. }) => self.ordered += 1,
                (_, Said::Order { .. }) => self.turned += 1,
                (_, Said::NoPoints { .. } | Said::NoStock { .. }) => self.refused += 1,
                (_, Said::Ended) => self.ended += 1,
                (_, Said::Numbers(_) | Said::Stock(_)) => self.looks += 1,
            }
        }
    }

    fn assert_tried(&self) {
        let Self { ordered, turned, refused, ended, retries, lost, looks, lies_seen, .. } = *self;
        let each =
            [self.overlaps, ordered, turned, refused, ended, retries, lost, looks, lies_seen];
        assert!(
            self.calls > 3_000 && each.iter().all(|count| *count > 0),
            "something was never tried: {self:?}"
        );
    }
}

/// The same history with one lie in it.
fn with_lie(calls: &[Timed<Call>], at: usize) -> Option<Vec<Timed<Call>>> {
    let mut calls = calls.to_vec();
    match &mut calls[at].op.said {
        // A unit that is neither here nor there, or an order that another one has.
        Said::Numbers(numbers) => numbers[0] += 1,
        Said::Stock(available) => *available += 100,
        Said::NoPoints { available } => *available += 1,
        Said::NoStock { available } => *available += 1_000,
        Said::Order { status, .. } => *status = -2,
        Said::Ended | Said::Lost => return None,
    }
    Some(calls)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn some_order_explains_what_clients_were_told() {
    let given =
        std::env::var("STOCKHOLD_LINEARIZABILITY_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish());
    println!("STOCKHOLD_LINEARIZABILITY_SEED={seed}");
    let started = Instant::now();
    let shop = Shop::open().await;
    assert_eq!(shop.engine.now_ms(), NOW_MS, "nothing lapses while the clock stands still");
    let (mut counts, order) = (Counts::default(), Arc::new(AtomicU64::new(0)));
    for number in 0..ROUNDS {
        let calls = play(&shop, number, &order, seed).await;
        check(&calls).unwrap_or_else(|why| panic!("round {number}: {why}"));
        counts.add(&calls);
        // A check that nothing fails proves nothing: one lie, and no order may explain it.
        if let Some(lied) = with_lie(&calls, (seed ^ number) as usize % calls.len()) {
            assert!(check(&lied).is_err(), "round {number}: a lie is not seen");
            counts.lies_seen += 1;
        }
    }
    let report = format!(
        "through HTTP, seed {seed}, {:.1} s: {counts:?}\n",
        started.elapsed().as_secs_f64()
    );
    std::io::stderr().write_all(report.as_bytes()).expect("standard error takes a line");
    counts.assert_tried();
}
