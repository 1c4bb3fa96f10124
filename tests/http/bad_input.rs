//! Would catch a malformed request that crashes the server, is taken for a good one, changes
//! something, or is answered without a code that tells what was wrong.

use hmac::{Hmac, Mac};
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};
use stockhold::http::Role;

use crate::support::{Client, NOW_MS, SECRET, Shop, raw, token};

const EXCHANGE: &str = "/api/mall/exchange";
const BODY_BYTES_MAX: usize = 64 * 1024;
/// By how much clocks may differ.
const LEEWAY_S: u64 = 5;

/// Sends each body, and sees that it gets this answer and changes nothing.
async fn check_bodies(content_type: &str, status: u16, code: &str, bodies: Vec<Vec<u8>>) {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 1 << 40).await;
    let before = shop.state();
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        for keyed in [false, true] {
            let mut request =
                ann.request(Method::POST, EXCHANGE).header(CONTENT_TYPE, content_type);
            if keyed {
                request = request.header("Idempotency-Key", "k");
            }
            let answer = ann.send(request, body.clone()).await;
            let envelope = answer.envelope();
            assert_eq!(
                (answer.status, envelope["code"].as_str()),
                (status, Some(code)),
                "{shown}: {envelope}"
            );
            assert_eq!(
                (&envelope["success"], &envelope["data"]),
                (&json!(false), &Value::Null),
                "{shown}: {envelope}"
            );
        }
    }
    assert_eq!(shop.state(), before);
    assert_eq!((ann.balance().await, ann.stock("prod_movie").await), (1 << 40, 2000));
    let good = json!({"productId": "prod_movie", "quantity": 1});
    ann.post_keyed(EXCHANGE, "k", good).await.data();
}

#[tokio::test]
async fn json_that_is_no_exchange_is_refused() {
    let deep = format!(
        r#"{{"productId":"prod_movie","quantity":1,"deliveryInfo":{}1{}}}"#,
        "{\"a\":".repeat(17),
        "}".repeat(17)
    );
    let deeper = format!(
        r#"{{"productId":"prod_movie","quantity":1,"deliveryInfo":{{"a":{}"#,
        "[".repeat(60_000)
    );
    let long = format!(
        r#"{{"productId":"prod_movie","quantity":1,"deliveryInfo":{{"a":"{}"}}}}"#,
        "x".repeat(17_000)
    );
    let with = |quantity: &str| format!(r#"{{"productId":"prod_movie","quantity":{quantity}}}"#);
    let mut bodies: Vec<Vec<u8>> = [
        "",
        " ",
        "null",
        "1",
        "\"x\"",
        "[]",
        r#"["prod_movie",1]"#,
        "{",
        "{}",
        "}",
        r#"{"productId":"prod_movie"}"#,
        r#"{"quantity":1}"#,
        r#"{"productId":"prod_movie","quantity":1"#,
        r#"{"productId":"prod_movie","quantity":1,}"#,
        r#"{"productId":"prod_movie","quantity":1}}"#,
        r#"{"productId":"prod_movie","quantity":1}{"productId":"prod_movie","quantity":1}"#,
        r#"{'productId':'prod_movie','quantity':1}"#,
        r#"{"productId":"prod_movie","quantity":1} // one"#,
        r#"{"productId":null,"quantity":1}"#,
        r#"{"productId":1,"quantity":1}"#,
        r#"{"productId":["prod_movie"],"quantity":1}"#,
        r#"{"productId":"prod_movie","productId":"prod_kfc","quantity":1}"#,
        r#"{"productId":"prod_movie","quantity":1,"quantity":1}"#,
        r#"{"productId":"prod_movie","quantity":1,"price":0}"#,
        r#"{"product_id":"prod_movie","quantity":1}"#,
        r#"{"productId":"prod_movie","quantity":1,"confirm":1}"#,
        r#"{"productId":"prod_movie","quantity":1,"confirm":"true"}"#,
        r#"{"productId":"prod_movie","quantity":1,"deliveryInfo":[]}"#,
        r#"{"productId":"prod_movie","quantity":1,"deliveryInfo":"x"}"#,
        r#"{"productId":"prod_movie","quantity":1,"deliveryInfo":{"a":1e999}}"#,
        r#"{"productId":"prod_movie","quantity":1,"deliveryInfo":{"a":0.10000000000000001}}"#,
        r#"{"productId":"prod_movie","quantity":1,"deliveryInfo":{"a":123456789012345678901}}"#,
        r#"{"productId":"prod_movie","quantity":1,"deliveryInfo":{"a":1,"a":1}}"#,
        r#"{"productId":"prod_movie","quantity":1,"deliveryInfo":{"b":[{"a":1,"a":2}]}}"#,
        r#"{"productId":"\ud800","quantity":1}"#,
        "\u{feff}{\"productId\":\"prod_movie\",\"quantity\":1}",
        &deep,
        &deeper,
        &long,
    ]
    .map(Vec::from)
    .into();
    bodies.extend(
        [
            "0",
            "-0",
            "-1",
            "-9223372036854775808",
            "1.5",
            "1e-1",
            "1.0000000000000000001",
            "1e400",
            "10001",
            "281474976710657",
        ]
        .iter()
        .chain(&[
            "9223372036854775808",
            "18446744073709551616",
            "1".repeat(400).as_str(),
            "01",
            "+1",
            "0x1",
            "NaN",
        ])
        .chain(&["\"1\"", "true", "null", "[1]", "{}", "١"])
        .map(|quantity| with(quantity).into_bytes()),
    );
    // Not UTF-8: in a string, in a name, and UTF-16.
    bodies.push(b"{\"productId\":\"prod_movie\xff\",\"quantity\":1}".to_vec());
    bodies.push(b"{\"productId\xff\":\"prod_movie\",\"quantity\":1}".to_vec());
    bodies.push(
        b"{\"productId\":\"prod_movie\",\"quantity\":1,\"deliveryInfo\":{\"a\":\"\xc0\x80\"}}"
            .to_vec(),
    );
    bodies.push(with("1").encode_utf16().flat_map(u16::to_le_bytes).collect());
    check_bodies("application/json", 400, "INVALID_REQUEST", bodies).await;
}

#[tokio::test]
async fn messagepack_that_is_no_exchange_is_refused() {
    let pack = |value: &Value| rmp_serde::to_vec_named(value).expect("it can be packed");
    let good = pack(&json!({"productId": "prod_movie", "quantity": 1}));
    let mut bodies: Vec<Vec<u8>> = [
        json!(null),
        json!(["prod_movie", 1]),
        json!({}),
        json!({"productId": "prod_movie", "quantity": -1}),
        json!({"productId": "prod_movie", "quantity": 0}),
        json!({"productId": "prod_movie", "quantity": u64::MAX}),
        json!({"productId": "prod_movie", "quantity": "1"}),
        json!({"productId": 7, "quantity": 1}),
        json!({"productId": "prod_movie", "quantity": 1, "price": 0}),
        json!({"productId": "prod_movie", "quantity": 1, "confirm": 1}),
        json!({"productId": "prod_movie", "quantity": 1, "deliveryInfo": [1]}),
    ]
    .iter()
    .map(pack)
    .collect();
    // Cut short at every byte, followed by another, and lengths that promise more than is there.
    bodies.extend((0..good.len()).map(|length| good[..length].to_vec()));
    bodies.push([&good[..], &[0xc0]].concat());
    bodies.push(vec![0xdf, 0xff, 0xff, 0xff, 0xff]);
    bodies.push(vec![0x82, 0xdb, 0xff, 0xff, 0xff, 0xff]);
    bodies.push(vec![0x80; BODY_BYTES_MAX]);
    bodies.push(vec![0x81; BODY_BYTES_MAX]);
    // Nested as deep as the body is long, where any value may be.
    let nested = pack(&json!({"productId": "prod_movie", "quantity": 1, "deliveryInfo": {}}));
    for opening in [&[0x91][..], &[0x81, 0xa1, b'a']] {
        let (head, _) = nested.split_at(nested.len() - 1);
        let mut deep = [head, &[0x81, 0xa1, b'a']].concat();
        while deep.len() + opening.len() <= BODY_BYTES_MAX {
            deep.extend_from_slice(opening);
        }
        bodies.push(deep);
    }
    // Fields named by their places, texts that are bytes, a doubled name, and values that JSON has
    // no word for.
    bodies.push([&[0x82, 0x00, 0xaa], &b"prod_movie"[..], &[0x01, 0x01]].concat());
    bodies.push(
        [&[0x82, 0xa9], &b"productId"[..], &[0xc4, 10], b"prod_movie", &[0xa8], b"quantity", &[1]]
            .concat(),
    );
    bodies.push(
        [&[0x82, 0xc4, 9], &b"productId"[..], &[0xaa], b"prod_movie", &[0xa8], b"quantity", &[1]]
            .concat(),
    );
    bodies.push([&[0x83][..], &good[1..], &[0xa8], b"quantity", &[1]].concat());
    for value in
        [&[0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0][..], &[0xd6, 0xff, 0, 0, 0, 0], &[0xc4, 1, 0]]
    {
        bodies.push(
            [&[0x83][..], &good[1..], &[0xac], b"deliveryInfo", &[0x81, 0xa1, b'a'], value]
                .concat(),
        );
    }
    // Text that is not UTF-8.
    bodies.push(
        [&[0x82, 0xa9], &b"productId"[..], &[0xa2, 0xff, 0xfe, 0xa8], b"quantity", &[1]].concat(),
    );
    check_bodies("application/msgpack", 400, "INVALID_REQUEST", bodies).await;
}

/// Buys as `body` says, and returns what the order keeps of it.
async fn bought(client: &mut Client, content_type: &str, body: Vec<u8>) -> Value {
    let request = client.request(Method::POST, EXCHANGE).header(CONTENT_TYPE, content_type);
    let order = client.send(request, body).await.data();
    client
        .get(&format!("/api/mall/orders/{}", order["orderId"].as_str().expect("an id")))
        .await
        .data()
}

#[tokio::test]
async fn what_is_kept_for_others_comes_back_as_it_was_sent() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 1 << 40).await;
    let info = r#"{"lat":117.63331139400017,"lon":[-0.1,1e-7,2.5,4.35],"n":18446744073709551615,"o":{"a":null,"b":"\u0001"}}"#;
    let json = format!(r#"{{"productId":"prod_movie","quantity":1,"deliveryInfo":{info}}}"#);
    let packed = rmp_serde::to_vec_named(&serde_json::from_str::<Value>(&json).expect("JSON"))
        .expect("it can be packed");
    for (content_type, body) in
        [("application/json", json.into_bytes()), ("application/msgpack", packed)]
    {
        let order = bought(&mut ann, content_type, body).await;
        assert_eq!(order["deliveryInfo"].to_string(), info, "{content_type}");
    }
}

#[tokio::test]
async fn whole_numbers_and_what_is_absent_may_be_written_as_libraries_write_them() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 1 << 40).await;
    let head =
        [&[0x84, 0xa9], &b"productId"[..], &[0xaa], b"prod_movie", &[0xa8], b"quantity"].concat();
    let tail = [&[0xa7], &b"confirm"[..], &[0xd4, 0, 0, 0xac], b"deliveryInfo", &[0xc0]].concat();
    // A binary64 of 2, and what msgpackr makes of `undefined`.
    let packed = [&head[..], &[0xcb, 0x40, 0, 0, 0, 0, 0, 0, 0], &tail].concat();
    let json = r#"{"productId":"prod_movie","quantity":2.0,"confirm":null,"deliveryInfo":null}"#;
    for (content_type, body) in [("application/json", json.into()), ("application/msgpack", packed)]
    {
        let order = bought(&mut ann, content_type, body).await;
        assert_eq!(
            (&order["quantity"], &order["status"]),
            (&json!(2), &json!(0)),
            "{content_type}"
        );
        assert_eq!(order["deliveryInfo"], Value::Null, "{content_type}");
    }
    let mut admin = shop.admin().await;
    let award = r#"{"points":4.37e2,"reason":null}"#;
    let awarded = admin.send(admin.post_request("/api/admin/points/bob/award"), award).await.data();
    assert_eq!(awarded["balance"], 437);
}

#[tokio::test]
async fn headers_that_two_readers_could_read_differently_are_refused() {
    let shop = Shop::open().await;
    let bearer = format!("Authorization: Bearer {}\r\n", token("demo", Role::User));
    let end = "Connection: close\r\n\r\n";
    for (head, answer) in [
        (format!("GET /api/points/balance HTTP/1.1\r\nHost: mall\r\n{bearer}{end}"), "200"),
        (format!("GET /api/points/balance HTTP/1.1\r\nHost: mall\r\n{bearer}{bearer}{end}"), "400"),
        (
            format!(
                "GET /api/points/balance HTTP/1.1\r\nHost: mall\r\nHost: mall\r\n{bearer}{end}"
            ),
            "400",
        ),
        (format!("GET /api/points/balance HTTP/1.1\r\n{bearer}{end}"), "400"),
        (format!("GET /api/points/balance HTTP/1.0\r\n{bearer}{end}"), "200"),
    ] {
        let answered = raw(shop.address, head.as_bytes()).await;
        assert!(answered.contains(&format!(" {answer} ")), "{head}: {answered}");
    }
    let body = r#"{"productId":"prod_movie","quantity":1}"#;
    for (encoding, status) in
        [("identity", 200), ("Identity", 200), ("gzip", 415), ("identity, gzip", 415)]
    {
        let mut ann = shop.user("demo").await;
        let answered =
            ann.send(ann.post_request(EXCHANGE).header("Content-Encoding", encoding), body).await;
        assert_eq!(answered.status, status, "{encoding}");
    }
}

#[tokio::test]
async fn a_body_has_a_largest_size() {
    let shop = Shop::open().await;
    let mut ann = shop.user_with("ann", 1 << 40).await;
    let before = shop.state();
    let padded = |bytes: usize| {
        let body = r#"{"productId":"prod_movie","quantity":1}"#;
        format!("{body}{}", " ".repeat(bytes - body.len()))
    };
    ann.send(ann.post_request(EXCHANGE), padded(BODY_BYTES_MAX + 1))
        .await
        .failure(413, "PAYLOAD_TOO_LARGE");
    ann.send(ann.post_request(EXCHANGE), vec![b'{'; 1 << 20])
        .await
        .failure(413, "PAYLOAD_TOO_LARGE");

    let head = format!(
        "POST {EXCHANGE} HTTP/1.1\r\nHost: mall\r\nAuthorization: Bearer {}\r\n",
        token("ann", Role::User)
    );
    // Nobody waits for a body that is announced as too large.
    let announced =
        raw(shop.address, format!("{head}Content-Length: {}\r\n\r\n", i64::MAX).as_bytes()).await;
    assert!(
        announced.starts_with("HTTP/1.1 413 ") && announced.contains("PAYLOAD_TOO_LARGE"),
        "{announced}"
    );
    assert!(announced.contains("connection: close\r\n"), "{announced}");
    // In chunks nothing is announced.
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000)).repeat(BODY_BYTES_MAX / 0x1000 + 1);
    let chunked = raw(
        shop.address,
        format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n").as_bytes(),
    )
    .await;
    assert!(
        chunked.starts_with("HTTP/1.1 413 ") && chunked.contains("PAYLOAD_TOO_LARGE"),
        "{chunked}"
    );
    assert_eq!(shop.state(), before);
    ann.send(ann.post_request(EXCHANGE), padded(BODY_BYTES_MAX)).await.data();
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_the_server_goes_on() {
    let shop = Shop::open().await;
    let bearer = token("demo", Role::User);
    let head =
        format!("POST {EXCHANGE} HTTP/1.1\r\nHost: mall\r\nAuthorization: Bearer {bearer}\r\n");
    let body = r#"{"productId":"prod_movie","quantity":1}"#;
    let before = shop.state();
    for (request, answer) in [
        ("GARBAGE\r\n\r\n".to_owned(), "400"),
        ("\x16\x03\x01\x02\x00\x01\x00".into(), "400"),
        ("GET /health\r\n\r\n".into(), "400"),
        ("GET /health HTTP/9.9\r\n\r\n".into(), "400"),
        ("GET /he alth HTTP/1.1\r\nHost: mall\r\n\r\n".into(), "400"),
        (format!("GET /{} HTTP/1.1\r\nHost: mall\r\n\r\n", "a".repeat(100_000)), "431"),
        (
            format!("GET /health HTTP/1.1\r\nHost: mall\r\nX: {}\r\n\r\n", "a".repeat(100_000)),
            "431",
        ),
        (format!("GET /health HTTP/1.1\r\nHost: mall\r\n{}\r\n", "a: b\r\n".repeat(200)), "431"),
        (format!("{head}Content-Length: -1\r\n\r\n{body}"), "400"),
        (format!("{head}Content-Length: 1, 2\r\n\r\n{body}"), "400"),
        (format!("{head}Content-Length: 39\r\nContent-Length: 40\r\n\r\n{body}"), "400"),
        (format!("{head}Transfer-Encoding: gzip\r\n\r\n{body}"), "400"),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\nxyz\r\n{body}\r\n"), "400"),
        (format!("{head}Connection: close\r\nContent-Length: 20\r\n\r\n{body}"), "400"),
        // HTTP/2 without a negotiation: the connection is closed.
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), ""),
    ] {
        let got = raw(shop.address, request.as_bytes()).await;
        let status = got.strip_prefix("HTTP/1.1 ").map_or("", |rest| &rest[..3]);
        assert_eq!(status, answer, "{:.60}: {got}", request);
    }
    assert_eq!(shop.state(), before);
    let mut demo = shop.user("demo").await;
    demo.send(demo.post_request(EXCHANGE), body).await.data();
}

/// A token with this header and these claims, signed with HMAC over `secret`.
fn forge<M: Mac + hmac::digest::KeyInit>(header: &Value, claims: &Value, secret: &str) -> String {
    let signed = format!(
        "{}.{}",
        base64url(header.to_string().as_bytes()),
        base64url(claims.to_string().as_bytes())
    );
    let mut mac = <M as Mac>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", base64url(&mac.finalize().into_bytes()))
}

fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        text.extend(
            (0..=chunk.len()).map(|at| char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63])),
        );
    }
    text
}

#[tokio::test]
async fn tokens_that_are_not_ours_are_refused() {
    let shop = Shop::open().await;
    let hs256 = json!({"alg": "HS256", "typ": "JWT"});
    let soon = NOW_MS / 1000 + 60;
    let good = json!({"sub": "demo", "exp": soon});
    let ours = |claims: Value| forge::<Hmac<Sha256>>(&hs256, &claims, SECRET);
    let signed = ours(good.clone());
    let [head, claims, signature] = signed.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    let admin =
        base64url(json!({"sub": "demo", "exp": soon, "role": "admin"}).to_string().as_bytes());
    let none = base64url(br#"{"alg":"none","typ":"JWT"}"#);
    let mut flipped = signature.to_owned();
    flipped.replace_range(..1, if signature.starts_with('A') { "B" } else { "A" });
    let wrong: Vec<(&str, String)> = vec![
        (
            "another secret",
            forge::<Hmac<Sha256>>(&hs256, &good, "another secret of thirty-two bytes"),
        ),
        ("no algorithm", format!("{none}.{claims}.")),
        ("no algorithm, with our signature", format!("{none}.{claims}.{signature}")),
        ("no algorithm in capitals", format!("{}.{claims}.", base64url(br#"{"alg":"NONE"}"#))),
        ("HS384", forge::<Hmac<Sha384>>(&json!({"alg": "HS384"}), &good, SECRET)),
        ("HS512", forge::<Hmac<Sha512>>(&json!({"alg": "HS512"}), &good, SECRET)),
        ("RS256 with our secret", forge::<Hmac<Sha256>>(&json!({"alg": "RS256"}), &good, SECRET)),
        (
            "an algorithm nobody knows",
            forge::<Hmac<Sha256>>(&json!({"alg": "HS257"}), &good, SECRET),
        ),
        ("no name of an algorithm", forge::<Hmac<Sha256>>(&json!({"typ": "JWT"}), &good, SECRET)),
        (
            "a demand that we do not know",
            forge::<Hmac<Sha256>>(&json!({"alg": "HS256", "crit": ["b64"]}), &good, SECRET),
        ),
        ("expired", ours(json!({"sub": "demo", "exp": NOW_MS / 1000 - LEEWAY_S}))),
        ("long expired", ours(json!({"sub": "demo", "exp": 0}))),
        ("not valid yet", ours(json!({"sub": "demo", "exp": soon, "nbf": soon}))),
        ("no end", ours(json!({"sub": "demo"}))),
        ("an end that is no number", ours(json!({"sub": "demo", "exp": "9999999999"}))),
        ("an end before 1970", ours(json!({"sub": "demo", "exp": -1}))),
        ("no user", ours(json!({"exp": soon}))),
        ("an empty user", ours(json!({"sub": "", "exp": soon}))),
        ("a user that is a number", ours(json!({"sub": 1, "exp": soon}))),
        ("a user with a slash", ours(json!({"sub": "a/b", "exp": soon}))),
        ("a user that is too long", ours(json!({"sub": "x".repeat(65), "exp": soon}))),
        ("a role nobody has", ours(json!({"sub": "demo", "exp": soon, "role": "root"}))),
        ("a role that is no text", ours(json!({"sub": "demo", "exp": soon, "role": ["admin"]}))),
        ("claims that are a list", ours(json!(["demo", soon]))),
        ("another's claims", format!("{head}.{admin}.{signature}")),
        ("a broken signature", format!("{head}.{claims}.{flipped}")),
        ("a short signature", format!("{head}.{claims}.{}", &signature[..20])),
        ("no signature", format!("{head}.{claims}.")),
        ("two parts", format!("{head}.{claims}")),
        ("four parts", format!("{signed}.x")),
        ("no base64", "a!.b!.c!".into()),
        ("padding", format!("{head}==.{claims}.{signature}")),
        ("a long one", format!("{head}.{}.{signature}", "A".repeat(20_000))),
        ("nothing", String::new()),
    ];
    let before = shop.state();
    let body = json!({"productId": "prod_movie", "quantity": 1}).to_string();
    for (name, token) in wrong {
        let mut client = Client::connect(shop.address, Some(token)).await;
        for request in
            [client.post_request(EXCHANGE), client.request(Method::GET, "/api/points/balance")]
        {
            let refused = client.send(request, body.clone()).await;
            assert_eq!(refused.status, 401, "{name}: {refused:?}");
            refused.failure(401, "UNAUTHORIZED");
        }
        client.get("/api/admin/inventory/prod_movie").await.failure(401, "UNAUTHORIZED");
    }
    let mut guest = shop.guest().await;
    for value in [
        format!("Basic {signed}"),
        signed.clone(),
        format!("Bearer{signed}"),
        format!("Bearer {signed} x"),
    ] {
        let request =
            guest.request(Method::GET, "/api/points/balance").header(AUTHORIZATION, value);
        guest.send(request, Bytes::new()).await.failure(401, "UNAUTHORIZED");
    }
    assert_eq!(shop.state(), before);
    // The forger forges well, and the scheme is read in any case.
    for value in
        [format!("Bearer {signed}"), format!("bearer {signed}"), format!("BEARER  {signed}")]
    {
        let request =
            guest.request(Method::GET, "/api/points/balance").header(AUTHORIZATION, value);
        guest.send(request, Bytes::new()).await.data();
    }
    // A token ends while it is in use.
    let mut demo = Client::connect(shop.address, Some(signed)).await;
    demo.get("/api/points/balance").await.data();
    shop.clock.advance(60_000 + LEEWAY_S * 1000);
    demo.get("/api/points/balance").await.failure(401, "UNAUTHORIZED");
}
