//! Returns in the auditor's books: what a confirmed reservation consumed goes back once, in one
//! step or in parts.

use std::collections::BTreeMap;

use super::{Books, Findings, Kind, shard_of};
use crate::base::{Seq, TimeMs};
use crate::event::{EventLine, Part, PartLine};

/// What a confirmed reservation consumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Confirmed {
    at: TimeMs,
    lines: Vec<Line>,
}

/// Units that one line consumed, and how many of them are back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    account: u32,
    consumed: u64,
    returned: u64,
}

/// A return, as its event tells it.
#[derive(Clone, Copy)]
pub(super) struct Returned<'e> {
    pub(super) id: u64,
    pub(super) lines: &'e [EventLine],
    /// When the units were consumed; releases of version 1 did not say.
    pub(super) said: Option<TimeMs>,
    pub(super) part: Option<&'e Part>,
}

impl Confirmed {
    /// What a reservation consumes with these lines.
    pub(super) fn new(at: TimeMs, lines: &[EventLine]) -> Self {
        let used = lines.iter().filter(|line| line.consumed > 0);
        let line =
            |line: &EventLine| Line { account: line.account, consumed: line.consumed, returned: 0 };
        Self { at, lines: used.map(line).collect() }
    }

    /// By account, what was not returned yet.
    fn left(&self) -> BTreeMap<u32, i128> {
        let mut left = BTreeMap::new();
        for line in &self.lines {
            *left.entry(line.account).or_default() +=
                i128::from(line.consumed) - i128::from(line.returned);
        }
        left
    }

    /// The same with so many units back as an event tells.
    fn after(&self, part: &Part) -> Self {
        Self { at: self.at, lines: told(part) }
    }
}

fn told(part: &Part) -> Vec<Line> {
    let line = |line: &PartLine| Line {
        account: line.account.number(),
        consumed: line.consumed,
        returned: line.returned,
    };
    part.lines.iter().map(line).collect()
}

impl Returned<'_> {
    fn is_written_off(&self, account: u32) -> bool {
        self.part.is_some_and(|part| part.written_off.iter().any(|it| it.number() == account))
    }
}

impl Books {
    pub(super) fn give_back(
        &mut self,
        seq: Seq,
        at: TimeMs,
        returned: &Returned<'_>,
        findings: &mut Findings,
    ) {
        let Returned { id, lines, said, part } = *returned;
        let mut known = None;
        if self.is_news(shard_of(id), seq) {
            match self.confirmed.remove(&id) {
                Some(confirmed) => {
                    known = Some(confirmed.at);
                    if let Some(what) = self.return_is_wrong(&confirmed, returned) {
                        findings.add(Kind::Reservation, seq, what);
                        return self.doubt(lines);
                    }
                    if let Some(part) = part {
                        self.keep_rest(id, confirmed.after(part));
                    }
                }
                // It may have been confirmed before the books began, and then is not known.
                None if !self.whole && !self.pending.contains_key(&id) => {
                    if let Some((part, at)) = part.zip(said) {
                        self.keep_rest(id, Confirmed { at, lines: told(part) });
                    }
                }
                None => {
                    let what = format!(
                        "reservation {id} is returned, and is not confirmed, or was returned before"
                    );
                    findings.add(Kind::Reservation, seq, what);
                    return self.doubt(lines);
                }
            }
        }
        for line in lines {
            let (quantity, past) = (line.quantity.into(), line.consumed.into());
            let is_written_off = returned.is_written_off(line.account);
            self.change(seq, line.account, line.available, findings, |account| match said {
                _ if is_written_off => account.discard(quantity, past),
                Some(consumed_at) => account.give_back(quantity, past, consumed_at, at),
                None => account.give_back_unsaid(quantity, known),
            });
        }
    }

    /// What is left of a reservation can be returned later.
    fn keep_rest(&mut self, id: u64, rest: Confirmed) {
        if rest.left().values().any(|left| *left > 0) {
            self.confirmed.insert(id, rest);
        }
    }

    /// Every unit goes back once, at the time when it was consumed: all that is left, or so many as
    /// the event says. Releases of version 1 left out what a window had given back, and so does who
    /// finds that they forgot it.
    fn return_is_wrong(&self, confirmed: &Confirmed, returned: &Returned<'_>) -> Option<String> {
        let Returned { id, lines, said, part } = *returned;
        let confirmed_at = confirmed.at;
        if let Some(said) = said.filter(|said| *said != confirmed_at) {
            return Some(format!(
                "reservation {id} returns what was consumed at {said}, and was confirmed at {confirmed_at}"
            ));
        }
        let mut left = confirmed.left();
        let mut due = match part {
            Some(part) => match went_back(confirmed, part) {
                Some(due) => due,
                None => {
                    return Some(format!(
                        "reservation {id} is returned in part, and tells something else of what it consumed"
                    ));
                }
            },
            None => left.clone(),
        };
        for line in lines {
            let back = i128::from(line.quantity) + i128::from(line.consumed);
            *left.entry(line.account).or_default() -= back;
            *due.entry(line.account).or_default() -= back;
        }
        let over = left.iter().find(|(_, left)| **left < 0);
        if let Some((account, left)) = over {
            let (more, name) = (-left, self.name(*account));
            return Some(format!(
                "reservation {id} returns {more} units of {name} more than it consumed"
            ));
        }
        let forgotten = |number: &u32| {
            let account = self.accounts.get(number);
            account.is_some_and(|account| match said {
                None => account.is_windowed(),
                Some(_) => account.may_have_forgotten(confirmed_at),
            })
        };
        let is_wrong =
            |(account, due): &(&u32, &i128)| **due != 0 && (**due < 0 || !forgotten(account));
        due.iter().find(is_wrong).map(|(account, due)| {
            let name = self.name(*account);
            format!("reservation {id} is returned without {due} units of {name}")
        })
    }

    fn name(&self, account: u32) -> &str {
        self.accounts.get(&account).map_or("an unknown account", |account| &account.key)
    }
}

/// By account, how many units an event says went back with it; `None` when it tells of other lines,
/// or takes back what was returned before.
fn went_back(confirmed: &Confirmed, part: &Part) -> Option<BTreeMap<u32, i128>> {
    let after = told(part);
    let same = |(before, after): (&Line, &Line)| {
        (before.account, before.consumed) == (after.account, after.consumed)
            && (before.returned..=before.consumed).contains(&after.returned)
    };
    let is_same =
        confirmed.lines.len() == after.len() && confirmed.lines.iter().zip(&after).all(same);
    let mut due = BTreeMap::new();
    for (before, after) in confirmed.lines.iter().zip(&after) {
        *due.entry(before.account).or_default() +=
            i128::from(after.returned) - i128::from(before.returned);
    }
    is_same.then_some(due)
}
