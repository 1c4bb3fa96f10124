//! Would catch numbers that whoever has no business with them can read, a name of somebody in a label,
//! a request that is counted for another route or outcome, and a format that Prometheus does not read.

use std::collections::BTreeMap;

use hyper::Method;
use serde_json::json;
use stockhold::http::Role;

use crate::pages::{Browser, between, text};
use crate::support::{Client, Reply, Shop};

/// What Prometheus 2 sends.
const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

async fn get(client: &mut Client, accept: &str) -> Reply {
    let request = client.request(Method::GET, "/metrics").header("Accept", accept);
    client.send(request, "").await
}

/// The values by their series.
async fn series(client: &mut Client) -> BTreeMap<String, f64> {
    let reply = get(client, "text/plain").await;
    assert_eq!(reply.status, 200);
    let text = String::from_utf8(reply.body.to_vec()).expect("UTF-8");
    let values = text.lines().filter(|line| !line.starts_with('#'));
    let value = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        (name.to_owned(), value.parse().expect("a number"))
    };
    values.map(value).collect()
}

#[tokio::test]
async fn whoever_watches_may_read_the_numbers_and_nothing_else() {
    let shop = Shop::open().await;
    let mut monitor = shop.client("prometheus", Role::Monitor).await;
    assert_eq!(get(&mut monitor, PROMETHEUS).await.status, 200);
    for path in ["/api/points/balance", "/api/admin/status", "/api/admin/orders", "/v1/accounts"] {
        monitor.get(path).await.failure(403, "FORBIDDEN");
    }
    for role in [Role::Operator, Role::Admin] {
        assert_eq!(get(&mut shop.client("ops", role).await, "*/*").await.status, 200);
    }
    for role in [Role::User, Role::Service] {
        let refused = get(&mut shop.client("ann", role).await, PROMETHEUS).await;
        refused.failure(403, "FORBIDDEN");
    }
    get(&mut shop.guest().await, "*/*").await.failure(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn each_format_comes_to_whoever_asks_for_it() {
    let shop = Shop::open().await;
    let mut monitor = shop.client("prometheus", Role::Monitor).await;
    let plain = "text/plain; version=0.0.4; charset=utf-8";
    let open = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    for (accept, expected) in [
        (PROMETHEUS, open),
        ("application/openmetrics-text", open),
        ("text/plain", plain),
        ("text/plain;version=0.0.4, application/openmetrics-text;q=0.5", plain),
        ("*/*", plain),
    ] {
        let told = get(&mut monitor, accept).await;
        assert_eq!((told.status, told.header("content-type")), (200, Some(expected)), "{accept}");
        let text = String::from_utf8(told.body.to_vec()).expect("UTF-8");
        assert_eq!(text.ends_with("# EOF\n"), expected == open, "{accept}");
        assert_eq!(told.header("vary"), Some("Accept"));
    }
    for accept in ["application/json", "text/html", "text/plain;q=0"] {
        assert_eq!(get(&mut monitor, accept).await.status, 406, "{accept}");
    }
    monitor.get("/metrics?name=x").await.failure(400, "INVALID_REQUEST");
}

#[tokio::test]
async fn what_is_exchanged_on_pages_is_counted_like_what_is_by_the_api() {
    let shop = Shop::open().await;
    let mut demo = Browser::of(&shop, "demo").await;
    let path = "/products/prod_kfc/exchange";
    let review = text(&demo.see(path).await);
    let key = between(&review, "name=\"key\" value=\"", "\"");
    assert_eq!(demo.send(path, &format!("key={key}&quantity=1")).await.status, 303);
    let short = demo.send("/products/prod_airpods/exchange", "key=a&quantity=9999").await;
    assert_eq!(short.status, 409);
    let mut api = shop.client("demo", Role::User).await;
    let wanted = json!({"productId": "prod_kfc", "quantity": 1});
    api.post("/api/mall/exchange", wanted).await.data();
    let mut monitor = shop.client("prometheus", Role::Monitor).await;
    let seen = series(&mut monitor).await;
    let outcome = |name: &str| seen[&format!("stockhold_exchanges_total{{outcome=\"{name}\"}}")];
    assert_eq!((outcome("SUCCESS"), outcome("INSUFFICIENT_POINTS")), (2.0, 1.0));
    let mut olga = Browser::signed_in(&shop, "olga", Role::Operator, "/").await;
    let board = text(&olga.see("/console").await);
    for row in ["SUCCESS</th><td>2</td>", "INSUFFICIENT_POINTS</th><td>1</td>"] {
        assert!(board.contains(row), "{board}");
    }
}

#[tokio::test]
async fn a_sale_is_in_the_numbers_and_nobody_is_named() {
    let shop = Shop::open().await;
    let mut ann = shop.client("ann-of-the-hill", Role::User).await;
    let mut operator = shop.client("ops", Role::Operator).await;
    let body = json!({"points": 4_500});
    operator.post("/api/admin/points/ann-of-the-hill/award", body).await.data();
    let wanted = json!({"productId": "prod_movie", "quantity": 1});
    let order = ann.post("/api/mall/exchange", wanted.clone()).await.data();
    let order = order["orderId"].as_str().expect("an id").to_owned();
    ann.post("/api/mall/exchange", wanted).await.failure(409, "INSUFFICIENT_POINTS");
    ann.get(&format!("/api/mall/orders/{order}")).await.data();
    ann.get("/wp-login.php?ann-of-the-hill").await.failure(404, "NOT_FOUND");
    let mut monitor = shop.client("prometheus", Role::Monitor).await;
    let seen = series(&mut monitor).await;
    for (name, value) in [
        (r#"stockhold_exchanges_total{outcome="SUCCESS"}"#, 1.0),
        (r#"stockhold_exchanges_total{outcome="INSUFFICIENT_POINTS"}"#, 1.0),
        (
            r#"stockhold_http_requests_total{method="POST",route="/api/mall/exchange",code="200"}"#,
            1.0,
        ),
        (
            r#"stockhold_http_requests_total{method="POST",route="/api/mall/exchange",code="409"}"#,
            1.0,
        ),
        (
            r#"stockhold_http_requests_total{method="GET",route="/api/mall/orders/{orderId}",code="200"}"#,
            1.0,
        ),
        (r#"stockhold_http_requests_total{method="other",route="other",code="404"}"#, 1.0),
        (
            r#"stockhold_http_request_duration_seconds_count{method="POST",route="/api/mall/exchange"}"#,
            2.0,
        ),
        (r#"stockhold_http_failures_total{error="INSUFFICIENT_POINTS"}"#, 1.0),
        // The one that asks.
        ("stockhold_http_requests_in_flight", 1.0),
        ("stockhold_active_users", 1.0),
        ("stockhold_pending_reservations", 1.0),
        (r#"stockhold_commands_total{command="reserve",outcome="done"}"#, 1.0),
        ("stockhold_books_unbalanced_total", 0.0),
        ("stockhold_ready", 1.0),
        ("stockhold_sync_age_seconds", f64::NAN),
        ("stockhold_mirror_lag_seconds", f64::NAN),
    ] {
        match value.is_nan() {
            true => assert_eq!(seen.get(name), None, "{name}"),
            false => assert_eq!(seen.get(name), Some(&value), "{name}"),
        }
    }
    assert!(seen["stockhold_journal_sync_duration_seconds_count"] > 0.0, "groups are timed");
    let named: Vec<&String> = seen.keys().filter(|name| name.contains("hill")).collect();
    assert!(named.is_empty() && !seen.keys().any(|name| name.contains(&order)), "{named:?}");
}
