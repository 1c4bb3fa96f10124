//! The auditor's books: every account and reservation, recomputed from the events. Nothing of the
//! ledger is used.

mod lots;
mod returns;
mod revivals;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use self::lots::Lots;
use self::returns::{Confirmed, Returned};
use self::revivals::Revived;
use super::account::{Account, Wrong};
use super::answers::Answers;
use super::finding::{Findings, Kind};
use super::snapshot::{PARTS, Part, PendingRow, Place, SHARDS, Snapshot};
use crate::base::TTL_MS_MAX;
use crate::base::{AccountKey, ReservationId, Seq, TimeMs};
use crate::event::{End, Event, EventLine, Fact};

/// The shard that a number names.
pub(super) fn shard_of(number: u64) -> usize {
    (number % SHARDS as u64) as usize
}

/// A reservation that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PendingReservation {
    pub(super) expires_at: TimeMs,
    pub(super) owner: Option<u32>,
    pub(super) lines: Vec<(u32, u64)>,
    /// When it was made and the checksum of its details; unknown when a snapshot told of it.
    pub(super) made: Option<(TimeMs, u32)>,
}

pub(super) struct Books {
    pub(super) accounts: HashMap<u32, Account>,
    numbers: HashMap<String, u32>,
    lots: Lots,
    /// How many accounts each shard has.
    pub(super) opened: [u32; SHARDS],
    pub(super) pending: HashMap<u64, PendingReservation>,
    /// What expired, until it is revived.
    expired: HashMap<u64, PendingReservation>,
    /// What confirmed reservations consumed, until all of it is returned.
    confirmed: HashMap<u64, Confirmed>,
    /// The count that the next reservation of each shard has at least.
    pub(super) numbered: [u64; SHARDS],
    pub(super) answers: Answers,
    pub(super) documents: BTreeMap<(String, String), Vec<u8>>,
    /// By part: what the snapshot shows that the books began with.
    shown: [Seq; PARTS],
    /// Whether the books have seen every event there ever was.
    pub(super) whole: bool,
}

impl Books {
    /// Empty books, before the first event.
    pub(super) fn new(keys_max: usize) -> Self {
        Self {
            accounts: HashMap::new(),
            numbers: HashMap::new(),
            lots: Lots::default(),
            opened: [0; SHARDS],
            pending: HashMap::new(),
            expired: HashMap::new(),
            confirmed: HashMap::new(),
            numbered: [0; SHARDS],
            answers: Answers::new(keys_max),
            documents: BTreeMap::new(),
            shown: [0; PARTS],
            whole: true,
        }
    }

    /// Books that begin with what a snapshot shows. Its accounts must add up; the rest is believed.
    pub(super) fn begin_with(
        snapshot: &Snapshot,
        keys_max: usize,
        findings: &mut Findings,
    ) -> Self {
        let mut books = Self { whole: false, ..Self::new(keys_max) };
        for part in 0..PARTS {
            books.shown[part] = snapshot.shown(part);
            match snapshot.part(part) {
                Some(content) => books.load(part, content, snapshot, findings),
                None => findings.add_in(
                    Kind::Snapshot,
                    &snapshot.path,
                    0,
                    format!("part {part} is malformed"),
                ),
            }
        }
        books
    }

    fn load(&mut self, part: usize, content: Part, snapshot: &Snapshot, findings: &mut Findings) {
        match content {
            Part::Documents(documents) => {
                self.documents =
                    documents.into_iter().map(|(name, key, body)| ((name, key), body)).collect();
            }
            Part::Shard { accounts, numbered, pending, answers } => {
                for (row, number) in accounts.iter().zip((part as u32..).step_by(SHARDS)) {
                    let mut account = Account::from_row(row);
                    if let Some((kind, what)) = account.imbalance() {
                        findings.add_in(kind, &snapshot.path, 0, what);
                        account.doubtful = true;
                    }
                    if let Ok(key) = row.key.parse() {
                        self.lots.learn(number, &key);
                    }
                    if !row.closed {
                        self.numbers.insert(row.key.clone(), number);
                    }
                    self.accounts.insert(number, account);
                }
                self.opened[part] = accounts.len() as u32;
                self.numbered[part] = numbered;
                for PendingRow { reservation, expires_at, owner, lines } in pending {
                    self.pending.insert(
                        reservation,
                        PendingReservation { expires_at, owner, lines, made: None },
                    );
                }
                answers.into_iter().for_each(|row| self.answers.believe(row, snapshot.taken_at));
            }
        }
    }

    /// Whether an event is news for a shard, or shown by the snapshot that the books began with.
    fn is_news(&self, part: usize, seq: Seq) -> bool {
        seq > self.shown[part]
    }

    /// Enters an event.
    pub(super) fn enter(&mut self, seq: Seq, event: &Event<'_>, findings: &mut Findings) {
        if let Fact::Atomic(parts) = &event.fact {
            self.hold_apart(seq, parts, findings);
        }
        self.hold_lines(seq, event.facts(), findings);
        for fact in event.facts() {
            self.enter_fact(seq, event.at, fact, findings);
        }
        self.answers.enter(seq, event, findings);
    }

    /// Of what happens together, each reservation is the matter of one part.
    fn hold_apart(&self, seq: Seq, parts: &[Fact<'_>], findings: &mut Findings) {
        let mut seen = BTreeSet::new();
        let about = parts.iter().filter_map(|fact| match fact {
            Fact::Reserved { reservation, .. } | Fact::Extended { reservation, .. } => {
                Some(*reservation)
            }
            Fact::Confirmed(end) | Fact::Released(end) => Some(end.reservation),
            _ => None,
        });
        for twice in about.filter(|id| !seen.insert(id.number())) {
            let what = format!("two parts of it are about reservation {twice}");
            findings.add(Kind::Reservation, seq, what);
        }
    }

    /// While others wait for units of an account, a reservation takes them only for who is first,
    /// whose place goes in the same event.
    fn hold_lines(&self, seq: Seq, facts: &[Fact<'_>], findings: &mut Findings) {
        let served = |id: ReservationId, account: u32| {
            facts.iter().any(|fact| {
                matches!(fact, Fact::Dequeued { account: of, reservation: Some(of_id), .. }
                    if (of.number(), *of_id) == (account, id))
            })
        };
        for fact in facts {
            match fact {
                Fact::Reserved { reservation, lines, .. }
                | Fact::Revived { reservation, lines, .. } => {
                    for line in lines {
                        let waited_for = self.is_news(shard_of(line.account.into()), seq)
                            && self
                                .accounts
                                .get(&line.account)
                                .is_some_and(|account| account.first_place().is_some());
                        if waited_for && !served(*reservation, line.account) {
                            let what = format!(
                                "reservation {reservation} takes units of account {} past those who wait for them",
                                line.account
                            );
                            findings.add(Kind::Reservation, seq, what);
                        }
                    }
                }
                Fact::Dequeued { reservation: Some(id), account, .. } => {
                    let is_made = facts.iter().any(|fact| {
                        matches!(fact, Fact::Reserved { reservation, lines, .. }
                            if reservation == id
                                && lines.iter().any(|line| line.account() == *account))
                    });
                    if !is_made {
                        let what = format!(
                            "a place is given up for reservation {id}, which takes nothing there"
                        );
                        findings.add(Kind::Reservation, seq, what);
                    }
                }
                _ => {}
            }
        }
    }

    /// Changes who waits for units of an account.
    fn change_line(
        &mut self,
        seq: Seq,
        number: u32,
        findings: &mut Findings,
        change: impl FnOnce(&mut Account) -> Option<Wrong>,
    ) {
        if !self.is_news(shard_of(number.into()), seq) {
            return;
        }
        let wrong = match self.accounts.get_mut(&number).filter(|account| !account.closed) {
            Some(account) => change(account),
            None => Some((Kind::Record, format!("nobody can wait for units of account {number}"))),
        };
        if let Some((kind, what)) = wrong {
            findings.add(kind, seq, what);
        }
    }

    fn enter_fact(&mut self, seq: Seq, at: TimeMs, fact: &Fact<'_>, findings: &mut Findings) {
        self.hold_ends(seq, at, fact, findings);
        match fact {
            Fact::AccountOpened { account, key, policy } => {
                self.open(
                    seq,
                    account.number(),
                    key,
                    Account::new(key.as_str().to_owned(), *policy),
                    findings,
                );
            }
            Fact::PolicyChanged { account, policy, available, consumed } => {
                self.change(seq, account.number(), *available, findings, |account| {
                    account.set_policy(*policy, *consumed, at)
                });
            }
            Fact::Received { account, quantity, available, .. } => {
                self.change(seq, account.number(), *available, findings, |account| {
                    account.receive((*quantity).into());
                    None
                });
            }
            Fact::Adjusted { account, delta, available, .. } => {
                self.change(seq, account.number(), *available, findings, |account| match *delta {
                    0.. => {
                        account.receive((*delta).into());
                        None
                    }
                    _ => account.write_off(-i128::from(*delta)),
                });
            }
            Fact::WrittenOff { account, quantity, available, .. } => {
                self.change(seq, account.number(), *available, findings, |account| {
                    account.write_off((*quantity).into())
                });
            }
            Fact::Renewed { account, quantity, available, kept } => {
                self.change(seq, account.number(), *available, findings, |account| {
                    account.renew((*quantity).into(), *kept, at)
                });
            }
            Fact::Reserved { .. } => self.reserve(seq, at, fact, findings),
            Fact::Confirmed(end) => {
                self.hold_deadline(seq, at, end, "confirmed", findings);
                self.end(seq, at, end, true, findings);
            }
            Fact::Released(end) => {
                self.hold_deadline(seq, at, end, "released", findings);
                self.end(seq, at, end, false, findings);
            }
            Fact::Expired(end) => {
                if at < end.expires_at && self.is_news(shard_of(end.reservation.number()), seq) {
                    let what = format!(
                        "reservation {} expires at {at}, before its deadline {}",
                        end.reservation, end.expires_at
                    );
                    findings.add(Kind::Deadline, seq, what);
                }
                let held = self.pending.get(&end.reservation.number()).cloned();
                self.end(seq, at, end, false, findings);
                self.expired.extend(held.map(|held| (end.reservation.number(), held)));
            }
            Fact::Revived { reservation, owner, expires_at, lines } => {
                let revived = Revived {
                    id: reservation.number(),
                    owner: owner.map(|owner| owner.number()),
                    expires_at: *expires_at,
                    lines,
                };
                self.revive(seq, at, &revived, findings);
            }
            Fact::Returned { reservation, lines, consumed_at, part, .. } => {
                let returned = Returned {
                    id: reservation.number(),
                    lines,
                    said: *consumed_at,
                    part: part.as_deref(),
                };
                self.give_back(seq, at, &returned, findings);
            }
            Fact::Transferred { from, to, quantity, from_available, to_available, .. } => {
                self.hold_transfer(seq, from.number(), to.number(), *quantity, findings);
                self.change(seq, from.number(), *from_available, findings, |account| {
                    account.write_off((*quantity).into())
                });
                self.change(seq, to.number(), *to_available, findings, |account| {
                    account.receive((*quantity).into());
                    None
                });
            }
            Fact::AccountClosed { account, key } => {
                self.close(seq, at, account.number(), key, findings)
            }
            Fact::Extended { reservation, was, expires_at, lines } => {
                let deadlines = (*was, *expires_at);
                self.extend(seq, at, reservation.number(), deadlines, lines, findings);
            }
            Fact::Queued { account, place, owner, body } => {
                let next =
                    Place { place: *place, owner: owner.number(), since: at, body: body.to_vec() };
                self.change_line(seq, account.number(), findings, |account| account.join(next));
            }
            Fact::Dequeued { account, place, owner, reservation, .. } => {
                self.change_line(seq, account.number(), findings, |account| {
                    account.leave(*place, owner.number(), reservation.map(|_| at))
                });
            }
            Fact::Noted { .. } | Fact::ClockMended { .. } => {}
            Fact::Document { collection, key, body } if self.is_news(SHARDS, seq) => {
                let name = (collection.to_string(), key.to_string());
                match body {
                    Some(body) => self.documents.insert(name, body.to_vec()),
                    None => self.documents.remove(&name),
                };
            }
            Fact::Document { .. } | Fact::Answered { .. } => {}
            // Its parts are entered, and have none.
            Fact::Atomic(_) => {}
        }
    }

    fn open(
        &mut self,
        seq: Seq,
        number: u32,
        key: &AccountKey,
        account: Account,
        findings: &mut Findings,
    ) {
        let shard = shard_of(number.into());
        if !self.is_news(shard, seq) {
            return;
        }
        let expected = self.opened[shard] * SHARDS as u32 + shard as u32;
        let home = usize::from(blake3::hash(key.owner().as_bytes()).as_bytes()[0]) % SHARDS;
        if number != expected || shard != home {
            let what = format!(
                "{key} is opened as account {number}, which is not the next of its shard {home}"
            );
            findings.add(Kind::Record, seq, what);
        }
        if self.numbers.insert(account.key.clone(), number).is_some() {
            findings.add(Kind::Record, seq, format!("{key} is opened a second time"));
        }
        self.opened[shard] += 1;
        self.lots.learn(number, key);
        self.accounts.insert(number, account);
    }

    fn close(
        &mut self,
        seq: Seq,
        at: TimeMs,
        number: u32,
        key: &AccountKey,
        findings: &mut Findings,
    ) {
        if !self.is_news(shard_of(number.into()), seq) {
            return;
        }
        if self.numbers.get(key.as_str()) != Some(&number) {
            let what = format!("account {number} is closed, and is not open as {key}");
            return findings.add(Kind::Record, seq, what);
        }
        self.numbers.remove(key.as_str());
        let account = self.accounts.get_mut(&number);
        if let Some((kind, what)) = account.and_then(|account| account.close(at)) {
            findings.add(kind, seq, what);
        }
    }

    /// Changes an account, and holds what came out against what the event tells.
    fn change(
        &mut self,
        seq: Seq,
        number: u32,
        told: i64,
        findings: &mut Findings,
        change: impl FnOnce(&mut Account) -> Option<Wrong>,
    ) {
        if !self.is_news(shard_of(number.into()), seq) {
            return;
        }
        let Some(account) = self.accounts.get_mut(&number) else {
            return findings.add(
                Kind::Record,
                seq,
                format!("it is about account {number}, which was never opened"),
            );
        };
        if account.closed {
            let what = format!("it is about account {number}, {}, which was closed", account.key);
            return findings.add(Kind::Record, seq, what);
        }
        let wrong = change(account).or_else(|| account.imbalance()).or_else(|| {
            let what = || {
                format!(
                    "{}: the event tells {told} available, the events make {}",
                    account.key, account.available
                )
            };
            (i128::from(told) != account.available).then(|| (Kind::Available, what()))
        });
        if let Some((kind, what)) = wrong.filter(|_| !account.doubtful) {
            account.doubtful = true;
            findings.add(kind, seq, what);
        }
    }

    /// Units go from one account to another of the same kind, and quotas have none to give.
    fn hold_transfer(&self, seq: Seq, from: u32, to: u32, quantity: u64, findings: &mut Findings) {
        let kind = |number: u32| {
            let account = self.accounts.get(&number)?;
            account.key.split('/').next()
        };
        let what = match (kind(from), kind(to)) {
            _ if from == to => format!("account {from} is transferred {quantity} units to itself"),
            (Some("quota"), _) | (_, Some("quota")) => {
                format!("{quantity} units of a quota are transferred")
            }
            (Some(from), Some(to)) if from != to => {
                format!("{quantity} units of {from} are transferred and become {to}")
            }
            // What was never opened is told by the change of it.
            _ => return,
        };
        findings.add(Kind::Record, seq, what);
    }

    fn reserve(&mut self, seq: Seq, at: TimeMs, fact: &Fact<'_>, findings: &mut Findings) {
        let Fact::Reserved { reservation, owner, expires_at, confirmed, lines, details } = fact
        else {
            return;
        };
        let (id, home) = (reservation.number(), shard_of(reservation.number()));
        for line in lines {
            self.change(seq, line.account, line.available, findings, |account| {
                account.take(line.quantity.into(), *confirmed, *expires_at, at)
            });
        }
        if !self.is_news(home, seq) {
            return;
        }
        if *expires_at <= at || *expires_at - at > TTL_MS_MAX {
            findings.add(
                Kind::Deadline,
                seq,
                format!("reservation {id} is made at {at} with the deadline {expires_at}"),
            );
        }
        let count = id / SHARDS as u64;
        if count < self.numbered[home] {
            findings.add(
                Kind::Reservation,
                seq,
                format!("reservation {id} has a number that was given before"),
            );
        }
        self.numbered[home] = self.numbered[home].max(count + 1);
        let taken = lines.iter().map(|line| (line.account, line.quantity)).collect::<Vec<_>>();
        if *confirmed {
            self.confirmed.insert(id, Confirmed::new(at, lines));
            return;
        }
        if lines.iter().map(|line| shard_of(line.account.into())).min() != Some(home) {
            findings.add(
                Kind::Reservation,
                seq,
                format!("reservation {id} does not live in the lowest shard it touches"),
            );
        }
        let owner = owner.map(|owner| owner.number());
        let made = Some((at, crc32c::crc32c(details)));
        self.pending
            .insert(id, PendingReservation { expires_at: *expires_at, owner, lines: taken, made });
    }

    /// From its deadline on a reservation can only expire.
    fn hold_deadline(&self, seq: Seq, at: TimeMs, end: &End, how: &str, findings: &mut Findings) {
        if at >= end.expires_at && self.is_news(shard_of(end.reservation.number()), seq) {
            let what = format!(
                "reservation {} is {how} at {at}, past its deadline {}",
                end.reservation, end.expires_at
            );
            findings.add(Kind::Deadline, seq, what);
        }
    }

    /// A reservation that is pending still gets another deadline, which is to come.
    fn extend(
        &mut self,
        seq: Seq,
        at: TimeMs,
        id: u64,
        (was, expires_at): (TimeMs, TimeMs),
        lines: &[EventLine],
        findings: &mut Findings,
    ) {
        if self.is_news(shard_of(id), seq) {
            if at >= was || expires_at <= at || expires_at - at > TTL_MS_MAX {
                let what = format!(
                    "reservation {id} with the deadline {was} is extended at {at} to {expires_at}"
                );
                findings.add(Kind::Deadline, seq, what);
            }
            let held = self.pending.get_mut(&id).filter(|held| {
                let told = lines.iter().map(|line| (line.account, line.quantity));
                held.expires_at == was && told.eq(held.lines.iter().copied())
            });
            let Some(held) = held else {
                let what = format!(
                    "reservation {id} is extended, and is not pending with these lines until {was}"
                );
                findings.add(Kind::Reservation, seq, what);
                return self.doubt(lines);
            };
            held.expires_at = expires_at;
        }
        for line in lines {
            self.change(seq, line.account, line.available, findings, |account| {
                account.extend(was, expires_at);
                None
            });
        }
    }

    fn end(&mut self, seq: Seq, at: TimeMs, end: &End, confirms: bool, findings: &mut Findings) {
        let id = end.reservation.number();
        if self.is_news(shard_of(id), seq) {
            let held = self.pending.remove(&id);
            if let Some(what) = self.end_is_wrong(end, held.as_ref(), confirms) {
                findings.add(Kind::Reservation, seq, what);
                // What the event tells of the accounts follows from what was told.
                return self.doubt(&end.lines);
            }
            if confirms {
                self.confirmed.insert(id, Confirmed::new(at, &end.lines));
            }
        }
        for line in &end.lines {
            self.change(seq, line.account, line.available, findings, |account| {
                account.end(line.quantity.into(), line.consumed.into(), end.expires_at, at);
                None
            });
        }
    }

    fn end_is_wrong(
        &self,
        end: &End,
        held: Option<&PendingReservation>,
        confirms: bool,
    ) -> Option<String> {
        let id = end.reservation.number();
        let Some(held) = held else {
            let made = id / (SHARDS as u64) < self.numbered[shard_of(id)];
            let why = if made { "it ended before" } else { "it was never made" };
            return Some(format!("reservation {id} ends and is not pending: {why}"));
        };
        if held.expires_at != end.expires_at {
            return Some(format!(
                "reservation {id} ends with the deadline {}, and had {}",
                end.expires_at, held.expires_at
            ));
        }
        let lines = end.lines.iter().map(|line| (line.account, line.quantity));
        if !lines.eq(held.lines.iter().copied()) {
            return Some(format!("reservation {id} ends with other lines than it took"));
        }
        if let Some(line) = end.lines.iter().find(|line| line.consumed > line.quantity) {
            return Some(format!(
                "reservation {id} took {} and consumes {} of it",
                line.quantity, line.consumed
            ));
        }
        let consumes = end.lines.iter().any(|line| line.consumed > 0);
        (consumes && !confirms)
            .then(|| format!("reservation {id} is not confirmed, and consumes units"))
    }

    fn doubt(&mut self, lines: &[EventLine]) {
        for line in lines {
            if let Some(account) = self.accounts.get_mut(&line.account) {
                account.doubtful = true;
            }
        }
    }
}
