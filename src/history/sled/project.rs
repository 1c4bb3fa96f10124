//! Events as rows. Nothing is decided here; what an event says is written down.

use super::key::Key;
use super::quotas::QuotaSet;
use super::row::{encode_change, encode_reservation};
use super::value::Sealer;
use crate::base::error::{Error, Result};
use crate::base::{AccountId, ReservationId, Seq, TimeMs};
use crate::event::{End, Event, EventLine, Fact};
use crate::history::record::{
    ChangeKind, ChangeRecord, Note, RecordLine, ReservationRecord, ReservationState,
};

/// Finds a reservation as the events before left it, with the last of those events.
pub(super) trait Find:
    Fn(ReservationId) -> Result<Option<(Seq, ReservationRecord)>>
{
}
impl<F: Fn(ReservationId) -> Result<Option<(Seq, ReservationRecord)>>> Find for F {}

/// Turns events into rows, one after the other.
#[derive(Debug)]
pub(super) struct Projector {
    quotas: QuotaSet,
    sealer: Sealer,
    /// How many rows the events so far made.
    row_count: u64,
    /// The rows of the event at hand, and how many of them are new.
    rows: Vec<(Key, Box<[u8]>)>,
    rows_new: u64,
}

/// The event at hand, as far as every row of it needs it.
#[derive(Clone, Copy)]
struct Cause<'a> {
    seq: Seq,
    at: TimeMs,
    reservation: Option<ReservationId>,
    note: &'a str,
}

impl Projector {
    pub(super) fn new(quotas: QuotaSet, row_count: u64) -> Self {
        Self { quotas, sealer: Sealer::default(), row_count, rows: Vec::new(), rows_new: 0 }
    }

    pub(super) fn row_count(&self) -> u64 {
        self.row_count
    }

    /// The rows of an event. An error leaves the projection as it was.
    pub(super) fn apply(
        &mut self,
        seq: Seq,
        event: &Event<'_>,
        find: impl Find,
    ) -> Result<impl Iterator<Item = (Key, Box<[u8]>)>> {
        self.rows.clear();
        self.rows_new = 0;
        self.fact(seq, event, find)?;
        self.row_count += self.rows_new;
        Ok(self.rows.drain(..))
    }

    /// The pages of quota accounts that changed since the last call, as rows of `seq`.
    pub(super) fn quota_rows(&mut self, seq: Seq) -> Vec<(Key, Box<[u8]>)> {
        let sealer = &mut self.sealer;
        let pages = self.quotas.take_dirty();
        pages
            .map(|(key, page)| {
                (key, sealer.seal(key, seq, |buffer| buffer.extend_from_slice(page)))
            })
            .collect()
    }

    /// Remembers that an account is a quota.
    pub(super) fn add_quota(&mut self, account: AccountId) {
        self.row_count += u64::from(self.quotas.insert(account));
    }

    fn fact(&mut self, seq: Seq, event: &Event<'_>, find: impl Find) -> Result<()> {
        let at = event.at;
        let cause = |reservation, note| Cause { seq, at, reservation, note };
        match &event.fact {
            Fact::AccountOpened { account, key, .. } if !key.kind().has_history() => {
                self.add_quota(*account)
            }
            Fact::Received { account, quantity, available, note } => self.stock(
                cause(None, note),
                ChangeKind::Received,
                *account,
                signed(*quantity)?,
                *available,
            ),
            Fact::Adjusted { account, delta, available, note } => {
                self.stock(cause(None, note), ChangeKind::Adjusted, *account, *delta, *available)
            }
            Fact::WrittenOff { account, quantity, available, note } => self.stock(
                cause(None, note),
                ChangeKind::WrittenOff,
                *account,
                -signed(*quantity)?,
                *available,
            ),
            Fact::Reserved { reservation, confirmed, lines, .. } => {
                self.reserved(seq, event.at, &event.fact);
                let kind = if *confirmed { ChangeKind::Bought } else { ChangeKind::Reserved };
                self.changes(cause(Some(*reservation), ""), kind, lines)?;
            }
            Fact::Confirmed(end) => {
                self.end(seq, at, end, ReservationState::Confirmed, find)?;
                self.changes(cause(Some(end.reservation), ""), ChangeKind::Confirmed, &end.lines)?;
            }
            Fact::Released(end) => {
                self.end(seq, at, end, ReservationState::Released, find)?;
                self.changes(cause(Some(end.reservation), ""), ChangeKind::Released, &end.lines)?;
            }
            Fact::Expired(end) => {
                self.end(seq, at, end, ReservationState::Expired, find)?;
                self.changes(cause(Some(end.reservation), ""), ChangeKind::Expired, &end.lines)?;
            }
            Fact::Returned { reservation, lines, note, .. } => {
                let partial = || {
                    partial(
                        *reservation,
                        0,
                        lines
                            .iter()
                            .map(|line| (line, line.quantity.saturating_add(line.consumed))),
                    )
                };
                self.update(seq, *reservation, find, Some(partial), |record| {
                    record.state = ReservationState::Returned;
                    record.returned_at = Some(at);
                })?;
                self.changes(cause(Some(*reservation), note), ChangeKind::Returned, lines)?;
            }
            Fact::Noted { reservation, body } => {
                self.update(seq, *reservation, find, None::<fn() -> _>, |record| {
                    add_note(record, at, body)
                })?;
            }
            Fact::AccountOpened { .. }
            | Fact::PolicyChanged { .. }
            | Fact::Renewed { .. }
            | Fact::Document { .. }
            | Fact::ClockMended { .. } => {}
        }
        Ok(())
    }

    /// A new record is written blindly: when a flush that was cut short left a later state of it in
    /// sled, the events that made that state follow.
    fn reserved(&mut self, seq: Seq, at: TimeMs, fact: &Fact<'_>) {
        let Fact::Reserved { reservation, owner, expires_at, confirmed, lines, details } = fact
        else {
            return;
        };
        let record = ReservationRecord {
            reservation: *reservation,
            owner: *owner,
            state: if *confirmed { ReservationState::Confirmed } else { ReservationState::Pending },
            lines: lines.iter().map(|line| record_line(line, line.consumed)).collect(),
            created_at: at,
            expires_at: *expires_at,
            ended_at: confirmed.then_some(at),
            returned_at: None,
            details: details.to_vec(),
            notes: Vec::new(),
        };
        self.put_record(seq, &record);
        self.rows_new += 1;
        if let Some(owner) = owner {
            let key = Key::owner(*owner, *reservation);
            self.rows.push((key, self.sealer.seal(key, seq, |_| {})));
            self.rows_new += 1;
        }
    }

    fn end(
        &mut self,
        seq: Seq,
        at: TimeMs,
        end: &End,
        state: ReservationState,
        find: impl Find,
    ) -> Result<()> {
        let lines = || end.lines.iter().map(|line| (line, line.consumed));
        let partial = || partial(end.reservation, end.expires_at, lines());
        self.update(seq, end.reservation, find, Some(partial), |record| {
            record.state = state;
            record.ended_at = Some(at);
            record.lines = lines().map(|(line, consumed)| record_line(line, consumed)).collect();
        })
    }

    /// Changes a record; `otherwise` makes the part of it that is known when its beginning is not
    /// in the journal any more. A record that already is as of `seq` or later stays: the event is
    /// being replayed.
    fn update(
        &mut self,
        seq: Seq,
        reservation: ReservationId,
        find: impl Find,
        otherwise: Option<impl FnOnce() -> ReservationRecord>,
        change: impl FnOnce(&mut ReservationRecord),
    ) -> Result<()> {
        let mut record = match (find(reservation)?, otherwise) {
            (Some((as_of, _)), _) if as_of >= seq => return Ok(()),
            (Some((_, record)), _) => record,
            (None, Some(otherwise)) => {
                self.rows_new += 1;
                otherwise()
            }
            (None, None) => return Ok(()),
        };
        change(&mut record);
        self.put_record(seq, &record);
        Ok(())
    }

    fn put_record(&mut self, seq: Seq, record: &ReservationRecord) {
        let key = Key::reservation(record.reservation);
        self.rows
            .push((key, self.sealer.seal(key, seq, |buffer| encode_reservation(record, buffer))));
    }

    /// One change for each account of `lines` that has a history; two lines of one account count
    /// together.
    fn changes(&mut self, cause: Cause<'_>, kind: ChangeKind, lines: &[EventLine]) -> Result<()> {
        for (index, line) in lines.iter().enumerate() {
            let same = |other: &&EventLine| other.account == line.account;
            if self.quotas.contains(line.account())
                || lines[..index].iter().any(|other| same(&other))
            {
                continue;
            }
            let mut whole = EventLine { quantity: 0, consumed: 0, ..*line };
            for line in lines[index..].iter().filter(same) {
                whole.quantity = sum(whole.quantity, line.quantity)?;
                whole.consumed = sum(whole.consumed, line.consumed)?;
                whole.available = line.available;
            }
            let (delta, quantity) = effect(kind, &whole)?;
            self.change(cause, kind, &whole, delta, quantity);
        }
        Ok(())
    }

    /// A change of one account without a reservation.
    fn stock(
        &mut self,
        cause: Cause<'_>,
        kind: ChangeKind,
        account: AccountId,
        delta: i64,
        available: i64,
    ) {
        if !self.quotas.contains(account) {
            let line = EventLine { account: account.number(), available, ..EventLine::default() };
            self.change(cause, kind, &line, delta, delta.unsigned_abs());
        }
    }

    fn change(
        &mut self,
        cause: Cause<'_>,
        kind: ChangeKind,
        line: &EventLine,
        delta: i64,
        quantity: u64,
    ) {
        let Cause { seq, at, reservation, note } = cause;
        let account = line.account();
        let key = Key::change(account, seq);
        let available = line.available;
        let note = note.to_owned();
        let change =
            ChangeRecord { seq, account, kind, delta, available, quantity, reservation, at, note };
        self.rows.push((key, self.sealer.seal(key, seq, |buffer| encode_change(&change, buffer))));
        self.rows_new += 1;
    }
}

/// By how much a line changed what is available, and how many units it is about.
fn effect(kind: ChangeKind, line: &EventLine) -> Result<(i64, u64)> {
    Ok(match kind {
        ChangeKind::Reserved | ChangeKind::Bought => (-signed(line.quantity)?, line.quantity),
        ChangeKind::Confirmed => {
            let back = line.quantity.checked_sub(line.consumed).ok_or_else(impossible)?;
            (signed(back)?, line.consumed)
        }
        _ => (signed(line.quantity)?, line.quantity),
    })
}

/// What is known of a reservation whose beginning is not.
fn partial<'a>(
    reservation: ReservationId,
    expires_at: TimeMs,
    lines: impl Iterator<Item = (&'a EventLine, u64)>,
) -> ReservationRecord {
    ReservationRecord {
        reservation,
        owner: None,
        state: ReservationState::Pending,
        lines: lines.map(|(line, consumed)| record_line(line, consumed)).collect(),
        created_at: 0,
        expires_at,
        ended_at: None,
        returned_at: None,
        details: Vec::new(),
        notes: Vec::new(),
    }
}

fn record_line(line: &EventLine, consumed: u64) -> RecordLine {
    RecordLine { account: line.account(), quantity: line.quantity, consumed }
}

fn add_note(record: &mut ReservationRecord, at: TimeMs, body: &[u8]) {
    if record.notes.len() >= ReservationRecord::NOTES_MAX {
        record.notes.remove(0);
    }
    record.notes.push(Note { at, body: body.to_vec() });
}

fn signed(quantity: u64) -> Result<i64> {
    i64::try_from(quantity).map_err(|_| impossible())
}

fn sum(a: u64, b: u64) -> Result<u64> {
    a.checked_add(b).ok_or_else(impossible)
}

fn impossible() -> Error {
    Error::corrupt("an event has quantities that cannot be")
}
