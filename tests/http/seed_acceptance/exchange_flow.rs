//! Would catch an exchange that is not answered as the mall's own test has it: 兑换流程.

use serde_json::json;

use crate::support::Shop;

const PRICE: i64 = 3500;

/// 应该能够成功兑换商品.
#[tokio::test]
async fn should_be_able_to_exchange_a_product() {
    let shop = Shop::open().await;
    let mut user = shop.user("demo").await;
    let initial_balance = user.balance().await;
    let initial_stock = user.stock("prod_starbucks").await;

    // 1. 创建兑换订单
    let delivery_info = json!({"name": "测试", "phone": "13800000000", "address": "广州"});
    let body = json!({"productId": "prod_starbucks", "quantity": 1, "deliveryInfo": delivery_info});
    let exchanged = user.post("/api/mall/exchange", body).await;
    assert_eq!((exchanged.status, &exchanged.json()["success"]), (200, &true.into()));

    // 2. 验证积分扣减
    let points = user.get("/api/points/balance").await;
    assert_eq!(points.status, 200);
    assert_eq!(points.json()["data"]["balance"], initial_balance - PRICE);

    // 3. 验证库存扣减: everybody may look.
    let product = shop.guest().await.get("/api/mall/products/prod_starbucks").await;
    assert_eq!(product.status, 200);
    assert_eq!(product.json()["data"]["stockQuantity"], initial_stock - 1);
}
