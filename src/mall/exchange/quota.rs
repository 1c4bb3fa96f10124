//! The quotas that an exchange counts on, and the rules that they have.

use super::parts::Need;
use crate::base::error::{ErrorKind, Result};
use crate::base::{AccountId, AccountKey, QUANTITY_MAX};
use crate::event::{Policy, Window};
use crate::ledger::SetPolicy;
use crate::mall::{Mall, PurchaseLimit, User};

impl Mall {
    /// The account of a quota: opened when missing, and brought to the rule that holds now.
    pub(super) fn quota_account(&self, need: &Need) -> Result<AccountId> {
        let account = match need.account {
            Some(account) => account,
            None => match self.engine().open_account(&need.key, need.policy) {
                // Another request was faster, under the limit before this one.
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    self.engine().account(&need.key).ok_or(error)?
                }
                opened => return opened,
            },
        };
        if self.engine().level(account)?.policy != need.policy {
            self.bring_to_rule(account, &need.key, need.policy)?;
        }
        Ok(account)
    }

    /// Brings a quota to the rule that holds now. That is the one on the shelf when it is set, and
    /// not one that was found there before: nobody sets back what an operator has changed meanwhile.
    /// So it is with the level of its user. A quota of no product has the rule `otherwise`.
    pub(in crate::mall) fn bring_to_rule(
        &self,
        account: AccountId,
        key: &AccountKey,
        otherwise: Policy,
    ) -> Result<()> {
        let user = User::new(key.owner())?;
        let _in_turn = self.shared.turns.of(&user);
        self.shared.catalogue.with_shelf(|shelf| {
            let item = key.product().and_then(|id| shelf.any_item(id));
            let policy = match item {
                Some(item) => limit_policy(self.terms(&user, shelf).limit(&item.product)?),
                None => otherwise,
            };
            // Not awaited: the reservation that follows is behind it in the journal, and durable
            // only after it.
            self.engine().set_policy(SetPolicy::new(account, policy)).map(drop)
        })
    }
}

/// The rule of a quota of a product. Without a limit it only counts.
pub(super) fn limit_policy(limit: Option<PurchaseLimit>) -> Policy {
    limit.map_or(Policy::quota(QUANTITY_MAX, Window::Never), PurchaseLimit::policy)
}
