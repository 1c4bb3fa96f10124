//! The deadlines of the reservations that hold units of one account.

use std::collections::BTreeMap;

use crate::base::TimeMs;

/// A multiset of deadlines that takes no allocation while an account has at most one distinct
/// deadline, as nearly every account of a user has.
#[derive(Debug, Default)]
pub(super) enum Lapses {
    #[default]
    None,
    One {
        at: TimeMs,
        count: u32,
    },
    #[allow(clippy::box_collection, reason = "the box keeps accounts with few deadlines small")]
    Many(Box<BTreeMap<TimeMs, u32>>),
}

impl Lapses {
    pub(super) fn first(&self) -> Option<TimeMs> {
        match self {
            Self::None => None,
            Self::One { at, .. } => Some(*at),
            Self::Many(counts) => counts.first_key_value().map(|(at, _)| *at),
        }
    }

    pub(super) fn insert(&mut self, deadline: TimeMs) {
        self.insert_many(deadline, 1);
    }

    pub(super) fn insert_many(&mut self, deadline: TimeMs, more: u32) {
        match self {
            Self::None => *self = Self::One { at: deadline, count: more },
            Self::One { at, count } if *at == deadline => *count += more,
            Self::One { at, count } => {
                *self = Self::Many(Box::new(BTreeMap::from([(*at, *count), (deadline, more)])))
            }
            Self::Many(counts) => *counts.entry(deadline).or_default() += more,
        }
    }

    /// Each deadline with how many there are, earliest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TimeMs, u32)> {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One { at, count } => (Some((*at, *count)), None),
            Self::Many(counts) => (None, Some(counts.iter().map(|(at, count)| (*at, *count)))),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// So much of it that some of `deadlines`, each once, can be taken out and the first is still
    /// known.
    pub(super) fn sketch(&self, deadlines: &[TimeMs]) -> Self {
        let mut sketch = Self::default();
        // Of so many, one is left at least.
        for (at, count) in self.iter().take(deadlines.len() + 1) {
            sketch.insert_many(at, count);
        }
        let known = sketch.last();
        let others = deadlines.iter().filter(|at| known.is_some_and(|last| **at > last));
        for (at, count) in others.filter_map(|at| Some((*at, self.count(*at)?))) {
            if sketch.count(at).is_none() {
                sketch.insert_many(at, count);
            }
        }
        sketch
    }

    fn last(&self) -> Option<TimeMs> {
        match self {
            Self::None => None,
            Self::One { at, .. } => Some(*at),
            Self::Many(counts) => counts.last_key_value().map(|(at, _)| *at),
        }
    }

    /// How many there are of one deadline, if any.
    fn count(&self, deadline: TimeMs) -> Option<u32> {
        match self {
            Self::One { at, count } if *at == deadline => Some(*count),
            Self::Many(counts) => counts.get(&deadline).copied(),
            Self::None | Self::One { .. } => None,
        }
    }

    /// Takes one deadline out; false when it was not there.
    pub(super) fn remove(&mut self, deadline: TimeMs) -> bool {
        match self {
            Self::One { at, count } if *at == deadline => {
                *count -= 1;
                if *count == 0 {
                    *self = Self::None;
                }
                true
            }
            Self::Many(counts) => {
                let Some(count) = counts.get_mut(&deadline) else {
                    return false;
                };
                *count -= 1;
                if *count == 0 {
                    counts.remove(&deadline);
                    if counts.is_empty() {
                        *self = Self::None;
                    }
                }
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_multiset() {
        let mut lapses = Lapses::default();
        for deadline in [5, 5, 3, 9] {
            lapses.insert(deadline);
        }
        for (removed, first) in [(3, Some(5)), (5, Some(5)), (5, Some(9)), (9, None)] {
            assert!(lapses.remove(removed));
            assert_eq!(lapses.first(), first);
        }
        assert!(!lapses.remove(9));
    }

    /// Would catch a copy that lacks a deadline which is taken out of it, or tells a later one as
    /// the first.
    #[test]
    fn a_sketch_tells_the_first_whatever_is_taken_out_of_it() {
        let mut lapses = Lapses::default();
        (1..=100).for_each(|at| lapses.insert_many(at, 1 + (at % 2) as u32));
        for taken in [&[][..], &[1], &[1, 2, 2, 3], &[50, 100], &[100, 2, 1, 1]] {
            let (mut sketch, mut whole) = (lapses.sketch(taken), Lapses::default());
            lapses.iter().for_each(|(at, count)| whole.insert_many(at, count));
            assert!(sketch.iter().count() <= 2 * taken.len() + 1, "{taken:?}");
            for at in taken {
                assert_eq!(sketch.remove(*at), whole.remove(*at), "{at} of {taken:?}");
            }
            assert_eq!(sketch.first(), whole.first(), "{taken:?}");
        }
        assert_eq!(Lapses::default().sketch(&[4]).first(), None);
    }
}
