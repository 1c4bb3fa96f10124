//! The list of products: filters, order and pages as the mall's document has them.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Item, Mall, Shelf};
use crate::base::error::Result;
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
}

/// One page of the list.
pub(crate) struct ListingPage {
    /// The products with their stock as the ledger has it now.
    pub(crate) items: Vec<(Arc<Item>, Level)>,
    /// How many products the filter finds in all.
    pub(crate) total: usize,
}

impl Mall {
    /// Whether looking for this may take long enough to hold up others.
    pub(crate) fn is_long_search(&self, filter: &Filter) -> bool {
        filter.keyword.is_some() || self.shelf().items.len() > SHORT_SHELF
    }

    /// Page `page` (from 1) of the products that `filter` finds: by sort order, sales as of a
    /// second ago at most, then newest.
    pub(crate) fn products(
        &self,
        filter: &Filter,
        page: usize,
        page_size: usize,
    ) -> Result<ListingPage> {
        let shelf = self.shelf();
        shelf.refresh_sales(self.engine(), self.now_ms())?;
        let start = (page - 1).saturating_mul(page_size);
        let (mut items, mut total) = (Vec::new(), 0);
        for item in select(&shelf, filter) {
            if (start..start.saturating_add(page_size)).contains(&total) {
                items.push((item.clone(), self.engine().level(item.stock)?));
            }
            total += 1;
        }
        Ok(ListingPage { items, total })
    }
}

/// What a filter names, looked up once for all products.
struct Wanted<'a> {
    filter: &'a Filter,
    /// `None` for any category.
    categories: Option<HashSet<&'a str>>,
    /// By the index of an item, whether it has the keyword; `None` without one.
    has_keyword: Option<Vec<bool>>,
}

/// The products that `filter` finds, in their order.
fn select<'a>(shelf: &'a Shelf, filter: &Filter) -> Vec<&'a Arc<Item>> {
    let wanted = Wanted {
        filter,
        categories: filter
            .category_id
            .as_deref()
            .map(|id| categories(shelf, id, filter.include_children)),
        has_keyword: filter.keyword.as_deref().map(|keyword| shelf.find(keyword)),
    };
    let ranking = shelf.ranking();
    let found = ranking.iter().filter(|&&index| wanted.has(index, &shelf.items[index]));
    found.map(|&index| &shelf.items[index]).collect()
}

/// The category `root`, and those below it.
fn categories<'a>(shelf: &'a Shelf, root: &'a str, include_children: bool) -> HashSet<&'a str> {
    let below = shelf.categories.iter().map(|category| category.id.as_str());
    let below = below.filter(|id| include_children && shelf.is_within(id, root));
    below.chain([root]).collect()
}

impl Wanted<'_> {
    fn has(&self, index: usize, item: &Item) -> bool {
        // First what needs no look at the product.
        if self.has_keyword.as_ref().is_some_and(|has_keyword| !has_keyword[index]) {
            return false;
        }
        let (filter, product) = (self.filter, &item.product);
        self.categories
            .as_ref()
            .is_none_or(|categories| categories.contains(product.category_id.as_str()))
            && filter.points_min.is_none_or(|min| product.points_price >= min)
            && filter.points_max.is_none_or(|max| product.points_price <= max)
            && filter.is_hot.is_none_or(|hot| product.is_hot == hot)
            && filter.is_new.is_none_or(|new| product.is_new == new)
    }
}
