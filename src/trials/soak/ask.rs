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
    /// Points, which are good until the end of the day of this moment, or for ever.
    Award {
        user: usize,
        points: u64,
        until: Option<TimeMs>,
    },
    Deduct {
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
    WriteOff {
        product: usize,
        quantity: u64,
    },
    /// From what is sold to the caller's own location, or back.
    Transfer {
        product: usize,
        quantity: u64,
        is_back: bool,
    },
    /// So many are at the caller's own location.
    Count {
        product: usize,
        counted: u64,
    },
    Join {
        user: usize,
        product: usize,
    },
    Leave {
        user: usize,
        product: usize,
    },
}

impl Ask {
    /// Whose token it needs; `None` for an operator's.
    pub(super) fn user(self) -> Option<usize> {
        match self {
            Self::Exchange { user, .. } => Some(user),
            Self::Order { user, act, .. } => Some(user).filter(|_| !act.is_operators()),
            Self::Join { user, .. } | Self::Leave { user, .. } => Some(user),
            Self::Award { .. } | Self::Deduct { .. } | Self::Receive { .. } => None,
            Self::Adjust { .. } | Self::WriteOff { .. } => None,
            Self::Transfer { .. } | Self::Count { .. } => None,
        }
    }

    /// Whether a key names it: places in a line do without.
    pub(super) fn takes_a_key(self) -> bool {
        !matches!(self, Self::Join { .. } | Self::Leave { .. })
    }

    /// The product of which it changes what is at the caller's own location.
    pub(super) fn stored(self) -> Option<usize> {
        match self {
            Self::Transfer { product, .. } | Self::Count { product, .. } => Some(product),
            _ => None,
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
            Self::Award { user, points, until } => {
                let mut body = json!({"points": points, "reason": "soak"});
                if let Some(until) = until {
                    body["expiresAt"] = until.into();
                }
                (format!("/api/admin/points/{}/award", name(user)), body)
            }
            Self::Deduct { user, points } => (
                format!("/api/admin/points/{}/deduct", name(user)),
                json!({"points": points, "reason": "soak"}),
            ),
            Self::WriteOff { product, quantity } => {
                (inventory(product, "write-off"), json!({"quantity": quantity, "reason": "soak"}))
            }
            Self::Transfer { product, quantity, is_back } => {
                let here = (Value::Null, Value::from(location_of(name(0))));
                let (from, to) = if is_back { (here.1, here.0) } else { here };
                let body = json!({"from": from, "to": to, "quantity": quantity, "reason": "soak"});
                (inventory(product, "transfer"), body)
            }
            Self::Count { product, counted } => {
                let location = location_of(name(0));
                let body = json!({"counted": counted, "reason": "soak", "location": location});
                (inventory(product, "count"), body)
            }
            Self::Join { product, .. } | Self::Leave { product, .. } => {
                let path = format!("/api/mall/products/{}/waiting-list", PRODUCTS[product].0);
                let is_join = matches!(self, Self::Join { .. });
                let method = if is_join { Method::POST } else { Method::DELETE };
                return (method, path, json!({}));
            }
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

/// The location that a caller has for itself, by the name of its first user.
pub(super) fn location_of(user: &str) -> String {
    format!("{user}-shelf")
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
