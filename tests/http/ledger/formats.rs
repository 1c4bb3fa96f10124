//! Would catch MessagePack that says something else than JSON, in a request or in an answer.

use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};

use super::{of, open, service};
use crate::support::{Client, Shop};

const MESSAGE_PACK: &str = "application/msgpack";

/// Asks in one format and wants the answer in one: the status, and the answer without its time.
async fn ask(
    client: &mut Client,
    formats: [&str; 2],
    method: Method,
    path: &str,
    body: &Value,
) -> (u16, Value) {
    let [sent, wanted] = formats;
    let bytes = match sent {
        MESSAGE_PACK => rmp_serde::to_vec_named(body).expect("it can be packed"),
        _ => body.to_string().into_bytes(),
    };
    let request = client.request(method, path).header(CONTENT_TYPE, sent).header(ACCEPT, wanted);
    let reply = client.send(request, bytes).await;
    let mut answer: Value = match wanted {
        MESSAGE_PACK => rmp_serde::from_slice(&reply.body).expect("it is MessagePack"),
        _ => reply.json(),
    };
    answer["timestamp"].take();
    (reply.status, answer)
}

#[tokio::test]
async fn both_formats_say_the_same() {
    let mut told = Vec::new();
    for formats in [["application/json"; 2], [MESSAGE_PACK; 2], ["application/json", MESSAGE_PACK]]
    {
        let shop = Shop::open().await;
        let mut office = service(&shop).await;
        open(&mut office, "seat/2", 0).await;
        let reserve = json!({"lines": [{"account": "seat/1", "quantity": 2}], "ttlMs": 60_000.0, "details": "两张"});
        let mut answers = Vec::new();
        for (path, body) in [
            (
                "/v1/accounts",
                json!({"key": "seat/1", "policy": {"window": {"rolling": {"lengthMs": 5}}, "limit": 7}}),
            ),
            ("/v1/accounts", json!({"key": "seat/1"})),
            (&*of("seat/1", "/receive"), json!({"quantity": 3})),
            (&of("seat/2", "/receive"), json!({"quantity": 9, "note": "到货"})),
            (&of("seat/2", "/adjust"), json!({"delta": -1})),
            (&of("seat/2", "/count"), json!({"counted": 4})),
            (&of("seat/2", "/write-off"), json!({"quantity": 5})),
            (&of("seat/2", "/transfer"), json!({"to": "seat/3", "quantity": 1})),
            ("/v1/reservations", reserve),
            ("/v1/reservations", json!({"lines": [{"account": "seat/1"}]})),
        ] {
            answers.push(ask(&mut office, formats, Method::POST, path, &body).await);
        }
        let number = answers[8].1["data"]["reservation"].as_str().expect("a text").to_owned();
        for (act, body) in [
            ("extend", json!({"ttlMs": 90_000})),
            ("confirm", json!({"quantities": [1.0]})),
            ("confirm", json!({})),
            ("refund", json!({"lines": [{"account": "seat/1", "quantity": 1}]})),
            ("release", json!({})),
        ] {
            let path = format!("/v1/reservations/{number}/{act}");
            answers.push(ask(&mut office, formats, Method::POST, &path, &body).await);
        }
        for path in [
            format!("/v1/reservations/{number}"),
            of("seat/1", ""),
            "/v1/accounts?prefix=seat".to_owned(),
        ] {
            answers.push(ask(&mut office, formats, Method::GET, &path, &json!({})).await);
        }
        told.push(answers);
    }
    // The messages of what is no request are those of two readers.
    for answers in &mut told {
        for (status, answer) in answers.iter_mut() {
            if *status == 400 {
                answer["message"].take();
            }
        }
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], told[2]);
    let statuses: Vec<u16> = told[0].iter().map(|(status, _)| *status).collect();
    let expected =
        [200, 409, 200, 200, 200, 200, 409, 404, 200, 400, 200, 200, 409, 200, 409, 200, 200, 200];
    assert_eq!(statuses, expected);
}
