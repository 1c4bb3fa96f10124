//! The journal as the ledger sees it.

use crate::base::Seq;
use crate::base::error::Result;
use crate::event::{self, Event, Recorder};
use crate::journal::Journal;

/// Takes down what the ledger decides.
pub(super) struct JournalRecorder<'a>(pub(super) &'a Journal);

impl Recorder for JournalRecorder<'_> {
    fn admit(&self) -> Result<()> {
        self.0.admit()
    }

    fn record(&self, event: &Event<'_>) -> Seq {
        self.0.append(event::kind_of(event), |buffer| event::encode(event, buffer))
    }

    fn last_seq(&self) -> Seq {
        self.0.last_seq()
    }
}
