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
        let receive = async {
            let account = self.place_to_fill(place).await?;
            let receive = Receive::new(account, quantity).note(note).key(key);
            Ok(self.durable(self.engine().receive(receive)?).await?.available)
        };
        self.once(key, available, receive).await
    }

    /// Corrects what is available by so many units; returns what is then.
    pub(crate) async fn adjust(
        &self,
        place: Place<'_>,
        delta: i64,
        note: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<i64, Failure> {
        let adjust = async {
            let adjust = Adjust::new(self.place(place)?, delta).note(note).key(key);
            let outcome = self.durable(self.engine().adjust(adjust)?).await?;
            changed(outcome, |refusal| short(delta.unsigned_abs(), refusal))
        };
        self.once(key, available, adjust).await
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
        let count = async {
            let account = self.place_to_fill(place).await?;
            let adjust = Adjust::counted(account, counted).note(note).key(key);
            let outcome = self.durable(self.engine().adjust(adjust)?).await?;
            // What waiting orders hold must be there.
            let required = self.engine().level(account)?.reserved;
            changed(outcome, |Refusal { next_release_at, .. }| {
                Failure::OutOfStock(Shortage::of(required, counted, next_release_at))
            })
        };
        self.once(key, available, count).await
    }

    /// Takes units out for good; returns what is available then.
    pub(crate) async fn write_off(
        &self,
        place: Place<'_>,
        quantity: u64,
        note: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<i64, Failure> {
        let write_off = async {
            let write_off = WriteOff::new(self.place(place)?, quantity).note(note).key(key);
            let outcome = self.durable(self.engine().write_off(write_off)?).await?;
            changed(outcome, |refusal| short(quantity, refusal))
        };
        self.once(key, available, write_off).await
    }

    /// Moves units of a product from one place to another, in one step.
    pub(crate) async fn transfer(
        &self,
        (from, to): (Place<'_>, Place<'_>),
        quantity: u64,
        note: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<StockTransfer, Failure> {
        let transfer = async {
            let (from, to) = (self.place(from)?, self.place_to_fill(to).await?);
            let transfer = Transfer::new(from, to, quantity).note(note).key(key);
            match self.durable(self.engine().transfer(transfer)?).await? {
                TransferOutcome::Transferred(moved) => Ok(moved.into()),
                TransferOutcome::Refused(refusal) => Err(short(quantity, refusal)),
            }
        };
        self.once(key, transferred, transfer).await
    }

    /// What the first try of a request with this key was told, whatever has become of the product
    /// since; or what comes of it now.
    async fn once<T>(
        &self,
        key: Option<IdempotencyKey>,
        told: fn(FirstAnswer) -> Option<T>,
        act: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let first = match key.map_or(Ok(None), |key| self.engine().first_answer(key))? {
            Some(ticket) => told(self.durable(ticket).await?),
            None => None,
        };
        match first {
            Some(first) => Ok(first),
            None => act.await,
        }
    }
}

/// What an account had available when it was changed.
fn available(first: FirstAnswer) -> Option<i64> {
    match first {
        FirstAnswer::Changed(changed) => Some(changed.available),
        _ => None,
    }
}

fn transferred(first: FirstAnswer) -> Option<StockTransfer> {
    match first {
        FirstAnswer::Transferred(moved) => Some(moved.into()),
        _ => None,
    }
}

fn changed(
    outcome: ChangeOutcome,
    refused: impl FnOnce(Refusal) -> Failure,
) -> Result<i64, Failure> {
    match outcome {
        ChangeOutcome::Changed(changed) => Ok(changed.available),
        ChangeOutcome::Refused(refusal) => Err(refused(refusal)),
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
