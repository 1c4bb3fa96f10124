//! Who took part in a run of an experiment: each once, with what became of it.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use super::spec::{Experiment, Member};
use crate::base::TimeMs;
use crate::mall::facts::{RunCount, RunUser, RunUsers};

/// How many users of a run are counted: some 100 bytes each, with their documents.
pub(super) const USERS_MAX: usize = 100_000;
/// How many of them a document has.
const PIECE: usize = 256;

/// Those who took part, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Members {
    all: Vec<Seen>,
    places: HashMap<Member, usize, foldhash::fast::RandomState>,
    /// The pieces that differ from their documents, the one first that does so for the longest.
    changed: VecDeque<usize>,
}

/// A user that was shown its variant.
#[derive(Clone, Copy, Debug)]
struct Seen {
    member: Member,
    at: TimeMs,
    converted_at: Option<TimeMs>,
}

/// An exchange that may count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchanged {
    pub(super) member: Member,
    /// When the order was made, and when it was confirmed.
    pub(super) made_at: TimeMs,
    pub(super) at: TimeMs,
}

impl Members {
    /// A user is shown its variant; only the first time counts, and no more than so many users.
    pub(super) fn expose(&mut self, member: Member, at: TimeMs) {
        if self.places.contains_key(&member) || self.is_full() {
            return;
        }
        self.places.insert(member, self.all.len());
        self.all.push(Seen { member, at, converted_at: None });
        self.change(self.all.len() - 1);
    }

    /// A user exchanged something. It counts when it is its first, and was begun after it was shown
    /// its variant, and no later than the window is long. The same event twice changes nothing.
    pub(super) fn convert(&mut self, exchanged: Exchanged, window_ms: u64) {
        let Some(&place) = self.places.get(&exchanged.member) else { return };
        let seen = &mut self.all[place];
        let is_within =
            (seen.at + 1..=seen.at.saturating_add(window_ms)).contains(&exchanged.made_at);
        if is_within && seen.converted_at.is_none() {
            seen.converted_at = Some(exchanged.at);
            self.change(place);
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.all.len() >= USERS_MAX
    }

    /// How many saw each variant, and exchanged something.
    pub(super) fn counts(&self, experiment: &Experiment) -> Vec<RunCount> {
        let mut counts = vec![RunCount::default(); experiment.variants.len()];
        for seen in &self.all {
            if let Some(variant) = experiment.variant_of(seen.member) {
                counts[variant].exposed += 1;
                counts[variant].converted += u64::from(seen.converted_at.is_some());
            }
        }
        counts
    }

    /// The next piece that is to be written, with its number. It counts as written from now on.
    pub(super) fn take_changed(&mut self) -> Option<(usize, RunUsers)> {
        let piece = self.changed.pop_front()?;
        let seen = self.all.iter().skip(piece * PIECE).take(PIECE);
        let user =
            |seen: &Seen| RunUser(format!("{:016x}", seen.member.0), seen.at, seen.converted_at);
        Some((piece, RunUsers { users: seen.map(user).collect() }))
    }

    /// A piece was not written after all.
    pub(super) fn put_back(&mut self, piece: usize) {
        self.change(piece * PIECE);
    }

    pub(super) fn is_written(&self) -> bool {
        self.changed.is_empty()
    }

    /// Takes in what a document says. Pieces are read in their order; where one is missing or short,
    /// those behind it move up, and are written anew.
    pub(super) fn read(&mut self, piece: usize, read: &RunUsers) {
        let has_moved = self.all.len() != piece * PIECE;
        for RunUser(member, at, converted_at) in &read.users {
            let Ok(number) = u64::from_str_radix(member, 16) else { continue };
            let member = Member(number);
            if let Entry::Vacant(vacant) = self.places.entry(member) {
                vacant.insert(self.all.len());
                self.all.push(Seen { member, at: *at, converted_at: *converted_at });
            }
        }
        if has_moved {
            (0..self.all.len()).step_by(PIECE).for_each(|place| self.change(place));
        }
    }

    fn change(&mut self, place: usize) {
        let piece = place / PIECE;
        if !self.changed.contains(&piece) {
            self.changed.push_back(piece);
        }
    }
}
