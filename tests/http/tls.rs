//! Would catch TLS that does not agree on HTTP/2, a certificate that needs a restart, a client that
//! shakes hands forever, and operators who are let in without a certificate of theirs.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use stockhold::http::{Audience, Limits, Tls, TlsPem};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use crate::support::{NOW_MS, Setup, Shop};

const PATIENCE: Duration = Duration::from_secs(60);

/// Whoever vouches for others.
struct Authority {
    certificate: CertificateDer<'static>,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        Self { certificate: der, pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate of a name, and its key.
    fn vouch(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.issuer).expect("a certificate"), key)
    }

    fn pem(&self, operators: Option<&Self>) -> TlsPem {
        let (certificate, key) = self.vouch("shop.example");
        TlsPem {
            certificate: certificate.pem().into_bytes(),
            key: key.serialize_pem().into_bytes(),
            operators_ca: operators.map(|it| it.pem.clone().into_bytes()),
        }
    }

    fn tls(&self, operators: Option<&Self>) -> Tls {
        Tls::new(&self.pem(operators), NOW_MS).expect("it is right")
    }
}

/// A client that trusts one authority.
struct Dialer<'a> {
    trusted: &'a Authority,
    version: &'static SupportedProtocolVersion,
    protocol: &'static [u8],
    own: Option<(rcgen::Certificate, KeyPair)>,
}

impl<'a> Dialer<'a> {
    fn new(trusted: &'a Authority) -> Self {
        Self { trusted, version: &TLS13, protocol: b"http/1.1", own: None }
    }

    async fn dial(&self, shop: &Shop) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.trusted.certificate.clone()).expect("a root");
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_protocol_versions(&[self.version]).expect("a version");
        let builder = builder.with_root_certificates(roots);
        let mut config = match &self.own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
                let chain = vec![certificate.der().clone()];
                builder.with_client_auth_cert(chain, key).expect("they belong together")
            }
        };
        config.alpn_protocols = vec![self.protocol.to_vec()];
        let stream = TcpStream::connect(shop.address).await?;
        let name = ServerName::try_from("shop.example").expect("a name");
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// The status of one request, by what was agreed on.
    async fn ask(&self, shop: &Shop) -> Result<u16, Box<dyn std::error::Error>> {
        let stream = self.dial(shop).await?;
        let agreed = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        assert_eq!(agreed.as_deref(), Some(self.protocol));
        let request = Request::get("https://shop.example/health").header("host", "shop.example");
        let request = request.body(Empty::<Bytes>::new()).expect("a request");
        let io = TokioIo::new(stream);
        let reply = if self.protocol == b"h2" {
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        } else {
            let (mut sender, connection) = http1::handshake(io).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        };
        let status = reply.status().as_u16();
        reply.into_body().collect().await?;
        Ok(status)
    }
}

async fn shop(tls: &Tls, limits: Limits, audience: Audience) -> Shop {
    Shop::with(Setup { tls: Some(tls.clone()), limits, audience, ..Setup::default() }).await
}

#[tokio::test]
async fn both_versions_of_tls_and_of_http_are_spoken() {
    let authority = Authority::new();
    let shop = shop(&authority.tls(None), Limits::default(), Audience::Everybody).await;
    for version in [&TLS12, &TLS13] {
        for protocol in [&b"h2"[..], b"http/1.1"] {
            let dialer = Dialer { version, protocol, ..Dialer::new(&authority) };
            assert_eq!(dialer.ask(&shop).await.expect("an answer"), 200, "{version:?}");
        }
    }
    let other = Dialer { protocol: b"spdy/1", ..Dialer::new(&authority) };
    assert!(other.dial(&shop).await.is_err(), "nothing is agreed on");
}

#[tokio::test]
async fn a_new_certificate_is_shown_and_old_connections_go_on() {
    let (old, new) = (Authority::new(), Authority::new());
    let tls = old.tls(None);
    let shop = shop(&tls, Limits::default(), Audience::Everybody).await;
    let mut kept = Dialer::new(&old).dial(&shop).await.expect("the old is shown");
    tls.replace(&new.pem(None), NOW_MS).expect("it is right");
    assert!(Dialer::new(&old).dial(&shop).await.is_err(), "the old is shown no more");
    assert_eq!(Dialer::new(&new).ask(&shop).await.expect("an answer"), 200);
    let request = b"GET /health HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";
    kept.write_all(request).await.expect("the server reads");
    let mut answer = String::new();
    kept.read_to_string(&mut answer).await.expect("the server answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn operators_need_a_certificate_of_their_authority_and_nobody_else_does() {
    let (authority, operators) = (Authority::new(), Authority::new());
    let tls = authority.tls(Some(&operators));
    let staff = shop(&tls, Limits::default(), Audience::Operators).await;
    let with = |own| Dialer { own, ..Dialer::new(&authority) };
    assert!(with(None).ask(&staff).await.is_err(), "there is none");
    let strange = with(Some(authority.vouch("ops"))).ask(&staff).await;
    assert!(strange.is_err(), "it is of another authority");
    let known = with(Some(operators.vouch("ops"))).ask(&staff).await;
    assert_eq!(known.expect("it is theirs"), 200);
    let public = shop(&tls, Limits::default(), Audience::Everybody).await;
    assert_eq!(with(None).ask(&public).await.expect("an answer"), 200);
}

#[tokio::test]
async fn whoever_speaks_no_tls_hears_so() {
    let authority = Authority::new();
    let shop = shop(&authority.tls(None), Limits::default(), Audience::Everybody).await;
    let mut stream = TcpStream::connect(shop.address).await.expect("the server accepts");
    let request = b"GET /health HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    stream.write_all(request).await.expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("the server answers, and closes");
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("https"), "{answer}");
}

#[tokio::test]
async fn a_handshake_has_its_time_and_takes_a_place() {
    let authority = Authority::new();
    let limits = Limits {
        connections: 1,
        connections_per_address: 1,
        header_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let shop = shop(&authority.tls(None), limits, Audience::Everybody).await;
    for begun in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut stream = TcpStream::connect(shop.address).await.expect("the server accepts");
        stream.write_all(begun).await.expect("the server reads");
        let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
        // With bytes that nobody read it may be a reset.
        drop(closed.expect("it is closed in time"));
    }
    // The only place is free again.
    assert_eq!(Dialer::new(&authority).ask(&shop).await.expect("an answer"), 200);
}
