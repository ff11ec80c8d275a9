//! Reading the model.

use std::ops::Deref;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use crate::model::Model;

/// The model, to be read. It must not live across an `await`, and a thread has one at a time: with
/// a writer waiting in between, a second one would wait for the first for ever. Builds with debug
/// assertions panic at a second one, whether or not a writer waits.
pub(crate) struct Reading<'a> {
    model: RwLockReadGuard<'a, Model>,
    #[cfg(debug_assertions)]
    _only: only::Only,
}

impl<'a> Reading<'a> {
    pub(super) fn of(lock: &'a RwLock<Model>) -> Self {
        #[cfg(debug_assertions)]
        let only = only::Only::of(lock);
        Self {
            model: lock.read().unwrap_or_else(PoisonError::into_inner),
            #[cfg(debug_assertions)]
            _only: only,
        }
    }
}

impl Deref for Reading<'_> {
    type Target = Model;

    fn deref(&self) -> &Model {
        &self.model
    }
}

#[cfg(debug_assertions)]
mod only {
    use std::cell::RefCell;
    use std::ptr;

    thread_local! {
        /// The locks that this thread holds, by their addresses.
        static HELD: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    }

    /// This thread holds this lock, once.
    pub(super) struct Only(usize);

    impl Only {
        pub(super) fn of<T>(lock: &T) -> Self {
            let lock = ptr::from_ref(lock).addr();
            HELD.with_borrow_mut(|held| {
                assert!(!held.contains(&lock), "this thread reads the model already");
                held.push(lock);
            });
            Self(lock)
        }
    }

    impl Drop for Only {
        fn drop(&mut self) {
            HELD.with_borrow_mut(|held| held.retain(|lock| *lock != self.0));
        }
    }
}
