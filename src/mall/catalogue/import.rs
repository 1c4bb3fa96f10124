//! Many documents at once: all of them are looked at before any is written, and the shelf is made
//! anew once.

use std::collections::HashMap;
use std::sync::Arc;

use super::categories::Categories;
use super::kind::Kind;
use super::shelf::{Change, Shelf};
use super::staged::{aside, put_all, write_all};
use super::{Catalogue, kept_as};
use crate::base::error::{Error, Result};
use crate::engine::Engine;
use crate::mall::facts::Pending;
use crate::mall::facts::document::Kept;
use crate::mall::model::{Category, Product, Violation};

/// What a line of a file holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry {
    Category(Category),
    Product(Product),
}

/// An import.
#[derive(Debug)]
pub(crate) struct Import<'a> {
    /// Each with the number of its line.
    pub(crate) entries: Vec<(u64, Entry)>,
    /// Whether others were refused before.
    pub(crate) is_refused: bool,
    /// Who imports.
    pub(crate) by: &'a str,
    /// Write what is good, whatever else there is. Otherwise one that is refused refuses all.
    pub(crate) keep_going: bool,
    /// Look at everything, and write nothing.
    pub(crate) dry_run: bool,
}

/// A line that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) line: u64,
    pub(crate) why: Violation,
}

/// What became of an import.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Imported {
    /// Written, or what would be.
    pub(crate) written: usize,
    /// There is just this already.
    pub(crate) unchanged: usize,
    /// By their lines.
    pub(crate) refused: Vec<Refused>,
}

type Ready<T> = (Kept<T>, Vec<u8>);

/// What is looked at so far.
struct Draft<'a> {
    engine: &'a Engine,
    shelf: Arc<Shelf>,
    by: &'a str,
    /// Those of before, and of the file.
    categories: Categories,
    /// Where the file has a document.
    lines: HashMap<(&'static str, String), u64>,
    unchanged: usize,
    /// How many are new.
    added: usize,
    refused: Vec<Refused>,
}

impl Draft<'_> {
    /// Looks at one line: what is to be written, if anything is.
    fn look<T: Kind>(&mut self, line: u64, content: T) -> Option<Ready<T>> {
        match self.ready(line, content) {
            Ok(Some(ready)) => return Some(ready),
            Ok(None) => self.unchanged += 1,
            Err(why) => self.refused.push(Refused { line, why }),
        }
        None
    }

    fn ready<T: Kind>(&mut self, line: u64, content: T) -> Result<Option<Ready<T>>, Violation> {
        content.check()?;
        let name = (T::COLLECTION, content.id().to_owned());
        if let Some(first) = self.lines.get(&name) {
            return Err(Violation::new("$.id", format!("it is that of line {first}")));
        }
        let before = T::shown(&self.shelf, content.id()).map(|shown| T::found(shown).content);
        let content = content.after(before, self.engine.now_ms()).fit(&self.categories)?;
        self.lines.insert(name, line);
        if before == Some(&content) {
            return Ok(None);
        }
        self.added += usize::from(before.is_none());
        let ready = kept_as(content, self.engine, Some(self.by));
        ready.map(Some).map_err(|error| Violation::new("$", error.to_string()))
    }
}

impl Catalogue {
    /// Imports documents. `progress` is told how many of how many are written.
    ///
    /// Unless it is told to keep going, it is all or nothing also when the process is killed: the next
    /// start finishes it, or has nothing of it.
    pub(in crate::mall) fn import(
        &self,
        engine: &Engine,
        import: Import<'_>,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Imported> {
        let _writing = self.writing.lock();
        let Import { entries, is_refused, by, keep_going, dry_run } = import;
        let shelf = self.shelf();
        let mut draft = Draft {
            engine,
            by,
            categories: (*shelf.categories).clone(),
            shelf,
            lines: HashMap::new(),
            unchanged: 0,
            added: 0,
            refused: Vec::new(),
        };
        let (categories, products) = looked_at(&mut draft, entries);
        let Draft { unchanged, added, mut refused, .. } = draft;
        let room = engine.documents_room();
        if added > room {
            let why = format!("{added} documents are new, and there is room for {room}");
            return Err(Error::overloaded(why));
        }
        refused.sort_by_key(|refused| refused.line);
        let written = categories.len() + products.len();
        let imported = Imported { written, unchanged, refused };
        let is_stopped = !keep_going && (is_refused || !imported.refused.is_empty());
        if dry_run || is_stopped || written == 0 {
            return Ok(if is_stopped { Imported { written: 0, ..imported } } else { imported });
        }
        let (mut changes, mut all) = (Vec::with_capacity(written), Vec::with_capacity(written));
        made(engine, categories, &mut changes, &mut all)?;
        made(engine, products, &mut changes, &mut all)?;
        if !keep_going {
            let room = room.saturating_sub(added);
            if aside(&all) > room {
                let why = format!(
                    "an import takes more documents for a while than there is room for: {room}"
                );
                return Err(Error::overloaded(why));
            }
        }
        let outcome = match keep_going {
            true => put_all(engine, &all, &mut progress),
            false => write_all(engine, &all, &mut progress),
        };
        // What failed is finished by the next start, where it was sealed; what is shown until then is
        // what is in the engine.
        if outcome.is_ok() {
            self.take(&changes);
        }
        outcome.map(|()| imported)
    }
}

/// What documents come to on the shelf, and what is written of them. A product's account is opened
/// before anything is written: where that fails, nothing is.
fn made<T: Kind>(
    engine: &Engine,
    ready: Vec<Ready<T>>,
    changes: &mut Vec<Change>,
    all: &mut Vec<Pending>,
) -> Result<()> {
    for (kept, body) in ready {
        let id = kept.content.id().to_owned();
        all.push(Pending { collection: T::COLLECTION.to_owned(), id, body });
        changes.push(T::change(engine, kept)?);
    }
    Ok(())
}

/// Everything to be written: whatever refers to something comes after it.
fn looked_at(
    draft: &mut Draft<'_>,
    entries: Vec<(u64, Entry)>,
) -> (Vec<Ready<Category>>, Vec<Ready<Product>>) {
    let (mut categories, mut products) = (Vec::new(), Vec::new());
    for (line, entry) in entries {
        match entry {
            Entry::Category(category) => categories.push((line, category)),
            Entry::Product(product) => products.push((line, product)),
        }
    }
    categories.sort_by_key(|(line, category)| (category.parent_id.is_some(), *line));
    let mut ready_categories = Vec::new();
    for (line, category) in categories {
        if let Some((kept, body)) = draft.look(line, category) {
            draft.categories.put(Arc::new(kept.clone()));
            ready_categories.push((kept, body));
        }
    }
    let products = products.into_iter().filter_map(|(line, it)| draft.look(line, it)).collect();
    (ready_categories, products)
}
