//! What users look at. Views are not money: they are recorded beside whoever looks, and what is written
//! of them is bounded, so that the journal is free for what is.
//!
//! A view goes into a queue in memory, which is short. From [`SAMPLED_FROM`] views on, one in
//! [`SAMPLE`] is taken, and from [`QUEUE_MAX`] on none; how many were left out is counted. Once a
//! second the queue is emptied into sums in memory, and once in [`WRITTEN_EVERY_MS`] those that changed
//! are written, each as a whole: a document for each user, and some for the day. So a crash loses
//! what was looked at since then, and nothing else.

mod day;
mod queue;
mod users;

use parking_lot::Mutex;

pub(crate) use self::day::DayOfViews;
use self::day::{Day, First};
use self::queue::{Queue, View};
use self::users::Users;
use super::facts::document::{self, Stamp};
use super::facts::{BROWSED, Look};
use super::reports::Period;
use super::{Mall, User};
use crate::base::TimeMs;
use crate::base::error::Result;
use crate::engine::Engine;
use crate::ledger::PutDocument;

/// From how many views in the queue on only some are taken, and which of them.
const SAMPLED_FROM: usize = 2_048;
const SAMPLE: u64 = 8;
/// How many views the queue has at most.
const QUEUE_MAX: usize = 4_096;
/// How often what was looked at is written, in milliseconds.
const WRITTEN_EVERY_MS: u64 = 60_000;
/// A user who looks at the same product again within this many milliseconds has not looked away.
const SAME_VIEW_MS: u64 = 60_000;
/// How many users' looks may wait to be written.
const UNWRITTEN_MAX: usize = 1_024;
/// Of how many users it is kept what they looked at: those who looked last.
const USERS_MAX: usize = 20_000;

/// What is known of views.
pub(in crate::mall) struct Browsing {
    /// Taken after `kept` by whoever holds both.
    queue: Mutex<Queue>,
    kept: Mutex<Kept>,
}

/// The sums.
struct Kept {
    users: Users,
    /// The days of which something may not be written.
    days: Vec<Day>,
    /// When they were last written.
    written_at: TimeMs,
}

impl Browsing {
    pub(in crate::mall) fn load(engine: &Engine) -> Self {
        let written_at = engine.now_ms();
        let kept = Kept { users: Users::load(engine), days: Vec::new(), written_at };
        Self { queue: Mutex::default(), kept: Mutex::new(kept) }
    }
}

impl Mall {
    /// Records that somebody looked at a product. It waits for nothing.
    pub(crate) fn record_view(&self, user: Option<&User>, product: &str) {
        let user = user.map(|user| user.id().into());
        let view = View { user, product: product.into(), at: self.now_ms() };
        self.shared.browsing.queue.lock().push(view);
    }

    /// What a user looked at last, the newest last; also what is not written yet.
    pub(crate) fn browsed(&self, user: &User) -> Result<Vec<Look>> {
        self.check_alive()?;
        let mut kept = self.shared.browsing.kept.lock();
        self.take_views(&mut kept)?;
        Ok(kept.users.get(self.engine(), user.id()).products)
    }

    /// How often products were looked at in a day, as in `2026-11-30`, where the mall is; also what is
    /// not written yet. `None` where nothing is kept of that day. It waits for no disk.
    ///
    /// Views that were dropped are in no other figure. `viewers` counts a user once a day, unless its
    /// views were erased meanwhile, or it has not looked for so long that it was forgotten; of a product
    /// also again when it looked at twenty others in between.
    ///
    /// # Errors
    /// What the engine reports.
    pub(crate) fn views_of_day(&self, day: &str) -> Result<Option<DayOfViews>> {
        self.check_alive()?;
        let mut kept = self.shared.browsing.kept.lock();
        self.take_views(&mut kept)?;
        match kept.days.iter().find(|it| it.name() == day) {
            Some(day) => Ok(day.shown()),
            None => Ok(Day::read(self.engine(), day).shown()),
        }
    }

    /// Writes what was looked at and is not written yet. A server does it by itself every minute, and
    /// when it stops.
    ///
    /// # Errors
    /// What the engine reports; then it is tried again with the next call.
    pub fn keep_views(&self) -> Result<()> {
        let mut kept = self.shared.browsing.kept.lock();
        self.take_views(&mut kept)?;
        self.write_views(&mut kept)
    }

    /// Takes what was looked at out of the queue, and writes it once it is time to. Never has more to
    /// do at once.
    pub(crate) fn keep_due_views(&self) -> Result<bool> {
        let mut kept = self.shared.browsing.kept.lock();
        self.take_views(&mut kept)?;
        if self.now_ms() >= kept.written_at.saturating_add(WRITTEN_EVERY_MS) {
            self.write_views(&mut kept)?;
        }
        Ok(false)
    }

    /// Forgets what a user looked at; whether it looked at anything. Whoever waits for the disk waits for
    /// this as well. The sums of days name nobody, and stay.
    pub(super) fn forget_views(&self, user: &str) -> Result<bool> {
        let browsing = &self.shared.browsing;
        let mut kept = browsing.kept.lock();
        let was_queued = browsing.queue.lock().forget(user);
        let is_written = self.engine().document(BROWSED, user).is_some();
        if is_written {
            drop(self.engine().put_document(PutDocument::remove(BROWSED, user))?);
        }
        let was_known = kept.users.forget(user);
        Ok(was_queued || was_known || is_written)
    }

    fn take_views(&self, kept: &mut Kept) -> Result<()> {
        let (views, dropped) = self.shared.browsing.queue.lock().take();
        for view in views {
            self.take_view(kept, view)?;
        }
        if dropped > 0 {
            self.day_at(kept, self.now_ms())?.totals.dropped += dropped;
        }
        Ok(())
    }

    fn take_view(&self, kept: &mut Kept, view: View) -> Result<()> {
        let View { user, product, at } = view;
        let day_from = self.day_at(kept, at)?.from();
        let Some(user) = user else {
            self.day_at(kept, at)?.count(&product, None);
            return Ok(());
        };
        let Some(browsed) = kept.users.unwritten(self.engine(), &user) else {
            self.day_at(kept, at)?.totals.dropped += 1;
            return Ok(());
        };
        let before = browsed.products.iter().find(|look| *look.id == *product);
        let before = before.map(|look| look.at);
        let first = First {
            today: browsed.last_at() < day_from,
            of_product: before.is_none_or(|at| at < day_from),
        };
        users::look(browsed, &product, at);
        kept.users.looked(&user, at);
        if before.is_none_or(|before| at.saturating_sub(before) >= SAME_VIEW_MS) {
            self.day_at(kept, at)?.count(&product, Some(first));
        }
        Ok(())
    }

    /// The sums of the day that a moment is in.
    fn day_at<'k>(&self, kept: &'k mut Kept, at: TimeMs) -> Result<&'k mut Day> {
        let place = match kept.days.iter().position(|day| day.has(at)) {
            Some(place) => place,
            None => {
                kept.days.push(Day::of(self.engine(), &Period::day_at(at, self.zone())?));
                kept.days.len() - 1
            }
        };
        Ok(&mut kept.days[place])
    }

    fn write_views(&self, kept: &mut Kept) -> Result<()> {
        let (engine, now) = (self.engine(), self.now_ms());
        kept.written_at = now;
        kept.users.write(engine)?;
        for day in &mut kept.days {
            day.write(engine)?;
        }
        let before = kept.days.len();
        kept.days.retain(|day| day.has(now));
        if kept.days.len() < before {
            day::forget_old(engine, now, self.zone())?;
        }
        Ok(())
    }
}

/// Writes a document without waiting for the disk.
fn write<T: serde::Serialize>(
    engine: &Engine,
    collection: &str,
    name: &str,
    content: T,
) -> Result<()> {
    let (_, body) = document::written(content, Stamp::default())?;
    drop(engine.put_document(PutDocument::new(collection, name, &body))?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::MemoryDisk;
    use crate::mall::MallConfig;

    /// Would catch a crash that takes more than what was looked at since the last writing.
    #[test]
    fn a_crash_loses_what_was_not_written_and_nothing_else() {
        let disk = MemoryDisk::default();
        let open = || {
            let engine = Engine::in_memory_on(&disk).open().expect("it opens");
            Mall::open(engine, MallConfig::default()).expect("a mall")
        };
        let ann = User::new("ann").expect("a user");
        let mall = open();
        for product in ["tea", "cup"] {
            mall.record_view(Some(&ann), product);
        }
        mall.keep_views().expect("it is written");
        mall.record_view(Some(&ann), "pot");
        mall.record_view(None, "tea");
        let seen = |mall: &Mall| {
            let looks = mall.browsed(&ann).expect("it lives");
            looks.into_iter().map(|look| look.id).collect::<Vec<_>>()
        };
        assert_eq!(seen(&mall), ["tea", "cup", "pot"]);
        let today = Period::day_at(mall.now_ms(), mall.zone()).expect("a day").name;
        // Dropped, not closed: nobody writes anything more.
        drop(mall);
        let mall = open();
        assert_eq!(seen(&mall), ["tea", "cup"]);
        let day = mall.views_of_day(&today).expect("it lives").expect("there were views");
        assert_eq!((day.totals.views, day.totals.viewers, day.products.len()), (2, 1, 2));
    }
}
