//! What the mirror tells of itself. Without the feature `mysql` nobody fills it in, and nobody is
//! asked.

use std::time::Duration;

use tokio::sync::watch;

use crate::base::{Seq, TimeMs};
use crate::engine::Engine;

/// What the mirror does at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "mysql"), allow(dead_code, reason = "nothing runs that would be in one"))]
pub(crate) enum State {
    /// It has not reached the database yet.
    #[default]
    Starting,
    /// It carries events over as they become durable.
    Following,
    /// The database does not answer or takes nothing; it tries again by itself.
    Retrying,
    /// Only an operator can help: a wrong password, a database that is missing, another ledger's
    /// tables.
    Misconfigured,
    /// Another mirror writes the tables; this one waits for its end.
    Standby,
    /// The journal no longer has what the tables miss, or has another history: `stockhold mirror
    /// reload` is needed.
    ReloadNeeded,
    /// It was told to end.
    Stopped,
}

impl State {
    pub(crate) const ALL: &[Self] = &[
        Self::Starting,
        Self::Following,
        Self::Retrying,
        Self::Misconfigured,
        Self::Standby,
        Self::ReloadNeeded,
        Self::Stopped,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Following => "following",
            Self::Retrying => "retrying",
            Self::Misconfigured => "misconfigured",
            Self::Standby => "standby",
            Self::ReloadNeeded => "reload-needed",
            Self::Stopped => "stopped",
        }
    }
}

/// The mirror at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MirrorStatus {
    pub(crate) state: State,
    /// The tables show every event up to this one; 0 until the database was reached.
    pub(crate) watermark: Seq,
    /// What they showed when the database was last heard of, maybe in an earlier life of this
    /// process.
    pub(crate) heard_of: Seq,
    /// When the event of the watermark happened.
    pub(crate) event_at: Option<TimeMs>,
    /// When the tables came to show it.
    pub(crate) mirrored_at: Option<TimeMs>,
    /// When the first event happened that the tables do not show, where that is known.
    pub(crate) pending_at: Option<TimeMs>,
    /// How many rows the database refused and that were set aside.
    pub(crate) rejected: u64,
    pub(crate) last_error: Option<String>,
    pub(crate) last_error_at: Option<TimeMs>,
    /// How much of the journal is kept for the mirror, in bytes.
    pub(crate) held_bytes: u64,
    /// Whether that is more than it may be.
    pub(crate) backlog_full: bool,
    /// Transactions and rows since the start.
    pub(crate) batches: u64,
    pub(crate) rows: u64,
}

impl MirrorStatus {
    /// How far the tables are behind what is durable: in events, and in milliseconds.
    pub(crate) fn lag(&self, durable_seq: Seq, now_ms: TimeMs) -> (u64, u64) {
        let events = durable_seq.saturating_sub(self.watermark.max(self.heard_of));
        let since = self.pending_at.or(self.event_at);
        let lag_ms = since.filter(|_| events > 0).map_or(0, |since| now_ms.saturating_sub(since));
        (events, lag_ms)
    }

    /// Whether the tables show this event. Not while somebody else may write them.
    pub(crate) fn shows(&self, seq: Seq) -> bool {
        matches!(self.state, State::Following | State::Retrying) && self.watermark >= seq
    }

    /// Whether it needs no attention.
    pub(crate) fn is_well(&self) -> bool {
        matches!(self.state, State::Following | State::Starting) && !self.backlog_full
    }
}

/// A look at a mirror that runs.
#[derive(Clone)]
pub(crate) struct MirrorView {
    status: watch::Receiver<MirrorStatus>,
}

impl MirrorView {
    #[cfg_attr(
        not(feature = "mysql"),
        allow(dead_code, reason = "nothing runs that could be looked at")
    )]
    pub(crate) fn new(status: watch::Receiver<MirrorStatus>) -> Self {
        Self { status }
    }

    pub(crate) fn status(&self) -> MirrorStatus {
        self.status.borrow().clone()
    }

    /// Waits until the tables show `seq`, but no longer than `patience`; says whether they do.
    pub(crate) async fn wait(&self, seq: Seq, patience: Duration) -> bool {
        let mut status = self.status.clone();
        let reached = status.wait_for(|status| status.shows(seq));
        matches!(tokio::time::timeout(patience, reached).await, Ok(Ok(_)))
    }

    /// The status with the lag behind this engine.
    pub(crate) fn status_of(&self, engine: &Engine) -> (MirrorStatus, u64, u64) {
        let status = self.status();
        let (events, lag_ms) = status.lag(engine.durable_seq(), engine.now_ms());
        (status, events, lag_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_lags_when_everything_is_shown() {
        let status =
            MirrorStatus { watermark: 7, event_at: Some(1_000), ..MirrorStatus::default() };
        assert_eq!(status.lag(7, 90_000), (0, 0));
        assert_eq!(
            status.lag(9, 90_000),
            (2, 89_000),
            "the newest that is shown bounds what is missing"
        );
        let status = MirrorStatus { pending_at: Some(80_000), ..status };
        assert_eq!(status.lag(9, 90_000), (2, 10_000), "the first that is missing says it exactly");
        let status =
            MirrorStatus { heard_of: 5, pending_at: Some(80_000), ..MirrorStatus::default() };
        assert_eq!(status.lag(9, 90_000), (4, 10_000), "a database that is away since the start");
    }
}
