//! Which accounts are quotas, and so have no history here. Quotas are opened by the thousand in a
//! sale; a page of 4,096 accounts is one row, so that many of them cost one write.

use std::collections::BTreeSet;

use super::key::Key;
use crate::base::AccountId;
use crate::base::error::{Error, Result};

const PAGE_ACCOUNTS: u32 = 4096;
const PAGE_BYTES: usize = PAGE_ACCOUNTS as usize / 8;

type Page = Box<[u8; PAGE_BYTES]>;

/// A set of accounts that remembers which of its pages were written to since they were last taken.
#[derive(Debug, Default)]
pub(super) struct QuotaSet {
    pages: Vec<Option<Page>>,
    dirty: BTreeSet<u32>,
}

impl QuotaSet {
    pub(super) fn contains(&self, account: AccountId) -> bool {
        let (page, byte, bit) = place(account);
        self.pages
            .get(page as usize)
            .and_then(Option::as_ref)
            .is_some_and(|page| page[byte] & bit != 0)
    }

    /// Adds an account; returns whether that began a new page.
    pub(super) fn insert(&mut self, account: AccountId) -> bool {
        let (number, byte, bit) = place(account);
        let slot = self.slot(number);
        let new = slot.is_none();
        let page = slot.get_or_insert_with(|| Box::new([0; PAGE_BYTES]));
        page[byte] |= bit;
        self.dirty.insert(number);
        new
    }

    /// Puts back a page as it was stored under `key`.
    ///
    /// # Errors
    /// `Corrupt` when the payload is not a page.
    pub(super) fn load(&mut self, key: Key, payload: &[u8]) -> Result<()> {
        let page: [u8; PAGE_BYTES] = payload
            .try_into()
            .map_err(|_| Error::corrupt(format!("the store's value under {key} is malformed")))?;
        if key.page() > place(AccountId::from_number(u32::MAX)).0 {
            return Err(Error::corrupt(format!(
                "the store has a page of quotas that cannot be: {key}"
            )));
        }
        *self.slot(key.page()) = Some(Box::new(page));
        Ok(())
    }

    fn slot(&mut self, number: u32) -> &mut Option<Page> {
        let index = number as usize;
        if self.pages.len() <= index {
            self.pages.resize(index + 1, None);
        }
        &mut self.pages[index]
    }

    /// The pages written to since the last call.
    pub(super) fn take_dirty(&mut self) -> impl Iterator<Item = (Key, &[u8])> {
        std::mem::take(&mut self.dirty).into_iter().filter_map(|number| {
            let page = self.pages.get(number as usize)?.as_ref()?;
            Some((Key::quotas(number), &page[..]))
        })
    }
}

fn place(account: AccountId) -> (u32, usize, u8) {
    let number = account.number();
    let within = number % PAGE_ACCOUNTS;
    (number / PAGE_ACCOUNTS, within as usize / 8, 1 << (within % 8))
}
