//! Would catch a request that goes where it must not, waits for ever, or fills the memory.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, LOCATION};
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;

const SHORT: Limits = Limits {
    connect_timeout: Duration::from_secs(5),
    timeout: Duration::from_millis(300),
    body_bytes_max: 10,
};
const LONG: Limits = Limits { timeout: Duration::from_secs(30), ..SHORT };

fn client(limits: Limits) -> Client {
    let guard = Guard::new(["127.0.0.1".to_owned()]);
    Client::new(guard, Trust::new(None).expect("the browsers' roots"), limits)
}

fn post() -> Sent {
    Sent { method: Method::POST, headers: HeaderMap::new(), body: Bytes::from_static(b"ping") }
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint::parse(url).expect("a URL")
}

/// Listens, and does `serve` with each connection.
async fn listen<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(tokio::net::TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

async fn answer(
    request: Request<Incoming>,
    seen: Arc<AtomicUsize>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    seen.fetch_add(1, Ordering::SeqCst);
    let mut answer = hyper::Response::new(Full::from("0123456789"));
    match request.uri().path() {
        "/long" => *answer.body_mut() = Full::from(vec![b'x'; 1 << 20]),
        "/elsewhere" => {
            *answer.status_mut() = StatusCode::FOUND;
            answer.headers_mut().insert(LOCATION, "/here".parse().expect("a header"));
        }
        _ => {}
    }
    Ok(answer)
}

/// A server, and how many requests it has seen.
async fn serve() -> (SocketAddr, Arc<AtomicUsize>) {
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = seen.clone();
    let address = listen(move |stream| {
        let seen = counted.clone();
        async move {
            let service = service_fn(|request| answer(request, seen.clone()));
            let http = hyper::server::conn::http1::Builder::new();
            drop(http.serve_connection(TokioIo::new(stream), service).await);
        }
    });
    (address.await, seen)
}

#[tokio::test]
async fn an_answer_is_read_as_far_as_it_may_be_long_and_leads_nowhere() {
    let (address, seen) = serve().await;
    for (path, status, is_cut, headers) in [
        ("/here", StatusCode::OK, false, 10),
        ("/long", StatusCode::OK, true, 10),
        ("/elsewhere", StatusCode::FOUND, false, 10),
    ] {
        let to = endpoint(&format!("http://{address}{path}"));
        let response = client(LONG).send(&to, post()).await.expect("an answer");
        let shown = (response.status, response.is_cut, response.body.len());
        assert_eq!(shown, (status, is_cut, headers), "{path}");
        assert_eq!(response.headers.contains_key(LOCATION), path == "/elsewhere");
    }
    assert_eq!(seen.load(Ordering::SeqCst), 3, "nobody follows");
}

/// Would catch the check of a name, or of an address that is not the one that is connected to.
#[tokio::test]
async fn a_name_that_stands_for_a_private_address_is_not_connected_to() {
    let (address, seen) = serve().await;
    let looked_up = Arc::new(AtomicUsize::new(0));
    let counted = looked_up.clone();
    let rebinding = Arc::new(move |_: &str, port: u16| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
    });
    let it = client(LONG).looking_up(rebinding);
    let to = endpoint(&format!("http://hooks.example:{}", address.port()));
    let refused = it.send(&to, post()).await.expect_err("it is this machine");
    assert_eq!((refused.name(), refused.may_have_arrived()), ("forbiddenAddress", false));
    assert_eq!(looked_up.load(Ordering::SeqCst), 1, "what was looked at is what is connected to");
    let mapped = endpoint(&format!("http://[::ffff:127.0.0.1]:{}", address.port()));
    assert_eq!(
        it.send(&mapped, post()).await.expect_err("this machine").name(),
        "forbiddenAddress"
    );
    assert_eq!(seen.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn whoever_says_nothing_or_nonsense_is_given_up() {
    let silent = listen(|stream| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    });
    let to = endpoint(&format!("http://{}", silent.await));
    let late = client(SHORT).send(&to, post()).await.expect_err("it says nothing");
    assert_eq!((late.name(), late.may_have_arrived()), ("timeout", true));
    let tls = endpoint(&to.to_string().replace("http:", "https:"));
    let late = client(SHORT).send(&tls, post()).await.expect_err("it says nothing");
    assert_eq!((late.name(), late.may_have_arrived()), ("connectTimeout", false));
    let babbling = listen(|mut stream| async move {
        drop(stream.write_all(b"220 mail.example ESMTP\r\n").await);
    });
    let to = endpoint(&format!("http://{}", babbling.await));
    assert_eq!(client(LONG).send(&to, post()).await.expect_err("no HTTP").name(), "broken");
    let endless = listen(|mut stream| async move {
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\n").await);
        while stream.write_all(b"x-more: and more and more\r\n").await.is_ok() {}
    });
    let to = endpoint(&format!("http://{}", endless.await));
    assert_eq!(client(LONG).send(&to, post()).await.expect_err("no end").name(), "broken");
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let to = endpoint(&format!("http://{}", gone.local_addr().expect("its address")));
    drop(gone);
    assert_eq!(client(LONG).send(&to, post()).await.expect_err("gone").name(), "unreachable");
}

#[tokio::test]
async fn tls_is_with_those_who_are_vouched_for() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let pem = made.cert.pem();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a key");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let address = listen(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(|request| answer(request, Arc::default()));
            let http = hyper::server::conn::http1::Builder::new();
            drop(http.serve_connection(TokioIo::new(stream), service).await);
        }
    });
    let to = endpoint(&format!("https://{}", address.await));
    assert_eq!(client(LONG).send(&to, post()).await.expect_err("a stranger").name(), "tls");
    let trust = Trust::new(Some(pem.as_bytes())).expect("a certificate");
    let known = Client::new(client(LONG).guard().clone(), trust, LONG);
    assert_eq!(known.send(&to, post()).await.expect("an answer").status, StatusCode::OK);
    for wrong in ["", "no certificate", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----"]
    {
        assert!(Trust::new(Some(wrong.as_bytes())).is_err(), "{wrong:?}");
    }
}
