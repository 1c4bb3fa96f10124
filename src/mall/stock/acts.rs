//! What operators do to stock. Each is one event, with its operator and reason, and with an
//! idempotency key happens once.

use super::Place;
use crate::base::IdempotencyKey;
use crate::ledger::{
    Adjust, ChangeOutcome, FirstAnswer, Receive, Refusal, Transfer, TransferOutcome, Transferred,
    WriteOff,
};
use crate::mall::{Failure, Mall, Shortage};

/// What is available after units were moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StockTransfer {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Mall {
    /// Adds units; returns what is available there then.
    pub(crate) async fn receive(
        &self,
        place: Place<'_>,
        quantity: u64,
        note: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<i64, Failure> {
        if let Some(available) = self.changed_before(key).await? {
            return Ok(available);
        }
        let account = self.place_to_fill(place).await?;
        let receive = Receive::new(account, quantity).note(note).key(key);
        Ok(self.durable(self.engine().receive(receive)?).await?.available)
    }

    /// Corrects what is available by so many units; returns what is then.
    pub(crate) async fn adjust(
        &self,
        place: Place<'_>,
        delta: i64,
        note: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<i64, Failure> {
        if let Some(available) = self.changed_before(key).await? {
            return Ok(available);
        }
        let adjust = Adjust::new(self.place(place)?, delta).note(note).key(key);
        match self.durable(self.engine().adjust(adjust)?).await? {
            ChangeOutcome::Changed(changed) => Ok(changed.available),
            ChangeOutcome::Refused(refusal) => Err(short(delta.unsigned_abs(), refusal)),
        }
    }

    /// Makes what can be bought, and what waiting orders hold, come to what was counted; returns
    /// what is available then. The ledger works out the difference as it makes it.
    pub(crate) async fn count(
        &self,
        place: Place<'_>,
        counted: u64,
        note: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<i64, Failure> {
        if let Some(available) = self.changed_before(key).await? {
            return Ok(available);
        }
        let account = self.place_to_fill(place).await?;
        let adjust = Adjust::counted(account, counted).note(note).key(key);
        match self.durable(self.engine().adjust(adjust)?).await? {
            ChangeOutcome::Changed(changed) => Ok(changed.available),
            // What waiting orders hold must be there.
            ChangeOutcome::Refused(Refusal { next_release_at, .. }) => {
                let required = self.engine().level(account)?.reserved;
                Err(Failure::OutOfStock(Shortage::of(required, counted, next_release_at)))
            }
        }
    }

    /// Takes units out for good; returns what is available then.
    pub(crate) async fn write_off(
        &self,
        place: Place<'_>,
        quantity: u64,
        note: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<i64, Failure> {
        if let Some(available) = self.changed_before(key).await? {
            return Ok(available);
        }
        let write_off = WriteOff::new(self.place(place)?, quantity).note(note).key(key);
        match self.durable(self.engine().write_off(write_off)?).await? {
            ChangeOutcome::Changed(changed) => Ok(changed.available),
            ChangeOutcome::Refused(refusal) => Err(short(quantity, refusal)),
        }
    }

    /// Moves units of a product from one place to another, in one step.
    pub(crate) async fn transfer(
        &self,
        (from, to): (Place<'_>, Place<'_>),
        quantity: u64,
        note: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<StockTransfer, Failure> {
        if let Some(moved) = self.transferred_before(key).await? {
            return Ok(moved);
        }
        let (from, to) = (self.place(from)?, self.place_to_fill(to).await?);
        let transfer = Transfer::new(from, to, quantity).note(note).key(key);
        match self.durable(self.engine().transfer(transfer)?).await? {
            TransferOutcome::Transferred(moved) => Ok(moved.into()),
            TransferOutcome::Refused(refusal) => Err(short(quantity, refusal)),
        }
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

    async fn transferred_before(
        &self,
        key: Option<IdempotencyKey>,
    ) -> Result<Option<StockTransfer>, Failure> {
        let Some(ticket) = key.map_or(Ok(None), |key| self.engine().first_answer(key))? else {
            return Ok(None);
        };
        match self.durable(ticket).await? {
            FirstAnswer::Transferred(moved) => Ok(Some(moved.into())),
            _ => Ok(None),
        }
    }
}

impl From<Transferred> for StockTransfer {
    fn from(moved: Transferred) -> Self {
        Self { from: moved.from.available, to: moved.to.available }
    }
}

fn short(required: u64, refusal: Refusal) -> Failure {
    let Refusal { available, next_release_at, .. } = refusal;
    Failure::OutOfStock(Shortage::of(required, available, next_release_at))
}
