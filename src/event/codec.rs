//! Events as bytes: a fixed layout for the four hot kinds, a frame around the parts of those that
//! have several, rmp-serde for the rest (see `docs/format.md`).

use std::borrow::Cow;

use serde::Serialize;

use super::{End, Event, EventLine, EventLines, Fact, Facts, Kept, Request};
use crate::base::bytes::Reader;
use crate::base::error::{Error, Result};
use crate::base::{AccountId, IdempotencyKey, ReservationId, Seq, TimeMs};

const KIND_RESERVED: u16 = 1;
const KIND_CONFIRMED: u16 = 2;
const KIND_RELEASED: u16 = 3;
const KIND_EXPIRED: u16 = 4;
/// Added to the four: the request says for how long and for whom its answer is kept.
const KEPT: u16 = 4;
const KIND_OTHER: u16 = 16;
/// Several commands that happened together.
const KIND_ATOMIC: u16 = 17;
/// A reservation that had expired is confirmed: written as the others are, under a number by which
/// releases refuse it that know only ends which last.
const KIND_REVIVED: u16 = 18;

const FLAG_REQUEST: u8 = 1;
const FLAG_CONFIRMED: u8 = 2;
const FLAG_PART: u8 = 4;
const FLAG_OWNER: u8 = 8;
/// Of an event with parts alone, whose kind does not say it: as [`KEPT`].
const FLAG_KEPT: u8 = 2;

/// The kind under which the event is framed.
pub(crate) fn kind_of(event: &Event<'_>) -> u16 {
    kind(&event.fact, event.request)
}

fn kind(fact: &Fact<'_>, request: Option<Request>) -> u16 {
    let kept = if request.is_some_and(|request| request.kept.is_some()) { KEPT } else { 0 };
    match fact {
        Fact::Reserved { .. } => KIND_RESERVED + kept,
        Fact::Confirmed(_) => KIND_CONFIRMED + kept,
        Fact::Released(_) => KIND_RELEASED + kept,
        Fact::Expired(_) => KIND_EXPIRED + kept,
        Fact::Atomic(_) => KIND_ATOMIC,
        Fact::Revived { .. } => KIND_REVIVED,
        _ => KIND_OTHER,
    }
}

/// What [`Event`] is written from, where there is no event around a fact: the bytes are the same.
#[derive(Clone, Copy, Serialize)]
struct Written<'e> {
    at: TimeMs,
    request: &'e Option<Request>,
    fact: &'e Fact<'e>,
}

/// Appends the event's payload to `buffer`.
pub(crate) fn encode(event: &Event<'_>, buffer: &mut Vec<u8>) {
    encode_fact(Written { at: event.at, request: &event.request, fact: &event.fact }, buffer);
}

fn encode_fact(written: Written<'_>, buffer: &mut Vec<u8>) {
    match written.fact {
        Fact::Reserved { reservation, owner, expires_at, confirmed, lines, details } => {
            let flags =
                u8::from(*confirmed) * FLAG_CONFIRMED + u8::from(owner.is_some()) * FLAG_OWNER;
            encode_head(written, flags, *reservation, *expires_at, lines.len(), buffer);
            if let Some(owner) = owner {
                buffer.extend_from_slice(&owner.number().to_le_bytes());
            }
            encode_lines(lines, false, buffer);
            buffer.extend_from_slice(details);
        }
        Fact::Confirmed(end) => {
            let part = end.lines.iter().any(|line| line.consumed != line.quantity);
            encode_head(
                written,
                u8::from(part) * FLAG_PART,
                end.reservation,
                end.expires_at,
                end.lines.len(),
                buffer,
            );
            encode_lines(&end.lines, part, buffer);
        }
        Fact::Released(end) | Fact::Expired(end) => {
            encode_head(written, 0, end.reservation, end.expires_at, end.lines.len(), buffer);
            encode_lines(&end.lines, false, buffer);
        }
        Fact::Atomic(parts) => encode_atomic(written, parts, buffer),
        _ => rmp_serde::encode::write(buffer, &written)
            .expect("an event has no map keys or lengths rmp cannot write"),
    }
}

/// Each part is framed as an event of its own would be, of the same time and without a request.
fn encode_atomic(written: Written<'_>, parts: &Facts<'_>, buffer: &mut Vec<u8>) {
    let kept = written.request.is_some_and(|request| request.kept.is_some());
    let has_request = u8::from(written.request.is_some()) * FLAG_REQUEST;
    buffer.push(has_request + u8::from(kept) * FLAG_KEPT);
    let count = u16::try_from(parts.len()).expect("there are at most Facts::MAX");
    buffer.extend_from_slice(&count.to_le_bytes());
    buffer.extend_from_slice(&written.at.to_le_bytes());
    encode_request(written.request, buffer);
    for fact in parts {
        buffer.extend_from_slice(&kind(fact, None).to_le_bytes());
        let start = buffer.len() + 4;
        buffer.extend_from_slice(&[0; 4]);
        encode_fact(Written { at: written.at, request: &None, fact }, buffer);
        let length = u32::try_from(buffer.len() - start).expect("texts and lines are bounded");
        buffer[start - 4..start].copy_from_slice(&length.to_le_bytes());
    }
}

fn encode_head(
    written: Written<'_>,
    flags: u8,
    reservation: ReservationId,
    expires_at: u64,
    line_count: usize,
    buffer: &mut Vec<u8>,
) {
    let flags = flags + u8::from(written.request.is_some()) * FLAG_REQUEST;
    let mut head = [0; 26];
    head[0] = flags;
    head[1] = u8::try_from(line_count).expect("a reservation has at most LINES_MAX lines");
    head[2..10].copy_from_slice(&written.at.to_le_bytes());
    head[10..18].copy_from_slice(&reservation.number().to_le_bytes());
    head[18..26].copy_from_slice(&expires_at.to_le_bytes());
    buffer.extend_from_slice(&head);
    encode_request(written.request, buffer);
}

fn encode_request(request: &Option<Request>, buffer: &mut Vec<u8>) {
    if let Some(request) = request {
        buffer.extend_from_slice(&request.key.number().to_le_bytes());
        buffer.extend_from_slice(&request.fingerprint.to_le_bytes());
        if let Some(Kept { owner, until }) = request.kept {
            buffer.extend_from_slice(&owner.to_le_bytes());
            buffer.extend_from_slice(&until.to_le_bytes());
        }
    }
}

fn encode_lines(lines: &[EventLine], part: bool, buffer: &mut Vec<u8>) {
    for line in lines {
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&line.account.to_le_bytes());
        bytes[4..12].copy_from_slice(&line.quantity.to_le_bytes());
        bytes[12..].copy_from_slice(&line.available.to_le_bytes());
        buffer.extend_from_slice(&bytes);
        if part {
            buffer.extend_from_slice(&line.consumed.to_le_bytes());
        }
    }
}

/// Tells an event from another one with the same number, which only another history has: by the
/// bytes that are stored, which stay as they are, and not by those that a later version would
/// write.
pub(crate) fn mark(seq: Seq, payload: &[u8]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seq.to_le_bytes());
    hasher.update(payload);
    crate::base::halves(&hasher)[0]
}

/// Reads a payload back.
///
/// # Errors
/// `Corrupt` when the bytes are not an event of this kind.
pub(crate) fn decode(kind: u16, payload: &[u8]) -> Result<Event<'_>> {
    match kind {
        KIND_ATOMIC => decode_atomic(payload),
        kind => decode_one(kind, payload),
    }
}

/// An event without parts.
fn decode_one(kind: u16, payload: &[u8]) -> Result<Event<'_>> {
    match kind {
        1..=8 => {
            let (hot, kept) = if kind > KEPT { (kind - KEPT, true) } else { (kind, false) };
            decode_hot(hot, kept, payload)
                .ok_or_else(|| Error::corrupt(format!("a record of kind {kind} is malformed")))
        }
        KIND_OTHER | KIND_REVIVED => decode_named(kind, payload),
        _ => Err(Error::corrupt(format!(
            "a record is of the unknown kind {kind}, which a newer program may have written: go on with that one"
        ))),
    }
}

/// An event that says its name.
fn decode_named(kind: u16, payload: &[u8]) -> Result<Event<'_>> {
    let malformed = |why: &dyn std::fmt::Display| {
        Error::corrupt(format!("a record of kind {kind} is malformed: {why}"))
    };
    let event: Event<'_> = rmp_serde::from_slice(payload).map_err(|error| malformed(&error))?;
    match matches!(event.fact, Fact::Revived { .. }) == (kind == KIND_REVIVED) {
        true => Ok(event),
        false => Err(malformed(&"its event is of another kind")),
    }
}

fn decode_atomic(payload: &[u8]) -> Result<Event<'_>> {
    let malformed = || Error::corrupt(format!("a record of kind {KIND_ATOMIC} is malformed"));
    let mut rest = Reader::new(payload);
    let (at, request, count) = read_atomic_head(&mut rest).ok_or_else(malformed)?;
    // A count that is not true is found out before it asks for memory.
    if count > Facts::MAX {
        return Err(malformed());
    }
    let mut facts = Vec::with_capacity(count);
    for _ in 0..count {
        let (kind, payload) = read_part(&mut rest).ok_or_else(malformed)?;
        let part = decode_one(kind, payload)?;
        if part.at != at || part.request.is_some() {
            return Err(malformed());
        }
        facts.push(part.fact);
    }
    if !rest.rest().is_empty() {
        return Err(malformed());
    }
    Ok(Event { at, request, fact: Fact::Atomic(Facts::new(facts)?) })
}

fn read_atomic_head(rest: &mut Reader<'_>) -> Option<(TimeMs, Option<Request>, usize)> {
    let flags = rest.u8()?;
    let (has_request, kept) = (flags & FLAG_REQUEST != 0, flags & FLAG_KEPT != 0);
    if flags & !(FLAG_REQUEST | FLAG_KEPT) != 0 || kept && !has_request {
        return None;
    }
    let count = rest.u16()?;
    let at = rest.u64()?;
    let request = if has_request { Some(read_request(rest, kept)?) } else { None };
    Some((at, request, count.into()))
}

fn read_part<'a>(rest: &mut Reader<'a>) -> Option<(u16, &'a [u8])> {
    let kind = rest.u16()?;
    let length = usize::try_from(rest.u32()?).ok()?;
    Some((kind, rest.bytes(length)?))
}

fn read_request(rest: &mut Reader<'_>, kept: bool) -> Option<Request> {
    let (key, fingerprint) = (IdempotencyKey::from_number(rest.u128()?), rest.u64()?);
    let kept = if kept { Some(Kept { owner: rest.u64()?, until: rest.u64()? }) } else { None };
    Some(Request { key, fingerprint, kept })
}

fn decode_hot(kind: u16, kept: bool, payload: &[u8]) -> Option<Event<'_>> {
    let mut rest = Reader::new(payload);
    let flags = rest.u8()?;
    let allowed = match kind {
        KIND_RESERVED => FLAG_REQUEST | FLAG_CONFIRMED | FLAG_OWNER,
        KIND_CONFIRMED => FLAG_REQUEST | FLAG_PART,
        _ => FLAG_REQUEST,
    };
    if flags & !allowed != 0 || kept && flags & FLAG_REQUEST == 0 {
        return None;
    }
    let line_count = rest.u8()?;
    let at = rest.u64()?;
    let reservation = ReservationId::from_number(rest.u64()?);
    let expires_at = rest.u64()?;
    let request = match flags & FLAG_REQUEST {
        0 => None,
        _ => Some(read_request(&mut rest, kept)?),
    };
    let owner = match flags & FLAG_OWNER {
        0 => None,
        _ => Some(AccountId::from_number(rest.u32()?)),
    };
    let whole = kind == KIND_CONFIRMED || flags & FLAG_CONFIRMED != 0;
    let mut lines = EventLines::new();
    for _ in 0..line_count {
        let account = rest.u32()?;
        let quantity = rest.u64()?;
        let available = rest.u64()? as i64;
        let consumed = match flags & FLAG_PART {
            0 => u64::from(whole) * quantity,
            _ => rest.u64()?,
        };
        lines.push(EventLine { account, quantity, consumed, available });
    }
    let fact = match kind {
        KIND_RESERVED => Fact::Reserved {
            reservation,
            owner,
            expires_at,
            confirmed: flags & FLAG_CONFIRMED != 0,
            lines,
            details: Cow::Borrowed(rest.rest()),
        },
        _ if !rest.rest().is_empty() => return None,
        KIND_CONFIRMED => Fact::Confirmed(End { reservation, expires_at, lines }),
        KIND_RELEASED => Fact::Released(End { reservation, expires_at, lines }),
        _ => Fact::Expired(End { reservation, expires_at, lines }),
    };
    Some(Event { at, request, fact })
}
