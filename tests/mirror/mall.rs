//! A mall that serves in a process of its own and is mirrored, and a crowd that buys there.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::Signal;
use secrecy::SecretString;
use serde_json::{Value, json};
use stockhold::http::{Auth, Role};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::lab::wait_for;
use crate::support::{Client, Process, exit_code, stockhold};

const SECRET: &str = "a secret of the mirrored mall, long enough";
/// Beyond the life of these tests.
const TOKENS_END_AT: u64 = 7_000_000_000_000;

pub const BUYERS: usize = 4;
pub const PRODUCTS: [&str; 3] = ["prod_movie", "prod_starbucks", "prod_kfc"];
/// Between two requests of one buyer.
const REST: Duration = Duration::from_millis(1);
/// More than any crowd can spend.
const PLENTY: u64 = 1 << 40;

/// A data directory, and the server on it while there is one.
pub struct Mall {
    /// Ends before its directory goes.
    server: Option<Process>,
    dir: TempDir,
}

impl Mall {
    pub fn new() -> Self {
        Self { dir: TempDir::new().expect("a directory"), server: None }
    }

    /// A mall that is mirrored to `url`, with points and stock for a crowd.
    pub async fn open(url: &str) -> Self {
        let mut mall = Self::new();
        mall.serve(url, &[]);
        mall.stock_up().await;
        mall
    }

    /// Serves with more arguments, mirrored to `url`.
    pub fn serve(&mut self, url: &str, more: &[&str]) {
        assert!(self.server.is_none(), "one process serves a directory");
        let mut command = self.command(&["serve", "--demo", "--listen", "127.0.0.1:0"], url);
        // What it says at most: nobody reads its log before its end, and a pipe is soon full.
        command.args(more).env("STOCKHOLD_AUTH_SECRET", SECRET).env("RUST_LOG", "warn");
        // A crowd of few users, each faster than anybody is.
        for bound in ["STOCKHOLD_USER_REQUESTS_PER_MINUTE", "STOCKHOLD_USER_BYTES_PER_MINUTE"] {
            command.env(bound, "1000000000");
        }
        self.server = Some(Process::start(&mut command));
    }

    pub fn command(&self, args: &[&str], url: &str) -> std::process::Command {
        let mut command = stockhold(args);
        command.arg("--data-dir").arg(self.path()).env("STOCKHOLD_MIRROR_URL", url);
        command
    }

    /// Runs `stockhold mirror` with these arguments on this directory to its end: exit code, output
    /// and log.
    pub fn mirror(&self, args: &[&str], url: &str) -> (i32, String, String) {
        exit_code(
            self.command(&[&["mirror"], args].concat(), url).output().expect("the program runs"),
        )
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn server(&self) -> &Process {
        self.server.as_ref().expect("the server runs")
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let server = self.server.take().expect("the server runs");
        server.signal(Signal::KILL);
        assert_eq!(server.wait().0, -1, "it was killed");
    }

    /// SIGTERM, and its log.
    pub fn stop(&mut self) -> String {
        let server = self.server.take().expect("the server runs");
        server.signal(Signal::TERM);
        let (code, log) = server.wait();
        assert_eq!(code, 0, "{log}");
        log
    }

    pub async fn client(&self, user: &str, role: Role) -> Client {
        let auth = Auth::new(&SecretString::from(SECRET)).expect("a secret that is long enough");
        let token = auth.issue(user, role, TOKENS_END_AT).expect("a user that can be named");
        Client::connect(self.server().address, Some(token)).await
    }

    pub async fn user(&self, user: &str) -> Client {
        self.client(user, Role::User).await
    }

    pub async fn admin(&self) -> Client {
        self.client("root", Role::Admin).await
    }

    pub async fn stock_up(&self) {
        let mut admin = self.admin().await;
        for buyer in 0..BUYERS {
            let path = format!("/api/admin/points/{}/award", name(buyer));
            admin.post(&path, json!({"points": PLENTY, "reason": "支付奖励"})).await.data();
        }
        for product in PRODUCTS {
            let path = format!("/api/admin/inventory/{product}/receive");
            admin.post(&path, json!({"quantity": PLENTY, "reason": "到货"})).await.data();
        }
    }

    /// What the mirror tells of itself.
    pub async fn status(&self) -> Value {
        self.admin().await.get("/api/admin/mirror").await.data()
    }

    /// Waits until the status is as it should be.
    pub async fn until(&self, what: &str, good: impl Fn(&Value) -> bool) -> Value {
        let mut admin = self.admin().await;
        wait_for(what, async || Some(admin.get("/api/admin/mirror").await.data()).filter(&good))
            .await
    }

    /// Waits until the tables show everything that has been acknowledged.
    pub async fn mirrored(&self) {
        let shown = self.admin().await.get("/api/admin/mirror/wait?timeout_ms=60000").await.data();
        assert_eq!(shown["reached"], true, "{shown}");
    }
}

/// The name of a buyer.
pub fn name(buyer: usize) -> String {
    format!("buyer-{buyer}")
}

/// Buyers that buy, confirm and cancel as fast as they are answered, until they are told to stop or
/// the server is gone.
pub struct Crowd {
    shared: Arc<Shared>,
    buyers: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    answers: AtomicUsize,
    /// The orders that were answered.
    orders: Mutex<Vec<String>>,
}

impl Crowd {
    pub async fn at(mall: &Mall, seed: u64) -> Self {
        let shared = Arc::new(Shared::default());
        let mut buyers = JoinSet::new();
        for number in 0..BUYERS {
            let buyer = Buyer {
                shared: Arc::clone(&shared),
                client: mall.user(&name(number)).await,
                admin: mall.admin().await,
                rng: seed.wrapping_mul(BUYERS as u64).wrapping_add(number as u64 + 1),
                waiting: Vec::new(),
                confirmed: Vec::new(),
            };
            buyers.spawn(buyer.run());
        }
        Self { shared, buyers }
    }

    /// Waits until so many more requests were answered.
    pub async fn answered(&self, more: usize) {
        let answers = || self.shared.answers.load(Ordering::SeqCst);
        let enough = answers() + more;
        wait_for("answers", async || (answers() >= enough).then_some(())).await;
    }

    /// Stops the buyers, or waits until those that lost their server have ended; the orders that
    /// were answered.
    pub async fn stop(mut self) -> Vec<String> {
        self.shared.over.store(true, Ordering::SeqCst);
        while let Some(buyer) = self.buyers.join_next().await {
            buyer.expect("every answer is right");
        }
        std::mem::take(&mut self.shared.orders.lock().expect("no buyer panicked"))
    }
}

struct Buyer {
    shared: Arc<Shared>,
    client: Client,
    admin: Client,
    rng: u64,
    waiting: Vec<String>,
    confirmed: Vec<String>,
}

impl Buyer {
    async fn run(mut self) {
        while !self.shared.over.load(Ordering::SeqCst) && self.step().await.is_some() {
            self.shared.answers.fetch_add(1, Ordering::SeqCst);
            // A crowd that buys as fast as it can leaves the tests too much to compare.
            tokio::time::sleep(REST).await;
        }
    }

    /// One request; `None` when the server is gone.
    async fn step(&mut self) -> Option<()> {
        match self.below(100) {
            0..4 => self.count_stock().await,
            4..30 if !self.waiting.is_empty() => self.act("confirm").await,
            30..45 if !self.waiting.is_empty() => self.act("cancel").await,
            45..50 if !self.confirmed.is_empty() => self.give_back().await,
            _ => self.buy().await,
        }
    }

    async fn buy(&mut self) -> Option<()> {
        let confirm = self.below(2) == 0;
        let product = PRODUCTS[self.below(PRODUCTS.len() as u64) as usize];
        let body = json!({
            "productId": product, "quantity": 1 + self.below(3), "confirm": confirm,
            "deliveryInfo": {"name": "安", "phone": "13800000000"},
        });
        let data = Self::ask(&mut self.client, "/api/mall/exchange", &body.to_string()).await?;
        assert_eq!(data["status"], i64::from(confirm), "{data}");
        let id = data["orderId"].as_str().expect("a string").to_owned();
        self.shared.orders.lock().expect("no buyer panicked").push(id.clone());
        if confirm {
            self.confirmed.push(id)
        } else {
            self.waiting.push(id)
        }
        Some(())
    }

    async fn act(&mut self, action: &str) -> Option<()> {
        let at = self.below(self.waiting.len() as u64) as usize;
        let id = self.waiting.swap_remove(at);
        Self::ask(&mut self.client, &format!("/api/mall/orders/{id}/{action}"), "").await?;
        if action == "confirm" {
            self.confirmed.push(id);
        }
        Some(())
    }

    async fn give_back(&mut self) -> Option<()> {
        let at = self.below(self.confirmed.len() as u64) as usize;
        let id = self.confirmed.swap_remove(at);
        Self::ask(&mut self.client, &format!("/api/mall/orders/{id}/cancel"), "").await.map(drop)
    }

    async fn count_stock(&mut self) -> Option<()> {
        let product = PRODUCTS[self.below(PRODUCTS.len() as u64) as usize];
        let path = format!("/api/admin/inventory/{product}/adjust");
        let delta = if self.below(2) == 0 { 3 } else { -2 };
        let body = json!({"delta": delta, "reason": "盘点"}).to_string();
        Self::ask(&mut self.admin, &path, &body).await.map(drop)
    }

    async fn ask(client: &mut Client, path: &str, body: &str) -> Option<Value> {
        let request = client.post_request(path);
        Some(client.try_send(request, body.to_owned()).await.ok()?.data())
    }

    /// A number below `bound`: xorshift64*, by S. Vigna.
    fn below(&mut self, bound: u64) -> u64 {
        self.rng ^= self.rng >> 12;
        self.rng ^= self.rng << 25;
        self.rng ^= self.rng >> 27;
        (self.rng.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}
