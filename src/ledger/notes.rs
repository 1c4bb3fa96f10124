//! Notes on reservations.

use std::borrow::Cow;

use super::commit::commit;
use super::idempotency::of_note;
use super::shard::{LockedShards, bit};
use super::{Ledger, Noting};
use crate::base::error::Result;
use crate::base::{Seq, TimeMs};
use crate::event::{Event, Fact, Recorder};

impl Ledger {
    /// Records a note, in its place among the events. It changes no account; with a key, its answer
    /// is kept.
    ///
    /// # Errors
    /// `Conflict` when the key was used for another request.
    pub(crate) fn note(
        &self,
        note: &Noting<'_>,
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<Seq> {
        let fact = Fact::Noted { reservation: note.reservation, body: Cow::Borrowed(note.body) };
        let Some(keyed) = of_note(note, &self.limits.keys, now) else {
            recorder.admit()?;
            return Ok(recorder.record(&Event { at: now, request: None, fact }));
        };
        let key_shard = self.key_space.shard_of(keyed.request.key.number());
        let mut locked = LockedShards::lock(&self.shards, bit(key_shard));
        recorder.admit()?;
        if let Some(first) = self.first_locked(&locked, &keyed, now)? {
            return first.answer.to_note().map(|()| first.seq);
        }
        let request = self.admit(Some(keyed), 1, now)?;
        Ok(commit(&mut locked, &Event { at: now, request, fact }, recorder))
    }

    /// The event of a note with this key, while its answer is remembered.
    ///
    /// # Errors
    /// `Conflict` when the key was used for another request.
    pub(crate) fn noted_before(&self, note: &Noting<'_>, now: TimeMs) -> Result<Option<Seq>> {
        let Some(keyed) = of_note(note, &self.limits.keys, now) else {
            return Ok(None);
        };
        let key_shard = self.key_space.shard_of(keyed.request.key.number());
        let locked = LockedShards::lock(&self.shards, bit(key_shard));
        let first = self.first_locked(&locked, &keyed, now)?;
        first.map(|first| first.answer.to_note().map(|()| first.seq)).transpose()
    }
}
