//! Accounts whose units are good until a moment, as their names say: none of them is taken after
//! that, none is written off before, and none twice.

use std::collections::HashMap;

use super::Books;
use crate::audit::finding::{Findings, Kind};
use crate::base::{AccountKey, Seq, TimeMs};
use crate::event::{EventLine, Fact};

/// The accounts whose units end.
#[derive(Debug, Default)]
pub(super) struct Lots(HashMap<u32, Lot>);

#[derive(Clone, Copy, Debug)]
struct Lot {
    until: TimeMs,
    /// Since the first event about it after its end, how many units may be written off: those that
    /// nobody had taken by then, and those that came back of reservations that were not confirmed.
    /// What a refund returned moves on.
    due: Option<i128>,
}

impl Lots {
    /// An account was opened, or is in a snapshot.
    pub(super) fn learn(&mut self, number: u32, key: &AccountKey) {
        if let Some(until) = key.until() {
            self.0.insert(number, Lot { until, due: None });
        }
    }

    /// The time was set back: what has ended may be good again, and end once more.
    fn begin_anew(&mut self) {
        self.0.values_mut().for_each(|lot| lot.due = None);
    }
}

impl Books {
    /// Holds a fact that is not entered yet against the ends of units.
    pub(super) fn hold_ends(
        &mut self,
        seq: Seq,
        at: TimeMs,
        fact: &Fact<'_>,
        findings: &mut Findings,
    ) {
        if self.lots.0.is_empty() {
            return;
        }
        match fact {
            Fact::Reserved { lines, .. } | Fact::Revived { lines, .. } => {
                for line in lines.iter() {
                    self.hold_taken(seq, at, line, findings);
                }
            }
            Fact::WrittenOff { account, quantity, .. } => {
                self.hold_written_off(seq, at, account.number(), (*quantity).into(), findings);
            }
            Fact::Adjusted { account, delta, .. } => {
                self.came_back(seq, at, account.number(), (*delta).into());
            }
            Fact::Confirmed(end) | Fact::Released(end) | Fact::Expired(end) => {
                for line in end.lines.iter() {
                    let back = i128::from(line.quantity) - i128::from(line.consumed);
                    self.came_back(seq, at, line.account, back);
                }
            }
            Fact::Returned { lines, .. } => {
                for line in lines.iter() {
                    self.came_back(seq, at, line.account, 0);
                }
            }
            Fact::Received { account, .. } => self.came_back(seq, at, account.number(), 0),
            Fact::Transferred { from, to, .. } => {
                self.came_back(seq, at, from.number(), 0);
                self.came_back(seq, at, to.number(), 0);
            }
            Fact::ClockMended { .. } => self.lots.begin_anew(),
            Fact::AccountOpened { .. }
            | Fact::AccountClosed { .. }
            | Fact::PolicyChanged { .. }
            | Fact::Renewed { .. }
            | Fact::Extended { .. }
            | Fact::Queued { .. }
            | Fact::Dequeued { .. }
            | Fact::Noted { .. }
            | Fact::Document { .. }
            | Fact::Answered { .. }
            | Fact::Atomic(_) => {}
        }
    }

    fn hold_taken(&self, seq: Seq, at: TimeMs, line: &EventLine, findings: &mut Findings) {
        let news = self.is_news(super::shard_of(line.account.into()), seq);
        if let Some(lot) = self.lots.0.get(&line.account).filter(|lot| news && lot.until <= at) {
            let what = format!(
                "{}: {} units are taken at {at}, and they were good until {}",
                self.key_of(line.account),
                line.quantity,
                lot.until
            );
            findings.add(Kind::Deadline, seq, what);
        }
    }

    fn hold_written_off(
        &mut self,
        seq: Seq,
        at: TimeMs,
        number: u32,
        quantity: i128,
        findings: &mut Findings,
    ) {
        let Some(lot) = self.lot(seq, at, number) else {
            return;
        };
        lot.due = lot.due.map(|due| due - quantity);
        let Lot { until, due } = *lot;
        match due {
            None => {
                let key = self.key_of(number);
                let what = format!(
                    "{key}: {quantity} units are written off at {at}, and they are good until {until}"
                );
                findings.add(Kind::Deadline, seq, what);
            }
            Some(left) if left < 0 => {
                let (key, were) = (self.key_of(number), left + quantity);
                let what = format!(
                    "{key}: {quantity} units are written off after their end, and {were} were left to be"
                );
                findings.add(Kind::Conservation, seq, what);
            }
            Some(_) => {}
        }
    }

    /// So many units are there again that may be written off, if the account has ended.
    fn came_back(&mut self, seq: Seq, at: TimeMs, number: u32, units: i128) {
        if let Some(Lot { due: Some(due), .. }) = self.lot(seq, at, number) {
            *due += units;
        }
    }

    /// The lot that an event is about, with what there was at its end where this is the first event
    /// after it.
    fn lot(&mut self, seq: Seq, at: TimeMs, number: u32) -> Option<&mut Lot> {
        let news = self.is_news(super::shard_of(number.into()), seq);
        let lot = self.lots.0.get_mut(&number).filter(|_| news)?;
        if lot.until <= at && lot.due.is_none() {
            lot.due = self.accounts.get(&number).map(|account| account.available);
        }
        Some(lot)
    }

    fn key_of(&self, number: u32) -> &str {
        self.accounts.get(&number).map_or("", |account| account.key.as_str())
    }
}
