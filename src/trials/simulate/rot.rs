//! Bits that flip at rest, on a copy of the files: harmless, the end of a journal whose last write
//! looks torn, or a refusal that names the place. Never another state, never a panic.

use std::path::{Path, PathBuf};

use super::recovery::DIR;
use super::world::{Slot, World};
use crate::base::Seq;
use crate::base::error::ErrorKind;
use crate::engine::Engine;
use crate::trials::oracle::Books;
use crate::trials::oracle::{Checked, agree, hold};
use crate::vfs::crash::{Chance, CrashVfs};

impl World<'_> {
    /// Flips a bit of a copy, opens that, and looks at what it shows.
    pub(super) fn rot(&mut self, pick: u64) -> Checked {
        let copy = self.vfs.duplicate();
        let mut chance = Chance::new(pick);
        let Some((path, bit)) = choose(&copy, &mut chance) else {
            return Ok(());
        };
        copy.flip(&path, bit);
        let what = || format!("bit {bit} of {} flipped", path.display());
        let verdict = match self.builder_on(&copy, pick).open() {
            Ok(engine) => self.check_copy(&engine).map_err(|why| format!("{}: {why}", what()))?,
            Err(error) => {
                let told = error.to_string();
                let names =
                    told.contains(DIR) && (told.contains("at offset") || told.contains("record"));
                hold(error.kind() == ErrorKind::Corrupt && names, || {
                    format!("{}: {told}", what())
                })?;
                "refused"
            }
        };
        let kind =
            path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        self.counts.add("rot", format!("{verdict}, {}", kind.unwrap_or_default()));
        Ok(())
    }

    fn check_copy(&self, engine: &Engine) -> Checked<&'static str> {
        let (last, durable) = (engine.durable_seq(), self.audited.seq);
        // What the last write but one made durable, later ones vouch for.
        let vouched = self.durables[self.durables.len() - 2].min(durable);
        hold(last >= vouched, || {
            format!("{last} is the last event, though {vouched} and more are durable")
        })?;
        let mut books = Books::default();
        for slot in self.log.iter().take(last as usize) {
            match slot {
                Slot::Known(event) => books.enter(event)?,
                // Not read back yet, so its place is not known.
                Slot::Lapsed(..) | Slot::Mending(..) => return Ok("open, not compared"),
            }
        }
        for level in engine.levels() {
            let account = books
                .accounts
                .get(&level.account)
                .ok_or_else(|| format!("{} is unknown", level.key))?;
            let is = (level.available, level.reserved, level.consumed);
            let should = (account.available, account.reserved, account.consumed);
            agree(&level.key, &is, &should)?;
        }
        agree("pending reservations", &engine.pending_count(), &books.pending.len())?;
        self.read_copy(engine, last)?;
        Ok(if last < durable { "torn tail" } else { "harmless" })
    }

    /// What can be read of the journal and the archive is what was decided.
    fn read_copy(&self, engine: &Engine, last: Seq) -> Checked {
        let oldest = engine.status().oldest_seq;
        let mut events = engine.subscribe(oldest).map_err(|error| error.to_string())?;
        for seq in oldest..=last {
            match events.try_next() {
                Ok(Some((read, event))) => {
                    agree("the number of an event", &read, &seq)?;
                    if let Some(Slot::Known(should)) = self.log.get(seq as usize - 1) {
                        agree(format!("event {seq}"), &event, should)?;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(()),
                other => return Err(format!("event {seq} reads as {other:?}")),
            }
        }
        Ok(())
    }
}

/// A bit of some file: mostly one that means something.
fn choose(vfs: &CrashVfs, chance: &mut Chance) -> Option<(PathBuf, usize)> {
    let files = vfs.files();
    let (path, length) = files.get(chance.below(files.len().max(1)))?;
    let bytes = vfs.bytes(path).unwrap_or_default();
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(*length, |last| last + 1);
    let end = if chance.below(8) == 0 { *length } else { used };
    (end > 0).then(|| (path.clone(), chance.below(end * 8)))
}
