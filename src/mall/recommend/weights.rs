//! What counts how much in the order of what a user can afford.

use crate::mall::experiments::Strategy;

/// By what each part of a score is multiplied; only how they compare matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weights {
    /// How much the user likes it, and its category.
    pub(super) liking: u64,
    /// How little it costs, as far as that matters to the user.
    pub(super) saving: u64,
    /// How near the price is to what the user is used to.
    pub(super) price: u64,
    /// How much is sold of it.
    pub(super) popularity: u64,
    /// Whether the mall calls it hot, or new.
    pub(super) shown: u64,
}

impl Weights {
    /// Those that an experiment tries; without one they are balanced.
    pub(super) fn of(strategy: Option<Strategy>) -> Self {
        let of = |[liking, saving, price, popularity, shown]: [u64; 5]| Self {
            liking,
            saving,
            price,
            popularity,
            shown,
        };
        match strategy {
            None | Some(Strategy::Balanced | Strategy::Personal | Strategy::Hot) => {
                of([6, 4, 1, 2, 2])
            }
            Some(Strategy::Category) => of([20, 1, 1, 1, 1]),
            Some(Strategy::Price) => of([1, 4, 20, 1, 1]),
            Some(Strategy::Popular) => of([0, 0, 0, 1, 0]),
        }
    }
}
