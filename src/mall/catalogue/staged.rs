//! An import that is all or nothing, also when the process is killed: what is to be written is written
//! aside first, sealed with one record, and then put where it belongs. Whoever opens the catalogue
//! next finishes what was sealed, and throws away what was not.

use crate::base::error::Result;
use crate::engine::{Engine, Ticket};
use crate::ledger::PutDocument;
use crate::mall::facts::{IMPORTS, Pending, SEAL, sealed};
use crate::mall::facts::{pieces, seal};

/// How many bytes of documents may be on their way to the disk.
const WAITING_BYTES: usize = 1 << 20;

/// How many more documents there are while so many are written, besides these.
pub(super) fn aside(all: &[Pending]) -> usize {
    let bytes: usize = all.iter().map(|it| it.body.len() + it.id.len() + it.collection.len()).sum();
    (bytes + 12 * all.len()).div_ceil(crate::base::BODY_BYTES_MAX) + 1
}

/// Writes documents, all of them or, as long as this does not come to its seal, none. `progress` is
/// told how many of how many are where they belong.
///
/// # Errors
/// What the engine reports. What is sealed by then is finished by the next start.
pub(super) fn write_all(
    engine: &Engine,
    all: &[Pending],
    progress: &mut impl FnMut(u64, u64),
) -> Result<()> {
    if let Err(error) = stage(engine, all) {
        // Should this fail as well, the next start does it.
        let _ = clear(engine);
        return Err(error);
    }
    put_all(engine, all, progress)?;
    clear(engine)
}

fn stage(engine: &Engine, all: &[Pending]) -> Result<()> {
    let pieces = pieces(all);
    let mut writing = Writing::default();
    for (name, piece) in &pieces {
        writing.waits(piece.len(), engine.put_document(PutDocument::new(IMPORTS, name, piece))?)?;
    }
    // It is behind the pieces in the journal, and so durable after all of them.
    engine.put_document(PutDocument::new(IMPORTS, SEAL, &seal(pieces.len())))?.wait()
}

/// Puts documents where they belong. Room is not asked for: this was promised.
pub(super) fn put_all(
    engine: &Engine,
    all: &[Pending],
    progress: &mut impl FnMut(u64, u64),
) -> Result<()> {
    let mut writing = Writing::default();
    for (done, Pending { collection, id, body }) in (1..).zip(all) {
        let put = PutDocument::new(collection, id, body);
        writing.waits(body.len(), engine.put_promised(put)?)?;
        progress(done, all.len() as u64);
    }
    writing.wait()
}

/// Throws away what was written aside: the seal first, since without it the rest is nothing.
fn clear(engine: &Engine) -> Result<()> {
    let documents = engine.documents(IMPORTS);
    let names = documents.iter().map(|(name, _)| &**name);
    let (seals, pieces): (Vec<_>, Vec<_>) = names.partition(|name| *name == SEAL);
    let mut writing = Writing::default();
    for name in seals.into_iter().chain(pieces) {
        writing.waits(0, engine.put_document(PutDocument::remove(IMPORTS, name))?)?;
    }
    writing.wait()
}

/// Finishes an import that was sealed, and throws away one that was not.
///
/// # Errors
/// What the engine reports.
pub(super) fn finish(engine: &Engine) -> Result<()> {
    let documents = engine.documents(IMPORTS);
    if documents.is_empty() {
        return Ok(());
    }
    match sealed(&documents) {
        Ok(all) => {
            tracing::warn!(documents = all.len(), "an import was interrupted, and ends now");
            put_all(engine, &all, &mut |_, _| {})?;
            clear(engine)
        }
        // A later release may know better; it must not stop the start.
        Err(why) => {
            tracing::error!(cause = why, "an import that was interrupted cannot be read");
            Ok(())
        }
    }
}

/// Documents on their way to the disk.
#[derive(Default)]
struct Writing {
    /// In bytes.
    waiting: usize,
    last: Option<Ticket<()>>,
}

impl Writing {
    fn waits(&mut self, bytes: usize, ticket: Ticket<()>) -> Result<()> {
        self.last = Some(ticket);
        // What it takes besides its body.
        self.waiting += bytes + 64;
        if self.waiting >= WAITING_BYTES { self.wait() } else { Ok(()) }
    }

    fn wait(&mut self) -> Result<()> {
        self.waiting = 0;
        self.last.take().map_or(Ok(()), |ticket| ticket.wait())
    }
}
