//! Loading a snapshot's parts, and replaying the events that they do not show.

use super::read::{read_account, read_bytes, read_key, read_old_key, read_reservation, read_str};
use super::{Layout, PART_COUNT};
use crate::base::bytes::Reader;
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::base::{AccountId, SHARD_COUNT, Seq, ShardIndex};
use crate::event::{Event, Fact};
use crate::ledger::Ledger;
use crate::ledger::apply::apply;
use crate::ledger::idempotency::KeyTable;
use crate::ledger::reservations::Reservation;
use crate::ledger::shard::{LockedShards, Shard, Shards};

/// By part of a snapshot: the last event that it shows.
pub(crate) type Shown = [Seq; PART_COUNT];

/// A ledger in recovery: snapshot parts first, then the events they do not show.
pub(crate) struct Replay<'a> {
    ledger: &'a Ledger,
    locked: LockedShards<'a>,
    shown: Shown,
    /// The event being applied.
    seq: Seq,
}

impl<'a> Replay<'a> {
    /// Takes every lock of the ledger for as long as it lives.
    pub(crate) fn new(ledger: &'a Ledger) -> Self {
        Self::going_on(ledger, [0; PART_COUNT])
    }

    /// Goes on with a ledger that an earlier replay left, whose parts showed so much: see
    /// [`Replay::shown`].
    pub(crate) fn going_on(ledger: &'a Ledger, shown: Shown) -> Self {
        let all = u64::MAX >> (u64::BITS as usize - SHARD_COUNT);
        let locked = LockedShards::lock(&ledger.shards, all);
        Self { ledger, locked, shown, seq: 0 }
    }

    /// What the parts that were loaded show.
    pub(crate) fn shown(&self) -> Shown {
        self.shown
    }

    /// Loads a part into the still empty ledger.
    ///
    /// # Errors
    /// `Corrupt` when the bytes are not a part.
    pub(crate) fn load(
        &mut self,
        layout: Layout,
        part: usize,
        shown: Seq,
        bytes: &[u8],
    ) -> Result<()> {
        let mut reader = Reader::new(bytes);
        let loaded = match part {
            SHARD_COUNT => self.load_documents(&mut reader),
            _ => self.load_shard(layout, part, &mut reader),
        };
        if loaded.is_none() || !reader.rest().is_empty() {
            return Err(Error::corrupt(format!("part {part} of the snapshot is malformed")));
        }
        self.shown[part] = shown;
        Ok(())
    }

    fn load_documents(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let mut documents = self.ledger.documents.lock();
        while !reader.rest().is_empty() {
            let (collection, key) = (read_str(reader)?, read_str(reader)?);
            documents.put(collection, key, Some(read_bytes(reader)?));
        }
        Some(())
    }

    fn load_shard(
        &mut self,
        layout: Layout,
        index: ShardIndex,
        reader: &mut Reader<'_>,
    ) -> Option<()> {
        let shard = self.locked.shard_mut(index)?;
        let directory = self.ledger.directory.pin();
        for at in 0..reader.u64()? {
            let account = read_account(layout, reader)?;
            shard.waiting += account.waiting();
            if !account.is_closed {
                directory.insert(account.key.clone(), AccountId::new(index, at as usize));
            }
            shard.open_account(account);
        }
        shard.reservations.set_numbered(reader.u64()?);
        let count = reader.u64()?;
        // Each takes 21 bytes at least, so a false count cannot ask for more memory than the file
        // is long.
        shard.reservations.reserve_capacity((count as usize).min(reader.rest().len() / 21));
        for _ in 0..count {
            let reservation = read_reservation(reader)?;
            let slot = shard.reservations.next_slot();
            let timer = shard.wheel.insert(reservation.expires_at, slot);
            shard.reservations.insert(Reservation { timer, ..reservation });
        }
        for _ in 0..reader.u64()? {
            let answer = if layout.version < 2 {
                read_old_key(reader, layout.taken_at)?
            } else {
                read_key(reader)?
            };
            if !flaw::is_made(Flaw::ForgetsAnswers) {
                self.locked.keys_mut(answer.number).put(answer);
            }
        }
        Some(())
    }

    /// Applies the next event of the journal.
    ///
    /// # Errors
    /// `Corrupt` when it contradicts the ledger.
    pub(crate) fn apply(&mut self, seq: Seq, event: &Event<'_>) -> Result<()> {
        self.seq = seq;
        apply(self, seq, event)?;
        match &event.fact {
            Fact::AccountOpened { account, key, .. } => {
                self.ledger.directory.pin().insert(key.clone(), *account);
            }
            Fact::AccountClosed { account, key } => self.ledger.forget_key(key, *account),
            Fact::Document { collection, key, body } if self.shown[SHARD_COUNT] < seq => {
                self.ledger.documents.lock().put(collection, key, body.as_deref());
            }
            Fact::Document { .. }
            | Fact::PolicyChanged { .. }
            | Fact::Received { .. }
            | Fact::Adjusted { .. }
            | Fact::WrittenOff { .. }
            | Fact::Renewed { .. }
            | Fact::Reserved { .. }
            | Fact::Confirmed(_)
            | Fact::Released(_)
            | Fact::Expired(_)
            | Fact::Returned { .. }
            | Fact::Noted { .. }
            | Fact::ClockMended { .. }
            | Fact::Transferred { .. }
            | Fact::Extended { .. }
            | Fact::Revived { .. }
            | Fact::Queued { .. }
            | Fact::Dequeued { .. }
            | Fact::Answered { .. }
            // None of several that happen together opens or closes an account.
            | Fact::Atomic(_) => {}
        }
        Ok(())
    }
}

impl Shards for Replay<'_> {
    fn shard_mut(&mut self, index: ShardIndex) -> Option<&mut Shard> {
        if self.shown[index] >= self.seq {
            return None;
        }
        self.locked.shard_mut(index)
    }

    fn keys_mut(&mut self, number: u128) -> &mut KeyTable {
        self.locked.keys_mut(number)
    }
}
