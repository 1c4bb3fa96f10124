//! Answers to keyed requests that the ledger does not know by what it did: they changed nothing, or
//! say more than what was changed.

use super::{Failure, Mall};
use crate::base::IdempotencyKey;
use crate::base::error::ErrorKind;

/// What tells the key of the answer from the key of what was done.
const ANSWER: u128 = 0x616e_7377_0000_0000_0000_0000_0000_0001;

impl Mall {
    /// The answer that is kept under a key.
    pub(crate) async fn answered(&self, key: IdempotencyKey) -> Result<Option<Box<[u8]>>, Failure> {
        match self.engine().first_answer(key.beside(ANSWER))? {
            Some(ticket) => Ok(Some(self.durable(ticket).await?.into_answer()?)),
            None => Ok(None),
        }
    }

    /// Keeps the answer to what was done under a key, unless one is kept; which that is. `None` where
    /// nothing can be kept now, for want of room: what was done is done all the same, and a retry
    /// hears how things are then.
    pub(crate) async fn keep_answer(
        &self,
        key: IdempotencyKey,
        answer: &[u8],
    ) -> Result<Option<Box<[u8]>>, Failure> {
        match self.engine().keep_answer(key.beside(ANSWER), answer) {
            Ok(ticket) => Ok(Some(self.durable(ticket).await?)),
            Err(error) if error.kind() == ErrorKind::Conflict => Err(error.into()),
            Err(error) => {
                tracing::debug!(error = %error, "an answer is not kept");
                Ok(None)
            }
        }
    }
}
