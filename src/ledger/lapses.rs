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
}
