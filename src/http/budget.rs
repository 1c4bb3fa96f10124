//! The memory that large bodies may take while they come, and answers until their clients have read
//! them: a bound in all, and one for each caller.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use hyper::Version;
use hyper::body::Bytes;
use parking_lot::Mutex;

use super::error::{ApiError, Code};
use super::guests::Address;

/// How many requests of one connection of HTTP/2 are under way at one time: as many as a proxy sends at
/// once while others wait, and few enough for a connection to take little more than one of HTTP/1.1.
pub(super) const STREAMS_MAX: u32 = 64;
/// What a connection may take of the memory without being counted: the bound on connections bounds it.
pub(super) const SMALL_BYTES: usize = 16 * 1024;

/// How much a request may take without being counted, in bytes.
pub(super) fn small_bytes(version: Version) -> usize {
    match version {
        Version::HTTP_2 => SMALL_BYTES / STREAMS_MAX as usize,
        _ => SMALL_BYTES,
    }
}

/// Whose bound counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Payer {
    User(Box<str>),
    /// A caller without a token.
    Address(Address),
}

#[derive(Debug)]
pub(super) struct Budget {
    bytes_max: usize,
    payer_bytes_max: usize,
    spent: Mutex<Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    bytes: usize,
    by_payer: HashMap<Payer, usize>,
}

/// Bytes that are counted until this is dropped.
#[derive(Debug)]
pub(super) struct Charge {
    budget: Arc<Budget>,
    payer: Payer,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(bytes_max: usize, payer_bytes_max: usize) -> Self {
        Self { bytes_max, payer_bytes_max, spent: Mutex::default() }
    }

    /// Counts `bytes` for `payer`.
    ///
    /// # Errors
    /// `OVERLOADED`, naming the bound that it would exceed.
    pub(super) fn charge(
        self: &Arc<Self>,
        payer: &Payer,
        bytes: usize,
    ) -> Result<Charge, ApiError> {
        let over = |what| Err(ApiError::new(Code::Overloaded).detail(what));
        let mut spent = self.spent.lock();
        let all = spent.bytes.saturating_add(bytes);
        let own = spent.by_payer.get(payer).copied().unwrap_or_default().saturating_add(bytes);
        if own > self.payer_bytes_max {
            return over("requests of this caller take too much memory: answer_memory_per_user");
        }
        if all > self.bytes_max {
            return over("requests take too much memory: answer_memory");
        }
        spent.bytes = all;
        spent.by_payer.insert(payer.clone(), own);
        Ok(Charge { budget: Arc::clone(self), payer: payer.clone(), bytes })
    }

    #[cfg(test)]
    fn spent(&self) -> (usize, usize) {
        let spent = self.spent.lock();
        (spent.bytes, spent.by_payer.len())
    }
}

impl Charge {
    /// The same bytes, which are counted as long as any part of them is in memory.
    pub(super) fn attach(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Charged { bytes, _charge: self })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut spent = self.budget.spent.lock();
        spent.bytes -= self.bytes;
        if let Entry::Occupied(mut own) = spent.by_payer.entry(self.payer.clone()) {
            *own.get_mut() -= self.bytes;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

struct Charged {
    bytes: Bytes,
    _charge: Charge,
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_more_than_a_share_nor_all_more_than_there_is() {
        let budget = Arc::new(Budget::new(100, 60));
        let [ann, bob] = ["ann", "bob"].map(|name| Payer::User(name.into()));
        let refused = |charged: Result<Charge, ApiError>| {
            charged.expect_err("too much").detail.expect("a reason")
        };
        let first = budget.charge(&ann, 60).expect("it is within both bounds");
        assert!(refused(budget.charge(&ann, 1)).contains("per_user"));
        let second = budget.charge(&bob, 40).expect("it is within both bounds");
        assert!(refused(budget.charge(&bob, 1)).ends_with("answer_memory"));
        assert!(refused(budget.charge(&ann, usize::MAX)).contains("per_user"), "no overflow");
        let bytes = first.attach(Bytes::from_static(b"tea"));
        let part = bytes.slice(1..2);
        drop(bytes);
        assert_eq!(budget.spent(), (100, 2), "a part of the answer is in memory still");
        drop((part, second));
        assert_eq!(budget.spent(), (0, 0), "nothing is left behind");
    }
}
