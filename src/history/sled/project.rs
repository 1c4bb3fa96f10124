//! Events as rows. Nothing is decided here; what an event says is written down.

use super::key::Key;
use super::quotas::QuotaSet;
use super::row::{encode_change, encode_reservation, encode_touched};
use super::value::{Value, ValueMaker};
use crate::base::error::Result;
use crate::base::{AccountId, ReservationId, Seq, TimeMs};
use crate::event::effects::{AccountChange, Effects, Ending, Life, Made};
use crate::event::{Event, EventLine, Part, PartLine};
use crate::history::record::{
    ChangeRecord, Course, NoteRecord, RecordLine, ReservationRecord, ReservationState,
};

/// A reservation as the events before left it, with the last of those events.
type Found = Option<(Seq, ReservationRecord)>;

/// Turns events into rows, one after the other.
#[derive(Debug)]
pub(super) struct Projector {
    quotas: QuotaSet,
    values: ValueMaker,
    /// How many rows the events so far made.
    row_count: u64,
    /// The rows of the event at hand, and how many of them are new.
    rows: Vec<(Key, Value)>,
    rows_new: u64,
}

impl Projector {
    pub(super) fn new(quotas: QuotaSet, row_count: u64) -> Self {
        Self { quotas, values: ValueMaker::default(), row_count, rows: Vec::new(), rows_new: 0 }
    }

    pub(super) fn row_count(&self) -> u64 {
        self.row_count
    }

    /// The rows of an event; `find` looks a reservation up. An error leaves the projection as it
    /// was.
    pub(super) fn apply(
        &mut self,
        seq: Seq,
        event: &Event<'_>,
        find: impl Fn(ReservationId) -> Result<Found>,
    ) -> Result<impl Iterator<Item = (Key, Value)>> {
        self.rows.clear();
        self.rows_new = 0;
        let effects = Effects::of(event)?;
        for one in &effects {
            if let Some(opened) = one.opened
                && !opened.key.kind().has_history()
            {
                self.add_quota(opened.account);
            }
            // No two of them are about one reservation, whose row would be found without the other.
            if let Some(life) = &one.reservation {
                self.reservation(seq, event.at, life, &find)?;
            }
        }
        let mut changes = effects.iter().flat_map(|one| &one.changes);
        while let Some(change) = changes.next() {
            let same = |other: &&AccountChange<'_>| other.account == change.account;
            let later = changes.clone().filter(same).count();
            let later =
                u16::try_from(later).expect("an event has at most Facts::MAX changes of it");
            self.change(seq, event.at, later, change);
        }
        for course in Course::BOTH {
            self.touched(seq, course, &effects);
        }
        self.row_count += self.rows_new;
        Ok(self.rows.drain(..))
    }

    /// The pages of quota accounts that changed since the last call, as rows of `seq`.
    pub(super) fn quota_rows(&mut self, seq: Seq) -> Vec<(Key, Value)> {
        let values = &mut self.values;
        let pages = self.quotas.take_dirty();
        pages
            .map(|(key, page)| (key, values.make(seq, |buffer| buffer.extend_from_slice(page))))
            .collect()
    }

    /// Remembers that an account is a quota.
    pub(super) fn add_quota(&mut self, account: AccountId) {
        self.row_count += u64::from(self.quotas.insert(account));
    }

    fn reservation(
        &mut self,
        seq: Seq,
        at: TimeMs,
        life: &Life<'_>,
        find: impl Fn(ReservationId) -> Result<Found>,
    ) -> Result<()> {
        match *life {
            Life::Made(made) => {
                self.made(seq, at, &made);
                Ok(())
            }
            Life::Ended { how, end } => {
                let lines = || end.lines.iter().map(|line| record_line(line, line.consumed));
                let otherwise = || partial(end.reservation, end.expires_at, lines().collect());
                let found = find(end.reservation)?;
                self.update(seq, found, Some(otherwise), |record| {
                    record.state = match how {
                        Ending::Confirmed => ReservationState::Confirmed,
                        Ending::Released => ReservationState::Released,
                        Ending::Expired => ReservationState::Expired,
                    };
                    record.ended_at = Some(at);
                    record.lines = lines().collect();
                    add_event(record, seq);
                });
                Ok(())
            }
            Life::Extended { reservation, expires_at, lines } => {
                let lines = lines.iter().map(|line| record_line(line, line.consumed));
                let otherwise = || partial(reservation, expires_at, lines.collect());
                let found = find(reservation)?;
                self.update(seq, found, Some(otherwise), |record| record.expires_at = expires_at);
                Ok(())
            }
            Life::Revived { reservation, owner, expires_at, lines } => {
                let lines = || lines.iter().map(|line| record_line(line, line.consumed));
                let otherwise = || partial(reservation, expires_at, lines().collect());
                let found = find(reservation)?;
                self.update(seq, found, Some(otherwise), |record| {
                    record.state = ReservationState::Confirmed;
                    record.ended_at = Some(at);
                    record.lines = lines().collect();
                    // Whose it is was told when it was made, which may be no longer known.
                    record.owner = record.owner.or(owner);
                    add_event(record, seq);
                });
                Ok(())
            }
            Life::Returned { reservation, lines, expires_at, part } => {
                let found = find(reservation)?;
                let otherwise = || confirmed(reservation, expires_at, lines, part);
                self.update(seq, found, Some(otherwise), |record| {
                    add_return(record, at, part);
                    add_event(record, seq);
                });
                Ok(())
            }
            Life::Noted { reservation, body } => {
                let found = find(reservation)?;
                self.update(seq, found, None::<fn() -> _>, |record| add_note(record, at, body));
                Ok(())
            }
        }
    }

    /// A new record is written blindly: when a flush that was cut short left a later state of it in
    /// sled, as those of earlier releases did, the events that made that state follow.
    fn made(&mut self, seq: Seq, at: TimeMs, made: &Made<'_>) {
        let Made { reservation, owner, expires_at, confirmed, lines, details } = *made;
        let record = ReservationRecord {
            reservation,
            owner,
            state: if confirmed { ReservationState::Confirmed } else { ReservationState::Pending },
            lines: lines.iter().map(|line| record_line(line, line.consumed)).collect(),
            created_at: at,
            expires_at,
            ended_at: confirmed.then_some(at),
            returned_at: None,
            details: details.to_vec(),
            notes: Vec::new(),
            events: vec![seq],
        };
        self.put_record(seq, &record);
        self.rows_new += 1;
        if let Some(owner) = owner {
            let key = Key::owner(owner, reservation);
            self.rows.push((key, self.values.make(seq, |_| {})));
            self.rows_new += 1;
        }
    }

    /// Changes the record that was found; `otherwise` makes the part of it that is known when its
    /// beginning is not in the journal any more. A record that already is as of `seq` or later
    /// stays: the event is being replayed.
    fn update(
        &mut self,
        seq: Seq,
        found: Found,
        otherwise: Option<impl FnOnce() -> ReservationRecord>,
        change: impl FnOnce(&mut ReservationRecord),
    ) {
        let mut record = match (found, otherwise) {
            (Some((as_of, _)), _) if as_of >= seq => return,
            (Some((_, record)), _) => record,
            (None, Some(otherwise)) => {
                self.rows_new += 1;
                otherwise()
            }
            (None, None) => return,
        };
        change(&mut record);
        self.put_record(seq, &record);
    }

    fn put_record(&mut self, seq: Seq, record: &ReservationRecord) {
        let key = Key::reservation(record.reservation);
        self.rows.push((key, self.values.make(seq, |buffer| encode_reservation(record, buffer))));
    }

    /// That the event changed accounts in this way, if it did.
    fn touched(&mut self, seq: Seq, course: Course, effects: &[Effects<'_>]) {
        let mut accounts = Vec::new();
        let changes = effects.iter().flat_map(|one| &one.changes);
        for change in changes.filter(|change| Course::of(change.kind) == course) {
            let touched = (change.account, change.kind);
            if !self.quotas.contains(change.account) && !accounts.contains(&touched) {
                accounts.push(touched);
            }
        }
        if accounts.is_empty() {
            return;
        }
        let key = Key::event(course, seq);
        self.rows.push((key, self.values.make(seq, |buffer| encode_touched(&accounts, buffer))));
        self.rows_new += 1;
    }

    /// The change of an account. Quotas have no history of their own.
    fn change(&mut self, seq: Seq, at: TimeMs, later: u16, change: &AccountChange<'_>) {
        let AccountChange { account, kind, delta, available, quantity, reservation, .. } = *change;
        if self.quotas.contains(account) {
            return;
        }
        let key = Key::change(account, seq, later);
        let note = change.note.to_owned();
        let record =
            ChangeRecord { seq, account, kind, delta, available, quantity, reservation, at, note };
        self.rows.push((key, self.values.make(seq, |buffer| encode_change(&record, buffer))));
        self.rows_new += 1;
    }
}

/// What is known of a reservation whose beginning is not.
fn partial(
    reservation: ReservationId,
    expires_at: TimeMs,
    lines: Vec<RecordLine>,
) -> ReservationRecord {
    ReservationRecord {
        reservation,
        owner: None,
        state: ReservationState::Pending,
        lines,
        created_at: 0,
        expires_at,
        ended_at: None,
        returned_at: None,
        details: Vec::new(),
        notes: Vec::new(),
        events: Vec::new(),
    }
}

/// What a return tells of a reservation that was confirmed before anything is known of it.
fn confirmed(
    reservation: ReservationId,
    expires_at: TimeMs,
    lines: &[EventLine],
    part: Option<&Part>,
) -> ReservationRecord {
    let lines = match part {
        Some(part) => part.lines.iter().map(whole_line).collect(),
        None => lines.iter().map(returned_line).collect(),
    };
    let state = ReservationState::Confirmed;
    ReservationRecord { state, ..partial(reservation, expires_at, lines) }
}

fn whole_line(line: &PartLine) -> RecordLine {
    let PartLine { account, consumed, .. } = *line;
    RecordLine { account, quantity: consumed, consumed, returned: 0 }
}

fn returned_line(line: &EventLine) -> RecordLine {
    record_line(line, line.quantity.saturating_add(line.consumed))
}

fn record_line(line: &EventLine, consumed: u64) -> RecordLine {
    RecordLine { account: line.account(), quantity: line.quantity, consumed, returned: 0 }
}

/// Consumed units went back: all of them, or so many of each line as the event says.
fn add_return(record: &mut ReservationRecord, at: TimeMs, part: Option<&Part>) {
    let used = record.lines.iter_mut().filter(|line| line.consumed > 0);
    match part {
        Some(part) => {
            used.zip(&part.lines).for_each(|(line, part)| line.returned = part.returned);
        }
        None => used.for_each(|line| line.returned = line.consumed),
    }
    if part.is_none_or(Part::is_last) {
        record.state = ReservationState::Returned;
        record.returned_at = Some(at);
    }
}

/// All of them are known, or none.
fn add_event(record: &mut ReservationRecord, seq: Seq) {
    match record.events.len() {
        0 => {}
        1..ReservationRecord::EVENTS_MAX => record.events.push(seq),
        _ => record.events.clear(),
    }
}

fn add_note(record: &mut ReservationRecord, at: TimeMs, body: &[u8]) {
    if record.notes.len() >= ReservationRecord::NOTES_MAX {
        record.notes.remove(0);
    }
    record.notes.push(NoteRecord { at, body: body.to_vec() });
}
