//! Would catch a mirror whose tables do not tell what the journal does, after whatever happened to either side.
#![cfg(feature = "mysql")]
#![allow(missing_docs, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "tests keep files of their own")]

mod lab;
mod lab_tests;
#[path = "../../src/measure/mariadb.rs"]
mod mariadb;
mod proxy;
