//! The mall over HTTP: parse, call, map.
//!
//! A handler reads a request into the mall's terms, calls it, and writes what came back; no stock rule lives here.

mod admin;
mod auth;
mod body;
mod call;
mod catalogue;
mod decimal;
mod document;
mod error;
mod exchange;
mod format;
mod health;
mod key;
mod messagepack;
mod mirror;
mod orders;
mod points;
mod query;
mod reply;
mod router;
mod server;
mod token;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::mall::Mall;
use crate::mirror::MirrorView;

pub(crate) use auth::SECRET_BYTES_MIN;
pub use auth::{Auth, Role};
pub use server::run;

/// The bounds of the server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How many connections are served at one time; the next waits to be accepted.
    pub connections: usize,
    /// The longest body of a request, in bytes.
    pub body_bytes: usize,
    /// How long a client may take to send a request's head, and how long a kept connection may be idle.
    pub header_timeout: Duration,
    /// How long a client may take to send a request's body.
    pub body_timeout: Duration,
    /// How long a client may leave an answer unread while the connection takes no more of it.
    pub write_timeout: Duration,
    /// How long requests under way may take to finish at shutdown.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            body_bytes: 64 * 1024,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(20),
        }
    }
}

/// What the handlers work on.
pub struct App {
    mall: Mall,
    auth: Auth,
    limits: Limits,
    router: router::Router,
    /// Set when the server stops accepting; `/ready` says so to whoever is still connected.
    draining: AtomicBool,
    /// `None` without a mirror.
    mirror: Option<MirrorView>,
}

impl App {
    /// The mall behind an address, for callers that `auth` knows.
    pub fn new(mall: Mall, auth: Auth, limits: Limits) -> Self {
        Self { mall, auth, limits, router: router::Router::new(), draining: AtomicBool::new(false), mirror: None }
    }

    /// Lets operators look at this mirror.
    pub(crate) fn with_mirror(self, mirror: Option<MirrorView>) -> Self {
        Self { mirror, ..self }
    }

    fn is_draining(&self) -> bool {
        // Relaxed: the flag is the whole message.
        self.draining.load(Ordering::Relaxed)
    }
}
