//! What callers ask, and how an answer is understood.

use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use serde::Deserialize;
use serde_json::{Value, json};

use super::acts::Act;
use super::products::PRODUCTS;
use super::units::Units;
use crate::base::{ReservationId, TimeMs};
use crate::trials::client::Client;

/// Longer than the server is ever stopped.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request that changes something. Users and products go by their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Exchange {
        user: usize,
        units: Units,
        /// As `items`, which several products need.
        as_basket: bool,
        confirm: bool,
    },
    /// An act upon an order of this user.
    Order {
        user: usize,
        order: ReservationId,
        act: Act,
    },
    Award {
        user: usize,
        points: u64,
    },
    Receive {
        product: usize,
        quantity: u64,
    },
    Adjust {
        product: usize,
        delta: i64,
    },
}

impl Ask {
    /// Whose token it needs; `None` for an operator's.
    pub(super) fn user(self) -> Option<usize> {
        match self {
            Self::Exchange { user, .. } => Some(user),
            Self::Order { user, act, .. } => Some(user).filter(|_| !act.is_operators()),
            Self::Award { .. } | Self::Receive { .. } | Self::Adjust { .. } => None,
        }
    }

    /// Method, path and body; `name` tells the name of a user.
    pub(super) fn request<'a>(self, name: impl Fn(usize) -> &'a str) -> (Method, String, Value) {
        let inventory =
            |product: usize, what| format!("/api/admin/inventory/{}/{what}", PRODUCTS[product].0);
        let (path, body) = match self {
            Self::Exchange { units, as_basket, confirm, .. } => {
                ("/api/mall/exchange".into(), exchange(units, as_basket, confirm))
            }
            Self::Order { order, act, .. } => return act.request(order),
            Self::Award { user, points } => (
                format!("/api/admin/points/{}/award", name(user)),
                json!({"points": points, "reason": "soak"}),
            ),
            Self::Receive { product, quantity } => {
                (inventory(product, "receive"), json!({"quantity": quantity, "reason": "soak"}))
            }
            Self::Adjust { product, delta } => {
                (inventory(product, "adjust"), json!({"delta": delta, "reason": "soak"}))
            }
        };
        (Method::POST, path, body)
    }
}

fn exchange(units: Units, as_basket: bool, confirm: bool) -> Value {
    let item = |(product, quantity): (usize, u64)| json!({"productId": PRODUCTS[product].0, "quantity": quantity});
    let mut items = units.iter().map(item);
    let mut body = match as_basket {
        true => json!({"items": items.collect::<Value>()}),
        false => items.next().unwrap_or_default(),
    };
    body["confirm"] = confirm.into();
    body
}

/// A request, and the number of the key under which it may be asked again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) ask: Ask,
    pub(super) key: Option<u64>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) code: String,
    pub(super) data: Value,
    pub(super) timestamp: TimeMs,
    /// All of it but the timestamp: what a retry must hear again.
    pub(super) lasting: String,
}

#[derive(Deserialize)]
struct Envelope {
    code: String,
    #[serde(default)]
    data: Value,
    timestamp: TimeMs,
}

impl Reply {
    fn parse(body: &[u8]) -> Option<Self> {
        let Envelope { code, data, timestamp } = serde_json::from_slice(body).ok()?;
        let text = std::str::from_utf8(body).ok()?;
        let lasting = text.replacen(&format!("\"timestamp\":{timestamp}"), "", 1);
        Some(Self { code, data, timestamp, lasting })
    }

    /// Whether it says what came out. After the other codes a request may have had its effect.
    pub(super) fn is_clear(&self) -> bool {
        !matches!(self.code.as_str(), "UNAVAILABLE" | "OUTCOME_UNKNOWN" | "INTERNAL")
    }

    /// Whether it says that the server could not, for now, and that nothing came of it.
    pub(super) fn says_that_nothing_changed(&self) -> bool {
        matches!(self.code.as_str(), "OVERLOADED" | "LOW_SPACE" | "DISK_STALLED")
    }

    pub(super) fn is_success(&self) -> bool {
        self.code == "SUCCESS"
    }

    /// A number of the data; 0 when there is none.
    pub(super) fn number(&self, name: &str) -> u64 {
        self.data[name].as_u64().unwrap_or_default()
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.data[name].as_str().unwrap_or_default()
    }
}

/// Sends a request and waits for its answer; `None` when there is none, or one that nobody
/// understands.
pub(super) async fn send(
    client: &mut Client,
    method: Method,
    path: &str,
    token: &HeaderValue,
    key: Option<&str>,
    body: Bytes,
) -> Option<Reply> {
    let answer =
        tokio::time::timeout(PATIENCE, client.send_keyed(method, path, token, key, body)).await;
    Reply::parse(&answer.ok()?.ok()?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_the_same_whenever_it_is_given() {
        let reply = |timestamp: u64| {
            let body = format!(
                r#"{{"success":true,"code":"SUCCESS","message":"","data":{{"a":7}},"timestamp":{timestamp}}}"#
            );
            Reply::parse(body.as_bytes()).expect("an envelope")
        };
        let (first, again) = (reply(17), reply(18));
        assert_eq!(
            (first.lasting.as_str(), first.number("a"), first.timestamp),
            (again.lasting.as_str(), 7, 17)
        );
        assert!(Reply::parse(b"<html>").is_none(), "what is no envelope is no answer");
    }
}
