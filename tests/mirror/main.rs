//! Would catch a mirror whose tables do not tell what the journal does, after whatever happened to either side.
#![cfg(feature = "mysql")]
#![allow(missing_docs, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "tests keep files of their own")]

mod backlog;
mod books;
#[path = "../../src/measure/dbserver.rs"]
mod dbserver;
mod fence;
mod kill;
mod lab;
mod lab_tests;
mod locks;
mod mall;
mod migrate;
mod outage;
mod poison;
mod proxy;
mod queries;
mod reload;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod whole;
mod wire;
