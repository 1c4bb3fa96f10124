//! What the journal keeps for the mirror: the claim follows the tables, and is held to its bound.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::reporter::StatusReporter;
use crate::base::error::Result;
use crate::engine::{Claim, Engine};
use crate::sink::status::State;
use crate::sink::{Backlog, BacklogPolicy};

/// How often the claim follows what the database has.
const CLAIM_EVERY: Duration = Duration::from_secs(1);
/// How often a backlog that is too large is told of.
const ALARM_EVERY: Duration = Duration::from_secs(60);

/// Lets the claim follow the tables, and holds it to its bound.
pub(super) async fn keep_claim(
    engine: Engine,
    claim: Arc<Claim>,
    backlog: Backlog,
    reporter: StatusReporter,
) {
    let mut alarmed: Option<Instant> = None;
    let mut tick = tokio::time::interval(CLAIM_EVERY);
    loop {
        tick.tick().await;
        if let Err(error) = follow_claim(&engine, &claim, &reporter) {
            tracing::warn!(%error, "the mirror's claim stays where it was");
        }
        let held_bytes = claim.held_bytes();
        let full = held_bytes > backlog.bytes_max;
        if full && alarmed.is_none_or(|at| at.elapsed() >= ALARM_EVERY) {
            alarmed = Some(Instant::now());
            tracing::error!(held_bytes, bytes_max = backlog.bytes_max, policy = ?backlog.policy, "{}", alarm(backlog));
        }
        if full
            && backlog.policy == BacklogPolicy::Drop
            && let Err(error) = claim.give_up()
        {
            tracing::error!(%error, "the mirror's claim was not given up");
        }
        let held_bytes = claim.held_bytes();
        let full = full || claim.from_seq().is_none();
        reporter.backlog(held_bytes, full);
    }
}

fn alarm(backlog: Backlog) -> &'static str {
    match backlog.policy {
        BacklogPolicy::Keep => {
            "the mirror is behind, and the journal keeps more for it than it should"
        }
        BacklogPolicy::Drop => {
            "the mirror is behind: the journal no longer waits for it, a reload may be needed"
        }
    }
}

/// How near the end a mirror must be to claim again what it gave up.
const NEAR: u64 = 100_000;

fn follow_claim(engine: &Engine, claim: &Claim, reporter: &StatusReporter) -> Result<()> {
    let status = reporter.status();
    if status.watermark == 0 || status.state != State::Following {
        return Ok(());
    }
    if claim.from_seq().is_none() && engine.durable_seq().saturating_sub(status.watermark) > NEAR {
        return Ok(());
    }
    claim.hold_from(status.watermark + 1)
}
