//! Scenarios of the generic API: callers that are no mall.

mod accounts;
mod batches;
#[cfg(feature = "client")]
mod client;
mod doors;
mod events;
mod formats;
mod reservations;

use serde_json::{Value, json};
use stockhold::http::Role;

use crate::support::{Client, Shop};

/// A program that keeps seats.
async fn service(shop: &Shop) -> Client {
    shop.client("box-office", Role::Service).await
}

/// The path of an account, or of what is done to it.
fn of(key: &str, act: &str) -> String {
    format!("/v1/accounts/{}{act}", key.replace('/', "%2F"))
}

/// Opens an account with units.
async fn open(client: &mut Client, key: &str, units: u64) -> Value {
    let opened = client.post("/v1/accounts", json!({"key": key})).await.data();
    if units > 0 {
        client.post(&of(key, "/receive"), json!({"quantity": units})).await.data();
    }
    opened
}

/// Numbers of an account that have to be these: available, reserved, consumed, received, written off.
async fn numbers(client: &mut Client, key: &str) -> [i64; 5] {
    let told = client.get(&of(key, "")).await.data();
    ["available", "reserved", "consumed", "received", "writtenOff"]
        .map(|name| told[name].as_i64().expect("a number"))
}

/// Reserves units, and answers with the reservation's number.
async fn reserve(client: &mut Client, lines: Value) -> String {
    let made = client.post("/v1/reservations", json!({"lines": lines, "ttlMs": 60_000})).await;
    made.data()["reservation"].as_str().expect("a text").to_owned()
}
