//! Writing the parts of a snapshot.

use super::{ANSWERED, ATOMIC, CLOSED, JOINED, LEFT, NO_OWNER, QUEUED, REVIVED, SERVED};
use crate::base::{AccountId, ReservationId};
use crate::event::Window;
use crate::ledger::account::Account;
use crate::ledger::idempotency::{Effect, KeyRecord, Terms};
use crate::ledger::queue::Queue;
use crate::ledger::reservations::Reservation;
use crate::ledger::shard::Shard;

pub(super) fn write_shard(shard: &Shard, bytes: &mut Vec<u8>) {
    put_u64(bytes, shard.accounts.len() as u64);
    for account in &shard.accounts {
        write_account(account, bytes);
    }
    put_u64(bytes, shard.reservations.numbered());
    put_u64(bytes, shard.reservations.len() as u64);
    shard.reservations.iter().for_each(|reservation| write_reservation(reservation, bytes));
    put_u64(bytes, shard.keys.len() as u64);
    for answer in shard.keys.iter() {
        write_key(answer, bytes);
    }
}

pub(super) fn write_reservation(reservation: &Reservation, bytes: &mut Vec<u8>) {
    put_u64(bytes, reservation.id.number());
    put_u64(bytes, reservation.expires_at);
    put_u32(bytes, reservation.owner.map_or(NO_OWNER, AccountId::number));
    bytes.push(reservation.lines.len() as u8);
    for line in &reservation.lines {
        put_u32(bytes, line.account.number());
        put_u64(bytes, line.quantity);
    }
}

pub(super) fn write_account(account: &Account, bytes: &mut Vec<u8>) {
    put_bytes(bytes, account.key.as_str().as_bytes());
    let (tag, length_ms, offset_ms) = match account.policy.window {
        Window::Never => (0, 0, 0),
        Window::Fixed { length_ms, offset_ms } => (1, length_ms, offset_ms),
        Window::Rolling { length_ms } => (2, length_ms, 0),
        Window::Outstanding => (3, 0, 0),
    };
    let numbers = [
        account.policy.backorder,
        account.policy.limit,
        tag | if account.is_closed { CLOSED } else { 0 }
            | if account.queue.is_some() { QUEUED } else { 0 }
            | if account.served().next().is_some() { SERVED } else { 0 },
        length_ms,
        offset_ms,
        account.available as u64,
        account.reserved,
        account.consumed,
        account.received,
        account.written_off,
    ];
    numbers.iter().for_each(|number| put_u64(bytes, *number));
    let lapses: Vec<_> = account.lapses.iter().collect();
    put_u64(bytes, lapses.len() as u64);
    for (at, count) in lapses {
        put_u64(bytes, at);
        put_u32(bytes, count);
    }
    let uses = account.uses.as_deref();
    put_u64(bytes, account.owed);
    put_u64(bytes, uses.map_or(0, |uses| uses.forgotten_before));
    put_u64(bytes, uses.map_or(0, |uses| uses.iter().len() as u64));
    for used in uses.into_iter().flat_map(|uses| uses.iter()) {
        [used.from, used.at, used.quantity].iter().for_each(|number| put_u64(bytes, *number));
    }
    account.queue.iter().for_each(|queue| write_queue(queue, bytes));
    if account.served().next().is_some() {
        put_u64(bytes, account.served().count() as u64);
        account.served().for_each(|at| put_u64(bytes, at));
    }
}

fn write_queue(queue: &Queue, bytes: &mut Vec<u8>) {
    put_u64(bytes, queue.given);
    put_u64(bytes, queue.places.len() as u64);
    for waiting in &queue.places {
        put_u64(bytes, waiting.place);
        put_u32(bytes, waiting.owner.number());
        put_u64(bytes, waiting.since);
        put_bytes(bytes, &waiting.body);
    }
}

fn write_key(answer: &KeyRecord, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&answer.number.to_le_bytes());
    [answer.fingerprint, answer.seq, answer.owner, answer.until]
        .iter()
        .for_each(|number| put_u64(bytes, *number));
    write_effect(&answer.effect, bytes);
}

fn write_effect(effect: &Effect, bytes: &mut Vec<u8>) {
    let of = |reservation: ReservationId, terms: Terms| {
        [reservation.number(), terms.expires_at, terms.units]
    };
    let (tag, numbers) = match *effect {
        Effect::Changed { account, available } => {
            (0, [account.number().into(), available as u64, 0])
        }
        Effect::Reserved { reservation, terms, confirmed } => {
            (1 + u8::from(confirmed), of(reservation, terms))
        }
        Effect::Confirmed { reservation, terms } => (3, of(reservation, terms)),
        Effect::Released { reservation, terms } => (4, of(reservation, terms)),
        Effect::Returned { reservation, terms } => (5, of(reservation, terms)),
        Effect::Noted { reservation } => (6, [reservation.number(), 0, 0]),
        Effect::Extended { reservation, terms } => (8, of(reservation, terms)),
        Effect::Revived { reservation, terms } => (REVIVED, of(reservation, terms)),
        Effect::ReturnedInPart { reservation } => (9, [reservation.number(), 0, 0]),
        Effect::DocumentPut => (10, [0; 3]),
        Effect::PolicySet { account } => (11, [account.number().into(), 0, 0]),
        Effect::Queued { account, place } => (JOINED, [account.number().into(), place, 0]),
        Effect::Dequeued { account, place } => (LEFT, [account.number().into(), place, 0]),
        Effect::Answered(ref answer) => (ANSWERED, [answer.len() as u64, 0, 0]),
        Effect::Atomic(ref effects) => (ATOMIC, [effects.len() as u64, 0, 0]),
        Effect::Transferred { from, to, from_available, to_available } => (
            7,
            [
                u64::from(from.number()) | u64::from(to.number()) << 32,
                from_available as u64,
                to_available as u64,
            ],
        ),
    };
    bytes.push(tag);
    numbers.iter().for_each(|number| put_u64(bytes, *number));
    match effect {
        Effect::Atomic(effects) => effects.iter().for_each(|effect| write_effect(effect, bytes)),
        Effect::Answered(answer) => bytes.extend_from_slice(answer),
        _ => {}
    }
}

fn put_u32(bytes: &mut Vec<u8>, number: u32) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

pub(super) fn put_u64(bytes: &mut Vec<u8>, number: u64) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

pub(super) fn put_bytes(bytes: &mut Vec<u8>, field: &[u8]) {
    put_u32(bytes, field.len() as u32);
    bytes.extend_from_slice(field);
}
