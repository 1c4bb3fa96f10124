//! Following the events for exchanges of those who take part, and writing down who they are.
//!
//! A claim says from where on: it moves on once everything that was found is written. So after a
//! crash the same exchanges are found again, and count once, since each is written with its user.
//! Who was shown a variant less than a moment before a crash is forgotten, and counts the next time.

use super::members::Exchanged;
use super::spec::Member;
use super::{Running, place, run_name};
use crate::base::error::Result;
use crate::base::{Seq, TimeMs};
use crate::engine::Ticket;
use crate::event::Event;
use crate::ledger::{PutDocument, made_at_ms};
use crate::mall::Mall;
use crate::mall::facts::document::{self, Stamp};
use crate::mall::facts::{EXPERIMENT_USERS, EXPERIMENTS, ExperimentRun, RunEnd};
use crate::mall::following::{Beginning, EVENTS_AT_ONCE, Follower};
use crate::mall::views::Change;

/// The name of the claim.
const CLAIM: &str = "experiments";
/// How many pieces one call writes, of 256 users each: some 200 KiB.
const PIECES_AT_ONCE: usize = 16;
/// How many runs that ended are kept; the oldest go first.
const ENDED_MAX: usize = 100;

/// Where to go on.
#[derive(Default)]
pub(super) enum Following {
    /// It was not found out yet.
    #[default]
    Unknown,
    /// Nothing runs, so nothing is followed.
    Idle,
    On(Box<Follower>),
}

impl Mall {
    /// Looks at the next events, some thousand at most, for exchanges of those who take part in an
    /// experiment, and writes down who they are; whether there may be more. A server calls this by
    /// itself. It blocks on the disk.
    ///
    /// # Errors
    /// What the engine reports; it goes on from there when it is called again.
    pub fn follow_experiments(&self) -> Result<bool> {
        let mut following = self.shared.trials.following.lock();
        let followed = self.follow_trials(&mut following, PIECES_AT_ONCE);
        if followed.is_err() {
            *following = Following::Unknown;
        }
        followed
    }

    /// Looks at everything that is durable by now.
    pub(super) fn follow_experiments_to_now(&self) -> Result<()> {
        let now = self.engine().durable_seq();
        while self.follow_experiments()? && self.shared.trials.seq() < now {}
        Ok(())
    }

    /// Writes down everybody who takes part: before a server ends.
    pub(crate) fn keep_experiments(&self) -> Result<()> {
        let mut following = self.shared.trials.following.lock();
        while self.follow_trials(&mut following, usize::MAX)? {}
        Ok(())
    }

    fn follow_trials(&self, following: &mut Following, pieces_max: usize) -> Result<bool> {
        let follower = match following {
            Following::Idle => return Ok(false),
            Following::On(follower) => follower,
            Following::Unknown => match self.begin_following()? {
                Some(begun) => {
                    *following = Following::On(Box::new(begun));
                    return Ok(true);
                }
                None => {
                    *following = Following::Idle;
                    return Ok(false);
                }
            },
        };
        let mut count = 0;
        while count < EVENTS_AT_ONCE
            && let Some((seq, event)) = follower.next()?
        {
            self.look_for_exchanges(follower, seq, &event)?;
            count += 1;
        }
        let trials = &self.shared.trials;
        trials.seq.store(follower.at(), std::sync::atomic::Ordering::Relaxed);
        if count == EVENTS_AT_ONCE {
            return Ok(true);
        }
        self.write_members(pieces_max)?;
        if follower.at() >= trials.opened_seq {
            self.end_closing()?;
        }
        let is_written = trials.running.iter().all(|running| running.members.lock().is_written());
        if is_written && follower.holds_much() {
            follower.hold_from(follower.at() + 1)?;
        }
        if trials.running.is_empty() && trials.closing.lock().is_empty() {
            follower.give_up()?;
            *following = Following::Idle;
        }
        Ok(false)
    }

    /// Finds where to go on, and puts on record what begins. `None` when nothing is to be followed.
    fn begin_following(&self) -> Result<Option<Follower>> {
        let (engine, trials) = (self.engine(), &self.shared.trials);
        self.forget_orphans()?;
        if trials.running.is_empty() && trials.closing.lock().is_empty() {
            if engine.claims().iter().any(|name| name == CLAIM) {
                engine.claim(CLAIM)?.give_up()?;
            }
            return Ok(None);
        }
        let claim = engine.claim(CLAIM)?;
        let durable_seq = engine.durable_seq();
        let from_seq = match Beginning::of(&claim, engine, durable_seq)? {
            Beginning::Kept(from) => from,
            Beginning::New => durable_seq + 1,
            Beginning::Lost => {
                tracing::warn!("some exchanges during experiments are no longer kept");
                durable_seq + 1
            }
        };
        claim.hold_from(from_seq)?;
        for running in trials.running.iter().filter(|running| !running.is_written) {
            self.write_run(&running.run)?.wait()?;
        }
        Follower::begin(claim, engine, from_seq).map(Some)
    }

    /// Looks at one event.
    fn look_for_exchanges(
        &self,
        follower: &mut Follower,
        seq: Seq,
        event: &Event<'_>,
    ) -> Result<()> {
        let trials = &self.shared.trials;
        for change in follower.changes(event)? {
            let Change::Order(order) = change else { continue };
            let Some((user, 1)) = order.standing() else { continue };
            let made_at = made_at_ms(order.reservation);
            for running in &trials.running {
                convert(running, user, made_at, event.at);
            }
            if seq <= trials.opened_seq {
                for running in &*trials.closing.lock() {
                    convert(running, user, made_at, event.at);
                }
            }
        }
        Ok(())
    }

    /// Writes pieces that changed, no more than so many.
    fn write_members(&self, pieces_max: usize) -> Result<()> {
        let mut last: Option<Ticket<()>> = None;
        let mut left = pieces_max;
        for running in &self.shared.trials.running {
            while left > 0 {
                let Some((piece, users)) = running.members.lock().take_changed() else { break };
                left -= 1;
                let name = format!("{}.{piece}", run_name(&running.run));
                let put = document::written(users, Stamp::default()).and_then(|(_, body)| {
                    self.engine().put_document(PutDocument::new(EXPERIMENT_USERS, &name, &body))
                });
                match put {
                    Ok(ticket) => last = Some(ticket),
                    Err(error) => {
                        running.members.lock().put_back(piece);
                        return Err(error);
                    }
                }
            }
        }
        // What was written before it is durable with it.
        last.map_or(Ok(()), Ticket::wait)
    }

    /// Puts on record what came of those that are not to run any more; whatever happened before the
    /// mall was opened is counted by now.
    fn end_closing(&self) -> Result<()> {
        let trials = &self.shared.trials;
        let closing = std::mem::take(&mut *trials.closing.lock());
        if closing.is_empty() {
            return Ok(());
        }
        for running in closing {
            let is_full = running.members.lock().is_full();
            let end = RunEnd { at: self.now_ms(), is_full, counts: running.counts() };
            let run = ExperimentRun { end: Some(end), ..running.run.clone() };
            if let Err(error) = self.write_run(&run).and_then(Ticket::wait) {
                trials.closing.lock().push(running);
                return Err(error);
            }
            tracing::info!(experiment = run.name, run = run.run, "an experiment has ended");
            trials.ended.lock().push(run);
        }
        self.forget_orphans()?;
        self.forget_surplus_runs()
    }

    fn write_run(&self, run: &ExperimentRun) -> Result<Ticket<()>> {
        let (_, body) = document::written(run.clone(), Stamp::default())?;
        self.engine().put_document(PutDocument::new(EXPERIMENTS, &run_name(run), &body))
    }

    /// Removes the users of runs that ended.
    fn forget_orphans(&self) -> Result<()> {
        let (engine, trials) = (self.engine(), &self.shared.trials);
        let closing = trials.closing.lock();
        let is_of = |running: &Running, name: &str, run: u64| {
            running.run.name == name && running.run.run == run
        };
        for (document, _) in engine.documents(EXPERIMENT_USERS) {
            let Some((name, run, _)) = place(&document) else { continue };
            let mut runs = trials.running.iter().chain(&*closing);
            if !runs.any(|running| is_of(running, name, run)) {
                drop(engine.put_document(PutDocument::remove(EXPERIMENT_USERS, &document))?);
            }
        }
        Ok(())
    }

    fn forget_surplus_runs(&self) -> Result<()> {
        let mut ended = self.shared.trials.ended.lock();
        let surplus = ended.len().saturating_sub(ENDED_MAX);
        for run in ended.drain(..surplus) {
            let name = run_name(&run);
            drop(self.engine().put_document(PutDocument::remove(EXPERIMENTS, &name))?);
        }
        Ok(())
    }
}

fn convert(running: &Running, user: &str, made_at: TimeMs, at: TimeMs) {
    let member = Member::of(&running.run.name, user);
    running.members.lock().convert(Exchanged { member, made_at, at }, running.run.window_ms);
}
