//! Would catch a filter that lets through what it should not, a list in another order than the
//! mall's document gives, pages that overlap or miss a product, and a stock that is not the
//! ledger's.

use serde_json::{Value, json};
use stockhold::mall::{Period, PurchaseLimit};

use crate::support::{NOW_MS, Shop, product};

fn ids(listing: &Value) -> Vec<&str> {
    let products = listing["products"].as_array().expect("an array");
    products.iter().map(|product| product["id"].as_str().expect("a string")).collect()
}

/// Where a page is in the list, but for what the next one is asked with.
fn without_next(listing: &Value) -> Value {
    let mut pagination = listing["pagination"].clone();
    pagination.as_object_mut().expect("an object").remove("nextAfter").expect("it is there");
    pagination
}

#[tokio::test]
async fn categories_are_a_tree() {
    let shop = Shop::open().await;
    let categories = shop.guest().await.get("/api/mall/categories").await.data();
    let shape = |category: &Value| {
        let children = category["children"].as_array().expect("an array").iter();
        let children: Vec<String> =
            children.map(|child| child["id"].as_str().expect("a string").to_owned()).collect();
        (category["id"].as_str().expect("a string").to_owned(), children.join(" "))
    };
    let shapes: Vec<(String, String)> =
        categories.as_array().expect("an array").iter().map(shape).collect();
    let expected = [
        ("cat_digital", "cat_mobile cat_computer"),
        ("cat_food", "cat_snack cat_beverage"),
        ("cat_life", ""),
        ("cat_entertainment", ""),
        ("cat_travel", ""),
    ];
    assert_eq!(shapes, expected.map(|(id, children)| (id.to_owned(), children.to_owned())));
    let snack = json!({
        "id": "cat_snack", "name": "休闲零食", "description": "坚果、饼干、糖果", "icon": null, "parentId": "cat_food",
        "level": 2, "sortOrder": 1, "children": []
    });
    assert_eq!(categories[1]["children"][0], snack);
}

/// As people search: in another case, in another form of the letters, on another keyboard.
#[tokio::test]
async fn a_search_folds_case_as_unicode_does() {
    let shop = Shop::open().await;
    for (id, name) in [
        ("p_odyssey", "ΟΔΥΣΣΕΙΑ"),
        ("p_istanbul", "İSTANBUL"),
        ("p_street", "Straße"),
        ("p_wide", "ＡＢＣ券"),
    ] {
        let mut product = product(id, 10);
        (product.name, product.description) = (name.into(), String::new());
        shop.mall.put_product(&product).expect("the product is new");
    }
    let mut guest = shop.guest().await;
    for (keyword, id) in [
        // ΟΔΥΣ, οδυς, istanbul, İstanbul, STRASSE, abc.
        ("%CE%9F%CE%94%CE%A5%CE%A3", "p_odyssey"),
        ("%CE%BF%CE%B4%CF%85%CF%82", "p_odyssey"),
        ("istanbul", "p_istanbul"),
        ("%C4%B0stanbul", "p_istanbul"),
        ("STRASSE", "p_street"),
        ("abc", "p_wide"),
    ] {
        let found = guest.get(&format!("/api/mall/products?keyword={keyword}")).await.data();
        assert_eq!(ids(&found), [id], "{keyword}");
    }
}

#[tokio::test]
async fn every_filter_finds_what_it_names() {
    let shop = Shop::open().await;
    let mut guest = shop.guest().await;
    for (query, expected) in [
        ("category_id=cat_digital", ""),
        ("category_id=cat_mobile", "prod_airpods prod_iphone15"),
        ("category_id=cat_digital&include_children=true", "prod_airpods prod_iphone15"),
        ("category_id=cat_food&include_children=1", "prod_kfc prod_starbucks"),
        ("category_id=cat_food&include_children=false", "prod_kfc"),
        ("category_id=nowhere", ""),
        ("keyword=PRO", "prod_airpods prod_iphone15"),
        ("keyword=%E5%88%B8", "prod_kfc prod_movie prod_starbucks"),
        ("keyword=iphone+15", "prod_iphone15"),
        ("keyword=%E5%85%A8%E5%9B%BD", "prod_movie prod_starbucks"),
        ("keyword=%25", ""),
        ("min_points=8900", "prod_airpods prod_iphone15 prod_kfc"),
        ("max_points=4500", "prod_movie prod_starbucks"),
        ("min_points=4500&max_points=8900", "prod_kfc prod_movie"),
        ("min_points=2&max_points=1", ""),
        ("is_hot=true", "prod_airpods prod_iphone15 prod_kfc"),
        ("is_hot=false", "prod_movie prod_starbucks"),
        ("is_new=true", "prod_iphone15 prod_movie"),
        ("is_hot=1&is_new=0", "prod_airpods prod_kfc"),
        ("is_hot=true&keyword=pro&max_points=200000", "prod_airpods"),
        ("", "prod_airpods prod_iphone15 prod_kfc prod_movie prod_starbucks"),
    ] {
        let listing = guest.get(&format!("/api/mall/products?{query}")).await.data();
        assert_eq!(ids(&listing).join(" "), expected, "{query}");
        assert_eq!(listing["pagination"]["total"], ids(&listing).len(), "{query}");
    }
    // The mall's own acceptance test, 应该能够按分类筛选商品.
    let listing = guest.get("/api/mall/products?category_id=cat_mobile").await.data();
    assert!(
        listing["products"]
            .as_array()
            .expect("an array")
            .iter()
            .all(|it| it["category"]["id"] == "cat_mobile")
    );
}

#[tokio::test]
async fn what_is_not_asked_for_properly_is_refused() {
    let shop = Shop::open().await;
    let mut guest = shop.guest().await;
    for query in [
        "page=0",
        "page=-1",
        "page=1.5",
        "page=",
        "page=x",
        "page=1000001",
        "page=99999999999999999999",
        "page_size=0",
        "page_size=101",
        "min_points=-1",
        "max_points=1e3",
        "max_points=99999999999999999999",
        "is_hot=yes",
        "is_new=",
        "include_children=2",
        "colour=red",
        "categoryId=cat_food",
        "page=1&page=2",
        "keyword=%",
        "keyword=%ff",
        "keyword=%e8%8c",
    ] {
        guest.get(&format!("/api/mall/products?{query}")).await.failure(400, "INVALID_REQUEST");
    }
    for path in ["/api/mall/categories?x=1", "/api/mall/products/prod_kfc?x=1"] {
        guest.get(path).await.failure(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn a_list_is_ordered_by_sort_order_then_sales_then_age() {
    let shop = Shop::open().await;
    let put = |id: &str, sort_order, created_at| {
        let mut product = product(id, 1);
        (product.sort_order, product.created_at, product.is_new) = (sort_order, created_at, true);
        product.category_id = "cat_travel".into();
        shop.mall.put_product(&product).expect("a valid product");
    };
    put("first", 9, 0);
    put("sold", 5, 0);
    put("newer", 5, NOW_MS + 2);
    put("older", 5, NOW_MS + 1);
    put("older-too", 5, NOW_MS + 1);
    put("last", -1, NOW_MS + 9);
    let mut admin = shop.admin().await;
    admin.post("/api/admin/inventory/sold/receive", json!({"quantity": 5})).await.data();
    let mut ann = shop.user_with("ann", 10).await;
    let path = "/api/mall/products?category_id=cat_travel";
    assert_eq!(ids(&ann.get(path).await.data()).join(" "), "first newer older older-too sold last");

    ann.post("/api/mall/exchange", json!({"productId": "sold", "quantity": 2, "confirm": true}))
        .await
        .data();
    ann.post("/api/mall/exchange", json!({"productId": "sold", "quantity": 1})).await.data();
    // The order by sales is at most a second old; what is shown of each product is not old at all.
    let before = ann.get(path).await.data();
    let sold =
        before["products"].as_array().expect("an array").iter().find(|it| it["id"] == "sold");
    let sold = sold.expect("it is listed");
    assert_eq!((&sold["stockQuantity"], &sold["salesCount"]), (&json!(2), &json!(2)));
    shop.advance(1_000);
    assert_eq!(ids(&ann.get(path).await.data()).join(" "), "first sold newer older older-too last");
}

#[tokio::test]
async fn pages_hold_everything_once() {
    let shop = Shop::open().await;
    let mut guest = shop.guest().await;
    let mut seen = Vec::new();
    for page in 1..=4 {
        let listing =
            guest.get(&format!("/api/mall/products?page={page}&page_size=2")).await.data();
        let pagination = json!({"page": page, "pageSize": 2, "total": 5, "totalPages": 3});
        assert_eq!(without_next(&listing), pagination);
        seen.extend(ids(&listing).into_iter().map(str::to_owned));
    }
    assert_eq!(seen, ["prod_airpods", "prod_iphone15", "prod_kfc", "prod_movie", "prod_starbucks"]);
    let default = guest.get("/api/mall/products").await.data();
    assert_eq!(
        without_next(&default),
        json!({"page": 1, "pageSize": 20, "total": 5, "totalPages": 1})
    );
    let beyond = guest.get("/api/mall/products?page=1000000&page_size=100").await.data();
    assert_eq!(beyond["products"], json!([]));
    let none = guest.get("/api/mall/products?keyword=nothing").await.data();
    assert_eq!(
        without_next(&none),
        json!({"page": 1, "pageSize": 20, "total": 0, "totalPages": 0})
    );
}

#[tokio::test]
async fn a_product_shows_its_stock_as_the_ledger_has_it() {
    let shop = Shop::open().await;
    let limit = PurchaseLimit { quantity: 3, period: Period::Rolling { length_ms: 60_000 } };
    let mut tea = product("tea", 5);
    (tea.limit_per_user, tea.original_price_cents) = (Some(limit), Some(1999));
    tea.images = vec!["/tea.png".into()];
    tea.specifications.insert("重量".into(), json!("100g"));
    shop.mall.put_product(&tea).expect("a valid product");
    let mut admin = shop.admin().await;
    admin.post("/api/admin/inventory/tea/receive", json!({"quantity": 10})).await.data();
    let mut ann = shop.user_with("ann", 100).await;
    ann.post("/api/mall/exchange", json!({"productId": "tea", "quantity": 1, "confirm": true}))
        .await
        .data();
    ann.post("/api/mall/exchange", json!({"productId": "tea", "quantity": 2})).await.data();
    admin.post("/api/admin/inventory/tea/adjust", json!({"delta": -3})).await.data();
    let expected = json!({
        "id": "tea", "name": "TEA", "description": "About tea",
        "category": {"id": "cat_food", "name": "美食优惠", "icon": "/icons/food.png"},
        "pointsPrice": 5, "originalPrice": 19.99, "stockQuantity": 4, "salesCount": 1, "images": ["/tea.png"],
        "specifications": {"重量": "100g"}, "isHot": false, "isNew": false,
        "limitPerUser": {"quantity": 3, "period": {"rolling": {"lengthMs": 60_000}}},
        "byLevel": {}, "waitingPlaces": null, "saleStartsAt": null,
        "sortOrder": 0, "createdAt": NOW_MS,
        "stockInfo": {"available": 4, "reserved": 2, "sold": 1, "writtenOff": 3, "total": 10, "inStock": true}
    });
    assert_eq!(shop.guest().await.get("/api/mall/products/tea").await.data(), expected);
    assert_eq!(ann.get("/api/mall/products/%74ea").await.data()["id"], "tea");
}

#[tokio::test]
async fn what_is_not_for_sale_is_not_found() {
    let shop = Shop::open().await;
    let mut gone = product("gone", 5);
    gone.active = false;
    shop.mall.put_product(&gone).expect("a valid product");
    let mut ann = shop.user_with("ann", 100).await;
    for id in ["gone", "never-was", "a%2Fb", "%E8%8C%B6", "x".repeat(300).as_str()] {
        ann.get(&format!("/api/mall/products/{id}")).await.failure(404, "PRODUCT_NOT_FOUND");
    }
    ann.get("/api/mall/products/%ff").await.failure(400, "INVALID_REQUEST");
    ann.post("/api/mall/exchange", json!({"productId": "gone", "quantity": 1}))
        .await
        .failure(404, "PRODUCT_NOT_FOUND");
    let listing = ann.get("/api/mall/products?page_size=100").await.data();
    assert!(!ids(&listing).contains(&"gone"), "{listing}");
    // Operators still count it.
    let inventory = shop.admin().await.get("/api/admin/inventory/gone").await.data();
    assert_eq!((&inventory["productId"], &inventory["available"]), (&json!("gone"), &json!(0)));
}
