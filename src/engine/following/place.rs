//! Where history is: there from the opening on, or opened while the engine works already.

use std::mem;
use std::sync::OnceLock;

use crate::base::error::Result;
use crate::base::sync::{Condvar, Mutex, wait};
use crate::history::Store;
use crate::ledger::Ledger;

/// Opens history, for an engine whose ledger this is.
pub(in crate::engine) type OpenStore = Box<dyn FnOnce(&Ledger) -> Result<Store> + Send>;

/// The place of a store that may come later.
pub(in crate::engine) struct StorePlace {
    store: OnceLock<Store>,
    coming: Mutex<Coming>,
    changed: Condvar,
}

enum Coming {
    /// It is there, or there will be none.
    No,
    Wanted(OpenStore),
    UnderWay,
}

impl StorePlace {
    /// With what is there; `None` where history is off.
    pub(in crate::engine) fn of(store: Option<Store>) -> Self {
        let place = Self::new(Coming::No);
        if let Some(store) = store {
            // It is empty until now.
            let _ = place.store.set(store);
        }
        place
    }

    /// For a store that the thread that carries history opens first.
    pub(in crate::engine) fn later(open: OpenStore) -> Self {
        Self::new(Coming::Wanted(open))
    }

    fn new(coming: Coming) -> Self {
        Self { store: OnceLock::new(), coming: Mutex::new(coming), changed: Condvar::new() }
    }

    /// The store, if it is there by now.
    pub(in crate::engine) fn get(&self) -> Option<&Store> {
        self.store.get()
    }

    /// The store. Blocks while it is being opened.
    pub(in crate::engine) fn awaited(&self) -> Option<&Store> {
        if self.store.get().is_none() {
            let mut coming = self.coming.lock();
            while !matches!(*coming, Coming::No) {
                wait(&self.changed, &mut coming);
            }
        }
        self.store.get()
    }

    /// Whether there is no store, and none will come.
    pub(in crate::engine) fn is_off(&self) -> bool {
        self.store.get().is_none()
            && matches!(*self.coming.lock(), Coming::No)
            // It may have come between the two looks.
            && self.store.get().is_none()
    }

    /// Opens the store, if it was to come; only the thread that carries history does. Then, or before,
    /// the store; `None` where history is off.
    ///
    /// # Errors
    /// Those of opening; from then on there is none.
    pub(in crate::engine) fn open(&self, ledger: &Ledger) -> Result<Option<&Store>> {
        let wanted = {
            let mut coming = self.coming.lock();
            match mem::replace(&mut *coming, Coming::UnderWay) {
                Coming::Wanted(open) => Some(open),
                Coming::No | Coming::UnderWay => None,
            }
        };
        let opening = Ending(self);
        if let Some(open) = wanted {
            let _ = self.store.set(open(ledger)?);
        }
        drop(opening);
        Ok(self.get())
    }
}

/// Whoever waits hears of the end, of a panic as well.
struct Ending<'a>(&'a StorePlace);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        *self.0.coming.lock() = Coming::No;
        self.0.changed.notify_all();
    }
}
