//! The thread that carries durable events from the journal into the store.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use crossbeam_utils::sync::{Parker, Unparker};

use super::progress::End;
use super::shortage::Shortage;
use super::writer;
use crate::base::error::{Error, Result};
use crate::base::flaw::{self, Flaw};
use crate::base::waiters::Slot;
use crate::engine::core::Core;
use crate::engine::deferred::Unseen;
use crate::engine::deferred::decide;
use crate::event;
use crate::history::Store;
use crate::journal::Reader;

pub(in crate::engine) const HISTORY_THREAD: &str = "stockhold-history";
/// How much of the journal is projected at once, in bytes.
const READ_BYTES: usize = 256 << 10;
/// How long events gather before they are projected, unless a reader asks for them.
const GATHER: Duration = Duration::from_millis(2);
/// How long to wait when no file can be opened because too many are.
const DESCRIPTOR_PAUSE: Duration = Duration::from_millis(100);
/// How long to wait for room in memory before it is looked for again.
const ROOM_PAUSE: Duration = Duration::from_millis(500);

struct Unpark(Unparker);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Follows the journal until the engine stops or the store fails. A store that failed is set aside
/// at the next open; stock is never in danger.
pub(in crate::engine) fn run(core: &Arc<Core>, parker: &Parker) {
    if core.history.store.is_off() {
        return;
    }
    let progress = &core.history.progress;
    progress.is_made_by(parker.unparker().clone());
    // Waiting callers must learn of a panic, too.
    let followed = catch_unwind(AssertUnwindSafe(|| match open(core)? {
        Some(store) => Follower::new(core, store, parker)?.follow(),
        None => Ok(()),
    }));
    let end = match &followed {
        Ok(Ok(())) => End::Closed,
        Ok(Err(error)) => End::Failed(format!("history no longer follows the journal: {error}")),
        Err(_) => {
            End::Failed("history no longer follows the journal: its thread panicked".to_owned())
        }
    };
    if let End::Failed(why) = &end {
        tracing::error!(why, "history ended");
    }
    progress.end(end);
    decide::end(core);
    if let Err(payload) = followed {
        resume_unwind(payload);
    }
}

/// Opens history where the engine was opened before it.
fn open(core: &Core) -> Result<Option<&Store>> {
    let is_late = core.history.store.get().is_none();
    let store = core.history.store.open(&core.ledger)?;
    if let Some(store) = store.filter(|_| is_late) {
        core.journal.set_pin("store", writer::needed_from(store.watermark()));
        core.history.progress.advance(store.projected());
    }
    Ok(store)
}

/// What the thread does next.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Lets reads see more of the journal, and decides what waited for that.
    Carry,
    /// Sleeps until there is more to carry.
    Rest,
    /// Waits until there is room in memory.
    AwaitRoom,
    /// Lets a lack of descriptors pass.
    Pause,
    End,
}

struct Follower<'a> {
    core: &'a Core,
    store: &'a Store,
    parker: &'a Parker,
    waker: Waker,
    reader: Reader,
    unseen: Unseen,
    shortage: Shortage,
}

impl<'a> Follower<'a> {
    fn new(core: &'a Core, store: &'a Store, parker: &'a Parker) -> Result<Self> {
        Ok(Self {
            core,
            store,
            parker,
            waker: Waker::from(Arc::new(Unpark(parker.unparker().clone()))),
            reader: core.journal.reader(store.projected() + 1)?,
            unseen: Unseen::default(),
            shortage: Shortage::default(),
        })
    }

    fn follow(mut self) -> Result<()> {
        let mut step = Step::Carry;
        loop {
            // Before anything is carried: what was decided before the stop is.
            let is_stopping = self.core.is_stopped();
            self.core.history.writer.check()?;
            step = match step {
                Step::Carry => match self.carry()? {
                    Some(count) => self.after_carrying(count, is_stopping),
                    None => Step::Pause,
                },
                Step::Rest => {
                    self.rest();
                    Step::Carry
                }
                Step::AwaitRoom => {
                    self.parker.park_timeout(ROOM_PAUSE);
                    Step::Carry
                }
                // The journal has it all; a close does not wait for descriptors.
                Step::Pause if is_stopping => Step::End,
                Step::Pause => {
                    self.parker.park_timeout(DESCRIPTOR_PAUSE);
                    Step::Carry
                }
                Step::End => return writer::write_the_rest(self.core, self.store),
            };
        }
    }

    /// What follows when `count` events were carried and requests decided.
    fn after_carrying(&self, count: usize, is_stopping: bool) -> Step {
        self.core.history.writer.tell(self.core.history.is_much(self.store));
        if count > 0 {
            Step::Carry
        } else if is_stopping {
            Step::End
        } else if self.is_full() {
            Step::AwaitRoom
        } else {
            Step::Rest
        }
    }

    /// Lets reads see more of the journal, unless history has as much in memory as it may, and
    /// decides what waited for that. Answers how much that was; `None` while files cannot be opened.
    fn carry(&mut self) -> Result<Option<usize>> {
        let mut count = 0;
        if !self.is_full() {
            let projected = self.project().or_else(|error| self.begin_after_damage(error));
            let projected = self.shortage.passing(projected)?;
            self.core.history.progress.advance(self.store.projected());
            match projected {
                Some(projected) => count = projected,
                None => return Ok(None),
            }
        }
        count += decide::decide(self.core, self.store, &mut self.unseen);
        Ok(Some(count))
    }

    /// Makes the next events visible, until history has as much in memory as it may.
    fn project(&mut self) -> Result<usize> {
        if flaw::is_made(Flaw::DiesInHistory) {
            panic!("a mistake made on purpose");
        }
        let (store, memory_max) = (self.store, self.core.history.memory_max);
        let (mut count, mut full) = (0, false);
        let projected = self.reader.next_batch(READ_BYTES, &mut |seq, kind, payload| {
            full = store.memtable_bytes() >= memory_max;
            if full {
                // Ends the batch; the next one begins with this event.
                return Err(Error::overloaded("history has as much in memory as it may"));
            }
            store.project(seq, &event::decode(kind, payload)?)?;
            count += 1;
            Ok(())
        });
        if let Some((seq, mark)) = self.reader.marked() {
            store.mark(seq, mark);
        }
        if full { Ok(count) } else { projected }
    }

    /// Whether projecting waits for sled, and reads of the newest are late.
    fn is_full(&self) -> bool {
        self.core.history.is_full(self.store)
    }

    /// Lets history begin after a file of the archive that is damaged: what can be read from there
    /// on is whole, and it would otherwise wait for ever for what cannot. An error of another kind
    /// stays one. Answers that there is more to do.
    fn begin_after_damage(&mut self, error: Error) -> Result<usize> {
        let Some(last_seq) = self.reader.damaged_through() else {
            return Err(error);
        };
        tracing::error!(
            %error,
            lost_through = last_seq,
            "history begins after a damaged file of the archive: reservations that ended before are unknown. Put the file \
             back from a copy and run `stockhold rebuild` to have them again"
        );
        let levels = self.core.ledger.levels();
        let quotas = levels.iter().filter(|level| !level.key.kind().has_history());
        self.store.begin_anew_after(last_seq, quotas.map(|level| level.account))?;
        self.reader = self.core.journal.reader(last_seq + 1)?;
        Ok(1)
    }

    /// Sleeps until there is something to follow, and then a little longer, so that one round
    /// carries many events.
    fn rest(&self) {
        let core = self.core;
        let next = self.store.projected() + 1;
        let mut slot = Slot::default();
        let arrived = core.journal.poll_on_thread(next, &mut slot, &self.waker);
        if arrived.is_pending() && !core.is_stopped() && core.history.writer.check().is_ok() {
            self.parker.park();
        }
        core.journal.forget(&mut slot);
        if !core.history.is_awaited() && !core.is_stopped() {
            self.parker.park_timeout(GATHER);
        }
    }
}
