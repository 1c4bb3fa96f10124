//! One server goes on where another one ends, at the same sockets and with the same data directory:
//! clients wait for a moment, and nobody is refused.
//!
//! The one that runs is the predecessor. It has a socket in its data directory, through which a successor
//! gets the sockets of the clients. Beside it the successor reads the directory into memory. Then the
//! predecessor finishes the requests under way and gives the directory up, and the successor reads what
//! was written last, compares what it has with what was left, and serves. Until it says so the
//! predecessor stands by: when the successor is gone before, it opens the directory again and goes on.

mod predecessor;
mod successor;

use crate::engine::{Left, versioned};
use crate::process::handover;
use crate::vfs::version::Versioned;

pub(super) use predecessor::{Succession, give};
pub(super) use successor::{Predecessor, Taken};

/// The name of the socket in the data directory.
const SOCKET: &str = "successor.sock";

/// What this program writes, as it is told.
fn formats() -> Vec<handover::Format> {
    let told = |it: &Versioned| handover::Format { name: it.what.to_owned(), version: it.known };
    versioned().map(told).collect()
}

/// What was left, as it is told.
fn told(left: &Left) -> handover::Left {
    handover::Left {
        last_seq: left.last_seq,
        salt: left.mark.map(|mark| mark.salt),
        crc: left.mark.map(|mark| mark.crc),
        digest: left.digest.map(|it| it.iter().map(|byte| format!("{byte:02x}")).collect()),
    }
}
