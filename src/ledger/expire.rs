//! Expiring reservations whose deadline has passed.

use super::Ledger;
use super::commit::commit;
use super::decide::give_back;
use super::shard::{LockedShards, Shards, bit, mask_of};
use crate::base::error::Result;
use crate::base::{Seq, ShardIndex, TimeMs};
use crate::event::{Event, Fact, Recorder};

impl Ledger {
    /// Expires at most `budget` reservations of one shard whose deadline has passed. Returns the
    /// last event with how many there were, and whether nothing more is due.
    pub(crate) fn expire(
        &self,
        shard: ShardIndex,
        now: TimeMs,
        budget: usize,
        recorder: &impl Recorder,
    ) -> Result<(Option<(Seq, usize)>, bool)> {
        let mut locked = LockedShards::lock(&self.shards, bit(shard));
        if locked.shard(shard).wheel.next_turn().is_none_or(|turn| turn > now) {
            return Ok((None, true));
        }
        recorder.admit()?;
        let mut due = Vec::with_capacity(budget);
        let home = locked.shard_mut(shard).expect("the shard is locked");
        let done = home.wheel.advance(now, budget, &mut due);
        let slots = due.iter().map(|(_, slot)| *slot);
        let pending = slots.clone().filter_map(|slot| home.reservations.at(slot));
        let mask = pending
            .map(|reservation| mask_of(&reservation.lines))
            .fold(0, |mask, lines| mask | lines);
        let kept = locked.extend(mask);
        debug_assert!(kept, "a reservation lives in the lowest shard it touches");
        let mut last: Option<(Seq, usize)> = None;
        for slot in slots {
            let Some(pending) = locked.shard(shard).reservations.at(slot) else {
                continue;
            };
            let fact = Fact::Expired(give_back(&locked, pending));
            let seq = commit(&mut locked, &Event { at: now, request: None, fact }, recorder);
            last = Some((seq, last.map_or(1, |(_, count)| count + 1)));
        }
        if let Some((_, count)) = last {
            locked.counts().expired += count as u64;
        }
        Ok((last, done))
    }
}
