//! Revivals in the auditor's books: what expired takes its own lines once more, and is confirmed; once,
//! and nothing else is.

use super::{Books, Confirmed, Findings, Kind, PendingReservation, shard_of};
use crate::base::{Seq, TimeMs};
use crate::event::EventLine;

/// A revival, as its event tells it.
#[derive(Clone, Copy)]
pub(super) struct Revived<'e> {
    pub(super) id: u64,
    pub(super) owner: Option<u32>,
    /// The deadline that it had.
    pub(super) expires_at: TimeMs,
    pub(super) lines: &'e [EventLine],
}

impl Books {
    pub(super) fn revive(
        &mut self,
        seq: Seq,
        at: TimeMs,
        revived: &Revived<'_>,
        findings: &mut Findings,
    ) {
        let Revived { id, expires_at, lines, .. } = *revived;
        if self.is_news(shard_of(id), seq) {
            if let Some(what) = self.revival_is_wrong(revived) {
                findings.add(Kind::Reservation, seq, what);
                return self.doubt(lines);
            }
            self.expired.remove(&id);
            self.confirmed.insert(id, Confirmed::new(at, lines));
        }
        for line in lines {
            self.change(seq, line.account, line.available, findings, |account| {
                account.take(line.quantity.into(), true, expires_at, at)
            });
        }
    }

    fn revival_is_wrong(&self, revived: &Revived<'_>) -> Option<String> {
        let Revived { id, lines, .. } = *revived;
        let Some(held) = self.expired.get(&id) else {
            // It may have expired before the books began, and then is not known.
            let is_known = self.pending.contains_key(&id) || self.confirmed.contains_key(&id);
            return (self.whole || is_known).then(|| {
                format!("reservation {id} is revived, and did not expire, or was revived before")
            });
        };
        if !revived.is_of(held) {
            return Some(format!("reservation {id} is revived as another than expired"));
        }
        let part = lines.iter().find(|line| line.consumed != line.quantity)?;
        let (consumed, quantity) = (part.consumed, part.quantity);
        Some(format!("reservation {id} is revived with {consumed} units of a line of {quantity}"))
    }
}

impl Revived<'_> {
    /// Whether it tells of the reservation that expired, with the lines that it held.
    fn is_of(&self, held: &PendingReservation) -> bool {
        let lines = self.lines.iter().map(|line| (line.account, line.quantity));
        (self.owner, self.expires_at) == (held.owner, held.expires_at)
            && lines.eq(held.lines.iter().copied())
    }
}
