//! Would catch a method, a media type or a path that is answered with something else than HTTP
//! says, and a MessagePack answer that differs from the JSON one.

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::support::{Client, NOW_MS, Reply, Shop, raw};

const GETS: [&str; 9] = [
    "/health",
    "/ready",
    "/api/mall/categories",
    "/api/mall/products",
    "/api/mall/products/prod_kfc",
    "/api/mall/orders",
    "/api/mall/orders/ord_0000000000000000",
    "/api/points/balance",
    "/api/admin/inventory/prod_kfc",
];
const POSTS: [&str; 6] = [
    "/api/mall/exchange",
    "/api/mall/orders/ord_0000000000000000/confirm",
    "/api/mall/orders/ord_0000000000000000/cancel",
    "/api/admin/points/ann/award",
    "/api/admin/inventory/prod_kfc/receive",
    "/api/admin/inventory/prod_kfc/adjust",
];

async fn send(client: &mut Client, method: Method, path: &str) -> Reply {
    client.send(client.request(method, path), Bytes::new()).await
}

#[tokio::test]
async fn methods_that_are_not_there_are_told_what_is() {
    let shop = Shop::open().await;
    let mut admin = shop.admin().await;
    let before = shop.state();
    for path in GETS {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let refused = send(&mut admin, method, path).await;
            refused.failure(405, "METHOD_NOT_ALLOWED");
            assert_eq!(refused.header("allow"), Some("GET, HEAD"), "{path}");
        }
    }
    for path in POSTS {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let refused = send(&mut admin, method, path).await;
            refused.failure(405, "METHOD_NOT_ALLOWED");
            assert_eq!(refused.header("allow"), Some("POST"), "{path}");
        }
        let head = send(&mut admin, Method::HEAD, path).await;
        assert_eq!((head.status, head.header("allow")), (405, Some("POST")));
    }
    assert_eq!(shop.state(), before);
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let shop = Shop::open().await;
    let mut admin = shop.admin().await;
    for path in GETS {
        let get = admin.get(path).await;
        let head = send(&mut admin, Method::HEAD, path).await;
        assert_eq!(head.status, get.status, "{path}");
        assert!(head.body.is_empty(), "{path}");
        for header in ["content-type", "content-length"] {
            assert_eq!(head.header(header), get.header(header), "{header} of {path}");
        }
    }
}

#[tokio::test]
async fn paths_that_are_not_there_are_not_found() {
    let shop = Shop::open().await;
    for mut client in [shop.guest().await, shop.admin().await] {
        for path in [
            "/nix",
            "/api",
            "/api/mall",
            "/api/mall/products/",
            "/api/mall/products/x/y",
            "/api/mall/Exchange",
            "/api/mall/exchange/",
            "//api/mall/products",
            "/api/mall/orders/x/ship",
            "/api/admin/points/ann/",
            "/metrics/..",
        ] {
            client.get(path).await.failure(404, "NOT_FOUND");
            client.post(path, json!({})).await.failure(404, "NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn a_token_is_asked_for_where_it_is_needed() {
    let shop = Shop::open().await;
    let mut guest = shop.guest().await;
    for path in &GETS[5..] {
        let refused = guest.get(path).await;
        refused.failure(401, "UNAUTHORIZED");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    }
    for path in POSTS {
        guest.post(path, json!({})).await.failure(401, "UNAUTHORIZED");
    }
    for path in &GETS[..5] {
        assert_eq!(guest.get(path).await.status, 200, "{path} is for everybody");
    }
}

#[tokio::test]
async fn health_is_told_as_the_mall_document_has_it() {
    let shop = Shop::open().await;
    let mut guest = shop.guest().await;
    for (path, status) in [("/health", "healthy"), ("/ready", "ready")] {
        let parts =
            ["journal", "disk", "space", "history", "checkpoint", "threads", "clock", "webhooks"];
        let now = "2025-06-15T15:06:40.000Z";
        let well = parts.map(|part| (part.to_owned(), json!({"state": "fulfilled", "since": now})));
        let expected = json!({
            "status": status, "timestamp": now, "phase": "serving",
            "checks": {"engine": "fulfilled", "history": "fulfilled", "checkpoint": "fulfilled",
                "threads": "fulfilled", "clock": "fulfilled", "disk": "fulfilled", "space": "fulfilled",
                "webhooks": "fulfilled", "freeBytes": null, "historyBytes": null, "accepting": true},
            "dependencies": serde_json::Map::from_iter(well),
        });
        let mut told = guest.get(path).await.json();
        // These two are the machine's.
        for bytes in ["freeBytes", "historyBytes"] {
            assert!(told["checks"][bytes].take().is_u64(), "{bytes} is a number");
        }
        assert_eq!(told, expected);
    }
    assert_eq!(NOW_MS, 1_750_000_000_000, "the timestamps above are this moment");
}

#[tokio::test]
async fn bodies_and_answers_have_a_type() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 100_000).await;
    let body = json!({"productId": "prod_movie", "quantity": 1}).to_string();
    let before = shop.state();
    for (content_type, encoding) in [
        ("text/plain", None),
        ("application/x-www-form-urlencoded", None),
        ("application/jsonx", None),
        ("", None),
        ("application/json", Some("gzip")),
    ] {
        let mut request =
            ann.request(Method::POST, "/api/mall/exchange").header(CONTENT_TYPE, content_type);
        if let Some(encoding) = encoding {
            request = request.header(CONTENT_ENCODING, encoding);
        }
        ann.send(request, body.clone()).await.failure(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    for accept in ["text/html", "application/json;q=0", "application/xml, text/*"] {
        let request = ann.post_request("/api/mall/exchange").header(ACCEPT, accept);
        ann.send(request, body.clone()).await.failure(406, "NOT_ACCEPTABLE");
    }
    assert_eq!(shop.state(), before);
    // A browser, a client that says nothing, and one that says it in another case.
    for (content_type, accept) in [
        (
            Some("Application/JSON; charset=UTF-8"),
            Some("text/html,application/xhtml+xml,*/*;q=0.8"),
        ),
        (None, None),
        (Some("application/json"), Some("")),
    ] {
        let mut request = ann.request(Method::POST, "/api/mall/exchange");
        for (name, value) in [(CONTENT_TYPE, content_type), (ACCEPT, accept)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let answer = ann.send(request, body.clone()).await;
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
        answer.data();
    }
}

/// As JSON, after a detour through MessagePack.
fn unpacked(reply: &Reply) -> Value {
    assert_eq!(reply.header("content-type"), Some("application/msgpack"));
    rmp_serde::from_slice(&reply.body).expect("a MessagePack body")
}

#[tokio::test]
async fn messagepack_goes_in_and_out() {
    let shop = Shop::open().await;
    let mut admin = shop.admin().await;
    for path in GETS {
        let json = admin.get(path).await;
        for accept in
            ["application/msgpack", "application/x-msgpack, */*;q=0.1", "Application/vnd.MsgPack"]
        {
            let packed = admin
                .send(admin.request(Method::GET, path).header(ACCEPT, accept), Bytes::new())
                .await;
            assert_eq!(
                (packed.status, unpacked(&packed)),
                (json.status, json.json()),
                "{path} as {accept}"
            );
        }
    }

    let mut ann = shop.user_with("ann", 100_000).await;
    let delivery =
        json!({"name": "安", "lines": ["1", 2, -3, 4.5, true, null], "nested": {"a": {"b": []}}});
    let body = json!({"productId": "prod_movie", "quantity": 2, "deliveryInfo": delivery, "confirm": true});
    let packed = rmp_serde::to_vec_named(&body).expect("it can be packed");
    for content_type in ["application/msgpack", "application/x-msgpack", "application/vnd.msgpack"]
    {
        let request =
            ann.request(Method::POST, "/api/mall/exchange").header(CONTENT_TYPE, content_type);
        let made = ann.send(request.header(ACCEPT, "application/msgpack"), packed.clone()).await;
        let data = &unpacked(&made)["data"];
        assert_eq!((made.status, &data["pointsCost"]), (200, &json!(9000)));
        // Written as MessagePack, read as JSON.
        let order = ann
            .get(&format!("/api/mall/orders/{}", data["orderId"].as_str().expect("a string")))
            .await
            .data();
        assert_eq!(order["deliveryInfo"], delivery);
    }
    let request =
        ann.request(Method::POST, "/api/mall/exchange").header(CONTENT_TYPE, "application/msgpack");
    let refused = ann.send(request.header(ACCEPT, "application/msgpack"), "{}").await;
    assert_eq!((refused.status, &unpacked(&refused)["code"]), (400, &json!("INVALID_REQUEST")));
}

#[tokio::test]
async fn requests_in_a_row_on_one_connection_are_answered_in_order() {
    let shop = Shop::open().await;
    let mut requests = String::new();
    for path in
        ["/api/mall/products/prod_kfc", "/nowhere", "/api/points/balance", "/api/mall/categories"]
    {
        requests.push_str(&format!("GET {path} HTTP/1.1\r\nHost: mall\r\n\r\n"));
    }
    requests.push_str("GET /health HTTP/1.1\r\nHost: mall\r\nConnection: close\r\n\r\n");
    let answers = raw(shop.address, requests.as_bytes()).await;
    let statuses: Vec<&str> =
        answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "404", "401", "200", "200"], "{answers}");
}
