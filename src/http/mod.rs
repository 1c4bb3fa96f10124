//! The mall over HTTP: parse, call, map.
//!
//! A handler reads a request into the mall's terms, calls it, and writes what came back; no stock
//! rule lives here.

mod accept;
mod access;
mod answer;
mod api;
mod auth;
mod body;
mod budget;
mod call;
mod code;
mod connection;
mod document;
mod error;
mod etag;
mod feed;
mod format;
mod gate;
mod guests;
mod key;
mod lane;
mod listener;
mod manual;
mod media;
mod messagepack;
mod metrics;
mod pages;
mod parts;
pub(crate) mod plot;
mod porter;
mod problem;
mod proxies;
mod query;
mod rates;
mod reply;
mod request_id;
mod request_log;
mod route;
mod router;
mod row;
mod rows;
mod running;
mod server;
pub(crate) mod sheet;
#[cfg(feature = "bin")]
mod starting;
mod stream;
mod strict;
mod text;
mod tls;
mod told;
mod upkeep;
mod visit;
mod watchers;

use std::sync::Arc;
use std::time::Duration;

use hyper::HeaderMap;
use tokio::sync::{Semaphore, watch};

use crate::backup::BackupView;
use crate::base::error::Result;
use crate::base::spans::SpanCounts;
use crate::base::{TimeMs, handle};
use crate::mall::Mall;
use crate::sink::MirrorView;
pub use crate::webhooks::WebhookSettings;
use crate::webhooks::{Sending, Webhooks};
use crate::wire::decimal;

#[cfg(feature = "bin")]
pub(crate) use api::csv::field as csv_field;
pub use auth::{Auth, Role};
#[cfg(feature = "bin")]
pub(crate) use auth::{SECRET_BYTES_MIN, set_of_secret};
#[cfg(feature = "bin")]
pub(crate) use document::object as exact_object;
pub use listener::{Audience, Listener, Listeners};
#[cfg(feature = "bin")]
pub(crate) use listener::{Inherited, OwnPath, Place};
#[cfg(feature = "bin")]
pub(crate) use manual::{escaped, policy_of};
#[cfg(feature = "bin")]
pub(crate) use pages::{Caption, MOMENTS_MAX, Moment, life_file};
#[cfg(feature = "bin")]
pub(crate) use porter::TURNED_AWAY_MAX;
pub use proxies::{Proxies, ProxyHeader};
pub use request_log::RequestLog;
pub use server::run;
#[cfg(feature = "bin")]
pub(crate) use server::{Ending, run_until};
#[cfg(feature = "bin")]
pub(crate) use starting::starting;
pub use tls::{Tls, TlsPem};

/// The bounds of the server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How many connections are served at one time. When there are this many, one that never sent a
    /// request makes room for the next, then one that rests; otherwise the next waits.
    pub connections: usize,
    /// How many of them may come from one address: an IPv4 address, or a /64 of IPv6. The next is
    /// told so and closed.
    pub connections_per_address: usize,
    /// How many are served at listeners of operators, in all. Those are counted apart: the bounds
    /// above are not for them, and whoever comes by other listeners takes none of them.
    pub operators_connections: usize,
    /// The longest body of a request, in bytes.
    pub body_bytes: usize,
    /// How long a client may take to send a request's head, from its first byte on; the first head
    /// from the connection on.
    pub header_timeout: Duration,
    /// How long a kept connection may be idle: longer than any proxy before the server keeps it.
    pub idle_timeout: Duration,
    /// How long a client may take to send a request's body.
    pub body_timeout: Duration,
    /// How long a client may leave an answer unread while the connection takes no more of it.
    pub write_timeout: Duration,
    /// How long a client may take to read a whole answer.
    pub answer_timeout: Duration,
    /// How many bytes of answers may be in memory at one time, those of up to 16 KiB not counted.
    pub answer_bytes: usize,
    /// How many of them for one user, or for one address without a token.
    pub answer_bytes_per_user: usize,
    /// How many searches of the catalogue, and how many lists of orders, may wait to be made.
    pub waiting_lists: usize,
    /// How long requests under way may take to finish at shutdown.
    pub drain_timeout: Duration,
    /// How many clients may follow the events of the ledger.
    pub event_followers: usize,
    /// How many clients may watch the stock of products as it changes.
    pub stock_watchers: usize,
    /// How many of them from one address: an IPv4 address, or a /64 of IPv6.
    pub stock_watchers_per_address: usize,
    /// After how long without an event they hear a heartbeat.
    pub event_heartbeat: Duration,
    /// How long one of them may take nothing of what is to be written; then it is dropped.
    pub event_patience: Duration,
    /// How long requests may wait for a processor while many come; beyond that some are turned away,
    /// of those who ask most first. `None` means that none is.
    pub overload_wait: Option<Duration>,
    /// How many requests each user may have under way at one time, other than by a service; `None`
    /// means no bound.
    pub user_requests_under_way: Option<u32>,
    /// How many requests that may write something each user has in a minute; `None` means no bound.
    /// Operators have none.
    pub user_requests_per_minute: Option<u64>,
    /// How many bytes those may write.
    pub user_bytes_per_minute: Option<u64>,
    /// How many requests that only read each user has in a minute, whoever asks for it; `None` means
    /// no bound. Operators have none.
    pub user_reads_per_minute: Option<u64>,
    /// How many requests may come from one address in a minute, of users and of whoever has no good
    /// token, an IPv4 address or a /64 of IPv6; `None` means no bound.
    pub address_requests_per_minute: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: 5_000,
            operators_connections: 64,
            body_bytes: 64 * 1024,
            header_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(60),
            answer_bytes: 256 << 20,
            answer_bytes_per_user: 32 << 20,
            waiting_lists: 256,
            drain_timeout: Duration::from_secs(20),
            event_followers: 64,
            stock_watchers: 8_000,
            stock_watchers_per_address: 4_000,
            event_heartbeat: Duration::from_secs(15),
            event_patience: Duration::from_secs(5),
            overload_wait: None,
            user_requests_under_way: None,
            user_requests_per_minute: None,
            user_bytes_per_minute: None,
            user_reads_per_minute: None,
            address_requests_per_minute: None,
        }
    }
}

/// How many searches, and how many lists, of operators on listeners of their own may wait.
const OPERATORS_WAITING_MAX: usize = 16;

/// How many reports may wait to be made.
const REPORTS_WAITING_MAX: usize = 8;

/// How many may wait for the numbers of the server.
const SCRAPES_WAITING_MAX: usize = 8;

/// What the handlers work on.
pub struct App {
    mall: Mall,
    auth: Arc<Auth>,
    /// When this was, by the machine's clock: no link for signing in is older.
    began_ms: TimeMs,
    limits: Limits,
    rates: rates::Rates,
    gate: Arc<gate::Gate>,
    router: router::Router,
    manual: manual::Manual,
    budget: Arc<budget::Budget>,
    /// For whoever comes by a listener of operators.
    operators_budget: Arc<budget::Budget>,
    lanes: lane::Lanes,
    /// For whoever comes by a listener of operators.
    operators_lanes: lane::Lanes,
    /// For reports, which look at many events.
    reports: lane::Lane,
    /// For the numbers of the server.
    scrapes: lane::Lane,
    /// What is counted while it serves.
    watching: Arc<metrics::Watching>,
    /// What bounds in time are held against.
    running: Arc<running::RunningClock>,
    /// What requests are called that came without a name.
    ids: request_id::RequestIds,
    /// Which of them the log tells of.
    request_log: RequestLog,
    /// `None` where nobody speaks TLS.
    tls: Option<Tls>,
    /// Who names the clients that requests are for.
    proxies: Proxies,
    /// Set when the server stops accepting; `/ready` says so to whoever is still connected.
    draining: watch::Sender<bool>,
    /// Places for clients that follow the events.
    followers: Arc<Semaphore>,
    /// Who watches the stock of products.
    watchers: watchers::Watchers,
    /// How the parts of it were when somebody looked.
    seen: parts::Seen,
    /// `None` without a mirror.
    mirror: Option<MirrorView>,
    backup: Option<BackupView>,
    /// `None` where nobody is told of traces.
    spans: Option<Arc<SpanCounts>>,
    /// `None` where nobody is told of anything.
    webhooks: Option<Webhooks>,
    /// What the program was told; nothing where another program has the server.
    settings: Vec<SettingShown>,
}

/// A setting that is in force, for people.
#[derive(Clone, Debug)]
pub(crate) struct SettingShown {
    pub(crate) name: &'static str,
    /// As it was written; of a secret only that there is one.
    pub(crate) value: String,
    /// Who said so.
    pub(crate) from: String,
}

/// What the table of routes says of each, and then that of pages.
fn rows() -> impl Iterator<Item = &'static row::Row> {
    routes().map(|route| &route.row)
}

fn routes() -> impl Iterator<Item = &'static route::Route> {
    route::ROUTES.iter().chain(pages::PAGES)
}

handle!(App, this { limits: this.limits });

impl App {
    /// The mall behind an address, for callers that `auth` knows.
    pub fn new(mall: Mall, auth: impl Into<Arc<Auth>>, limits: Limits) -> Self {
        Self {
            began_ms: mall.clock_ms(),
            followers: Arc::new(Semaphore::new(limits.event_followers)),
            watchers: watchers::Watchers::new(&limits),
            budget: Arc::new(budget::Budget::new(
                limits.answer_bytes,
                limits.answer_bytes_per_user,
            )),
            operators_budget: Arc::new(budget::Budget::new(
                limits.answer_bytes_per_user,
                limits.answer_bytes_per_user,
            )),
            lanes: lane::Lanes::new(limits.waiting_lists),
            operators_lanes: lane::Lanes::new(OPERATORS_WAITING_MAX),
            reports: lane::Lane::new("too many reports wait", REPORTS_WAITING_MAX),
            scrapes: lane::Lane::new("too many read the metrics", SCRAPES_WAITING_MAX),
            watching: Arc::new(metrics::Watching::new(rows())),
            rates: rates::Rates::new(&limits),
            gate: Arc::new(gate::Gate::new(&limits)),
            mall,
            auth: auth.into(),
            limits,
            router: router::Router::new(routes()),
            manual: manual::Manual::new(route::ROUTES.iter().map(|route| &route.row)),
            running: Arc::default(),
            ids: request_id::RequestIds::new(),
            request_log: RequestLog::default(),
            tls: None,
            proxies: Proxies::default(),
            draining: watch::Sender::new(false),
            seen: parts::Seen::default(),
            mirror: None,
            backup: None,
            spans: None,
            webhooks: None,
            settings: Vec::new(),
        }
    }

    /// Logs a line of these requests when they are answered; of none unless said otherwise.
    #[must_use]
    pub fn log_requests(self, requests: RequestLog) -> Self {
        Self { request_log: requests, ..self }
    }

    /// Takes the word of these proxies about whom requests are from; of none unless said otherwise.
    #[must_use]
    pub fn behind(self, proxies: Proxies) -> Self {
        Self { proxies, ..self }
    }

    /// Tells the receivers that operators name of orders and stock, while it is served.
    ///
    /// # Errors
    /// `Invalid` when the certificates cannot be used, `Unavailable` when the data directory cannot
    /// be read.
    pub fn with_webhooks(self, settings: WebhookSettings) -> Result<Self> {
        let webhooks = Some(Webhooks::open(self.mall.engine().clone(), settings)?);
        Ok(Self { webhooks, ..self })
    }

    /// The receivers of webhooks, where there may be any.
    #[cfg(feature = "bin")]
    pub(crate) fn webhooks(&self) -> Option<Webhooks> {
        self.webhooks.clone()
    }

    /// Counts no requests, for whoever measures what counting costs.
    #[cfg(feature = "bin")]
    pub(crate) fn uncounted(self) -> Self {
        let watching = Arc::new(metrics::Watching::new(rows()).off());
        Self { watching, ..self }
    }

    /// Lets operators look at this mirror.
    #[cfg(feature = "bin")]
    pub(crate) fn with_mirror(self, mirror: Option<MirrorView>) -> Self {
        Self { mirror, ..self }
    }

    /// Tells in its metrics when this certificate ends.
    #[cfg(feature = "bin")]
    pub(crate) fn with_tls(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// Lets operators look at these backups.
    #[cfg(feature = "bin")]
    pub(crate) fn with_backup(self, backup: Option<BackupView>) -> Self {
        Self { backup, ..self }
    }

    /// Lets administrators look at these settings.
    #[cfg(feature = "bin")]
    pub(crate) fn with_settings(self, settings: Vec<SettingShown>) -> Self {
        Self { settings, ..self }
    }

    /// The setting of this name, where it is known.
    fn setting(&self, name: &str) -> Option<&SettingShown> {
        self.settings.iter().find(|it| it.name == name)
    }

    /// Tells what became of spans.
    #[cfg(feature = "bin")]
    pub(crate) fn with_spans(self, spans: Option<Arc<SpanCounts>>) -> Self {
        Self { spans, ..self }
    }

    /// Whose token a request has, if it is good now.
    fn bearer(
        &self,
        headers: &HeaderMap,
        only_reads: bool,
    ) -> Result<Arc<auth::Identity>, error::ApiError> {
        self.identity_of(auth::token_of(headers, only_reads)?)
    }

    /// Whose token this is, if it is good now.
    fn identity_of(&self, token: &str) -> Result<Arc<auth::Identity>, error::ApiError> {
        self.auth.identify(token, self.mall.clock_ms(), self.revoked())
    }

    /// Which tokens and links were revoked, by whose they are and when they were made.
    fn revoked(&self) -> impl Fn(&str, Option<TimeMs>) -> bool {
        |user, issued_at| self.mall.has_revoked(user, issued_at)
    }

    /// Whose link for signing in this is, if it is good now; that it is looked at does not use it.
    ///
    /// # Errors
    /// UNAUTHORIZED.
    fn look_at_link(&self, code: &str) -> Result<String, error::ApiError> {
        self.auth.look_at_link(code, self.mall.clock_ms(), self.began_ms, self.revoked())
    }

    /// The session of a link, which is used by that.
    ///
    /// # Errors
    /// UNAUTHORIZED, and OVERLOADED while too many are used.
    fn redeem(&self, code: &str) -> Result<auth::Session, error::ApiError> {
        self.auth.redeem(code, self.mall.clock_ms(), self.began_ms, self.revoked())
    }

    /// Without their thread, receivers are told later: nothing is lost.
    fn begin_webhooks(&self) -> Option<Sending> {
        let begun = self.webhooks.as_ref().map(Webhooks::begin)?;
        begun.inspect_err(|error| tracing::error!(%error, "webhooks are not sent")).ok()
    }

    fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }
}
