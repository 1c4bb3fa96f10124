//! The real HAProxy, as docs/operations.md configures it.

use std::path::Path;
use std::process::Command;

use super::program::{Program, block, program};

/// Starts it in `dir` before a server. Its own clients say whom they are with the PROXY protocol.
pub(super) fn start(dir: &Path, server: std::net::SocketAddr) -> Program {
    let (socket, config) = (dir.join("haproxy.sock"), dir.join("haproxy.cfg"));
    let given = block("haproxy")
        .replace("127.0.0.1:3000", &server.to_string())
        .replace("bind :80", &format!("bind unix@{} accept-proxy", socket.display()));
    std::fs::write(&config, given).expect("the configuration is written");
    let mut command = Command::new(program("haproxy"));
    command.arg("-db").arg("-q").arg("-f").arg(config);
    Program::start(&mut command, socket)
}
