//! Would catch published keys that are not fetched when a token names a new one, that are fetched
//! for each token of a stranger, that go when their publisher does, or that come from anywhere.
#![allow(clippy::disallowed_methods, reason = "the test has a publisher of its own")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Client, Process, run, stockhold};

const BALANCE: &str = "/api/points/balance";

/// Answers each request with what is to be said at that time.
struct Publisher {
    address: SocketAddr,
    says: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
}

impl Publisher {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let address = listener.local_addr().expect("an address");
        let (says, asked) = (Arc::new(Mutex::new(String::new())), Arc::new(AtomicUsize::new(0)));
        let publisher = Self { address, says: says.clone(), asked: asked.clone() };
        // It ends with the process of the test.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let mut head = [0; 4096];
                let _ = stream.read(&mut head);
                asked.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(says.lock().as_bytes());
            }
        });
        publisher
    }

    fn publish(&self, keys: &[Value]) {
        self.say("200 OK", &json!({"keys": keys}).to_string());
    }

    fn say(&self, status: &str, body: &str) {
        let length = body.len();
        *self.says.lock() = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn serve(&self, dir: &TempDir, more: &[&str]) -> Process {
        let url = format!("http://{}/jwks.json", self.address);
        let data = dir.path().to_str().expect("a path in UTF-8");
        let named = ["--auth-keys-url", &url, "--auth-keys-http-host", "127.0.0.1"];
        let args = [&["--data-dir", data], &named[..]].concat();
        Process::serve(&[&args[..], more].concat())
    }
}

struct Maker {
    kid: &'static str,
    pair: Ed25519KeyPair,
}

impl Maker {
    fn new(kid: &'static str) -> Self {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        Self { kid, pair: Ed25519KeyPair::from_pkcs8(made.as_ref()).expect("a key") }
    }

    fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key());
        json!({"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": x})
    }

    fn token(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs();
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(json!({"alg": "EdDSA", "kid": self.kid}));
        let message = format!("{header}.{}", part(json!({"sub": "ann", "exp": now + 3_600})));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    async fn client(&self, process: &Process) -> Client {
        Client::connect(process.address, Some(self.token())).await
    }
}

/// Asks until it is let in.
async fn asks_until_let_in(client: &mut Client) {
    let begun = Instant::now();
    while client.get(BALANCE).await.status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is never let in");
    }
}

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_names_it_and_stays_when_its_publisher_fails() {
    let (dir, publisher) = (TempDir::new().expect("a directory"), Publisher::start());
    let [old, new, later] = ["old", "new", "later"].map(Maker::new);
    // Nobody publishes secrets.
    let secret = json!({"kty": "oct", "kid": "secret", "k": URL_SAFE_NO_PAD.encode([7; 32])});
    publisher.publish(&[old.jwk(), secret]);
    let mut process =
        publisher.serve(&dir, &["--auth-keys-refresh", "1h", "--auth-keys-pause", "50ms"]);
    let mut of_old = old.client(&process).await;
    of_old.get(BALANCE).await.data();
    let mut of_new = new.client(&process).await;
    of_new.get(BALANCE).await.failure(401, "UNAUTHORIZED");
    publisher.publish(&[old.jwk(), new.jwk()]);
    asks_until_let_in(&mut of_new).await;
    of_old.get(BALANCE).await.data();
    for (status, body, told) in [
        ("500 Broken", "{}", "the answer is 500"),
        ("200 OK", "no keys", "this is no JSON Web Key Set"),
        ("302 Found", "", "the answer is 302"),
    ] {
        publisher.say(status, body);
        later.client(&process).await.get(BALANCE).await.failure(401, "UNAUTHORIZED");
        process.read_log_to(told);
        of_old.get(BALANCE).await.data();
        of_new.get(BALANCE).await.data();
    }
    publisher.publish(&[new.jwk(), later.jwk()]);
    asks_until_let_in(&mut later.client(&process).await).await;
    of_old.get(BALANCE).await.failure(401, "UNAUTHORIZED");
    of_new.get(BALANCE).await.data();
}

#[tokio::test]
async fn strangers_do_not_make_the_server_ask() {
    let (dir, publisher) = (TempDir::new().expect("a directory"), Publisher::start());
    let [known, stranger] = ["known", "stranger"].map(Maker::new);
    publisher.publish(&[known.jwk()]);
    let process = publisher.serve(&dir, &["--auth-keys-pause", "10m"]);
    let mut of_stranger = stranger.client(&process).await;
    for _ in 0..50 {
        of_stranger.get(BALANCE).await.failure(401, "UNAUTHORIZED");
        known.client(&process).await.get(BALANCE).await.data();
    }
    assert_eq!(publisher.asked(), 1);
}

#[test]
fn keys_come_over_tls_unless_their_host_is_named() {
    let dir = TempDir::new().expect("a directory");
    let data = dir.path().join("data");
    for (url, told) in [
        ("http://keys.example/jwks.json", "auth_keys_http_host"),
        ("http://127.0.0.1/jwks.json", "auth_keys_http_host"),
        ("ftp://keys.example", "https://"),
        ("https://ann:secret@keys.example", "no password"),
    ] {
        let mut serve = stockhold(&["serve", "--listen", "127.0.0.1:0", "--auth-keys-url", url]);
        let (code, printed, log) = run(serve.arg("--data-dir").arg(&data));
        assert!(code == 1 && printed.is_empty() && log.contains(told), "{url}: {log}");
        assert!(!data.exists(), "nothing was made");
    }
}
