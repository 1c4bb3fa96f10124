//! Would catch an exchange that is given up at once although the disk may answer, one that waits for
//! ever or without a bound, and one that is made twice.

use std::sync::Arc;

use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::*;
use crate::engine::Engine;
use crate::mall::{Exchange, MallConfig, Receipt, User, Wanted};
use crate::vfs::held::{Gate, HeldVfs};

const STALLED_AFTER: Duration = Duration::from_millis(30);
/// Longer than any test.
const LONG: Duration = Duration::from_secs(3_600);

struct Shop {
    mall: Mall,
    gate: Arc<Gate>,
    /// What the demo's user had.
    sold_before: usize,
    _dir: TempDir,
}

impl Shop {
    fn open(exchange_patience: Duration, exchange_queue: usize) -> Self {
        let (dir, gate) = (TempDir::new().expect("a directory"), Arc::new(Gate::default()));
        let builder = Engine::builder(dir.path()).segment_bytes(128 << 10);
        let builder = builder.vfs(HeldVfs(Arc::clone(&gate))).sync_limit(STALLED_AFTER);
        let engine = builder.open().expect("it opens");
        let config = MallConfig { exchange_patience, exchange_queue, ..MallConfig::default() };
        let mall = Mall::open(engine, config).expect("an empty mall");
        mall.load_demo().expect("the demo loads");
        let sold_before = mall.engine().pending_count();
        Self { mall, gate, sold_before, _dir: dir }
    }

    fn exchange(&self) -> JoinHandle<Result<Receipt, Failure>> {
        let mall = self.mall.clone();
        tokio::spawn(async move {
            let user = User::new("demo").expect("a user");
            let items = [Wanted { product_id: "prod_movie", quantity: 1 }];
            mall.exchange(&user, &Exchange::of(&items)).await
        })
    }

    /// Lets the disk hang while an exchange is on its way, until it counts as one that does.
    async fn hang(&self) -> JoinHandle<Result<Receipt, Failure>> {
        self.mall.engine().catch_up().await.expect("nothing is under way");
        self.gate.hold();
        let first = self.exchange();
        while !self.mall.engine().status().stalled {
            tokio::task::yield_now().await;
        }
        first
    }

    async fn waiting(&self, count: usize) {
        while self.mall.exchanges_waiting() != count {
            tokio::task::yield_now().await;
        }
    }

    fn sold(&self) -> usize {
        self.mall.engine().pending_count() - self.sold_before
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.gate.release();
    }
}

async fn failed(exchange: JoinHandle<Result<Receipt, Failure>>) -> &'static str {
    match exchange.await.expect("it ends") {
        Err(Failure::Unknown) => "unknown",
        Err(Failure::Engine(error)) if error.kind() == ErrorKind::Stalled => "stalled",
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn exchanges_wait_for_a_disk_that_hangs_and_so_many_only() {
    let shop = Shop::open(LONG, 2);
    let first = shop.hang().await;
    shop.waiting(1).await;
    let second = shop.exchange();
    shop.waiting(2).await;
    assert_eq!(failed(shop.exchange()).await, "stalled", "there is no third place");
    assert_eq!(shop.sold(), 1, "the second waits, and nothing of it is decided");
    shop.gate.release();
    for made in [first, second] {
        made.await.expect("it ends").expect("it was worth to wait");
    }
    assert_eq!(shop.sold(), 2, "each is made once");
    shop.waiting(0).await;
    shop.exchange().await.expect("it ends").expect("all is as it was");
}

#[tokio::test]
async fn patience_ends() {
    let shop = Shop::open(2 * STALLED_AFTER, 100);
    let first = shop.hang().await;
    let second = shop.exchange();
    assert_eq!(failed(first).await, "unknown", "it is decided, and may survive");
    assert_eq!(failed(second).await, "stalled", "nothing of it is decided");
    assert_eq!((shop.sold(), shop.mall.exchanges_waiting()), (1, 0));
}

#[tokio::test]
async fn nobody_waits_without_patience() {
    let shop = Shop::open(Duration::ZERO, 100);
    let first = shop.hang().await;
    assert_eq!(failed(first).await, "unknown");
    assert_eq!(failed(shop.exchange()).await, "stalled");
}

#[tokio::test]
async fn when_the_server_stops_whoever_waits_hears_how_it_stands() {
    let shop = Shop::open(LONG, 100);
    let first = shop.hang().await;
    let second = shop.exchange();
    shop.waiting(2).await;
    shop.mall.end_patience();
    assert_eq!(failed(first).await, "unknown");
    assert_eq!(failed(second).await, "stalled");
    assert_eq!(failed(shop.exchange()).await, "stalled", "nor does anybody begin to");
}
