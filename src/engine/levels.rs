//! All accounts, page by page.

use std::sync::Arc;

use super::core::Core;
use crate::base::AccountId;
use crate::ledger::Level;

/// Every account, in pages of some hundred, none of them empty. Nothing is locked between two
/// pages.
pub struct LevelPages {
    core: Arc<Core>,
    next: Option<AccountId>,
}

impl LevelPages {
    pub(super) fn new(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core), next: Some(AccountId::new(0, 0)) }
    }
}

impl Iterator for LevelPages {
    type Item = Vec<Level>;

    fn next(&mut self) -> Option<Vec<Level>> {
        loop {
            let (page, next) = self.core.ledger.level_page(self.next?);
            self.next = next;
            if !page.is_empty() {
                return Some(page);
            }
        }
    }
}
