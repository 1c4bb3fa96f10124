//! History against the events: every row that they make is there and says what they say, and no
//! other row is.

mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use self::told::{changes_of, is_quota, is_returned, reservation_of, same_lines, signed};
use super::Audited;
use super::books::Books;
use super::finding::{Findings, Kind};
use super::journal::Marks;
use crate::base::error::{ErrorKind, Result};
use crate::base::{AccountId, ReservationId, Seq, TimeMs};
use crate::event::Window;
use crate::event::{End, Event, EventLine, Fact};
use crate::history::record::{
    ChangeKind, ChangeRecord, Course, ReservationRecord, ReservationState,
};
use crate::history::{Copied, CopiedRow, StoreCopy};

pub(super) struct History {
    copy: StoreCopy,
    /// The first and the last event that were compared.
    compared: Option<(Seq, Seq)>,
    /// How many rows the events account for.
    matched: Rows,
    /// What the event at hand changed, as the index must have it.
    touched: Vec<(AccountId, ChangeKind)>,
    /// The first event that the index has, if it has any.
    indexed_from: Option<Seq>,
    /// Accounts that changed in ways that no row tells of.
    unrecorded: BTreeSet<u32>,
    /// Reservations that events were about which it need not show.
    later: BTreeSet<u64>,
}

/// The event at hand, as far as every row of it needs it.
#[derive(Clone, Copy)]
struct Cause<'a> {
    seq: Seq,
    at: TimeMs,
    reservation: Option<ReservationId>,
    note: &'a str,
    books: &'a Books,
    /// The facts of the same event that come after.
    rest: &'a [Fact<'a>],
}

impl Cause<'_> {
    /// The change that history must tell of.
    fn change(
        self,
        account: AccountId,
        kind: ChangeKind,
        delta: i64,
        available: i64,
        quantity: u64,
    ) -> ChangeRecord {
        let Self { seq, at, reservation, note, .. } = self;
        ChangeRecord {
            seq,
            account,
            kind,
            delta,
            available,
            quantity,
            reservation,
            at,
            note: note.to_owned(),
        }
    }
}

/// How many rows there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rows {
    reservations: u64,
    owners: u64,
    changes: u64,
    events: u64,
}

impl History {
    /// Opens a copy of the store of the data directory `dir`, made in `scratch`. `None` when there
    /// is nothing to look at, and `findings` or the notes say why.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be copied.
    pub(super) fn open(
        dir: &Path,
        scratch: &Path,
        findings: &mut Findings,
        audited: &mut Audited,
    ) -> Result<Option<Self>> {
        let path = dir.join("store");
        match StoreCopy::take(&path, scratch)? {
            Copied::Sound(copy) => {
                audited.history = Some((copy.first_seq(), copy.watermark()));
                return Ok(Some(Self {
                    indexed_from: copy.indexed_from()?,
                    copy,
                    compared: None,
                    matched: Rows::default(),
                    touched: Vec::new(),
                    unrecorded: BTreeSet::new(),
                    later: BTreeSet::new(),
                }));
            }
            Copied::Nothing => audited
                .notes
                .push("there is no history: an engine that keeps it makes it anew".into()),
            Copied::Busy => audited
                .notes
                .push("history was written to all the while, and is not checked".into()),
            Copied::Damaged(reason) => {
                let what = format!(
                    "{reason}; an engine sets it aside, and makes it anew from the journal"
                );
                findings.add_in(Kind::Store, &path, 0, what);
            }
        }
        Ok(None)
    }

    /// The records by which the journal is known to be the one that it shows.
    pub(super) fn witnesses(&self) -> impl Iterator<Item = Seq> + use<> {
        self.copy.branch().witnesses()
    }

    /// Whether what it shows is of this journal, and no more than that has. An earlier release did
    /// not say.
    fn check_branch(&self, last_seq: Seq, marks: &Marks, findings: &mut Findings) {
        let (watermark, branch) = (self.copy.watermark(), self.copy.branch());
        let noted = |seq: &Seq| marks.get(seq).copied().flatten();
        if watermark <= last_seq {
            if noted(&watermark).and_then(|mark| branch.ends_with(watermark, mark)) == Some(false) {
                let what = format!(
                    "history is of another journal: record {watermark}, which it ends with, is another"
                );
                findings.add_whole(Kind::Store, what);
            }
            return;
        }
        let start = branch.segment_by(last_seq);
        if start.is_some_and(|(first, salt)| noted(&first).is_some_and(|mark| mark.salt != salt)) {
            let what = format!(
                "history is of another journal, which parted from this one before record {last_seq}"
            );
            return findings.add_whole(Kind::Store, what);
        }
        let what = format!(
            "history shows record {watermark}, and the journal ends at record {last_seq}: acknowledged records are missing"
        );
        findings.add_whole(Kind::Loss, what);
    }

    /// Compares the rows of an event, which the books have not entered yet.
    pub(super) fn event(
        &mut self,
        seq: Seq,
        event: &Event<'_>,
        books: &Books,
        findings: &mut Findings,
    ) {
        if seq < self.copy.first_seq() {
            return;
        }
        self.compared = Some((self.compared.map_or(seq, |(first, _)| first), seq));
        if seq > self.copy.watermark() {
            self.later.extend(event.facts().iter().filter_map(reservation_of));
        }
        if let Err(error) = self.compare(seq, event, books, findings) {
            findings.add(Kind::Store, seq, error.to_string());
        }
    }

    fn compare(
        &mut self,
        seq: Seq,
        event: &Event<'_>,
        books: &Books,
        findings: &mut Findings,
    ) -> Result<()> {
        let facts = event.facts();
        self.touched.clear();
        for (index, fact) in facts.iter().enumerate() {
            self.compare_fact((seq, event.at), fact, &facts[index + 1..], books, findings)?;
        }
        Course::BOTH.into_iter().try_for_each(|course| self.index(seq, course, findings))
    }

    /// The entries of an event in the index: they name just what it changed.
    fn index(&mut self, seq: Seq, course: Course, findings: &mut Findings) -> Result<()> {
        let told = self.touched.iter().filter(|(_, kind)| Course::of(*kind) == course);
        let told: BTreeSet<_> = told.map(|(account, kind)| (*account, kind.number())).collect();
        let row = self.copy.touched(course, seq)?;
        self.matched.events += u64::from(row.is_some() && !told.is_empty());
        let is_due =
            self.indexed_from.is_some_and(|first| first <= seq) && seq <= self.copy.watermark();
        let has: BTreeSet<_> = match &row {
            Some(row) => row.accounts.iter().map(|(id, kind)| (*id, kind.number())).collect(),
            None if is_due => BTreeSet::new(),
            None => return Ok(()),
        };
        if has != told {
            let what = format!("the index of history has {row:?} of what the event changed");
            findings.add(Kind::History, seq, what);
        }
        Ok(())
    }

    /// Compares the rows of a fact, which the `rest` of its event follows.
    fn compare_fact(
        &mut self,
        (seq, at): (Seq, TimeMs),
        fact: &Fact<'_>,
        rest: &[Fact<'_>],
        books: &Books,
        findings: &mut Findings,
    ) -> Result<()> {
        let cause = |reservation, note| Cause { seq, at, reservation, note, books, rest };
        match fact {
            Fact::Received { account, quantity, available, note } => {
                let change = (ChangeKind::Received, signed(*quantity), *quantity);
                self.stock(cause(None, note), *account, change, *available, findings)
            }
            Fact::Adjusted { account, delta, available, note } => {
                let change = (ChangeKind::Adjusted, *delta, delta.unsigned_abs());
                self.stock(cause(None, note), *account, change, *available, findings)
            }
            Fact::WrittenOff { account, quantity, available, note } => {
                let change = (ChangeKind::WrittenOff, -signed(*quantity), *quantity);
                self.stock(cause(None, note), *account, change, *available, findings)
            }
            Fact::Transferred { from, to, quantity, from_available, to_available, note } => {
                let out = (ChangeKind::TransferredOut, -signed(*quantity), *quantity);
                self.stock(cause(None, note), *from, out, *from_available, findings)?;
                let into = (ChangeKind::TransferredIn, signed(*quantity), *quantity);
                self.stock(cause(None, note), *to, into, *to_available, findings)
            }
            Fact::Reserved { reservation, owner, expires_at, confirmed, lines, details } => {
                let kind = if *confirmed { ChangeKind::Bought } else { ChangeKind::Reserved };
                let state = if *confirmed {
                    ReservationState::Confirmed
                } else {
                    ReservationState::Pending
                };
                self.reservation(seq, *reservation, findings, |record| {
                    record.state == state
                        && record.owner == *owner
                        && record.expires_at == *expires_at
                        && record.created_at == at
                        && record.ended_at == confirmed.then_some(at)
                        && record.details[..] == details[..]
                        && same_lines(record, lines)
                })?;
                if let Some(owner) = owner {
                    self.owner(seq, *owner, *reservation, findings)?;
                }
                self.changes(cause(Some(*reservation), ""), kind, lines, findings)
            }
            Fact::Confirmed(end) => {
                self.end(cause(Some(end.reservation), ""), end, ChangeKind::Confirmed, findings)
            }
            Fact::Released(end) => {
                self.end(cause(Some(end.reservation), ""), end, ChangeKind::Released, findings)
            }
            Fact::Expired(end) => {
                self.end(cause(Some(end.reservation), ""), end, ChangeKind::Expired, findings)
            }
            Fact::Returned { reservation, lines, note, part, .. } => {
                self.reservation(seq, *reservation, findings, |record| {
                    is_returned(record, part.as_deref(), at)
                })?;
                let written_off = part.as_deref().map_or(&[][..], |part| &part.written_off);
                let (broken, sound): (Vec<EventLine>, Vec<EventLine>) =
                    lines.iter().partition(|line| written_off.contains(&line.account()));
                let cause = cause(Some(*reservation), note);
                self.changes(cause, ChangeKind::Returned, &sound, findings)?;
                self.changes(cause, ChangeKind::Discarded, &broken, findings)
            }
            Fact::Extended { reservation, expires_at, lines, .. } => {
                self.reservation(seq, *reservation, findings, |record| {
                    record.state == ReservationState::Pending
                        && record.expires_at == *expires_at
                        && same_lines(record, lines)
                })
            }
            Fact::Revived { reservation, owner, expires_at, lines } => {
                self.reservation(seq, *reservation, findings, |record| {
                    record.state == ReservationState::Confirmed
                        && record.owner == *owner
                        && record.expires_at == *expires_at
                        && record.ended_at == Some(at)
                        && same_lines(record, lines)
                })?;
                self.changes(cause(Some(*reservation), ""), ChangeKind::Bought, lines, findings)
            }
            Fact::Noted { reservation, body } => {
                // A note on what history does not know is not kept.
                if self.copy.reservation(*reservation)?.is_none() {
                    return Ok(());
                }
                self.reservation(seq, *reservation, findings, |record| {
                    record
                        .notes
                        .last()
                        .is_some_and(|note| note.at == at && note.body[..] == body[..])
                })
            }
            Fact::PolicyChanged { account, policy, .. } => {
                let before =
                    books.accounts.get(&account.number()).map_or(0, |account| account.policy.limit);
                if policy.limit != before {
                    self.unrecorded.insert(account.number());
                }
                Ok(())
            }
            Fact::Renewed { account, .. } => {
                self.unrecorded.insert(account.number());
                Ok(())
            }
            Fact::AccountOpened { .. }
            | Fact::AccountClosed { .. }
            | Fact::Document { .. }
            | Fact::ClockMended { .. }
            | Fact::Queued { .. }
            | Fact::Dequeued { .. }
            | Fact::Answered { .. }
            // Its parts are compared, and have none.
            | Fact::Atomic(_) => Ok(()),
        }
    }

    fn end(
        &mut self,
        cause: Cause<'_>,
        end: &End,
        kind: ChangeKind,
        findings: &mut Findings,
    ) -> Result<()> {
        let state = match kind {
            ChangeKind::Confirmed => ReservationState::Confirmed,
            ChangeKind::Released => ReservationState::Released,
            _ => ReservationState::Expired,
        };
        let held = cause.books.pending.get(&end.reservation.number());
        // What was made before history begins is known in part.
        let begun = held.filter(|held| held.made.is_some() && self.copy.first_seq() == 1);
        self.reservation(cause.seq, end.reservation, findings, |record| {
            let as_made = begun.is_none_or(|held| {
                let made = (record.created_at, crc32c::crc32c(&record.details));
                held.made == Some(made) && held.owner == record.owner.map(AccountId::number)
            });
            as_made
                && record.state == state
                && record.ended_at == Some(cause.at)
                && record.expires_at == end.expires_at
                && same_lines(record, &end.lines)
        })?;
        self.changes(cause, kind, &end.lines, findings)
    }

    /// The row of a reservation after an event: as the event left it, or as a later one did.
    fn reservation(
        &mut self,
        seq: Seq,
        id: ReservationId,
        findings: &mut Findings,
        is_as_told: impl FnOnce(&ReservationRecord) -> bool,
    ) -> Result<()> {
        let due = seq <= self.copy.watermark();
        match self.copy.reservation(id)? {
            Some((row_seq, record)) if row_seq == seq => {
                self.matched.reservations += 1;
                if !is_as_told(&record) {
                    findings.add(
                        Kind::History,
                        seq,
                        format!("history tells something else of reservation {id}: {record:?}"),
                    );
                }
            }
            Some((row_seq, _)) if row_seq < seq && due => {
                findings.add(
                    Kind::History,
                    seq,
                    format!("history shows reservation {id} as of record {row_seq}"),
                );
            }
            None if due => {
                findings.add(Kind::History, seq, format!("reservation {id} is not in history"))
            }
            _ => {}
        }
        Ok(())
    }

    fn owner(
        &mut self,
        seq: Seq,
        owner: AccountId,
        id: ReservationId,
        findings: &mut Findings,
    ) -> Result<()> {
        if self.copy.is_indexed(owner, id)? {
            self.matched.owners += 1;
        } else if seq <= self.copy.watermark() {
            let what = format!(
                "history does not find reservation {id} by its owner, account {}",
                owner.number()
            );
            findings.add(Kind::History, seq, what);
        }
        Ok(())
    }

    /// A change of one account without a reservation.
    fn stock(
        &mut self,
        cause: Cause<'_>,
        account: AccountId,
        (kind, delta, quantity): (ChangeKind, i64, u64),
        available: i64,
        findings: &mut Findings,
    ) -> Result<()> {
        if is_quota(cause.books, account) {
            return Ok(());
        }
        self.change(cause, &cause.change(account, kind, delta, available, quantity), findings)
    }

    /// One change for each account that has a history; several lines of one account count together.
    fn changes(
        &mut self,
        cause: Cause<'_>,
        kind: ChangeKind,
        lines: &[EventLine],
        findings: &mut Findings,
    ) -> Result<()> {
        let mut together: BTreeMap<u32, (i64, u64, i64)> = BTreeMap::new();
        for line in lines {
            let (delta, quantity) = match kind {
                ChangeKind::Reserved | ChangeKind::Bought => {
                    (-signed(line.quantity), line.quantity)
                }
                ChangeKind::Confirmed => {
                    (signed(line.quantity) - signed(line.consumed), line.consumed)
                }
                ChangeKind::Discarded => (0, line.quantity),
                _ => (signed(line.quantity), line.quantity),
            };
            let entry = together.entry(line.account).or_default();
            *entry =
                (entry.0.saturating_add(delta), entry.1.saturating_add(quantity), line.available);
        }
        for (number, (delta, quantity, available)) in together {
            let account = AccountId::from_number(number);
            if !is_quota(cause.books, account) {
                let told = cause.change(account, kind, delta, available, quantity);
                self.change(cause, &told, findings)?;
            }
        }
        Ok(())
    }

    fn change(
        &mut self,
        cause: Cause<'_>,
        told: &ChangeRecord,
        findings: &mut Findings,
    ) -> Result<()> {
        let (seq, account) = (told.seq, told.account.number());
        self.touched.push((told.account, told.kind));
        let later = cause.rest.iter().filter(|fact| changes_of(fact, told.account)).count();
        match self.copy.change(told.account, seq, u16::try_from(later).unwrap_or(u16::MAX))? {
            Some(row) => {
                self.matched.changes += 1;
                if row != *told {
                    findings.add(
                        Kind::History,
                        seq,
                        format!("history tells something else of account {account}: {row:?}"),
                    );
                }
            }
            None if seq <= self.copy.watermark() => {
                findings.add(
                    Kind::History,
                    seq,
                    format!("the change of account {account} is not in history"),
                );
            }
            None => {}
        }
        Ok(())
    }

    /// What waits in history waits in the books, and what a snapshot told the books of in history.
    fn check_waiting(&self, waiting: &BTreeMap<u64, Seq>, books: &Books, findings: &mut Findings) {
        if self.compared.is_none_or(|(first, _)| first > self.copy.watermark() + 1) {
            // Between the two something may have happened that neither tells of.
            return;
        }
        for (id, seq) in waiting.iter().filter(|(id, _)| !books.pending.contains_key(id)) {
            let what = format!("history shows that {id} waits, and there is no such reservation");
            findings.add(Kind::Leak, *seq, what);
        }
        let believed = books.pending.iter().filter(|(_, held)| held.made.is_none());
        let unknown: BTreeSet<u64> = believed
            .map(|(id, _)| *id)
            .filter(|id| !waiting.contains_key(id) && !self.later.contains(id))
            .collect();
        // History that begins later does not know of older ones.
        for id in unknown.iter().filter(|_| self.copy.first_seq() == 1) {
            let what = format!("reservation {id} is pending, and in history it does not wait");
            findings.add_whole(Kind::Leak, what);
        }
    }

    /// Reads every row once: none may be damaged, none may be about what never happened, and the
    /// changes of each account make an unbroken chain. What waits is compared with books that are
    /// whole.
    pub(super) fn finish(
        self,
        last_seq: Seq,
        marks: &Marks,
        (books, is_whole): (&Books, bool),
        findings: &mut Findings,
    ) -> Result<()> {
        self.check_branch(last_seq, marks, findings);
        let mut waiting = BTreeMap::new();
        let (mut there, mut all) = (Rows::default(), 0_u64);
        let mut newer: Option<ChangeRecord> = None;
        let (first, last) = self.compared.unwrap_or((1, 0));
        let scanned = self.copy.scan(&mut |row| {
            all += 1;
            match row {
                Ok(CopiedRow::Reservation { seq, id, state }) => {
                    there.reservations += u64::from((first..=last).contains(&seq));
                    let shown = seq <= self.copy.watermark() && !self.later.contains(&id.number());
                    if shown && state == ReservationState::Pending {
                        waiting.insert(id.number(), seq);
                    }
                }
                Ok(CopiedRow::Event(seq)) => {
                    there.events += u64::from((first..=last).contains(&seq))
                }
                Ok(CopiedRow::Owner(seq)) => {
                    there.owners += u64::from((first..=last).contains(&seq))
                }
                Ok(CopiedRow::Change(change)) => {
                    there.changes += u64::from((first..=last).contains(&change.seq));
                    // A flush that was cut short leaves some of the rows behind the watermark, the
                    // newest first.
                    if change.seq <= self.copy.watermark() {
                        self.check_link(&change, newer.as_ref(), books, findings);
                        newer = Some(change);
                    }
                }
                Ok(CopiedRow::Own) => {}
                Err(error) => findings.add_whole(Kind::Store, error.to_string()),
            }
        });
        match scanned {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                findings.add_whole(Kind::Store, error.to_string())
            }
            scanned => {
                scanned?;
                if is_whole {
                    self.check_waiting(&waiting, books, findings);
                }
            }
        }
        if all < self.copy.rows_min() {
            let what = format!("history holds {all} rows of {}", self.copy.rows_min());
            findings.add_whole(Kind::Store, what);
        }
        for (name, there, matched) in [
            ("reservations", there.reservations, self.matched.reservations),
            ("owners", there.owners, self.matched.owners),
            ("changes", there.changes, self.matched.changes),
            ("the index of events", there.events, self.matched.events),
        ] {
            if there != matched {
                let what = format!(
                    "history has {there} rows of {name}, and the events account for {matched}"
                );
                findings.add_whole(Kind::History, what);
            }
        }
        Ok(())
    }

    fn check_link(
        &self,
        older: &ChangeRecord,
        newer: Option<&ChangeRecord>,
        books: &Books,
        findings: &mut Findings,
    ) {
        let Some(newer) = newer.filter(|newer| newer.account == older.account) else {
            return;
        };
        let account = older.account.number();
        let regular = books.accounts.get(&account).is_some_and(|account| {
            account.policy.limit == 0 && account.policy.window == Window::Never
        });
        if regular
            && !self.unrecorded.contains(&account)
            && older.available.checked_add(newer.delta) != Some(newer.available)
        {
            let what = format!(
                "the chain of account {account} is broken: {} available after record {}, then {:+} makes {}",
                older.available, older.seq, newer.delta, newer.available
            );
            findings.add(Kind::History, newer.seq, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::base::AccountKey;
    use crate::event::Policy;
    use crate::history::{Store, StoreConfig};

    /// An account, and receipts of it.
    fn events(count: u64) -> Vec<Event<'static>> {
        let key = AccountKey::stock("tea").expect("a valid key");
        let account = AccountId::from_number(u32::from(blake3::hash(b"tea").as_bytes()[0] % 64));
        let opened = Fact::AccountOpened { account, key, policy: Policy::strict() };
        let received = (1..count).map(|sum| Fact::Received {
            account,
            quantity: 1,
            available: sum as i64,
            note: "".into(),
        });
        let facts = std::iter::once(opened).chain(received);
        facts.map(|fact| Event { at: 1, request: None, fact }).collect()
    }

    fn audit(dir: &Path, events: &[Event<'_>]) -> (Findings, Audited) {
        let (mut findings, mut audited) = (Findings::default(), Audited::default());
        let scratch = TempDir::new().expect("a directory");
        let history =
            History::open(dir, scratch.path(), &mut findings, &mut audited).expect("it copies");
        let (mut history, mut books) = (history.expect("there is one"), Books::new(1));
        for (seq, event) in (1..).zip(events) {
            history.event(seq, event, &books, &mut findings);
            books.enter(seq, event, &mut findings);
        }
        history
            .finish(events.len() as u64, &Marks::new(), (&books, true), &mut findings)
            .expect("it scans");
        (findings, audited)
    }

    #[test]
    fn a_flush_that_was_cut_short_is_no_finding() {
        let events = events(40);
        for rows in [1, 7, 19] {
            let dir = TempDir::new().expect("a directory");
            let store =
                Store::open(&dir.path().join("store"), StoreConfig::default()).expect("it opens");
            for (seq, event) in (1..).zip(&events) {
                store.project(seq, event).expect("it is the next");
                if seq == 20 {
                    assert_eq!(store.flush(usize::MAX).expect("it is written"), 20);
                }
            }
            for _ in 0..rows {
                assert_eq!(store.flush(1).expect("it is written"), 20, "the table is not through");
            }
            drop(store);
            let (findings, audited) = audit(dir.path(), &events);
            assert_eq!((findings.told(), audited.history), (&[][..], Some((1, 20))), "{rows} rows");
        }
    }
}
