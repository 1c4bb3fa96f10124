//! Following the events from outside.

use std::collections::VecDeque;
use std::sync::Arc;

use super::core::Core;
use crate::error::{ErrorKind, Result};
use crate::event::{self, Event};
use crate::journal::{Journal, Reader};
use crate::types::Seq;

/// How much is read ahead, in bytes of the journal.
const READ_BYTES: usize = 64 << 10;

/// The durable events from some place on, each once and in order. It reads the journal's files, so a slow or dead
/// subscriber costs the writer nothing; one that falls behind what is kept gets `NotFound`.
pub struct Subscription {
    journal: Arc<Journal>,
    reader: Reader,
    ahead: VecDeque<(Seq, Event<'static>)>,
}

impl Subscription {
    pub(super) fn new(core: &Core, from_seq: Seq) -> Result<Self> {
        let reader = core.journal.reader(from_seq)?;
        Ok(Self { journal: Arc::clone(&core.journal), reader, ahead: VecDeque::new() })
    }

    /// The next durable event, or `None` when there is none yet. Never waits for one.
    ///
    /// # Errors
    /// `NotFound` when the next event is no longer kept, `Corrupt` when it is damaged, `Unavailable` when it cannot be
    /// read.
    pub fn try_next(&mut self) -> Result<Option<(Seq, Event<'static>)>> {
        if self.ahead.is_empty() {
            let ahead = &mut self.ahead;
            self.reader.next_batch(READ_BYTES, &mut |seq, kind, payload| {
                ahead.push_back((seq, event::decode(kind, payload)?.into_owned()));
                Ok(())
            })?;
        }
        Ok(self.ahead.pop_front())
    }

    /// The next event, waiting for it; `None` once the engine is closed and everything was delivered.
    ///
    /// # Errors
    /// As [`Subscription::try_next`], and `Unavailable` when the journal failed.
    pub fn next_event(&mut self) -> Result<Option<(Seq, Event<'static>)>> {
        loop {
            if let Some(event) = self.try_next()? {
                return Ok(Some(event));
            }
            match self.journal.wait(self.reader.next_seq()) {
                Err(error) if error.kind() == ErrorKind::Closed => return self.try_next(),
                outcome => outcome?,
            }
        }
    }
}
