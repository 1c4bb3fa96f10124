//! The list of products: filters, order and pages as the mall's document has them.

use std::cmp::Reverse;
use std::sync::Arc;

use super::{Item, Mall, Shelf};
use crate::command::Level;
use crate::error::Result;

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
    /// Page `page` (from 1) of the products that `filter` finds: by sort order, sales as of a second ago at most, then
    /// newest.
    pub(crate) fn products(&self, filter: &Filter, page: usize, page_size: usize) -> Result<ListingPage> {
        let shelf = self.shelf();
        shelf.refresh_sales(self.engine(), self.now_ms())?;
        let found = select(&shelf, filter);
        let total = found.len();
        let start = (page - 1).saturating_mul(page_size);
        let items = found
            .into_iter()
            .skip(start)
            .take(page_size)
            .map(|item| Ok((item.clone(), self.engine().level(item.stock)?)))
            .collect::<Result<_>>()?;
        Ok(ListingPage { items, total })
    }
}

fn select<'a>(shelf: &'a Shelf, filter: &Filter) -> Vec<&'a Arc<Item>> {
    let keyword = filter.keyword.as_ref().map(|keyword| keyword.to_lowercase());
    let mut found: Vec<(_, &Arc<Item>)> = shelf
        .items
        .iter()
        .filter(|item| item.product.active && matches(shelf, item, filter, keyword.as_deref()))
        // The key is taken once: sales move while we sort, and an order must not change under the sort.
        .map(|item| ((Reverse(item.product.sort_order), Reverse(item.sales()), Reverse(item.product.created_at)), item))
        .collect();
    found.sort_by(|(a, left), (b, right)| a.cmp(b).then_with(|| left.product.id.cmp(&right.product.id)));
    found.into_iter().map(|(_, item)| item).collect()
}

fn matches(shelf: &Shelf, item: &Item, filter: &Filter, keyword: Option<&str>) -> bool {
    let product = &item.product;
    let in_category = match &filter.category_id {
        None => true,
        Some(id) if filter.include_children => shelf.is_within(&product.category_id, id),
        Some(id) => product.category_id == *id,
    };
    let has_keyword = keyword.is_none_or(|keyword| {
        product.name.to_lowercase().contains(keyword) || product.description.to_lowercase().contains(keyword)
    });
    in_category
        && has_keyword
        && filter.points_min.is_none_or(|min| product.points_price >= min)
        && filter.points_max.is_none_or(|max| product.points_price <= max)
        && filter.is_hot.is_none_or(|hot| product.is_hot == hot)
        && filter.is_new.is_none_or(|new| product.is_new == new)
}
