//! Accounts by their names: events have numbers only.

use std::collections::HashMap;

use crate::base::{AccountId, AccountKey};
use crate::reader::LedgerView;

#[derive(Default)]
pub(super) struct Names(HashMap<AccountId, AccountKey>);

impl Names {
    pub(super) fn of(view: &LedgerView) -> Self {
        Self(view.levels().into_iter().map(|level| (level.account, level.key)).collect())
    }

    /// Notes an account that is opened after the ledger that the names are from.
    pub(super) fn add(&mut self, account: AccountId, key: &AccountKey) {
        self.0.insert(account, key.clone());
    }

    pub(super) fn find(&self, key: &AccountKey) -> Option<AccountId> {
        self.0.iter().find(|(_, known)| *known == key).map(|(account, _)| *account)
    }

    pub(super) fn name(&self, account: AccountId) -> String {
        self.0
            .get(&account)
            .map_or_else(|| format!("account {}", account.number()), AccountKey::to_string)
    }
}
