//! What the server says once it serves.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::base::error::{Error, Result};
use crate::http::{Audience, Place};
use crate::mall::DEMO_USER;
use crate::process::print;

/// How it begins.
pub(super) const IS_SERVING: &str = "Stockhold is serving ";
/// How long the greeting waits for somebody to read it.
const GREETING_LIMIT: Duration = Duration::from_secs(2);

/// With what somebody tries the demo.
#[derive(Debug)]
pub(super) struct Hint {
    pub(super) token: String,
    /// Of a link that signs a browser in.
    pub(super) code: String,
}

/// Says where the server is, and what to try next.
pub(super) fn announce(places: &[(Audience, Place)], hint: Option<&Hint>) -> Result<()> {
    for (audience, place) in places {
        match audience {
            Audience::Everybody => tracing::info!(address = %place, "serving"),
            Audience::Operators => tracing::info!(address = %place, "serving operators"),
        }
    }
    let (curl, base, program) = (curl(everybodys(places)), base(everybodys(places)), program());
    let next = hint.map_or_else(
        || {
            format!(
                "Make a token with: {program} token --user NAME\n\
                 Sign a browser in with: {program} token --user NAME --link --at {base}\n"
            )
        },
        |Hint { token, code }| {
            format!(
                "\nIn a browser, once, within ten minutes:\n\n  {base}/sign-in?code={code}\n\nTry:\n\n  {curl}/api/mall/products\n\n  \
                 {curl}/api/mall/exchange \\\n    -H 'Authorization: Bearer {token}' \\\n    \
                 -H 'Content-Type: application/json' \\\n    \
                 -d '{{\"productId\":\"prod_starbucks\",\"quantity\":1,\"confirm\":true}}'\n\n  \
                 {curl}/api/points/balance -H 'Authorization: Bearer {token}'\n\n\
                 The token is valid for a day; `{program} token --user {DEMO_USER}` with the same --data-dir makes \
                 another,\nand with --link --at {base} another link; with --role operator, too, one into the console.\n"
            )
        },
    );
    let docs = format!("What can be asked: {base}/docs");
    greet(format!("{IS_SERVING}{}\n{docs}\n{next}", where_it_is(places)))
}

/// This program as it was called: whoever did so can do it again.
fn program() -> String {
    let called = std::env::args_os().next();
    called.map_or_else(|| "stockhold".to_owned(), |it| it.to_string_lossy().into_owned())
}

/// Where a server is that serves at these places, a line each.
fn where_it_is(places: &[(Audience, Place)]) -> String {
    let line = |(audience, place): &(Audience, Place)| match audience {
        Audience::Everybody => format!("on {}", shown(place)),
        Audience::Operators => format!("operators on {}", shown(place)),
    };
    places.iter().map(line).collect::<Vec<_>>().join("\nand ")
}

/// A place as people read it.
fn shown(place: &Place) -> String {
    match place {
        Place::Tcp(address) => format!("http://{address}"),
        Place::Tls(address) => format!("https://{address}"),
        Place::Unix(_) => place.to_string(),
    }
}

/// The first place that is not for operators alone.
fn everybodys(places: &[(Audience, Place)]) -> Option<&Place> {
    let all = places.iter().filter(|(audience, _)| *audience == Audience::Everybody);
    all.map(|(_, place)| place).next()
}

/// What stands before a path there.
fn base(place: Option<&Place>) -> String {
    match place {
        Some(Place::Tcp(address)) => format!("http://{address}"),
        Some(Place::Tls(address)) => format!("https://{address}"),
        Some(Place::Unix(_)) => "http://localhost".to_owned(),
        None => "http://ADDRESS".to_owned(),
    }
}

/// How to ask for something there, but for the path.
fn curl(place: Option<&Place>) -> String {
    match place {
        Some(Place::Unix(path)) => {
            format!("curl -s --unix-socket {} {}", path.display(), base(place))
        }
        Some(Place::Tcp(_) | Place::Tls(_)) | None => format!("curl -s {}", base(place)),
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
