//! Would catch an operator's change that is lost, counted wrongly or open to users, and a chain of
//! stock records with a gap in it.

use serde_json::{Value, json};
use stockhold::{AccountKey, Policy, Receive};

use crate::support::{NOW_MS, Shop};

const MOVIE: &str = "/api/admin/inventory/prod_movie";

#[tokio::test]
async fn points_are_awarded() {
    let shop = Shop::open().await;
    let mut admin = shop.admin().await;
    let path = "/api/admin/points/ann@example.com/award";
    let first = admin.post(path, json!({"points": 5, "reason": "支付奖励"})).await.data();
    assert_eq!(first, json!({"userId": "ann@example.com", "balance": 5}));
    assert_eq!(admin.post(path, json!({"points": 7})).await.data()["balance"], 12);
    assert_eq!(shop.user("ann@example.com").await.balance().await, 12);
    // The largest amount, and no more than all of them together may be.
    let most = json!({"points": 1u64 << 48});
    assert_eq!(
        admin.post("/api/admin/points/rich/award", most).await.data()["balance"],
        1u64 << 48
    );
    for (id, body) in [
        ("ann", json!({"points": 0})),
        ("ann", json!({"points": (1u64 << 48) + 1})),
        ("ann", json!({"points": 5, "reason": "长".repeat(201)})),
        ("a%20b", json!({"points": 5})),
        ("a%2Fb", json!({"points": 5})),
        ("%E5%AE%89", json!({"points": 5})),
        ("x".repeat(65).as_str(), json!({"points": 5})),
    ] {
        let before = shop.state();
        admin
            .post(&format!("/api/admin/points/{id}/award"), body)
            .await
            .failure(400, "INVALID_REQUEST");
        assert_eq!(shop.state(), before, "{id}");
    }
    admin.post(path, json!({"points": 1, "reason": "长".repeat(200)})).await.data();
}

#[tokio::test]
async fn stock_is_received_adjusted_and_told_record_by_record() {
    let shop = Shop::open().await;
    let mut admin = shop.admin().await;
    let received = admin
        .post(&format!("{MOVIE}/receive"), json!({"quantity": 10, "reason": "到货"}))
        .await
        .data();
    assert_eq!(
        received,
        json!({"productId": "prod_movie", "location": null, "stockQuantity": 2010})
    );
    shop.advance(1);
    let adjusted = admin
        .post(&format!("{MOVIE}/adjust"), json!({"delta": -2005, "reason": "盘点"}))
        .await
        .data();
    assert_eq!(adjusted["stockQuantity"], 5);
    let short = admin
        .post(&format!("{MOVIE}/adjust"), json!({"delta": -6}))
        .await
        .failure(409, "OUT_OF_STOCK");
    assert_eq!(short, json!({"required": 6, "available": 5, "nextReleaseAt": null}));
    assert_eq!(
        admin.post(&format!("{MOVIE}/adjust"), json!({"delta": 1})).await.data()["stockQuantity"],
        6
    );

    let mut ann = shop.user_with("ann", 100_000).await;
    let body = json!({"productId": "prod_movie", "quantity": 2});
    let order = ann.post("/api/mall/exchange", body.clone()).await.data()["orderId"].clone();
    let path = format!("/api/mall/orders/{}", order.as_str().expect("a string"));
    let (confirm, cancel) =
        (ann.post_request(&format!("{path}/confirm")), ann.post_request(&format!("{path}/cancel")));
    ann.send(confirm, "").await.data();
    ann.send(cancel, "").await.data();
    let bought = ann
        .post(
            "/api/mall/exchange",
            json!({"productId": "prod_movie", "quantity": 1, "confirm": true}),
        )
        .await;
    let bought = bought.data()["orderId"].clone();
    let waiting = ann.post("/api/mall/exchange", body.clone()).await.data()["orderId"].clone();
    let released = ann
        .post_request(&format!("/api/mall/orders/{}/cancel", waiting.as_str().expect("a string")));
    ann.send(released, "").await.data();
    let lapsing = ann.post("/api/mall/exchange", body).await.data()["orderId"].clone();
    shop.advance(15 * 60 * 1000);

    let inventory = admin.get(&format!("{MOVIE}?limit=100")).await.data();
    let level: Vec<&Value> = ["available", "reserved", "sold", "writtenOff", "total", "inStock"]
        .iter()
        .map(|field| &inventory[*field])
        .collect();
    let expected = [json!(5), json!(0), json!(1), json!(2005), json!(2011), json!(true)];
    assert_eq!(level, expected.iter().collect::<Vec<_>>(), "{inventory}");
    assert_eq!(
        (&inventory["productId"], &inventory["name"]),
        (&json!("prod_movie"), &json!("电影票通用券"))
    );
    // Newest first: kind, the mall's number for it, change of what is available, what it is about,
    // the order behind it.
    let none = Value::Null;
    let told = [
        ("expired", 4, 2, 2, &lapsing, ""),
        ("reserved", 3, -2, 2, &lapsing, ""),
        ("released", 4, 2, 2, &waiting, ""),
        ("reserved", 3, -2, 2, &waiting, ""),
        ("bought", 2, -1, 1, &bought, ""),
        ("returned", 4, 2, 2, &order, "订单取消"),
        ("confirmed", 2, 0, 2, &order, ""),
        ("reserved", 3, -2, 2, &order, ""),
        ("adjusted", 5, 1, 1, &none, ""),
        ("adjusted", 5, -2005, 2005, &none, "盘点"),
        ("received", 1, 10, 10, &none, "到货"),
        ("received", 1, 2000, 2000, &none, "演示数据"),
    ];
    let records = inventory["records"].as_array().expect("an array");
    let got: Vec<_> = records
        .iter()
        .map(|it| {
            let number = |field: &str| it[field].as_i64().expect("a number");
            let text = |field: &str| it[field].as_str().expect("a string");
            (
                text("kind"),
                number("changeType"),
                number("quantityChange"),
                number("quantity"),
                &it["relatedOrderId"],
                text("description"),
            )
        })
        .collect();
    assert_eq!(got, told);
    for pair in records.windows(2) {
        assert_eq!(pair[0]["stockBefore"], pair[1]["stockAfter"], "the chain has no gap: {pair:?}");
    }
    assert_eq!(
        (&records[10]["createdAt"], &records[9]["createdAt"]),
        (&json!(NOW_MS), &json!(NOW_MS + 1))
    );
    // Bounded, the newest first.
    assert_eq!(
        admin.get(&format!("{MOVIE}?limit=3")).await.data()["records"].as_array().map(Vec::len),
        Some(3)
    );
    assert_eq!(admin.get(MOVIE).await.data()["records"].as_array().map(Vec::len), Some(12));
    for query in ["limit=0", "limit=101", "limit=x", "page=1"] {
        admin.get(&format!("{MOVIE}?{query}")).await.failure(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn what_cannot_be_counted_is_refused_and_changes_nothing() {
    let shop = Shop::open().await;
    let mut admin = shop.admin().await;
    for (action, body) in [
        ("receive", json!({"quantity": 0})),
        ("receive", json!({"quantity": -1})),
        ("receive", json!({"quantity": 1.5})),
        ("receive", json!({"quantity": (1u64 << 48) + 1})),
        ("receive", json!({"quantity": u64::MAX})),
        ("receive", json!({"quantity": 1, "reason": 1})),
        ("receive", json!({"quantity": 1, "note": "x"})),
        ("receive", json!({})),
        ("adjust", json!({"delta": 0})),
        ("adjust", json!({"delta": (1i64 << 48) + 1})),
        ("adjust", json!({"delta": i64::MIN})),
        ("adjust", json!({"delta": "1"})),
        ("adjust", json!({"quantity": 1})),
    ] {
        let before = shop.state();
        admin
            .post(&format!("{MOVIE}/{action}"), body.clone())
            .await
            .failure(400, "INVALID_REQUEST");
        assert_eq!(shop.state(), before, "{action} {body}");
    }
    let path = "/api/admin/inventory/nothing";
    admin.get(path).await.failure(404, "PRODUCT_NOT_FOUND");
    admin
        .post(&format!("{path}/receive"), json!({"quantity": 1}))
        .await
        .failure(404, "PRODUCT_NOT_FOUND");
    admin
        .post(&format!("{path}/adjust"), json!({"delta": 1}))
        .await
        .failure(404, "PRODUCT_NOT_FOUND");
    // Receipts without end would overflow: their sum has a bound too.
    let stock = AccountKey::stock("prod_movie")
        .and_then(|key| shop.engine.open_account(&key, Policy::strict()));
    let stock = stock.expect("the account is open");
    while shop.engine.receive(Receive::new(stock, 1 << 48)).is_ok() {}
    let before = shop.state();
    let most = json!({"quantity": 1u64 << 48});
    admin.post(&format!("{MOVIE}/receive"), most).await.failure(400, "INVALID_REQUEST");
    admin
        .post(&format!("{MOVIE}/adjust"), json!({"delta": 1u64 << 48}))
        .await
        .failure(400, "INVALID_REQUEST");
    assert_eq!(shop.state(), before);
}

#[tokio::test]
async fn users_are_no_operators() {
    let shop = Shop::open().await;
    let before = shop.state();
    for (client, status, code) in [
        (&mut shop.user("demo").await, 403, "FORBIDDEN"),
        (&mut shop.guest().await, 401, "UNAUTHORIZED"),
    ] {
        client.get(MOVIE).await.failure(status, code);
        client
            .post("/api/admin/points/demo/award", json!({"points": 1}))
            .await
            .failure(status, code);
        client
            .post(&format!("{MOVIE}/receive"), json!({"quantity": 1}))
            .await
            .failure(status, code);
        client.post(&format!("{MOVIE}/adjust"), json!({"delta": 1})).await.failure(status, code);
        // Not even whether the product exists.
        client.get("/api/admin/inventory/nothing").await.failure(status, code);
    }
    assert_eq!(shop.state(), before);
}
