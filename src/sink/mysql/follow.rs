//! Following the journal: session after session, batch after batch.

use std::future::poll_fn;
use std::pin::pin;
use std::time::{Duration, Instant};

use super::backoff::{Backoff, random};
use super::balances::Live;
use super::batch::Batch;
use super::fault::Fault;
use super::pace::Pace;
use super::projection::Projector;
use super::reporter::StatusReporter;
use super::session::{Opening, Phase, Session};
use super::target::Target;
use super::tool::ledger_id;
use super::write;
use crate::base::Seq;
use crate::base::error::{Error, ErrorKind, Result};
use crate::engine::{Claim, Engine, Subscription};
use crate::event::Event;
use crate::sink::MirrorConfig;
use crate::sink::status::State;

/// How long a batch may take before its connection is given up.
const BATCH_PATIENCE: Duration = Duration::from_secs(60);
/// How long it may take before the status says that nothing moves.
const STALL: Duration = Duration::from_secs(5);
/// How often a mirror with nothing to do shows the server that it lives.
const KEEP_EVERY: Duration = Duration::from_secs(5);
/// How long until the next look whether the other mirror has ended, or the tables were reloaded, or
/// the ledger is read again.
const STANDBY: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_secs(5);

/// Follows the journal through one session after the other.
pub(super) struct Follower<'a> {
    engine: &'a Engine,
    target: &'a Target,
    migrate: bool,
    ledger_id: String,
    reporter: &'a StatusReporter,
    projector: Projector,
    pace: Pace,
    backoff: Backoff,
    /// The same for what only an operator can mend, and for logins that are refused.
    help_backoff: Backoff,
    login_backoff: Backoff,
    /// The connection of the session before, which held the lock.
    stale_lock: Option<u32>,
}

impl<'a> Follower<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        target: &'a Target,
        config: &MirrorConfig,
        claim: &Claim,
        reporter: &'a StatusReporter,
    ) -> Self {
        let ledger = engine.clone();
        let lookup = move |account| ledger.level(account).ok().map(|level| level.key);
        Self {
            engine,
            target,
            migrate: config.migrate,
            ledger_id: ledger_id(claim.id()),
            reporter,
            projector: Projector::new(Box::new(lookup), Live::balances(engine)),
            pace: Pace::new(),
            backoff: Backoff::soon(),
            help_backoff: Backoff::help(),
            login_backoff: Backoff::login(),
            stale_lock: None,
        }
    }

    /// Returns when the engine is closed.
    pub(super) async fn run(&mut self) {
        while let Err(fault) = self.session().await {
            let wait = self.told(&fault.at(&self.target.shown()));
            tokio::time::sleep(wait).await;
        }
    }

    /// Reports a fault; returns how long to wait.
    fn told(&mut self, fault: &Fault) -> Duration {
        let jittered = |most: Duration| most.mul_f64(0.5 + (random() % 1_000) as f64 / 1_000.0);
        let (state, wait) = match fault {
            Fault::Busy(_) | Fault::Lost(_) => (State::Retrying, self.backoff.next_wait(random())),
            Fault::Misconfigured(_) => {
                (State::Misconfigured, self.help_backoff.next_wait(random()))
            }
            Fault::Denied(_) => (State::Misconfigured, self.login_backoff.next_wait(random())),
            Fault::Fenced(_) => (State::Standby, jittered(STANDBY)),
            Fault::ReloadNeeded(_) => (State::ReloadNeeded, jittered(LOOK)),
            Fault::Ledger(_) => (State::Retrying, jittered(LOOK)),
        };
        let message = fault.message().into_owned();
        // The same again is told once: a night without a database fills no disk.
        if self.reporter.is_news(state, &message) {
            let next_try_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(
                error = message,
                state = state.name(),
                next_try_ms,
                "the mirror does not follow"
            );
        }
        self.reporter.fails(state, message, self.engine.now_ms());
        wait
    }

    async fn session(&mut self) -> Result<(), Fault> {
        let opening = Opening {
            ledger_id: &self.ledger_id,
            migrate: self.migrate,
            lock_wait_s: 0,
            adopt: false,
            reload: false,
            stale_lock: self.stale_lock,
        };
        let mut session = Session::open(self.target.pool().await, opening).await?;
        self.login_backoff.reset();
        self.stale_lock = Some(session.conn.id());
        let followed = self.follow(&mut session).await;
        session.close().await;
        followed
    }

    async fn follow(&mut self, session: &mut Session) -> Result<(), Fault> {
        let position = &session.position;
        match position.phase {
            Phase::Following => {}
            Phase::Emptying | Phase::Loading => {
                return Err(reload("a reload was begun and not finished"));
            }
            Phase::Incomplete => {
                return Err(reload("a part of the tables was lost, or is another ledger's"));
            }
        }
        let mut events = subscribe(self.engine, position.watermark, position.mark)?;
        self.projector.begin_anew();
        self.reporter.change(|status| {
            status.state = State::Following;
            status.watermark = position.watermark;
            (status.event_at, status.mirrored_at) = (position.event_at, position.mirrored_at);
            status.rejected = position.rejected;
            (status.heard_of, status.pending_at) = (position.watermark, None);
        });
        tracing::info!(
            watermark = position.watermark,
            epoch = position.epoch,
            "the mirror follows"
        );
        loop {
            let mut batch = Batch::default();
            self.collect(&mut events, &mut batch)?;
            if batch.is_empty() {
                match self.wait(session, &mut events).await? {
                    Some(first) => self.take(&mut batch, &first)?,
                    None => return Ok(()),
                }
                self.collect(&mut events, &mut batch)?;
            }
            batch.mark = events.mark();
            self.write(session, batch).await?;
        }
    }

    /// Puts the events that are there into the batch, as far as it has room.
    fn collect(&mut self, events: &mut Subscription, batch: &mut Batch) -> Result<(), Fault> {
        while self.pace.has_room(batch) {
            match events.try_next().map_err(missed)? {
                Some(event) => self.take(batch, &event)?,
                None => break,
            }
        }
        Ok(())
    }

    fn take(&mut self, batch: &mut Batch, (seq, event): &Numbered) -> Result<(), Fault> {
        Ok(self.projector.apply(batch, *seq, event)?)
    }

    /// Waits for the next event; `None` once the engine is closed.
    async fn wait(
        &mut self,
        session: &mut Session,
        events: &mut Subscription,
    ) -> Result<Option<Numbered>, Fault> {
        loop {
            let next = tokio::time::timeout(KEEP_EVERY, poll_fn(|cx| events.poll_next(cx))).await;
            match next {
                Ok(event) => return event.map_err(missed),
                Err(_) => {
                    session.keep().await?;
                    self.went_well();
                }
            }
        }
    }

    /// Writes a batch, again and again while the database only refuses it for now.
    async fn write(&mut self, session: &mut Session, batch: Batch) -> Result<(), Fault> {
        self.reporter.change(|status| status.pending_at = Some(batch.first_at));
        loop {
            let began = Instant::now();
            match self.write_once(session, &batch).await {
                Ok(written) => {
                    self.went_well();
                    self.pace.took(&batch, began.elapsed());
                    session.position.watermark = batch.last_seq;
                    self.wrote(&batch, written);
                    return Ok(());
                }
                Err(Fault::Busy(message)) => {
                    let fault = Fault::Busy(message).at(&self.target.shown());
                    let wait = self.told(&fault);
                    session.keep_error(&fault.message(), self.engine.now_ms()).await;
                    tokio::time::sleep(wait).await;
                    session.keep().await?;
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    fn went_well(&mut self) {
        self.backoff.reset();
        self.help_backoff.reset();
    }

    async fn write_once(
        &self,
        session: &mut Session,
        batch: &Batch,
    ) -> Result<write::Written, Fault> {
        let fence = session.fence();
        let mut written = pin!(write::write(
            &mut session.conn,
            session.server,
            batch,
            fence,
            self.engine.now_ms()
        ));
        if let Ok(written) = tokio::time::timeout(STALL, &mut written).await {
            return written;
        }
        self.stalls();
        match tokio::time::timeout(BATCH_PATIENCE.saturating_sub(STALL), written).await {
            Ok(written) => written,
            Err(_) => Err(Fault::Lost(format!(
                "a batch was not written in {} s",
                BATCH_PATIENCE.as_secs()
            ))),
        }
    }

    /// Nothing moves, and nobody has said why: it may go on by itself, and until then the tables do
    /// not follow.
    fn stalls(&self) {
        let message = format!(
            "{}: a batch was not written in {} s yet",
            self.target.shown(),
            STALL.as_secs()
        );
        tracing::warn!(error = message, "the mirror does not follow");
        self.reporter.fails(State::Retrying, message, self.engine.now_ms());
    }

    fn wrote(&self, batch: &Batch, written: write::Written) {
        let now_ms = self.engine.now_ms();
        self.reporter.change(|status| {
            status.state = State::Following;
            status.watermark = batch.last_seq;
            (status.event_at, status.mirrored_at) = (Some(batch.last_at), Some(now_ms));
            status.pending_at = None;
            status.rejected += written.rejected;
            status.batches += 1;
            status.rows += written.rows;
        });
    }
}

type Numbered = (Seq, Event<'static>);

/// The events after the watermark, if the tables show this ledger's history.
fn subscribe(engine: &Engine, watermark: Seq, shown: u64) -> Result<Subscription, Fault> {
    let durable_seq = engine.durable_seq();
    if watermark > durable_seq {
        return Err(reload(&format!(
            "the tables show event {watermark}, but the journal ends at {durable_seq}: was an older backup restored?"
        )));
    }
    // The last event that is shown tells whether the histories are one. It may be gone while the
    // next one is there.
    if watermark > 0
        && let Ok(events) = engine.subscribe(watermark)
        && let mut events = events.marking()
        && let Some((seq, _)) = events.try_next().map_err(missed)?
    {
        return if events.mark() == shown {
            Ok(events)
        } else {
            Err(reload(&format!(
                "the journal's event {seq} is another one than the tables show: another history"
            )))
        };
    }
    Ok(engine.subscribe(watermark + 1).map_err(missed)?.marking())
}

fn reload(why: &str) -> Fault {
    Fault::ReloadNeeded(format!("{why}; run `stockhold mirror reload`"))
}

/// Events that the tables miss and the journal has no more.
fn missed(error: Error) -> Fault {
    match error.kind() {
        ErrorKind::NotFound => reload(&error.to_string()),
        _ => Fault::Ledger(error),
    }
}
