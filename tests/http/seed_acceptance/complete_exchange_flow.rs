//! Would catch an exchange that loses its way between two steps: the mall's 完整兑换流程测试 over HTTP,
//! from the list to the confirmed order, with every answer held to the shape that the mall's
//! document gives it.

use serde_json::json;

use crate::support::{NOW_MS, Shop};

const POINTS: i64 = 10_000;

/// 完整兑换流程测试: 整个流程无错误，数据一致性正确.
#[tokio::test]
async fn complete_exchange_flow() {
    let shop = Shop::open().await;
    // 用户登录: a token names the user.
    let mut ann = shop.user_with("ann", POINTS as u64).await;

    // 查看商品列表
    let listing = ann.get("/api/mall/products").await.data();
    let products = listing["products"].as_array().expect("an array");
    let ids: Vec<&str> =
        products.iter().map(|product| product["id"].as_str().expect("a string")).collect();
    assert_eq!(ids, ["prod_airpods", "prod_iphone15", "prod_kfc", "prod_movie", "prod_starbucks"]);

    // 选择商品
    let product = ann.get("/api/mall/products/prod_starbucks").await.data();
    assert_eq!(product["pointsPrice"], 3500);
    assert_eq!(product["stockQuantity"], 1000);
    let stock_info = json!({
        "available": 1000, "reserved": 0, "sold": 0, "writtenOff": 0, "total": 1000, "inStock": true
    });
    assert_eq!(product["stockInfo"], stock_info);

    // 订单创建, 积分扣减, 库存扣减: one step.
    let delivery = json!({"name": "安", "phone": "13800000000", "address": {"city": "广州", "lines": ["天河路 1 号"]}});
    let body = json!({"productId": "prod_starbucks", "quantity": 2, "deliveryInfo": delivery});
    let made = ann.post("/api/mall/exchange", body).await.data();
    let order_id = made["orderId"].as_str().expect("a string").to_owned();
    let order_no = made["orderNo"].as_str().expect("a string");
    assert!(order_id.len() <= 36 && order_no.len() <= 32, "as wide as the mall's columns: {made}");
    let expires_at = NOW_MS + 15 * 60 * 1000;
    let receipt = |status: i8| {
        let (id, no) = (&made["orderId"], &made["orderNo"]);
        json!({"orderId": id, "orderNo": no, "status": status, "pointsCost": 7000, "expiresAt": expires_at})
    };
    assert_eq!(made, receipt(0));
    assert_eq!((ann.balance().await, ann.stock("prod_starbucks").await), (POINTS - 7000, 998));

    let order = ann.get(&format!("/api/mall/orders/{order_id}")).await.data();
    let mut expected = json!({
        "orderId": order_id, "orderNo": order_no, "status": 0, "state": "pending", "productId": "prod_starbucks",
        "productSnapshot": {
            "id": "prod_starbucks", "name": "星巴克大杯拿铁券", "categoryId": "cat_beverage", "pointsPrice": 3500,
            "originalPrice": 35.0, "image": null
        },
        "quantity": 2, "pointsCost": 7000, "deliveryInfo": delivery, "createdAt": NOW_MS, "expiresAt": expires_at,
        "exchangedAt": null, "cancelledAt": null, "returnedQuantity": 0, "returnedPoints": 0, "deliveryStatus": 0, "trackingNo": null, "carrier": null,
        "shippedAt": null, "deliveredAt": null, "completedAt": null
    });
    assert_eq!(order, expected);

    // 确认兑换
    shop.advance(1_000);
    let request = ann.post_request(&format!("/api/mall/orders/{order_id}/confirm"));
    let confirmed = ann.send(request, "").await.data();
    assert_eq!(confirmed, receipt(1));
    expected["status"] = 1.into();
    expected["state"] = "confirmed".into();
    expected["exchangedAt"] = (NOW_MS + 1_000).into();
    assert_eq!(ann.get(&format!("/api/mall/orders/{order_id}")).await.data(), expected);

    // 发货处理
    let mut operator = shop.operator().await;
    shop.advance(1_000);
    let ship = json!({"trackingNo": "SF1234567890", "carrier": "顺丰"});
    let shipped = operator.post(&format!("/api/admin/orders/{order_id}/ship"), ship).await.data();
    assert_eq!(shipped, receipt(2));
    for (field, value) in [
        ("status", json!(2)),
        ("state", json!("shipped")),
        ("deliveryStatus", json!(1)),
        ("trackingNo", json!("SF1234567890")),
        ("carrier", json!("顺丰")),
        ("shippedAt", json!(NOW_MS + 2_000)),
    ] {
        expected[field] = value;
    }
    assert_eq!(ann.get(&format!("/api/mall/orders/{order_id}")).await.data(), expected);

    // 订单完成
    shop.advance(1_000);
    let path = format!("/api/admin/orders/{order_id}/complete");
    assert_eq!(operator.post(&path, json!({})).await.data(), receipt(3));
    for (field, value) in [
        ("status", json!(3)),
        ("state", json!("completed")),
        ("deliveryStatus", json!(2)),
        ("completedAt", json!(NOW_MS + 3_000)),
    ] {
        expected[field] = value;
    }
    assert_eq!(ann.get(&format!("/api/mall/orders/{order_id}")).await.data(), expected);

    // 数据一致性正确
    let balance = ann.get("/api/points/balance").await.data();
    let books = json!({
        "userId": "ann", "balance": 3000, "reserved": 0, "consumed": 7000, "received": 10_000, "writtenOff": 0,
        "earned": 10_000, "expiring": null, "mallLevel": 1, "levelName": "", "nextLevelAt": null
    });
    assert_eq!(balance, books);
    let inventory = shop.admin().await.get("/api/admin/inventory/prod_starbucks").await.data();
    for (field, value) in [("available", 998), ("reserved", 0), ("sold", 2), ("total", 1000)] {
        assert_eq!(inventory[field], value, "{field}: {inventory}");
    }
    let listed = ann.get("/api/mall/orders").await.data();
    assert_eq!(listed, json!({"orders": [expected], "nextBefore": null}));
}
