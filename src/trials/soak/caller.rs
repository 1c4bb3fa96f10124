//! One connection's caller: it asks for users that nobody else asks for, and keeps what it was
//! told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use tokio::time::{Instant, sleep, sleep_until};

use super::ask::{Ask, Asked, Reply, send};
use super::choices::Choices;
use super::counts::{Counts, Findings};
use super::holdings::{Purse, Stock};
use super::known::{Order, Span};
use super::place::{Place, Suspect};
use super::products::PRODUCTS;
use crate::base::clock::{Clock, SystemClock};
use crate::base::error::{Error, Result};
use crate::base::{ReservationId, TimeMs};
use crate::http::{Auth, Role};
use crate::trials::client::Client;

/// How many users a caller asks for.
pub(super) const USERS: usize = 3;
/// The clock is set forwards by hours, many times.
const TOKEN_TTL_MS: u64 = 20 * 366 * 86_400_000;
/// How many answers are kept for retries.
pub(super) const ANSWERED_MAX: usize = 1_000;
/// How long to leave a server alone that cannot be reached.
const UNREACHED_PAUSE: Duration = Duration::from_millis(5);

/// What callers know of the server that lives now.
pub(super) struct Life {
    pub(super) address: SocketAddr,
    pub(super) ttl_ms: u64,
    /// Between two requests of one caller.
    pub(super) pause: Duration,
    /// No pauses: the server is about to be killed, and then there should be something under way.
    pub(super) rush: AtomicBool,
    pub(super) over: AtomicBool,
    /// In all lives together.
    pub(super) requests: Arc<AtomicU64>,
}

pub(super) struct User {
    pub(super) name: String,
    pub(super) token: HeaderValue,
    pub(super) purse: Purse,
}

/// A request that succeeded under a key, and its whole answer.
pub(super) struct Answered {
    pub(super) asked: Asked,
    pub(super) lasting: String,
}

pub(super) struct Caller {
    number: usize,
    pub(super) chance: Choices,
    pub(super) admin: HeaderValue,
    pub(super) users: Vec<User>,
    pub(super) orders: BTreeMap<ReservationId, Order>,
    /// Orders that wait.
    pub(super) waiting: Vec<ReservationId>,
    /// Orders that were confirmed and are not over, those that were asked for last in the end.
    pub(super) paid: Vec<ReservationId>,
    /// Orders that have expired.
    pub(super) lapsed: Vec<ReservationId>,
    /// Where its users may wait in line, by user and product.
    pub(super) lines: BTreeMap<(usize, usize), Place>,
    pub(super) suspects: Vec<Suspect>,
    /// A user who found a product sold out, and has not joined its line.
    pub(super) sold_out: Option<(usize, usize)>,
    /// What has no clear answer yet.
    pub(super) unclear: Vec<Asked>,
    /// Exchanges without a key among it, whose orders are looked for.
    pub(super) lost: Vec<Ask>,
    pub(super) answered: VecDeque<Answered>,
    /// Orders that something happened to since the last check.
    pub(super) fresh: BTreeSet<ReservationId>,
    /// The newest order of the last check. Numbers grow with time: what came after has a higher one.
    pub(super) checked: Option<ReservationId>,
    pub(super) stocks: [Stock; PRODUCTS.len()],
    /// What is at the caller's own location.
    pub(super) stored: [u64; PRODUCTS.len()],
    pub(super) next_key: u64,
    /// Where deliveries went so far.
    pub(super) places: u64,
    /// The latest time that this life of the server has shown.
    pub(super) seen_ms: TimeMs,
    pub(super) counts: Counts,
    pub(super) findings: Findings,
}

impl Caller {
    pub(super) fn new(number: usize, seed: u64, auth: &Auth) -> Result<Self> {
        let user = |index: usize| {
            let name = format!("soak-{number}-{index}");
            Ok(User { token: bearer(auth, &name, Role::User)?, name, purse: Purse::default() })
        };
        Ok(Self {
            number,
            chance: Choices::new(seed, 1 + number as u64),
            // Of its own: what answers may take is counted by who asks.
            admin: bearer(auth, &format!("soak-{number}-ops"), Role::Admin)?,
            users: (0..USERS).map(user).collect::<Result<_>>()?,
            orders: BTreeMap::new(),
            waiting: Vec::new(),
            paid: Vec::new(),
            lapsed: Vec::new(),
            lines: BTreeMap::new(),
            suspects: Vec::new(),
            sold_out: None,
            unclear: Vec::new(),
            lost: Vec::new(),
            answered: VecDeque::new(),
            fresh: BTreeSet::new(),
            checked: None,
            stocks: Default::default(),
            stored: Default::default(),
            next_key: 0,
            places: 0,
            seen_ms: 0,
            counts: Counts::default(),
            findings: Findings::default(),
        })
    }

    /// Asks until this life is over.
    pub(super) async fn work(mut self, life: Arc<Life>) -> Self {
        // Relaxed, here and below: flags may be seen a request late, the number is for show.
        while !life.over.load(Ordering::Relaxed) {
            let Ok(mut client) = Client::connect(life.address).await else {
                sleep(UNREACHED_PAUSE).await;
                continue;
            };
            let mut next = Instant::now();
            while !life.over.load(Ordering::Relaxed) && self.step(&mut client, &life).await {
                life.requests.fetch_add(1, Ordering::Relaxed);
                if !life.rush.load(Ordering::Relaxed) {
                    next = (next + life.pause).max(Instant::now());
                    sleep_until(next).await;
                }
            }
        }
        self
    }

    /// One request; false when the connection is of no use any more.
    async fn step(&mut self, client: &mut Client, life: &Life) -> bool {
        match self.chance.below(100) {
            0..12 => self.read(client).await,
            12..22 => self.retry(client).await,
            22..26 => match self.expects_an_order() {
                Some(user) => self.take_up(client, user).await,
                None => true,
            },
            _ => {
                let ask = self.invent();
                let asked = Asked { ask, key: self.invent_key(ask) };
                self.ask(client, asked, Some(life.ttl_ms)).await
                    && self.look_at_suspects(client).await
            }
        }
    }

    /// Asks, and takes in what comes back. With a lifetime an order's deadline is held to it. False
    /// when nothing came back.
    pub(super) async fn ask(
        &mut self,
        client: &mut Client,
        asked: Asked,
        ttl_ms: Option<u64>,
    ) -> bool {
        let from = self.seen_ms;
        let Some(reply) = self.send(client, asked).await else {
            self.doubt(asked);
            return false;
        };
        let when = Span { from, to: reply.timestamp };
        match reply.is_clear() {
            true => self.learn(asked, &reply, when, ttl_ms),
            false => self.doubt(asked),
        }
        true
    }

    async fn send(&mut self, client: &mut Client, asked: Asked) -> Option<Reply> {
        let (method, path, body) = asked.ask.request(|user| &self.users[user].name);
        let token = asked.ask.user().map_or(&self.admin, |user| &self.users[user].token);
        let key = asked.key.map(|key| format!("{}-{key}", self.number));
        let reply =
            send(client, method, &path, token, key.as_deref(), Bytes::from(body.to_string())).await;
        self.hear(reply)
    }

    /// Counts an answer, and holds its time against what was shown before.
    pub(super) fn hear(&mut self, reply: Option<Reply>) -> Option<Reply> {
        let Some(reply) = reply else {
            self.counts.answered("no answer");
            return None;
        };
        self.counts.answered(&reply.code);
        let seen_ms = self.seen_ms;
        self.findings.check(reply.timestamp >= seen_ms, || {
            format!("time went back from {seen_ms}: {reply:?}")
        });
        self.findings.check(reply.code != "INTERNAL", || format!("a damaged record: {reply:?}"));
        self.seen_ms = seen_ms.max(reply.timestamp);
        Some(reply)
    }

    /// Asks again what was answered, and must hear the same. False when nothing came back.
    pub(super) async fn retry(&mut self, client: &mut Client) -> bool {
        let Some(at) = self.chance.index(self.answered.len()) else {
            return true;
        };
        let asked = self.answered[at].asked;
        let Some(reply) = self.send(client, asked).await else {
            return false;
        };
        if reply.is_clear() && !reply.says_that_nothing_changed() {
            self.counts.retries += 1;
            let first = &self.answered[at].lasting;
            self.findings.check(reply.lasting == *first, || {
                format!("{asked:?} heard {first} and then {reply:?}")
            });
        }
        true
    }

    async fn read(&mut self, client: &mut Client) -> bool {
        let user = &self.users[self.chance.below(USERS as u64) as usize];
        let product = PRODUCTS[self.chance.below(PRODUCTS.len() as u64) as usize].0;
        let (path, token) = match self.chance.below(10) {
            8 => ("/api/mall/waiting-list".to_owned(), &user.token),
            9 => (format!("/api/admin/inventory/{product}/waiting-list"), &self.admin),
            0 => ("/api/points/balance".to_owned(), &user.token),
            1 => ("/api/mall/orders?page_size=20".to_owned(), &user.token),
            2 => (format!("/api/mall/products/{product}"), &user.token),
            3 => (format!("/api/admin/inventory/{product}"), &self.admin),
            4 => (format!("/api/admin/orders?page_size=20&user_id={}", user.name), &self.admin),
            5 => ("/api/admin/orders?page_size=20&status=shipped".to_owned(), &self.admin),
            6 => ("/api/mall/products?page_size=5".to_owned(), &user.token),
            _ => ("/api/mall/categories".to_owned(), &user.token),
        };
        let reply = send(client, Method::GET, &path, token, None, Bytes::new()).await;
        let Some(reply) = self.hear(reply) else {
            return false;
        };
        self.counts.reads += 1;
        let expected =
            reply.is_success() || reply.code == "UNAVAILABLE" || reply.says_that_nothing_changed();
        self.findings.check(expected, || format!("{path} was answered {reply:?}"));
        true
    }
}

fn bearer(auth: &Auth, user: &str, role: Role) -> Result<HeaderValue> {
    // When it was made is not said: the server's clock is behind at times.
    let token = auth.issue(user, role, SystemClock::default().now_ms() + TOKEN_TTL_MS)?;
    let header = HeaderValue::from_str(&format!("Bearer {token}"));
    header.map_err(|cause| Error::invalid("a token is no header").with_source(cause))
}
