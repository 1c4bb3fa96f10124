//! Histories that follow from a seed: users who like a few categories, and products of which some
//! sell much more than others.
//!
//! That users like categories is put into it; so it shows whether recommendations find what is there,
//! and says nothing about any real mall.

use super::data::{History, Known, Taken};
use crate::vfs::crash::Chance;

const USERS: usize = 400;
const ITEMS: usize = 240;
const CATEGORIES: usize = 12;
const EXCHANGES: usize = 6_000;
/// How many categories a user likes.
const LIKED: usize = 2;
/// Of a hundred exchanges, so many are of a category that the user likes; the others are of any.
const LIKING_PERCENT: usize = 60;
/// How many users of ten take something four times as often as the others.
const BUSY_OF_TEN: usize = 2;

impl History {
    /// The history of a seed.
    pub(crate) fn generated(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let items: Vec<_> = (0..ITEMS)
            .map(|item| Known {
                category: item % CATEGORIES,
                price: 10 + 10 * chance.below(100) as u64,
            })
            .collect();
        let liked: Vec<_> =
            (0..USERS).map(|_| [(); LIKED].map(|()| chance.below(CATEGORIES))).collect();
        let exchanges = (0..EXCHANGES).map(|time| {
            let user = who(&mut chance);
            let item = if chance.below(100) < LIKING_PERCENT {
                let category = liked[user][chance.below(LIKED)];
                skewed(&mut chance, ITEMS / CATEGORIES) * CATEGORIES + category
            } else {
                skewed(&mut chance, ITEMS)
            };
            Taken { user, item, time: time as u64 }
        });
        let exchanges = exchanges.collect();
        let categories = (0..CATEGORIES).map(|number| format!("category-{number:04}")).collect();
        Self::new(format!("generated from seed {seed}"), exchanges, USERS, items, categories)
    }
}

fn who(chance: &mut Chance) -> usize {
    let busy = USERS * BUSY_OF_TEN / 10;
    // Four times as often: of the busy ones each has four tickets.
    let ticket = chance.below(4 * busy + (USERS - busy));
    if ticket < 4 * busy { ticket / 4 } else { ticket - 3 * busy }
}

/// A number below `end`; the first is some `end / 2` times as likely as the last.
fn skewed(chance: &mut Chance, end: usize) -> usize {
    // The lower of two, of which each is: no floating point, so that all machines agree.
    let widest = chance.below(end) + 1;
    chance.below(widest)
}
