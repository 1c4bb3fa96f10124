//! Claims: named followers for whom the journal keeps what they have not seen, also while they are
//! away.

use std::sync::Arc;

use crate::base::Seq;
use crate::base::error::{Error, Result};
use crate::base::handle;
use crate::engine::core::Core;
use crate::engine::files::claims::{self, CLAIMS_MAX, Record};
use crate::vfs::directory::random;

/// The claim of a named follower: the journal keeps what the follower has not seen, across restarts
/// and whether the follower runs or not, until [`Claim::give_up`].
///
/// What a claim holds stays in whole segments, outside the archive. A follower bounds it by looking
/// at [`Claim::held_bytes`]; one that gave its claim up may still find what it misses in the
/// archive.
pub struct Claim {
    core: Arc<Core>,
    name: String,
    id: u128,
}

handle!(Claim, this { name: this.name });

impl Claim {
    pub(in crate::engine) fn new(core: &Arc<Core>, name: &str) -> Result<Self> {
        claims::check_name(name)?;
        let mut claims = core.claims.lock();
        let record = match claims.get(name) {
            Some(record) => *record,
            None if claims.len() >= CLAIMS_MAX => {
                return Err(Error::overloaded(format!("there are {CLAIMS_MAX} claims already")));
            }
            None => {
                let record = Record { id: random()?, from_seq: None };
                let files = &core.files;
                let _hold = files.directory.hold()?;
                claims::write(&*files.vfs, &files.directory, name, record)?;
                claims.insert(name.to_owned(), record);
                record
            }
        };
        Ok(Self { core: Arc::clone(core), name: name.to_owned(), id: record.id })
    }

    /// A random number made with the claim: it tells this ledger's follower from another ledger's.
    pub fn id(&self) -> u128 {
        self.id
    }

    /// The first event that is held; `None` when nothing is.
    pub fn from_seq(&self) -> Option<Seq> {
        self.core.claims.lock().get(&self.name).and_then(|record| record.from_seq)
    }

    /// Holds the events from `from_seq` on, and lets go of those before. Durable when it returns.
    ///
    /// # Errors
    /// `Invalid` when events before `from_seq` are yet to become durable: nobody can have seen
    /// those. `Unavailable` when the disk fails, `Closed`; the claim is then as it was.
    pub fn hold_from(&self, from_seq: Seq) -> Result<()> {
        let durable_seq = self.core.journal.durable_seq();
        if from_seq > durable_seq + 1 {
            let what = format!(
                "a claim on events from {from_seq} on, when the last durable one is {durable_seq}"
            );
            return Err(Error::invalid(what));
        }
        self.change(Some(from_seq.max(1)))
    }

    /// Holds nothing any more. Durable when it returns; the claim keeps its [`Claim::id`].
    ///
    /// # Errors
    /// As [`Claim::hold_from`].
    pub fn give_up(&self) -> Result<()> {
        self.change(None)
    }

    /// How much of the journal is kept from the claim's first event on, in bytes of sealed
    /// segments.
    pub fn held_bytes(&self) -> u64 {
        self.from_seq().map_or(0, |from_seq| self.core.journal.sealed_bytes_from(from_seq))
    }

    fn change(&self, from_seq: Option<Seq>) -> Result<()> {
        let mut claims = self.core.claims.lock();
        let files = &self.core.files;
        let _hold = files.directory.hold()?;
        let record = Record { id: self.id, from_seq };
        if claims.get(&self.name) == Some(&record) {
            return Ok(());
        }
        // First the file: a crash must not find a claim on events that were let go.
        claims::write(&*files.vfs, &files.directory, &self.name, record)?;
        claims::pin(&self.core.journal, &self.name, record);
        claims.insert(self.name.clone(), record);
        Ok(())
    }
}
