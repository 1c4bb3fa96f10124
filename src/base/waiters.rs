//! Callers that wait for a number to be reached: one slot for each, however often it asks.
//!
//! Wakers are foreign code, and so are cloning and dropping them. Nothing here calls, clones or
//! drops one: what leaves the table is handed out, for when its lock is given up. See
//! [`Calls`](crate::base::calls::Calls).

use std::collections::BTreeMap;
use std::task::{Context, Waker};

use crate::base::Seq;

/// Somebody to be told.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) waker: Waker,
    /// Whether the waker is ours: it unparks a thread and does nothing else.
    pub(crate) is_ours: bool,
}

impl Waiter {
    /// A task of whoever uses the engine.
    pub(crate) fn task(cx: &Context<'_>) -> Self {
        Self { waker: cx.waker().clone(), is_ours: false }
    }

    /// A thread that sleeps in our own code.
    pub(crate) fn thread(waker: &Waker) -> Self {
        Self { waker: waker.clone(), is_ours: true }
    }
}

/// A waiter's place in the table; empty at first. Whoever drops it while it waits gives it back
/// first.
#[derive(Debug, Default)]
pub(crate) struct Slot(Option<(Seq, u64)>);

impl Slot {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// The waiters, by the number that they wait for.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    list: BTreeMap<(Seq, u64), Waiter>,
    next_id: u64,
}

impl Waiters {
    /// Lets `waiter` wait in `slot` for `seq`. Returns who waited there before, to be dropped
    /// without the lock.
    #[must_use = "it is dropped without the lock"]
    pub(crate) fn put(&mut self, slot: &mut Slot, seq: Seq, waiter: Waiter) -> Option<Waiter> {
        let before = self.take(slot);
        self.list.insert((seq, self.next_id), waiter);
        slot.0 = Some((seq, self.next_id));
        self.next_id += 1;
        before
    }

    /// Gives a slot back, with the caller that waits in it.
    #[must_use = "it is dropped without the lock"]
    pub(crate) fn take(&mut self, slot: &mut Slot) -> Option<Waiter> {
        self.list.remove(&slot.0.take()?)
    }

    /// Those who wait for `seq` or less.
    pub(crate) fn reached(&mut self, seq: Seq) -> impl Iterator<Item = Waiter> + use<> {
        let rest = self.list.split_off(&(seq + 1, 0));
        std::mem::replace(&mut self.list, rest).into_values()
    }

    /// Everybody.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = Waiter> + use<> {
        std::mem::take(&mut self.list).into_values()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    #[cfg(all(test, not(stockhold_loom)))]
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }
}

#[cfg(all(test, not(stockhold_loom)))]
mod tests {
    use super::*;

    fn waiter() -> Waiter {
        Waiter::thread(Waker::noop())
    }

    #[test]
    fn a_slot_holds_one_waiter_and_gives_it_back() {
        let (mut waiters, mut slot, mut other) =
            (Waiters::default(), Slot::default(), Slot::default());
        assert!(waiters.put(&mut slot, 5, waiter()).is_none());
        assert!(waiters.put(&mut other, 5, waiter()).is_none(), "two may wait for the same");
        assert!(waiters.put(&mut slot, 5, waiter()).is_some(), "asking again replaces");
        assert!(waiters.put(&mut slot, 9, waiter()).is_some(), "asking for something else moves");
        assert_eq!(waiters.len(), 2);
        assert_eq!(waiters.reached(8).count(), 1);
        assert!(waiters.take(&mut other).is_none(), "it was reached");
        assert!(waiters.take(&mut slot).is_some() && slot.is_empty() && waiters.is_empty());
    }
}
