//! Would catch a mirror whose tables do not tell what the journal does, after whatever happened to
//! either side.
#![cfg(feature = "mysql")]
#![allow(missing_docs, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "tests keep files of their own")]

mod applications;
mod backlog;
mod baskets;
mod books;
mod catalogue;
#[path = "../../src/sink/mysql/errors.rs"]
mod db_errors;
#[path = "../../src/trials/bench/dbserver.rs"]
mod dbserver;
mod deliveries;
mod errors;
mod fence;
mod hostile;
mod kill;
mod lab;
mod lab_tests;
mod late;
mod levels;
mod lock;
mod locks;
mod lost;
mod lots;
mod mall;
mod migrate;
mod outage;
mod ownership;
mod parts;
mod poison;
mod preferences;
mod proxy;
mod queries;
mod reload;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod upgrade;
mod whole;
mod wire;
