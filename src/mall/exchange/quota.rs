//! The quotas that an exchange counts on, and the rules that they have.

use smallvec::SmallVec;

use super::Exchange;
use super::chosen::Chosen;
use super::part::Part;
use crate::base::error::{ErrorKind, Result};
use crate::base::{AccountId, AccountKey, QUANTITY_MAX};
use crate::event::{Policy, Window};
use crate::ledger::SetPolicy;
use crate::mall::{Mall, PurchaseLimit, User};

/// A quota the exchange needs, which may have no account yet.
pub(super) struct Need {
    pub(super) part: Part,
    pub(super) key: AccountKey,
    pub(super) policy: Policy,
    pub(super) quantity: u64,
    pub(super) account: Option<AccountId>,
}

impl Mall {
    pub(super) fn needs(
        &self,
        user: &User,
        chosen: &[Chosen<'_>],
        request: &Exchange<'_>,
        points_cost: u64,
    ) -> Result<SmallVec<[Need; 2]>> {
        let mut needs = SmallVec::new();
        let mut need = |part, key, policy, quantity| {
            let account = self.engine().account(&key);
            needs.push(Need { part, key, policy, quantity, account });
        };
        if points_cost == 0 {
            let policy = Policy::quota(QUANTITY_MAX, Window::Outstanding);
            need(Part::Free, user.free_orders()?, policy, 1);
        }
        for (at, Chosen { item, quantity, limit, .. }) in chosen.iter().enumerate() {
            let key = AccountKey::quota(user.id(), &item.product.id)?;
            // Who bought under a limit once is counted on without one, for the next limit.
            if limit.is_some() || self.engine().account(&key).is_some() {
                need(Part::ProductQuota(at), key, limit_policy(*limit), *quantity);
            }
        }
        // What is confirmed at once never waits.
        if let Some(cap) = self.config().outstanding_max.filter(|_| !request.confirm) {
            let key = AccountKey::quota_of_user(user.id())?;
            need(Part::UserQuota, key, Policy::quota(cap, Window::Outstanding), 1);
        }
        Ok(needs)
    }

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
fn limit_policy(limit: Option<PurchaseLimit>) -> Policy {
    limit.map_or(Policy::quota(QUANTITY_MAX, Window::Never), PurchaseLimit::policy)
}
