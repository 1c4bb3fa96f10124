//! The real nginx, as docs/operations.md configures it.

use std::path::Path;
use std::process::Command;

use super::program::{Program, block, program};

/// Starts it in `dir` before these servers, with what is added to its upstream.
pub(super) fn start(dir: &Path, servers: &[std::net::SocketAddr], upstream: &str) -> Program {
    let (socket, config) = (dir.join("nginx.sock"), dir.join("nginx.conf"));
    let at = |name: &str| dir.join(name).display().to_string();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {};", at(name)))
        .concat();
    let servers: String = servers.iter().map(|server| format!("server {server};")).collect();
    let given = block("nginx")
        .replace("server 127.0.0.1:3000;", &format!("{servers} {upstream}"))
        .replace("listen 80;", &format!("listen unix:{};", socket.display()));
    let text = format!(
        "daemon off; master_process off; pid {}; error_log stderr warn; events {{ }}
         http {{ access_log off; {temporary} {given} }}",
        at("nginx.pid"),
    );
    std::fs::write(&config, text).expect("the configuration is written");
    let mut command = Command::new(program("nginx"));
    command.arg("-p").arg(dir).arg("-c").arg(config).arg("-e").arg("stderr");
    Program::start(&mut command, socket)
}
