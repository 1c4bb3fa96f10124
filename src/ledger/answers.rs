//! Answers that somebody gives in the engine's place.

use std::borrow::Cow;

use super::Ledger;
use super::commit::commit;
use super::idempotency::{KeyRecord, of_answer};
use super::shard::{LockedShards, bit};
use crate::base::error::{Error, Result};
use crate::base::{BODY_BYTES_MAX, IdempotencyKey, Seq, TimeMs};
use crate::event::{Event, Fact, Recorder};

impl Ledger {
    /// Keeps what a request with this key is told, unless something is kept: what is, and the event
    /// that makes it durable.
    ///
    /// # Errors
    /// `Invalid` when it is too long, `Conflict` when the key was used for another request, or what
    /// the recorder says.
    pub(crate) fn keep_answer(
        &self,
        key: IdempotencyKey,
        answer: &[u8],
        now: TimeMs,
        recorder: &impl Recorder,
    ) -> Result<(Box<[u8]>, Seq)> {
        if answer.len() > BODY_BYTES_MAX {
            return Err(Error::invalid(format!("an answer has at most {BODY_BYTES_MAX} bytes")));
        }
        let keyed = of_answer(key, &self.limits.keys, now);
        let mut locked =
            LockedShards::lock(&self.shards, bit(self.key_space.shard_of(key.number())));
        recorder.admit()?;
        if let Some(first) = self.first_locked(&locked, &keyed, now)? {
            return Ok((first.answer.into_answer()?, first.seq));
        }
        let request = self.admit(Some(keyed), KeyRecord::weight_of_answer(answer.len()), now)?;
        let fact = Fact::Answered { answer: Cow::Borrowed(answer) };
        let seq = commit(&mut locked, &Event { at: now, request, fact }, recorder);
        Ok((answer.into(), seq))
    }
}
