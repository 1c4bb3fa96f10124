//! An auditor that shares nothing with the ledger: it keeps books from events alone, and holds
//! every prefix of the journal to invariant 1.
#![allow(missing_docs, dead_code, reason = "each test uses its part of this module")]

use std::collections::{BTreeMap, BTreeSet, HashSet};

use stockhold::event::{End, Event, EventLine, Fact};
use stockhold::{
    AccountId, Engine, IdempotencyKey, Level, Line, Policy, ReservationId, Seq, TimeMs, Window,
};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub key: String,
    pub policy: Policy,
    pub available: i64,
    pub reserved: i64,
    pub consumed: i64,
    pub received: i64,
    pub written_off: i64,
    /// The limit, and what was added beside it; 0 where it is not known.
    granted: i64,
}

impl Account {
    fn is_cap(&self) -> bool {
        self.policy.window == Window::Outstanding
    }

    /// What is out beyond what a quota is granted is told as received, and nothing is available.
    fn balance(&mut self) {
        let out = self.reserved + self.consumed + self.written_off;
        let room = self.granted - out;
        self.available = if self.policy.limit > 0 { room.max(0) } else { room };
        self.received = self.available + out;
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub owner: Option<AccountId>,
    pub lines: Vec<Line>,
    pub expires_at: TimeMs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Confirmed,
    Released,
    Expired,
}

/// What the events from the first one on come to.
#[derive(Debug, Default)]
pub struct Books {
    pub last_seq: Seq,
    pub accounts: BTreeMap<AccountId, Account>,
    pub pending: BTreeMap<ReservationId, Held>,
    pub ended: BTreeMap<ReservationId, Ended>,
    /// Those of the confirmed whose units were returned.
    pub returned: BTreeSet<ReservationId>,
    /// The newest event of each key: while its answer is kept, a key has one effect.
    pub requests: BTreeMap<IdempotencyKey, Event<'static>>,
}

impl Books {
    /// Reads the whole journal.
    pub fn of(engine: &Engine) -> Self {
        let mut books = Self::default();
        books.follow(engine, |_| {});
        books
    }

    /// Reads on from where it stands, and shows each event.
    pub fn follow(&mut self, engine: &Engine, mut each: impl FnMut(&Event<'static>)) {
        let mut events =
            engine.subscribe(self.last_seq + 1).expect("the journal is kept from there on");
        while self.last_seq < engine.durable_seq() {
            let (seq, event) =
                events.next_event().expect("the journal reads").expect("the engine is open");
            each(&event);
            self.apply(seq, event);
        }
    }

    /// Enters one event, and audits every account that it touched.
    pub fn apply(&mut self, seq: Seq, event: Event<'static>) {
        assert_eq!(seq, self.last_seq + 1, "events come without a gap");
        self.last_seq = seq;
        if let Some(request) = event.request {
            let before = self.requests.insert(request.key, event.clone());
            let kept = before.as_ref().and_then(|before| before.request?.kept);
            let over = before.is_none() || kept.is_some_and(|kept| kept.until <= event.at);
            assert!(
                over,
                "event {seq} is the second effect of one request: {event:?}, after {before:?}"
            );
        }
        for account in self.enter(seq, &event) {
            self.audit(seq, account, &event);
        }
    }

    fn enter(&mut self, seq: Seq, event: &Event<'_>) -> Vec<AccountId> {
        match &event.fact {
            Fact::AccountOpened { account, key, policy } => {
                let limit = policy.limit as i64;
                let opened = Account {
                    key: key.to_string(),
                    policy: *policy,
                    available: limit,
                    received: limit,
                    granted: limit,
                    ..Account::default()
                };
                let before = self.accounts.insert(*account, opened);
                assert_eq!(before, None, "event {seq} opens an account twice");
                vec![*account]
            }
            Fact::PolicyChanged { account, policy, available, consumed } => {
                self.change(seq, *account, *available, |it| {
                    let consumed = consumed.expect("this release says what counts") as i64;
                    it.granted += policy.limit as i64 - it.policy.limit as i64;
                    it.consumed = consumed;
                    it.policy = *policy;
                })
            }
            Fact::Received { account, quantity, available, .. } => {
                self.change(seq, *account, *available, |it| {
                    it.granted += *quantity as i64;
                })
            }
            Fact::Adjusted { account, delta, available, .. } => {
                self.change(seq, *account, *available, |it| {
                    if *delta > 0 { it.granted += delta } else { it.written_off -= delta }
                })
            }
            Fact::WrittenOff { account, quantity, available, .. } => {
                self.change(seq, *account, *available, |it| {
                    it.written_off += *quantity as i64;
                })
            }
            Fact::Renewed { account, quantity, available, .. } => {
                self.change(seq, *account, *available, |it| {
                    it.consumed -= *quantity as i64;
                })
            }
            Fact::Reserved { reservation, owner, expires_at, confirmed, lines, .. } => {
                let new = !self.pending.contains_key(reservation)
                    && !self.ended.contains_key(reservation);
                assert!(new, "event {seq} uses the number {reservation} again");
                if *confirmed {
                    self.ended.insert(*reservation, Ended::Confirmed);
                } else {
                    let lines_held = lines
                        .iter()
                        .map(|it| Line { account: it.account(), quantity: it.quantity });
                    let held = Held {
                        owner: *owner,
                        lines: lines_held.collect(),
                        expires_at: *expires_at,
                    };
                    self.pending.insert(*reservation, held);
                }
                self.change_lines(seq, lines, |it, line| {
                    let quantity = line.quantity as i64;
                    assert_eq!(
                        line.consumed,
                        if *confirmed { line.quantity } else { 0 },
                        "event {seq}"
                    );
                    match confirmed {
                        true => it.consumed += if it.is_cap() { 0 } else { quantity },
                        false => it.reserved += quantity,
                    }
                })
            }
            Fact::Confirmed(end) => {
                assert!(event.at < end.expires_at, "event {seq} confirms after the deadline");
                self.end(seq, end, Ended::Confirmed)
            }
            Fact::Released(end) => {
                assert!(event.at < end.expires_at, "event {seq} releases after the deadline");
                self.end(seq, end, Ended::Released)
            }
            Fact::Expired(end) => {
                assert!(event.at >= end.expires_at, "event {seq} expires before the deadline");
                self.end(seq, end, Ended::Expired)
            }
            Fact::Returned { reservation, lines, .. } => {
                let confirmed = self.ended.get(reservation) == Some(&Ended::Confirmed);
                assert!(
                    confirmed && self.returned.insert(*reservation),
                    "event {seq} returns what is not out"
                );
                self.change_lines(seq, lines, |it, line| {
                    it.consumed -= line.quantity as i64;
                })
            }
            Fact::Noted { .. } | Fact::Document { .. } | Fact::ClockMended { .. } => Vec::new(),
        }
    }

    fn end(&mut self, seq: Seq, end: &End, how: Ended) -> Vec<AccountId> {
        let held = self.pending.remove(&end.reservation);
        let held = held.unwrap_or_else(|| {
            panic!("event {seq} ends {} but it is not pending", end.reservation)
        });
        assert_eq!(held.expires_at, end.expires_at, "event {seq}");
        let lines: Vec<Line> = end
            .lines
            .iter()
            .map(|it| Line { account: it.account(), quantity: it.quantity })
            .collect();
        assert_eq!(held.lines, lines, "event {seq} ends other lines than were taken");
        self.ended.insert(end.reservation, how);
        self.change_lines(seq, &end.lines, |it, line| {
            it.reserved -= line.quantity as i64;
            // What caps the outstanding counts nothing that is consumed.
            it.consumed += if it.is_cap() { 0 } else { line.consumed as i64 };
            assert!(
                how == Ended::Confirmed || line.consumed == 0,
                "event {seq} consumes without a confirm"
            );
        })
    }

    fn change(
        &mut self,
        seq: Seq,
        id: AccountId,
        available: i64,
        change: impl FnOnce(&mut Account),
    ) -> Vec<AccountId> {
        let account = self
            .accounts
            .get_mut(&id)
            .unwrap_or_else(|| panic!("event {seq} names an unknown account"));
        change(account);
        account.balance();
        assert_eq!(account.available, available, "event {seq} says otherwise of {}", account.key);
        vec![id]
    }

    fn change_lines(
        &mut self,
        seq: Seq,
        lines: &[EventLine],
        change: impl Fn(&mut Account, &EventLine),
    ) -> Vec<AccountId> {
        lines
            .iter()
            .flat_map(|it| {
                self.change(seq, it.account(), it.available, |account| change(account, it))
            })
            .collect()
    }

    /// Invariant 1, after the event `seq`.
    fn audit(&self, seq: Seq, id: AccountId, event: &Event<'_>) {
        let it = &self.accounts[&id];
        assert_eq!(
            it.received,
            it.available + it.reserved + it.consumed + it.written_off,
            "units do not add up after event {seq}, {event:?}: {it:?}"
        );
        let floor = -(it.policy.backorder as i64);
        assert!(it.available >= floor, "oversold after event {seq}, {event:?}: {it:?}");
        assert!(
            it.reserved >= 0 && it.consumed >= 0 && it.written_off >= 0,
            "below zero after event {seq}: {it:?}"
        );
    }

    /// Holds the engine's own state to the books.
    pub fn assert_matches(&self, engine: &Engine) {
        let levels: BTreeMap<AccountId, Account> =
            engine.levels().into_iter().map(|level| (level.account, account_of(&level))).collect();
        let told = |account: &Account| Account { granted: 0, ..account.clone() };
        let accounts: BTreeMap<AccountId, Account> =
            self.accounts.iter().map(|(id, it)| (*id, told(it))).collect();
        assert_eq!(levels, accounts, "the engine's accounts, and those of its events");
        assert_eq!(engine.pending_count(), self.pending.len(), "pending reservations");
        for (id, held) in &self.pending {
            let pending =
                engine.pending(*id).unwrap_or_else(|| panic!("{id} is pending by the events"));
            let pending =
                Held { owner: pending.owner, lines: pending.lines, expires_at: pending.expires_at };
            assert_eq!(pending, *held, "reservation {id}");
        }
        let held: HashSet<ReservationId> = self.pending.keys().copied().collect();
        assert!(
            self.ended.keys().all(|id| !held.contains(id)),
            "a reservation is pending and ended"
        );
    }
}

pub fn account_of(level: &Level) -> Account {
    Account {
        key: level.key.to_string(),
        policy: level.policy,
        available: level.available,
        reserved: level.reserved as i64,
        consumed: level.consumed as i64,
        received: level.received as i64,
        written_off: level.written_off as i64,
        granted: 0,
    }
}
