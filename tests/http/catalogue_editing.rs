//! Would catch an operator's change of the catalogue that is lost, overwrites another's, is open to
//! users or is told wrongly; a field without a bound; and something removed that is still in use.

use hyper::Method;
use hyper::header::CONTENT_TYPE;
use serde_json::{Value, json};
use stockhold::command::PutDocument;

use crate::support::{Client, NOW_MS, Reply, Shop};

const CATEGORIES: &str = "/api/admin/categories";
const PRODUCTS: &str = "/api/admin/products";

async fn send(
    client: &mut Client,
    method: Method,
    path: &str,
    tag: Option<&str>,
    body: Value,
) -> Reply {
    let mut request = client.request(method, path).header(CONTENT_TYPE, "application/json");
    if let Some(tag) = tag {
        request = request.header("If-Match", tag);
    }
    let body = if body.is_null() { String::new() } else { body.to_string() };
    client.send(request, body).await
}

fn tag(reply: &Reply) -> String {
    reply.header("etag").expect("a document has a tag").to_owned()
}

fn tea() -> Value {
    json!({
        "id": "tea", "name": "龙井茶", "description": "明前\n第二行", "categoryId": "cat_food", "pointsPrice": 120,
        "originalPrice": 19.9, "images": ["/tea/1.png", "/tea/2.png"],
        "specifications": {"重量": "100g", "比例": 117.63331139400017, "大": 18446744073709551615_u64, "无": null},
        "isHot": true, "isNew": true, "status": 0, "sortOrder": 7,
        "limitPerUser": {"quantity": 2, "period": {"rolling": {"lengthMs": 60000}}}
    })
}

/// What is shown of `tea`, but for when and by whom it was written.
fn shown_tea() -> Value {
    let mut shown = tea();
    for (name, value) in [
        ("createdAt", json!(NOW_MS)),
        ("stockQuantity", json!(0)),
        ("salesCount", json!(0)),
        ("lowStockThreshold", Value::Null),
        ("waitingPlaces", Value::Null),
        ("saleStartsAt", Value::Null),
        ("updatedAt", json!(NOW_MS)),
        ("updatedBy", json!("root")),
        ("byLevel", json!({})),
    ] {
        shown[name] = value;
    }
    shown
}

#[tokio::test]
async fn a_product_lives_from_its_creation_to_its_end() {
    let shop = Shop::open().await;
    let (mut admin, mut guest) = (shop.admin().await, shop.guest().await);
    let created = admin.post(PRODUCTS, tea()).await;
    assert_eq!(created.data(), shown_tea());
    let path = "/api/admin/products/tea";
    let read = admin.get(path).await;
    assert_eq!((read.data(), tag(&read)), (shown_tea(), tag(&created)));
    // It is off the shelf.
    guest.get("/api/mall/products/tea").await.failure(404, "PRODUCT_NOT_FOUND");
    let listed = |data: &Value| data["pagination"]["total"].as_u64();
    let query = "/api/admin/products?keyword=%E9%BE%99%E4%BA%95";
    assert_eq!(listed(&admin.get(query).await.data()), Some(1));
    assert_eq!(listed(&admin.get(&format!("{query}&status=1")).await.data()), Some(0));
    assert_eq!(admin.get(&format!("{query}&status=0")).await.data()["products"][0], shown_tea());

    // Put on the shelf, at another time by the same operator.
    shop.advance(5);
    let published = admin.post(&format!("{path}/publish"), json!({})).await;
    assert_eq!(published.data()["status"], 1);
    assert_eq!(published.data()["updatedAt"], NOW_MS + 5);
    assert_ne!(tag(&published), tag(&created));
    let seen = guest.get("/api/mall/products/tea").await.data();
    assert_eq!(
        (&seen["pointsPrice"], &seen["originalPrice"], &seen["specifications"]),
        (&json!(120), &json!(19.9), &tea()["specifications"])
    );

    // A part is changed, by RFC 7396.
    let patch = json!({"pointsPrice": 0, "specifications": {"重量": "200g", "大": null}, "limitPerUser": null});
    let patched = send(&mut admin, Method::PATCH, path, Some(&tag(&published)), patch).await;
    let mut expected = published.data();
    expected["pointsPrice"] = json!(0);
    expected["specifications"] = json!({"重量": "200g", "比例": 117.63331139400017});
    expected["limitPerUser"] = Value::Null;
    // Its own nulls do not outlive a patch: there they mean that something goes.
    expected["specifications"]["无"] = patched.data()["specifications"]["无"].clone();
    assert_eq!(patched.data(), expected);

    // All of it is replaced: what is not named has its default.
    let whole = json!({"name": "茶", "categoryId": "cat_food", "pointsPrice": 5});
    let replaced = send(&mut admin, Method::PUT, path, Some(&tag(&patched)), whole).await;
    assert_eq!(
        replaced.data(),
        json!({
            "id": "tea", "name": "茶", "description": "", "categoryId": "cat_food", "pointsPrice": 5,
            "originalPrice": null, "images": [], "specifications": {}, "isHot": false, "isNew": false, "status": 1,
            "sortOrder": 0, "limitPerUser": null, "lowStockThreshold": null, "byLevel": {}, "waitingPlaces": null, "saleStartsAt": null, "createdAt": NOW_MS, "stockQuantity": 0, "salesCount": 0,
            "updatedAt": NOW_MS + 5, "updatedBy": "root"
        })
    );
    let withdrawn = admin.post(&format!("{path}/withdraw"), json!({})).await;
    assert_eq!(withdrawn.data()["status"], 0);
    guest.get("/api/mall/products/tea").await.failure(404, "PRODUCT_NOT_FOUND");

    let removed = send(&mut admin, Method::DELETE, path, Some(&tag(&withdrawn)), Value::Null).await;
    assert_eq!(removed.data(), json!({"id": "tea"}));
    admin.get(path).await.failure(404, "PRODUCT_NOT_FOUND");
    send(&mut admin, Method::DELETE, path, Some("*"), Value::Null)
        .await
        .failure(404, "PRODUCT_NOT_FOUND");
    admin
        .post("/api/admin/inventory/tea/receive", json!({"quantity": 1}))
        .await
        .failure(404, "PRODUCT_NOT_FOUND");
}

#[tokio::test]
async fn what_was_written_outlives_a_restart() {
    let shop = Shop::open().await;
    let mut admin = shop.admin().await;
    let created = admin.post(PRODUCTS, tea()).await;
    let category = json!({"id": "cat_tea", "name": "茶叶", "parentId": "cat_food", "icon": "/i.png", "sortOrder": 3});
    let category = admin.post(CATEGORIES, category).await;
    admin
        .post(
            PRODUCTS,
            json!({"id": "gone", "name": "G", "categoryId": "cat_tea", "pointsPrice": 1}),
        )
        .await
        .data();
    send(&mut admin, Method::DELETE, "/api/admin/products/gone", Some("*"), Value::Null)
        .await
        .data();
    drop(admin);
    let shop = shop.reopen().await;
    let mut admin = shop.admin().await;
    let again = admin.get("/api/admin/products/tea").await;
    assert_eq!((again.data(), tag(&again)), (created.data(), tag(&created)));
    let again = admin.get("/api/admin/categories/cat_tea").await;
    assert_eq!((again.data(), tag(&again)), (category.data(), tag(&category)));
    admin.get("/api/admin/products/gone").await.failure(404, "PRODUCT_NOT_FOUND");
}

#[tokio::test]
async fn a_category_lives_from_its_creation_to_its_end() {
    let shop = Shop::open().await;
    let mut admin = shop.admin().await;
    let body = json!({"id": "cat_tea", "name": "茶叶", "parentId": "cat_food"});
    let created = admin.post(CATEGORIES, body).await;
    assert_eq!(
        created.data(),
        json!({
            "id": "cat_tea", "name": "茶叶", "description": "", "icon": null, "parentId": "cat_food", "sortOrder": 0,
            "status": 1, "level": 2, "updatedAt": NOW_MS, "updatedBy": "root"
        })
    );
    let all = admin.get(CATEGORIES).await.data();
    assert_eq!(all["categories"].as_array().map(Vec::len), Some(10));
    let path = "/api/admin/categories/cat_tea";
    // Hidden from the tree, and still there.
    admin.post(&format!("{path}/withdraw"), json!({})).await.data();
    let tree = shop.guest().await.get("/api/mall/categories").await.data().to_string();
    assert!(!tree.contains("cat_tea"), "{tree}");
    let back = admin.post(&format!("{path}/publish"), json!({})).await;
    // To the top, by a patch.
    let patch = json!({"parentId": null, "icon": "/i.png"});
    let moved = send(&mut admin, Method::PATCH, path, Some(&tag(&back)), patch).await;
    assert_eq!((&moved.data()["level"], &moved.data()["icon"]), (&json!(1), &json!("/i.png")));
    // A change of its name shows wherever its products are shown.
    admin
        .post(PRODUCTS, json!({"id": "t", "name": "T", "categoryId": "cat_tea", "pointsPrice": 1}))
        .await
        .data();
    let name = json!({"name": "好茶", "parentId": "cat_food"});
    let renamed = send(&mut admin, Method::PUT, path, Some("*"), name).await;
    assert_eq!(renamed.data()["icon"], Value::Null);
    let shown = shop.guest().await.get("/api/mall/products/t").await.data();
    assert_eq!(shown["category"], json!({"id": "cat_tea", "name": "好茶", "icon": null}));

    // What refers to it is named.
    let in_use = send(&mut admin, Method::DELETE, path, Some("*"), Value::Null).await;
    assert_eq!(
        in_use.failure(409, "IN_USE"),
        json!({"categories": 0, "products": 1, "categoryIds": [], "productIds": ["t"]})
    );
    let food =
        send(&mut admin, Method::DELETE, "/api/admin/categories/cat_food", Some("*"), Value::Null)
            .await;
    assert_eq!(
        food.failure(409, "IN_USE"),
        json!({
            "categories": 3, "products": 1, "categoryIds": ["cat_beverage", "cat_snack", "cat_tea"],
            "productIds": ["prod_kfc"]
        })
    );
    send(&mut admin, Method::DELETE, "/api/admin/products/t", Some("*"), Value::Null).await.data();
    send(&mut admin, Method::DELETE, path, Some("*"), Value::Null).await.data();
    admin.get(path).await.failure(404, "CATEGORY_NOT_FOUND");
}

#[tokio::test]
async fn there_are_two_levels_and_no_category_is_its_own_ancestor() {
    let shop = Shop::open().await;
    let mut admin = shop.admin().await;
    for (method, path, body) in [
        (Method::POST, CATEGORIES, json!({"id": "x", "name": "X", "parentId": "cat_snack"})),
        (Method::POST, CATEGORIES, json!({"id": "x", "name": "X", "parentId": "nowhere"})),
        (Method::POST, CATEGORIES, json!({"id": "x", "name": "X", "parentId": "x"})),
        (Method::PATCH, "/api/admin/categories/cat_food", json!({"parentId": "cat_food"})),
        (Method::PATCH, "/api/admin/categories/cat_food", json!({"parentId": "cat_snack"})),
        (Method::PATCH, "/api/admin/categories/cat_food", json!({"parentId": "cat_life"})),
    ] {
        let refused = send(&mut admin, method, path, Some("*"), body.clone()).await;
        refused.failure(400, "INVALID_REQUEST");
        assert!(refused.envelope()["message"].to_string().contains("$.parentId"), "{body}");
    }
}

#[tokio::test]
async fn who_has_not_seen_it_changes_nothing() {
    let shop = Shop::open().await;
    let mut admin = shop.admin().await;
    admin.post(PRODUCTS, tea()).await.data();
    let path = "/api/admin/products/tea";
    let first = tag(&admin.get(path).await);
    let other = json!({"pointsPrice": 130});
    let second = send(&mut admin, Method::PATCH, path, Some(&first), other).await;
    second.data();
    let before = shop.state();
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        let body = || match method {
            Method::DELETE => Value::Null,
            _ => json!({"name": "X", "categoryId": "cat_food", "pointsPrice": 1}),
        };
        send(&mut admin, method.clone(), path, None, body())
            .await
            .failure(428, "PRECONDITION_REQUIRED");
        for stale in [first.as_str(), "W/\"0123456789abcdef\"", "\"x\""] {
            send(&mut admin, method.clone(), path, Some(stale), body())
                .await
                .failure(412, "PRECONDITION_FAILED");
        }
        for wrong in ["tea", "", "\"a\" \"b\""] {
            send(&mut admin, method.clone(), path, Some(wrong), body())
                .await
                .failure(400, "INVALID_REQUEST");
        }
        send(&mut admin, method.clone(), "/api/admin/products/none", Some(&first), body())
            .await
            .failure(404, "PRODUCT_NOT_FOUND");
    }
    // What is wrong in itself is told first.
    let wrong = json!({"name": "", "categoryId": "cat_food", "pointsPrice": 1});
    send(&mut admin, Method::PUT, path, Some(&first), wrong).await.failure(400, "INVALID_REQUEST");
    let stale = admin.post_request(&format!("{path}/publish")).header("If-Match", &first);
    admin.send(stale, "").await.failure(412, "PRECONDITION_FAILED");
    assert_eq!(shop.state(), before);
    // Who did not hear that it was done, and asks again, hears it.
    let again =
        send(&mut admin, Method::PATCH, path, Some(&first), json!({"pointsPrice": 130})).await;
    assert_eq!((again.data(), tag(&again)), (second.data(), tag(&second)));
    assert_eq!(admin.post(CATEGORIES, json!({"id": "c", "name": "C"})).await.status, 200);
    assert_eq!(admin.post(CATEGORIES, json!({"id": "c", "name": "C"})).await.status, 200);
    admin.post(CATEGORIES, json!({"id": "c", "name": "D"})).await.failure(409, "ALREADY_EXISTS");
    admin.post(PRODUCTS, tea()).await.failure(409, "ALREADY_EXISTS");
    // One of several tags is enough.
    let tags = format!("{first}, {}", tag(&second));
    send(&mut admin, Method::PATCH, path, Some(&tags), json!({"sortOrder": 1})).await.data();
}

#[tokio::test]
async fn of_many_editors_one_is_first() {
    let shop = Shop::open().await;
    let mut admin = shop.admin().await;
    let path = "/api/admin/products/prod_kfc";
    let seen = tag(&admin.get(path).await);
    let mut editors = Vec::new();
    for price in 1..=8_u64 {
        let (mut editor, seen) = (shop.admin().await, seen.clone());
        editors.push(tokio::spawn(async move {
            let body = json!({"pointsPrice": price});
            let reply = send(&mut editor, Method::PATCH, path, Some(&seen), body).await;
            (price, reply)
        }));
    }
    let mut prices = Vec::new();
    for editor in editors {
        let (price, reply) = editor.await.expect("it does not panic");
        match reply.status {
            200 => prices.push(price),
            _ => drop(reply.failure(412, "PRECONDITION_FAILED")),
        }
    }
    assert_eq!(prices.len(), 1, "{prices:?}");
    assert_eq!(admin.get(path).await.data()["pointsPrice"], prices[0]);
}

#[tokio::test]
async fn every_bound_is_told_with_its_path() {
    let shop = Shop::open().await;
    let mut admin = shop.admin().await;
    admin.post(PRODUCTS, tea()).await.data();
    let before = shop.state();
    let deep = (0..9).fold(json!(1), |value, _| json!({"a": value}));
    let many: Vec<u64> = (0..300).collect();
    for (patch, path) in [
        (json!({"name": ""}), "$.name"),
        (json!({"name": " "}), "$.name"),
        (json!({"name": "长".repeat(201)}), "$.name"),
        (json!({"name": "a\nb"}), "$.name"),
        (json!({"description": "长".repeat(4001)}), "$.description"),
        (json!({"description": "a\u{0}b"}), "$.description"),
        (json!({"categoryId": "nowhere"}), "$.categoryId"),
        (json!({"categoryId": "a b"}), "$.categoryId"),
        (json!({"pointsPrice": -1}), "$.pointsPrice"),
        (json!({"pointsPrice": (1_u64 << 48) + 1}), "$.pointsPrice"),
        (json!({"originalPrice": 100_000_000}), "$.originalPrice"),
        (json!({"originalPrice": 0.001}), "$.originalPrice"),
        (json!({"images": vec!["/x"; 17]}), "$.images"),
        (json!({"images": ["/x", "a b"]}), "$.images[1]"),
        (json!({"images": ["x".repeat(501)]}), "$.images[0]"),
        (json!({"specifications": {"a": "长".repeat(1001)}}), "$.specifications.a"),
        (json!({"specifications": {"": 1}}), "$.specifications[\"\"]"),
        (json!({"specifications": {"o": {"l": ["\u{7}"]}}}), "$.specifications.o.l[0]"),
        (json!({"specifications": deep}), "$.specifications.a.a.a.a.a.a.a"),
        (json!({"specifications": {"many": many}}), "$.specifications.many[1"),
        (json!({"sortOrder": 2_147_483_648_u64}), "$.sortOrder"),
        (json!({"status": 2}), "$.status"),
        (json!({"limitPerUser": {"quantity": 0}}), "$.limitPerUser.quantity"),
        (
            json!({"limitPerUser": {"period": {"rolling": {"lengthMs": 1_u64 << 50}}}}),
            "$.limitPerUser",
        ),
        (json!({"createdAt": 253_402_300_800_000_u64}), "$.createdAt"),
        (json!({"id": "cup"}), "$.id"),
        (json!({"salesCount": 3}), "$.salesCount"),
    ] {
        let refused =
            send(&mut admin, Method::PATCH, "/api/admin/products/tea", Some("*"), patch.clone())
                .await;
        refused.failure(400, "INVALID_REQUEST");
        let message = refused.envelope()["message"].as_str().expect("a text").to_owned();
        let shown: String = patch.to_string().chars().take(80).collect();
        assert!(message.contains(&format!("：{path}")), "{shown}: {message}");
    }
    for (raw, part) in [
        (r#"{"name":"a","name":"b"}"#, "$: the name \"name\" is given twice"),
        (r#"{"specifications":{"a":[1,0.10000000000000001]}}"#, "$.specifications.a[1]: "),
        (r#"{"pointsPrice":1e400}"#, "$.pointsPrice: "),
        ("[]", "$: it must be an object"),
        ("{", "$: "),
        ("", "$: "),
    ] {
        let request = admin.request(Method::PATCH, "/api/admin/products/tea");
        // Also called what it is.
        let request = request.header(CONTENT_TYPE, "application/merge-patch+json");
        let refused = admin.send(request.header("If-Match", "*"), raw).await;
        refused.failure(400, "INVALID_REQUEST");
        assert!(
            refused.envelope()["message"].to_string().contains(&part.replace('"', "\\\"")),
            "{raw}"
        );
    }
    let put = admin.request(Method::PUT, "/api/admin/products/tea");
    let put = put.header(CONTENT_TYPE, "application/merge-patch+json").header("If-Match", "*");
    admin.send(put, tea().to_string()).await.failure(415, "UNSUPPORTED_MEDIA_TYPE");
    for (body, path) in [
        (json!({"name": "A"}), "$.id"),
        (json!({"id": "a/b", "name": "A"}), "$.id"),
        (json!({"id": "x".repeat(65), "name": "A"}), "$.id"),
        (json!({"id": "a"}), "$.name"),
        (json!({"id": "a", "name": "长".repeat(101)}), "$.name"),
        (json!({"id": "a", "name": "A", "icon": ""}), "$.icon"),
        (json!({"id": "a", "name": "A", "icon": "x y"}), "$.icon"),
        (json!({"id": "a", "name": "A", "description": "长".repeat(2001)}), "$.description"),
        (json!({"id": "a", "name": "A", "level": 1}), "$.level"),
    ] {
        let refused = admin.post(CATEGORIES, body.clone()).await;
        refused.failure(400, "INVALID_REQUEST");
        let message = refused.envelope()["message"].to_string();
        assert!(message.contains(&format!("：{path}")), "{body}: {message}");
    }
    assert_eq!(shop.state(), before);
}

#[tokio::test]
async fn a_product_with_units_is_in_use() {
    let shop = Shop::open().await;
    let mut admin = shop.admin().await;
    admin.post(PRODUCTS, tea()).await.data();
    let path = "/api/admin/products/tea";
    admin.post(&format!("{path}/publish"), json!({})).await.data();
    admin.post("/api/admin/inventory/tea/receive", json!({"quantity": 3})).await.data();
    let mut ann = shop.user_with("ann", 1_000).await;
    let order =
        |quantity, confirm| json!({"productId": "tea", "quantity": quantity, "confirm": confirm});
    ann.post("/api/mall/exchange", order(1, true)).await.data();
    ann.post("/api/mall/exchange", order(1, false)).await.data();
    let in_use = send(&mut admin, Method::DELETE, path, Some("*"), Value::Null).await;
    assert_eq!(
        in_use.failure(409, "IN_USE"),
        json!({"available": 1, "reserved": 1, "sold": 1, "elsewhere": 0, "waiting": 0})
    );
    admin.post("/api/admin/inventory/tea/adjust", json!({"delta": -1})).await.data();
    shop.advance(20 * 60 * 1000);
    admin.post("/api/admin/inventory/tea/adjust", json!({"delta": -1})).await.data();
    let in_use = send(&mut admin, Method::DELETE, path, Some("*"), Value::Null).await;
    assert_eq!(
        in_use.failure(409, "IN_USE"),
        json!({"available": 0, "reserved": 0, "sold": 1, "elsewhere": 0, "waiting": 0})
    );
    let shown = admin.get(path).await.data();
    assert_eq!((&shown["status"], &shown["salesCount"]), (&json!(1), &json!(1)), "it is as it was");
}

#[tokio::test]
async fn users_change_nothing_in_the_catalogue() {
    let shop = Shop::open().await;
    let (mut ann, mut guest) = (shop.user("ann").await, shop.guest().await);
    let before = shop.state();
    for (method, path) in [
        (Method::GET, "/api/admin/products".to_owned()),
        (Method::POST, PRODUCTS.to_owned()),
        (Method::PUT, format!("{PRODUCTS}/prod_kfc")),
        (Method::PATCH, format!("{PRODUCTS}/prod_kfc")),
        (Method::DELETE, format!("{PRODUCTS}/prod_kfc")),
        (Method::POST, format!("{PRODUCTS}/prod_kfc/withdraw")),
        (Method::GET, CATEGORIES.to_owned()),
        (Method::POST, CATEGORIES.to_owned()),
        (Method::DELETE, format!("{CATEGORIES}/cat_life")),
        (Method::POST, format!("{CATEGORIES}/cat_life/withdraw")),
    ] {
        send(&mut ann, method.clone(), &path, Some("*"), Value::Null)
            .await
            .failure(403, "FORBIDDEN");
        send(&mut guest, method, &path, Some("*"), Value::Null).await.failure(401, "UNAUTHORIZED");
    }
    guest.get("/api/mall/products?status=0").await.failure(400, "INVALID_REQUEST");
    assert_eq!(shop.state(), before);
}

#[tokio::test]
async fn lists_are_filtered_ordered_and_go_on_after_a_page() {
    let shop = Shop::open().await;
    let mut admin = shop.admin().await;
    let ids = |data: &Value| {
        let products = data["products"].as_array().expect("an array").iter();
        products.map(|it| it["id"].as_str().expect("a text").to_owned()).collect::<Vec<_>>()
    };
    for number in 0..30_u64 {
        let product = json!({
            "id": format!("p{number:02}"), "name": "批量", "categoryId": "cat_life", "pointsPrice": number % 4,
            "createdAt": 1_000 + number % 5, "status": u8::from(number != 7)
        });
        admin.post(PRODUCTS, product).await.data();
    }
    for id in ["p03", "p10"] {
        let path = format!("/api/admin/inventory/{id}/receive");
        admin.post(&path, json!({"quantity": 5})).await.data();
    }
    let mut ann = shop.user_with("ann", 100).await;
    ann.post("/api/mall/exchange", json!({"productId": "p10", "quantity": 3, "confirm": true}))
        .await
        .data();
    shop.advance(1_000);
    let mut guest = shop.guest().await;
    let path = "/api/mall/products?category_id=cat_life";
    let in_stock = guest.get(&format!("{path}&in_stock=true")).await.data();
    assert_eq!(ids(&in_stock), ["p10", "p03"]);
    let sold_out = guest.get(&format!("{path}&in_stock=false&page_size=100")).await.data();
    assert_eq!(ids(&sold_out).len(), 27);
    let first = |data: &Value| ids(data)[..3].join(" ");
    for (sort, want) in [
        ("sales", "p10 p04 p09"),
        ("price_asc", "p00 p04 p08"),
        ("price_desc", "p03 p11 p15"),
        ("newest", "p04 p09 p14"),
        ("default", "p10 p04 p09"),
    ] {
        let path = format!("{path}&sort={sort}&page_size=7");
        let page = guest.get(&path).await.data();
        assert_eq!(first(&page), want, "{sort}");
        let (mut seen, mut page, mut pages) = (ids(&page), page, 1);
        while let Some(after) = page["pagination"]["nextAfter"].as_str() {
            page = guest.get(&format!("{path}&after={after}")).await.data();
            assert_eq!(
                (&page["pagination"]["total"], &page["pagination"]["page"]),
                (&json!(29), &json!(0))
            );
            seen.extend(ids(&page));
            pages += 1;
        }
        assert_eq!(pages, 5);
        let numbered = guest.get(&path.replace("page_size=7", "page_size=100")).await.data();
        assert_eq!(ids(&numbered), seen, "{sort}");
    }
    // What comes to the front meanwhile moves nothing into the next page, nor out of it.
    let path = format!("{path}&sort=newest&page_size=10");
    let page = guest.get(&path).await.data();
    let after = page["pagination"]["nextAfter"].as_str().expect("it goes on").to_owned();
    let rest = guest.get(&format!("{path}&after={after}")).await.data();
    let newest = json!({"id": "pnew", "name": "批量", "categoryId": "cat_life", "pointsPrice": 1});
    admin.post(PRODUCTS, newest).await.data();
    send(&mut admin, Method::PATCH, "/api/admin/products/p04", Some("*"), json!({"status": 0}))
        .await
        .data();
    assert_eq!(ids(&guest.get(&format!("{path}&after={after}")).await.data()), ids(&rest));
    for query in [
        "sort=colour",
        "sort=",
        "after=",
        "after=x",
        "in_stock=2",
        &format!("after={after}&page=1"),
        &format!("after={after}&sort=sales"),
        &format!("keyword={}", "x".repeat(201)),
    ] {
        guest.get(&format!("/api/mall/products?{query}")).await.failure(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn a_document_that_cannot_be_read_is_shown_to_operators() {
    let shop = Shop::open().await;
    let put = PutDocument::new("product", "torn", b"{\"id\":\"torn\"");
    shop.engine.put_document(put).and_then(|ticket| ticket.wait()).expect("it is written");
    let shop = shop.reopen().await;
    let mut admin = shop.admin().await;
    let status = admin.get("/api/admin/status").await.data();
    let named = &status["unreadableDocuments"][0];
    assert_eq!((&named["collection"], &named["id"]), (&json!("product"), &json!("torn")));
    assert!(named["reason"].as_str().is_some_and(|reason| reason.contains("EOF")), "{named}");
    assert_eq!(status["unreadableCount"], 1);
    assert_eq!(admin.get(PRODUCTS).await.data()["unreadable"][0], *named);
    assert_eq!(admin.get(CATEGORIES).await.data()["unreadable"], json!([]));
    assert_eq!(shop.guest().await.get("/api/mall/products").await.data()["pagination"]["total"], 5);
    let path = "/api/admin/products/torn";
    admin.get(path).await.failure(404, "PRODUCT_NOT_FOUND");
    send(&mut admin, Method::DELETE, path, Some("\"0123456789abcdef\""), Value::Null)
        .await
        .failure(412, "PRECONDITION_FAILED");
    send(&mut admin, Method::DELETE, path, Some("*"), Value::Null).await.data();
    assert_eq!(admin.get("/api/admin/status").await.data()["unreadableCount"], 0);
}
