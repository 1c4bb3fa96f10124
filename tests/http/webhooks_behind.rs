//! Would catch a receiver of webhooks that is so far behind that the journal grows for it without end,
//! one that goes on from the archive and misses something, and one that misses something and is not
//! turned off for it.

use std::time::Duration;

use hyper::Method;
use serde_json::json;
use stockhold::engine::Status;
use stockhold::http::{Role, WebhookSettings};

use super::webhooks::{WEBHOOKS, buy, make, receiver, tea_shop_of, until};
use crate::support::{Answer, Client, Hook, Setup, Shop};

/// How many messages wait in a receiver's file at most.
const WAITING_MAX: usize = 1_000;
const SEGMENT_BYTES: u64 = 128 << 10;
/// How many segments are filled, and how many are left when nobody holds any.
const FILLED: usize = 12;
const LEFT_MAX: usize = 4;
const PATIENCE: Duration = Duration::from_secs(60);

struct Fixture {
    shop: Shop,
    ops: Client,
    ann: Client,
    /// A program whose reservations fill the journal, and are no news to anybody.
    office: Client,
    hook: Hook,
    /// The last event before the receiver was made.
    made_after: u64,
}

impl Fixture {
    /// A shop whose journal is in small pieces, of which `backlog` bytes are kept for receivers, and
    /// whose archive keeps everything or nothing. Its one receiver is down, and has as much to do as
    /// may be, so that it reads no further.
    async fn new(backlog: u64, has_archive: bool) -> Self {
        let webhooks = WebhookSettings { backlog_bytes_max: backlog, ..Setup::default().webhooks };
        let engine: fn(stockhold::EngineBuilder) -> _ = if has_archive {
            |builder| builder.segment_bytes(SEGMENT_BYTES)
        } else {
            |builder| builder.segment_bytes(SEGMENT_BYTES).archive_bytes_max(Some(0))
        };
        let (shop, mut ops, ann) =
            tea_shop_of(Setup { webhooks, engine, ..Setup::default() }).await;
        let mut office = shop.client("office", Role::Service).await;
        office.post("/v1/accounts", json!({"key": "seat/1"})).await.data();
        let seats = json!({"quantity": 10_000});
        office.post("/v1/accounts/seat%2F1/receive", seats).await.data();
        let hook = Hook::open().await;
        hook.answers(|_| Answer::Status(500));
        let made_after = shop.engine.durable_seq();
        make(&mut ops, "till", &hook, json!(["order.created"])).await;
        let test = format!("{WEBHOOKS}/till/test");
        for _ in 0..WAITING_MAX {
            ops.post(&test, json!({})).await.data();
        }
        ops.post(&test, json!({})).await.failure(503, "OVERLOADED");
        hook.count(WAITING_MAX).await;
        Self { shop, ops, ann, office, hook, made_after }
    }

    /// Fills some segments of the journal.
    async fn fill(&mut self) {
        let line = json!({"account": "seat/1", "quantity": 1});
        let body = json!({"lines": [line], "ttlMs": 60_000, "details": "x".repeat(30_000)});
        for at in 0..=5 * FILLED {
            // What two checkpoints show nobody needs, and the second is of another event.
            if at == 5 * FILLED {
                self.shop.engine.checkpoint().expect("it is written");
            }
            self.office.post("/v1/reservations", body.clone()).await.data();
        }
        self.shop.engine.checkpoint().expect("it is written");
    }

    /// Waits until the engine is so.
    async fn until(&self, is_so: impl Fn(&Status) -> bool) {
        let looking = async {
            while !is_so(&self.shop.engine.status()) {
                tokio::task::yield_now().await;
            }
        };
        let looked = tokio::time::timeout(PATIENCE, looking).await;
        looked.unwrap_or_else(|_| panic!("it stays {:?}", self.shop.engine.status()));
    }

    /// The receiver is up again, and it is time for the next try.
    fn mend(&self) {
        self.hook.answers(|_| Answer::Status(204));
        self.shop.advance(5_000);
    }

    async fn is_told_of(&self, order: &str) {
        self.hook.until(|told| told.iter().any(|it| it.order() == order)).await;
    }
}

#[tokio::test]
async fn the_journal_is_kept_for_a_receiver_that_is_behind() {
    let mut it = Fixture::new(1 << 30, false).await;
    it.fill().await;
    let order = buy(&mut it.ann).await;
    assert!(
        it.shop.engine.status().oldest_seq <= it.made_after + 1,
        "what it has not read is there"
    );
    it.mend();
    it.is_told_of(&order).await;
    // And no longer than that: the place that is kept moves on, and with it what is held.
    it.until(|status| status.segments <= LEFT_MAX).await;
}

#[tokio::test]
async fn beyond_the_backlog_it_goes_on_from_the_archive_and_misses_nothing() {
    let mut it = Fixture::new(0, true).await;
    let order = buy(&mut it.ann).await;
    it.fill().await;
    it.until(|status| status.segments <= LEFT_MAX && status.archive_bytes > 0).await;
    it.mend();
    it.is_told_of(&order).await;
    let seen = until(&mut it.ops, "till", |it| it["waiting"] == 0).await;
    let (delivered, enabled) = (&seen["delivered"], &seen["enabled"]);
    assert_eq!((delivered, enabled), (&json!(WAITING_MAX + 1), &json!(true)), "{seen}");
}

#[tokio::test]
async fn where_the_archive_does_not_go_back_it_is_off_and_an_operator_lets_it_go_on_from_now() {
    let mut it = Fixture::new(0, false).await;
    let lost = buy(&mut it.ann).await;
    let from = it.shop.engine.durable_seq();
    it.fill().await;
    it.until(|status| status.oldest_seq > from).await;
    it.mend();
    let seen = until(&mut it.ops, "till", |it| it["enabled"] == false).await;
    assert_eq!(seen["disabledReason"], "eventsLost", "{seen}");
    // It stays so, until somebody has seen it.
    it.shop = it.shop.reopen().await;
    it.ops = it.shop.operator().await;
    it.ann = it.shop.user("ann").await;
    let seen = receiver(&mut it.ops, "till").await;
    assert_eq!(seen["disabledReason"], "eventsLost", "{seen}");
    let patch = it.ops.request(Method::PATCH, &format!("{WEBHOOKS}/till"));
    let patch = patch.header("Content-Type", "application/json");
    it.ops.send(patch, json!({"enabled": true}).to_string()).await.data();
    let order = buy(&mut it.ann).await;
    it.is_told_of(&order).await;
    let seen = until(&mut it.ops, "till", |it| it["waiting"] == 0).await;
    assert_eq!(seen["delivered"], json!(WAITING_MAX + 1), "what waited before is delivered too");
    assert!(it.hook.told().iter().all(|it| it.order() != lost));
}
