//! What the server says once it serves.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::base::error::{Error, Result};
use crate::http::Place;
use crate::mall::DEMO_USER;
use crate::process::print;

/// How long the greeting waits for somebody to read it.
const GREETING_LIMIT: Duration = Duration::from_secs(2);

/// Says where the server is, and what to try next.
pub(super) fn announce(places: &[Place], demo_token: Option<&str>) -> Result<()> {
    for place in places {
        tracing::info!(address = %place, "serving");
    }
    let curl = curl(places);
    let next = demo_token.map_or_else(
        || "Make a token with: stockhold token --user NAME\n".to_owned(),
        |token| {
            format!(
                "\nTry:\n\n  {curl}/api/mall/products\n\n  \
                 {curl}/api/mall/exchange \\\n    -H 'Authorization: Bearer {token}' \\\n    \
                 -H 'Content-Type: application/json' \\\n    \
                 -d '{{\"productId\":\"prod_starbucks\",\"quantity\":1,\"confirm\":true}}'\n\n  \
                 {curl}/api/points/balance -H 'Authorization: Bearer {token}'\n\n\
                 The token is valid for a day; `stockhold token --user {DEMO_USER}` with the same --data-dir makes \
                 another.\n"
            )
        },
    );
    let shown: Vec<_> = places.iter().map(shown).collect();
    greet(format!("Stockhold is serving on {}\n{next}", shown.join("\nand on ")))
}

/// A place as people read it.
fn shown(place: &Place) -> String {
    match place {
        Place::Tcp(address) => format!("http://{address}"),
        Place::Unix(_) => place.to_string(),
    }
}

/// How to ask for something at the first of these places.
fn curl(places: &[Place]) -> String {
    match places.first() {
        Some(Place::Tcp(address)) => format!("curl -s http://{address}"),
        Some(Place::Unix(path)) => {
            format!("curl -s --unix-socket {} http://localhost", path.display())
        }
        None => "curl -s http://ADDRESS".to_owned(),
    }
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
