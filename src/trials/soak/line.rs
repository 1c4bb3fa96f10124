//! The lines that a caller's users wait in, as far as it knows: whoever asked for a place may be
//! served once for it, and while they wait nobody else is.

use hyper::Method;
use hyper::body::Bytes;
use serde_json::Value;

use super::ask::{Ask, Asked, Reply, send};
use super::caller::Caller;
use super::check::gone;
use super::known::Span;
use super::place::{InLine, Place, Suspect};
use super::products::PRODUCTS;
use super::units::Units;
use crate::base::ReservationId;
use crate::base::error::Result;
use crate::mall::{order_id, parse_order_id};
use crate::trials::client::Client;

impl Caller {
    pub(super) fn place(&mut self, user: usize, product: usize) -> &mut Place {
        self.lines.entry((user, product)).or_default()
    }

    /// A place was asked for, and nobody knows what came of it.
    pub(super) fn may_wait(&mut self, user: usize, product: usize) {
        let place = self.place(user, product);
        place.since = None;
        place.grants += 1;
    }

    /// Places have no name but since when they are there. One that was there before the request was
    /// made is none that it made; one of that very moment may be.
    pub(super) fn learn_join(
        &mut self,
        user: usize,
        product: usize,
        asked: Asked,
        reply: &Reply,
        when: Span,
    ) {
        let place = self.place(user, product);
        let since = reply.data["joinedAt"].as_u64().filter(|_| reply.is_success());
        match (since, reply.code.as_str()) {
            (Some(at), _) if place.since == since && at < when.from => {}
            (Some(_), _) => {
                place.since = since;
                place.grants += 1;
                self.counts.joins += 1;
                let (position, waiting) = (reply.number("position"), reply.number("waiting"));
                self.findings.check((1..=waiting).contains(&position), || {
                    format!("{:?} was answered {reply:?}", asked.ask)
                });
            }
            // Who was served at once is in it no more.
            (None, "SUCCESS") if reply.data["position"].is_null() => {
                (place.since, place.grants) = (None, place.grants + 1);
                self.counts.joins += 1;
            }
            (None, "IN_STOCK" | "WAITING_LIST_FULL") => place.since = None,
            (None, _) => self.surprise(asked, reply),
        }
    }

    pub(super) fn learn_leave(&mut self, user: usize, product: usize, asked: Asked, reply: &Reply) {
        let place = self.place(user, product);
        place.since = None;
        match reply.data["left"].as_bool().filter(|_| reply.is_success()) {
            Some(true) if place.grants == 0 => {
                let what = format!("{:?} gave up a place that nobody asked for", asked.ask);
                self.findings.note(what);
            }
            Some(true) => {
                place.grants -= 1;
                self.counts.leaves += 1;
            }
            Some(false) => {}
            None => self.surprise(asked, reply),
        }
    }

    /// Whether an order of these units is what a user waited for.
    pub(super) fn is_served(&mut self, user: usize, units: Units) -> bool {
        let Some((product, 1)) = units.iter().next().filter(|_| units.count() == 1) else {
            return false;
        };
        let place = self.place(user, product);
        if place.grants == 0 {
            return false;
        }
        (place.grants, place.since) = (place.grants - 1, None);
        self.counts.grants += 1;
        true
    }

    /// Something was sold to one user while another of this caller was in line for it: whether the
    /// other still is must be looked at.
    pub(super) fn suspect(&mut self, buyer: usize, units: Units, order: ReservationId) {
        for ((waiting, product), place) in &self.lines {
            if let Some(since) = place.since.filter(|_| *waiting != buyer)
                && units.get(*product) > 0
            {
                self.counts.passed_over += 1;
                let (waiting, product) = (*waiting, *product);
                self.suspects.push(Suspect { order, waiting, product, since });
            }
        }
    }

    /// Whoever was in line before something was sold, and is there still, was passed over. False when
    /// nothing came back.
    pub(super) async fn look_at_suspects(&mut self, client: &mut Client) -> bool {
        while let Some(Suspect { order, waiting, product, since }) = self.suspects.pop() {
            let name = PRODUCTS[product].0;
            let path = format!("/api/mall/products/{name}/waiting-list");
            let token = &self.users[waiting].token;
            let reply = send(client, Method::GET, &path, token, None, Bytes::new()).await;
            let Some(reply) = self.hear(reply) else {
                self.suspects.clear();
                return false;
            };
            let still = reply.data["joinedAt"].as_u64() == Some(since);
            self.findings.check(!still, || {
                let user = &self.users[waiting].name;
                format!(
                    "{} of {name} was sold past the line in which {user} waits: {reply:?}",
                    order_id(order)
                )
            });
        }
        true
    }

    /// The points that the user has at least, though orders may hold some that were not taken up yet.
    pub(super) fn least(&self, user: usize) -> u64 {
        let lines = self.lines.iter().filter(|((waiting, _), _)| *waiting == user);
        let held = lines.map(|((_, product), place)| place.grants * PRODUCTS[*product].1);
        self.users[user].purse.least().saturating_sub(held.sum())
    }

    /// Whether the user may have been served, or may be yet.
    pub(super) fn may_be_served(&self, user: usize) -> bool {
        self.lines.iter().any(|((waiting, _), place)| *waiting == user && place.grants > 0)
    }

    /// A user who may have been served.
    pub(super) fn expects_an_order(&mut self) -> Option<usize> {
        let mut users: Vec<usize> =
            self.lines.iter().filter(|(_, it)| it.grants > 0).map(|((user, _), _)| *user).collect();
        users.dedup();
        self.chance.index(users.len()).map(|at| users[at])
    }

    /// Takes up what the user was served, unless it may as well be an exchange without an answer.
    /// False when nothing came back.
    pub(super) async fn take_up(&mut self, client: &mut Client, user: usize) -> bool {
        let is_unclear =
            |asked: &Asked| matches!(asked.ask, Ask::Exchange { user: asker, .. } if asker == user);
        if self.unclear.iter().any(is_unclear) {
            return true;
        }
        let path = "/api/mall/orders?page_size=50";
        let token = &self.users[user].token;
        let reply = send(client, Method::GET, path, token, None, Bytes::new()).await;
        let Some(reply) = self.hear(reply) else {
            return false;
        };
        let shown = reply.data["orders"].as_array().map(Vec::as_slice).unwrap_or_default();
        for order in shown {
            let id = order["orderId"].as_str().and_then(parse_order_id);
            if let Some(id) = id.filter(|id| !self.orders.contains_key(id)) {
                self.adopt(id, user, order);
            }
        }
        true
    }

    /// Holds the lines that the user is in to what was asked for. Answers since when the user is in
    /// that of each product.
    ///
    /// # Errors
    /// `Unavailable` when the server does not answer.
    pub(super) async fn look_at_lines(
        &mut self,
        client: &mut Client,
        user: usize,
    ) -> Result<InLine> {
        let mut in_line = InLine::default();
        let reply = self.get(client, user, "/api/mall/waiting-list").await?;
        let Some(lines) = reply.data["lines"].as_array() else {
            self.findings.note(format!("the lines of user {user} are {reply:?}"));
            return Ok(in_line);
        };
        for line in lines {
            let name = line["productId"].as_str();
            let product = PRODUCTS.iter().position(|(id, _)| Some(*id) == name);
            let grants = product.map_or(0, |product| self.place(user, product).grants);
            self.findings.check(grants > 0 && is_standing(line), || {
                format!("user {user} waits, and did not ask for it or was served: {line}")
            });
            if let Some(product) = product {
                in_line[product] = line["joinedAt"].as_u64();
            }
        }
        for (product, since) in in_line.into_iter().enumerate() {
            self.place(user, product).since = since;
        }
        Ok(in_line)
    }

    /// The lines were looked at, and then the orders, so every order is known of those who were
    /// served before that: whoever was in a line may be served once more, and nobody else.
    pub(super) fn settle_places(&mut self, user: usize, in_line: InLine) {
        for ((waiting, product), place) in &mut self.lines {
            if *waiting == user {
                place.grants = place.grants.min(u64::from(in_line[*product].is_some()));
            }
        }
    }

    /// Gives up every place that a user may have.
    ///
    /// # Errors
    /// `Unavailable` when the server does not answer.
    pub(super) async fn leave_lines(&mut self, client: &mut Client) -> Result<()> {
        let may_wait = self.lines.iter().filter(|(_, place)| place.grants > 0);
        for (user, product) in may_wait.map(|(at, _)| *at).collect::<Vec<_>>() {
            let asked = Asked { ask: Ask::Leave { user, product }, key: None };
            if !self.ask(client, asked, None).await {
                return Err(gone());
            }
        }
        Ok(())
    }
}

fn is_standing(line: &Value) -> bool {
    let position = line["position"].as_u64();
    position.is_some_and(|position| (1..=line["waiting"].as_u64().unwrap_or(0)).contains(&position))
}
