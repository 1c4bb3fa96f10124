//! Many seeds, on as many threads as there are processors: each run is on one thread, and on its
//! own.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use parking_lot::Mutex;

use super::counts::Counts;
use super::plan::Plan;
use super::run;

/// What many runs came to.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    pub(crate) counts: Counts,
    /// The lowest seed that was found to fail, and why.
    pub(crate) failure: Option<(u64, String)>,
    journals: BTreeMap<u64, blake3::Hash>,
}

/// Runs these seeds on this many threads, until one fails. Calls `done` after each.
pub(crate) fn run_many(seeds: Range<u64>, threads: usize, done: &(dyn Fn() + Sync)) -> Runs {
    let (next, stop) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let runs = Mutex::new(Runs::default());
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if !seeds.contains(&seed) {
                        return;
                    }
                    let run = run(&Plan::new(seed));
                    stop.fetch_or(run.failure.is_some(), Ordering::SeqCst);
                    runs.lock().add(seed, &run.counts, run.failure, run.journal);
                    done();
                }
            });
        }
    });
    runs.into_inner()
}

impl Runs {
    /// One hash of all journals, in the order of their seeds.
    pub(crate) fn journals(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for journal in self.journals.values() {
            hasher.update(journal.as_bytes());
        }
        hasher.finalize()
    }

    fn add(&mut self, seed: u64, counts: &Counts, failure: Option<String>, journal: blake3::Hash) {
        self.counts.merge(counts);
        self.journals.insert(seed, journal);
        if let Some(failure) = failure
            && self.failure.as_ref().is_none_or(|(lowest, _)| seed < *lowest)
        {
            self.failure = Some((seed, failure));
        }
    }
}
