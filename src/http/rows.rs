//! Numbers of users, or of addresses, in a table that never grows.
//!
//! Each of them has a place in every row, by a keyed hash. Whoever shares a place with a busy one has
//! another in the other row, and the better of the two counts: a user who is taken for others has met
//! two of them. Nothing is ever evicted, so nobody wins anything by filling the table. (A count-min
//! sketch.)

use std::hash::{BuildHasher, Hash};

pub(super) const ROWS: usize = 2;
/// Into how many parts all are divided.
pub(super) const PARTS: usize = 64;

#[derive(Debug)]
pub(super) struct Rows<T> {
    cells: Box<[T]>,
    hasher: foldhash::quality::RandomState,
}

impl<T: Default> Rows<T> {
    /// Of this many places each, a power of two up to 2^26.
    pub(super) fn new(places: usize) -> Self {
        let cells = std::iter::repeat_with(T::default).take(ROWS * places).collect();
        Self { cells, hasher: foldhash::quality::RandomState::default() }
    }

    /// The places of somebody, and in which of [`PARTS`] it always is.
    pub(super) fn of(&self, who: impl Hash) -> ([&T; ROWS], usize) {
        let hash = self.hasher.hash_one(who);
        let places = self.cells.len() / ROWS;
        let cells = std::array::from_fn(|row| {
            &self.cells[row * places + (hash >> (32 * row)) as usize % places]
        });
        // The top bits: those below say which places.
        (cells, (hash >> 58) as usize)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn whoever_it_is_has_the_same_places_each_time_and_others_have_others() {
        let rows = Rows::<Cell<u32>>::new(1 << 10);
        let users = 0..100;
        for user in users.clone() {
            let (cells, part) = rows.of(user);
            assert!(part < PARTS && part == rows.of(user).1);
            cells.into_iter().for_each(|cell| cell.set(cell.get() + 1));
        }
        let least = |user| rows.of(user).0.into_iter().map(Cell::get).min();
        let alone = users.filter(|user| least(*user) == Some(1)).count();
        assert!(alone > 80, "{alone} of 100 have a place that nobody shares");
    }
}
