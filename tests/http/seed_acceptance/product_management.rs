//! Would catch a catalogue that is not shown as the mall's own tests ask for it: 商品管理, and what the
//! load test checks of one answer.

use serde_json::Value;

use crate::support::{Shop, product};

/// 应该能够获取商品列表.
#[tokio::test]
async fn should_be_able_to_get_the_product_list() {
    let shop = Shop::open().await;
    // Nobody has to log in for it.
    let listed = shop.guest().await.get("/api/mall/products").await;
    assert_eq!((listed.status, &listed.json()["success"]), (200, &true.into()));
    let products = listed.json()["data"]["products"].take();
    assert_eq!(products.as_array().map(Vec::len), Some(5), "the document's demo: {products}");
}

/// 应该能够按分类筛选商品.
#[tokio::test]
async fn should_be_able_to_filter_products_by_category() {
    let shop = Shop::open().await;
    // The document's demo has products only below this category, so that its test asks nothing.
    let mut camera = product("prod_camera", 5);
    camera.category_id = "cat_digital".into();
    shop.mall.put_product(&camera).expect("a valid product");
    let mut guest = shop.guest().await;
    for (query, ids) in [
        ("category_id=cat_digital", &["prod_camera"][..]),
        ("category_id=cat_food", &["prod_kfc"]),
        ("category_id=cat_life", &[]),
    ] {
        let listed = guest.get(&format!("/api/mall/products?{query}")).await;
        assert_eq!(listed.status, 200);
        let products = listed.json()["data"]["products"].take();
        let products = products.as_array().expect("an array");
        let found: Vec<&Value> = products.iter().map(|product| &product["id"]).collect();
        assert_eq!(found, ids, "{query}");
        let category = query.split('=').next_back().expect("an id");
        assert!(products.iter().all(|product| product["category"]["id"] == category), "{query}");
    }
}

/// 商品列表响应成功, 商品详情响应成功, 数据完整性.
#[tokio::test]
async fn the_load_test_finds_what_it_checks() {
    let shop = Shop::open().await;
    let mut guest = shop.guest().await;
    assert_eq!(guest.get("/api/mall/products").await.status, 200);
    let detail = guest.get("/api/mall/products/prod_starbucks").await;
    assert_eq!((detail.status, &detail.json()["data"]["id"]), (200, &"prod_starbucks".into()));
}
