//! Which product or user an account number stands for. Numbers are never reused, so a name once
//! learnt stays right.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::{AccountId, AccountKey, AccountKind};
use crate::mall::model::{FREE_ORDERS, MOVED, NOT_EARNED};

/// So many names are remembered; then the table starts anew.
const NAMES_MAX: usize = 1 << 20;

/// What an account is to the mall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// The stock of this product that is sold from.
    Product(Arc<str>),
    /// The units of a product at a location.
    Location { product: Arc<str>, location: Arc<str> },
    /// The points of this user.
    User(Arc<str>),
    /// The orders of this user that cost nothing.
    FreeOrders(Arc<str>),
    /// What came in of this user's points and is not earned.
    NotEarned(Arc<str>),
    /// A limit, or a kind of an embedder's own: the mall does not show it.
    Unseen,
}

impl Name {
    fn of(key: &AccountKey) -> Self {
        match key.kind() {
            AccountKind::Stock => match key.location() {
                None => Self::Product(key.owner().into()),
                Some(location) => {
                    Self::Location { product: key.owner().into(), location: location.into() }
                }
            },
            AccountKind::Points => Self::User(key.owner().into()),
            AccountKind::Quota if key.product() == Some(FREE_ORDERS) => {
                Self::FreeOrders(key.owner().into())
            }
            AccountKind::Custom if matches!(key.kind_name(), NOT_EARNED | MOVED) => {
                Self::NotEarned(key.owner().into())
            }
            AccountKind::Quota | AccountKind::Custom => Self::Unseen,
        }
    }
}

/// Where a name is found that no event at hand has told.
pub(crate) type Lookup = Box<dyn Fn(AccountId) -> Option<AccountKey> + Send>;

/// The names learnt so far.
pub(super) struct Names {
    known: HashMap<AccountId, Name, foldhash::fast::RandomState>,
    lookup: Lookup,
}

impl Names {
    pub(super) fn new(lookup: Lookup) -> Self {
        Self { known: HashMap::default(), lookup }
    }

    pub(super) fn learn(&mut self, account: AccountId, key: &AccountKey) -> Name {
        if self.known.len() >= NAMES_MAX {
            self.known.clear();
        }
        let name = Name::of(key);
        self.known.insert(account, name.clone());
        name
    }

    pub(super) fn of(&mut self, account: AccountId) -> Result<Name> {
        if let Some(name) = self.known.get(&account) {
            return Ok(name.clone());
        }
        match (self.lookup)(account) {
            Some(key) => Ok(self.learn(account, &key)),
            None => {
                Err(Error::corrupt(format!("the account {} was never opened", account.number())))
            }
        }
    }
}
