//! What a row of the table of the API says of a request: see `route`.

use std::fmt::Write as _;

use hyper::Method;

use super::access::{Access, At};
use super::visit::Offer;

/// One thing that can be asked, but for who answers.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) method: Method,
    /// Its parameters stand in braces.
    pub(super) path: &'static str,
    pub(super) access: Access,
    #[cfg_attr(not(test), expect(dead_code, reason = "the documents are held to it"))]
    pub(super) takes: Takes,
    pub(super) summary: &'static str,
}

/// What body comes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// None is looked at.
    Nothing,
    /// None, or one without fields.
    Empty,
    /// None, or one that says something.
    Optional,
    /// One that says something.
    Fields,
}

impl Row {
    /// The path with its parameters filled in: what it means, however it was spelled.
    pub(super) fn path_with(&self, parameters: &[&str]) -> String {
        let mut path = String::with_capacity(self.path.len());
        let mut parameters = parameters.iter();
        for segment in self.path.split('/').skip(1) {
            let shown = if segment.starts_with('{') { parameters.next() } else { None };
            // Writing to a string cannot fail.
            let _ = write!(path, "/{}", shown.unwrap_or(&segment));
        }
        path
    }

    /// Whether it is there for whoever comes by a listener with this offer.
    pub(super) fn is_offered(&self, offer: Offer) -> bool {
        let is_for_all = self.is_watched() || self.is_door();
        let at = if is_for_all { At::Both } else { self.access.at() };
        match (offer, at) {
            (Offer::Everything, _) | (_, At::Both) => true,
            (Offer::Users, At::Everybodys) | (Offer::Operators, At::Operators) => true,
            (Offer::Users, At::Operators) | (Offer::Operators, At::Everybodys) => false,
        }
    }

    /// Whether it is asked by whoever watches over the server, who must never be told to wait.
    pub(super) fn is_watched(&self) -> bool {
        matches!(self.path, "/health" | "/ready")
    }

    /// Whether it is a page that people of all kinds need to see any other.
    fn is_door(&self) -> bool {
        matches!(self.path, "/sign-in" | "/sign-out" | "/language" | "/assets/{name}")
    }

    /// Whose keys, and of what, are told apart from others. A user's name has no space, so its
    /// parts cannot run into each other; POST, which is older than the other methods, goes without
    /// its name.
    pub(super) fn idempotency_scope(&self, user: &str, path: &str) -> String {
        match self.method {
            Method::POST => format!("{user} {path}"),
            _ => format!("{user} {} {path}", self.method),
        }
    }
}
