//! Would catch a server that closes connections which the proxy before it still uses: a request
//! that is sent at that moment hears 502, and nobody knows whether it was done. With the real
//! nginx, which must be installed.
#![allow(clippy::disallowed_methods, reason = "the test writes the proxy's configuration")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use stockhold::http::Limits;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::support::{Process, demo_token};

const PATIENCE: Duration = Duration::from_secs(60);
/// How long nginx keeps a connection here, instead of 60 s, and how long the server does.
const PROXY_KEEPS_MS: u64 = 80;
const SERVER_KEEPS: &str = "1s";
const CLIENTS: u64 = 8;
const REQUESTS: u64 = 25;

/// nginx before one server. Dropped, it is killed.
struct Nginx {
    child: Child,
    socket: PathBuf,
}

impl Nginx {
    fn start(dir: &Path, server: std::net::SocketAddr) -> Self {
        let (socket, config) = (dir.join("nginx.sock"), dir.join("nginx.conf"));
        let at = |name: &str| dir.join(name).display().to_string();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {};", at(name)))
            .concat();
        let text = format!(
            "daemon off; master_process off; pid {}; error_log stderr warn; events {{ }}
             http {{ access_log off; {temporary}
               upstream mall {{ server {server}; keepalive 16; keepalive_timeout {PROXY_KEEPS_MS}ms; }}
               server {{ listen unix:{};
                 location / {{ proxy_pass http://mall; proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }} }}",
            at("nginx.pid"),
            socket.display()
        );
        std::fs::write(&config, text).expect("the configuration is written");
        let child = Command::new(program())
            .arg("-p")
            .arg(dir)
            .arg("-c")
            .arg(config)
            .arg("-e")
            .arg("stderr")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("nginx starts");
        Self { child, socket }
    }

    async fn connect(&self) -> UnixStream {
        let connected = async {
            loop {
                if let Ok(stream) = UnixStream::connect(&self.socket).await {
                    return stream;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, connected).await.expect("nginx listens in time")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn program() -> PathBuf {
    let paths = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin";
    let found =
        std::env::split_paths(&paths).map(|dir| dir.join("nginx")).find(|path| path.is_file());
    found.expect(
        "nginx is installed: scripts/test does that, or install the package nginx or its like",
    )
}

/// The status of one request on a kept connection.
async fn post(stream: &mut UnixStream, token: &str) -> u16 {
    let body = r#"{"productId":"prod_movie","quantity":1,"confirm":true}"#;
    let length = body.len();
    let request = format!(
        "POST /api/mall/exchange HTTP/1.1\r\nHost: mall\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("nginx reads");
    let mut answer = Vec::new();
    let whole = async {
        let mut piece = [0; 4096];
        loop {
            let read = stream.read(&mut piece).await.expect("nginx answers");
            answer.extend_from_slice(&piece[..read]);
            let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
            let length =
                text.split_once("content-length: ").and_then(|(_, rest)| rest.split_once("\r\n"));
            let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
            if read == 0 || length.is_some_and(|(length, _)| length.parse() == Ok(body.len())) {
                return head[9..12].parse().expect("a status");
            }
        }
    };
    tokio::time::timeout(PATIENCE, whole).await.expect("an answer in time")
}

#[tokio::test]
async fn no_request_is_lost_when_the_proxy_gives_a_connection_up() {
    let dir = TempDir::new().expect("a directory");
    let data = dir.path().join("data");
    let path = data.to_str().expect("a path in UTF-8");
    let server = Process::serve(&["--demo", "--data-dir", path, "--idle-timeout", SERVER_KEEPS]);
    let token = demo_token(&data, "demo", "user");
    let nginx = Nginx::start(dir.path(), server.address);
    let mut clients = Vec::new();
    for client in 0..CLIENTS {
        let (mut stream, token) = (nginx.connect().await, token.clone());
        clients.push(tokio::spawn(async move {
            let mut statuses = Vec::new();
            for request in 0..REQUESTS {
                statuses.push(post(&mut stream, &token).await);
                // Around the moment at which the connection is given up, each a little off the
                // others.
                let off = (client * 5 + request * 3) % 20;
                tokio::time::sleep(Duration::from_millis(PROXY_KEEPS_MS - 10 + off)).await;
            }
            statuses
        }));
    }
    for client in clients {
        let statuses = client.await.expect("the client ends");
        assert!(statuses.iter().all(|&status| status == 200), "{statuses:?}");
    }
}

#[test]
fn the_server_keeps_connections_longer_than_proxies_do() {
    // nginx from 1.31 on, and the load balancers of AWS.
    assert!(Limits::default().idle_timeout > Duration::from_secs(60));
}
