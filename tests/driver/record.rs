//! What is recorded beside the units: documents, and the rules of accounts.

use stockhold::command::{PutDocument, SetPolicy};
use stockhold::test_util::oracle::{Bounds, FILLER, Said, key_of as reference_key_of};
use stockhold::{AccountId, IdempotencyKey, Policy};

use super::{Asked, Run, key_of};

/// What was asked to be recorded.
#[derive(Clone, Copy, Debug)]
pub enum Recorded {
    Document { name: u8, bytes: Option<usize> },
    Policy { account: AccountId, policy: Policy },
}

impl Run {
    pub(super) fn record(&mut self, recorded: Recorded, key: Option<u8>) {
        // The reference tells requests with one key apart by what they ask.
        let told = key.map(|key| reference_key_of(key, &format!("{recorded:?}")));
        let (books, now) = (&self.reference.books, self.reference.now);
        let named = key.map(key_of);
        let (said, due) = match recorded {
            Recorded::Document { name, bytes } => {
                let (name, body) = (name.to_string(), bytes.map(|bytes| &FILLER[..bytes]));
                let said = self.engine().put_document(put(&name, body, named));
                (said, books.decide_document(&put(&name, body, told), now, &Bounds::NONE))
            }
            Recorded::Policy { account, policy } => {
                let set = SetPolicy::new(account, policy);
                let said = self.engine().set_policy(set.key(named));
                (said, books.decide_policy(&set.key(told), now, &Bounds::NONE))
            }
        };
        let said = said.and_then(|ticket| ticket.wait());
        let said = said.map(Said::from).map_err(|error| error.kind());
        self.hear_due(due, told, &said, &recorded);
        self.asked.extend(key.map(|key| (Asked::Record(recorded), key)));
    }
}

fn put<'a>(name: &'a str, body: Option<&'a [u8]>, key: Option<IdempotencyKey>) -> PutDocument<'a> {
    let put = match body {
        Some(body) => PutDocument::new("catalogue", name, body),
        None => PutDocument::remove("catalogue", name),
    };
    put.key(key)
}
