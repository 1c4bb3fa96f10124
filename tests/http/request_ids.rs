//! Would catch an answer that does not say what its request is called, a name that is taken though it
//! is none, and two requests with one name.

use std::collections::BTreeSet;

use hyper::Method;
use serde_json::json;

use crate::support::{Client, Shop, raw};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// What the answer to a request with these headers is called.
async fn called(client: &mut Client, headers: &[(&str, &str)]) -> String {
    let mut request = client.request(Method::GET, "/api/mall/products");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let reply = client.send(request, "").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers.get_all("x-request-id").iter().count(), 1);
    reply.header("x-request-id").expect("every answer has one").to_owned()
}

#[tokio::test]
async fn a_request_keeps_its_name_and_gets_one_otherwise() {
    let shop = Shop::open().await;
    let mut guest = shop.guest().await;
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    assert_eq!(called(&mut guest, &[("X-Request-Id", "order-7.a")]).await, "order-7.a");
    assert_eq!(called(&mut guest, &[("traceparent", &*parent)]).await, TRACE);
    let both = [("traceparent", &*parent), ("X-Request-Id", "order-7.a")];
    assert_eq!(called(&mut guest, &both).await, "order-7.a");
    let upper = parent.to_uppercase();
    let mut made = BTreeSet::new();
    for headers in [
        &[][..],
        &[("X-Request-Id", "a b")],
        &[("X-Request-Id", "<script>")],
        &[("traceparent", &*upper)],
        &[("X-Request-Id", "7"), ("X-Request-Id", "8")],
    ] {
        let id = called(&mut guest, headers).await;
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert!(made.insert(id), "no two requests have one name");
    }
}

#[tokio::test]
async fn whatever_is_answered_says_its_name() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 1).await;
    let exchange = json!({"productId": "prod_movie", "quantity": 1}).to_string();
    for (method, path, body, status) in [
        (Method::POST, "/api/mall/exchange", &*exchange, 409),
        (Method::POST, "/api/mall/exchange", "{", 400),
        (Method::GET, "/nowhere", "", 404),
        (Method::DELETE, "/api/mall/exchange", "", 405),
        (Method::GET, "/health", "", 200),
        (Method::HEAD, "/api/mall/products", "", 200),
    ] {
        let request = ann.request(method, path).header("X-Request-Id", "seven");
        let request = request.header("Content-Type", "application/json");
        let reply = ann.send(request, body.to_owned()).await;
        assert_eq!((reply.status, reply.header("x-request-id")), (status, Some("seven")), "{path}");
    }
    // Without a host it finds no route.
    let refused =
        raw(shop.address, b"GET / HTTP/1.1\r\nX-Request-Id: seven\r\nConnection: close\r\n\r\n");
    let refused = refused.await;
    assert!(
        refused.starts_with("HTTP/1.1 400") && refused.contains("x-request-id: seven"),
        "{refused}"
    );
}
