//! The demo mall behind a real socket, started once, and a client that sends bytes as they are.
#![allow(dead_code, reason = "each target uses its part of this module")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use stockhold::Engine;
use stockhold::clock::ManualClock;
use stockhold::http::{App, Auth, Limits, Role};
use stockhold::mall::{Mall, MallConfig};
use tempfile::TempDir;

const NOW_MS: u64 = 1_750_000_000_000;
const SECRET: &str = "a secret that only this fuzzer knows";

pub struct Shop {
    pub engine: Engine,
    pub admin: String,
    address: SocketAddr,
    _dir: TempDir,
}

pub fn shop() -> &'static Shop {
    static SHOP: OnceLock<Shop> = OnceLock::new();
    SHOP.get_or_init(start)
}

fn start() -> Shop {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let builder =
        Engine::builder(dir.path()).clock(Arc::new(ManualClock::new(NOW_MS))).history(false);
    let engine = builder.open().expect("an empty directory opens");
    let mall = Mall::open(engine.clone(), MallConfig::default()).expect("the catalogue reads");
    mall.load_demo().expect("the demo loads");
    let auth = Auth::new(&SECRET.to_owned().into()).expect("the secret is long enough");
    let auth = auth.issuer("https://issuer.example").audience("stockhold");
    auth.replace_keys(include_str!("keys.json")).expect("the keys are of every kind");
    let admin = auth.issue("demo", Role::Admin, NOW_MS + 3_600_000).expect("a valid user");
    let limits = Limits {
        header_timeout: Duration::from_secs(2),
        body_timeout: Duration::from_secs(2),
        ..Limits::default()
    };
    let app = Arc::new(App::new(mall, auth, limits));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime starts");
    let listener =
        runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        runtime.block_on(stockhold::http::run(listener, std::future::pending(), app))
    });
    Shop { engine, admin, address, _dir: dir }
}

/// A whole request and the status of its answer.
pub fn status(request: &[u8]) -> u16 {
    answer(request, |_| ()).expect("a whole request has an answer")
}

/// The status of the first answer to these bytes, after which the client goes.
pub fn first_status(request: &[u8]) -> Option<u16> {
    answer(request, |stream| drop(stream.shutdown(Shutdown::Write)))
}

fn answer(request: &[u8], sent: impl Fn(&TcpStream)) -> Option<u16> {
    let mut stream = TcpStream::connect(shop().address).expect("the server accepts");
    // The server may have answered and closed before everything was sent.
    drop(stream.write_all(request));
    sent(&stream);
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    // What begins HTTP/2 is answered in frames.
    if request.starts_with(b"PRI * HTTP/2.0\r\n") && !answer.starts_with(b"HTTP/1.") {
        return None;
    }
    let head = std::str::from_utf8(answer.get(..12)?).expect("an answer begins with ASCII");
    Some(
        head.strip_prefix("HTTP/1.")
            .and_then(|head| head[2..].parse().ok())
            .expect("an answer has a status"),
    )
}
