//! What the server says once it serves.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::base::error::{Error, Result};
use crate::mall::DEMO_USER;
use crate::process::print;

/// How long the greeting waits for somebody to read it.
const GREETING_LIMIT: Duration = Duration::from_secs(2);

/// Says what to try next.
pub(super) fn announce(address: SocketAddr, demo_token: Option<&str>) -> Result<()> {
    tracing::info!(%address, "serving");
    let next = demo_token.map_or_else(
        || "Make a token with: stockhold token --user NAME\n".to_owned(),
        |token| {
            format!(
                "\nTry:\n\n  curl -s http://{address}/api/mall/products\n\n  \
                 curl -s http://{address}/api/mall/exchange \\\n    -H 'Authorization: Bearer {token}' \\\n    \
                 -H 'Content-Type: application/json' \\\n    \
                 -d '{{\"productId\":\"prod_starbucks\",\"quantity\":1,\"confirm\":true}}'\n\n  \
                 curl -s http://{address}/api/points/balance -H 'Authorization: Bearer {token}'\n\n\
                 The token is valid for a day; `stockhold token --user {DEMO_USER}` with the same --data-dir makes \
                 another.\n"
            )
        },
    );
    greet(format!("Stockhold is serving on http://{address}\n{next}"))
}

/// Prints on its own thread: a pipe that is not read must not keep the server from serving.
fn greet(text: String) -> Result<()> {
    let (done, is_done) = mpsc::channel();
    let greeted = move || {
        // The caller may have stopped waiting.
        let _ = done.send(print(&text));
    };
    let thread = thread::Builder::new().name("stockhold-greeting".into()).spawn(greeted);
    thread.map_err(|cause| Error::io("starting a thread", cause))?;
    is_done.recv_timeout(GREETING_LIMIT).unwrap_or_else(|_| {
        tracing::warn!("nobody reads the standard output");
        Ok(())
    })
}
