//! A hierarchical timing wheel: the reservations that will expire, by the millisecond.
//!
//! The scheme is Varghese and Lauck's ("Hashed and Hierarchical Timing Wheels", SOSP 1987, scheme
//! 7), with the level chosen as in tokio's timer (tokio-rs/tokio,
//! `tokio/src/runtime/time/wheel/mod.rs`): the highest base-64 digit in which a deadline differs
//! from the wheel's time. Two things differ from tokio. Timers are slab indices with a generation
//! instead of pointers, and a slot is emptied in place, a few entries a call, so that a million
//! timers of one millisecond never hold a caller up.
//!
//! Eleven levels cover every `u64`. Fewer would need a rule for deadlines out of range, and the
//! price of having no such rule is 1 KiB of list heads.
//!
//! # Invariant
//!
//! An entry on level `l` agrees with `elapsed` in all digits above `l`, and its slot is not below
//! `elapsed`'s digit `l`. Where the two are equal the slot is being emptied, and `elapsed` stays
//! at the slot's start until it is empty. An insert can not land in such a slot above level 0, as
//! its highest differing digit is then a lower one: a slot being emptied only shrinks.
//!
//! The wheel reads no clock and decides nothing: whether a reservation is still good is decided
//! by its deadline, however late the wheel turns.

use crate::base::TimeMs;
use crate::base::chunks::Chunks;

const DIGIT_BITS: u32 = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
const SLOT_MASK: u64 = SLOTS as u64 - 1;
const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;

/// Entries moved to a lower level for each entry a call may fire.
const MOVES_PER_FIRE: usize = 4;

/// Ends a list, and the free list.
const NIL: u32 = u32::MAX;
/// Set in the `prev` of a list's first entry; the other bits then number the list. An entry can
/// so be unlinked without knowing which slot it is in.
const LIST: u32 = 1 << 31;

/// Names one timer. Goes stale when the timer fires or is cancelled; a stale name is recognised
/// until its place in the slab has been reused 2^32 times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct TimerId {
    index: u32,
    generation: u32,
}

/// The timers of one shard. See the module's documentation.
///
/// The slab grows to the largest number of timers that were ever alive together and does not
/// shrink: it is the caller who limits how many that can be.
#[derive(Debug)]
pub(crate) struct Wheel {
    /// Everything with a deadline before this has fired, but for timers inserted late.
    elapsed: TimeMs,
    /// No timer in level 0's current slot has an earlier deadline than this or `elapsed`.
    late_min: TimeMs,
    occupied: [u64; LEVELS],
    heads: [[u32; SLOTS]; LEVELS],
    slab: Chunks<Entry>,
    free: u32,
    len: usize,
}

/// 24 bytes. In a free entry only `next` and `generation` mean anything.
#[derive(Debug)]
struct Entry {
    deadline: TimeMs,
    payload: u32,
    prev: u32,
    next: u32,
    generation: u32,
}

/// An occupied slot, and the first millisecond it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    level: usize,
    slot: usize,
    start: TimeMs,
}

impl Wheel {
    /// An empty wheel that stands at `start`.
    pub(crate) fn new(start: TimeMs) -> Self {
        Self {
            elapsed: start,
            late_min: TimeMs::MAX,
            occupied: [0; LEVELS],
            heads: [[NIL; SLOTS]; LEVELS],
            slab: Chunks::default(),
            free: NIL,
            len: 0,
        }
    }

    /// What this many timers take at most, beside the wheel itself.
    pub(crate) fn bytes_for(count: u64) -> u64 {
        Chunks::<Entry>::bytes_for(count)
    }

    /// What its timers take.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> u64 {
        self.slab.bytes()
    }

    /// The number of timers that have neither fired nor been cancelled.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds a timer. One whose deadline has passed fires at the next [`advance`](Self::advance)
    /// that does not go back in time.
    ///
    /// # Panics
    ///
    /// With 2^31 timers alive, 48 GiB of them: the limit on open reservations is far lower.
    pub(crate) fn insert(&mut self, deadline: TimeMs, payload: u32) -> TimerId {
        if deadline < self.elapsed {
            self.late_min = self.late_min.min(deadline);
        }
        let index = self.allocate(deadline, payload);
        self.link(index);
        self.len += 1;
        TimerId { index, generation: self.slab[index as usize].generation }
    }

    /// Removes a timer; `false` if it has fired or been cancelled before.
    pub(crate) fn cancel(&mut self, id: TimerId) -> bool {
        // A free entry's generation has not been given out yet, so it matches no name.
        let alive =
            self.slab.get(id.index as usize).is_some_and(|entry| entry.generation == id.generation);
        if alive {
            self.unlink(id.index);
            self.release(id.index);
        }
        alive
    }

    /// Turns the wheel to `now`: fires at most `budget` timers with a deadline not after `now`,
    /// and appends their deadlines and payloads to `due`. Does at most four moves between levels
    /// for each timer it may fire.
    ///
    /// Returns `true` when nothing more is due. On `false` call again, with this `now` or a later
    /// one; each call with a budget makes progress, and timers may be inserted and cancelled in
    /// between. Timers fire in the order of their milliseconds, and in no set order within one.
    ///
    /// A `now` before the wheel's time, which is how far it has come with earlier calls, does
    /// nothing and returns `true`.
    pub(crate) fn advance(
        &mut self,
        now: TimeMs,
        budget: usize,
        due: &mut Vec<(TimeMs, u32)>,
    ) -> bool {
        if now < self.elapsed {
            return true;
        }
        let mut fires = budget;
        let mut moves = budget.saturating_mul(MOVES_PER_FIRE);
        while let Some(turn) = self.earliest_turn().filter(|turn| turn.start <= now) {
            // Nothing is left before the earliest turn, so no slot is passed over.
            self.set_elapsed(turn.start);
            let emptied = if turn.level == 0 {
                self.fire_slot(turn.slot, &mut fires, due)
            } else {
                self.cascade_slot(turn, &mut moves)
            };
            if !emptied {
                return false;
            }
        }
        self.set_elapsed(now);
        true
    }

    /// A time not after the earliest deadline, or `None` without timers: when to call
    /// [`advance`](Self::advance) next. It may be early by the width of a slot; the call then
    /// fires nothing, and the next answer is closer.
    pub(crate) fn next_turn(&self) -> Option<TimeMs> {
        let turn = self.earliest_turn()?;
        if turn.start == self.elapsed {
            return Some(turn.start.min(self.late_min));
        }
        Some(turn.start)
    }

    /// The occupied slot that starts first. Of two, the lower level: what is due fires before
    /// more is moved.
    fn earliest_turn(&self) -> Option<Turn> {
        // The lowest occupied level is not always it: while a slot of a higher level is being
        // emptied, its first entries are on the lower levels already.
        (0..LEVELS).filter_map(|level| self.first_turn(level)).min_by_key(|turn| turn.start)
    }

    fn first_turn(&self, level: usize) -> Option<Turn> {
        let occupied = self.occupied[level];
        if occupied == 0 {
            return None;
        }
        let slot = occupied.trailing_zeros() as usize;
        let shift = shift_of(level);
        let start = (((self.elapsed >> shift) & !SLOT_MASK) | slot as u64) << shift;
        debug_assert!(slot >= slot_of(self.elapsed, level), "a slot was passed over");
        Some(Turn { level, slot, start })
    }

    /// Moves the wheel's time. No occupied slot may start before `to`.
    fn set_elapsed(&mut self, to: TimeMs) {
        if to > self.elapsed {
            self.elapsed = to;
            self.late_min = TimeMs::MAX;
        }
    }

    /// Fires a slot of level 0; `false` if the allowance ran out before the slot did.
    fn fire_slot(&mut self, slot: usize, fires: &mut usize, due: &mut Vec<(TimeMs, u32)>) -> bool {
        while self.heads[0][slot] != NIL {
            if *fires == 0 {
                return false;
            }
            *fires -= 1;
            let index = self.heads[0][slot];
            self.unlink(index);
            let entry = &self.slab[index as usize];
            debug_assert!(entry.deadline <= self.elapsed, "a timer fired early");
            due.push((entry.deadline, entry.payload));
            self.release(index);
        }
        true
    }

    /// Moves a slot's entries to lower levels; `false` if the allowance ran out before the slot
    /// did. `elapsed` is the slot's start, so every entry leaves the slot.
    fn cascade_slot(&mut self, turn: Turn, moves: &mut usize) -> bool {
        while self.heads[turn.level][turn.slot] != NIL {
            if *moves == 0 {
                return false;
            }
            *moves -= 1;
            let index = self.heads[turn.level][turn.slot];
            self.unlink(index);
            self.link(index);
        }
        true
    }

    /// The level and slot for a deadline, seen from `elapsed`.
    fn place(&self, deadline: TimeMs) -> (usize, usize) {
        let deadline = deadline.max(self.elapsed);
        // The mask makes equal times differ within level 0, and the logarithm defined.
        let differing = (self.elapsed ^ deadline) | SLOT_MASK;
        let level = (differing.ilog2() / DIGIT_BITS) as usize;
        (level, slot_of(deadline, level))
    }

    /// Puts an entry at the front of the list its deadline belongs to.
    fn link(&mut self, index: u32) {
        let (level, slot) = self.place(self.slab[index as usize].deadline);
        let head = std::mem::replace(&mut self.heads[level][slot], index);
        self.occupied[level] |= 1 << slot;
        let entry = &mut self.slab[index as usize];
        entry.prev = LIST | (level * SLOTS + slot) as u32;
        entry.next = head;
        if head != NIL {
            self.slab[head as usize].prev = index;
        }
    }

    /// Takes an entry off whatever list it is on.
    fn unlink(&mut self, index: u32) {
        let Entry { prev, next, .. } = self.slab[index as usize];
        if next != NIL {
            self.slab[next as usize].prev = prev;
        }
        if prev & LIST == 0 {
            self.slab[prev as usize].next = next;
            return;
        }
        let list = (prev & !LIST) as usize;
        let (level, slot) = (list / SLOTS, list % SLOTS);
        self.heads[level][slot] = next;
        if next == NIL {
            self.occupied[level] &= !(1 << slot);
        }
    }

    /// An entry that is on no list yet.
    fn allocate(&mut self, deadline: TimeMs, payload: u32) -> u32 {
        if self.free == NIL {
            let index = self.slab.len();
            assert!(index < LIST as usize, "the limit on reservations keeps timers below 2^31");
            self.slab.push(Entry { deadline, payload, prev: NIL, next: NIL, generation: 0 });
            return index as u32;
        }
        let index = self.free;
        let entry = &mut self.slab[index as usize];
        self.free = entry.next;
        entry.deadline = deadline;
        entry.payload = payload;
        index
    }

    /// Frees an entry that is on no list, and makes its name stale.
    fn release(&mut self, index: u32) {
        let entry = &mut self.slab[index as usize];
        entry.generation = entry.generation.wrapping_add(1);
        entry.next = self.free;
        self.free = index;
        self.len -= 1;
    }
}

fn shift_of(level: usize) -> u32 {
    level as u32 * DIGIT_BITS
}

fn slot_of(time: TimeMs, level: usize) -> usize {
    ((time >> shift_of(level)) & SLOT_MASK) as usize
}

#[cfg(test)]
mod tests;
