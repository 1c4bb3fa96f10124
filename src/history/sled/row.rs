//! Records as payloads, and back (see "Store" in `docs/format.md`).

use super::key::Key;
use super::value::{Bytes, put_bytes, put_number, put_signed};
use crate::base::error::{Error, Result};
use crate::base::{AccountId, ReservationId, Seq};
use crate::event::ChangeKind;
use crate::history::record::{
    ChangeRecord, NoteRecord, RecordLine, ReservationRecord, ReservationState, Touched,
};

const STATE_MASK: u8 = 0b111;
const FLAG_OWNER: u8 = 1 << 3;
const FLAG_ENDED: u8 = 1 << 4;
const FLAG_RETURNED: u8 = 1 << 5;
/// Each line says how much of it was returned. Without it that is all in the state `Returned`, and
/// nothing in any other.
const FLAG_PARTS: u8 = 1 << 6;
/// The events about it follow the lines.
const FLAG_EVENTS: u8 = 1 << 7;

pub(super) fn encode_reservation(record: &ReservationRecord, buffer: &mut Vec<u8>) {
    let flag = |set: bool, flag: u8| u8::from(set) * flag;
    buffer.push(
        record.state.number()
            | flag(record.owner.is_some(), FLAG_OWNER)
            | flag(record.ended_at.is_some(), FLAG_ENDED)
            | flag(record.returned_at.is_some(), FLAG_RETURNED)
            | flag(has_parts(record), FLAG_PARTS)
            | flag(!record.events.is_empty(), FLAG_EVENTS),
    );
    let optional =
        [record.owner.map(|owner| u64::from(owner.number())), record.ended_at, record.returned_at];
    for number in
        [record.created_at, record.expires_at].into_iter().chain(optional.into_iter().flatten())
    {
        put_number(buffer, number);
    }
    put_number(buffer, record.lines.len() as u64);
    for line in &record.lines {
        put_number(buffer, u64::from(line.account.number()));
        put_number(buffer, line.quantity);
        put_number(buffer, line.consumed);
        if has_parts(record) {
            put_number(buffer, line.returned);
        }
    }
    if !record.events.is_empty() {
        put_number(buffer, record.events.len() as u64);
        let mut before = 0;
        for seq in &record.events {
            put_number(buffer, seq.saturating_sub(before));
            before = *seq;
        }
    }
    put_bytes(buffer, &record.details);
    for note in &record.notes {
        put_number(buffer, note.at);
        put_bytes(buffer, &note.body);
    }
}

/// # Errors
/// `Corrupt`, naming the key, when the payload is not a reservation.
pub(super) fn decode_reservation(
    key: Key,
    reservation: ReservationId,
    payload: &[u8],
) -> Result<ReservationRecord> {
    read_reservation(reservation, Bytes(payload)).ok_or_else(|| malformed(key))
}

fn read_reservation(reservation: ReservationId, mut bytes: Bytes<'_>) -> Option<ReservationRecord> {
    let flags = bytes.byte()?;
    let state = ReservationState::from_number(flags & STATE_MASK)?;
    let created_at = bytes.number()?;
    let expires_at = bytes.number()?;
    let owner = if flags & FLAG_OWNER == 0 { None } else { Some(account(&mut bytes)?) };
    let ended_at = if flags & FLAG_ENDED == 0 { None } else { Some(bytes.number()?) };
    let returned_at = if flags & FLAG_RETURNED == 0 { None } else { Some(bytes.number()?) };
    let line_count = bytes.number()?;
    let mut lines = Vec::with_capacity(line_count.min(crate::base::LINES_MAX as u64) as usize);
    for _ in 0..line_count {
        let (account, quantity) = (account(&mut bytes)?, bytes.number()?);
        let consumed = bytes.number()?;
        let returned = match flags & FLAG_PARTS {
            0 => implied(state, consumed),
            _ => bytes.number()?,
        };
        lines.push(RecordLine { account, quantity, consumed, returned });
    }
    let events = if flags & FLAG_EVENTS == 0 { Vec::new() } else { events(&mut bytes)? };
    let details = bytes.bytes()?.to_vec();
    let mut notes = Vec::new();
    while !bytes.0.is_empty() {
        notes.push(NoteRecord { at: bytes.number()?, body: bytes.bytes()?.to_vec() });
    }
    Some(ReservationRecord {
        reservation,
        owner,
        state,
        lines,
        created_at,
        expires_at,
        ended_at,
        returned_at,
        details,
        notes,
        events,
    })
}

fn events(bytes: &mut Bytes<'_>) -> Option<Vec<Seq>> {
    let count = bytes.number()?;
    let mut events = Vec::with_capacity(count.min(ReservationRecord::EVENTS_MAX as u64) as usize);
    let mut seq: Seq = 0;
    for _ in 0..count {
        seq = seq.checked_add(bytes.number()?)?;
        events.push(seq);
    }
    Some(events)
}

/// How much of a line was returned where its record does not say.
fn implied(state: ReservationState, consumed: u64) -> u64 {
    match state {
        ReservationState::Returned => consumed,
        ReservationState::Pending
        | ReservationState::Confirmed
        | ReservationState::Released
        | ReservationState::Expired => 0,
    }
}

fn has_parts(record: &ReservationRecord) -> bool {
    record.lines.iter().any(|line| line.returned != implied(record.state, line.consumed))
}

fn account(bytes: &mut Bytes<'_>) -> Option<AccountId> {
    u32::try_from(bytes.number()?).ok().map(AccountId::from_number)
}

pub(super) fn encode_change(change: &ChangeRecord, buffer: &mut Vec<u8>) {
    buffer.push(change.kind.number() << 1 | u8::from(change.reservation.is_some()));
    put_signed(buffer, change.delta);
    put_signed(buffer, change.available);
    put_number(buffer, change.quantity);
    if let Some(reservation) = change.reservation {
        put_number(buffer, reservation.number());
    }
    put_number(buffer, change.at);
    buffer.extend_from_slice(change.note.as_bytes());
}

/// # Errors
/// `Corrupt`, naming the key, when the payload is not a change.
pub(super) fn decode_change(key: Key, seq: Seq, payload: &[u8]) -> Result<ChangeRecord> {
    read_change(key, seq, Bytes(payload)).ok_or_else(|| malformed(key))
}

fn read_change(key: Key, seq: Seq, mut bytes: Bytes<'_>) -> Option<ChangeRecord> {
    let head = bytes.byte()?;
    let kind = ChangeKind::from_number(head >> 1)?;
    if kind.is_of_reservation() != (head & 1 == 1) {
        return None;
    }
    let delta = bytes.signed()?;
    let available = bytes.signed()?;
    let quantity = bytes.number()?;
    let reservation =
        if head & 1 == 0 { None } else { Some(ReservationId::from_number(bytes.number()?)) };
    let at = bytes.number()?;
    let note = std::str::from_utf8(bytes.0).ok()?.to_owned();
    Some(ChangeRecord {
        seq,
        account: key.account(),
        kind,
        delta,
        available,
        quantity,
        reservation,
        at,
        note,
    })
}

pub(super) fn encode_touched(accounts: &[(AccountId, ChangeKind)], buffer: &mut Vec<u8>) {
    for (account, kind) in accounts {
        buffer.push(kind.number());
        put_number(buffer, u64::from(account.number()));
    }
}

/// # Errors
/// `Corrupt`, naming the key, when the payload is not accounts with what became of them.
pub(super) fn decode_touched(key: Key, seq: Seq, payload: &[u8]) -> Result<Touched> {
    read_touched(seq, Bytes(payload)).ok_or_else(|| malformed(key))
}

fn read_touched(seq: Seq, mut bytes: Bytes<'_>) -> Option<Touched> {
    let mut accounts = Vec::new();
    while !bytes.0.is_empty() {
        let kind = ChangeKind::from_number(bytes.byte()?)?;
        accounts.push((account(&mut bytes)?, kind));
    }
    Some(Touched { seq, accounts })
}

fn malformed(key: Key) -> Error {
    Error::corrupt(format!("the store's value under {key} is malformed"))
}
