//! Would catch a failure that is half an exchange, one that takes the shop window with it, or a
//! recovery that forgets or doubles: the mall's 服务故障恢复测试. Points are in the same ledger as stock,
//! so no service of points can fail by itself: what fails is the ledger.

use serde_json::{Value, json};

use crate::support::{Client, Setup, Shop};

const EXCHANGE: &str = "/api/mall/exchange";
const POINTS: i64 = 20_000;
const PRICE: i64 = 4_500;
const STOCK: i64 = 2_000;

fn order() -> Value {
    json!({"productId": "prod_movie", "quantity": 1})
}

/// 降级正常，恢复后数据一致.
#[tokio::test]
async fn recovery_from_a_service_failure() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", POINTS as u64).await;
    let before = ann.post_keyed(EXCHANGE, "before", order()).await.data();

    // 模拟积分服务故障: nothing can be written any more.
    let setup = Setup { engine: |builder| builder.queue_bytes_max(0), ..Setup::default() };
    let shop = shop.reopen_with(setup).await;
    let mut ann = shop.user("ann").await;

    // 检查兑换流程降级: an exchange is refused, says that it may be tried again, and does nothing.
    for _ in 0..2 {
        let refused = ann.post_keyed(EXCHANGE, "during", order()).await;
        refused.failure(503, "OVERLOADED");
        assert_eq!(refused.header("retry-after"), Some("1"));
    }
    assert_eq!(ann.get("/ready").await.status, 503, "nothing more should be sent here");
    // The window stays lit.
    let window = ann.get("/api/mall/products").await.data();
    assert_eq!(window["products"].as_array().map(Vec::len), Some(5));
    assert_eq!((ann.balance().await, ann.stock("prod_movie").await), (POINTS - PRICE, STOCK - 1));

    // It gets worse: the ledger is gone. Categories are the shop's own, and are shown all the same.
    shop.engine.close().expect("the engine closes");
    ann.post_keyed(EXCHANGE, "during", order()).await.failure(503, "UNAVAILABLE");
    assert_eq!(ann.get("/health").await.status, 503);
    ann.get("/api/mall/categories").await.data();

    // 服务恢复后检查数据一致性
    let shop = shop.reopen_with(Setup::default()).await;
    let mut ann = shop.user("ann").await;
    assert_eq!((ann.get("/health").await.status, ann.get("/ready").await.status), (200, 200));
    books(&shop, &mut ann, 1).await;
    assert_eq!(ann.post_keyed(EXCHANGE, "before", order()).await.data(), before, "a retry");
    let during = ann.post_keyed(EXCHANGE, "during", order()).await.data();
    assert_eq!(ann.post_keyed(EXCHANGE, "during", order()).await.data(), during, "a retry");
    books(&shop, &mut ann, 2).await;
    let orders = ann.get("/api/mall/orders").await.data();
    let ids: Vec<&Value> =
        orders["orders"].as_array().expect("orders").iter().map(|it| &it["orderId"]).collect();
    assert_eq!(ids, [&during["orderId"], &before["orderId"]]);
}

/// Points and stock tell of the same orders.
async fn books(shop: &Shop, ann: &mut Client, orders: i64) {
    let points = ann.get("/api/points/balance").await.data();
    let waiting = orders * PRICE;
    for (field, count) in [
        ("balance", POINTS - waiting),
        ("reserved", waiting),
        ("consumed", 0),
        ("received", POINTS),
        ("writtenOff", 0),
    ] {
        assert_eq!(points[field], count, "{field}: {points}");
    }
    let stock = shop.operator().await.get("/api/admin/inventory/prod_movie").await.data();
    for (field, count) in
        [("available", STOCK - orders), ("reserved", orders), ("sold", 0), ("total", STOCK)]
    {
        assert_eq!(stock[field], count, "{field}: {stock}");
    }
}
