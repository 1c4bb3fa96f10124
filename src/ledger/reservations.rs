//! The pending reservations of one shard: a slab, and an index by number.

use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::base::chunks::Chunks;
use crate::base::{AccountId, ReservationId, SHARD_COUNT, ShardIndex, TimeMs};
use crate::event::EventLine;
use crate::ledger::wheel::TimerId;
use crate::ledger::{Line, Pending};

/// What a reservation holds; up to three lines (points, quota, stock) without an allocation.
pub(super) type HeldLines = SmallVec<[Line; 3]>;

#[derive(Debug)]
pub(super) struct Reservation {
    pub(super) id: ReservationId,
    pub(super) expires_at: TimeMs,
    pub(super) timer: TimerId,
    pub(super) owner: Option<AccountId>,
    pub(super) lines: HeldLines,
}

impl Reservation {
    pub(super) fn pending(&self) -> Pending {
        Pending {
            reservation: self.id,
            owner: self.owner,
            lines: self.lines.to_vec(),
            expires_at: self.expires_at,
        }
    }
}

/// The slab. A slot is reused; a number never is.
#[derive(Debug, Default)]
pub(super) struct Reservations {
    slots: Chunks<Option<Reservation>>,
    free: Vec<u32>,
    /// Slots by the number of the reservation in them.
    index: HashTable<u32>,
    /// Counts below this one are taken.
    numbered: u64,
}

/// How many counts there are for each millisecond. A shard that uses them up goes on with those of
/// the next.
const COUNTS_PER_MS: u64 = 1 << 12;
/// Where counts stop following the time: half of what a number has room for, after the year 4000.
const TIMED_COUNT_MAX: u64 = u64::MAX / SHARD_COUNT as u64 / 2;

/// Spreads the numbers of a shard, which are close to each other, over the table.
fn hash(id: ReservationId) -> u64 {
    id.count().wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The time that a number stands for. A reservation was made then or before: a shard that has used
/// up its numbers of a time, or that was ahead of it before a clock was set back, goes on with later
/// ones.
#[cfg(any(test, feature = "server"))]
pub(crate) fn made_at_ms(id: ReservationId) -> TimeMs {
    id.count() / COUNTS_PER_MS
}

/// The lowest number of a reservation that is made at this time.
#[cfg(feature = "server")]
pub(crate) fn first_made_at(at: TimeMs) -> ReservationId {
    ReservationId::new(0, at.saturating_mul(COUNTS_PER_MS).min(TIMED_COUNT_MAX))
}

impl Reservations {
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// The number that the next reservation of this shard has. Counts follow the time, so that of
    /// two reservations in different shards the later has the higher number.
    pub(super) fn next_id(&self, shard: ShardIndex, now: TimeMs) -> ReservationId {
        ReservationId::new(
            shard,
            now.saturating_mul(COUNTS_PER_MS).min(TIMED_COUNT_MAX).max(self.numbered),
        )
    }

    pub(super) fn numbered(&self) -> u64 {
        self.numbered
    }

    /// Numbers up to and with this one are taken.
    pub(super) fn skip(&mut self, id: ReservationId) {
        self.numbered = self.numbered.max(id.count() + 1);
    }

    pub(super) fn set_numbered(&mut self, numbered: u64) {
        self.numbered = self.numbered.max(numbered);
    }

    /// The slot that the next insert fills, for the timer that is made before it.
    pub(super) fn next_slot(&self) -> u32 {
        let end = u32::try_from(self.slots.len())
            .expect("a shard's reservations are bounded below u32::MAX");
        self.free.last().copied().unwrap_or(end)
    }

    pub(super) fn insert(&mut self, reservation: Reservation) {
        let id = reservation.id;
        self.skip(id);
        let slot = self.next_slot();
        match self.free.pop() {
            Some(_) => self.slots[slot as usize] = Some(reservation),
            None => self.slots.push(Some(reservation)),
        }
        let slots = &self.slots;
        self.index.insert_unique(hash(id), slot, |slot| hash(occupied(slots, *slot).id));
    }

    pub(super) fn get(&self, id: ReservationId) -> Option<&Reservation> {
        let slot = self.index.find(hash(id), |slot| occupied(&self.slots, *slot).id == id)?;
        self.slots[*slot as usize].as_ref()
    }

    /// A reservation and the slot that it is in.
    pub(super) fn get_mut(&mut self, id: ReservationId) -> Option<(u32, &mut Reservation)> {
        let slot = *self.index.find(hash(id), |slot| occupied(&self.slots, *slot).id == id)?;
        Some((slot, self.slots[slot as usize].as_mut()?))
    }

    /// How many slots there are, empty ones included.
    pub(super) fn places(&self) -> usize {
        self.slots.len()
    }

    /// The reservation in a slot that the wheel fired.
    pub(super) fn at(&self, slot: u32) -> Option<&Reservation> {
        self.slots.get(slot as usize)?.as_ref()
    }

    pub(super) fn remove(&mut self, id: ReservationId) -> Option<Reservation> {
        let found =
            self.index.find_entry(hash(id), |slot| occupied(&self.slots, *slot).id == id).ok()?;
        let (slot, _) = found.remove();
        self.free.push(slot);
        self.slots[slot as usize].take()
    }

    /// What they take.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> u64 {
        let spilled = self.iter().filter(|held| held.lines.spilled());
        let lines: usize = spilled.map(|held| held.lines.capacity() * size_of::<Line>()).sum();
        let places = self.free.capacity() * size_of::<u32>() + self.index.allocation_size();
        self.slots.bytes() + (lines + places) as u64
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Reservation> {
        self.slots.iter().flatten()
    }

    pub(super) fn reserve_capacity(&mut self, additional: usize) {
        let slots = &self.slots;
        self.index.reserve(additional, |slot| hash(occupied(slots, *slot).id));
    }
}

fn occupied(slots: &Chunks<Option<Reservation>>, slot: u32) -> &Reservation {
    slots[slot as usize].as_ref().expect("the index names occupied slots only")
}

/// An event's lines as a reservation holds them.
pub(super) fn held_lines(lines: &[EventLine]) -> HeldLines {
    lines.iter().map(|line| Line { account: line.account(), quantity: line.quantity }).collect()
}
