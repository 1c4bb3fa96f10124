//! Everything that the table of metrics reads, gathered once for each scrape.

use std::sync::Arc;

use super::machine::Machine;
use super::requests::RequestsSeen;
use super::sale::{Sale, Samples};
use super::{Requests, UnderWay, Users};
use crate::backup::{BackupStatus, BackupView};
use crate::base::spans::SpanCounts;
use crate::base::times::TimesSeen;
use crate::base::{Seq, TimeMs};
use crate::engine::Metric;
use crate::http::gate::GateSeen;
use crate::http::row::Row;
use crate::http::{App, Tls};
use crate::mall::{BooksSeen, Mall, OpenAlerts, Rounds};
use crate::sink::{MirrorStatus, MirrorView};
use crate::webhooks::{Standing, Webhooks};

/// What is counted while the server runs.
#[derive(Debug)]
pub(in crate::http) struct Watching {
    pub(in crate::http) rounds: Rounds,
    requests: Requests,
    users: Users,
    samples: Samples,
    /// Whether nothing is counted.
    is_off: bool,
}

impl Watching {
    /// Requests are told apart by these routes, whose places are in this order.
    pub(in crate::http) fn new<'r>(routes: impl Iterator<Item = &'r Row>) -> Self {
        Self {
            rounds: Rounds::default(),
            requests: Requests::new(routes),
            users: Users::default(),
            samples: Samples::default(),
            is_off: false,
        }
    }

    /// The same, which counts nothing.
    #[cfg(feature = "bin")]
    pub(in crate::http) fn off(self) -> Self {
        Self { is_off: true, ..self }
    }

    pub(in crate::http) fn is_off(&self) -> bool {
        self.is_off
    }

    /// A request has come. It counts as under way until the guard is dropped, and as abandoned if
    /// nobody has said by then what became of it.
    pub(in crate::http) fn begin(&self) -> UnderWay<'_> {
        self.requests.begin(self.is_off)
    }

    /// How the sale goes, for somebody who looks on.
    pub(in crate::http) fn sale(&self, now_ms: TimeMs) -> Sale {
        self.samples.look(&self.requests.seen(), now_ms)
    }

    /// A user asks for something, at a time that never falls.
    pub(in crate::http) fn saw(&self, user: &str, now_ms: u64) {
        if !self.is_off {
            self.users.saw(user, now_ms);
        }
    }
}

/// Whom to ask, for a thread beside the runtime's workers.
pub(in crate::http) struct Sources {
    mall: Mall,
    watching: Arc<Watching>,
    mirror: Option<MirrorView>,
    backup: Option<BackupView>,
    tls: Option<Tls>,
    webhooks: Option<Webhooks>,
    gate: GateSeen,
    spans: Option<Arc<SpanCounts>>,
    running_ms: u64,
    is_draining: bool,
}

/// The server at one moment, more or less.
pub(super) struct Reading {
    pub(super) engine: Vec<Metric>,
    pub(super) requests: RequestsSeen,
    pub(super) gate: GateSeen,
    pub(super) users: u64,
    pub(super) books: BooksSeen,
    pub(super) syncs: TimesSeen,
    /// With its lag in events and in milliseconds.
    pub(super) mirror: Option<(MirrorStatus, u64, u64)>,
    pub(super) backup: Option<BackupStatus>,
    pub(super) certificate_ends_at: Option<TimeMs>,
    pub(super) webhooks: Vec<Standing>,
    /// What became of how many spans, where traces are told.
    pub(super) spans: Option<[(&'static str, u64); 3]>,
    /// How many sagas wait, and when the oldest of their orders was made.
    pub(super) sagas: (u64, Option<TimeMs>),
    pub(super) points_service: Option<bool>,
    pub(super) exchanges_waiting: usize,
    pub(super) alerts: OpenAlerts,
    pub(super) unreadable: usize,
    pub(super) machine: Machine,
    pub(super) is_ready: bool,
    pub(super) is_draining: bool,
    pub(super) now_ms: TimeMs,
    pub(super) durable_seq: Seq,
}

impl Sources {
    pub(in crate::http) fn of(app: &App) -> Self {
        Self {
            mall: app.mall.clone(),
            watching: Arc::clone(&app.watching),
            mirror: app.mirror.clone(),
            backup: app.backup.clone(),
            tls: app.tls.clone(),
            webhooks: app.webhooks.clone(),
            gate: app.gate.seen(),
            spans: app.spans.clone(),
            running_ms: app.running.now_ms(),
            is_draining: app.is_draining(),
        }
    }

    /// Takes each shard's lock for a few additions, and reads what the system tells of the process.
    pub(super) fn read(&self) -> Reading {
        let (mall, engine) = (&self.mall, self.mall.engine());
        let is_draining = self.is_draining;
        Reading {
            engine: engine.metrics(),
            requests: self.watching.requests.seen(),
            gate: self.gate,
            users: self.watching.users.seen(self.running_ms),
            books: self.watching.rounds.seen(),
            syncs: engine.sync_times(),
            mirror: self.mirror.as_ref().map(|mirror| mirror.status_of(engine)),
            backup: self.backup.as_ref().map(BackupView::status),
            certificate_ends_at: self.tls.as_ref().and_then(Tls::expires_at),
            webhooks: self.webhooks.as_ref().map(Webhooks::standings).unwrap_or_default(),
            spans: self.spans.as_ref().map(|spans| spans.seen()),
            sagas: mall.saga_backlog(),
            points_service: mall.points_service_answers(),
            exchanges_waiting: mall.exchanges_waiting(),
            alerts: mall.open_alerts(),
            unreadable: mall.shelf().unreadable().len(),
            machine: Machine::look(),
            is_ready: engine.check_ready().is_ok() && !is_draining,
            is_draining,
            now_ms: engine.now_ms(),
            durable_seq: engine.durable_seq(),
        }
    }
}

impl Reading {
    /// How long ago that was, in seconds.
    pub(super) fn since(&self, at: TimeMs) -> f64 {
        seconds(self.now_ms.saturating_sub(at))
    }
}

/// Milliseconds as metrics have them.
pub(super) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}
