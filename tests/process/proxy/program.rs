//! A proxy as a process, and what the documents configure it with.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::UnixStream;

const PATIENCE: Duration = Duration::from_secs(60);

/// A proxy that listens on a Unix socket. Dropped, it is killed.
pub(super) struct Program {
    child: Child,
    socket: PathBuf,
}

impl Program {
    pub(super) fn start(command: &mut Command, socket: PathBuf) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        Self { child: command.spawn().expect("the proxy starts"), socket }
    }

    pub(super) async fn connect(&self) -> UnixStream {
        let connected = async {
            loop {
                if let Ok(stream) = UnixStream::connect(&self.socket).await {
                    return stream;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, connected).await.expect("the proxy listens in time")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Where a proxy is installed.
pub(super) fn program(name: &str) -> PathBuf {
    let paths = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin";
    let mut found = std::env::split_paths(&paths).map(|dir| dir.join(name));
    let found = found.find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!("{name} is installed: scripts/test does that, or install the package {name}")
    })
}

/// What docs/operations.md has for a proxy.
pub(super) fn block(language: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let text = std::fs::read_to_string(path).expect("the document is readable");
    let begun = text.split(&format!("```{language}\n")).nth(1).expect("it has a configuration");
    begun.split("```").next().expect("it has an end").to_owned()
}
