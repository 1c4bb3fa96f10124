//! The list of products: filters, order and pages as the mall's document has them.

use std::collections::HashSet;
use std::sync::Arc;

use super::catalogue::{Row, hash};
use super::rank::{After, Order, Ranked};
use super::search::Keyword;
use super::{Item, Mall, Shelf};
use crate::base::error::{ErrorKind, Result};
use crate::engine::Engine;
use crate::ledger::Level;

/// So many products are looked through faster than the work is handed to another thread.
const SHORT_SHELF: usize = 200;

/// Which products to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) category_id: Option<String>,
    /// Whether categories below `category_id` count as well.
    pub(crate) include_children: bool,
    /// Found in the name or the description, in any case.
    pub(crate) keyword: Option<String>,
    pub(crate) points_min: Option<u64>,
    pub(crate) points_max: Option<u64>,
    pub(crate) is_hot: Option<bool>,
    pub(crate) is_new: Option<bool>,
    /// Whether it is for sale.
    pub(crate) is_active: Option<bool>,
    /// Whether one can be bought at this moment.
    pub(crate) is_in_stock: Option<bool>,
}

/// Which part of the list.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) place: Place,
    /// How many products, at least 1.
    pub(crate) size: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// The page with this number, from 1.
    Numbered { number: usize, order: Order },
    /// What comes after the page before: what moved meanwhile moves nothing else.
    After(After),
}

impl Place {
    fn order(&self) -> Order {
        match self {
            Self::Numbered { order, .. } => *order,
            Self::After(after) => after.order,
        }
    }
}

/// One page of the list.
pub(crate) struct ListingPage {
    /// The products with their stock as the ledger has it now.
    pub(crate) items: Vec<(Arc<Item>, Level)>,
    /// How many products the filter finds in all.
    pub(crate) total: usize,
    /// Where the next page goes on, unless this is the last.
    pub(crate) next: Option<After>,
}

impl Mall {
    /// Whether looking for this may take long enough to hold up others.
    pub(crate) fn is_long_search(&self, filter: &Filter) -> bool {
        filter.keyword.is_some() || self.shelf().len() > SHORT_SHELF
    }

    /// A page of the products that `filter` finds, ordered by sales as of a second ago at most.
    pub(crate) fn products(&self, filter: &Filter, page: &Page) -> Result<ListingPage> {
        let (shelf, engine) = (self.shelf(), self.engine());
        self.refresh_sales(&shelf)?;
        let order = page.place.order();
        let mut found = select(&shelf, engine, filter, order)?;
        let total = found.len();
        let start = match &page.place {
            Place::Numbered { number, .. } => (number - 1).saturating_mul(page.size),
            Place::After(after) => {
                found.retain(|ranked| ranked.is_after(after));
                0
            }
        };
        let shown = sorted(&mut found, start, page.size);
        let is_last = start.saturating_add(page.size) >= found.len();
        let (shown, compared) = (&found[shown], Ranked::compare);
        debug_assert!(shown.is_sorted_by(|a, b| compared(a, b).is_lt()), "a page is in its order");
        let next = shown.last().filter(|_| !is_last).map(|last| last.place(order));
        let level = |ranked: &Ranked<'_>| {
            let item = &ranked.row.item;
            Ok((Arc::clone(item), engine.level(item.stock)?))
        };
        let items = shown.iter().map(level).collect::<Result<_>>()?;
        Ok(ListingPage { items, total, next })
    }
}

/// Brings those of a page to their places, and no others.
fn sorted(found: &mut [Ranked<'_>], start: usize, size: usize) -> std::ops::Range<usize> {
    let start = start.min(found.len());
    let end = start.saturating_add(size).min(found.len());
    if start == end {
        return start..end;
    }
    if end < found.len() {
        found.select_nth_unstable_by(end, Ranked::compare);
    }
    if start > 0 {
        found[..end].select_nth_unstable_by(start, Ranked::compare);
    }
    found[start..end].sort_unstable_by(Ranked::compare);
    start..end
}

/// What a filter names, looked up once for all products.
struct Wanted<'a> {
    filter: &'a Filter,
    /// With their hashes; `None` for any category.
    categories: Option<HashSet<(&'a str, u64)>>,
}

/// The products that `filter` finds, in no order yet.
fn select<'a>(
    shelf: &'a Shelf,
    engine: &Engine,
    filter: &Filter,
    order: Order,
) -> Result<Vec<Ranked<'a>>> {
    let categories = filter.category_id.as_deref();
    let categories = categories.map(|id| categories_of(shelf, id, filter.include_children));
    let wanted = Wanted { filter, categories };
    let mut found = Vec::new();
    let mut look = |row: &'a Row| {
        if wanted.has(row) {
            found.push(Ranked::new(order, row));
        }
    };
    match filter.keyword.as_deref().and_then(Keyword::new) {
        Some(keyword) => shelf.find(&keyword, look),
        None => shelf.rows().for_each(&mut look),
    }
    if let Some(is_in_stock) = filter.is_in_stock {
        let mut failed = None;
        found.retain(|ranked| match engine.takeable(ranked.row.stock) {
            Ok(takeable) => (takeable > 0) == is_in_stock,
            // It is removed from the catalogue at this moment.
            Err(error) if error.kind() == ErrorKind::NotFound => !is_in_stock,
            Err(error) => {
                failed = Some(error);
                false
            }
        });
        failed.map_or(Ok(()), Err)?;
    }
    Ok(found)
}

/// The category `root`, and those below it.
fn categories_of<'a>(
    shelf: &'a Shelf,
    root: &'a str,
    include_children: bool,
) -> HashSet<(&'a str, u64)> {
    let all = shelf.categories.iter().map(|category| category.content.id.as_str());
    let below = all.filter(|id| include_children && shelf.categories.is_within(id, root));
    below.chain([root]).map(|id| (id, hash(id))).collect()
}

impl Wanted<'_> {
    fn has(&self, row: &Row) -> bool {
        let filter = self.filter;
        filter.is_active.is_none_or(|active| row.is_active == active)
            && filter.points_min.is_none_or(|min| row.price >= min)
            && filter.points_max.is_none_or(|max| row.price <= max)
            && filter.is_hot.is_none_or(|hot| row.is_hot == hot)
            && filter.is_new.is_none_or(|new| row.is_new == new)
            && self.categories.as_ref().is_none_or(|categories| {
                categories.iter().any(|&(category, hash)| row.is_in(category, hash))
            })
    }
}
