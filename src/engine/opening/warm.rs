//! A ledger that follows a data directory which another process has open, ready to take it over: when
//! that one lets go, what is left to do is to read what it wrote last.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::history::When;
use super::open::{go_on, random};
use super::recover::check_shown;
use super::standby::Standby;
use crate::base::Seq;
use crate::base::error::{Error, ErrorKind, Result};
use crate::engine::files::generations::{newest, seen};
use crate::engine::files::{absolute, newer};
use crate::engine::handing_over::Left;
use crate::engine::{Engine, EngineBuilder};
use crate::journal::JournalTail;
use crate::vfs::directory::{self, Identity, Locked, identity_of};

/// How often files that the owner replaced meanwhile are looked for again.
const TRIES_MAX: usize = 10;

/// A ledger in memory, as far as the owner of the directory has written.
pub(crate) struct Warm {
    settings: EngineBuilder,
    dir: PathBuf,
    /// The opening that is followed.
    identity: Identity,
    standby: Standby,
    tail: JournalTail,
}

impl Warm {
    /// Reads the directory that `settings` names, without its lock and without changing anything.
    ///
    /// # Errors
    /// `NotFound` when it is no data directory that somebody opened, `Invalid` for a setting out of
    /// bounds, and those of an opening.
    pub(crate) fn read(mut settings: EngineBuilder) -> Result<Self> {
        settings.check()?;
        if settings.accept_loss || settings.journal.stepped.is_some() {
            return Err(Error::invalid("a directory that is in use is taken over as it is"));
        }
        settings.limits.keys.salt = random()?;
        let dir = absolute(&*settings.vfs, &settings.dir)?;
        newer::check(&*settings.vfs, &dir)?;
        let identity = identity_of(&*settings.vfs, &dir)?.ok_or_else(|| {
            Error::not_found(format!("{} is no data directory that is in use", dir.display()))
        })?;
        let mut tries = 0;
        let (standby, tail) = loop {
            tries += 1;
            match load(&settings, &dir) {
                // A snapshot was replaced, or a segment recycled, between two looks.
                Err(error) if tries < TRIES_MAX && is_fleeting(&error) => {}
                loaded => break loaded?,
            }
        };
        Ok(Self { settings, dir, identity, standby, tail })
    }

    /// Applies what the owner has written since; returns how many events that were.
    ///
    /// # Errors
    /// As [`Warm::read`]; the ledger is of no use then.
    pub(crate) fn follow(&mut self) -> Result<u64> {
        let tail = &mut self.tail;
        self.standby.apply(|apply| tail.follow(apply))
    }

    /// The last event that was applied.
    pub(crate) fn last_seq(&self) -> Seq {
        self.tail.last_seq()
    }

    /// Takes the lock of the directory.
    ///
    /// # Errors
    /// `AlreadyOpen` while its owner still has it, `Unavailable` when somebody else had it in between.
    pub(crate) fn lock(&self) -> Result<Locked> {
        let locked = directory::lock(&self.settings.vfs, &self.dir)?;
        if identity_of(&*self.settings.vfs, &self.dir)? == Some(self.identity) {
            return Ok(locked);
        }
        Err(Error::unavailable(format!(
            "{} is not the opening that was followed: somebody else opened it in between",
            self.dir.display()
        )))
    }

    /// Takes the directory over, which its owner has given up, and goes on as its engine, if `agrees`
    /// has nothing against what is there. History is opened by and by, once `may_open_history` returns.
    ///
    /// # Errors
    /// Those of `agrees`, and nothing is changed then; those of [`EngineBuilder::open`].
    pub(crate) fn take_over(
        self,
        locked: Locked,
        agrees: impl FnOnce(&Left) -> Result<()>,
        may_open_history: impl FnOnce() + Send + 'static,
    ) -> Result<Engine> {
        let Self { settings, dir, mut standby, mut tail, .. } = self;
        let generations = seen(&*settings.vfs, &dir)?;
        let config = settings.journal.clone();
        standby.apply(|apply| tail.follow(apply))?;
        let (last_seq, mark) = (tail.last_seq(), tail.mark());
        let found = standby.apply(|apply| tail.take_over(config, apply))?;
        check_shown(&dir, generations.newest(), found.last_seq())?;
        // Before anything is written, and before anything runs that changes the ledger.
        agrees(&Left { last_seq, mark, digest: Some(standby.digest()) })?;
        let recovered = standby.promote(generations, found);
        let when = When::After(Box::new(may_open_history));
        go_on(&settings, &dir, locked, recovered, when)
    }
}

fn load(settings: &EngineBuilder, dir: &Path) -> Result<(Standby, JournalTail)> {
    let mut standby = Standby::new(settings.limits, settings.clock.now_ms());
    if let Some(snapshot) = newest(&*settings.vfs, dir)? {
        standby.load(&snapshot)?;
    }
    let (from_seq, shown_seq) = (standby.needed_from(), standby.shown_seq());
    let vfs = Arc::clone(&settings.vfs);
    let tail = standby.apply(|apply| JournalTail::open(vfs, dir, from_seq, apply))?;
    check_shown(dir, shown_seq, tail.last_seq())?;
    Ok((standby, tail))
}

fn is_fleeting(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt)
}
