//! Many documents at once: all of them are looked at before any is written, and the shelf is made
//! anew once.

use std::collections::HashMap;
use std::sync::Arc;

use super::categories::Categories;
use super::kind::Kind;
use super::shelf::{Change, Shelf};
use super::{Catalogue, kept_as};
use crate::base::error::{Error, Result};
use crate::engine::{Engine, Ticket};
use crate::ledger::PutDocument;
use crate::mall::facts::document::Kept;
use crate::mall::model::{Category, Product, Violation};

/// How many bytes of documents may be on their way to the disk.
const WAITING_BYTES: usize = 1 << 20;

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
    /// A crash in the middle keeps what was written until then; importing again writes the rest.
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
        if dry_run || is_stopped {
            return Ok(if is_stopped { Imported { written: 0, ..imported } } else { imported });
        }
        let mut changes = Vec::with_capacity(written);
        let mut writing =
            Writing { engine, total: written as u64, done: 0, waiting: 0, last: None };
        let outcome = writing
            .write(categories, &mut changes, &mut progress)
            .and_then(|()| writing.write(products, &mut changes, &mut progress))
            .and_then(|()| writing.wait());
        self.take(&changes);
        outcome.map(|()| imported)
    }
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

/// Documents on their way to the disk.
struct Writing<'a> {
    engine: &'a Engine,
    total: u64,
    done: u64,
    /// In bytes.
    waiting: usize,
    last: Option<Ticket<()>>,
}

impl Writing<'_> {
    fn write<T: Kind>(
        &mut self,
        all: Vec<Ready<T>>,
        changes: &mut Vec<Change>,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<()> {
        for (kept, body) in all {
            let put = PutDocument::new(T::COLLECTION, kept.content.id(), &body);
            self.last = Some(self.engine.put_document(put)?);
            self.waiting += body.len();
            changes.push(T::change(self.engine, kept)?);
            self.done += 1;
            progress(self.done, self.total);
            if self.waiting >= WAITING_BYTES {
                self.wait()?;
            }
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<()> {
        self.waiting = 0;
        self.last.take().map_or(Ok(()), |ticket| ticket.wait())
    }
}
