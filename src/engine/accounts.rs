//! Which accounts there are, how several of them stand at one moment, and what is pending for
//! whom.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "server")]
use crate::base::Seq;
use crate::base::error::{Error, Result};
use crate::base::{AccountId, AccountKey};
use crate::engine::Engine;
use crate::engine::core::Core;
use crate::ledger::{AccountCursor, Level, Pending, PendingCursor};

impl Engine {
    /// The most accounts of one call to [`Engine::levels_of`].
    pub const LEVELS_OF_MAX: usize = 256;

    /// Several accounts as they stand at one moment, including what is not durable yet, in the order
    /// they are asked for. No command falls between two of them: what one of them gave, another of
    /// them has.
    ///
    /// Commands on accounts of the shards concerned wait while they are copied, at most some 50 us.
    ///
    /// ```
    /// # use stockhold::{AccountKey, Engine, Policy, Receive};
    /// # fn main() -> stockhold::Result<()> {
    /// let engine = Engine::in_memory().open()?;
    /// let tea = engine.open_account(&AccountKey::stock("tea")?, Policy::strict())?;
    /// let ann = engine.open_account(&AccountKey::points("ann")?, Policy::strict())?;
    /// engine.receive(Receive::new(tea, 5).note("delivery"))?.wait()?;
    /// let levels = engine.levels_of(&[tea, ann])?;
    /// assert_eq!((levels[0].available, levels[1].available), (5, 0));
    /// # engine.close()
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Invalid` for more than [`Engine::LEVELS_OF_MAX`] accounts, `NotFound` when one of them does
    /// not exist, `Closed`.
    pub fn levels_of(&self, accounts: &[AccountId]) -> Result<Vec<Level>> {
        if accounts.len() > Self::LEVELS_OF_MAX {
            return Err(Error::invalid(format!(
                "at most {} accounts are looked at together",
                Self::LEVELS_OF_MAX
            )));
        }
        self.core()?.ledger.levels_of(accounts)
    }

    /// An account as it stands, and the last event that it shows: nothing of a later one, and all of
    /// those before. That one may not be durable yet.
    #[cfg(feature = "server")]
    pub(crate) fn level_as_of(&self, account: AccountId) -> Result<(Level, Seq)> {
        let core = self.core()?;
        core.ledger.level_as_of(account, &core.recorder())
    }

    /// The key of an account, if there is such an account.
    pub fn key_of(&self, account: AccountId) -> Option<AccountKey> {
        self.0.core.ledger.key_of(account)
    }

    /// Every account as it stands, some hundred at a time. Commands wait for one page at most, and
    /// for nothing between two; so it is not one moment's picture while they run.
    pub fn level_pages(&self) -> AccountPages {
        self.accounts_with_prefix("")
    }

    /// The accounts of a kind, in pages: `stock`, `points`, `quota`, or one of your own
    /// ([`AccountKey::custom`]).
    ///
    /// Costs a look at every account of the ledger, some 20 ns each; commands wait for one page at
    /// most.
    pub fn accounts_of_kind(&self, kind: &str) -> AccountPages {
        AccountPages::new(&self.0.core, &format!("{kind}/"))
    }

    /// The accounts whose key begins with `prefix`, in pages.
    ///
    /// A prefix that has a whole first part, such as `quota/ann/`, costs a look at the accounts of
    /// one shard in 64; any other, at all of them.
    ///
    /// ```
    /// # use stockhold::{AccountKey, Engine, Policy};
    /// # fn main() -> stockhold::Result<()> {
    /// let engine = Engine::in_memory().open()?;
    /// for seat in ["11", "12"] {
    ///     engine.open_account(&AccountKey::custom("seat", &["hall-1", seat])?, Policy::strict())?;
    /// }
    /// let seats = engine.accounts_with_prefix("seat/hall-1/").flatten();
    /// let keys: Vec<String> = seats.map(|level| level.key.to_string()).collect();
    /// assert_eq!(keys, ["seat/hall-1/11", "seat/hall-1/12"]);
    /// # engine.close()
    /// # }
    /// ```
    pub fn accounts_with_prefix(&self, prefix: &str) -> AccountPages {
        AccountPages::new(&self.0.core, prefix)
    }

    /// At most `limit` of the accounts whose key begins with `prefix` and that are not closed, from
    /// after the account `after` on, in the order of [`Engine::accounts_with_prefix`].
    #[cfg(feature = "server")]
    pub(crate) fn accounts_after(
        &self,
        prefix: &str,
        after: Option<AccountId>,
        limit: usize,
    ) -> Vec<Level> {
        let cursor = AccountCursor::after(prefix, after);
        let pages = AccountPages { core: Arc::clone(&self.0.core), cursor };
        pages.flatten().filter(|level| !level.closed).take(limit).collect()
    }

    /// The pending reservations on behalf of `owner`, in pages.
    ///
    /// One that is pending from the first page to the last is told exactly once; one that comes or
    /// ends meanwhile may be told or not. Costs a look at the place of every reservation that was
    /// ever pending at the same time as others, some 10 ns each: there is no index, since each
    /// reserve would pay for it. Where history is kept,
    /// [`History::reservations_of`](crate::engine::History::reservations_of) finds the same by an index.
    pub fn pending_of(&self, owner: AccountId) -> PendingPages {
        PendingPages::new(&self.0.core, Some(owner))
    }

    /// Every pending reservation, in pages; see [`Engine::pending_of`].
    pub fn pending_pages(&self) -> PendingPages {
        PendingPages::new(&self.0.core, None)
    }
}

/// Accounts with a common prefix, in pages of at most 256, none of them empty. Within a shard they
/// come in the order in which they were opened. Nothing is locked between two pages, so that they
/// are not one moment's picture while commands run; an account that was there before the first page
/// is told.
pub struct AccountPages {
    core: Arc<Core>,
    cursor: AccountCursor,
}

impl AccountPages {
    fn new(core: &Arc<Core>, prefix: &str) -> Self {
        Self { core: Arc::clone(core), cursor: AccountCursor::new(prefix) }
    }
}

impl Iterator for AccountPages {
    type Item = Vec<Level>;

    fn next(&mut self) -> Option<Vec<Level>> {
        loop {
            let page = self.core.ledger.accounts_page(&mut self.cursor)?;
            if !page.is_empty() {
                return Some(page);
            }
        }
    }
}

impl fmt::Debug for AccountPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountPages").field("cursor", &self.cursor).finish_non_exhaustive()
    }
}

/// Pending reservations, in pages of at most 1,024, none of them empty. Nothing is locked between
/// two pages.
pub struct PendingPages {
    core: Arc<Core>,
    owner: Option<AccountId>,
    next: Option<PendingCursor>,
}

impl PendingPages {
    fn new(core: &Arc<Core>, owner: Option<AccountId>) -> Self {
        Self { core: Arc::clone(core), owner, next: Some(PendingCursor::default()) }
    }
}

impl Iterator for PendingPages {
    type Item = Vec<Pending>;

    fn next(&mut self) -> Option<Vec<Pending>> {
        loop {
            let (page, next) = self.core.ledger.pending_page(self.owner, self.next?);
            self.next = next;
            if !page.is_empty() {
                return Some(page);
            }
        }
    }
}

impl fmt::Debug for PendingPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingPages")
            .field("owner", &self.owner)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
