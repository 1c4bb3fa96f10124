//! The task of one receiver: reads events, sends what is due, and keeps how far it is. It waits for
//! nobody: another receiver has a task of its own, and whoever sells knows nothing of it.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Shared;
use super::letter::{Letter, letters};
use super::outbox::Outcome;
use super::profile::Off;
use super::receiver::Receiver;
use super::send;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::{Seq, TimeMs};
use crate::engine::Subscription;
use crate::event::Event;
use crate::mall::views::Views;
use crate::outgoing::{Client, Limits};

/// How much of an answer is read: nobody looks at it.
const ANSWER_BYTES_MAX: usize = 4 << 10;
/// How often what is on its way is put on the disk.
const KEEP_EVERY: Duration = Duration::from_secs(1);
/// How often the engine's clock is looked at while something waits for its time.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long what is under way is waited for at the end.
const END_PATIENCE: Duration = Duration::from_millis(500);
/// How long to leave the journal alone when it cannot be read.
const PAUSE: Duration = Duration::from_secs(5);
/// After so many events others get a word in.
const EVENTS_AT_ONCE: usize = 256;

/// Serves a receiver until it is off, or `stop` says so.
pub(super) async fn serve(
    shared: Arc<Shared>,
    receiver: Arc<Receiver>,
    mut stop: watch::Receiver<bool>,
) {
    let _served = Served(&receiver);
    let mut task = Task::new(&shared, &receiver);
    while receiver.is_on() && !*stop.borrow() {
        task.read();
        task.send();
        task.keep_if_due().await;
        let (reads, pause) = (task.reads(), task.pause());
        tokio::select! {
            Some(done) = task.sending.join_next() => task.settle(done),
            next = next_event(&mut task.subscription), if reads => task.take(next),
            () = receiver.wake.notified() => {}
            () = tokio::time::sleep(pause) => {}
            _ = stop.changed() => {}
        }
    }
    task.end().await;
    keep(&shared, &receiver).await;
}

/// That a receiver has a task, until it is dropped: also by a panic.
struct Served<'a>(&'a Receiver);

impl Drop for Served<'_> {
    fn drop(&mut self) {
        self.0.outbox.lock().call_off();
        self.0.is_served.store(false, Ordering::Release);
    }
}

type Next = Result<Option<(Seq, Event<'static>)>>;

async fn next_event(subscription: &mut Option<Subscription>) -> Next {
    match subscription {
        Some(subscription) => poll_fn(|cx| subscription.poll_next(cx)).await,
        None => std::future::pending().await,
    }
}

struct Task<'a> {
    shared: &'a Arc<Shared>,
    receiver: &'a Arc<Receiver>,
    client: Client,
    views: Views,
    subscription: Option<Subscription>,
    /// When the journal may be looked at again.
    reads_from: Instant,
    sending: JoinSet<(Letter, Outcome)>,
    kept_at: Instant,
    is_changed: bool,
}

impl<'a> Task<'a> {
    fn new(shared: &'a Arc<Shared>, receiver: &'a Arc<Receiver>) -> Self {
        let (timeout, names) = (shared.settings.timeout, shared.engine.clone());
        let limits = Limits { connect_timeout: timeout, timeout, body_bytes_max: ANSWER_BYTES_MAX };
        Self {
            client: Client::new(shared.guard.clone(), shared.trust.clone(), limits),
            shared,
            receiver,
            views: Views::new(Box::new(move |account| names.key_of(account))),
            subscription: None,
            reads_from: Instant::now(),
            sending: JoinSet::new(),
            kept_at: Instant::now(),
            is_changed: false,
        }
    }

    fn now_ms(&self) -> TimeMs {
        self.shared.engine.now_ms()
    }

    /// Whether there is room for what the next event is told as.
    fn reads(&self) -> bool {
        self.subscription.is_some() && self.receiver.outbox.lock().has_room()
    }

    /// Subscribes where it is not, and reads what there is, as far as there is room.
    fn read(&mut self) {
        if self.subscription.is_none() && Instant::now() >= self.reads_from {
            let from_seq = self.receiver.outbox.lock().read_through() + 1;
            match self.shared.engine.subscribe(from_seq) {
                Ok(subscription) => self.subscription = Some(subscription),
                Err(error) => self.lose(&error),
            }
        }
        for _ in 0..EVENTS_AT_ONCE {
            if !self.reads() {
                return;
            }
            let Some(subscription) = &mut self.subscription else { return };
            match subscription.try_next() {
                Ok(None) => return,
                next => self.take(next),
            }
        }
    }

    /// An event has come, or will not.
    fn take(&mut self, next: Next) {
        match next {
            Ok(Some((seq, event))) => self.tell(seq, &event),
            // The engine was closed.
            Ok(None) => self.lose(&Error::closed()),
            Err(error) => self.lose(&error),
        }
    }

    fn tell(&mut self, seq: Seq, event: &Event<'_>) {
        let changes = self.views.changes(event).unwrap_or_else(|error| {
            // One that nobody can read must not end what comes after it.
            tracing::error!(%error, seq, "receivers of webhooks are not told of an event");
            Default::default()
        });
        let now = self.now_ms();
        let wanted = self.receiver.profile.lock().events.clone();
        let told = letters(&changes, self.shared.origin, seq, event.at);
        let told = told.into_iter().filter(|letter| wanted.has(letter.kind));
        let told: Vec<_> =
            told.map(|letter| Letter { queued_at: now, next_at: now, ..letter }).collect();
        // What nobody is told is no reason to write.
        self.is_changed |= !told.is_empty();
        self.receiver.outbox.lock().read(seq, told);
    }

    /// The journal cannot be read on from here.
    fn lose(&mut self, error: &Error) {
        self.subscription = None;
        self.reads_from = Instant::now() + PAUSE;
        match error.kind() {
            ErrorKind::NotFound => self.receiver.turn_off(&self.shared.engine, Off::EventsLost),
            ErrorKind::Closed => {}
            _ => {
                let receiver = &self.receiver.id;
                tracing::warn!(%error, receiver, "webhooks cannot read the journal; tried again");
            }
        }
    }

    /// Begins to send what is due.
    fn send(&mut self) {
        loop {
            let letter = self.receiver.outbox.lock().take_due(self.now_ms());
            let Some(letter) = letter else { return };
            let (client, profile) = (self.client.clone(), self.receiver.profile.lock().clone());
            let now = self.shared.engine.clock_ms();
            self.sending.spawn(async move {
                let outcome = send::attempt(&client, &profile, &letter, now).await;
                (letter, outcome)
            });
        }
    }

    fn settle(&mut self, done: std::result::Result<(Letter, Outcome), tokio::task::JoinError>) {
        let (letter, outcome) = match done {
            Ok(done) => done,
            Err(failed) => {
                tracing::error!(%failed, "sending to a receiver of webhooks failed");
                // Which one it was is not known: what is under way may be sent twice.
                self.receiver.outbox.lock().call_off();
                return;
            }
        };
        if let Outcome::Failed { error, .. } = &outcome {
            let (receiver, message) = (&self.receiver.id, &letter.id);
            tracing::debug!(receiver, message, error, "a receiver of webhooks refused");
        }
        let is_gone = outcome == Outcome::Gone;
        // Without random bytes the waits are whole, which is no error.
        let random = getrandom::u64().unwrap_or(u64::MAX);
        let retry_for_ms = self.shared.settings.retry_for.as_millis() as u64;
        self.receiver.settle(letter, outcome, self.now_ms(), retry_for_ms, random);
        self.is_changed = true;
        if is_gone {
            self.receiver.turn_off(&self.shared.engine, Off::Gone);
        }
    }

    /// Waits a little for what is under way: what is called off is sent again, at least once.
    async fn end(mut self) {
        let settling = async {
            while let Some(done) = self.sending.join_next().await {
                self.settle(done);
            }
        };
        let ended = tokio::time::timeout(END_PATIENCE, settling).await;
        tracing::debug!(all = ended.is_ok(), "a receiver of webhooks is not served any more");
    }

    /// How long to sleep when nothing happens.
    fn pause(&self) -> Duration {
        let mut pause = PAUSE;
        if self.receiver.outbox.lock().next_due().is_some() {
            pause = LOOK_EVERY;
        }
        if self.is_changed {
            pause = pause.min(KEEP_EVERY.saturating_sub(self.kept_at.elapsed()));
        }
        pause
    }

    async fn keep_if_due(&mut self) {
        if self.kept_at.elapsed() >= KEEP_EVERY && (self.is_changed || self.is_behind()) {
            keep(self.shared, self.receiver).await;
            self.kept_at = Instant::now();
            self.is_changed = false;
        }
    }

    /// Whether the place that is kept is to move on over events that nobody is told of: there are
    /// many, or the journal is kept for them.
    fn is_behind(&self) -> bool {
        let read_through = self.receiver.outbox.lock().read_through();
        let kept_through = self.receiver.kept_through();
        let behind = read_through.saturating_sub(kept_through);
        let holds = || self.shared.engine.sealed_bytes_from(kept_through + 1) > 0;
        behind >= super::HELD_MAX || (behind > 0 && holds())
    }
}

/// Puts the outbox on the disk, beside the thread that sends.
async fn keep(shared: &Arc<Shared>, receiver: &Arc<Receiver>) {
    let (engine, keeping) = (shared.engine.clone(), receiver.clone());
    let kept = tokio::task::spawn_blocking(move || keeping.keep(&engine)).await;
    let kept = kept.unwrap_or_else(|failed| {
        Err(Error::unavailable("a background task failed").with_source(failed))
    });
    if let Err(error) = kept {
        let receiver = &receiver.id;
        tracing::warn!(%error, receiver, "an outbox was not written: it is sent again after a crash");
    }
}
