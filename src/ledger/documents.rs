//! Documents beside the accounts: the catalogue and whatever else must survive with the ledger.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::commit::commit;
use super::idempotency::of_document;
use super::shard::{LockedShards, bit};
use super::{Ledger, PutDocument};
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::base::{Seq, TimeMs};
use crate::event::{Event, Fact, Recorder};

/// The longest name of a document or its collection, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Documents {
    bodies: BTreeMap<(String, String), Vec<u8>>,
}

impl Documents {
    pub(super) fn make_room(&self, collection: &str, key: &str, count_max: usize) -> Result<()> {
        let known = self.bodies.contains_key(&(collection.to_owned(), key.to_owned()));
        if known || self.bodies.len() < count_max {
            return Ok(());
        }
        Err(Error::overloaded(format!("there are {count_max} documents already")))
    }

    pub(super) fn put(&mut self, collection: &str, key: &str, body: Option<&[u8]>) {
        let name = (collection.to_owned(), key.to_owned());
        match body {
            Some(body) => self.bodies.insert(name, body.to_vec()),
            None => self.bodies.remove(&name),
        };
    }

    pub(super) fn get(&self, collection: &str, key: &str) -> Option<Vec<u8>> {
        self.bodies.get(&(collection.to_owned(), key.to_owned())).cloned()
    }

    #[cfg(feature = "server")]
    pub(super) fn count_of(&self, collection: &str) -> usize {
        self.range_of(collection).count()
    }

    pub(super) fn of(&self, collection: &str) -> Vec<(String, Vec<u8>)> {
        self.range_of(collection).map(|((_, key), body)| (key.clone(), body.clone())).collect()
    }

    fn range_of(&self, collection: &str) -> impl Iterator<Item = (&(String, String), &Vec<u8>)> {
        let from = (collection.to_owned(), String::new());
        self.bodies.range(from..).take_while(move |((name, _), _)| name == collection)
    }

    /// What they take.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> u64 {
        let texts = self.bodies.iter().map(|((collection, key), body)| {
            collection.capacity() + key.capacity() + body.capacity()
        });
        let count = self.bodies.len() as u64;
        texts.sum::<usize>() as u64 + count * size_of::<(String, String, Vec<u8>)>() as u64
    }

    pub(super) fn len(&self) -> usize {
        self.bodies.len()
    }

    pub(super) fn collections(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.bodies.keys().map(|(collection, _)| collection.clone()).collect();
        names.dedup();
        names
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str, &[u8])> {
        self.bodies.iter().map(|((collection, key), body)| (&**collection, &**key, &**body))
    }
}

impl Ledger {
    /// Writes a document, or removes it.
    ///
    /// # Errors
    /// `Overloaded` when there are too many, `Conflict` when the key was used for another request.
    pub(crate) fn put_document(
        &self,
        put: &PutDocument<'_>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Seq> {
        let keyed = of_document(put, &self.limits.keys, now);
        let mask = keyed
            .as_ref()
            .map_or(0, |keyed| bit(self.key_space.shard_of(keyed.request.key.number())));
        // Shards come before the documents.
        let mut locked = LockedShards::lock(&self.shards, mask);
        let mut documents = self.documents.lock();
        recorder.admit()?;
        if let Some(keyed) = &keyed
            && !flaw::is_made(Flaw::RecordsTwice)
            && let Some(first) = self.first_locked(&locked, keyed, now)?
        {
            first.answer.to_document()?;
            return Ok(first.seq);
        }
        let PutDocument { collection, name, body, .. } = *put;
        documents.make_room(collection, name, self.limits.documents_max)?;
        let request = self.admit(keyed, 1, now)?;
        let fact = Fact::Document {
            collection: collection.into(),
            key: name.into(),
            body: body.map(Cow::Borrowed),
        };
        let seq = commit(&mut locked, &Event { at: now, request, fact }, recorder);
        documents.put(collection, name, body);
        Ok(seq)
    }

    /// How many more documents there may be.
    #[cfg(feature = "server")]
    pub(crate) fn documents_room(&self) -> usize {
        self.limits.documents_max.saturating_sub(self.documents.lock().len())
    }

    /// One document, if there is one.
    pub(crate) fn document(&self, collection: &str, key: &str) -> Option<Vec<u8>> {
        self.documents.lock().get(collection, key)
    }

    /// How many documents a collection has.
    #[cfg(feature = "server")]
    pub(crate) fn documents_count(&self, collection: &str) -> usize {
        self.documents.lock().count_of(collection)
    }

    /// The documents of a collection, by key.
    pub(crate) fn documents(&self, collection: &str) -> Vec<(String, Vec<u8>)> {
        self.documents.lock().of(collection)
    }

    /// The names of the collections that documents are in.
    pub(crate) fn collections(&self) -> Vec<String> {
        self.documents.lock().collections()
    }
}
