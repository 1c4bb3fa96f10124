//! All keys that tokens are verified with, and how they are replaced while requests come.
//!
//! Whoever looks a key up takes no lock. A key that is replaced is retired first of all for those
//! who remember it: what it has verified is looked at again.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::jwks::Origin;
use super::key::Key;

/// All keys.
pub(super) struct Keyring {
    /// Of tokens without a `kid`.
    unnamed: Option<Arc<Key>>,
    named: papaya::HashMap<Box<str>, Arc<Key>, foldhash::quality::RandomState>,
    /// Where they come from; held by whoever replaces keys.
    sources: Mutex<Sources>,
}

/// The keys of each source.
#[derive(Default)]
struct Sources {
    file: Vec<Arc<Key>>,
    url: Vec<Arc<Key>>,
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
            sources: Mutex::default(),
        }
    }

    /// The key that a token names. Where there are no names, they are not looked at.
    pub(super) fn find(&self, kid: Option<&str>) -> Option<Arc<Key>> {
        match kid {
            Some(kid) if !self.named.is_empty() => self.named.pin().get(kid).cloned(),
            _ => self.unnamed.clone(),
        }
    }

    /// Takes these keys in place of all others of their source. Those that are there just so stay:
    /// what they verified is not verified again. New ones come before old ones go. Of two with one
    /// name, that of the file counts.
    pub(super) fn replace(&self, origin: Origin, keys: Vec<Key>) -> Replaced {
        let mut sources = self.sources.lock();
        let source = match origin {
            Origin::File => &mut sources.file,
            Origin::Url => &mut sources.url,
        };
        *source = keys.into_iter().map(Arc::new).collect();
        let all = sources.url.iter().chain(&sources.file);
        let wanted: BTreeMap<&str, &Arc<Key>> =
            all.filter_map(|key| key.kid().map(|kid| (kid, key))).collect();
        let (named, mut replaced) = (self.named.pin(), Replaced::default());
        for (kid, key) in &wanted {
            let before = named.get(*kid).cloned();
            if before.as_ref().is_some_and(|before| before.is_same(key)) {
                continue;
            }
            named.insert((*kid).into(), Arc::clone(key));
            if let Some(before) = before {
                before.retire();
            }
            replaced.added.push((*kid).to_owned());
        }
        let gone: Vec<_> = named
            .iter()
            .filter(|(kid, _)| !wanted.contains_key(&***kid))
            .map(|(kid, key)| (kid.clone(), key.clone()))
            .collect();
        for (kid, key) in gone {
            named.remove(&kid);
            key.retire();
            replaced.removed.push(kid.into());
        }
        replaced.removed.sort_unstable();
        replaced
    }
}
