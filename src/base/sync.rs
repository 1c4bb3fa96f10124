//! The primitives the concurrent parts are made of: the real ones, or loom's when built with
//! `--cfg stockhold_loom`. The cfg is our own because dependencies react to plain `loom`.

#[cfg(not(stockhold_loom))]
mod real {
    pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::sync::atomic;

    /// Waits on `condvar`, giving up the guard meanwhile.
    pub(crate) fn wait<T>(condvar: &Condvar, guard: &mut MutexGuard<'_, T>) {
        condvar.wait(guard);
    }
}

#[cfg(not(stockhold_loom))]
pub(crate) use real::*;

#[cfg(stockhold_loom)]
mod model {
    use std::ops::{Deref, DerefMut};

    pub(crate) use loom::sync::atomic;
    #[cfg(test)]
    pub(crate) use loom::{sync::Arc, thread};

    /// loom's mutex with the face of parking_lot's: no poisoning.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    /// The guard of a [`Mutex`]. Empty only inside [`wait`], which takes loom's guard by value.
    pub(crate) struct MutexGuard<'a, T>(Option<loom::sync::MutexGuard<'a, T>>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            MutexGuard(Some(self.0.lock().expect("loom threads do not panic while holding a lock")))
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok().map(|guard| MutexGuard(Some(guard)))
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.0.as_deref().expect("a guard is empty only inside `wait`")
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_deref_mut().expect("a guard is empty only inside `wait`")
        }
    }

    /// loom's condition variable with the face of parking_lot's.
    #[derive(Debug)]
    pub(crate) struct Condvar(loom::sync::Condvar);

    impl Condvar {
        pub(crate) fn new() -> Self {
            Self(loom::sync::Condvar::new())
        }

        pub(crate) fn notify_one(&self) {
            self.0.notify_one();
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    /// Waits on `condvar`, giving up the guard meanwhile.
    pub(crate) fn wait<T>(condvar: &Condvar, guard: &mut MutexGuard<'_, T>) {
        let held = guard.0.take().expect("a guard is empty only inside `wait`");
        guard.0 =
            Some(condvar.0.wait(held).expect("loom threads do not panic while holding a lock"));
    }

    /// Tries every interleaving of a model with at most this many preemptions, and prints how many
    /// there were. `LOOM_MAX_PREEMPTIONS` overrides the bound.
    #[cfg(test)]
    pub(crate) fn check(
        name: &str,
        preemptions_max: usize,
        model: impl Fn() + Send + Sync + 'static,
    ) {
        use std::sync::atomic::{AtomicUsize, Ordering};
        // std's, so that counting is not a step of the model.
        let count = std::sync::Arc::new(AtomicUsize::new(0));
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = builder.preemption_bound.or(Some(preemptions_max));
        builder.check({
            let count = std::sync::Arc::clone(&count);
            move || {
                count.fetch_add(1, Ordering::Relaxed);
                model();
            }
        });
        let count = count.load(Ordering::Relaxed);
        println!("model: {name}: {count} interleavings");
        assert!(count > 1, "the threads of this model never meet");
    }
}

#[cfg(stockhold_loom)]
pub(crate) use model::*;
