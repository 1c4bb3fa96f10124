//! Stock as operators change and read it.

use std::sync::Arc;

use super::{Failure, Item, Mall, Note, Shortage};
use crate::base::error::{Error, Result};
use crate::base::{AccountId, IdempotencyKey, QUANTITY_MAX};
use crate::history::record::ChangeRecord;
use crate::ledger::{Adjust, ChangeOutcome, FirstAnswer, Level, Receive};

/// How many characters the reason of a change may have.
const NOTE_CHARS_MAX: usize = 200;

/// The stock of a product.
pub(crate) struct Inventory {
    pub(crate) item: Arc<Item>,
    pub(crate) level: Level,
    /// Newest first.
    pub(crate) changes: Vec<ChangeRecord>,
}

impl Mall {
    /// Adds units to a product's stock; returns what is available then.
    pub(crate) async fn receive(
        &self,
        product_id: &str,
        quantity: u64,
        note: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<i64, Failure> {
        check(quantity, note)?;
        if let Some(available) = self.changed_before(key).await? {
            return Ok(available);
        }
        let account = self.stock(product_id)?;
        self.receive_into(Receive::new(account, quantity).note(note).key(key)).await
    }

    /// Corrects a product's stock after a count; returns what is available then.
    pub(crate) async fn adjust(
        &self,
        product_id: &str,
        delta: i64,
        note: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<i64, Failure> {
        check(delta.unsigned_abs(), note)?;
        if let Some(available) = self.changed_before(key).await? {
            return Ok(available);
        }
        let account = self.stock(product_id)?;
        let adjust = Adjust::new(account, delta).note(note).key(key);
        match self.durable(self.engine().adjust(adjust)?).await? {
            ChangeOutcome::Changed(changed) => Ok(changed.available),
            ChangeOutcome::Refused(refusal) => Err(Failure::OutOfStock(Shortage {
                required: delta.unsigned_abs(),
                available: refusal.available,
                next_release_at: refusal.next_release_at,
            })),
        }
    }

    async fn receive_into(&self, receive: Receive<'_>) -> Result<i64, Failure> {
        Ok(self.durable(self.engine().receive(receive)?).await?.available)
    }

    /// What the first try of a request with this key was told, whatever has become of the product
    /// since.
    async fn changed_before(&self, key: Option<IdempotencyKey>) -> Result<Option<i64>, Failure> {
        let Some(ticket) = key.map_or(Ok(None), |key| self.engine().first_answer(key))? else {
            return Ok(None);
        };
        match self.durable(ticket).await? {
            FirstAnswer::Changed(changed) => Ok(Some(changed.available)),
            _ => Ok(None),
        }
    }

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
        Ok(Inventory { item, level, changes })
    }

    /// A product with its stock as the ledger has it now.
    pub(crate) fn product(&self, product_id: &str) -> Result<(Arc<Item>, Level), Failure> {
        let item = self.shelf().item(product_id).cloned().ok_or(Failure::ProductNotFound)?;
        let level = self.engine().level(item.stock)?;
        Ok((item, level))
    }

    /// Operators also reach products that are not for sale.
    fn any_item(&self, product_id: &str) -> Result<Arc<Item>, Failure> {
        self.shelf().any_item(product_id).cloned().ok_or(Failure::ProductNotFound)
    }

    fn stock(&self, product_id: &str) -> Result<AccountId, Failure> {
        Ok(self.any_item(product_id)?.stock)
    }
}

fn check(quantity: u64, note: &str) -> Result<()> {
    if !(1..=QUANTITY_MAX).contains(&quantity) {
        return Err(Error::invalid(format!("a change is by 1 to {QUANTITY_MAX} units")));
    }
    if Note::read(note).reason.chars().count() > NOTE_CHARS_MAX {
        return Err(Error::invalid(format!("a reason has at most {NOTE_CHARS_MAX} characters")));
    }
    Ok(())
}
