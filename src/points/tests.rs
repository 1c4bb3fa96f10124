//! What an answer is taken for, and what is never shown.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, server::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::{Client, ServiceConfig};
use crate::mall::elsewhere::{PointsService, Take, TakeState, Trouble};

const TAKEN: &str =
    r#"{"key":"o-1","userId":"ann","state":"taken","taken":5,"returned":0,"more":[]}"#;

/// Answers one request so, and says what it was.
async fn once(status: u16, body: &'static str) -> (Client, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let asked = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let service = service_fn(move |request: Request<Incoming>| {
            let told = told.clone();
            async move {
                let (head, sent) = request.into_parts();
                let sent = sent.collect().await?.to_bytes();
                let bearer = head.headers.get("authorization").cloned();
                let bearer =
                    bearer.map_or(String::new(), |it| it.to_str().unwrap_or_default().to_owned());
                let sent = String::from_utf8_lossy(&sent).into_owned();
                drop(told.send(format!("{} {} {bearer} {sent}", head.method, head.uri)));
                let answer = Response::builder().status(status);
                Ok::<_, hyper::Error>(answer.body(Full::new(Bytes::from(body))).expect("valid"))
            }
        });
        drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        heard.recv().await.unwrap_or_default()
    });
    let config = ServiceConfig {
        url: format!("http://127.0.0.1:{port}/v1/"),
        secret: Some("hush".to_owned().into()),
        timeout: Duration::from_secs(20),
    };
    (Client::new(&config).expect("it can be called"), asked)
}

fn take() -> Take {
    Take { key: "o-1".into(), user_id: "ann".into(), points: 5 }
}

#[tokio::test]
async fn a_take_is_sent_as_the_document_says() {
    let (client, asked) = once(200, TAKEN).await;
    let record = client.take(&take()).await.expect("it is answered");
    assert_eq!((record.state, record.taken), (TakeState::Taken, 5));
    let body = r#"{"key":"o-1","userId":"ann","points":5}"#;
    assert_eq!(asked.await.expect("it ends"), format!("POST /v1/takes Bearer hush {body}"));
    assert!(!format!("{client:?}").contains("hush"), "the secret is not shown");
}

#[tokio::test]
async fn only_what_the_service_itself_says_is_believed() {
    const LOST: fn(&Trouble) -> bool = |it| matches!(it, Trouble::Lost(_));
    const REFUSED: fn(&Trouble) -> bool = |it| matches!(it, Trouble::Refused(_));
    let conflict = r#"{"error":"key_conflict","message":"another"}"#;
    for (status, body, is_so) in [
        (200, "{}", LOST),
        (200, r#"{"key":"o-2","userId":"ann","state":"taken","taken":5,"returned":0}"#, LOST),
        (500, conflict, LOST),
        (429, conflict, LOST),
        (302, TAKEN, LOST),
        (404, "<html>", LOST),
        (401, r#"{"error":"unauthorized"}"#, REFUSED),
        (409, conflict, REFUSED),
    ] {
        let (client, _asked) = once(status, body).await;
        let trouble = client.take(&take()).await.expect_err(body);
        assert!(is_so(&trouble), "{status} {body}: {trouble:?}");
    }
}

#[tokio::test]
async fn a_take_that_was_never_heard_of_is_told_from_a_path_that_is_none() {
    let (client, asked) = once(404, r#"{"error":"unknown_take"}"#).await;
    assert_eq!(client.look("茶/1").await, Ok(None));
    assert_eq!(asked.await.expect("it ends"), "GET /v1/takes/%E8%8C%B6%2F1 Bearer hush ");
    let (client, _asked) = once(404, "not here").await;
    assert!(matches!(client.look("o-1").await, Err(Trouble::Lost(_))));
    // Nobody listens there any more.
    let (client, asked) = once(200, TAKEN).await;
    asked.abort();
    drop(asked.await);
    assert!(matches!(client.look("o-1").await, Err(Trouble::Lost(_))));
}
