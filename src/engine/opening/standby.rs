//! A ledger that follows somebody else's: loaded from a snapshot of theirs, and kept up with their
//! events, wherever those come from.

use crate::base::error::{Error, Result};
use crate::base::{Seq, TimeMs};
use crate::engine::files::generations::Generations;
use crate::engine::files::snapshot::Snapshot;
use crate::engine::time;
use crate::event;
use crate::journal::FoundJournal;
use crate::ledger::{Ledger, Limits, PART_COUNT, Replay, Shown};

/// What was read. Nothing is written yet.
pub(super) struct Recovered {
    pub(super) ledger: Ledger,
    pub(super) generations: Generations,
    pub(super) found: FoundJournal,
    /// The newest time that the files know.
    pub(super) floor_ms: TimeMs,
}

/// The ledger, of which nothing is decided here.
pub(crate) struct Standby {
    ledger: Ledger,
    /// By part of the snapshot, the last event that it showed.
    shown: Shown,
    /// The first event that is needed after the snapshot, and the last that it shows.
    from_seq: Seq,
    shown_seq: Seq,
    /// The newest time that is known.
    floor_ms: TimeMs,
}

impl Standby {
    /// An empty ledger within these limits.
    pub(crate) fn new(limits: Limits, now_ms: TimeMs) -> Self {
        let ledger = Ledger::new(limits, now_ms);
        Self { ledger, shown: [0; PART_COUNT], from_seq: 1, shown_seq: 0, floor_ms: 0 }
    }

    /// Loads a snapshot into the ledger, which is still empty.
    ///
    /// # Errors
    /// `Corrupt` when a part is malformed although its checksum is right.
    pub(crate) fn load(&mut self, snapshot: &Snapshot) -> Result<()> {
        let mut replay = Replay::new(&self.ledger);
        snapshot.load(&mut replay)?;
        self.shown = replay.shown();
        (self.from_seq, self.shown_seq) = (snapshot.from_seq, snapshot.last_seq);
        self.floor_ms = snapshot.at;
        Ok(())
    }

    /// The first event that is to be applied; 1 without a snapshot.
    pub(crate) fn needed_from(&self) -> Seq {
        self.from_seq
    }

    /// The last event that the snapshot showed; 0 without one. A journal that ends before it has
    /// lost what was acknowledged.
    pub(crate) fn shown_seq(&self) -> Seq {
        self.shown_seq
    }

    /// Lets `feed` give records in their order, from [`Standby::needed_from`] on at first and without a
    /// gap from then on. The ledger is locked meanwhile.
    ///
    /// # Errors
    /// Those of `feed`. What it is given refuses with `Corrupt` a record that is no event, or
    /// contradicts those before it.
    pub(crate) fn apply<T>(
        &mut self,
        feed: impl FnOnce(&mut dyn FnMut(Seq, u16, &[u8]) -> Result<()>) -> Result<T>,
    ) -> Result<T> {
        let Self { ledger, shown, floor_ms, .. } = self;
        let mut replay = Replay::going_on(ledger, *shown);
        feed(&mut |seq, kind, payload| {
            let event = event::decode(kind, payload)?;
            *floor_ms = time::floor_after(*floor_ms, &event);
            let applied = replay.apply(seq, &event);
            applied.map_err(|error| Error::corrupt(format!("record {seq}: {error}")))
        })
    }

    /// What tells the ledger from any other: see [`Ledger::digest`].
    #[cfg(any(all(test, not(stockhold_loom)), feature = "bin"))]
    pub(super) fn digest(&self) -> [u8; 32] {
        self.ledger.digest()
    }

    /// The ledger, for whoever may decide in it from now on: the journal that it was fed from is
    /// theirs.
    pub(super) fn promote(self, generations: Generations, found: FoundJournal) -> Recovered {
        let Self { ledger, floor_ms, .. } = self;
        Recovered { ledger, generations, found, floor_ms }
    }
}
