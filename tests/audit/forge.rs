//! Journals with valid checksums that no engine would write: frames and events are encoded here, by
//! `docs/format.md`.

use std::fs;
use std::path::Path;

use stockhold::Seq;
use stockhold::event::{Event, EventLine, Fact};
use stockhold::reader::DirectoryReader;

const SEGMENT_BYTES: usize = 2 << 20;
const HEADER_BYTES: usize = 4096;
const SALT: u64 = 0x5eed;

/// A record on its way into a forged journal.
pub(crate) struct Record {
    pub(crate) seq: Seq,
    pub(crate) kind: u16,
    pub(crate) payload: Vec<u8>,
}

/// Every event of a directory.
pub(crate) fn events(dir: &Path) -> Vec<Event<'static>> {
    let reader = DirectoryReader::open(dir).expect("the directory reads");
    reader.events(..).expect("everything is kept").map(|event| event.expect("it reads").1).collect()
}

/// Makes a directory that holds these events and nothing else, as records from 1 on.
pub(crate) fn write_events(dir: &Path, events: &[Event<'_>]) {
    let records: Vec<Record> = (1..).zip(events).map(|(seq, event)| record(seq, event)).collect();
    write_records(dir, &records);
}

/// Makes a directory that holds these records and nothing else.
pub(crate) fn write_records(dir: &Path, records: &[Record]) {
    remove(dir, &["archive", "checkpoint", "journal", "store", "store.manifest"]);
    write_segment(dir, records);
}

/// Puts these events in the place of the journal, and keeps history as it is.
pub(crate) fn replace_events(dir: &Path, events: &[Event<'_>]) {
    keep_events(dir, events, 1);
}

/// The same, for a journal that begins with record `first`.
pub(crate) fn keep_events(dir: &Path, events: &[Event<'_>], first: Seq) {
    remove(dir, &["archive", "checkpoint", "journal"]);
    let numbered = (1..).zip(events).filter(|(seq, _)| *seq >= first);
    let records: Vec<Record> = numbered.map(|(seq, event)| record(seq, event)).collect();
    write_segment(dir, &records);
}

fn remove(dir: &Path, names: &[&str]) {
    for path in names.iter().map(|name| dir.join(name)) {
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                panic!("{}: {error}", path.display())
            }
            _ => {}
        }
    }
}

fn write_segment(dir: &Path, records: &[Record]) {
    fs::create_dir(dir.join("journal")).expect("it is made");
    fs::write(dir.join("journal/segment-0000000000000000.log"), segment(records))
        .expect("it is written");
}

pub(crate) fn record(seq: Seq, event: &Event<'_>) -> Record {
    let (kind, payload) = encode(event);
    Record { seq, kind, payload }
}

fn segment(records: &[Record]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SEGMENT_BYTES);
    bytes.extend_from_slice(b"STKHJRNL");
    bytes.extend_from_slice(&1_u32.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    for field in [0, records.first().map_or(1, |record| record.seq), SALT, SEGMENT_BYTES as u64] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    bytes.resize(HEADER_BYTES - 4, 0);
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    for record in records {
        bytes.extend_from_slice(&frame(record));
    }
    assert!(bytes.len() < SEGMENT_BYTES, "the forged events fit one segment");
    bytes.resize(SEGMENT_BYTES, 0);
    bytes
}

fn frame(record: &Record) -> Vec<u8> {
    let mut frame = Vec::new();
    let length = 24 + record.payload.len() as u32;
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(&record.seq.to_le_bytes());
    // Each record is a group of its own.
    frame.extend_from_slice(&0_u32.to_le_bytes());
    frame.extend_from_slice(&record.kind.to_le_bytes());
    frame.extend_from_slice(&[0; 2]);
    frame.extend_from_slice(&record.payload);
    frame.resize(frame.len().next_multiple_of(8), 0);
    let seed = crc32c::crc32c(&SALT.to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c_append(seed, &frame[..4]), &frame[8..]);
    frame[4..8].copy_from_slice(&crc.to_le_bytes());
    frame
}

fn encode(event: &Event<'_>) -> (u16, Vec<u8>) {
    let mut bytes = Vec::new();
    let kind = match &event.fact {
        Fact::Reserved { reservation, owner, expires_at, confirmed, lines, details } => {
            let flags = u8::from(*confirmed) * 2 + u8::from(owner.is_some()) * 8;
            head(event, flags, reservation.number(), *expires_at, lines, &mut bytes);
            owner.iter().for_each(|owner| bytes.extend_from_slice(&owner.number().to_le_bytes()));
            put_lines(lines, false, &mut bytes);
            bytes.extend_from_slice(details);
            1
        }
        Fact::Confirmed(end) => {
            head(event, 4, end.reservation.number(), end.expires_at, &end.lines, &mut bytes);
            put_lines(&end.lines, true, &mut bytes);
            2
        }
        Fact::Released(end) | Fact::Expired(end) => {
            head(event, 0, end.reservation.number(), end.expires_at, &end.lines, &mut bytes);
            put_lines(&end.lines, false, &mut bytes);
            if matches!(event.fact, Fact::Released(_)) { 3 } else { 4 }
        }
        Fact::Atomic(facts) => {
            put_together(event, facts, &mut bytes);
            17
        }
        fact => {
            bytes = rmp_serde::to_vec(event).expect("an event encodes");
            if matches!(fact, Fact::Revived { .. }) { 18 } else { 16 }
        }
    };
    (kind, bytes)
}

fn put_together(event: &Event<'_>, facts: &[Fact<'_>], bytes: &mut Vec<u8>) {
    let kept = event.request.and_then(|request| request.kept);
    bytes.push(u8::from(event.request.is_some()) + u8::from(kept.is_some()) * 2);
    bytes.extend_from_slice(&(facts.len() as u16).to_le_bytes());
    bytes.extend_from_slice(&event.at.to_le_bytes());
    if let Some(request) = event.request {
        bytes.extend_from_slice(&request.key.number().to_le_bytes());
        bytes.extend_from_slice(&request.fingerprint.to_le_bytes());
    }
    for number in kept.into_iter().flat_map(|kept| [kept.owner, kept.until]) {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    for fact in facts {
        let (kind, payload) = encode(&Event { at: event.at, request: None, fact: fact.clone() });
        bytes.extend_from_slice(&kind.to_le_bytes());
        bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&payload);
    }
}

fn head(
    event: &Event<'_>,
    flags: u8,
    reservation: u64,
    expires_at: u64,
    lines: &[EventLine],
    bytes: &mut Vec<u8>,
) {
    bytes.push(flags + u8::from(event.request.is_some()));
    bytes.push(lines.len() as u8);
    for number in [event.at, reservation, expires_at] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    if let Some(request) = event.request {
        bytes.extend_from_slice(&request.key.number().to_le_bytes());
        bytes.extend_from_slice(&request.fingerprint.to_le_bytes());
    }
}

fn put_lines(lines: &[EventLine], part: bool, bytes: &mut Vec<u8>) {
    for line in lines {
        bytes.extend_from_slice(&line.account.to_le_bytes());
        bytes.extend_from_slice(&line.quantity.to_le_bytes());
        bytes.extend_from_slice(&line.available.to_le_bytes());
        if part {
            bytes.extend_from_slice(&line.consumed.to_le_bytes());
        }
    }
}
