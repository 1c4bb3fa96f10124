use std::net::SocketAddr;
use std::sync::Arc;

use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Audience, Listener, Listeners};
use crate::engine::Engine;
use crate::http::{App, Auth, Limits, Role};
use crate::mall::{Mall, MallConfig};

async fn listener() -> (Listener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener.into(), address)
}

/// The status that `role` is answered there.
async fn ask(address: SocketAddr, role: Role, path: &str) -> String {
    let token = auth().issue("ann", role, u64::MAX / 2).expect("a token");
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
    let request = format!("{head}authorization: Bearer {token}\r\n\r\n");
    let mut stream = TcpStream::connect(address).await.expect("it accepts");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

fn auth() -> Auth {
    let secret = SecretString::from("0123456789abcdef0123456789abcdef");
    Auth::new(&secret).expect("a long secret")
}

/// Would catch operators who hear that the lists of users are too many.
#[tokio::test]
async fn what_users_use_up_is_not_what_operators_have() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::builder(dir.path()).segment_bytes(128 << 10).open();
    let mall = engine.and_then(|engine| Mall::open(engine, MallConfig::default()));
    let limits = Limits { waiting_lists: 0, ..Limits::default() };
    let app = App::new(mall.expect("it opens"), auth(), limits);
    let [(users, at_users), (operators, at_operators)] = [listener().await, listener().await];
    let operators = operators.for_audience(Audience::Operators);
    let listeners: Listeners = [users, operators].into_iter().collect();
    tokio::spawn(crate::http::run(listeners, std::future::pending(), Arc::new(app)));
    assert_eq!(ask(at_users, Role::User, "/api/mall/orders").await, "503");
    assert_eq!(ask(at_operators, Role::Operator, "/api/admin/orders").await, "200");
    assert_eq!(ask(at_users, Role::Operator, "/api/admin/orders").await, "404");
}
