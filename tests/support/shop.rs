//! The mall in this process, on a clock that stands still.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;
use serde_json::Map;
use stockhold::clock::ManualClock;
use stockhold::http::{App, Audience, Auth, Limits, Listener, Proxies, Role, Tls, WebhookSettings};
use stockhold::mall::{ByLevel, Mall, MallConfig, Product};
use stockhold::{Engine, EngineBuilder, Level, Seq};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Client;

/// Where the clock stands at first.
pub const NOW_MS: u64 = 1_750_000_000_000;
pub const SECRET: &str = "a secret that only this test knows";

/// How a [`Shop`] is opened.
pub struct Setup {
    pub limits: Limits,
    pub config: MallConfig,
    pub engine: fn(EngineBuilder) -> EngineBuilder,
    pub webhooks: WebhookSettings,
    pub proxies: Proxies,
    pub tls: Option<Tls>,
    pub audience: Audience,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            config: MallConfig::default(),
            engine: |builder| builder,
            webhooks: WebhookSettings {
                private_hosts: vec!["127.0.0.1".to_owned()],
                ..WebhookSettings::default()
            },
            proxies: Proxies::default(),
            tls: None,
            audience: Audience::Everybody,
        }
    }
}

pub struct Shop {
    pub engine: Engine,
    pub mall: Mall,
    pub clock: Arc<ManualClock>,
    pub address: SocketAddr,
    setup: Setup,
    dir: TempDir,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Shop {
    /// The demo mall.
    pub async fn open() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn with(setup: Setup) -> Self {
        let dir = TempDir::new().expect("a directory");
        Self::start(setup, dir, Arc::new(ManualClock::new(NOW_MS))).await
    }

    async fn start(setup: Setup, dir: TempDir, clock: Arc<ManualClock>) -> Self {
        let engine = open_engine(&setup, dir.path(), &clock);
        let mall = Mall::open(engine.clone(), setup.config.clone()).expect("the catalogue reads");
        mall.load_demo().expect("the demo loads");
        let app = App::new(mall.clone(), auth(), setup.limits.clone());
        let app = app.with_webhooks(setup.webhooks.clone()).expect("the receivers read");
        let app = Arc::new(app.behind(setup.proxies.clone()));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("an address");
        let listener = Listener::from(listener).for_audience(setup.audience);
        let listener = match &setup.tls {
            Some(tls) => listener.with_tls(tls.clone()),
            None => listener,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let server =
            tokio::spawn(stockhold::http::run(listener, async { drop(stopped.await) }, app));
        Self { engine, mall, clock, address, setup, dir, stop, server }
    }

    /// The data directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Stops the server, closes the engine, and opens both again on the same files.
    pub async fn reopen(mut self) -> Self {
        let setup = std::mem::take(&mut self.setup);
        self.reopen_with(setup).await
    }

    pub async fn reopen_with(self, setup: Setup) -> Self {
        drop(self.stop);
        self.server.await.expect("the server ends");
        self.engine.close().expect("the engine closes");
        drop((self.engine, self.mall));
        Self::start(setup, self.dir, self.clock).await
    }

    /// As [`Shop::reopen`], without these entries of the directory.
    pub async fn reopen_without(mut self, names: &[&str]) -> Self {
        let setup = std::mem::take(&mut self.setup);
        drop(self.stop);
        self.server.await.expect("the server ends");
        self.engine.close().expect("the engine closes");
        drop((self.engine, self.mall));
        for path in names.iter().map(|name| self.dir.path().join(name)) {
            if path.is_dir() {
                std::fs::remove_dir_all(&path).expect("it can be removed");
            } else if path.exists() {
                std::fs::remove_file(&path).expect("it can be removed");
            }
        }
        Self::start(setup, self.dir, self.clock).await
    }

    /// Stops the server, closes the engine, and gives its directory away.
    pub async fn close(self) -> TempDir {
        drop(self.stop);
        self.server.await.expect("the server ends");
        self.engine.close().expect("the engine closes");
        self.dir
    }

    /// A shop on a directory that another one left, when the clock stands as it did at first.
    pub async fn on(dir: TempDir) -> Self {
        Self::start(Setup::default(), dir, Arc::new(ManualClock::new(NOW_MS))).await
    }

    pub async fn guest(&self) -> Client {
        Client::connect(self.address, None).await
    }

    pub async fn client(&self, name: &str, role: Role) -> Client {
        Client::connect(self.address, Some(token(name, role))).await
    }

    pub async fn user(&self, name: &str) -> Client {
        self.client(name, Role::User).await
    }

    /// A user that was given points.
    pub async fn user_with(&self, name: &str, points: u64) -> Client {
        let path = format!("/api/admin/points/{name}/award");
        self.admin().await.post(&path, serde_json::json!({"points": points})).await.data();
        self.user(name).await
    }

    pub async fn operator(&self) -> Client {
        Client::connect(self.address, Some(token("ops", Role::Operator))).await
    }

    pub async fn admin(&self) -> Client {
        self.client("root", Role::Admin).await
    }

    /// Everything that a request may change, once what was decided is durable.
    pub fn state(&self) -> (Vec<Level>, usize, Seq, Seq) {
        self.engine.catch_up().wait().expect("the engine runs");
        // Alerts are written a little later, by a thread of the server.
        while matches!(self.mall.follow_alerts(), Ok(true)) {}
        (
            self.engine.levels(),
            self.engine.pending_count(),
            self.engine.status().last_seq,
            self.engine.durable_seq(),
        )
    }

    /// Moves the clock, and lets what is due then expire.
    pub fn advance(&self, by_ms: u64) {
        self.clock.advance(by_ms);
        self.engine.expire_due().expect("the engine runs");
    }
}

fn open_engine(setup: &Setup, dir: &Path, clock: &Arc<ManualClock>) -> Engine {
    let builder = Engine::builder(dir).clock(Arc::clone(clock) as _).segment_bytes(256 << 10);
    (setup.engine)(builder).open().expect("the engine opens")
}

fn auth() -> Auth {
    Auth::new(&SecretString::from(SECRET)).expect("a secret that is long enough")
}

/// A token that is good for an hour.
pub fn token(user: &str, role: Role) -> String {
    token_until(user, role, NOW_MS + 3_600_000)
}

/// A token that is good until a time.
pub fn token_until(user: &str, role: Role, until_ms: u64) -> String {
    auth().issue(user, role, until_ms).expect("a user that can be named")
}

/// A token that says when it was made.
pub fn token_made(user: &str, role: Role, at_ms: u64) -> String {
    auth().issue_at(user, role, at_ms, at_ms + 3_600_000).expect("a user that can be named")
}

/// A product that is for sale, in a category of the demo.
pub fn product(id: &str, points_price: u64) -> Product {
    Product {
        description: format!("About {id}"),
        created_at: NOW_MS,
        ..Product::new(id, id.to_uppercase(), "cat_food", points_price)
    }
}
