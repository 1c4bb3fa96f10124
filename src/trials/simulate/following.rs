//! Subscribers: each sees every event once and in order, however far it lags, and whenever it or
//! the engine dies.

use super::follower::Follower;
use super::world::{Slot, World};
use crate::base::Seq;
use crate::base::error::ErrorKind;
use crate::trials::oracle::{Checked, agree, hold};

impl World<'_> {
    /// Lets a follower see at most this many events.
    pub(super) fn follow(&mut self, who: usize, events: usize) -> Checked {
        if !self.resume(who)? {
            return Ok(());
        }
        for _ in 0..events {
            let (durable, struck) = (self.engine()?.durable_seq(), self.vfs.struck().len());
            if self.audited.seq < durable && self.followers[who].next_seq > self.audited.seq {
                // What it would see was not read back yet: that failed, and is tried again after
                // this step.
                return Ok(());
            }
            let Follower { next_seq, subscription: Some(subscription) } = &mut self.followers[who]
            else {
                break;
            };
            match subscription.try_next() {
                Ok(Some((seq, event))) => {
                    agree("the event that a follower sees", &seq, next_seq)?;
                    let Some(Slot::Known(should)) = self.log.get(seq as usize - 1) else {
                        return Err(format!("a follower sees event {seq}, which nobody decided"));
                    };
                    agree(format!("event {seq} as a follower sees it"), &event, should)?;
                    *next_seq += 1;
                    self.counts.add("followers", "events seen");
                }
                Ok(None) => {
                    return hold(*next_seq > durable, || {
                        format!("a follower is not shown event {next_seq}")
                    });
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.followers[who].die();
                    self.resume(who)?;
                    return Ok(());
                }
                // What failed to be read is read at the next call.
                Err(_) if self.vfs.struck().len() > struck || self.vfs.is_off() => return Ok(()),
                Err(error) => {
                    return Err(format!("a follower cannot read event {next_seq}: {error}"));
                }
            }
        }
        Ok(())
    }

    /// Subscribes a follower where it was, or where the archive begins when that is later. False
    /// when it cannot be now.
    fn resume(&mut self, who: usize) -> Checked<bool> {
        let engine = self.engine()?;
        let follower = &mut self.followers[who];
        if follower.subscription.is_some() {
            return Ok(true);
        }
        self.counts.add("followers", "resumed");
        match engine.subscribe(follower.next_seq) {
            Ok(subscription) => {
                follower.subscription = Some(subscription);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let oldest = engine.status().oldest_seq;
                hold(oldest > follower.next_seq, || {
                    format!("event {} is kept, but gone: {error}", follower.next_seq)
                })?;
                follower.next_seq = oldest;
                self.counts.add("followers", "left behind");
                Ok(false)
            }
            Err(error) => {
                Err(format!("a follower cannot resume at event {}: {error}", follower.next_seq))
            }
        }
    }

    /// After a restart: nobody has seen what is not there.
    pub(super) fn check_followers(&mut self, last: Seq) -> Checked {
        for follower in &mut self.followers {
            follower.die();
            let seen = follower.next_seq - 1;
            hold(seen <= last, || {
                format!("a follower saw event {seen}, but after the crash {last} is the last")
            })?;
        }
        Ok(())
    }
}
