//! Opening, step by step: the lock, the newest snapshot and the journal after it, history and claims, and
//! the threads last.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::history::{self, Opened, When};
use super::recover::recover;
use super::standby::Recovered;
use super::{loss, threads};
use crate::base::error::{Error, Result};
use crate::base::sync::Mutex;
use crate::engine::core::Core;
use crate::engine::files::claims::{self, Claims};
use crate::engine::files::generations::{Checkpoints, Generations};
use crate::engine::files::{Files, absolute, newer};
use crate::engine::following::Following;
use crate::engine::following::progress::End;
use crate::engine::following::writer;
use crate::engine::life::Life;
use crate::engine::time::EngineTime;
use crate::engine::upkeep::room;
use crate::engine::upkeep::space::Space;
use crate::engine::{Engine, EngineBuilder, Running};
use crate::journal::Journal;
use crate::vfs;
use crate::vfs::directory::{self, Locked};

impl EngineBuilder {
    /// Opens the ledger, creating the directory when it is missing.
    ///
    /// # Errors
    /// `AlreadyOpen` when somebody has the directory, `Unavailable` when the disk fails or a newer
    /// version of this crate wrote a file that this one does not know, which is named, `Corrupt`
    /// naming file and offset when the files hold what no crash explains, or acknowledged events
    /// are missing, `Invalid` for a setting out of bounds.
    pub fn open(self) -> Result<Engine> {
        open(self)
    }
}

fn open(mut settings: EngineBuilder) -> Result<Engine> {
    settings.check()?;
    settings.limits.keys.salt = settings.journal.stepped.map_or_else(random, Ok)?;
    let (dir, locked) = lock(&settings)?;
    let recovered = recover(&settings, &dir)?;
    go_on(&settings, &dir, locked, recovered, When::Now)
}

/// Goes on where the files end: everything was read, and the directory is locked.
///
/// # Errors
/// As [`EngineBuilder::open`].
pub(super) fn go_on(
    settings: &EngineBuilder,
    dir: &Path,
    locked: Locked,
    recovered: Recovered,
    when: When,
) -> Result<Engine> {
    let Recovered { ledger, generations, found, floor_ms } = recovered;
    // Everything was read and nothing is written yet. What else locks a part of the directory,
    // as history does, comes before the journal: a segment that is begun ends the one that
    // another process may still write.
    let directory = Arc::new(locked.begin(settings.journal.stepped)?);
    claims::check_end(&*settings.vfs, &directory, found.last_seq())?;
    let history = history::open(settings, dir, found.records(), &ledger, when)?;
    let claims = claims::restore(&*settings.vfs, &directory)?;
    let journal = found.start(Some(Arc::clone(&directory)))?;
    pin(&journal, &history, &claims, &generations);
    let (store, why_none) = history.into_place();
    let time = EngineTime::new(Arc::clone(&settings.clock), floor_ms, settings.clock_trust_ms);
    let core = Arc::new(Core {
        history: Following::new(
            store,
            &journal,
            settings.history_flush_rows,
            settings.history_memory_max,
        ),
        checkpoints: Checkpoints::new(generations, settings.checkpoint_events, time.now_ms()),
        ledger,
        journal,
        time,
        files: Files { vfs: Arc::clone(&settings.vfs), directory },
        claims: Mutex::new(claims),
        space: Space::new(settings.low_space_mark, settings.history_bytes_max),
        life: Life::default(),
        sync_limit: settings.journal.sync_limit,
    });
    let close_limit = settings.journal.stepped.is_none().then_some(settings.close_limit);
    let running = Running::new(&core, close_limit);
    if let Some(why) = why_none {
        core.history.progress.end(End::Failed(why));
    }
    room::measure(&core);
    room::look(&core);
    threads::start_all(&running, settings)?;
    Ok(Engine(Arc::new(running)))
}

/// A number that no outsider knows.
///
/// # Errors
/// `Unavailable` when the system has none.
pub(super) fn random() -> Result<u64> {
    getrandom::u64().map_err(|cause| Error::unavailable(format!("no random number: {cause}")))
}

/// Takes the directory, and sets aside what was accepted to be lost.
fn lock(settings: &EngineBuilder) -> Result<(PathBuf, Locked)> {
    let vfs = &settings.vfs;
    // The process may go elsewhere while the engine is open.
    let dir = absolute(&**vfs, &settings.dir)?;
    vfs::create_dir_all(&**vfs, &dir)
        .map_err(|error| Error::io(format_args!("creating {}", dir.display()), error))?;
    let locked = directory::lock(vfs, &dir)?;
    newer::check(&**vfs, &dir)?;
    if settings.accept_loss && vfs::holds_dir(&**vfs, &dir.join("journal")) {
        loss::accept(vfs, &dir)?;
    }
    Ok((dir, locked))
}

/// Lets the journal keep what each of its followers needs.
fn pin(journal: &Journal, history: &Opened, claims: &Claims, generations: &Generations) {
    // The journal lets go of what is below every pin. Until each follower has set its own, this
    // one keeps all.
    journal.set_pin("opening", 1);
    match history {
        Opened::Here(store) => {
            journal.set_pin("store", writer::needed_from(store.watermark()));
        }
        // All of it, until history opens again.
        Opened::NoRoom(_) | Opened::Later(_) => journal.set_pin("store", 1),
        Opened::Off => {}
    }
    claims::pin_all(claims, journal);
    journal.set_pin("checkpoint", generations.needed_from());
    journal.clear_pin("opening");
}
