//! Holding the server to what a caller knows, while its time stands still and nobody asks for
//! anything else.

use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use tokio::time::{Instant, sleep};

use super::ask::{Ask, Reply, send};
use super::caller::Caller;
use super::holdings::Stock;
use super::known::Span;
use super::products::PRODUCTS;
use crate::base::ReservationId;
use crate::base::error::{Error, Result};
use crate::mall::{OrderStatus, order_id, parse_order_id};
use crate::trials::client::Client;

/// How long what lapsed may take to be back, and how often that is looked at. The published bound
/// is in milliseconds; this one is for a machine that does much else.
pub(super) const BACK_WITHIN: Duration = Duration::from_secs(10);
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How many orders and answers of former lives are looked at again.
const OLDER: usize = 40;
const PAGE: usize = 100;
/// How many expired orders may be paid after a restart.
const LAPSED_MAX: usize = 50;

impl Caller {
    /// Looks at everything that may have changed since the last check, resolves what is unclear,
    /// and holds accounts against the orders. With `whole` it looks at every order there is.
    ///
    /// # Errors
    /// `Unavailable` when the server does not answer.
    pub(super) async fn check(&mut self, client: &mut Client, whole: bool) -> Result<()> {
        self.seen_ms = 0;
        self.look_at_orders(client).await?;
        self.resolve(client).await?;
        for _ in 0..OLDER.min(self.answered.len()) {
            let before = self.counts.retries;
            if !self.retry(client).await {
                return Err(gone());
            }
            self.counts.retries_after_restart += self.counts.retries - before;
        }
        for user in 0..self.users.len() {
            let in_line = self.look_at_lines(client, user).await?;
            self.look_at_list(client, user, whole).await?;
            self.settle_places(user, in_line);
        }
        // What was found in the lists may have changed since it was made.
        self.look_at_orders(client).await?;
        for user in 0..self.users.len() {
            self.look_at_balance(client, user).await?;
        }
        self.begin_anew();
        Ok(())
    }

    pub(super) async fn get(
        &mut self,
        client: &mut Client,
        user: usize,
        path: &str,
    ) -> Result<Reply> {
        let reply =
            send(client, Method::GET, path, &self.users[user].token, None, Bytes::new()).await;
        self.hear(reply).ok_or_else(gone)
    }

    async fn look_at_orders(&mut self, client: &mut Client) -> Result<()> {
        let open = self.orders.iter().filter(|(_, order)| order.is_open()).map(|(id, _)| *id);
        let mut ids: Vec<ReservationId> = open.chain(std::mem::take(&mut self.fresh)).collect();
        for _ in 0..OLDER {
            let near = self.any_number();
            ids.extend(self.orders.range(near..).next().map(|(id, _)| *id));
        }
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            let from = self.seen_ms;
            let reply = self
                .get(client, self.orders[&id].user, &format!("/api/mall/orders/{}", order_id(id)))
                .await?;
            let when = Span { from, to: reply.timestamp };
            self.compare(id, &reply.data, when, &reply);
        }
        Ok(())
    }

    /// Asks again what has a key and no clear answer, until it has one.
    async fn resolve(&mut self, client: &mut Client) -> Result<()> {
        let unclear = std::mem::take(&mut self.unclear);
        for asked in unclear {
            match asked.ask {
                Ask::Exchange { user, units, .. } => {
                    self.users[user].purse.spent_max -= units.cost();
                }
                Ask::Deduct { user, points } => self.users[user].purse.spent_max -= points,
                _ => {}
            }
            if asked.key.is_none() {
                match asked.ask {
                    Ask::Exchange { .. } => self.lost.push(asked.ask),
                    // The look has told.
                    Ask::Order { order, .. } => self.known(order).doubt = None,
                    // These have keys, or what came of them shows in the lists.
                    Ask::Award { .. } | Ask::Deduct { .. } | Ask::Receive { .. } => {}
                    Ask::Adjust { .. } | Ask::WriteOff { .. } => {}
                    Ask::Transfer { .. } | Ask::Count { .. } => {}
                    Ask::Join { .. } | Ask::Leave { .. } => {}
                }
                continue;
            }
            self.ask(client, asked, None).await;
            self.counts.resolved_by_retry += 1;
        }
        match self.unclear.is_empty() {
            true => Ok(()),
            false => Err(Error::unavailable(format!(
                "requests stay without a clear answer: {:?}",
                self.unclear
            ))),
        }
    }

    /// Holds the user's list of orders against what is known, and takes in orders of requests
    /// without key and answer: back to what the last check has seen, or with `whole` all of it.
    async fn look_at_list(&mut self, client: &mut Client, user: usize, whole: bool) -> Result<()> {
        let mut before: Option<ReservationId> = None;
        loop {
            let page = before.map_or_else(String::new, |id| format!("&before={}", order_id(id)));
            let from = self.seen_ms;
            let reply =
                self.get(client, user, &format!("/api/mall/orders?page_size={PAGE}{page}")).await?;
            let when = Span { from, to: reply.timestamp };
            let Some(shown) = reply.data["orders"].as_array() else {
                self.findings.note(format!("the orders of user {user} are {reply:?}"));
                return Ok(());
            };
            let ids: Vec<ReservationId> = shown
                .iter()
                .filter_map(|order| parse_order_id(order["orderId"].as_str()?))
                .collect();
            for (id, order) in ids.iter().zip(shown) {
                if self.orders.contains_key(id) {
                    self.compare(*id, order, when, &reply);
                } else {
                    self.adopt(*id, user, order);
                }
            }
            if before.is_none() {
                self.look_at_pages(client, user, shown).await?;
            }
            let next = reply.data["nextBefore"].as_str().and_then(parse_order_id);
            self.compare_ids(user, &ids, before, next);
            before = next.filter(|next| whole || Some(*next) > self.checked);
            if before.is_none() {
                return Ok(());
            }
        }
    }

    /// A page of a list has every order of its part, newest first.
    fn compare_ids(
        &mut self,
        user: usize,
        shown: &[ReservationId],
        before: Option<ReservationId>,
        next: Option<ReservationId>,
    ) {
        let known = self.orders.range(next.unwrap_or(ReservationId::from_number(0))..).rev();
        let known = known
            .filter(|(id, order)| order.user == user && before.is_none_or(|before| **id < before));
        let known: Vec<ReservationId> = known.map(|(id, _)| *id).collect();
        self.findings.check(shown == known, || {
            let missing: Vec<_> = known.iter().filter(|id| !shown.contains(id)).collect();
            format!(
                "{missing:?} are missing among the {} orders of user {user} up to {next:?}",
                shown.len()
            )
        });
    }

    /// A user's points are exactly what was awarded, and what its orders hold and cost; but for what
    /// has ended, which is no more than there was.
    async fn look_at_balance(&mut self, client: &mut Client, user: usize) -> Result<()> {
        let started = Instant::now();
        loop {
            let (mut reserved, mut consumed) = (0, 0);
            for order in self.orders.values().filter(|order| order.user == user) {
                reserved += u64::from(order.may_be.has(OrderStatus::Pending)) * order.units.cost();
                consumed += u64::from(order.may_be.may_be_paid()) * order.left().cost();
            }
            let reply = self.get(client, user, "/api/points/balance").await?;
            let purse = &mut self.users[user].purse;
            let received = purse.received;
            let (balance, written_off) = (reply.number("balance"), reply.number("writtenOff"));
            let shown = ["received", "reserved", "consumed"].map(|name| reply.number(name));
            if shown == [received, reserved, consumed]
                && balance + written_off == received - reserved - consumed
                && purse.may_have_lost(written_off)
            {
                self.counts.points_ended += u64::from(written_off > purse.deducted);
                purse.written_off = written_off;
                self.counts.balances_checked += 1;
                return Ok(());
            }
            if started.elapsed() > BACK_WITHIN {
                let books = (reserved, consumed);
                let what = format!(
                    "user {user} has {} where its orders say {books:?} of {purse:?}",
                    reply.data
                );
                self.findings.note(what);
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
            // Who waits may have been served since.
            self.look_for_orders(client, user).await?;
        }
    }

    /// Takes up what a user who waits was served meanwhile.
    ///
    /// # Errors
    /// `Unavailable` when the server does not answer.
    async fn look_for_orders(&mut self, client: &mut Client, user: usize) -> Result<()> {
        match !self.may_be_served(user) || self.take_up(client, user).await {
            true => Ok(()),
            false => Err(gone()),
        }
    }

    /// The same for every user.
    ///
    /// # Errors
    /// `Unavailable` when the server does not answer.
    pub(super) async fn look_for_all_orders(&mut self, client: &mut Client) -> Result<()> {
        for user in 0..self.users.len() {
            self.look_for_orders(client, user).await?;
        }
        Ok(())
    }

    /// What the caller did to each product, now that every order is known.
    pub(super) fn stocks(&self) -> [Stock; PRODUCTS.len()] {
        let mut stocks = self.stocks;
        for order in self.orders.values() {
            let (waits, is_paid) =
                (order.may_be.has(OrderStatus::Pending), order.may_be.may_be_paid());
            for (product, stock) in stocks.iter_mut().enumerate() {
                stock.reserved += u64::from(waits) * order.units.get(product);
                stock.sold += u64::from(is_paid) * order.left().get(product);
            }
        }
        stocks
    }

    /// What there is to do next follows from what was found.
    fn begin_anew(&mut self) {
        self.waiting.clear();
        self.paid.clear();
        // Those of former lives are rarely to be had again.
        let old = self.lapsed.len().saturating_sub(LAPSED_MAX);
        self.lapsed.drain(..old);
        let held = self.orders.iter().filter(|(_, order)| order.may_be.may_hold());
        for id in held.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.list(id);
        }
        self.lost.clear();
        self.fresh.clear();
        self.checked = self.orders.last_key_value().map(|(id, _)| *id);
        // The next life may show an earlier time: that of its last event.
        self.seen_ms = 0;
    }
}

pub(super) fn gone() -> Error {
    Error::unavailable("the server gives a check no answer")
}
