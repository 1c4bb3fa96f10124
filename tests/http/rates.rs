//! Would catch a bound on users or addresses that is not held, one that is held against those who run
//! the shop or watch over it, and an answer that does not say when to ask again.

use hyper::Method;
use serde_json::json;
use stockhold::http::{Limits, Role};

use crate::support::{Client, Reply, Setup, Shop};

async fn shop(limits: Limits) -> Shop {
    Shop::with(Setup { limits, ..Setup::default() }).await
}

fn told<'a>(reply: &'a Reply, name: &str) -> &'a str {
    reply.header(name).unwrap_or_else(|| panic!("there is no {name}"))
}

/// The number after `name` in what `RateLimit` says of the first bound.
fn left(reply: &Reply, name: &str) -> u64 {
    let first = told(reply, "ratelimit").split(',').next().expect("a bound");
    let part = first.split(';').find_map(|part| part.strip_prefix(name));
    part.and_then(|number| number.parse().ok()).expect("a number")
}

async fn exchange(client: &mut Client) -> Reply {
    client.post("/api/mall/exchange", json!({"productId": "prod_none", "quantity": 1})).await
}

#[tokio::test]
async fn a_user_hears_what_is_left_and_when_more_comes() {
    let limits = Limits {
        user_requests_per_minute: Some(3),
        user_bytes_per_minute: Some(1 << 20),
        ..Limits::default()
    };
    let shop = shop(limits).await;
    let mut ann = shop.user("ann").await;
    for at in 0..3 {
        let reply = exchange(&mut ann).await;
        reply.failure(404, "PRODUCT_NOT_FOUND");
        let policy = r#""user";q=3;w=60, "user-bytes";q=1048576;w=60;qu="content-bytes""#;
        assert_eq!(told(&reply, "ratelimit-policy"), policy);
        // Some of it may have come back meanwhile.
        assert!((2 - at..=3).contains(&left(&reply, "r=")) && left(&reply, "t=") <= 60);
        assert!(told(&reply, "ratelimit").contains(r#", "user-bytes";r="#));
    }
    let refused = exchange(&mut ann).await;
    refused.failure(429, "RATE_LIMITED");
    assert_eq!((left(&refused, "r="), left(&refused, "t=")), (0, 60));
    let wait: u64 = told(&refused, "retry-after").parse().expect("seconds");
    assert!((1..=20).contains(&wait), "{wait}");
    // What only reads is not counted, and another has a share of its own.
    let read = ann.get("/api/points/balance").await;
    read.data();
    assert!(read.header("ratelimit").is_none() && read.header("ratelimit-policy").is_none());
    exchange(&mut shop.user("bob").await).await.failure(404, "PRODUCT_NOT_FOUND");
}

#[tokio::test]
async fn what_a_user_reads_is_bounded_from_wherever_it_is_asked() {
    let limits = Limits {
        user_reads_per_minute: Some(3),
        user_requests_per_minute: Some(2),
        ..Limits::default()
    };
    let shop = shop(limits).await;
    let (mut here, mut there) = (shop.user("ann").await, shop.user("ann").await);
    for (at, path) in
        ["/api/points/balance", "/api/mall/orders", "/api/points/balance"].iter().enumerate()
    {
        let client = if at % 2 == 0 { &mut here } else { &mut there };
        let reply = client.get(path).await;
        reply.data();
        assert_eq!(told(&reply, "ratelimit-policy"), r#""user-reads";q=3;w=60"#);
    }
    let refused = there.get("/api/mall/orders").await;
    refused.failure(429, "RATE_LIMITED");
    let wait: u64 = told(&refused, "retry-after").parse().expect("seconds");
    assert!((1..=20).contains(&wait) && left(&refused, "r=") == 0, "{wait}");
    // A service that asks for the user has no other share, what is written has one of its own, and
    // another user has one.
    let mut till = shop.client("till", Role::Service).await;
    let request = till.request(Method::GET, "/api/points/balance").header("X-On-Behalf-Of", "ann");
    till.send(request, "").await.failure(429, "RATE_LIMITED");
    exchange(&mut here).await.failure(404, "PRODUCT_NOT_FOUND");
    shop.user("bob").await.get("/api/points/balance").await.data();
    // Whoever runs the shop, and the catalogue, are not counted.
    let mut ops = shop.operator().await;
    for _ in 0..5 {
        ops.get("/api/points/balance").await.data();
        here.get("/api/mall/products").await.data();
    }
}

#[tokio::test]
async fn an_address_is_bounded_whoever_it_says_it_is() {
    let shop = shop(Limits { address_requests_per_minute: Some(5), ..Limits::default() }).await;
    let mut ann = shop.user("ann").await;
    let mut guest = shop.guest().await;
    let mut forger = Client::connect(shop.address, Some("a.b.c".to_owned())).await;
    let first = ann.get("/api/points/balance").await;
    first.data();
    assert_eq!(told(&first, "ratelimit-policy"), r#""address";q=5;w=60"#);
    for _ in 0..2 {
        guest.get("/api/mall/products").await.data();
        forger.get("/api/points/balance").await.failure(401, "UNAUTHORIZED");
    }
    // Nothing of a token is told to whoever asks too much.
    for reply in [
        ann.get("/api/points/balance").await,
        guest.get("/api/mall/products").await,
        forger.get("/api/points/balance").await,
        shop.user("bob").await.get("/api/points/balance").await,
    ] {
        reply.failure(429, "RATE_LIMITED");
        assert!(reply.envelope()["message"].as_str().expect("text").contains("one address"));
        let wait: u64 = told(&reply, "retry-after").parse().expect("seconds");
        assert!((1..=12).contains(&wait), "{wait}");
    }
    // Whoever watches over the server, runs the shop, or acts for many is served.
    for path in ["/health", "/ready"] {
        assert_eq!(guest.get(path).await.status, 200, "{path}");
    }
    for _ in 0..6 {
        shop.operator().await.get("/api/admin/products").await.data();
        let mut till = shop.client("till", Role::Service).await;
        let request = till.request(Method::GET, "/api/points/balance");
        till.send(request.header("X-On-Behalf-Of", "ann"), "").await.data();
    }
}
