//! Would catch a span that is missing, is in another trace, or tells what the log would not; a secret of
//! the collector that gets out; and a collector that is down and costs requests anything.
#![allow(clippy::disallowed_methods, reason = "the test writes a file")]

use hyper::Method;
use rustix::process::Signal;
use serde_json::json;
use stockhold::test_util::{SpanTold, decode_spans};
use tempfile::TempDir;

use crate::support::{Answer, Client, Hook, Process, Told, demo_token, stockhold};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const SECRET: &str = "collector-secret-1f2e";
/// A user who is called what the log does not show.
const USER: &str = "ann@mail.example";

fn spans(told: &[Told]) -> Vec<SpanTold> {
    let batches = told.iter().map(|it| decode_spans(&it.body).expect("a request of OTLP"));
    batches
        .flat_map(|(service, spans)| {
            assert_eq!(service, "mall-service");
            spans
        })
        .collect()
}

/// The one with this name, in a trace.
fn one<'a>(spans: &'a [SpanTold], trace: &str, name: &str) -> &'a SpanTold {
    let mut found = spans.iter().filter(|it| it.trace == trace && it.name == name);
    found.next().unwrap_or_else(|| panic!("no {name} in {spans:#?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_a_trace_with_its_steps_and_goes_on_elsewhere() {
    let dir = TempDir::new().expect("a directory");
    let (collector, service, till) = (Hook::open().await, Hook::open().await, Hook::open().await);
    // The first batch comes to a collector that is not well.
    collector.answers(|_| Answer::Status(503));
    service.answers(|_| Answer::Status(500));
    let headers = dir.path().join("headers");
    std::fs::write(&headers, format!("Authorization: Bearer {SECRET}\n")).expect("it is written");
    let data = dir.path().join("data");
    let mut command = stockhold(&["serve", "--demo", "--listen", "127.0.0.1:0", "--data-dir"]);
    command.arg(&data).arg("--otlp-headers-file").arg(&headers);
    command.args(["--otlp-endpoint", &format!("http://{}", collector.address)]);
    command.args(["--trace-sample", "1", "--log-level", "trace", "--log-requests", "all"]);
    command.args(["--points-service", &format!("http://{}", service.address)]);
    command.args(["--points-service-patience", "1s", "--points-service-pause", "200ms"]);
    command.args(["--webhook-private-hosts", "127.0.0.1"]);
    let server = Process::start(&mut command);
    let mut operator =
        Client::connect(server.address, Some(demo_token(&data, "ops", "operator"))).await;
    let receiver = json!({"receiverId": "till", "url": till.url(), "events": ["order.*"]});
    operator.post("/api/admin/webhooks", receiver).await.data();
    let mut user = Client::connect(server.address, Some(demo_token(&data, USER, "user"))).await;

    let order = json!({"productId": "prod_movie", "quantity": 1}).to_string();
    let traced = user.post_request("/api/mall/exchange");
    let traced = traced.header("traceparent", format!("00-{TRACE}-{PARENT}-01"));
    let reply = user.send(traced.header("tracestate", "shop=7"), order).await;
    assert_eq!(reply.status, 503, "the points cannot be had: {reply:?}");
    // One that its caller does not want to be seen.
    let unseen = user.request(Method::GET, "/api/mall/orders/x");
    let unseen =
        unseen.header("traceparent", format!("00-{}-{PARENT}-00", TRACE.replace('4', "5")));
    assert_eq!(user.send(unseen, "").await.status, 404);
    assert_eq!(user.get("/api/mall/orders").await.status, 200);

    collector.count(1).await;
    collector.answers(|_| Answer::Status(200));
    let told = till.count(1).await;
    let delivered = told[0].headers["traceparent"].to_str().expect("text").to_owned();
    let told = collector
        .until(|told| {
            let spans = spans(told);
            let has = |name: &str| spans.iter().any(|it| it.name == name);
            let is_delivered = spans.iter().any(|it| delivered.contains(&it.id));
            is_delivered && has("GET /api/mall/orders") && has("POST /api/mall/exchange")
        })
        .await;
    assert!(told.iter().all(|it| it.path == "/v1/traces"), "{told:?}");
    let bearer = format!("Bearer {SECRET}");
    assert!(told.iter().all(|it| it.headers["authorization"] == *bearer), "the header is there");
    let spans = spans(&told);

    let exchange = one(&spans, TRACE, "POST /api/mall/exchange");
    assert_eq!((&*exchange.parent, exchange.is_failed), (PARENT, true));
    let attribute = |name: &str| exchange.attributes.get(name).map(|it| it.as_str());
    assert_eq!(attribute("http.route"), Some("/api/mall/exchange"));
    assert_eq!(attribute("http.response.status_code"), Some("IntValue(503)"));
    assert_eq!(attribute("stockhold.code"), Some("POINTS_UNAVAILABLE"));
    assert_eq!(attribute("enduser.id"), Some("[email]"), "as the log shows it");
    for name in ["ledger.decide", "journal.wait", "points.take"] {
        assert_eq!(one(&spans, TRACE, name).parent, exchange.id, "{name} is a step of it");
    }
    let asked = service.told();
    let take = one(&spans, TRACE, "points.take");
    let passed_on = format!("00-{TRACE}-{}-01", take.id);
    assert!(take.is_failed, "{take:?}");
    assert!(asked.iter().any(|it| it.headers["traceparent"] == *passed_on), "{asked:?}");
    assert!(asked.iter().any(|it| it.headers.get("tracestate").is_some_and(|it| it == "shop=7")));
    let list = spans.iter().find(|it| it.name == "GET /api/mall/orders").expect("it was asked");
    assert!(list.parent.is_empty(), "a trace of its own: {list:?}");
    assert_eq!(one(&spans, &list.trace, "history.wait").parent, list.id);
    let delivery = spans.iter().find(|it| delivered.contains(&it.id)).expect("it is told");
    assert_eq!(delivery.name, "webhook.deliver");
    assert!(!spans.iter().any(|it| it.name == "GET /api/mall/orders/{orderId}"), "unseen");

    // What the collector has just answered may not be counted yet.
    let dropped = "stockhold_trace_spans_total{outcome=\"dropped\"} 0";
    loop {
        let metrics = operator.get("/metrics").await.body;
        let metrics = String::from_utf8_lossy(&metrics).into_owned();
        assert!(metrics.contains(dropped), "{metrics}");
        let sent = metrics.lines().find(|it| it.contains("spans_total{outcome=\"sent\"}"));
        if !sent.expect("it is told").ends_with(" 0") {
            break;
        }
    }
    server.signal(Signal::TERM);
    let (code, log) = server.wait();
    assert_eq!(code, 0, "{log}");
    assert_eq!(log.matches("the collector does not take spans").count(), 1, "said once: {log}");
    assert!(!log.contains(SECRET) && !log.contains(USER), "{log}");
}

/// The last spans are sent when the server stops, and one that is not there holds it up no longer than
/// a moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_sends_what_waits() {
    let (dir, collector) = (TempDir::new().expect("a directory"), Hook::open().await);
    let data = dir.path().to_str().expect("a path in UTF-8");
    let url = format!("http://{}/", collector.address);
    let args = ["--demo", "--data-dir", data, "--trace-sample", "1", "--otlp-endpoint", &url];
    let server = Process::serve(&args);
    let mut user =
        Client::connect(server.address, Some(demo_token(dir.path(), "ann", "user"))).await;
    assert_eq!(user.get("/api/mall/products").await.status, 200);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().0, 0);
    let told = collector.told();
    let shown = spans(&told);
    assert!(shown.iter().any(|it| it.name == "GET /api/mall/products"), "{shown:#?}");
}
