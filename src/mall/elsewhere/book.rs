//! The book that a points service keeps, as docs/points-service.md asks for it: for stand-ins.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::service::{Take, TakeRecord, TakeState};
use crate::mall::facts::GivingBack;

/// Balances, takes and what was given back, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Book {
    pub(crate) balances: BTreeMap<String, u64>,
    pub(super) takes: BTreeMap<String, Entry>,
    pub(super) returns: BTreeMap<String, GivingBack>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// What was asked for; `None` where it was closed before it was heard of.
    asked: Option<Take>,
    record: TakeRecord,
}

/// A key that was used for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyConflict;

/// Why nothing is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotGivenBack {
    KeyConflict,
    /// There is no such take.
    UnknownTake,
    /// So much is not left of it.
    TooMuch,
}

impl Book {
    pub(crate) fn take(&mut self, take: &Take) -> Result<TakeRecord, KeyConflict> {
        if let Some(entry) = self.takes.get_mut(&take.key) {
            return match &entry.asked {
                Some(asked) if asked != take => Err(KeyConflict),
                Some(_) => Ok(entry.record.clone()),
                None => {
                    entry.asked = Some(take.clone());
                    entry.record.user_id.clone_from(&take.user_id);
                    Ok(entry.record.clone())
                }
            };
        }
        let has = self.balances.entry(take.user_id.clone()).or_default();
        let (state, taken, balance) = match has.checked_sub(take.points) {
            Some(left) => {
                *has = left;
                (TakeState::Taken, take.points, None)
            }
            None => (TakeState::Refused, 0, Some(*has)),
        };
        let (key, user_id) = (take.key.clone(), take.user_id.clone());
        let record = TakeRecord { key, user_id, state, taken, returned: 0, balance };
        let entry = Entry { asked: Some(take.clone()), record: record.clone() };
        self.takes.insert(take.key.clone(), entry);
        Ok(record)
    }

    pub(crate) fn look(&self, key: &str) -> Option<TakeRecord> {
        self.takes.get(key).map(|entry| entry.record.clone())
    }

    pub(crate) fn give_back(&mut self, back: &GivingBack) -> Result<TakeRecord, NotGivenBack> {
        if let Some(before) = self.returns.get(&back.key) {
            let record = self.look(&back.take).ok_or(NotGivenBack::UnknownTake)?;
            return if before == back { Ok(record) } else { Err(NotGivenBack::KeyConflict) };
        }
        let entry = match self.takes.get_mut(&back.take) {
            Some(entry) => entry,
            // It may be on its way still: when it comes, it must find that it is over.
            None if back.closes => self.takes.entry(back.take.clone()).or_insert(Entry {
                asked: None,
                record: TakeRecord {
                    key: back.take.clone(),
                    user_id: String::new(),
                    state: TakeState::Closed,
                    taken: 0,
                    returned: 0,
                    balance: None,
                },
            }),
            None => return Err(NotGivenBack::UnknownTake),
        };
        let record = &mut entry.record;
        let left = record.taken - record.returned;
        let points = if back.closes { left } else { back.points };
        if points > left {
            return Err(NotGivenBack::TooMuch);
        }
        record.returned += points;
        if back.closes {
            record.state = TakeState::Closed;
        }
        if points > 0 {
            *self.balances.entry(record.user_id.clone()).or_default() += points;
        }
        self.returns.insert(back.key.clone(), back.clone());
        Ok(record.clone())
    }

    /// Takes in the order of their keys, after this one.
    pub(crate) fn page(&self, after: &str, limit: usize) -> Vec<TakeRecord> {
        let later = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        let takes = self.takes.range::<str, _>(later);
        takes.take(limit).map(|(_, entry)| entry.record.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(key: &str, points: u64) -> Take {
        Take { key: key.into(), user_id: "ann".into(), points }
    }

    fn back(key: &str, points: u64, closes: bool) -> GivingBack {
        GivingBack { key: key.into(), take: "a".into(), points, closes }
    }

    #[test]
    fn a_key_has_one_effect() {
        let mut book = Book { balances: [("ann".into(), 10)].into(), ..Book::default() };
        for _ in 0..2 {
            assert_eq!(book.take(&take("a", 7)).map(|it| it.taken), Ok(7));
            let refused = book.take(&take("b", 7)).expect("the key is its own");
            assert_eq!((refused.state, refused.balance), (TakeState::Refused, Some(3)));
        }
        assert_eq!(book.take(&take("a", 6)), Err(KeyConflict));
        for _ in 0..2 {
            assert_eq!(book.give_back(&back("a-1", 2, false)).map(|it| it.returned), Ok(2));
        }
        assert_eq!(book.give_back(&back("a-1", 3, false)), Err(NotGivenBack::KeyConflict));
        assert_eq!(book.give_back(&back("a-2", 6, false)), Err(NotGivenBack::TooMuch));
        let closed = book.give_back(&back("a-c", 7, true)).expect("it can be closed");
        assert_eq!((closed.state, closed.returned), (TakeState::Closed, 7));
        assert_eq!(book.balances["ann"], 10);
    }

    #[test]
    fn a_take_that_comes_after_it_was_closed_takes_nothing() {
        let mut book = Book { balances: [("ann".into(), 10)].into(), ..Book::default() };
        assert_eq!(book.give_back(&back("x", 7, false)), Err(NotGivenBack::UnknownTake));
        assert_eq!(book.give_back(&back("a-c", 7, true)).map(|it| it.returned), Ok(0));
        let late = book.take(&take("a", 7)).expect("the key is its own");
        assert_eq!((late.state, late.taken, book.balances["ann"]), (TakeState::Closed, 0, 10));
        assert_eq!(book.page("", 9), [late]);
    }
}
