//! What tells a retry from another request under the same idempotency key.

use crate::command::Command;
use crate::event::Request;
use crate::types::{AccountId, IdempotencyKey, halves};

/// The request behind a command, where it has a key.
pub(super) fn request(command: &Command<'_>) -> Option<Request> {
    command.key().map(|key| {
        let fingerprint = key.body().unwrap_or_else(|| fingerprint(command));
        Request { key: IdempotencyKey::from_number(key.number()), fingerprint }
    })
}

/// A hash of everything the command asks for, but for the opaque details.
fn fingerprint(command: &Command<'_>) -> u64 {
    let mut hasher = blake3::Hasher::new();
    let mut put = |numbers: &[u64]| {
        for number in numbers {
            hasher.update(&number.to_le_bytes());
        }
    };
    match *command {
        Command::Receive { account, quantity, .. } => put(&[1, account.number().into(), quantity]),
        Command::Adjust { account, delta, .. } => put(&[2, account.number().into(), delta as u64]),
        Command::WriteOff { account, quantity, .. } => put(&[3, account.number().into(), quantity]),
        Command::Reserve(ref reserve) => {
            put(&[4, reserve.ttl_ms, reserve.confirm.into(), owner(reserve.owner)]);
            reserve.lines.iter().for_each(|line| put(&[line.account.number().into(), line.quantity]));
        }
        Command::Confirm { reservation, owner: by, quantities, .. } => {
            put(&[5, reservation.number(), owner(by), quantities.is_some().into()]);
            put(quantities.unwrap_or_default());
        }
        Command::Release { reservation, owner: by, .. } => put(&[6, reservation.number(), owner(by)]),
    }
    halves(&hasher)[0]
}

fn owner(owner: Option<AccountId>) -> u64 {
    owner.map_or(u64::MAX, |owner| owner.number().into())
}
