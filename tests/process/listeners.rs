//! Would catch a server that serves at one of its addresses alone.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use tempfile::TempDir;

use crate::support::{Process, stockhold};

/// What a request is answered, whole.
fn ask(mut stream: impl std::io::Read + std::io::Write, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

fn at(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).expect("it accepts")
}

fn at_path(path: &Path) -> UnixStream {
    UnixStream::connect(path).expect("it accepts")
}

#[test]
fn a_server_serves_at_all_its_addresses() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("http.sock");
    let unix = format!("unix:{}", path.display());
    let data = dir.path().join("data");
    let data = data.to_str().expect("a path in UTF-8");
    let mut server = Process::start(&mut stockhold(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--listen",
        "[::1]:0",
        "--listen",
        &unix,
        "--demo",
        "--data-dir",
        data,
    ]));
    server.read_to("and on http://");
    let second = server.printed.rsplit("http://").next().expect("there is a last part");
    let second = second.trim_end().parse().expect("it prints where it listens");
    server.read_to(&format!("and on {unix}"));
    for answer in [
        ask(at(server.address), "/api/mall/products"),
        ask(at(second), "/api/mall/products"),
        ask(at_path(&path), "/api/mall/products"),
    ] {
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("prod_movie"), "{answer}");
    }
}
