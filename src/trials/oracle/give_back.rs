//! What must come of a return.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::account::Account;
use super::books::{Books, Consumed, after_return};
use super::decide::{Bounds, Due};
use super::said::Said;
use crate::base::error::ErrorKind;
use crate::base::{AccountId, AccountKind, TimeMs};
use crate::event::{EventLine, EventLines, Fact, Part, PartLine};
use crate::ledger::{Line, NotPending, Refund};

impl Books {
    /// What must come of a refund, where it is known how every reservation ended.
    pub fn decide_refund(&self, refund: &Refund<'_>, now: TimeMs, bounds: &Bounds) -> Due {
        let Refund { reservation, part, owner, key, .. } = *refund;
        if part.is_some_and(|part| part.is_empty() || part.iter().any(|line| line.quantity == 0)) {
            return Due::Error(ErrorKind::Invalid);
        }
        if let Some(due) = key.and_then(|key| self.answered(key, now)) {
            return due;
        }
        if self.find(reservation, owner).is_some() {
            return Due::Nothing(Said::StillPending { reservation });
        }
        match self.why(reservation, owner) {
            NotPending::Confirmed => self.decide_return(refund, now, bounds),
            why => Due::Nothing(Said::NotPending { reservation, why }),
        }
    }

    /// What must come of returning what a confirmed reservation consumed, or a part of it: nothing
    /// but its own units go back, each once, and of those what the rule has not given back before.
    pub fn decide_return(&self, refund: &Refund<'_>, now: TimeMs, bounds: &Bounds) -> Due {
        if let Some(due) = refund.key.and_then(|key| self.answered(key, now)) {
            return due;
        }
        let kept = refund.key.map_or(0, |key| self.kept(key.owner(), now));
        match self.return_anew(refund, now) {
            Due::Facts(..) if kept >= bounds.keys_per_owner => Due::Error(ErrorKind::Throttled),
            due => due,
        }
    }

    fn return_anew(&self, refund: &Refund<'_>, now: TimeMs) -> Due {
        let Refund { reservation, part, written_off, note, .. } = *refund;
        let Consumed { at, lines: used } = &self.consumed[&reservation];
        let rest: Vec<Line> = used.iter().map(rest_of).collect();
        let asked = part.unwrap_or(&rest);
        let of = |lines: &[Line], account: AccountId| -> u64 {
            lines.iter().filter(|it| it.account == account).map(|it| it.quantity).sum()
        };
        let short = asked.iter().find(|it| of(asked, it.account) > of(&rest, it.account));
        if let Some(&Line { account, .. }) = short {
            let left = of(&rest, account);
            return Due::Nothing(Said::TooMuch { reservation, account, left });
        }
        for account in written_off {
            if !asked.iter().any(|line| line.account == *account) {
                return Due::Error(ErrorKind::Invalid);
            }
            if self.accounts[account].closed {
                return Due::Error(ErrorKind::NotFound);
            }
            if self.is_granted(*account, now) {
                return Due::Error(ErrorKind::Invalid);
            }
        }
        if asked.iter().any(|line| self.accounts[&line.account].closed) {
            return Due::Error(ErrorKind::NotFound);
        }
        let after = after_return(used, asked).expect("there is as much as is asked for");
        let lines = self.return_lines(asked, written_off, *at);
        let is_over = after.iter().all(|line| line.returned == line.consumed);
        let is_whole =
            is_over && written_off.is_empty() && used.iter().all(|line| line.returned == 0);
        let written_off = written_off.to_vec();
        let part = (!is_whole).then_some(Part { lines: after, written_off });
        let (note, consumed_at) = (Cow::Owned(note.to_owned()), Some(*at));
        let said = match is_over {
            true => Said::Returned { reservation },
            false => Said::ReturnedInPart { reservation },
        };
        let fact = Fact::Returned {
            reservation,
            lines,
            note,
            consumed_at,
            expires_at: 0,
            part: part.map(Box::new),
        };
        Due::Facts(vec![fact], said)
    }

    fn return_lines(&self, asked: &[Line], written_off: &[AccountId], at: TimeMs) -> EventLines {
        let mut trials: BTreeMap<AccountId, Account> = BTreeMap::new();
        let mut lines = EventLines::new();
        for line in asked.iter().filter(|line| line.quantity > 0) {
            let trial =
                trials.entry(line.account).or_insert_with(|| self.accounts[&line.account].clone());
            let counted = trial.counting(at).min(line.quantity);
            let past = line.quantity - counted;
            match written_off.contains(&line.account) {
                true => trial.discard(counted, past, at).unwrap_or_default(),
                false => trial.give_back(counted, past, at).unwrap_or_default(),
            }
            lines.push(EventLine {
                account: line.account.number(),
                quantity: counted,
                consumed: past,
                available: trial.available,
            });
        }
        lines
    }

    /// Whether a rule grants the units of an account, which then are none that could break.
    fn is_granted(&self, id: AccountId, now: TimeMs) -> bool {
        let is_quota = |(key, it): (&crate::base::AccountKey, &AccountId)| {
            *it == id && key.kind() == AccountKind::Quota
        };
        let is_quota = self.keys.iter().any(is_quota);
        self.accounts[&id].counting_against(is_quota, now).is_some()
    }
}

fn rest_of(line: &PartLine) -> Line {
    Line { account: line.account, quantity: line.left() }
}
