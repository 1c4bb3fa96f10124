//! How the server answers: counted beside whoever is answered, without a lock, and kept by day.
//!
//! Each answer is added to a number in memory. Once a second these are emptied into the sums of the
//! day, which are written once in [`WRITTEN_EVERY_MS`], and at once when the day is over or the server
//! stops. So a crash loses the last minute of a day that goes on, and nothing of one that is over.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::Mall;
use super::facts::{Answered, Asking, BOUNDS_MS, BUCKETS, Served};
use super::reports::Period;
use crate::base::TimeMs;
use crate::base::error::{Error, Result};
use crate::engine::Engine;

/// How often what was counted is written, in milliseconds.
const WRITTEN_EVERY_MS: u64 = 60_000;
/// For how many days it is kept.
const DAYS_KEPT: usize = 400;
const PREFIX: &str = "served-";

/// What is counted and not yet in the sums of a day.
#[derive(Default)]
struct Counter {
    refused: AtomicU64,
    failed: AtomicU64,
    took: [AtomicU64; BUCKETS],
}

impl Counter {
    fn take(&self) -> Answered {
        // Relaxed: each number stands for itself.
        let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        let took = std::array::from_fn(|at| take(&self.took[at]));
        Answered { refused: take(&self.refused), failed: take(&self.failed), took }
    }
}

/// How the server answers.
pub(in crate::mall) struct Serving {
    counters: [Counter; Asking::ALL.len()],
    today: Mutex<Option<Today>>,
}

/// The sums of the day that goes on.
struct Today {
    served: Served,
    from: TimeMs,
    to: TimeMs,
    is_written: bool,
    written_at: TimeMs,
}

impl Default for Serving {
    fn default() -> Self {
        let counters = std::array::from_fn(|_| Counter::default());
        Self { counters, today: Mutex::default() }
    }
}

impl Mall {
    /// Counts an answer with this status, which took so long. It waits for nothing.
    pub(crate) fn count_answer(&self, asking: Asking, status: u16, took: Duration) {
        let counter = &self.shared.serving.counters[asking as usize];
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MS.partition_point(|bound| bound.saturating_mul(1_000) < micros);
        counter.took[bucket].fetch_add(1, Ordering::Relaxed);
        match status {
            500.. => counter.failed.fetch_add(1, Ordering::Relaxed),
            400.. => counter.refused.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }

    /// Adds what was counted to its day, and writes that once it is time to. Never has more to do at
    /// once.
    pub(crate) fn keep_due_answers(&self) -> Result<bool> {
        self.keep_answers(false).map(|()| false)
    }

    /// The same, and writes it now.
    pub(crate) fn keep_all_answers(&self) -> Result<()> {
        self.keep_answers(true)
    }

    fn keep_answers(&self, at_once: bool) -> Result<()> {
        let serving = &self.shared.serving;
        let (engine, now) = (self.engine(), self.now_ms());
        let mut today = serving.today.lock();
        if let Some(day) = &mut *today
            && !(day.from..day.to).contains(&now)
        {
            // It is over: what it comes to is known from now on.
            day.write(engine, now)?;
            *today = None;
        }
        let mut fresh = Served::default();
        for (asking, counter) in Asking::ALL.iter().zip(&serving.counters) {
            let answered = counter.take();
            if answered != Answered::default() {
                fresh.answered.insert(*asking, answered);
            }
        }
        if fresh.answered.is_empty() && today.is_none() {
            return Ok(());
        }
        let day = match &mut *today {
            Some(day) => day,
            None => today.insert(Today::begin(engine, &Period::day_at(now, self.zone())?)?),
        };
        if !fresh.answered.is_empty() {
            day.served.add(&fresh);
            day.is_written = false;
        }
        if at_once || now >= day.written_at.saturating_add(WRITTEN_EVERY_MS) {
            day.write(engine, now)?;
        }
        Ok(())
    }

    /// How the server answered in the days with these names; `None` where nothing is kept of them.
    ///
    /// # Errors
    /// What the engine reports.
    pub(super) fn served<'d>(
        &self,
        days: impl IntoIterator<Item = &'d str>,
    ) -> Result<Option<Served>> {
        self.keep_answers(false)?;
        let today = self.shared.serving.today.lock();
        let mut all: Option<Served> = None;
        for day in days {
            let found = match &*today {
                Some(today) if today.served.day == day => Some(today.served.clone()),
                Some(_) | None => read(self.engine(), day)?,
            };
            if let Some(found) = found {
                all.get_or_insert_default().add(&found);
            }
        }
        Ok(all.filter(|served| !served.answered.is_empty()))
    }
}

impl Today {
    fn begin(engine: &Engine, period: &Period) -> Result<Self> {
        let day = period.name.clone();
        let served = read(engine, &day)?.unwrap_or(Served { day, ..Served::default() });
        let (from, to, written_at) = (period.from, period.to, engine.now_ms());
        Ok(Self { served, from, to, is_written: true, written_at })
    }

    fn write(&mut self, engine: &Engine, now: TimeMs) -> Result<()> {
        if !self.is_written {
            let body = serde_json::to_vec(&self.served).map_err(|cause| {
                Error::unavailable("what was answered cannot be written").with_source(cause)
            })?;
            engine.keep(&name(&self.served.day), &body)?;
            forget_old(engine)?;
            self.is_written = true;
        }
        self.written_at = now;
        Ok(())
    }
}

fn name(day: &str) -> String {
    format!("{PREFIX}{day}")
}

/// What is kept of a day; one that cannot be read is none, and the log says so.
fn read(engine: &Engine, day: &str) -> Result<Option<Served>> {
    let Some(kept) = engine.kept_named(&name(day))? else {
        return Ok(None);
    };
    let read = serde_json::from_slice(&kept.body);
    Ok(read.inspect_err(|error| tracing::warn!(%error, day, "how a day was served is lost")).ok())
}

/// Removes the days that are no longer kept.
fn forget_old(engine: &Engine) -> Result<()> {
    let mut days = engine.kept_names()?;
    days.retain(|name| name.starts_with(PREFIX));
    // Days of four digits' years are in the order of their names.
    days.sort_unstable();
    let surplus = days.len().saturating_sub(DAYS_KEPT);
    days.iter().take(surplus).try_for_each(|name| engine.drop_kept(name))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::clock::ManualClock;
    use crate::mall::MallConfig;

    const DAY_MS: u64 = 86_400_000;
    /// One in the morning of the 30th of November 2026.
    const MORNING_MS: u64 = 1_795_996_800_000 + 3_600_000;
    const DAY: &str = "2026-11-30";

    fn engine(dir: &tempfile::TempDir, clock: &Arc<ManualClock>) -> Engine {
        Engine::builder(dir.path()).clock(clock.clone() as _).open().expect("it opens")
    }

    fn mall(engine: &Engine) -> Mall {
        Mall::open(engine.clone(), MallConfig::default()).expect("it opens")
    }

    fn count(mall: &Mall, status: u16, times: usize) {
        for _ in 0..times {
            mall.count_answer(Asking::Exchange, status, Duration::from_micros(1_500));
        }
    }

    /// Refused, failed, and all of a day.
    fn counts(mall: &Mall, day: &str) -> Option<(u64, u64, u64)> {
        let served = mall.served([day]).expect("it can be read")?;
        let it = served.answered[&Asking::Exchange];
        assert_eq!(it.took[1], it.requests(), "all took from one to two milliseconds");
        Some((it.refused, it.failed, it.requests()))
    }

    #[test]
    fn a_day_is_counted_kept_through_a_restart_and_the_same_ever_after() {
        let dir = tempfile::TempDir::new().expect("a directory");
        let clock = Arc::new(ManualClock::new(MORNING_MS));
        let (first, seq) = (engine(&dir, &clock), 0);
        let it = mall(&first);
        assert_eq!(counts(&it, DAY), None);
        count(&it, 200, 3);
        count(&it, 409, 2);
        count(&it, 503, 1);
        assert_eq!(counts(&it, DAY), Some((2, 1, 6)), "also what is not written yet");
        it.keep_all_answers().expect("it is written");
        assert_eq!(first.durable_seq(), seq, "it is no event");
        first.close().expect("it closes");
        drop((first, it));

        let again = engine(&dir, &clock);
        let it = mall(&again);
        assert_eq!(counts(&it, DAY), Some((2, 1, 6)));
        count(&it, 200, 1);
        it.keep_due_answers().expect("it lives");
        // The day ends: it is written at once, and what comes then is of the next.
        clock.advance(DAY_MS);
        count(&it, 200, 5);
        it.keep_due_answers().expect("it is written");
        assert_eq!(counts(&it, DAY), Some((2, 1, 7)));
        assert_eq!(counts(&it, "2026-12-01"), Some((0, 0, 5)));
        let both = it.served([DAY, "2026-12-01"]).expect("it can be read").expect("it is kept");
        assert_eq!(both.answered[&Asking::Exchange].requests(), 12);
        // As after a crash: nothing more is written.
        again.close().expect("it closes");
        drop((again, it));
        let crashed = engine(&dir, &clock);
        let it = mall(&crashed);
        assert_eq!(counts(&it, DAY), Some((2, 1, 7)), "a day that is over is whole");
        assert_eq!(counts(&it, "2026-12-01"), None, "and the last minute is lost");
    }

    #[test]
    fn days_of_long_ago_are_forgotten() {
        let engine = Engine::in_memory().open().expect("an engine");
        for n in 0..DAYS_KEPT + 2 {
            let day = format!("{}-{:02}-{:02}", 2020 + n / 336, n / 28 % 12 + 1, n % 28 + 1);
            engine.keep(&name(&day), b"{}").expect("there is room");
        }
        forget_old(&engine).expect("they can be removed");
        let left = engine.kept_names().expect("they can be read");
        assert_eq!(left.len(), DAYS_KEPT);
        assert!(!left.contains(&name("2020-01-02")) && left.contains(&name("2020-01-03")));
    }

    #[test]
    fn each_answer_is_in_the_bucket_of_its_time() {
        let it = mall(&Engine::in_memory().open().expect("an engine"));
        for (micros, bucket) in [(0, 0), (1_000, 0), (1_001, 1), (30_000_000, 13), (30_000_001, 14)]
        {
            it.count_answer(Asking::Points, 200, Duration::from_micros(micros));
            let counted = it.shared.serving.counters[Asking::Points as usize].take();
            assert_eq!((counted.took[bucket], counted.requests()), (1, 1), "{micros}");
        }
    }
}
