//! What an evaluation found, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::data::History;
use crate::mall::{Interval, Share};

pub(super) const AFFORDABLE: &str = "affordable";
pub(super) const PREFERRED: &str = "preferred";
pub(super) const TOGETHER: &str = "together";
/// What the others are compared with.
pub(super) const POPULAR: &str = "popular";
const LISTS: [&str; 4] = [AFFORDABLE, PREFERRED, TOGETHER, POPULAR];

/// Hits so far.
pub(super) struct Tally<'h> {
    history: &'h History,
    at: usize,
    asked: u64,
    unseen: u64,
    hits: [u64; LISTS.len()],
}

/// What an evaluation found.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Evaluation {
    history: String,
    /// How many products a list has.
    at: usize,
    exchanges: usize,
    users: usize,
    items: usize,
    /// Whether nobody took a product twice: then none is recommended that was taken.
    once: bool,
    /// About how many users it was asked.
    asked: u64,
    /// Users who took one thing alone, about whom nothing was asked.
    cold_users: usize,
    /// How often what was to be foreseen had been taken by nobody before.
    cold_items: u64,
    lists: Vec<ListFound>,
}

/// How often a list had what the user took next.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ListFound {
    list: &'static str,
    hits: u64,
    rate: Option<Between>,
    /// By how much the rate is above that of `popular`.
    difference: Option<Between>,
}

/// A value, and its interval at 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Between {
    value: f64,
    low: f64,
    high: f64,
}

impl From<Interval> for Between {
    fn from(Interval { value, low, high }: Interval) -> Self {
        Self { value, low, high }
    }
}

impl<'h> Tally<'h> {
    pub(super) fn new(history: &'h History, at: usize) -> Self {
        Self { history, at, asked: 0, unseen: 0, hits: [0; LISTS.len()] }
    }

    /// One user was asked about.
    pub(super) fn add(&mut self, is_unseen: bool, is_hit: impl Fn(&str) -> bool) {
        self.asked += 1;
        self.unseen += u64::from(is_unseen);
        for (hits, list) in self.hits.iter_mut().zip(LISTS) {
            *hits += u64::from(is_hit(list));
        }
    }

    pub(super) fn finish(self) -> Evaluation {
        let Self { history, at, asked, unseen, hits } = self;
        let share = |hits: u64| Share { some: hits, of: asked };
        let popular = share(hits[LISTS.len() - 1]);
        let found = LISTS.iter().zip(hits).map(|(list, hits)| ListFound {
            list,
            hits,
            rate: share(hits).interval().map(Between::from),
            difference: share(hits).minus(popular).filter(|_| *list != POPULAR).map(Between::from),
        });
        let mut counts = vec![0_usize; history.users_count()];
        for taken in history.exchanges() {
            counts[taken.user] += 1;
        }
        Evaluation {
            history: history.name().to_owned(),
            at,
            exchanges: history.exchanges().len(),
            users: history.users_count(),
            items: history.items().len(),
            once: history.is_once(),
            asked,
            cold_users: counts.into_iter().filter(|count| *count == 1).count(),
            cold_items: unseen,
            lists: found.collect(),
        }
    }
}

impl Evaluation {
    /// As people read it.
    pub(crate) fn text(&self) -> String {
        let Self { history, at, exchanges, users, items, asked, .. } = self;
        let again =
            if self.once { "nobody takes a product twice" } else { "products are taken again" };
        let mut text = format!(
            "{history}: {exchanges} exchanges of {users} users, {items} products; {again}\n\
             asked about the last exchange of {asked} users; {} took one thing alone; {} times nobody \
             had taken the product before\n\n\
             hit rate at {at}   95 %               above popular      95 %\n",
            self.cold_users, self.cold_items
        );
        for ListFound { list, rate, difference, .. } in &self.lists {
            let shown = |between: &Option<Between>| {
                between.map_or_else(String::new, |Between { value, low, high }| {
                    format!("{value:>7.4}   [{low:>7.4}, {high:>7.4}]")
                })
            };
            let line = format!("{list:<11}{}   {}", shown(rate), shown(difference));
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }
}
