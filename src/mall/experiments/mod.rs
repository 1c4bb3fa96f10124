//! Experiments: named ways to recommend, each for some of the users, and what came of them.
//!
//! Which variant a user has follows from names alone (`spec`). Who was shown its variant is kept in
//! memory and written a moment later (`members`); whether it exchanged something afterwards follows
//! from the events, which are read beside the threads that sell (`follow`). So a sale knows nothing
//! of it. An experiment with another definition is another run, with counts of its own.

mod follow;
mod interval;
mod members;
mod spec;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

pub(crate) use interval::{Interval, Share};
use members::Members;
pub use spec::Experiments;
use spec::{Experiment, Member};
pub(crate) use spec::{Strategy, Subject};

use super::facts::document;
use super::facts::{EXPERIMENT_USERS, EXPERIMENTS, ExperimentRun, RunCount, RunUsers};
use super::{Mall, MallConfig, User};
use crate::base::error::Result;
use crate::base::{Seq, TimeMs};
use crate::engine::Engine;

/// The experiments of a mall.
pub(in crate::mall) struct Trials {
    /// Those of the configuration.
    running: Vec<Running>,
    /// Those that were running when the mall was opened, and are not to be any more: until what
    /// happened before is counted.
    closing: Mutex<Vec<Running>>,
    ended: Mutex<Vec<ExperimentRun>>,
    /// Held by whoever follows the events and writes.
    following: Mutex<follow::Following>,
    /// Every event up to this one was looked at.
    seq: AtomicU64,
    /// The last event before the mall was opened.
    opened_seq: Seq,
}

/// An experiment that runs.
struct Running {
    run: ExperimentRun,
    /// `None` where an earlier release defined it in words that this one does not know.
    experiment: Option<Experiment>,
    members: Mutex<Members>,
    /// Whether its document is there.
    is_written: bool,
}

impl Running {
    fn of(run: ExperimentRun, members: Members, is_written: bool) -> Self {
        let experiment = Experiment::parse(&run.definition);
        if let Err(error) = &experiment {
            tracing::error!(%error, "what is on record of an experiment cannot be read");
        }
        Self { run, experiment: experiment.ok(), members: Mutex::new(members), is_written }
    }

    fn counts(&self) -> Vec<RunCount> {
        self.experiment.as_ref().map_or_else(Vec::new, |it| self.members.lock().counts(it))
    }
}

/// Which variant decided on an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) experiment: String,
    pub(crate) run: u64,
    pub(crate) variant: String,
}

/// A run as it is shown.
pub(crate) struct RunShown {
    pub(crate) run: ExperimentRun,
    /// Whether more users saw it than are counted.
    pub(crate) is_full: bool,
    /// What it tries; `None` where that cannot be read.
    pub(crate) subject: Option<Subject>,
    pub(crate) variants: Vec<VariantShown>,
}

/// A variant, and what came of it.
pub(crate) struct VariantShown {
    pub(crate) name: String,
    pub(crate) strategy: Strategy,
    pub(crate) percent: u64,
    pub(crate) share: Share,
    /// By how much more of its users exchanged something than of those of the first variant.
    pub(crate) difference: Option<Interval>,
}

impl RunShown {
    fn of(run: ExperimentRun, counts: &[RunCount], is_full: bool) -> Self {
        let experiment = Experiment::parse(&run.definition).ok();
        let subject = experiment.as_ref().map(Experiment::subject);
        let shares: Vec<_> =
            counts.iter().map(|it| Share { some: it.converted, of: it.exposed }).collect();
        let of = experiment.into_iter().flat_map(|it| it.variants).zip(&shares);
        let variants = of.enumerate().map(|(at, (variant, share))| VariantShown {
            name: variant.name,
            strategy: variant.strategy,
            percent: variant.percent,
            share: *share,
            difference: shares.first().filter(|_| at > 0).and_then(|first| share.minus(*first)),
        });
        Self { is_full, subject, variants: variants.collect(), run }
    }
}

impl Trials {
    /// Goes on with the experiments of the configuration that ran before, and begins the others. A
    /// document that cannot be read is named in the log and left out.
    pub(in crate::mall) fn load(engine: &Engine, config: &MallConfig) -> Self {
        let mut on_record = BTreeMap::<String, Vec<ExperimentRun>>::new();
        for (name, body) in engine.documents(EXPERIMENTS) {
            match document::read::<ExperimentRun>(&body) {
                Ok(kept) => {
                    on_record.entry(kept.content.name.clone()).or_default().push(kept.content);
                }
                Err(why) => tracing::error!(name, why, "an experiment cannot be read"),
            }
        }
        let mut pieces = pieces(engine);
        let mut running = Vec::new();
        for experiment in config.experiments.iter() {
            let runs = on_record.entry(experiment.name.clone()).or_default();
            let last = runs.iter().map(|run| run.run).max().unwrap_or(0);
            let wanted = ExperimentRun {
                name: experiment.name.clone(),
                run: last + 1,
                definition: experiment.to_string(),
                window_ms: config.experiment_window_ms,
                begun_at: engine.now_ms(),
                end: None,
            };
            let goes_on = |run: &ExperimentRun| {
                run.run == last
                    && run.end.is_none()
                    && run.definition == wanted.definition
                    && run.window_ms == wanted.window_ms
            };
            running.push(match runs.iter().position(goes_on) {
                Some(at) => {
                    let run = runs.remove(at);
                    let members = members(pieces.remove(&(run.name.clone(), run.run)));
                    Running::of(run, members, true)
                }
                None => Running::of(wanted, Members::default(), false),
            });
        }
        let (closing, mut ended): (Vec<_>, Vec<_>) =
            on_record.into_values().flatten().partition(|run| run.end.is_none());
        ended.sort_by_key(|run| run.end.as_ref().map(|end| end.at));
        let closing = closing.into_iter().map(|run| {
            let members = members(pieces.remove(&(run.name.clone(), run.run)));
            Running::of(run, members, true)
        });
        Self {
            running,
            closing: Mutex::new(closing.collect()),
            ended: Mutex::new(ended),
            following: Mutex::default(),
            seq: AtomicU64::new(0),
            opened_seq: engine.durable_seq(),
        }
    }

    /// What is done for a user, and by which variants.
    pub(in crate::mall) fn of(&self, user: &User) -> Assigned<'_> {
        let assigned = self.running.iter().filter_map(|running| {
            let experiment = running.experiment.as_ref()?;
            let member = Member::of(&experiment.name, user.id());
            let variant = experiment.variants.get(experiment.variant_of(member)?)?;
            Some(One {
                running,
                member,
                subject: experiment.subject(),
                name: &variant.name,
                strategy: variant.strategy,
            })
        });
        Assigned(assigned.collect())
    }

    /// Every event up to this one was looked at.
    fn seq(&self) -> Seq {
        // Relaxed: the number is the whole message.
        self.seq.load(Ordering::Relaxed)
    }

    /// Those that run, then those that ended, the newest first.
    fn shown(&self) -> Vec<RunShown> {
        let of = |running: &Running| {
            let is_full = running.members.lock().is_full();
            RunShown::of(running.run.clone(), &running.counts(), is_full)
        };
        let ended = self.ended.lock();
        let ended = ended.iter().rev().filter_map(|run| {
            let end = run.end.as_ref()?;
            Some(RunShown::of(run.clone(), &end.counts, end.is_full))
        });
        self.running.iter().map(of).chain(ended).collect()
    }
}

/// The variants of a user.
pub(in crate::mall) struct Assigned<'t>(Vec<One<'t>>);

struct One<'t> {
    running: &'t Running,
    member: Member,
    subject: Subject,
    name: &'t str,
    strategy: Strategy,
}

impl Assigned<'_> {
    /// What an experiment says about `subject`, if there is one that the user takes part in.
    pub(in crate::mall) fn strategy(&self, subject: Subject) -> Option<Strategy> {
        self.0.iter().find(|one| one.subject == subject).map(|one| one.strategy)
    }

    /// The variants about these subjects decided on an answer to the user: they count as seen.
    pub(in crate::mall) fn decided(&self, subjects: &[Subject], now_ms: TimeMs) -> Vec<Decided> {
        let deciding = self.0.iter().filter(|one| subjects.contains(&one.subject));
        let decided = deciding.map(|one| {
            one.running.members.lock().expose(one.member, now_ms);
            let ExperimentRun { name, run, .. } = &one.running.run;
            Decided { experiment: name.clone(), run: *run, variant: one.name.to_owned() }
        });
        decided.collect()
    }
}

/// What is on record of a run's users, by the number of the piece.
type Pieces = BTreeMap<usize, RunUsers>;

/// The pieces of all runs.
fn pieces(engine: &Engine) -> BTreeMap<(String, u64), Pieces> {
    let mut all = BTreeMap::<_, Pieces>::new();
    for (name, body) in engine.documents(EXPERIMENT_USERS) {
        let Some((experiment, run, piece)) = place(&name) else {
            tracing::error!(name, "this is no name of users of an experiment");
            continue;
        };
        match document::read::<RunUsers>(&body) {
            Ok(kept) => {
                let of = all.entry((experiment.to_owned(), run)).or_default();
                of.insert(piece, kept.content);
            }
            Err(why) => tracing::error!(name, why, "users of an experiment cannot be read"),
        }
    }
    all
}

/// The name of a run's document.
fn run_name(run: &ExperimentRun) -> String {
    format!("{}.{}", run.name, run.run)
}

/// Of which run a piece is, and its number: `EXPERIMENT.RUN.PIECE`.
fn place(name: &str) -> Option<(&str, u64, usize)> {
    let (rest, piece) = name.rsplit_once('.')?;
    let (experiment, run) = rest.rsplit_once('.')?;
    Some((experiment, run.parse().ok()?, piece.parse().ok()?))
}

fn members(pieces: Option<Pieces>) -> Members {
    let mut members = Members::default();
    for (number, piece) in pieces.unwrap_or_default() {
        members.read(number, &piece);
    }
    members
}

impl Mall {
    /// The experiments that run and those that ended, with everything that was acknowledged before the
    /// call.
    ///
    /// # Errors
    /// What the engine reports.
    pub(crate) async fn experiments(&self) -> Result<Vec<RunShown>> {
        let mall = self.clone();
        self.read(move || {
            mall.engine().decided().wait()?;
            mall.follow_experiments_to_now()?;
            Ok(mall.shared.trials.shown())
        })
        .await
    }
}
