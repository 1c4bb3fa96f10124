//! All keys that tokens are verified with, and how they are replaced while requests come.
//!
//! Whoever looks a key up takes no lock. A key that is replaced is retired first of all for those
//! who remember it: what it has verified is looked at again.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::key::Key;

/// All keys.
pub(super) struct Keyring {
    /// Of tokens without a `kid`.
    unnamed: Option<Arc<Key>>,
    named: papaya::HashMap<Box<str>, Arc<Key>, foldhash::quality::RandomState>,
    /// Held by whoever replaces keys.
    replacing: Mutex<()>,
}

/// What was replaced, by `kid`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Replaced {
    pub(super) added: Vec<String>,
    pub(super) removed: Vec<String>,
}

impl Keyring {
    pub(super) fn new(unnamed: Option<Key>) -> Self {
        Self {
            unnamed: unnamed.map(Arc::new),
            named: papaya::HashMap::with_hasher(foldhash::quality::RandomState::default()),
            replacing: Mutex::new(()),
        }
    }

    /// The key that a token names. Where there are no names, they are not looked at.
    pub(super) fn find(&self, kid: Option<&str>) -> Option<Arc<Key>> {
        match kid {
            Some(kid) if !self.named.is_empty() => self.named.pin().get(kid).cloned(),
            _ => self.unnamed.clone(),
        }
    }

    /// Takes these keys in place of all that have a name. Those that are there just so stay: what they
    /// verified is not verified again. New ones come before old ones go.
    pub(super) fn replace(&self, keys: Vec<Key>) -> Replaced {
        let _replacing = self.replacing.lock();
        let named = self.named.pin();
        let mut old: HashMap<Box<str>, Arc<Key>> =
            named.iter().map(|(kid, key)| (kid.clone(), key.clone())).collect();
        let mut replaced = Replaced::default();
        for key in keys {
            let Some(kid) = key.kid().map(Box::from) else { continue };
            let before = old.remove(&kid);
            if before.as_ref().is_some_and(|before| before.is_same(&key)) {
                continue;
            }
            replaced.added.push(kid.to_string());
            named.insert(kid, Arc::new(key));
            if let Some(before) = before {
                before.retire();
            }
        }
        for (kid, key) in old {
            named.remove(&kid);
            key.retire();
            replaced.removed.push(kid.into());
        }
        replaced.removed.sort_unstable();
        replaced
    }
}
