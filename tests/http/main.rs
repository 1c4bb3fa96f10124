//! The HTTP API of a mall in this process: one module for each scenario. Nothing here starts another
//! process: engines are closed and opened again, and a child that is being born holds their locks.
#![cfg(feature = "bin")]

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod alerts;
mod bad_input;
mod baskets;
mod catalogue;
mod catalogue_editing;
mod catalogue_keys;
mod console;
mod degraded;
mod deliveries;
mod experiments;
mod held;
mod http2;
mod idempotency;
mod inventory;
mod inventory_records;
mod late;
mod ledger;
mod levels;
mod lots;
mod low_space;
mod manual;
mod metrics;
mod order_lists;
mod orders;
mod overload;
mod pages;
mod points;
mod points_batch;
mod preferences;
mod problems;
mod product_views;
mod protocol;
mod proxies;
mod rates;
mod recommendations;
mod refunds;
mod remarks;
mod reports;
mod request_ids;
mod revocations;
mod roles;
mod sales;
mod seed_acceptance;
mod sheets;
mod slow_clients;
mod tls;
mod waiting;
mod waiting_lists;
mod webhooks;
mod webhooks_behind;
mod webhooks_down;
mod webhooks_keyed;
