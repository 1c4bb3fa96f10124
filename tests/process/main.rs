//! The `stockhold` program as a process: started, asked, killed, stopped, starved. One module for
//! each scenario.
#![cfg(feature = "bin")]

#[path = "../support/mod.rs"]
mod support;

mod backup;
mod check_config;
mod connections;
mod console;
mod demo;
mod descriptors;
mod flash_sale;
#[cfg(target_os = "linux")]
mod full_disk;
mod handover;
mod health;
mod hung_disk;
mod listeners;
mod logs;
mod notify;
mod points_service;
mod probe;
mod proxy;
mod published_keys;
mod recovery;
mod reports;
mod secrets;
mod settings;
mod shutdown;
#[cfg(target_os = "linux")]
mod soak;
mod tls;
mod token_keys;
mod top;
#[cfg(all(feature = "otel", feature = "test-util"))]
mod traces;
#[cfg(target_os = "linux")]
mod unread_log;
mod webhooks;
