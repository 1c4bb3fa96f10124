//! Would catch a failure that is not told as RFC 9457 has it to whoever asks for that, or is to
//! whoever does not.

use hyper::Method;
use hyper::http::request::Builder;
use serde_json::{Value, json};

use crate::support::{Client, Reply, Shop};

const BOTH: &str = "application/json, application/problem+json";

async fn ask(client: &mut Client, request: Builder, accept: &str, body: &str) -> Reply {
    client.send(request.header("Accept", accept), body.to_owned()).await
}

/// What a problem says, but for its time.
#[track_caller]
fn problem(reply: &Reply) -> Value {
    assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{reply:?}");
    let mut problem = reply.json();
    assert_eq!(problem["status"], json!(reply.status), "{problem}");
    let id = problem.as_object_mut().and_then(|problem| problem.remove("requestId"));
    assert_eq!(id.as_ref().and_then(Value::as_str), reply.header("x-request-id"), "{problem}");
    let time = problem.as_object_mut().and_then(|problem| problem.remove("timestamp"));
    assert!(time.is_some_and(|time| time.is_u64()), "{problem}");
    problem
}

#[tokio::test]
async fn a_failure_is_a_problem_with_everything_that_the_envelope_has() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 1).await;
    let exchange = |client: &Client| client.post_request("/api/mall/exchange");
    let body = json!({"productId": "prod_movie", "quantity": 1}).to_string();
    let request = exchange(&ann);
    let short = problem(&ask(&mut ann, request, BOTH, &body).await);
    let required = short["data"]["required"].clone();
    assert_eq!(
        short,
        json!({
            "type": "urn:stockhold:problem:INSUFFICIENT_POINTS",
            "title": "积分不足",
            "status": 409,
            "success": false,
            "code": "INSUFFICIENT_POINTS",
            "message": "积分不足",
            "data": {"required": required, "available": 1, "nextReleaseAt": null},
        })
    );
    let request = exchange(&ann);
    let invalid = problem(&ask(&mut ann, request, BOTH, r#"{"quantity": 1}"#).await);
    let detail = invalid["detail"].as_str().expect("it says what is wrong");
    assert_eq!(invalid["message"], json!(format!("请求无效：{detail}")));
    assert_eq!((&invalid["title"], &invalid["data"]), (&json!("请求无效"), &Value::Null));
}

#[tokio::test]
async fn a_problem_has_the_headers_of_its_failure() {
    let shop = Shop::open().await;
    let mut guest = shop.guest().await;
    let request = guest.request(Method::GET, "/api/points/balance");
    let unknown = ask(&mut guest, request, BOTH, "").await;
    assert_eq!((problem(&unknown)["code"].clone(), unknown.status), (json!("UNAUTHORIZED"), 401));
    assert_eq!(unknown.header("www-authenticate"), Some("Bearer"));
    let request = guest.request(Method::DELETE, "/api/points/balance");
    let other = ask(&mut guest, request, BOTH, "").await;
    assert_eq!((problem(&other)["code"].clone(), other.status), (json!("METHOD_NOT_ALLOWED"), 405));
    assert_eq!(other.header("allow"), Some("GET, HEAD"));
}

#[tokio::test]
async fn only_failures_are_problems_and_only_where_they_are_asked_for() {
    let shop = Shop::open().await;
    let mut guest = shop.guest().await;
    for (accept, is_problem) in [
        (BOTH, true),
        ("application/problem+json, application/msgpack", true),
        ("Application/Problem+JSON;q=0.5, */*;q=0.9", true),
        ("application/json, application/problem+json;q=0.5", false),
        ("application/json, application/problem+json;q=0", false),
        ("application/json", false),
        ("application/*", false),
        ("*/*", false),
    ] {
        let request = guest.request(Method::GET, "/api/mall/products/nothing");
        let missing = ask(&mut guest, request, accept, "").await;
        assert_eq!(missing.status, 404, "{accept}");
        match is_problem {
            true => assert_eq!(problem(&missing)["code"], "PRODUCT_NOT_FOUND", "{accept}"),
            false => drop(missing.failure(404, "PRODUCT_NOT_FOUND")),
        }
    }
    let request = guest.request(Method::GET, "/api/mall/products/prod_movie");
    ask(&mut guest, request, BOTH, "").await.data();
}

/// What went well cannot be told as a problem. A client that names problems alone has said what its
/// failures are to come in; its requests are looked at, and what goes well comes in JSON.
#[tokio::test]
async fn who_names_problems_alone_is_served_and_hears_its_failures_as_problems() {
    const ALONE: &str = "application/problem+json";
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 5_000).await;
    let body = json!({"productId": "prod_movie", "quantity": 1}).to_string();
    for (count, status) in [(1, 200), (2, 409)] {
        let request = ann.post_request("/api/mall/exchange");
        let told = ask(&mut ann, request, ALONE, &body).await;
        assert_eq!(told.status, status, "{count}: {told:?}");
        match status {
            200 => {
                assert_eq!(told.header("content-type"), Some("application/json; charset=utf-8"));
                assert_eq!(told.data()["status"], 0);
            }
            _ => assert_eq!(problem(&told)["code"], "INSUFFICIENT_POINTS"),
        }
    }
    assert_eq!(ann.balance().await, 500, "one was bought");
    let request = ann.request(Method::GET, "/api/mall/nothing");
    assert_eq!(problem(&ask(&mut ann, request, ALONE, "").await)["code"], "NOT_FOUND");

    // Who says more of what it takes is held to it.
    for accept in ["application/problem+json, text/html", "application/problem+json, */*;q=0"] {
        let request = ann.post_request("/api/mall/exchange");
        let refused = ask(&mut ann, request, accept, &body).await;
        let told = (refused.status, problem(&refused)["code"].clone());
        assert_eq!(told, (406, json!("NOT_ACCEPTABLE")), "{accept}");
    }
}
