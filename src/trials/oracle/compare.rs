//! An engine beside its books.

use super::books::Books;
use super::check::{Checked, agree};
use crate::base::error::ErrorKind;
use crate::engine::Engine;

impl Books {
    /// Holds the engine's state to the books.
    ///
    /// # Errors
    /// What differs.
    pub fn compare(&self, engine: &Engine) -> Checked {
        let (books, now) = (self, engine.now_ms());
        let levels = engine.levels();
        agree("accounts", &levels.len(), &books.accounts.len())?;
        for level in levels {
            let account = books
                .accounts
                .get(&level.account)
                .ok_or_else(|| format!("{} is unknown", level.key))?;
            let is = (
                level.available,
                level.reserved,
                level.consumed,
                level.received,
                level.written_off,
            );
            let should = (
                account.available,
                account.reserved,
                account.consumed,
                account.received,
                account.written_off,
            );
            agree(
                format!("{} (available, reserved, consumed, received, written off)", level.key),
                &is,
                &should,
            )?;
            agree(format!("the rules of {}", level.key), &level.policy, &account.policy)?;
            agree(format!("whether {} is closed", level.key), &level.closed, &account.closed)?;
            if level.closed {
                let takeable = engine.takeable(level.account).map_err(|error| error.kind());
                agree("what is closed", &takeable, &Err(ErrorKind::NotFound))?;
                continue;
            }
            let line = engine.waiting(level.account).map_err(|error| error.to_string())?;
            agree(format!("who waits for {}", level.key), &line, &account.line)?;
            agree(format!("how many wait for {}", level.key), &level.waiting, &line.len())?;
            agree(
                format!("the number of {}", level.key),
                &books.keys.get(&level.key),
                &Some(&level.account),
            )?;
            let number = engine.account(&level.key);
            agree(format!("who is {}", level.key), &number, &Some(level.account))?;
            let takeable = engine.takeable(level.account).map_err(|error| error.to_string())?;
            agree(
                format!("what can be taken of {}", level.key),
                &takeable,
                &account.takeable(now),
            )?;
        }
        agree("pending reservations", &engine.pending_count(), &books.pending.len())?;
        for (id, held) in &books.pending {
            let pending = engine.pending(*id).ok_or_else(|| format!("{id} is not pending"))?;
            let is = (pending.owner, pending.lines, pending.expires_at);
            agree(
                format!("reservation {id}"),
                &is,
                &(held.owner, held.lines.clone(), held.expires_at),
            )?;
        }
        let documents =
            engine.documents("catalogue").into_iter().map(|(key, body)| (key, body.len()));
        let should = books.documents.iter().map(|((_, key), body)| (key.clone(), body.len()));
        agree("documents", &documents.collect::<Vec<_>>(), &should.collect::<Vec<_>>())
    }
}
