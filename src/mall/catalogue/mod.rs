//! Categories and products: JSON documents in the engine, and a parsed copy that readers share.

mod categories;
mod import;
mod item;
mod kind;
mod part;
mod shelf;
mod staged;

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard, RwLock};

use super::Failure;
use super::facts::document::{self, Kept, Stamp, Tag};
use super::model::Violation;
use crate::base::error::{Error, Result};
use crate::base::{BODY_BYTES_MAX, IdempotencyKey};
use crate::engine::Engine;
use crate::ledger::{FirstAnswer, PutDocument};

pub(crate) use import::{Entry, Import, Imported, Refused};
pub(crate) use item::Item;
pub(crate) use kind::Kind;
pub(in crate::mall) use part::{Row, hash};
use shelf::{Change, read_shelf};
pub(crate) use shelf::{Shelf, UNREADABLE_MAX, Unreadable};

/// Which writing of a document an editor has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Whichever there is.
    Any,
    /// One of these.
    OneOf(Vec<Tag>),
}

impl Seen {
    pub(in crate::mall) fn has(&self, tag: Tag) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(tags) => tags.contains(&tag),
        }
    }
}

/// Who changes a document, and what the request is called.
#[derive(Clone, Debug)]
pub(crate) struct Editor {
    pub(crate) name: String,
    pub(crate) key: Option<IdempotencyKey>,
}

impl Editor {
    /// Whether its request was carried out before. What was answered then is not kept: who asks again
    /// is told how things are.
    ///
    /// # Errors
    /// `Conflict` when the key was another request's.
    pub(in crate::mall) fn has_acted(&self, engine: &Engine) -> Result<bool> {
        let first = self.key.map_or(Ok(None), |key| engine.first_answer(key))?;
        match first.map(|ticket| ticket.wait()).transpose()? {
            None => Ok(false),
            Some(FirstAnswer::DocumentPut) => Ok(true),
            Some(_) => Err(Error::conflict("the key was used for something else")),
        }
    }
}

/// The parsed copy of the catalogue, replaced as a whole.
pub(in crate::mall) struct Catalogue {
    shelf: RwLock<Arc<Shelf>>,
    /// Held while a document is checked, written, and put on the shelf: one change at a time, and
    /// two that are sound one by one cannot make nonsense together.
    writing: Mutex<()>,
}

impl Catalogue {
    /// Reads the catalogue; before that, an import that was interrupted is finished or taken back.
    pub(in crate::mall) fn load(engine: &Engine) -> Result<Self> {
        staged::finish(engine)?;
        Ok(Self { shelf: RwLock::new(Arc::new(read_shelf(engine)?)), writing: Mutex::new(()) })
    }

    pub(in crate::mall) fn shelf(&self) -> Arc<Shelf> {
        self.shelf.read().clone()
    }

    /// Runs something while the catalogue stays as it is: changes wait.
    pub(in crate::mall) fn with_shelf<T>(&self, act: impl FnOnce(&Shelf) -> T) -> T {
        act(&self.shelf.read())
    }

    /// Runs something while no document is written or removed. It waits for the disk.
    pub(in crate::mall) fn while_still<T>(&self, act: impl FnOnce(&Shelf) -> T) -> T {
        let _writing = self.writing.lock();
        act(&self.shelf())
    }

    /// Creates or replaces a document, whatever there was.
    pub(in crate::mall) fn put<T: Kind>(&self, engine: &Engine, content: &T) -> Result<()> {
        let mut writing = self.writing.lock();
        let shelf = self.shelf();
        let content = content.clone().fit(&shelf.categories)?;
        content.check()?;
        self.write(&mut writing, engine, content, None)
    }

    /// Creates a document. Who creates again just what there is, hears of it as at first: a retry
    /// is no conflict.
    pub(in crate::mall) fn create<T: Kind>(
        &self,
        engine: &Engine,
        content: T,
        editor: &Editor,
    ) -> Result<Arc<T::Shown>, Failure> {
        content.check().map_err(Error::from)?;
        let mut writing = self.writing.lock();
        let (shelf, id) = (self.shelf(), content.id().to_owned());
        if editor.has_acted(engine)? {
            return self.now_shown::<T>(&id);
        }
        if let Some(shown) = T::shown(&shelf, &id) {
            let found = T::found(shown);
            let same = content.after(Some(found.content), 0).fit(&shelf.categories);
            let is_retry = same.is_ok_and(|same| is_by(&found, &same, &editor.name));
            return if is_retry { Ok(Arc::clone(shown)) } else { Err(Failure::Exists) };
        }
        let content = content.after(None, engine.now_ms()).fit(&shelf.categories);
        self.write(&mut writing, engine, content.map_err(Error::from)?, Some(editor))?;
        self.now_shown::<T>(&id)
    }

    /// Makes another document of one, for an editor who has seen it as it is. What changes nothing
    /// writes nothing; and who has written just this before, and did not hear of it, is told so.
    pub(in crate::mall) fn change<T: Kind>(
        &self,
        engine: &Engine,
        id: &str,
        seen: &Seen,
        editor: &Editor,
        make: impl FnOnce(&T) -> Result<T, Violation>,
    ) -> Result<Arc<T::Shown>, Failure> {
        let mut writing = self.writing.lock();
        let shelf = self.shelf();
        if editor.has_acted(engine)? {
            return self.now_shown::<T>(id);
        }
        let shown = T::shown(&shelf, id).ok_or_else(T::missing)?;
        let found = T::found(shown);
        let made = make(found.content).and_then(|made| {
            let made = made.after(Some(found.content), 0);
            made.check().and_then(|()| made.fit(&shelf.categories))
        });
        // What is wrong in itself goes before what was not seen: RFC 9110, 13.2.1.
        let made = made.map_err(Error::from)?;
        if !seen.has(found.tag) {
            let is_retry = is_by(&found, &made, &editor.name);
            return if is_retry { Ok(Arc::clone(shown)) } else { Err(Failure::Changed) };
        }
        if made == *found.content {
            return Ok(Arc::clone(shown));
        }
        self.write(&mut writing, engine, made, Some(editor))?;
        self.now_shown::<T>(id)
    }

    /// Removes a document that nothing refers to. One that cannot be read can be removed as well,
    /// by who has not seen it.
    pub(in crate::mall) fn remove<T: Kind>(
        &self,
        engine: &Engine,
        id: &str,
        seen: &Seen,
        editor: &Editor,
    ) -> Result<(), Failure> {
        let _writing = self.writing.lock();
        let shelf = self.shelf();
        if editor.has_acted(engine)? {
            return Ok(());
        }
        match T::shown(&shelf, id) {
            Some(shown) => {
                let found = T::found(shown);
                if !seen.has(found.tag) {
                    return Err(Failure::Changed);
                }
                T::let_go(&shelf, engine, shown)?;
                // A removal has no words: who removed it is in the document before it. It is not
                // awaited, since the removal is behind it in the journal.
                let (_, body) =
                    kept_as(found.content.clone().with_active(false), engine, Some(&editor.name))?;
                drop(engine.put_document(PutDocument::new(T::COLLECTION, id, &body))?);
            }
            None if shelf.has_unreadable(T::COLLECTION, id) => {
                if *seen != Seen::Any {
                    return Err(Failure::Changed);
                }
            }
            None => return Err(T::missing()),
        }
        let removal = PutDocument { key: editor.key, ..PutDocument::remove(T::COLLECTION, id) };
        engine.put_document(removal)?.wait()?;
        self.take(&[T::removal(id.to_owned())]);
        Ok(())
    }

    /// Writes a document and takes the new copy into use once it is durable.
    fn write<T: Kind>(
        &self,
        _writing: &mut MutexGuard<'_, ()>,
        engine: &Engine,
        content: T,
        editor: Option<&Editor>,
    ) -> Result<()> {
        let (kept, body) = kept_as(content, engine, editor.map(|editor| &*editor.name))?;
        let put = PutDocument::new(T::COLLECTION, kept.content.id(), &body);
        let key = editor.and_then(|editor| editor.key);
        engine.put_document(PutDocument { key, ..put })?.wait()?;
        self.take(&[T::change(engine, kept)?]);
        Ok(())
    }

    /// Only whoever holds `writing` calls it.
    fn take(&self, changes: &[Change]) {
        let next = self.shelf().with(changes);
        *self.shelf.write() = Arc::new(next);
    }

    fn now_shown<T: Kind>(&self, id: &str) -> Result<Arc<T::Shown>, Failure> {
        T::shown(&self.shelf(), id).cloned().ok_or_else(T::missing)
    }
}

/// Whether an operator wrote just this.
fn is_by<T: Kind>(found: &kind::Found<'_, T>, content: &T, by: &str) -> bool {
    found.content == content && found.stamp.updated_by.as_deref() == Some(by)
}

/// A document as it is written now.
fn kept_as<T: Kind>(content: T, engine: &Engine, by: Option<&str>) -> Result<(Kept<T>, Vec<u8>)> {
    let updated_by = by.map(str::to_owned);
    let (kept, body) =
        document::written(content, Stamp { updated_at: Some(engine.now_ms()), updated_by })?;
    if body.len() > BODY_BYTES_MAX {
        let why = format!("a document has at most {BODY_BYTES_MAX} bytes as it is kept");
        return Err(Violation::new("$", why).into());
    }
    Ok((kept, body))
}

#[cfg(test)]
pub(in crate::mall) mod tests;
