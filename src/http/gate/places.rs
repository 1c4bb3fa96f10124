//! How many requests each user has under way.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::http::rows::{ROWS, Rows};

const PLACES: usize = 1 << 15;

#[derive(Debug)]
pub(super) struct Places {
    /// `None` means no bound.
    each_max: Option<u32>,
    under_way: Rows<AtomicU32>,
}

/// A request under way, until it is dropped.
#[derive(Debug)]
pub(in crate::http) struct Place<'a>([&'a AtomicU32; ROWS]);

impl Places {
    pub(super) fn new(each_max: Option<u32>) -> Self {
        Self { each_max, under_way: Rows::new(PLACES) }
    }

    /// A place for a request of `user`.
    ///
    /// # Errors
    /// When the user has as many under way as one may have.
    pub(super) fn enter(&self, user: &str) -> Result<Option<Place<'_>>, ()> {
        let Some(each_max) = self.each_max else { return Ok(None) };
        let (cells, _) = self.under_way.of(user);
        // Relaxed: the number is the whole message.
        let others = cells.map(|cell| cell.fetch_add(1, Ordering::Relaxed));
        let place = Place(cells);
        if others.into_iter().min().is_some_and(|others| others >= each_max) {
            return Err(());
        }
        Ok(Some(place))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        for cell in self.0 {
            cell.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_so_many_places_and_gets_them_back() {
        let places = Places::new(Some(2));
        let first = places.enter("ann").expect("there is room");
        let _second = places.enter("ann").expect("there is room");
        for _ in 0..3 {
            assert!(places.enter("ann").is_err(), "who is refused takes no place");
        }
        places.enter("ben").expect("others have places of their own");
        drop(first);
        places.enter("ann").expect("there is room again");
        assert!(Places::new(None).enter("ann").expect("there is no bound").is_none());
    }
}
