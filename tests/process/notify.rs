//! Would catch a server that systemd takes for hung while it starts, that is not said to be ready, or
//! that is silent for too long.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{Process, stockhold};

/// Reads datagrams up to one that says `text`; all that was said.
fn read_to(socket: &UnixDatagram, text: &str) -> Vec<String> {
    let mut said = Vec::new();
    loop {
        let mut bytes = [0; 4096];
        let length = socket.recv(&mut bytes).unwrap_or_else(|error| panic!("{error}: {said:?}"));
        let datagram = String::from_utf8(bytes[..length].to_vec()).expect("UTF-8");
        let is_it = datagram.lines().any(|line| line == text);
        said.push(datagram);
        if is_it {
            return said;
        }
    }
}

#[test]
fn systemd_hears_of_a_start_of_readiness_of_life_and_of_the_end() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("it takes a timeout");
    let data = dir.path().join("data");
    let mut command = stockhold(&["serve", "--demo", "--listen", "127.0.0.1:0", "--data-dir"]);
    command.arg(&data).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "300000");
    let server = Process::start(command.env_remove("WATCHDOG_PID"));
    let said = read_to(&socket, "READY=1");
    let first = "STATUS=replaying the journal\nEXTEND_TIMEOUT_USEC=60000000";
    assert_eq!(said.first().map(String::as_str), Some(first), "{said:?}");
    let last = format!("READY=1\nSTATUS=serving on {}", server.address);
    assert_eq!(said.last(), Some(&last), "{said:?}");
    for _ in 0..3 {
        read_to(&socket, "WATCHDOG=1");
    }
    server.signal(Signal::TERM);
    read_to(&socket, "STOPPING=1");
    assert_eq!(server.wait().0, 0);
}
