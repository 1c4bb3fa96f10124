//! The stock of products as operators read and change it.

mod acts;
mod filter;
mod place;
mod records;
mod source;

use std::sync::Arc;

pub(crate) use acts::StockTransfer;
pub(crate) use filter::RecordFilter;
pub(in crate::mall) use place::locations;
pub(crate) use place::{LOCATION_CHARS_MAX, Place, is_location};
pub(crate) use records::{StockRecord, StockRecords};

use super::{Failure, Item, Mall};
use crate::history::record::ChangeRecord;
use crate::ledger::Level;

/// The stock of a product.
pub(crate) struct Inventory {
    pub(crate) item: Arc<Item>,
    pub(crate) level: Level,
    /// What is elsewhere, location by location.
    pub(crate) locations: Vec<Level>,
    /// Newest first, of what sells.
    pub(crate) changes: Vec<ChangeRecord>,
}

impl Mall {
    /// A product's stock with its newest changes; it shows everything acknowledged before the call.
    pub(crate) async fn inventory(
        &self,
        product_id: &str,
        limit: usize,
    ) -> Result<Inventory, Failure> {
        let item = self.any_item(product_id)?;
        self.check_alive()?;
        self.caught_up().await?;
        let (engine, stock) = (self.engine().clone(), item.stock);
        let changes = self.read(move || engine.history().changes_of(stock, None, limit)).await?;
        let level = self.engine().level(item.stock)?;
        let locations = locations(self.engine(), product_id);
        Ok(Inventory { item, level, locations, changes })
    }

    /// A product with its stock as the ledger has it now.
    pub(crate) fn product(&self, product_id: &str) -> Result<(Arc<Item>, Level), Failure> {
        let item = self.shelf().item(product_id).cloned().ok_or(Failure::ProductNotFound)?;
        let level = self.engine().level(item.stock)?;
        Ok((item, level))
    }

    /// Operators also reach products that are not for sale.
    pub(super) fn any_item(&self, product_id: &str) -> Result<Arc<Item>, Failure> {
        self.shelf().any_item(product_id).cloned().ok_or(Failure::ProductNotFound)
    }
}
