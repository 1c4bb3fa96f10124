//! Databases for tests: each test has one of its own, on a server that the tests of this binary share, or on a server
//! of its own where it is killed or held up.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Opts, OptsBuilder};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::mariadb::{self, MariaDb, Settings};
use crate::proxy::Proxy;

/// Names another server, with a user that may make databases: tests that only need a database take it there.
const OTHER_SERVER: &str = "STOCKHOLD_TEST_MYSQL_URL";
/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A database with a proxy before its server. Dropped, it is dropped.
pub struct Lab {
    pub proxy: Proxy,
    pub database: String,
    /// The server, if no other test has it.
    pub server: Option<Server>,
    place: Place,
}

/// Where databases can be made, and for whom.
#[derive(Clone, Debug)]
struct Place {
    address: SocketAddr,
    admin: Login,
    user: Login,
}

/// A name and a password as a URL has them.
#[derive(Clone, Debug)]
struct Login(String);

impl Lab {
    /// A database on the server that this binary's tests share, or on the one the environment names.
    pub async fn shared() -> Self {
        Self::at(shared_place(), None).await
    }

    /// A database on a server of its own, started with more arguments.
    pub async fn own(arguments: &[&str]) -> Self {
        let server = Server(start(arguments));
        Self::at(private_place(server.0.address()), Some(server)).await
    }

    async fn at(place: Place, server: Option<Server>) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let database = format!("stockhold_{}_{number}", std::process::id());
        let proxy = Proxy::before(place.address).await;
        let lab = Self { proxy, database, server, place };
        lab.connect(&lab.place.admin, "")
            .await
            .query_drop(format!("create database {}", lab.database))
            .await
            .expect("a new name");
        lab
    }

    /// The database for the mirror, through the proxy.
    pub fn url(&self) -> String {
        self.place.user.url(self.proxy.address, &self.database)
    }

    /// The database for the mirror, past the proxy.
    pub fn direct_url(&self) -> String {
        self.place.user.url(self.place.address, &self.database)
    }

    /// The database for the mirror, through another proxy.
    pub fn url_by(&self, proxy: &Proxy) -> String {
        self.place.user.url(proxy.address, &self.database)
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.place.address
    }

    /// A connection past the proxy, for one who may do everything.
    pub async fn admin(&self) -> Conn {
        self.connect(&self.place.admin, &self.database).await
    }

    async fn connect(&self, login: &Login, database: &str) -> Conn {
        let opts = Opts::from_url(&login.url(self.place.address, database)).expect("a valid URL");
        // The server's own time zone is another one.
        let opts = OptsBuilder::from_opts(opts).setup(vec!["set time_zone = '+00:00'"]);
        Conn::new(opts).await.expect("the server accepts")
    }

    /// The rows that a query answers.
    pub async fn rows<T: FromRow + Send + 'static>(&self, query: &str) -> Vec<T> {
        let rows = self.admin().await.query(query).await;
        rows.unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    /// The one row that a query answers.
    pub async fn row<T: FromRow + Send + 'static>(&self, query: &str) -> T {
        let mut rows = self.rows(query).await;
        assert_eq!(rows.len(), 1, "{query} answers one row");
        rows.remove(0)
    }

    /// Executes statements that answer nothing, as one who may do everything.
    pub async fn execute(&self, statements: &[&str]) {
        let mut admin = self.admin().await;
        for statement in statements {
            admin.query_drop(*statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    /// The server, which this test has for itself.
    pub fn server(&mut self) -> &mut Server {
        self.server.as_mut().expect("the test asked for a server of its own")
    }

    /// Leaves nothing on a server that others use as well. A test that fails leaves its database to look at, on a
    /// server that ends with the tests.
    pub async fn close(self) {
        if self.server.is_none() {
            self.execute(&[&format!("drop database {}", self.database)]).await;
        }
    }
}

impl Login {
    fn url(&self, address: SocketAddr, database: &str) -> String {
        format!("mysql://{}@{address}/{database}", self.0)
    }
}

/// A server that can be killed, started again, and held up.
pub struct Server(MariaDb);

impl Server {
    pub fn kill(&mut self) {
        self.0.kill();
    }

    pub fn restart(&mut self) {
        self.0.restart().expect("what a kill leaves behind starts");
    }

    /// Kills the server if it runs, and starts it again with other arguments.
    pub fn restart_with(&mut self, arguments: &[&str]) {
        self.0.settings.arguments = arguments_with(arguments);
        self.restart();
    }

    /// The server does nothing until [`Server::go_on`]; whoever connects waits.
    pub fn hold_up(&self) {
        self.signal(Signal::STOP);
    }

    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = self.0.pid().and_then(|pid| Pid::from_raw(pid.try_into().ok()?)).expect("the server runs");
        kill_process(pid, signal).expect("the server runs");
    }
}

/// The arguments of a server whose ways are not ours: it lives in the mall's time zone, and counts in Latin letters
/// because nobody told it otherwise.
fn arguments_with(more: &[&str]) -> Vec<String> {
    ["--default-time-zone=+08:00"].iter().chain(more).map(|&argument| argument.to_owned()).collect()
}

fn shared_place() -> Place {
    static SHARED: OnceLock<(Place, Option<MariaDb>)> = OnceLock::new();
    let shared = SHARED.get_or_init(|| match std::env::var(OTHER_SERVER) {
        Ok(url) => (other_place(&url), None),
        Err(_) => {
            let server = start(&[]);
            (private_place(server.address()), Some(server))
        }
    });
    shared.0.clone()
}

fn start(arguments: &[&str]) -> MariaDb {
    let missing =
        format!("scripts/test installs mariadb-server-core; or set {OTHER_SERVER}=mysql://USER:PASSWORD@HOST:PORT");
    assert!(MariaDb::program().is_some(), "there is no mariadbd: {missing}");
    // The server removes it.
    let home = TempDir::new().expect("a directory").keep();
    let settings = Settings {
        durable: false,
        arguments: arguments_with(arguments),
        templates: Some(env!("CARGO_TARGET_TMPDIR").into()),
    };
    MariaDb::start(&home, settings).expect("the server starts")
}

fn private_place(address: SocketAddr) -> Place {
    let login = |user| Login(format!("{user}:{}", mariadb::PASSWORD_IN_URL));
    Place { address, admin: login(mariadb::ADMIN), user: login(mariadb::USER) }
}

fn other_place(url: &str) -> Place {
    let wrong = format!("{OTHER_SERVER} must be mysql://USER:PASSWORD@HOST:PORT");
    let rest = url.strip_prefix("mysql://").expect(&wrong);
    let (login, host) = rest.rsplit_once('@').expect(&wrong);
    let host = host.split('/').next().expect("there is a first part");
    let mut found = std::net::ToSocketAddrs::to_socket_addrs(host).expect(&wrong);
    let login = Login(login.to_owned());
    Place { address: found.next().expect(&wrong), admin: login.clone(), user: login }
}

/// Looks until there is something to see; what it waits for is told when it does not come.
pub async fn wait_for<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
