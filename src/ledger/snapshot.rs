//! The ledger as bytes, part by part, and back. Each shard is captured for itself, under its own
//! lock, with the place of the last event it shows; replay then applies to each shard only what it
//! does not show yet. So a checkpoint never stops the whole ledger. The layout is in
//! `docs/format.md`.

use super::account::Account;
use super::answers::{Answer, Answers, Effect, Terms, UNPROMISED_MS};
use super::reservations::{HeldLines, Reservation};
use super::shard::{Held, Shard, Shards};
use super::uses::Use;
use super::{Ledger, apply};
use crate::base::bytes::Reader;
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::base::{
    AccountId, AccountKey, AccountKind, ReservationId, SHARD_COUNT, Seq, ShardIndex, TimeMs,
};
use crate::event::{Event, Fact, Recorder};
use crate::event::{Policy, Window};
use crate::ledger::Line;

/// How many parts a snapshot has: the shards, and the documents.
pub(crate) const PART_COUNT: usize = SHARD_COUNT + 1;

/// The version of the layout that is written; those before it are read.
pub(crate) const LAYOUT_VERSION: u32 = 2;

/// How a snapshot is laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// 1 to [`LAYOUT_VERSION`].
    pub(crate) version: u32,
    /// When it was begun.
    pub(crate) taken_at: TimeMs,
}

/// How much later than a snapshot was begun its last part may have been taken, in milliseconds.
const CAPTURE_MS_MAX: u64 = 60_000;
/// By how much times of concurrent commands may be out of order: version 1 counted a use with the
/// newest one then.
const DISORDER_MS: u64 = 1_000;

/// Added to the number of the window where an account is closed.
const CLOSED: u64 = 1 << 8;

/// The number that stands for "no owner".
const NO_OWNER: u32 = u32::MAX;

impl Ledger {
    /// Appends one part to `bytes` and returns the place of the last event that it shows.
    pub(crate) fn capture(
        &self,
        part: usize,
        recorder: &impl Recorder,
        bytes: &mut Vec<u8>,
    ) -> Seq {
        if part == SHARD_COUNT {
            let documents = self.documents.lock();
            for (collection, key, body) in documents.iter() {
                for field in [collection.as_bytes(), key.as_bytes(), body] {
                    put_bytes(bytes, field);
                }
            }
            return recorder.last_seq();
        }
        let shard = self.shards[part].lock();
        // An event that touches this shard is recorded and applied while its lock is held, so the
        // shard shows all of them up to here.
        let seq = recorder.last_seq();
        write_shard(&shard, bytes);
        seq
    }
}

fn write_shard(shard: &Shard, bytes: &mut Vec<u8>) {
    put_u64(bytes, shard.accounts.len() as u64);
    for account in &shard.accounts {
        write_account(account, bytes);
    }
    put_u64(bytes, shard.reservations.numbered());
    put_u64(bytes, shard.reservations.len() as u64);
    for reservation in shard.reservations.iter() {
        put_u64(bytes, reservation.id.number());
        put_u64(bytes, reservation.expires_at);
        put_u32(bytes, reservation.owner.map_or(NO_OWNER, AccountId::number));
        bytes.push(reservation.lines.len() as u8);
        for line in &reservation.lines {
            put_u32(bytes, line.account.number());
            put_u64(bytes, line.quantity);
        }
    }
    put_u64(bytes, shard.answers.len() as u64);
    for answer in shard.answers.iter() {
        write_answer(answer, bytes);
    }
}

fn write_account(account: &Account, bytes: &mut Vec<u8>) {
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
        tag | if account.is_closed { CLOSED } else { 0 },
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
}

fn write_answer(answer: &Answer, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&answer.number.to_le_bytes());
    [answer.fingerprint, answer.seq, answer.owner, answer.until]
        .iter()
        .for_each(|number| put_u64(bytes, *number));
    let of = |reservation: ReservationId, terms: Terms| {
        [reservation.number(), terms.expires_at, terms.units]
    };
    let (tag, numbers) = match answer.effect {
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
}

fn put_u32(bytes: &mut Vec<u8>, number: u32) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn put_u64(bytes: &mut Vec<u8>, number: u64) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn put_bytes(bytes: &mut Vec<u8>, field: &[u8]) {
    put_u32(bytes, field.len() as u32);
    bytes.extend_from_slice(field);
}

/// A ledger in recovery: snapshot parts first, then the events they do not show.
pub(crate) struct Replay<'a> {
    ledger: &'a Ledger,
    held: Held<'a>,
    /// By part: the last event that it shows.
    shown: [Seq; PART_COUNT],
    /// The event being applied.
    seq: Seq,
}

impl<'a> Replay<'a> {
    /// Takes every lock of the ledger for as long as it lives.
    pub(crate) fn new(ledger: &'a Ledger) -> Self {
        let all = u64::MAX >> (u64::BITS as usize - SHARD_COUNT);
        let held = Held::lock(&ledger.shards, all);
        Self { ledger, held, shown: [0; PART_COUNT], seq: 0 }
    }

    /// Loads a part into the still empty ledger.
    ///
    /// # Errors
    /// `Corrupt` when the bytes are not a part.
    pub(crate) fn load(
        &mut self,
        layout: Layout,
        part: usize,
        shown: Seq,
        bytes: &[u8],
    ) -> Result<()> {
        let mut reader = Reader::new(bytes);
        let loaded = match part {
            SHARD_COUNT => self.load_documents(&mut reader),
            _ => self.load_shard(layout, part, &mut reader),
        };
        if loaded.is_none() || !reader.rest().is_empty() {
            return Err(Error::corrupt(format!("part {part} of the snapshot is malformed")));
        }
        self.shown[part] = shown;
        Ok(())
    }

    fn load_documents(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let mut documents = self.ledger.documents.lock();
        while !reader.rest().is_empty() {
            let (collection, key) = (read_str(reader)?, read_str(reader)?);
            documents.put(collection, key, Some(read_bytes(reader)?));
        }
        Some(())
    }

    fn load_shard(
        &mut self,
        layout: Layout,
        index: ShardIndex,
        reader: &mut Reader<'_>,
    ) -> Option<()> {
        let shard = self.held.shard_mut(index)?;
        let directory = self.ledger.directory.pin();
        for at in 0..reader.u64()? {
            let account = read_account(layout, reader)?;
            if !account.is_closed {
                directory.insert(account.key.clone(), AccountId::new(index, at as usize));
            }
            shard.open_account(account);
        }
        shard.reservations.set_numbered(reader.u64()?);
        let count = reader.u64()?;
        // Each takes 21 bytes at least, so a false count cannot ask for more memory than the file
        // is long.
        shard.reservations.reserve_capacity((count as usize).min(reader.rest().len() / 21));
        for _ in 0..count {
            let reservation = read_reservation(reader)?;
            let slot = shard.reservations.next_slot();
            let timer = shard.wheel.insert(reservation.expires_at, slot);
            shard.reservations.insert(Reservation { timer, ..reservation });
        }
        for _ in 0..reader.u64()? {
            let answer = if layout.version < 2 {
                read_old_answer(reader, layout.taken_at)?
            } else {
                read_answer(reader)?
            };
            if !flaw::is_made(Flaw::ForgetsAnswers) {
                self.held.answers_mut(answer.number).put(answer);
            }
        }
        Some(())
    }

    /// Applies the next event of the journal.
    ///
    /// # Errors
    /// `Corrupt` when it contradicts the ledger.
    pub(crate) fn apply(&mut self, seq: Seq, event: &Event<'_>) -> Result<()> {
        self.seq = seq;
        apply(self, seq, event)?;
        match &event.fact {
            Fact::AccountOpened { account, key, .. } => {
                self.ledger.directory.pin().insert(key.clone(), *account);
            }
            Fact::AccountClosed { account, key } => self.ledger.forget_key(key, *account),
            Fact::Document { collection, key, body } if self.shown[SHARD_COUNT] < seq => {
                self.ledger.documents.lock().put(collection, key, body.as_deref());
            }
            _ => {}
        }
        Ok(())
    }
}

impl Shards for Replay<'_> {
    fn shard_mut(&mut self, index: ShardIndex) -> Option<&mut Shard> {
        if self.shown[index] >= self.seq {
            return None;
        }
        self.held.shard_mut(index)
    }

    fn answers_mut(&mut self, number: u128) -> &mut Answers {
        self.held.answers_mut(number)
    }
}

fn read_bytes<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let count = reader.u32()? as usize;
    reader.bytes(count)
}

fn read_str<'a>(reader: &mut Reader<'a>) -> Option<&'a str> {
    std::str::from_utf8(read_bytes(reader)?).ok()
}

fn read_account(layout: Layout, reader: &mut Reader<'_>) -> Option<Account> {
    let key: AccountKey = read_str(reader)?.parse().ok()?;
    let (backorder, limit) = (reader.u64()?, reader.u64()?);
    let (tag, length_ms, offset_ms) = (reader.u64()?, reader.u64()?, reader.u64()?);
    let window = match tag & !CLOSED {
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
    account.is_conserved().then_some(account)
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

fn read_reservation(reader: &mut Reader<'_>) -> Option<Reservation> {
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

fn read_answer(reader: &mut Reader<'_>) -> Option<Answer> {
    let (number, fingerprint, seq) = (reader.u128()?, reader.u64()?, reader.u64()?);
    let (owner, until) = (reader.u64()?, reader.u64()?);
    let (tag, numbers) = (reader.u8()?, [reader.u64()?, reader.u64()?, reader.u64()?]);
    Some(Answer { number, fingerprint, seq, owner, until, effect: effect(tag, numbers)? })
}

/// An answer as 0.1.0 wrote it: how old it is when its part was captured is not known.
fn read_old_answer(reader: &mut Reader<'_>, captured_at: TimeMs) -> Option<Answer> {
    let (number, fingerprint, seq) = (reader.u128()?, reader.u64()?, reader.u64()?);
    let (tag, numbers) = (reader.u8()?, [reader.u64()?, reader.u64()?, 0]);
    let until = captured_at.saturating_add(UNPROMISED_MS);
    Some(Answer { number, fingerprint, seq, owner: 0, until, effect: effect(tag, numbers)? })
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
        7 => Effect::Transferred {
            from: AccountId::from_number(first as u32),
            to: AccountId::from_number((first >> 32) as u32),
            from_available: second as i64,
            to_available: units as i64,
        },
        _ => return None,
    })
}
