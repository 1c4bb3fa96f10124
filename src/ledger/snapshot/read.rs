//! Reading the parts of a snapshot, of every version. `None` stands for bytes that are not one.

use super::{
    ANSWERED, ATOMIC, CAPTURE_MS_MAX, CLOSED, DISORDER_MS, JOINED, LEFT, Layout, NO_OWNER, QUEUED,
    REVIVED, SERVED,
};
use crate::base::bytes::Reader;
use crate::base::{AccountId, AccountKey, AccountKind, ReservationId, TimeMs};
use crate::event::{Policy, Window};
use crate::ledger::account::Account;
use crate::ledger::idempotency::{Effect, KeyRecord, Terms, UNPROMISED_MS};
use crate::ledger::queue::{Queue, SERVED_MAX};
use crate::ledger::reservations::{HeldLines, Reservation};
use crate::ledger::uses::Use;
use crate::ledger::{Line, Waiting};

pub(super) fn read_bytes<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let count = reader.u32()? as usize;
    reader.bytes(count)
}

pub(super) fn read_str<'a>(reader: &mut Reader<'a>) -> Option<&'a str> {
    std::str::from_utf8(read_bytes(reader)?).ok()
}

pub(super) fn read_account(layout: Layout, reader: &mut Reader<'_>) -> Option<Account> {
    let key: AccountKey = read_str(reader)?.parse().ok()?;
    let (backorder, limit) = (reader.u64()?, reader.u64()?);
    let (tag, length_ms, offset_ms) = (reader.u64()?, reader.u64()?, reader.u64()?);
    let window = match tag & !(CLOSED | QUEUED | SERVED) {
        0 => Window::Never,
        1 if length_ms > 0 => Window::Fixed { length_ms, offset_ms },
        2 => Window::Rolling { length_ms },
        3 => Window::Outstanding,
        _ => return None,
    };
    let mut account = Account::new(key, Policy { backorder, limit, window });
    account.is_closed = tag & CLOSED > 0;
    account.available = reader.u64()? as i64;
    for counter in [
        &mut account.reserved,
        &mut account.consumed,
        &mut account.received,
        &mut account.written_off,
    ] {
        *counter = reader.u64()?;
    }
    for _ in 0..reader.u64()? {
        let (at, count) = (reader.u64()?, reader.u32()?);
        account.lapses.insert_many(at, count);
    }
    match layout.version {
        1 => read_renewals(layout.taken_at, &mut account, reader)?,
        _ => read_uses(&mut account, reader)?,
    }
    if tag & QUEUED > 0 {
        account.queue = Some(Box::new(read_queue(reader)?));
    }
    if tag & SERVED > 0 {
        let queue = account.queue.as_deref_mut()?;
        for _ in 0..reader.u64()? {
            queue.served.push_back(reader.u64()?);
        }
        if queue.served.len() > SERVED_MAX {
            return None;
        }
    }
    account.is_conserved().then_some(account)
}

fn read_queue(reader: &mut Reader<'_>) -> Option<Queue> {
    let given = reader.u64()?;
    let mut queue = Queue::default();
    for _ in 0..reader.u64()? {
        let (place, owner) = (reader.u64()?, AccountId::from_number(reader.u32()?));
        let (since, body) = (reader.u64()?, read_bytes(reader)?.into());
        queue.given = place;
        queue.join(Waiting { place, owner, since, body }).ok()?;
    }
    let is_sound = queue.given <= given && queue.places.iter().is_sorted_by_key(|it| it.place);
    queue.given = given;
    is_sound.then_some(queue)
}

fn read_uses(account: &mut Account, reader: &mut Reader<'_>) -> Option<()> {
    account.owed = reader.u64()?;
    let forgotten_before = reader.u64()?;
    let count = reader.u64()?;
    if forgotten_before > 0 || count > 0 {
        account.uses.get_or_insert_default().forgotten_before = forgotten_before;
    }
    for _ in 0..count {
        let used = Use { from: reader.u64()?, at: reader.u64()?, quantity: reader.u64()? };
        account.uses.get_or_insert_default().restore(used)?;
    }
    // What is owed is taken from what is there.
    let sound =
        account.owed == 0 || (account.available <= 0 && i64::try_from(account.owed).is_ok());
    sound.then_some(())
}

/// Version 1 kept when units come back, and only of those that counted. When they were consumed
/// follows from that as well as it can; of units that never come back it may have been at any time
/// before the snapshot.
fn read_renewals(taken_at: TimeMs, account: &mut Account, reader: &mut Reader<'_>) -> Option<()> {
    let last = taken_at.saturating_add(CAPTURE_MS_MAX);
    let window = account.policy.window;
    for _ in 0..reader.u64()? {
        let (back_at, quantity) = (reader.u64()?, reader.u64()?);
        let (from, at) = match window {
            Window::Rolling { length_ms } => {
                (back_at.saturating_sub(length_ms), back_at.saturating_sub(length_ms))
            }
            Window::Fixed { length_ms, .. } => {
                (back_at.saturating_sub(length_ms), back_at.saturating_sub(1).min(last))
            }
            Window::Never | Window::Outstanding => return None,
        };
        let from = from.saturating_sub(DISORDER_MS);
        account.uses.get_or_insert_default().add_span(Use { from, at: at.max(from), quantity });
    }
    if account.is_windowed() {
        account.uses.get_or_insert_default().forgotten_before = last;
    } else if account.key.kind() == AccountKind::Quota && account.consumed > 0 {
        account.uses.get_or_insert_default().add_span(Use {
            from: 0,
            at: last,
            quantity: account.consumed,
        });
    }
    Some(())
}

pub(super) fn read_reservation(reader: &mut Reader<'_>) -> Option<Reservation> {
    let id = ReservationId::from_number(reader.u64()?);
    let expires_at = reader.u64()?;
    let owner = Some(reader.u32()?).filter(|owner| *owner != NO_OWNER).map(AccountId::from_number);
    let mut lines = HeldLines::new();
    for _ in 0..reader.u8()? {
        lines
            .push(Line { account: AccountId::from_number(reader.u32()?), quantity: reader.u64()? });
    }
    Some(Reservation { id, expires_at, timer: Default::default(), owner, lines })
}

pub(super) fn read_key(reader: &mut Reader<'_>) -> Option<KeyRecord> {
    let (number, fingerprint, seq) = (reader.u128()?, reader.u64()?, reader.u64()?);
    let (owner, until) = (reader.u64()?, reader.u64()?);
    let effect = match read_numbers(reader)? {
        (ATOMIC, [count, ..]) => {
            let mut effects = Vec::new();
            for _ in 0..count {
                let (tag, numbers) = read_numbers(reader)?;
                effects.push(effect(tag, numbers)?);
            }
            Effect::Atomic(effects.into())
        }
        (ANSWERED, [length, ..]) => {
            Effect::Answered(reader.bytes(usize::try_from(length).ok()?)?.into())
        }
        (tag, numbers) => effect(tag, numbers)?,
    };
    Some(KeyRecord { number, fingerprint, seq, owner, until, effect })
}

fn read_numbers(reader: &mut Reader<'_>) -> Option<(u8, [u64; 3])> {
    Some((reader.u8()?, [reader.u64()?, reader.u64()?, reader.u64()?]))
}

/// An answer as 0.1.0 wrote it: how old it is when its part was captured is not known.
pub(super) fn read_old_key(reader: &mut Reader<'_>, captured_at: TimeMs) -> Option<KeyRecord> {
    let (number, fingerprint, seq) = (reader.u128()?, reader.u64()?, reader.u64()?);
    let (tag, numbers) = (reader.u8()?, [reader.u64()?, reader.u64()?, 0]);
    let until = captured_at.saturating_add(UNPROMISED_MS);
    Some(KeyRecord { number, fingerprint, seq, owner: 0, until, effect: effect(tag, numbers)? })
}

fn effect(tag: u8, [first, second, units]: [u64; 3]) -> Option<Effect> {
    let (reservation, terms) =
        (ReservationId::from_number(first), Terms { expires_at: second, units });
    Some(match tag {
        0 => Effect::Changed {
            account: AccountId::from_number(first as u32),
            available: second as i64,
        },
        1 | 2 => Effect::Reserved { reservation, terms, confirmed: tag == 2 },
        3 => Effect::Confirmed { reservation, terms },
        4 => Effect::Released { reservation, terms },
        5 => Effect::Returned { reservation, terms },
        6 => Effect::Noted { reservation },
        8 => Effect::Extended { reservation, terms },
        9 => Effect::ReturnedInPart { reservation },
        REVIVED => Effect::Revived { reservation, terms },
        10 => Effect::DocumentPut,
        JOINED | LEFT => {
            let (account, place) = (AccountId::from_number(first as u32), second);
            match tag {
                JOINED => Effect::Queued { account, place },
                _ => Effect::Dequeued { account, place },
            }
        }
        11 => Effect::PolicySet { account: AccountId::from_number(first as u32) },
        7 => Effect::Transferred {
            from: AccountId::from_number(first as u32),
            to: AccountId::from_number((first >> 32) as u32),
            from_available: second as i64,
            to_available: units as i64,
        },
        _ => return None,
    })
}
