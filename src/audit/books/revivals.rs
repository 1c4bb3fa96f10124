//! Revivals in the auditor's books: what expired takes its own lines once more, and is confirmed; once,
//! and nothing else is. Points of a user may come from other accounts of that user.

use std::collections::BTreeMap;

use super::{Books, Confirmed, Findings, Kind, PendingReservation, shard_of};
use crate::base::{AccountKey, AccountKind, Seq, TimeMs};
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
        if !self.is_of(revived, held) {
            return Some(format!("reservation {id} is revived as another than expired"));
        }
        let part = lines.iter().find(|line| line.consumed != line.quantity)?;
        let (consumed, quantity) = (part.consumed, part.quantity);
        Some(format!("reservation {id} is revived with {consumed} units of a line of {quantity}"))
    }
}

impl Books {
    /// Whether a revival tells of the reservation that expired, with what it held.
    fn is_of(&self, revived: &Revived<'_>, held: &PendingReservation) -> bool {
        let lines = revived.lines.iter().map(|line| (line.account, line.quantity));
        (revived.owner, revived.expires_at) == (held.owner, held.expires_at)
            && self.by_source(lines) == self.by_source(held.lines.iter().copied())
    }

    /// How many units are of which account, or of which user's points.
    fn by_source(&self, lines: impl Iterator<Item = (u32, u64)>) -> BTreeMap<String, u128> {
        let mut all = BTreeMap::new();
        for (number, units) in lines {
            let key = self.accounts.get(&number).and_then(|it| it.key.parse::<AccountKey>().ok());
            let source = match key.filter(|key| key.kind() == AccountKind::Points) {
                Some(key) => format!("points of {}", key.owner()),
                None => number.to_string(),
            };
            *all.entry(source).or_default() += u128::from(units);
        }
        all
    }
}
