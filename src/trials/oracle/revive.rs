//! What must come of a wish to revive a reservation that expired.

use std::collections::BTreeMap;

use super::books::Books;
use super::decide::{Bounds, Due};
use super::said::Said;
use crate::base::error::ErrorKind;
use crate::base::{AccountKind, TimeMs};
use crate::event::Fact;
use crate::ledger::{Line, NotPending, Reacquire, Refusal, Reserve};

impl Books {
    /// How many units are of which account, or of which user's points: what expired may take these
    /// from other accounts of that user.
    pub(super) fn by_source(&self, lines: &[Line]) -> BTreeMap<String, u128> {
        let mut all = BTreeMap::new();
        for Line { account, quantity } in lines {
            let source =
                match self.names.get(account).filter(|key| key.kind() == AccountKind::Points) {
                    Some(key) => format!("points of {}", key.owner()),
                    None => account.number().to_string(),
                };
            *all.entry(source).or_default() += u128::from(*quantity);
        }
        all
    }

    /// What must come of it where it is known how every reservation ended.
    pub fn decide_reacquire(&self, asked: &Reacquire, now: TimeMs, bounds: &Bounds) -> Due {
        let Reacquire { reservation, owner, key, .. } = *asked;
        if let Some(due) = key.and_then(|key| self.answered(key, now)) {
            return due;
        }
        if self.find(reservation, owner).is_some() {
            return Due::Nothing(Said::StillPending { reservation });
        }
        match self.why(reservation, owner) {
            NotPending::Expired => self.decide_revive(asked, None, now, bounds),
            why => Due::Nothing(Said::NotPending { reservation, why }),
        }
    }

    /// What must come of reviving one that is said to have expired: it takes its own lines as if they
    /// were bought now, or nothing happens; or these lines, which may be of other points of its user.
    pub fn decide_revive(
        &self,
        asked: &Reacquire,
        takes: Option<&[Line]>,
        now: TimeMs,
        bounds: &Bounds,
    ) -> Due {
        if let Some(due) = asked.key.and_then(|key| self.answered(key, now)) {
            return due;
        }
        self.with_room(self.revive_anew(asked, takes, now), asked.key, now, bounds)
    }

    fn revive_anew(&self, asked: &Reacquire, takes: Option<&[Line]>, now: TimeMs) -> Due {
        let reservation = asked.reservation;
        let Some(held) = self.expired.get(&reservation) else {
            return Due::Error(ErrorKind::Conflict);
        };
        let takes = takes.unwrap_or(&held.lines);
        if self.by_source(takes) != self.by_source(&held.lines) {
            return Due::Error(ErrorKind::Invalid);
        }
        let closed = takes.iter().position(|line| self.accounts[&line.account].closed);
        if let Some(line) = closed {
            let account = takes[line].account;
            let refusal =
                Refusal { line, account, available: 0, next_release_at: None, has_line: false };
            return Due::Nothing(Said::Refused(refusal));
        }
        let buys = Reserve::new(takes, 1).confirmed();
        if let Some(refused) = self.refuse(&buys, now, None) {
            return refused;
        }
        let Due::Facts(mut facts, _) = self.reserve(&buys, now, None, usize::MAX) else {
            unreachable!("there is enough of everything");
        };
        let Some(Fact::Reserved { lines, .. }) = facts.pop() else {
            unreachable!("it makes a reservation");
        };
        let (owner, expires_at) = (held.owner, held.expires_at);
        facts.push(Fact::Revived { reservation, owner, expires_at, lines });
        Due::Facts(facts, Said::Revived { reservation })
    }
}
