//! Points of many users at once: the lines of a file, one by one.
//!
//! The file is looked at whole before the first of its lines is applied. Each line has a key that follows
//! from the batch's name and its number, and a document says what the batch is, until when its keys
//! are remembered, and whether it is finished. So a batch that was cut off is run again: what was
//! applied is left alone, and the rest follows. Once its keys may be forgotten, it is refused.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::{Deserialize, Serialize};

use super::{Balance, PointsEntry};
use crate::base::error::{Error, Result};
use crate::base::{IdempotencyKey, RECEIVED_MAX, TimeMs};
use crate::engine::Engine;
use crate::ledger::PutDocument;
use crate::mall::facts::document::{self, Stamp};
use crate::mall::lots::{may_have_lot, too_many_lots};
use crate::mall::model::{Moving, Violation};
use crate::mall::{Failure, Mall, Refused, User};

/// How many lines one batch may have.
pub(crate) const BATCH_LINES_MAX: usize = 1_000_000;
/// For how long a batch that was cut off may be run again, in milliseconds.
pub(crate) const AGAIN_WITHIN_MS: u64 = 3 * 24 * 3_600_000;

/// The collection of what is known of batches.
const BATCHES: &str = "points-batch";
/// The scope of the keys of their lines.
const SCOPE: &str = "stockhold points batch";
/// How many lines may be on their way to the disk.
const WAITING_MAX: u64 = 4096;

/// The lines of a file.
#[derive(Debug)]
pub(crate) struct PointsBatch<'a> {
    /// Each with its number.
    pub(crate) lines: Vec<(u64, PointsEntry)>,
    /// Whether others were refused before.
    pub(crate) is_refused: bool,
    pub(crate) name: &'a str,
    /// What tells the file from any other.
    pub(crate) digest: &'a str,
    pub(crate) by: &'a str,
    /// Apply what can be, whatever else there is. Otherwise one line that is refused refuses all.
    pub(crate) keep_going: bool,
    /// Look at everything, and change nothing.
    pub(crate) dry_run: bool,
}

/// What became of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PointsApplied {
    /// Applied, or what would be.
    pub(crate) applied: usize,
    /// Applied by an earlier run.
    pub(crate) before: usize,
    pub(crate) refused: Vec<Refused>,
}

/// What is known of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    digest: String,
    lines: usize,
    /// Its lines are remembered until then at least.
    kept_until: TimeMs,
    is_finished: bool,
}

/// What users would have.
struct Foreseen {
    available: i64,
    received: u64,
    /// When their lots end.
    lots: Vec<TimeMs>,
}

impl Mall {
    /// Applies the lines of a file. `progress` is told how many of how many are. Blocks on the disk,
    /// and is for who has the directory alone: what it foresees must stay so.
    ///
    /// # Errors
    /// `Conflict` when there was another batch of this name, or it was cut off too long ago; and what
    /// the engine reports. What was applied until then stays, and running it again does the rest.
    pub(crate) fn apply_points(
        &self,
        batch: &PointsBatch<'_>,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<PointsApplied> {
        let engine = self.engine();
        let known = known(engine, batch)?;
        if known.as_ref().is_some_and(|known| known.is_finished) {
            return Ok(PointsApplied { before: batch.lines.len(), ..PointsApplied::default() });
        }
        let mut outlook = self.outlook(batch)?;
        let is_stopped = !batch.keep_going && (batch.is_refused || !outlook.refused.is_empty());
        let applied = outlook.open.len();
        let before = outlook.before;
        let refused = std::mem::take(&mut outlook.refused);
        if batch.dry_run || is_stopped {
            let applied = if is_stopped { 0 } else { applied };
            return Ok(PointsApplied { applied, before, refused });
        }
        let known = known.unwrap_or_else(|| Known {
            digest: batch.digest.to_owned(),
            lines: batch.lines.len(),
            kept_until: engine.now_ms().saturating_add(AGAIN_WITHIN_MS),
            is_finished: false,
        });
        // A document is behind the lines before it in the journal, and durable only when they are.
        put(engine, batch, &known)?;
        let total = applied as u64;
        for (done, at) in (1..).zip(outlook.open) {
            if let Some((line, entry)) = batch.lines.get(at) {
                self.apply(batch, *line, entry)?;
            }
            if done % WAITING_MAX == 0 {
                put(engine, batch, &known)?;
            }
            progress(done, total);
        }
        put(engine, batch, &Known { is_finished: true, ..known })?;
        Ok(PointsApplied { applied, before, refused })
    }

    /// What would become of each line, in their order.
    fn outlook(&self, batch: &PointsBatch<'_>) -> Result<Outlook> {
        let mut outlook = Outlook::default();
        let mut users: HashMap<&str, Foreseen> = HashMap::new();
        for (at, (line, entry)) in batch.lines.iter().enumerate() {
            if self.engine().first_answer(key(batch, *line)?)?.is_some() {
                outlook.before += 1;
                continue;
            }
            let user = match users.entry(&entry.user) {
                Entry::Occupied(user) => user.into_mut(),
                Entry::Vacant(user) => {
                    let of_user = User::new(&entry.user)?;
                    let Balance { available, received, .. } = self.balance(&of_user)?;
                    let lots = self.lots_that_are_good(&of_user);
                    user.insert(Foreseen { available, received, lots })
                }
            };
            let end = entry.expires_at.map(|at| self.end_of_lot(at)).transpose();
            let end = end.map_err(|error| Violation::new("$.expiresAt", error.to_string()));
            match end.and_then(|end| user.after(entry, end)) {
                Ok(()) => outlook.open.push(at),
                Err(why) => outlook.refused.push(Refused { line: *line, why }),
            }
        }
        Ok(outlook)
    }

    /// Applies one line, which is not waited for.
    fn apply(&self, batch: &PointsBatch<'_>, line: u64, entry: &PointsEntry) -> Result<()> {
        let user = User::new(&entry.user)?;
        let decided = self.decide_points(&user, &entry.by(batch.by), Some(key(batch, line)?));
        let decided = decided.map_err(|failure| match failure {
            Failure::Engine(error) => error,
            other => Error::unavailable(format!("line {line}: {other:?}")),
        })?;
        match decided.is_refused()? {
            false => Ok(()),
            true => Err(Error::unavailable(format!("line {line}: there are fewer points by now"))),
        }
    }
}

/// What is to be applied, and what not.
#[derive(Debug, Default)]
struct Outlook {
    /// The places of the lines.
    open: Vec<usize>,
    before: usize,
    refused: Vec<Refused>,
}

impl Foreseen {
    /// Takes a line into account, whose points are good until `end`.
    fn after(
        &mut self,
        entry: &PointsEntry,
        end: Option<TimeMs>,
    ) -> std::result::Result<(), Violation> {
        let wrong = |why: String| Violation::new("$.points", why);
        let points = i64::try_from(entry.points).map_err(|_| wrong("they are too many".into()))?;
        match entry.moving {
            Moving::Award | Moving::Refund => {
                let received = self.received.saturating_add(entry.points);
                if received > RECEIVED_MAX {
                    return Err(wrong(format!("a user may receive {RECEIVED_MAX} in all")));
                }
                if let Some(end) = end {
                    self.open(end)?;
                }
                (self.received, self.available) = (received, self.available.saturating_add(points));
            }
            Moving::Deduct if self.available < points => {
                return Err(wrong(format!("the user can spend {}", self.available)));
            }
            Moving::Deduct => self.available -= points,
        }
        Ok(())
    }

    /// Has a lot that ends then.
    fn open(&mut self, end: TimeMs) -> std::result::Result<(), Violation> {
        if !may_have_lot(end, &self.lots) {
            return Err(Violation::new("$.expiresAt", too_many_lots()));
        }
        if !self.lots.contains(&end) {
            self.lots.push(end);
        }
        Ok(())
    }
}

/// The key of a line.
fn key(batch: &PointsBatch<'_>, line: u64) -> Result<IdempotencyKey> {
    IdempotencyKey::new(SCOPE, &format!("{} {line}", batch.name))
}

/// What is known of the batch, if it was begun before.
fn known(engine: &Engine, batch: &PointsBatch<'_>) -> Result<Option<Known>> {
    let name = batch.name;
    let mut all = engine.documents(BATCHES).into_iter();
    let Some((_, body)) = all.find(|(of, _)| of == name) else {
        return Ok(None);
    };
    let known: Known = document::read(&body)
        .map_err(|why| Error::conflict(format!("what is known of {name} cannot be read: {why}")))?
        .content;
    if (&*known.digest, known.lines) != (batch.digest, batch.lines.len()) {
        return Err(Error::conflict(format!("{name} was the name of another batch")));
    }
    if !known.is_finished && engine.now_ms() >= known.kept_until {
        return Err(Error::conflict(format!(
            "{name} was cut off too long ago: which of its lines were applied is not remembered any more"
        )));
    }
    Ok(Some(known))
}

/// Writes down what is known of the batch, and waits until that is durable.
fn put(engine: &Engine, batch: &PointsBatch<'_>, known: &Known) -> Result<()> {
    let (at, by) = (Some(engine.now_ms()), Some(batch.by.to_owned()));
    let stamp = Stamp { updated_at: at, updated_by: by };
    let (_, body) = document::written(known.clone(), stamp)?;
    engine.put_document(PutDocument::new(BATCHES, batch.name, &body))?.wait()
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;

    use super::*;
    use crate::base::clock::ManualClock;
    use crate::mall::MallConfig;

    const NOW_MS: TimeMs = 1_750_000_000_000;

    fn entry(user: &str, moving: Moving, points: u64) -> PointsEntry {
        let reason = "批次".to_owned();
        PointsEntry {
            user: user.into(),
            moving,
            points,
            source: None,
            reason,
            order: None,
            expires_at: None,
        }
    }

    fn batch(lines: &[PointsEntry]) -> PointsBatch<'static> {
        PointsBatch {
            lines: (1..).zip(lines.iter().cloned()).collect(),
            is_refused: false,
            name: "june",
            digest: "d1",
            by: "root",
            keep_going: false,
            dry_run: false,
        }
    }

    fn open(dir: &tempfile::TempDir, now_ms: TimeMs) -> Mall {
        let engine = Engine::builder(dir.path())
            .clock(Arc::new(ManualClock::new(now_ms)) as _)
            .segment_bytes(128 << 10)
            .idempotency_window_ms(AGAIN_WITHIN_MS)
            .open();
        Mall::open(engine.expect("it opens"), MallConfig::default()).expect("it reads")
    }

    fn balance(mall: &Mall, user: &str) -> i64 {
        let user = User::new(user).expect("a name");
        mall.balance(&user).expect("the engine runs").available
    }

    /// Every third user is given, has taken and is given back: 10 - 4 + 1.
    fn many() -> Vec<PointsEntry> {
        let of = |number: u64| {
            let user = format!("user{}", number % 100);
            match number / 100 % 3 {
                0 => entry(&user, Moving::Award, 10),
                1 => entry(&user, Moving::Deduct, 4),
                _ => entry(&user, Moving::Refund, 1),
            }
        };
        (0..300).map(of).collect()
    }

    #[test]
    fn a_batch_that_was_cut_off_anywhere_is_run_again_and_ends_with_the_right_sums() {
        for cut_after in [0, 1, 99, 100, 150, 299, 300] {
            let dir = tempfile::tempdir().expect("a directory");
            let (lines, mall) = (many(), open(&dir, NOW_MS));
            let cut = catch_unwind(AssertUnwindSafe(|| {
                mall.apply_points(&batch(&lines), |done, _| assert!(done <= cut_after, "cut off"))
            }));
            assert_eq!(cut.is_err(), cut_after < 300, "{cut_after}");
            mall.engine().close().expect("it closes");
            let mall = open(&dir, NOW_MS + AGAIN_WITHIN_MS - 1);
            // The line that was applied when it was cut off is applied.
            let before = usize::try_from(cut_after + 1).expect("small").min(300);
            let expected =
                PointsApplied { applied: 300 - before, before, ..PointsApplied::default() };
            let again = mall.apply_points(&batch(&lines), |_, _| {}).expect("it goes on");
            assert_eq!(again, expected, "{cut_after}");
            for number in 0..100 {
                assert_eq!(balance(&mall, &format!("user{number}")), 7, "{cut_after}");
            }
            let done = mall.apply_points(&batch(&lines), |_, _| {}).expect("it is done");
            assert_eq!((done.applied, done.before), (0, 300));
        }
    }

    #[test]
    fn a_finished_batch_stays_finished_and_one_that_was_cut_off_long_ago_is_refused() {
        for cut in [true, false] {
            let dir = tempfile::tempdir().expect("a directory");
            let (lines, mall) = (many(), open(&dir, NOW_MS));
            let applied = catch_unwind(AssertUnwindSafe(|| {
                mall.apply_points(&batch(&lines), |done, _| assert!(!cut || done < 5, "cut off"))
            }));
            assert_eq!(applied.is_err(), cut);
            mall.engine().close().expect("it closes");
            let mall = open(&dir, NOW_MS + AGAIN_WITHIN_MS);
            let again = mall.apply_points(&batch(&lines), |_, _| {});
            match cut {
                true => assert!(again.expect_err("refused").to_string().contains("too long ago")),
                false => assert_eq!(again.expect("it is done").before, 300),
            }
            let other = PointsBatch { digest: "d2", ..batch(&lines) };
            let other = mall.apply_points(&other, |_, _| {}).expect_err("another batch");
            assert!(other.to_string().contains("another batch"), "{other}");
        }
    }

    /// Would catch a line that stops all behind it, though the user has the points.
    #[test]
    fn a_line_may_be_of_more_lots_than_a_hundred() {
        const DAY_MS: u64 = 86_400_000;
        let dir = tempfile::tempdir().expect("a directory");
        let mall = open(&dir, NOW_MS);
        let ending = |day: u64| {
            let expires_at = Some(NOW_MS + day * DAY_MS);
            PointsEntry { expires_at, ..entry("ann", Moving::Award, 1) }
        };
        let mut lines: Vec<PointsEntry> = (1..=250).map(ending).collect();
        lines.push(entry("ann", Moving::Deduct, 249));
        lines.push(entry("bob", Moving::Award, 1));
        let applied = mall.apply_points(&batch(&lines), |_, _| {}).expect("all of it");
        assert_eq!((applied.applied, applied.refused), (252, vec![]));
        assert_eq!((balance(&mall, "ann"), balance(&mall, "bob")), (1, 1));

        // One lot more is one too many, and takes nothing with it.
        let more = [ending(1), ending(251), entry("bob", Moving::Award, 1)];
        let more = PointsBatch { keep_going: true, name: "july", ..batch(&more) };
        let applied = mall.apply_points(&more, |_, _| {}).expect("the rest of it");
        let refused: Vec<u64> = applied.refused.iter().map(|it| it.line).collect();
        assert_eq!((applied.applied, refused), (2, vec![2]));
        assert_eq!((balance(&mall, "ann"), balance(&mall, "bob")), (2, 2));
    }

    #[test]
    fn one_line_that_cannot_be_applied_refuses_all_or_is_left_out() {
        let dir = tempfile::tempdir().expect("a directory");
        let mall = open(&dir, NOW_MS);
        let lines = [
            entry("ann", Moving::Award, 10),
            entry("ann", Moving::Deduct, 7),
            entry("ann", Moving::Deduct, 4),
            entry("bob", Moving::Deduct, 1),
            entry("ann", Moving::Award, RECEIVED_MAX),
            entry("ann", Moving::Deduct, 3),
        ];
        let refused =
            |applied: &PointsApplied| applied.refused.iter().map(|it| it.line).collect::<Vec<_>>();
        let before = mall.engine().status().last_seq;
        for dry_run in [false, true] {
            let looked = PointsBatch { dry_run, ..batch(&lines) };
            let looked = mall.apply_points(&looked, |_, _| {}).expect("it is looked at");
            assert_eq!((looked.applied, refused(&looked)), (0, vec![3, 4, 5]));
        }
        assert_eq!(mall.engine().status().last_seq, before, "nothing is written");
        let rest = PointsBatch { keep_going: true, ..batch(&lines) };
        let rest = mall.apply_points(&rest, |_, _| {}).expect("the rest is applied");
        assert_eq!((rest.applied, refused(&rest)), (3, vec![3, 4, 5]));
        assert_eq!((balance(&mall, "ann"), balance(&mall, "bob")), (0, 0));
    }
}
