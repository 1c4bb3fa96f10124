//! What must come of what is recorded beside the units: rules, documents, and accounts that close.

use super::books::Books;
use super::decide::{Bounds, Due};
use super::said::Said;
use crate::base::error::ErrorKind;
use crate::base::{AccountId, AccountKind, IdempotencyKey, TimeMs};
use crate::event::{Fact, Window};
use crate::ledger::{PutDocument, SetPolicy};

impl Books {
    /// What must come of a document.
    pub fn decide_document(&self, put: &PutDocument<'_>, now: TimeMs, bounds: &Bounds) -> Due {
        let PutDocument { collection, name, body, key } = *put;
        if let Some(due) = key.and_then(|key| self.answered(key, now)) {
            return due;
        }
        let fact = Fact::Document {
            collection: collection.to_owned().into(),
            key: name.to_owned().into(),
            body: body.map(|body| body.to_vec().into()),
        };
        self.with_room(Due::fact(fact, Said::Recorded), key, now, bounds)
    }

    /// What must come of an answer that is to be kept.
    pub fn decide_answer(
        &self,
        key: IdempotencyKey,
        answer: &[u8],
        now: TimeMs,
        bounds: &Bounds,
    ) -> Due {
        if let Some(due) = self.answered(key, now) {
            return due;
        }
        if self.kept(key.owner(), now) + answer.len().div_ceil(128) >= bounds.keys_per_owner {
            return Due::Error(ErrorKind::Throttled);
        }
        Due::fact(Fact::Answered { answer: answer.to_vec().into() }, Said::Recorded)
    }

    /// What must come of other rules for an account.
    pub fn decide_policy(&self, set: &SetPolicy, now: TimeMs, bounds: &Bounds) -> Due {
        let SetPolicy { account: id, policy, key } = *set;
        if let Some(due) = key.and_then(|key| self.answered(key, now)) {
            return due;
        }
        let account = &self.accounts[&id];
        if account.closed {
            return Due::Error(ErrorKind::NotFound);
        }
        if policy == account.policy {
            return Due::Nothing(Said::Recorded);
        }
        let grants = policy.limit > 0 || policy.window != Window::Never;
        if grants && !account.line.is_empty() {
            return Due::Error(ErrorKind::Invalid);
        }
        let mut trial = account.clone();
        trial.rule(policy, now);
        let (available, consumed) = (trial.available, Some(trial.consumed));
        let fact = Fact::PolicyChanged { account: id, policy, available, consumed };
        self.with_room(Due::fact(fact, Said::Recorded), key, now, bounds)
    }

    /// What must come of closing an account: nothing may be left in it.
    pub fn decide_close(&self, id: AccountId, now: TimeMs) -> Due {
        let (account, closed) = (&self.accounts[&id], Said::Closed { account: id });
        let Some((key, _)) = self.keys.iter().find(|(_, it)| **it == id) else {
            return Due::Nothing(closed);
        };
        let counting = account.counting_against(key.kind() == AccountKind::Quota, now);
        let left = match counting {
            Some(counting) => counting > 0 || account.owes(now),
            None => account.available != 0,
        };
        if !left && account.reserved == 0 && account.line.is_empty() {
            return Due::fact(Fact::AccountClosed { account: id, key: key.clone() }, closed);
        }
        Due::Nothing(Said::NotEmpty {
            account: id,
            available: account.available,
            reserved: account.reserved,
            counting: counting.unwrap_or(0),
            waiting: account.line.len(),
        })
    }
}
