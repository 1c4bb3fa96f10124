//! One connection's caller: it asks as its seed says, for users that nobody else asks for, and
//! keeps what it was told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use tokio::time::{Instant, sleep, sleep_until};

use super::ask::{Ask, Asked, PRODUCTS, Reply, send};
use super::choices::Choices;
use super::counts::{Counts, Findings};
use super::known::{Order, Purse, Span, States, Stock};
use crate::base::error::{Error, Result};
use crate::base::{ReservationId, TimeMs};
use crate::http::{Auth, Role};
use crate::mall::{OrderStatus, parse_order_id};
use crate::trials::client::Client;

/// How many users a caller asks for.
const USERS: usize = 3;
/// The clock is set forwards by hours, many times.
const TOKEN_TTL_MS: u64 = 20 * 366 * 86_400_000;
/// How many answers are kept for retries.
const ANSWERED_MAX: usize = 1_000;
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
    /// Orders that may be confirmed or cancelled.
    pub(super) waiting: Vec<ReservationId>,
    /// Orders that may be returned.
    pub(super) confirmed: Vec<ReservationId>,
    /// What has no clear answer yet.
    pub(super) unclear: Vec<Asked>,
    /// Exchanges without a key among it, whose orders are looked for.
    pub(super) lost: Vec<Ask>,
    pub(super) answered: VecDeque<Answered>,
    /// Orders that something happened to since the last check.
    pub(super) fresh: BTreeSet<ReservationId>,
    pub(super) stocks: [Stock; PRODUCTS.len()],
    next_key: u64,
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
            admin: bearer(auth, "soak", Role::Admin)?,
            users: (0..USERS).map(user).collect::<Result<_>>()?,
            orders: BTreeMap::new(),
            waiting: Vec::new(),
            confirmed: Vec::new(),
            unclear: Vec::new(),
            lost: Vec::new(),
            answered: VecDeque::new(),
            fresh: BTreeSet::new(),
            stocks: Default::default(),
            next_key: 0,
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
            _ => {
                let ask = self.invent();
                let asked = Asked { ask, key: self.invent_key(ask) };
                self.ask(client, asked, Some(life.ttl_ms)).await
            }
        }
    }

    fn invent(&mut self) -> Ask {
        let chance = &mut self.chance;
        let (user, product) =
            (chance.below(USERS as u64) as usize, chance.below(PRODUCTS.len() as u64) as usize);
        match chance.below(100) {
            0..5 => Ask::Award { user, points: 3_500 * chance.between(1, 3_000) },
            5..10 => Ask::Receive { product, quantity: chance.between(1, 12) },
            10..13 => {
                Ask::Adjust { product, delta: [-3, -2, -1, 1, 2, 3][chance.below(6) as usize] }
            }
            13..38 if !self.waiting.is_empty() => self.end_one(),
            38..44 if !self.confirmed.is_empty() => {
                let at = self.chance.below(self.confirmed.len() as u64) as usize;
                let order = self.confirmed.swap_remove(at);
                let Order { user, .. } = self.orders[&order];
                match self.chance.below(2) {
                    0 => Ask::Cancel { user, order },
                    _ => {
                        let quantity = self.chance.between(1, self.orders[&order].left());
                        Ask::Refund { order, quantity, restock: self.chance.below(3) > 0 }
                    }
                }
            }
            _ => Ask::Exchange {
                user,
                product,
                quantity: chance.between(1, 3),
                confirm: chance.below(3) == 0,
            },
        }
    }

    /// Confirms or cancels an order that waits; one that is past its deadline, if there is one and
    /// it comes to that.
    fn end_one(&mut self) -> Ask {
        let late =
            self.waiting.iter().position(|order| self.orders[order].expires_at <= self.seen_ms);
        let any = self.chance.below(self.waiting.len() as u64) as usize;
        let at = late.filter(|_| self.chance.below(2) == 0).unwrap_or(any);
        let order = self.waiting.swap_remove(at);
        let user = self.orders[&order].user;
        match self.chance.below(4) {
            0 => Ask::Cancel { user, order },
            _ => Ask::Confirm { user, order },
        }
    }

    /// Most have a key. Without one nobody could say what became of points or stock that were
    /// given.
    fn invent_key(&mut self, ask: Ask) -> Option<u64> {
        self.next_key += 1;
        let free = ask.user().is_some() && self.chance.below(4) == 0;
        (!free).then_some(self.next_key)
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
        let (path, body) = asked.ask.request(|user| &self.users[user].name);
        let token = asked.ask.user().map_or(&self.admin, |user| &self.users[user].token);
        let key = asked.key.map(|key| format!("{}-{key}", self.number));
        let reply =
            send(client, Method::POST, &path, token, key.as_deref(), Bytes::from(body.to_string()))
                .await;
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

    /// Nobody knows what came of it.
    fn doubt(&mut self, asked: Asked) {
        self.counts.unclear += 1;
        match asked.ask {
            Ask::Confirm { order, .. } => self.known(order).doubt(OrderStatus::Confirmed),
            Ask::Cancel { order, .. } => self.known(order).doubt(OrderStatus::Cancelled),
            Ask::Refund { order, quantity, .. } => {
                let order = self.known(order);
                if order.left() == quantity {
                    order.doubt(OrderStatus::Cancelled);
                }
            }
            Ask::Exchange { user, .. } => self.users[user].purse.spent_max += cost_of(asked.ask),
            _ => {}
        }
        self.unclear.push(asked);
    }

    fn known(&mut self, order: ReservationId) -> &mut Order {
        self.fresh.insert(order);
        self.orders.get_mut(&order).expect("a caller asks for orders that it knows")
    }

    /// Takes in a clear answer.
    fn learn(&mut self, asked: Asked, reply: &Reply, when: Span, ttl_ms: Option<u64>) {
        match asked.ask {
            Ask::Exchange { .. } if reply.is_success() => {
                self.learn_order(asked.ask, reply, when, ttl_ms)
            }
            Ask::Exchange { user, .. } => self.learn_refusal(user, asked.ask, reply),
            Ask::Confirm { order, .. } => {
                self.learn_end(asked, order, OrderStatus::Confirmed, reply, when)
            }
            Ask::Cancel { order, .. } => {
                self.learn_end(asked, order, OrderStatus::Cancelled, reply, when)
            }
            Ask::Refund { .. } if reply.is_success() => self.learn_refund(asked.ask, reply, when),
            Ask::Award { user, points } if reply.is_success() => {
                self.counts.awards += 1;
                self.users[user].purse.received += points;
            }
            Ask::Receive { product, quantity } if reply.is_success() => {
                self.counts.receives += 1;
                self.stocks[product].received += quantity;
            }
            Ask::Adjust { product, delta } if reply.is_success() => {
                self.counts.adjusts += 1;
                let stock = &mut self.stocks[product];
                let moved = if delta > 0 { &mut stock.received } else { &mut stock.written_off };
                *moved += delta.unsigned_abs();
            }
            Ask::Adjust { delta, .. } if reply.code == "OUT_OF_STOCK" => {
                self.findings.check(reply.number("available") < delta.unsigned_abs(), || {
                    format!("{:?} was refused for what there was: {reply:?}", asked.ask)
                });
            }
            _ => self.surprise(asked, reply),
        }
        if asked.key.is_some() && reply.is_success() {
            self.answered.push_back(Answered { asked, lasting: reply.lasting.clone() });
            if self.answered.len() > ANSWERED_MAX {
                self.answered.pop_front();
            }
        }
    }

    fn surprise(&mut self, asked: Asked, reply: &Reply) {
        // Nothing was changed, it says, and nobody wonders.
        if !reply.says_that_nothing_changed() {
            self.findings.note(format!("{asked:?} was answered {reply:?}"));
        }
    }

    fn learn_order(&mut self, ask: Ask, reply: &Reply, when: Span, ttl_ms: Option<u64>) {
        let Ask::Exchange { user, product, quantity, confirm } = ask else {
            return;
        };
        let cost = cost_of(ask);
        let state = if confirm { OrderStatus::Confirmed } else { OrderStatus::Pending };
        let Some(id) = parse_order_id(reply.text("orderId")) else {
            return self.findings.note(format!("{ask:?} made an order without an id: {reply:?}"));
        };
        let expires_at = reply.number("expiresAt");
        let told = (reply.data["status"].as_i64(), reply.number("pointsCost"));
        self.findings.check(told == (Some(state.number().into()), cost), || {
            format!("{ask:?} made {reply:?}")
        });
        if let Some(ttl_ms) = ttl_ms {
            let in_time = (when.from + ttl_ms..=when.to + ttl_ms).contains(&expires_at);
            self.findings.check(in_time, || {
                format!("{ask:?} made {reply:?}, asked {when:?} to wait {ttl_ms} ms")
            });
        }
        self.counts.exchanges += 1;
        self.enter(
            id,
            Order {
                user,
                product,
                quantity,
                returned: 0,
                cost,
                expires_at,
                may_be: States::only(state),
            },
        );
    }

    /// A new order.
    pub(super) fn enter(&mut self, id: ReservationId, order: Order) {
        self.users[order.user].purse.spent_max += order.cost;
        let list = if order.may_be.has(OrderStatus::Pending) {
            &mut self.waiting
        } else {
            &mut self.confirmed
        };
        list.push(id);
        self.fresh.insert(id);
        let before = self.orders.insert(id, order);
        self.findings
            .check(before.is_none(), || format!("the number {id} was given twice: {before:?}"));
    }

    fn learn_refusal(&mut self, user: usize, ask: Ask, reply: &Reply) {
        let least = self.users[user].purse.least();
        let (required, available) = (reply.number("required"), reply.number("available"));
        let wanted = match (reply.code.as_str(), ask) {
            ("INSUFFICIENT_POINTS", _) => cost_of(ask),
            ("OUT_OF_STOCK", Ask::Exchange { quantity, .. }) => quantity,
            ("LIMIT_EXCEEDED", _) => 1,
            _ => return self.surprise(Asked { ask, key: None }, reply),
        };
        let is_true = required == wanted && available < wanted;
        self.findings
            .check(is_true, || format!("{ask:?} was refused for what there was: {reply:?}"));
        self.findings.check(reply.code != "INSUFFICIENT_POINTS" || least < wanted, || {
            format!("{ask:?} was refused, though the user has {least} points at least: {reply:?}")
        });
    }

    fn learn_end(
        &mut self,
        asked: Asked,
        id: ReservationId,
        state: OrderStatus,
        reply: &Reply,
        when: Span,
    ) {
        let order = self.orders.get(&id).expect("a caller asks for orders that it knows");
        let (held, was_confirmed) =
            (order.may_be.may_hold(), order.may_be.has(OrderStatus::Confirmed));
        let was_late = order.expires_at <= when.from;
        let told = match reply.code.as_str() {
            "SUCCESS" => self.known(id).end(state, when),
            "RESERVATION_EXPIRED" => self.known(id).find(OrderStatus::Expired, when),
            "ORDER_STATE" if state == OrderStatus::Confirmed => {
                self.known(id).find(OrderStatus::Cancelled, when)
            }
            _ => return self.surprise(asked, reply),
        };
        if let Err(wrong) = told {
            self.findings.note(format!("{id} is told {reply:?}: {wrong}"));
        }
        self.let_go(id, held);
        match (reply.is_success(), state) {
            (true, OrderStatus::Confirmed) => {
                self.counts.confirms += 1;
                self.confirmed.push(id);
            }
            (true, _) if was_confirmed => self.counts.returns += 1,
            (true, _) => self.counts.cancels += 1,
            (false, OrderStatus::Confirmed) if was_late => self.counts.late_refused += 1,
            (false, _) => {}
        }
    }

    /// An operator gave units of an order back.
    fn learn_refund(&mut self, ask: Ask, reply: &Reply, when: Span) {
        let Ask::Refund { order: id, quantity, restock } = ask else {
            return;
        };
        let order = self.known(id);
        // It may have been found over before this was known.
        let held = order.may_be.may_hold();
        order.returned += quantity;
        let (user, product, is_over) = (order.user, order.product, order.left() == 0);
        let told = match is_over {
            true => order.end(OrderStatus::Cancelled, when),
            false => order.find(OrderStatus::Confirmed, when),
        };
        if let Err(wrong) = told {
            self.findings.note(format!("of {id} goes back {reply:?}: {wrong}"));
        }
        let is_told = reply.number("quantity") == quantity && reply.data["isOver"] == is_over;
        self.findings.check(is_told, || format!("{ask:?} was answered {reply:?}"));
        if held {
            self.users[user].purse.spent_max -= PRODUCTS[product].1 * quantity;
        }
        if !restock {
            self.stocks[product].written_off += quantity;
        }
        if !is_over {
            self.confirmed.push(id);
        }
        self.fresh.insert(id);
        self.counts.refunds += 1;
    }

    /// The user has the points again of an order that held them, and does not any more.
    pub(super) fn let_go(&mut self, id: ReservationId, held: bool) {
        let order = &self.orders[&id];
        if held && !order.may_be.may_hold() {
            self.users[order.user].purse.spent_max -= order.left_cost();
        }
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
        let (path, token) = match self.chance.below(6) {
            0 => ("/api/points/balance".to_owned(), &user.token),
            1 => ("/api/mall/orders?page_size=20".to_owned(), &user.token),
            2 => (format!("/api/mall/products/{product}"), &user.token),
            3 => (format!("/api/admin/inventory/{product}"), &self.admin),
            4 => ("/api/mall/products?page_size=5".to_owned(), &user.token),
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

pub(super) fn cost_of(ask: Ask) -> u64 {
    match ask {
        Ask::Exchange { product, quantity, .. } => PRODUCTS[product].1 * quantity,
        _ => 0,
    }
}

fn bearer(auth: &Auth, user: &str, role: Role) -> Result<HeaderValue> {
    let token = auth.issue_for(user, role, TOKEN_TTL_MS)?;
    let header = HeaderValue::from_str(&format!("Bearer {token}"));
    header.map_err(|cause| Error::invalid("a token is no header").with_source(cause))
}
