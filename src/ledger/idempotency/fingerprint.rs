//! What tells a retry from another request under the same idempotency key.

use super::key_space::KeyLimits;
use super::table::KeyMatch;
use crate::base::{AccountId, IdempotencyKey, ReservationId, TimeMs, halves};
use crate::event::{Kept, Policy, Request, Window};
use crate::ledger::{
    Adjust, Atomic, Command, Confirm, Deadline, Extend, Join, Leave, Noting, PutDocument,
    Reacquire, Receive, Release, Return, SetPolicy, Transfer, WriteOff,
};

/// What the hashes of notes and others begin with; commands begin with smaller numbers.
const NOTE: u64 = 1 << 32;
/// What that of a return begins with that asks for another thing than a release.
const RETURN: u64 = 2 << 32;
const DOCUMENT: u64 = 3 << 32;
const POLICY: u64 = 4 << 32;
const ATOMIC: u64 = 5 << 32;
const JOIN: u64 = 6 << 32;
const LEAVE: u64 = 7 << 32;
const ANSWER: u64 = 8 << 32;

/// What a request with a key carries into its event, and how its retries are known.
#[derive(Clone, Copy, Debug)]
pub(in crate::ledger) struct Keyed {
    pub(in crate::ledger) request: Request,
    pub(in crate::ledger) owner: u64,
    pub(in crate::ledger) matching: KeyMatch,
}

/// The request behind a command, where it has a key.
pub(in crate::ledger) fn of_command(
    command: &Command<'_>,
    limits: &KeyLimits,
    now: TimeMs,
) -> Option<Keyed> {
    command.key().map(|key| of(key, limits, now, |of_then| fingerprint(command, of_then)))
}

/// The request behind a return, where it has a key. Of everything that is left, it asks for what a
/// release asks for: that the reservation be given up.
pub(in crate::ledger) fn of_return(
    reservation: ReservationId,
    asked: &Return<'_>,
    limits: &KeyLimits,
    now: TimeMs,
) -> Option<Keyed> {
    let Return { part, written_off, owner: by, .. } = *asked;
    let release = Command::Release(Release { reservation, owner: by, key: None });
    let is_release = part.is_none() && written_off.is_empty();
    let fingerprint = |of_then| {
        if is_release {
            return fingerprint(&release, of_then);
        }
        let mut hasher = blake3::Hasher::new();
        let mut put = |number: u64| {
            hasher.update(&number.to_le_bytes());
        };
        for number in [RETURN, reservation.number(), owner(by), part.is_some().into()] {
            put(number);
        }
        let part = part.unwrap_or_default();
        put(part.len() as u64);
        for line in part {
            put(line.account.number().into());
            put(line.quantity);
        }
        written_off.iter().for_each(|account| put(account.number().into()));
        halves(&hasher)[0]
    };
    asked.key.map(|key| of(key, limits, now, fingerprint))
}

/// The request to revive an expired reservation, where it has a key. It asks for what a confirm
/// asks for: that the reservation be confirmed.
pub(in crate::ledger) fn of_reacquire(
    asked: &Reacquire,
    limits: &KeyLimits,
    now: TimeMs,
) -> Option<Keyed> {
    let Reacquire { reservation, owner, key } = *asked;
    let confirm = Command::Confirm(Confirm { reservation, owner, quantities: None, key: None });
    key.map(|key| of(key, limits, now, |of_then| fingerprint(&confirm, of_then)))
}

/// The request behind a note, where it has a key.
pub(in crate::ledger) fn of_note(
    note: &Noting<'_>,
    limits: &KeyLimits,
    now: TimeMs,
) -> Option<Keyed> {
    let numbers = [NOTE, note.reservation.number(), owner(note.owner)];
    note.key.map(|key| of(key, limits, now, |_| of_numbers(&numbers, note.body)))
}

/// The request to put a document, where it has a key.
pub(in crate::ledger) fn of_document(
    put: &PutDocument<'_>,
    limits: &KeyLimits,
    now: TimeMs,
) -> Option<Keyed> {
    let PutDocument { collection, name, body, key } = *put;
    let fingerprint = || {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&DOCUMENT.to_le_bytes());
        for text in [Some(collection.as_bytes()), Some(name.as_bytes()), body] {
            // No text is as long as what stands for none.
            let length = text.map_or(u64::MAX, |text| text.len() as u64);
            hasher.update(&length.to_le_bytes());
            hasher.update(text.unwrap_or_default());
        }
        halves(&hasher)[0]
    };
    key.map(|key| of(key, limits, now, |_| fingerprint()))
}

/// The request for other rules, where it has a key.
pub(in crate::ledger) fn of_policy(
    set: &SetPolicy,
    limits: &KeyLimits,
    now: TimeMs,
) -> Option<Keyed> {
    let SetPolicy { account, policy, key } = *set;
    let fingerprint = || {
        let Policy { backorder, limit, window } = policy;
        let window = match window {
            Window::Never => [0, 0, 0],
            Window::Fixed { length_ms, offset_ms } => [1, length_ms, offset_ms],
            Window::Rolling { length_ms } => [2, length_ms, 0],
            Window::Outstanding => [3, 0, 0],
        };
        let mut hasher = blake3::Hasher::new();
        let numbers = [POLICY, account.number().into(), backorder, limit];
        for number in numbers.into_iter().chain(window) {
            hasher.update(&number.to_le_bytes());
        }
        halves(&hasher)[0]
    };
    key.map(|key| of(key, limits, now, |_| fingerprint()))
}

/// The request for a place in a line, where it has a key.
pub(in crate::ledger) fn of_join(
    join: &Join<'_>,
    limits: &KeyLimits,
    now: TimeMs,
) -> Option<Keyed> {
    let Join { account, owner, places_max, body, key } = *join;
    let numbers = [JOIN, account.number().into(), owner.number().into(), places_max as u64];
    key.map(|key| of(key, limits, now, |_| of_numbers(&numbers, body)))
}

/// The request to give up a place in a line, where it has a key.
pub(in crate::ledger) fn of_leave(
    leave: &Leave<'_>,
    limits: &KeyLimits,
    now: TimeMs,
) -> Option<Keyed> {
    let Leave { account, owner, place, note, key } = *leave;
    let place = place.unwrap_or(u64::MAX);
    let numbers = [LEAVE, account.number().into(), owner.number().into(), place];
    key.map(|key| of(key, limits, now, |_| of_numbers(&numbers, note.as_bytes())))
}

/// The request that is answered in the engine's place. Whatever is told, it is the same request.
pub(in crate::ledger) fn of_answer(key: IdempotencyKey, limits: &KeyLimits, now: TimeMs) -> Keyed {
    of(key, limits, now, |_| of_numbers(&[ANSWER], &[]))
}

fn of_numbers(numbers: &[u64], text: &[u8]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for number in numbers {
        hasher.update(&number.to_le_bytes());
    }
    hasher.update(text);
    halves(&hasher)[0]
}

/// The request behind commands that happen together, where it has a key.
pub(in crate::ledger) fn of_atomic(
    atomic: &Atomic<'_>,
    limits: &KeyLimits,
    now: TimeMs,
) -> Option<Keyed> {
    let fingerprints = || {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&ATOMIC.to_le_bytes());
        for command in atomic.commands {
            hasher.update(&fingerprint(command, false).to_le_bytes());
        }
        halves(&hasher)[0]
    };
    atomic.key.map(|key| of(key, limits, now, |_| fingerprints()))
}

fn of(
    key: IdempotencyKey,
    limits: &KeyLimits,
    now: TimeMs,
    fingerprint: impl Fn(bool) -> u64,
) -> Keyed {
    let by_body = key.body();
    let now_made = by_body.unwrap_or_else(|| fingerprint(false));
    let then_made = by_body.unwrap_or_else(|| fingerprint(true));
    let kept = Kept { owner: key.owner(), until: now.saturating_add(limits.window_ms) };
    let request = Request {
        key: IdempotencyKey::from_number(key.number()),
        fingerprint: now_made,
        kept: Some(kept),
    };
    Keyed { request, owner: key.owner(), matching: KeyMatch::Fingerprint(now_made, then_made) }
}

/// A hash of everything the command asks for. Up to 0.1.0 (`of_then`) that was without notes and
/// details.
fn fingerprint(command: &Command<'_>, of_then: bool) -> u64 {
    let mut hasher = blake3::Hasher::new();
    let mut put = |numbers: &[u64]| {
        for number in numbers {
            hasher.update(&number.to_le_bytes());
        }
    };
    let text = match *command {
        Command::Receive(Receive { account, quantity, note, .. }) => {
            put(&[1, account.number().into(), quantity]);
            Some(note.as_bytes())
        }
        Command::Adjust(Adjust { account, delta, counted, note, .. }) => {
            match counted {
                None => put(&[2, account.number().into(), delta as u64]),
                Some(units) => put(&[11, account.number().into(), units]),
            }
            Some(note.as_bytes())
        }
        Command::WriteOff(WriteOff { account, quantity, note, .. }) => {
            put(&[3, account.number().into(), quantity]);
            Some(note.as_bytes())
        }
        Command::Reserve(ref reserve) => {
            let (kind, time) = match reserve.deadline {
                Deadline::After(ttl_ms) => (4, ttl_ms),
                Deadline::At(expires_at) => (7, expires_at),
            };
            put(&[kind, time, reserve.confirm.into(), owner(reserve.owner)]);
            reserve
                .lines
                .iter()
                .for_each(|line| put(&[line.account.number().into(), line.quantity]));
            Some(reserve.details)
        }
        Command::Confirm(Confirm { reservation, owner: by, quantities, .. }) => {
            put(&[5, reservation.number(), owner(by), quantities.is_some().into()]);
            put(quantities.unwrap_or_default());
            None
        }
        Command::Release(Release { reservation, owner: by, .. }) => {
            put(&[6, reservation.number(), owner(by)]);
            None
        }
        Command::Extend(Extend { reservation, deadline, owner: by, .. }) => {
            let (kind, time) = match deadline {
                Deadline::After(ttl_ms) => (9, ttl_ms),
                Deadline::At(expires_at) => (10, expires_at),
            };
            put(&[kind, reservation.number(), time, owner(by)]);
            None
        }
        Command::Transfer(Transfer { from, to, quantity, note, .. }) => {
            put(&[8, from.number().into(), to.number().into(), quantity]);
            Some(note.as_bytes())
        }
    };
    if let Some(text) = text.filter(|_| !of_then) {
        // The length stands apart from what is before it, and is there for an empty text too.
        hasher.update(b"text");
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    halves(&hasher)[0]
}

fn owner(owner: Option<AccountId>) -> u64 {
    owner.map_or(u64::MAX, |owner| owner.number().into())
}
