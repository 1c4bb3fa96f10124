//! Would catch overselling, a refusal while there was stock, and points that moved without a
//! product: the mall's 并发兑换测试 over HTTP, 100 users at once on one product.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::{Shop, product};

const USERS: usize = 100;
const STOCK: u64 = 30;
const PRICE: u64 = 70;
const POINTS: u64 = 100;

/// 并发兑换测试: 无超卖，无积分异常扣减.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_exchange() {
    for confirm in [false, true] {
        let shop = Shop::open().await;
        shop.mall.put_product(&product("rare", PRICE)).expect("a valid product");
        let receive = json!({"quantity": STOCK, "reason": "秒杀备货"});
        shop.admin().await.post("/api/admin/inventory/rare/receive", receive).await.data();

        let mut orders = all_at_once(&shop, confirm).await;
        let sold = orders.len() as u64;
        assert_eq!(sold, STOCK, "every unit is sold, and none twice (confirm: {confirm})");
        orders.sort();
        orders.dedup();
        assert_eq!(orders.len() as u64, STOCK, "every order is its own");

        let inventory = shop.admin().await.get("/api/admin/inventory/rare?limit=100").await.data();
        let numbers =
            ["available", "reserved", "sold", "total"].map(|field| inventory[field].as_u64());
        let (reserved, consumed) = if confirm { (0, STOCK) } else { (STOCK, 0) };
        assert_eq!(numbers, [0, reserved, consumed, STOCK].map(Some));
        assert_eq!(inventory["inStock"], false);
        // One record for each sale, and each begins with the stock that the one before it left.
        let records = inventory["records"].as_array().expect("an array");
        assert_eq!(records.len() as u64, STOCK + 1);
        for pair in records.windows(2) {
            assert_eq!(pair[0]["stockBefore"], pair[1]["stockAfter"], "{pair:?}");
        }
    }
}

/// Each user asks for one unit, all in the same moment; the orders that were made.
async fn all_at_once(shop: &Shop, confirm: bool) -> Vec<String> {
    let start = Arc::new(Barrier::new(USERS));
    let mut users = JoinSet::new();
    for number in 0..USERS {
        let mut user = shop.user_with(&format!("user-{number}"), POINTS).await;
        let start = start.clone();
        users.spawn(async move {
            start.wait().await;
            let body = json!({"productId": "rare", "quantity": 1, "confirm": confirm});
            let answer = user.post("/api/mall/exchange", body).await;
            if answer.status == 200 {
                let data = answer.data();
                assert_eq!(
                    user.balance().await as u64,
                    POINTS - PRICE,
                    "who has the unit has paid for it"
                );
                return data["orderId"].as_str().map(str::to_owned);
            }
            let short = answer.failure(409, "OUT_OF_STOCK");
            assert_eq!(
                (&short["required"], &short["available"]),
                (&json!(1), &json!(0)),
                "a refusal is true"
            );
            assert_eq!(user.balance().await as u64, POINTS, "who has nothing has paid nothing");
            None
        });
    }
    users.join_all().await.into_iter().flatten().collect()
}
