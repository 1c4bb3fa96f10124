//! Would catch a server that serves at one of its addresses alone; one that takes another's Unix
//! socket, or leaves its own behind; one that loses who waits in a socket that it was given; and
//! operators who are kept out by the users of a sale, or found where they should not be.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{PROGRAM, Process, demo_token, isolated, run, stockhold};

/// Its standard input and its standard error are sockets; passed on as systemd passes them.
const ACTIVATE: &str = "exec 3<&0 4<&2 </dev/null 2>/dev/null; export LISTEN_PID=$$ LISTEN_FDS=2 \
                        LISTEN_FDNAMES=http:operators; exec \"$@\"";

/// So that a server that does not answer fails the test.
const PATIENCE: Duration = Duration::from_secs(60);

struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: TempDir::new().expect("a directory") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn data(&self, name: &str) -> String {
        self.path(name).to_str().expect("a path in UTF-8").to_owned()
    }
}

fn unix(path: &Path) -> String {
    format!("unix:{}", path.display())
}

fn at(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).expect("it accepts")
}

fn at_path(path: &Path) -> UnixStream {
    UnixStream::connect(path).expect("it accepts")
}

/// What a request is answered, whole.
fn ask(mut stream: impl Read + Write, path: &str, head: &str) -> String {
    say(&mut stream, path, head);
    answer(stream)
}

fn say(stream: &mut impl Write, path: &str, head: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
}

fn answer(mut stream: impl Read) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

/// The address that a server printed after these words.
fn printed(server: &mut Process, words: &str) -> SocketAddr {
    let words = format!("{words} http://");
    server.read_to(&words);
    let (_, address) = server.printed.rsplit_once(&words).expect("it was read");
    address.trim_end().parse().expect("it prints where it listens")
}

#[test]
fn a_server_serves_at_all_its_addresses() {
    let place = Place::new();
    let (path, data) = (place.path("http.sock"), place.data("data"));
    let listen = format!("127.0.0.1:0,127.0.0.1:0,{}", unix(&path));
    let mut command = stockhold(&["serve", "--demo", "--data-dir", &data]);
    let mut server = Process::start(command.env("STOCKHOLD_LISTEN", listen));
    let second = printed(&mut server, "and on");
    server.read_to(&format!("and on {}", unix(&path)));
    let products = "/api/mall/products";
    for answer in [
        ask(at(server.address), products, ""),
        ask(at(second), products, ""),
        ask(at_path(&path), products, ""),
    ] {
        assert!(status(&answer) == "200" && answer.contains("prod_movie"), "{answer}");
    }
}

#[test]
fn a_unix_socket_is_taken_from_nobody_who_lives() {
    let place = Place::new();
    let (path, first, second) = (place.path("a.sock"), place.data("first"), place.data("second"));
    let listen = unix(&path);
    let args = |data| ["--demo", "--data-dir", data, "--listen", &listen, "--socket-mode", "0600"];
    let killed = Process::serve(&args(&first));
    let mode = path.metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let other = ["serve", "--demo", "--data-dir", &second, "--listen", &listen];
    let (code, _, log) = run(&mut stockhold(&other));
    assert!(code == 1 && log.contains("another server listens there"), "{code}: {log}");
    killed.signal(Signal::KILL);
    assert_eq!(killed.wait().0, -1, "it ends without a word");
    assert!(path.exists(), "nobody removed it");
    let server = Process::serve(&args(&first));
    let (code, printed, log) = run(&mut stockhold(&["probe", "ready", "--listen", &listen]));
    assert!(code == 0 && printed.contains("ready"), "{code}: {printed}{log}");
    server.signal(Signal::TERM);
    let (code, log) = server.wait();
    assert!(code == 0 && !path.exists(), "{code}: {log}");
}

/// A socket at a port that was free.
fn socket() -> (TcpListener, SocketAddr) {
    let socket = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let address = socket.local_addr().expect("an address");
    (socket, address)
}

#[test]
fn a_socket_that_is_handed_over_keeps_who_connects_while_no_server_runs() {
    let place = Place::new();
    let data = place.data("data");
    let [(users, address), (operators, operators_address)] = [socket(), socket()];
    let handed = |socket: &TcpListener| {
        Stdio::from(OwnedFd::from(socket.try_clone().expect("there are descriptors")))
    };
    let serve = ["-c", ACTIVATE, "sh", PROGRAM, "serve", "--demo", "--data-dir", &data];
    let start = || {
        let mut command = isolated("sh", &serve);
        Process::start(command.stdin(handed(&users)).stderr(handed(&operators)))
    };
    let server = start();
    assert_eq!(server.address, address, "what is set is not listened at");
    let token = demo_token(Path::new(&data), "watch", "monitor");
    let token = format!("Authorization: Bearer {token}\r\n");
    server.signal(Signal::TERM);
    assert_eq!(server.wait().0, 0);
    let (mut user, mut monitor) = (at(address), at(operators_address));
    say(&mut user, "/api/mall/products", "");
    say(&mut monitor, "/metrics", &token);
    let _server = start();
    let (user, monitor) = (answer(user), answer(monitor));
    assert!(status(&user) == "200" && user.contains("prod_movie"), "{user}");
    assert!(status(&monitor) == "200" && monitor.contains("stockhold_"), "{monitor}");
}

#[test]
fn operators_have_a_door_that_users_cannot_block() {
    const CONNECTIONS: usize = 8;
    let place = Place::new();
    let data = place.data("data");
    let connections = CONNECTIONS.to_string();
    let mut server = Process::serve(&[
        "--demo",
        "--data-dir",
        &data,
        "--operators-listen",
        "127.0.0.1:0",
        "--max-connections",
        &connections,
        "--max-connections-per-address",
        &connections,
        "--address-requests-per-minute",
        "16",
    ]);
    let operators = printed(&mut server, "and operators on");
    let users = server.address;
    let [monitor, user] = ["monitor", "user"].map(|role| {
        let token = demo_token(Path::new(&data), "ann", role);
        format!("Authorization: Bearer {token}\r\n")
    });
    // Each is offered where it belongs.
    for (address, path, expected) in [
        (users, "/metrics", "404"),
        (users, "/api/admin/status", "404"),
        (users, "/health", "200"),
        (operators, "/metrics", "200"),
        (operators, "/health", "200"),
        (operators, "/ready", "200"),
        (operators, "/api/admin/status", "403"),
        (operators, "/api/mall/products", "404"),
    ] {
        let answer = ask(at(address), path, &monitor);
        assert_eq!(status(&answer), expected, "{path}: {answer}");
    }
    // What is counted of an address is counted of users.
    for _ in 0..20 {
        assert_eq!(status(&ask(at(operators), "/metrics", "")), "401");
    }
    // As many as may be ask for something and do not say what.
    let busy: Vec<_> = std::iter::repeat_with(|| at(users)).take(CONNECTIONS).collect();
    for mut busy in &busy {
        let head = "Content-Type: application/json\r\nContent-Length: 9\r\n";
        let request = format!("POST /api/mall/exchange HTTP/1.1\r\nHost: x\r\n{user}{head}\r\n");
        busy.write_all(request.as_bytes()).expect("it reads");
    }
    let in_flight = || {
        let answer = ask(at(operators), "/metrics", &monitor);
        let line =
            answer.lines().find_map(|it| it.strip_prefix("stockhold_http_requests_in_flight "));
        line.and_then(|count| count.parse::<usize>().ok()).unwrap_or_else(|| panic!("{answer}"))
    };
    let deadline = Instant::now() + PATIENCE;
    // Of the last of them it is known in an answer that it did not keep out.
    while in_flight() <= CONNECTIONS {
        assert!(Instant::now() < deadline, "all places are taken, and operators wait for one");
    }
    drop(busy);
}
