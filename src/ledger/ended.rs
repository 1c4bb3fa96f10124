//! How the newest reservations of a shard ended, so that somebody who comes too late is told what
//! happened. A function of the events that the shard has applied, and in no snapshot: after a
//! restart it knows what ended since the checkpoint.

use std::collections::VecDeque;

use super::NotPending;
use crate::base::flaw::{self, Flaw};
use crate::base::sizes::vec_bytes;
use crate::base::{AccountId, ReservationId};

/// How many a shard remembers: 48 KiB when full.
const ENDED_MAX: usize = 2_048;

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: ReservationId,
    owner: Option<AccountId>,
    how: NotPending,
}

/// The newest ends, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Ended(VecDeque<Entry>);

impl Ended {
    /// The most memory that it takes.
    pub(super) fn bytes_max() -> u64 {
        vec_bytes::<Entry>(ENDED_MAX as u64)
    }

    pub(super) fn add(&mut self, id: ReservationId, owner: Option<AccountId>, how: NotPending) {
        if self.0.len() == ENDED_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Entry { id, owner, how });
    }

    /// What a confirmed reservation consumed was returned.
    pub(super) fn returned(&mut self, id: ReservationId) {
        if let Some(entry) = self.0.iter_mut().rev().find(|entry| entry.id == id) {
            entry.how = NotPending::Returned;
        }
    }

    /// What had expired is confirmed after all: it is told so, though its end was forgotten.
    pub(super) fn revived(&mut self, id: ReservationId, owner: Option<AccountId>) {
        match self.0.iter_mut().rev().find(|entry| entry.id == id) {
            Some(entry) => entry.how = NotPending::Confirmed,
            None => self.add(id, owner, NotPending::Confirmed),
        }
    }

    /// How a reservation ended, for somebody who asks on behalf of `owner`, if that is remembered.
    pub(super) fn find(&self, id: ReservationId, owner: Option<AccountId>) -> Option<NotPending> {
        let entry = self.0.iter().rev().find(|entry| entry.id == id)?;
        if flaw::is_made(Flaw::TellsAnotherEnd) && entry.how == NotPending::Expired {
            return Some(NotPending::Released);
        }
        let is_owned = owner.is_none() || owner == entry.owner;
        Some(if is_owned { entry.how } else { NotPending::Anothers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_remembered_and_no_more() {
        let mut ended = Ended::default();
        let id = |number: usize| ReservationId::from_number(64 * number as u64);
        for number in 0..=ENDED_MAX {
            ended.add(id(number), None, NotPending::Released);
        }
        assert_eq!(ended.find(id(0), None), None, "the oldest made room");
        assert_eq!(ended.find(id(1), None), Some(NotPending::Released));
        assert_eq!(ended.find(id(ENDED_MAX), None), Some(NotPending::Released));
        let ann = AccountId::from_number(7);
        assert_eq!(ended.find(id(1), Some(ann)), Some(NotPending::Anothers));
        ended.returned(id(1));
        assert_eq!(ended.find(id(1), None), Some(NotPending::Returned));
        for revived in [1, 0] {
            ended.revived(id(revived), Some(ann));
            assert_eq!(ended.find(id(revived), None), Some(NotPending::Confirmed));
        }
        assert_eq!(ended.0.len(), ENDED_MAX);
    }
}
