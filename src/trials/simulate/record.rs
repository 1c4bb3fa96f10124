//! What is recorded beside the units, documents and the rules of accounts: with keys, and once more.

use super::setup::AccountIndex;
use super::step::Then;
use super::wish::Recorded;
use super::world::World;
use crate::base::error::ErrorKind;
use crate::event::Policy;
use crate::ledger::{Join, Leave, PutDocument, SetPolicy};
use crate::trials::oracle::{Checked, Due, FILLER, Said, key_of};

impl World<'_> {
    pub(super) fn document(&mut self, name: u8, bytes: Option<usize>, key: Option<u8>) -> Checked {
        self.counts.add("requests", "document");
        self.record(Recorded::Document { name, bytes }, key)
    }

    pub(super) fn set_policy(
        &mut self,
        place: AccountIndex,
        policy: Policy,
        key: Option<u8>,
    ) -> Checked {
        let Some(account) = self.open(place)? else {
            return Ok(());
        };
        self.counts.add("requests", "set policy");
        self.record(Recorded::Policy { account, policy }, key)
    }

    pub(super) fn answer(&mut self, bytes: usize, key: u8) -> Checked {
        self.counts.add("requests", "answer");
        self.record(Recorded::Answer { bytes }, Some(key))
    }

    /// A retry, though others may have written the document or changed the rule since.
    pub(super) fn record_again(&mut self, pick: usize) -> Checked {
        let recent = &self.recorded[self.recorded.len().saturating_sub(6)..];
        let Some((recorded, key)) = recent.get(pick % recent.len().max(1)).copied() else {
            return Ok(());
        };
        // A crash may have taken back that the account was opened.
        let is_open = |account| self.books.accounts.contains_key(account);
        let may_be_asked = match &recorded {
            Recorded::Document { .. } | Recorded::Answer { .. } => true,
            Recorded::Policy { account, .. } => is_open(account),
            Recorded::Join { account, owner, .. } | Recorded::Leave { account, owner } => {
                is_open(account) && is_open(owner)
            }
        };
        if !may_be_asked {
            return Ok(());
        }
        self.counts.add("requests", "record again");
        self.record(recorded, Some(key))
    }

    pub(super) fn record(&mut self, recorded: Recorded, key: Option<u8>) -> Checked {
        self.recorded.extend(key.map(|key| (recorded, key)));
        let engine = self.engine()?;
        let (now, terms) = (engine.now_ms(), self.plan.setup.terms());
        let key = key.map(|key| key_of(key, &format!("{recorded:?}")));
        let (due, said, then) = match recorded {
            Recorded::Document { name, bytes } => {
                let name = format!("product-{name}");
                let body = bytes.map(|bytes| &FILLER[..bytes]);
                let put = PutDocument { collection: "catalogue", name: &name, body, key };
                let due = self.books.decide_document(&put, now, &terms.bounds);
                (due, engine.put_document(put).map(|ticket| ticket.map(said)), Then::Wait)
            }
            Recorded::Policy { account, policy } => {
                let set = SetPolicy::new(account, policy).key(key);
                let due = self.books.decide_policy(&set, now, &terms.bounds);
                (due, engine.set_policy(set).map(|ticket| ticket.map(said)), Then::Drop)
            }
            Recorded::Answer { bytes } => {
                let key = key.ok_or("an answer has a key")?;
                let answer = &FILLER[..bytes];
                let due = self.books.decide_answer(key, answer, now, &terms.bounds);
                let kept = engine.keep_answer(key, answer);
                (due, kept.map(|ticket| ticket.map(said)), Then::Wait)
            }
            Recorded::Join { account, owner, places_max } => {
                let join = Join::new(account, owner, places_max).body(&FILLER[..places_max]);
                let join = join.key(key);
                let due = self.books.decide_join(&join, now, &terms.bounds);
                (due, engine.join(join).map(|ticket| ticket.map(said)), Then::Wait)
            }
            Recorded::Leave { account, owner } => {
                let leave = Leave::new(account, owner).note("had enough").key(key);
                let due = self.books.decide_leave(&leave, now, &terms.bounds);
                (due, engine.leave(leave).map(|ticket| ticket.map(said)), Then::Drop)
            }
        };
        if key.is_some() {
            self.counts.add("records", name_of(&due));
        }
        let request = key.map(|key| terms.request(key, now));
        self.hear_other(now, due, request, said, then)
    }
}

/// What was answered, whatever was asked.
fn said<T: Into<Said>>(outcome: T) -> Said {
    outcome.into()
}

fn name_of(due: &Due) -> &'static str {
    match due {
        Due::Facts(..) => "recorded",
        Due::Nothing(_) => "as it is",
        Due::Again(..) => "first answer again",
        Due::Error(ErrorKind::Conflict) => "another request",
        Due::Error(_) => "refused",
    }
}
