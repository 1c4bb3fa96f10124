//! Those who wait for units: who is served, and what must come of joining and leaving.

use super::books::Books;
use super::check::{Checked, agree, hold};
use super::decide::{Bounds, Due};
use super::said::Said;
use crate::base::error::ErrorKind;
use crate::base::{ReservationId, TimeMs};
use crate::event::{Fact, Facts};
use crate::ledger::{Grant, Join, Leave, Waiting};

impl Books {
    /// While somebody waits for units of an account, a reservation takes of them only for who is
    /// first, who waits no longer from the same event on.
    pub(super) fn hold_lines(&self, facts: &[Fact<'_>]) -> Checked {
        for fact in facts {
            let (reservation, lines) = match fact {
                Fact::Reserved { reservation, lines, .. }
                | Fact::Revived { reservation, lines, .. } => (reservation, lines),
                _ => continue,
            };
            for line in lines {
                let account = self.accounts.get(&line.account());
                let Some(first) = account.and_then(|account| account.line.first()) else {
                    continue;
                };
                let is_served = facts.iter().any(|fact| {
                    matches!(fact, Fact::Dequeued { account, place, reservation: Some(id), .. }
                        if (*account, *place, id) == (line.account(), first.place, reservation))
                });
                hold(is_served, || {
                    format!(
                        "{reservation} takes of account {}, for which {first:?} waits",
                        line.account
                    )
                })?;
            }
        }
        Ok(())
    }

    /// Somebody joins a line, or leaves it.
    pub(super) fn enter_line(&mut self, at: TimeMs, fact: &Fact<'_>) -> Checked {
        match fact {
            Fact::Queued { account, place, owner, body } => {
                let account = self.accounts.get_mut(account).ok_or("it was never opened")?;
                hold(!account.closed, || "somebody waits for what is closed".to_owned())?;
                agree("the next place of the line", place, &account.given)?;
                hold(account.line.iter().all(|it| it.owner != *owner), || {
                    "somebody waits twice".to_owned()
                })?;
                let body = body.as_ref().into();
                account.given += 1;
                account.line.push(Waiting { place: *place, owner: *owner, since: at, body });
                Ok(())
            }
            Fact::Dequeued { account, place, owner, .. } => {
                let account = self.accounts.get_mut(account).ok_or("it was never opened")?;
                let found = account.line.iter().position(|it| it.place == *place);
                let at = found.ok_or_else(|| format!("place {place} is not in the line"))?;
                agree("who waited", owner, &account.line.remove(at).owner)
            }
            _ => Ok(()),
        }
    }

    /// What must come of joining a line.
    pub fn decide_join(&self, join: &Join<'_>, now: TimeMs, bounds: &Bounds) -> Due {
        let account = &self.accounts[&join.account];
        if account.closed || self.accounts[&join.owner].closed {
            return Due::Error(ErrorKind::NotFound);
        }
        if let Some(due) = join.key.and_then(|key| self.answered(key, now)) {
            return due;
        }
        let is_quota = self
            .keys
            .iter()
            .any(|(key, id)| *id == join.account && key.kind() == crate::base::AccountKind::Quota);
        if account.counting_against(is_quota, now).is_some() {
            return Due::Error(ErrorKind::Invalid);
        }
        if let Some(ahead) = account.line.iter().position(|it| it.owner == join.owner) {
            let place = account.line[ahead].place;
            // Whoever hears it may rely on everything that was decided before.
            return Due::Again(Said::Waiting { place, ahead }, self.seq);
        }
        let (ahead, units) = (account.line.len(), account.takeable(now));
        if ahead == 0 && units > 0 {
            return Due::Nothing(Said::Available { units });
        }
        if ahead >= join.places_max {
            return Due::Nothing(Said::Full { places: ahead });
        }
        let place = account.given;
        let body = join.body.to_vec().into();
        let fact = Fact::Queued { account: join.account, place, owner: join.owner, body };
        self.with_room(Due::fact(fact, Said::Waiting { place, ahead }), join.key, now, bounds)
    }

    /// What must come of leaving a line.
    pub fn decide_leave(&self, leave: &Leave<'_>, now: TimeMs, bounds: &Bounds) -> Due {
        let account = &self.accounts[&leave.account];
        if account.closed {
            return Due::Error(ErrorKind::NotFound);
        }
        if let Some(due) = leave.key.and_then(|key| self.answered(key, now)) {
            return due;
        }
        let mine = account.line.iter().find(|it| it.owner == leave.owner);
        let Some(place) =
            mine.map(|it| it.place).filter(|place| leave.place.is_none_or(|only| only == *place))
        else {
            return Due::Nothing(Said::NotWaiting);
        };
        let fact = Fact::Dequeued {
            account: leave.account,
            place,
            owner: leave.owner,
            reservation: None,
            note: leave.note.to_owned().into(),
        };
        self.with_room(Due::fact(fact, Said::Left { place }), leave.key, now, bounds)
    }

    /// What must come of serving who is first in a line.
    pub fn decide_grant(
        &self,
        grant: &Grant<'_>,
        now: TimeMs,
        number: Option<ReservationId>,
        bounds: &Bounds,
    ) -> Due {
        let Grant { account, place, reserve } = grant;
        if reserve.owner.is_some_and(|owner| self.accounts[&owner].closed) {
            return Due::Error(ErrorKind::NotFound);
        }
        let first = self.accounts[account].line.first();
        let Some(owner) = first.filter(|first| first.place == *place).map(|first| first.owner)
        else {
            return Due::Nothing(Said::NotFirst);
        };
        if let Some(refused) = self.refuse(reserve, now, Some(*account)) {
            return refused;
        }
        match self.reserve(reserve, now, number, bounds.reservations_per_shard_max) {
            Due::Facts(mut facts, said) => {
                facts.push(Fact::Dequeued {
                    account: *account,
                    place: *place,
                    owner,
                    reservation: number.or(Some(ReservationId::from_number(0))),
                    note: "".into(),
                });
                let facts = Facts::new(facts).expect("lines are bounded");
                Due::fact(Fact::Atomic(facts), said)
            }
            due => due,
        }
    }
}
