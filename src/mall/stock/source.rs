//! Where changes of stock are looked for, newest first.

use std::collections::{BinaryHeap, VecDeque};

use super::filter::RecordFilter;
use crate::base::error::Result;
use crate::base::{AccountId, AccountKey, AccountKind, ReservationId, Seq, TimeMs};
use crate::engine::Engine;
use crate::event::ChangeKind;
use crate::history::record::{ChangeRecord, Course, Touched};
use crate::mall::model::RecordPlace;
use crate::mall::stock::locations;

/// How many entries are read at once.
const PIECE: usize = 64;
/// Of more accounts than this, one change each is read at once.
const FEW_ACCOUNTS: usize = 128;

/// The changes of one event, the last first; none where all of it was passed over.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) seq: Seq,
    pub(super) changes: Vec<(RecordPlace, ChangeRecord)>,
}

/// Where to look.
pub(super) enum Source {
    /// These events about an order, the oldest first, and its accounts.
    Order { events: Vec<Seq>, accounts: Vec<AccountId> },
    /// The changes of some accounts.
    Accounts(Merge),
    /// The index of events. It begins with the first event of a release that has it; what is older
    /// is found account by account.
    Index { courses: Vec<Course>, waiting: VecDeque<Touched> },
}

impl Source {
    pub(super) fn of(engine: &Engine, filter: &RecordFilter) -> Result<Self> {
        if let Some(order) = filter.order {
            return Self::of_order(engine, order);
        }
        if let Some(product) = &filter.product
            && let Some(stock) =
                AccountKey::stock(product).ok().and_then(|key| engine.account(&key))
        {
            let locations = locations(engine, product).into_iter().map(|level| level.account);
            let accounts = std::iter::once(stock).chain(locations);
            let is_meant = |id: &AccountId| engine.key_of(*id).is_some_and(|it| filter.is_at(&it));
            return Ok(Self::Accounts(Merge::new(accounts.filter(is_meant).collect())));
        }
        // A product that was removed is found by its name alone.
        let may_be = |course: &Course| {
            let mut kinds = ChangeKind::ALL.iter().filter(|kind| Course::of(**kind) == *course);
            kinds.any(|kind| filter.may_be(*kind))
        };
        let courses = Course::BOTH.into_iter().filter(may_be).collect();
        Ok(Self::Index { courses, waiting: VecDeque::new() })
    }

    fn of_order(engine: &Engine, order: ReservationId) -> Result<Self> {
        let Some(record) = engine.history().reservation(order)? else {
            return Ok(Self::Order { events: Vec::new(), accounts: Vec::new() });
        };
        let mut accounts: Vec<AccountId> = record.lines.iter().map(|line| line.account).collect();
        accounts.sort_unstable();
        accounts.dedup();
        accounts
            .retain(|id| engine.key_of(*id).is_some_and(|key| key.kind() == AccountKind::Stock));
        Ok(match record.events.is_empty() {
            true => Self::Accounts(Merge::new(accounts)),
            false => Self::Order { events: record.events, accounts },
        })
    }

    /// The newest event below `below`.
    pub(super) fn next(
        &mut self,
        engine: &Engine,
        filter: &RecordFilter,
        below: Seq,
    ) -> Result<Option<Found>> {
        match self {
            Self::Order { events, accounts } => {
                let Some(seq) = events.iter().rev().copied().find(|seq| *seq < below) else {
                    return Ok(None);
                };
                found(engine, seq, accounts.iter().copied()).map(Some)
            }
            Self::Accounts(merge) => merge.next(engine, below),
            Self::Index { courses, waiting } => {
                if waiting.is_empty() {
                    *waiting = touched(engine, courses, below, PIECE)?;
                }
                let Some(touched) = waiting.pop_front() else {
                    let mut merge = Merge::new(all(engine, filter));
                    let next = merge.next(engine, below);
                    *self = Self::Accounts(merge);
                    return next;
                };
                let is_meant = |(account, kind): &(AccountId, ChangeKind)| {
                    filter.may_be(*kind)
                        && engine.key_of(*account).is_some_and(|key| filter.is_at(&key))
                };
                let mut accounts: Vec<AccountId> =
                    touched.accounts.iter().filter(|it| is_meant(it)).map(|(id, _)| *id).collect();
                accounts.sort_unstable();
                accounts.dedup();
                found(engine, touched.seq, accounts.into_iter()).map(Some)
            }
        }
    }

    /// Some event below `below`, as near to it as is known, and when it was.
    pub(super) fn look(&self, engine: &Engine, below: Seq) -> Result<Option<(Seq, TimeMs)>> {
        let history = engine.history();
        let newest = |account: AccountId| {
            let changes = history.changes_of(account, Some(below), 1)?;
            Ok(changes.first().map(|change| (change.seq, change.at)))
        };
        match self {
            // They are few.
            Self::Order { .. } => Ok(None),
            Self::Accounts(merge) => merge.accounts.first().map_or(Ok(None), |id| newest(*id)),
            Self::Index { courses, .. } => {
                let entries = touched(engine, courses, below, 1)?;
                let entry = entries.front().and_then(|it| Some((it.seq, it.accounts.first()?.0)));
                let Some((seq, account)) = entry else {
                    return Ok(None);
                };
                let changes = history.changes_by(account, seq)?;
                Ok(changes.first().map(|change| (seq, change.at)))
            }
        }
    }
}

/// The newest entries of the index below `below`, those of one event together.
fn touched(
    engine: &Engine,
    courses: &[Course],
    below: Seq,
    limit: usize,
) -> Result<VecDeque<Touched>> {
    let mut all = Vec::new();
    for course in courses {
        all.extend(engine.history().touched(*course, Some(below), limit)?);
    }
    all.sort_by_key(|entry| std::cmp::Reverse(entry.seq));
    let mut together: VecDeque<Touched> = VecDeque::new();
    for entry in all {
        match together.back_mut() {
            Some(last) if last.seq == entry.seq => last.accounts.extend(entry.accounts),
            _ => together.push_back(entry),
        }
    }
    // Beyond these an index may have more that was not read.
    together.truncate(limit);
    Ok(together)
}

/// What an event did to these accounts.
fn found(engine: &Engine, seq: Seq, accounts: impl Iterator<Item = AccountId>) -> Result<Found> {
    let mut changes = Vec::new();
    for account in accounts {
        changes.extend(placed(engine.history().changes_by(account, seq)?));
    }
    Ok(newest_first(seq, changes))
}

/// The changes of one account by one event, the last first, with their places.
fn placed(changes: Vec<ChangeRecord>) -> impl Iterator<Item = (RecordPlace, ChangeRecord)> {
    let count = changes.len();
    changes.into_iter().enumerate().map(move |(index, change)| {
        // An event has at most some hundred changes of an account.
        let earlier = u16::try_from(count - 1 - index).unwrap_or(u16::MAX);
        let account = change.account.number();
        (RecordPlace { seq: change.seq, account, earlier }, change)
    })
}

fn newest_first(seq: Seq, mut changes: Vec<(RecordPlace, ChangeRecord)>) -> Found {
    changes.sort_by(|(a, _), (b, _)| b.cmp(a));
    Found { seq, changes }
}

/// The stock accounts that may be meant, closed ones too.
fn all(engine: &Engine, filter: &RecordFilter) -> Vec<AccountId> {
    let pages = engine.accounts_of_kind("stock").flatten();
    pages.filter(|level| filter.is_at(&level.key)).map(|level| level.account).collect()
}

/// The changes of several accounts in one order.
pub(super) struct Merge {
    accounts: Vec<AccountId>,
    /// The changes that were read of each and not told yet, newest first.
    read: Vec<VecDeque<ChangeRecord>>,
    /// The newest of each.
    heads: Option<BinaryHeap<(Seq, usize)>>,
}

impl Merge {
    fn new(accounts: Vec<AccountId>) -> Self {
        let read = accounts.iter().map(|_| VecDeque::new()).collect();
        Self { accounts, read, heads: None }
    }

    fn next(&mut self, engine: &Engine, below: Seq) -> Result<Option<Found>> {
        let mut heads = match self.heads.take() {
            Some(heads) => heads,
            None => {
                let mut heads = BinaryHeap::new();
                for index in 0..self.accounts.len() {
                    heads.extend(self.head(engine, index, below)?);
                }
                heads
            }
        };
        let Some(&(seq, _)) = heads.peek() else {
            self.heads = Some(heads);
            return Ok(None);
        };
        let mut changes = Vec::new();
        while let Some(&(_, index)) = heads.peek().filter(|(at, _)| *at == seq) {
            heads.pop();
            let read = &mut self.read[index];
            let of_event = read.iter().take_while(|change| change.seq == seq).count();
            changes.extend(placed(read.drain(..of_event).collect()));
            heads.extend(self.head(engine, index, seq)?);
        }
        self.heads = Some(heads);
        Ok(Some(newest_first(seq, changes)))
    }

    /// The newest change of an account that was not told yet; more are read where none is at hand.
    fn head(&mut self, engine: &Engine, index: usize, below: Seq) -> Result<Option<(Seq, usize)>> {
        if self.read[index].is_empty() {
            let piece = if self.accounts.len() > FEW_ACCOUNTS { 1 } else { PIECE };
            let account = self.accounts[index];
            self.read[index] = engine.history().changes_of(account, Some(below), piece)?.into();
        }
        Ok(self.read[index].front().map(|change| (change.seq, index)))
    }
}
