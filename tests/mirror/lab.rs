//! Databases for tests: each test has one of its own, on a server that the tests of this binary
//! share, or on a server of its own where it is killed or held up.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Opts, OptsBuilder};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::dbserver::{self, DbServer, Program, Settings};
use crate::proxy::Proxy;

/// Names another server, with a user that may make databases: tests that only need a database take
/// it there.
const OTHER_SERVER: &str = "STOCKHOLD_TEST_MYSQL_URL";
/// Where `scripts/servers` unpacks servers of newer releases, if not where it does by default.
const SERVERS: &str = "STOCKHOLD_SERVERS";
/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The servers that the mirror is tested with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The machine's own MariaDB, which most tests are content with.
    Installed,
    /// MariaDB 11.8, of Debian 13.
    MariaDbTrixie,
    /// MySQL 9.7, of Debian unstable.
    MySqlSid,
}

/// Makes a test of a function that takes a [`Lab`], on each of the servers: on those that the tests
/// share, or with `own:` on one of each that the test has for itself.
#[macro_export]
macro_rules! on_every_server {
    (own: $($name:ident),+ $(,)?) => { $crate::on_every_server!(@ every_own_server, own_on, $($name),+); };
    (@ $module:ident, $lab:ident, $($name:ident),+) => {
        mod $module {
            $(mod $name {
                use $crate::lab::{Lab, Release};

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn installed() {
                    super::super::$name(Lab::$lab(Release::Installed).await.expect("shared() says what is missing")).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn mariadb_trixie() {
                    let Some(lab) = Lab::$lab(Release::MariaDbTrixie).await else { return };
                    super::super::$name(lab).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn mysql_sid() {
                    let Some(lab) = Lab::$lab(Release::MySqlSid).await else { return };
                    super::super::$name(lab).await;
                }
            })+
        }
    };
    ($($name:ident),+ $(,)?) => { $crate::on_every_server!(@ every_server, on, $($name),+); };
}

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
    /// A database on the server that this binary's tests share, or on the one the environment
    /// names.
    pub async fn shared() -> Self {
        Self::on(Release::Installed)
            .await
            .expect("the machine's own server is there, or the test has failed")
    }

    /// A database on a server of this release that the tests share; `None`, and said so, when it is
    /// not on this machine.
    pub async fn on(release: Release) -> Option<Self> {
        Some(Self::at(shared_place(release)?, None).await)
    }

    /// A second database where this one is.
    pub async fn beside(&self) -> Self {
        Self::at(self.place.clone(), None).await
    }

    /// A database on a server of its own, started with more arguments.
    pub async fn own(arguments: &[&str]) -> Self {
        Self::own_with(Release::Installed, arguments)
            .await
            .expect("the machine's own server is there, or the test has failed")
    }

    /// As [`Lab::own`] on a server of this release.
    pub async fn own_on(release: Release) -> Option<Self> {
        Self::own_with(release, &[]).await
    }

    /// As [`Lab::own_on`], started with more arguments.
    pub async fn own_with(release: Release, arguments: &[&str]) -> Option<Self> {
        let server = Server(start(program(release)?, arguments));
        Some(Self::at(private_place(server.0.address()), Some(server)).await)
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
            admin
                .query_drop(*statement)
                .await
                .unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    /// The server, which this test has for itself.
    pub fn server(&mut self) -> &mut Server {
        self.server.as_mut().expect("the test asked for a server of its own")
    }

    /// Leaves nothing on a server that others use as well. A test that fails leaves its database to
    /// look at, on a server that ends with the tests.
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
pub struct Server(DbServer);

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
        let pid = self
            .0
            .pid()
            .and_then(|pid| Pid::from_raw(pid.try_into().ok()?))
            .expect("the server runs");
        kill_process(pid, signal).expect("the server runs");
    }
}

/// The arguments of a server whose ways are not ours: it lives in the mall's time zone, and counts
/// in Latin letters because nobody told it otherwise.
fn arguments_with(more: &[&str]) -> Vec<String> {
    ["--default-time-zone=+08:00"].iter().chain(more).map(|&argument| argument.to_owned()).collect()
}

fn shared_place(release: Release) -> Option<Place> {
    type Shared = OnceLock<Option<(Place, Option<DbServer>)>>;
    static SHARED: [Shared; 3] = [const { OnceLock::new() }; 3];
    let shared = SHARED[release as usize].get_or_init(|| {
        if let (Release::Installed, Ok(url)) = (release, std::env::var(OTHER_SERVER)) {
            return Some((other_place(&url), None));
        }
        let server = start(program(release)?, &[]);
        Some((private_place(server.address()), Some(server)))
    });
    shared.as_ref().map(|(place, _)| place.clone())
}

fn installed() -> Program {
    let missing = format!(
        "scripts/test installs mariadb-server-core; or set {OTHER_SERVER}=mysql://USER:PASSWORD@HOST:PORT"
    );
    Program::installed().unwrap_or_else(|| panic!("there is no mariadbd: {missing}"))
}

/// The server of a release; `None` when it is not there, which is said where the output of tests is
/// not held back.
fn program(release: Release) -> Option<Program> {
    let name = match release {
        Release::Installed => return Some(installed()),
        Release::MariaDbTrixie => "mariadb-trixie",
        Release::MySqlSid => "mysql-sid",
    };
    let dir = servers_dir().join(name);
    let program = Program::unpacked(&dir);
    if program.is_none() {
        let said = format!(
            "\nNOT TESTED with {name}: {} is not there, scripts/servers brings it\n",
            dir.display()
        );
        std::io::stderr().write_all(said.as_bytes()).expect("somebody reads it");
    }
    program
}

/// As `scripts/servers` has it.
fn servers_dir() -> PathBuf {
    let of =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = || of("XDG_CACHE_HOME").or_else(|| of("HOME").map(|home| home.join(".cache")));
    of(SERVERS).or_else(|| cache().map(|cache| cache.join("stockhold/servers"))).unwrap_or_default()
}

fn start(program: Program, arguments: &[&str]) -> DbServer {
    // The server removes it.
    let home = TempDir::new().expect("a directory").keep();
    let settings = Settings {
        durable: false,
        arguments: arguments_with(arguments),
        templates: Some(env!("CARGO_TARGET_TMPDIR").into()),
    };
    DbServer::start(program, &home, settings).expect("the server starts")
}

fn private_place(address: SocketAddr) -> Place {
    let login = |user| Login(format!("{user}:{}", dbserver::PASSWORD_IN_URL));
    Place { address, admin: login(dbserver::ADMIN), user: login(dbserver::USER) }
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
