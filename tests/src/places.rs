//! Places for tests with browsers: no more of them run at a time than the machine bears.

use std::cell::RefCell;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};

/// Two cores, two tests with browsers.
const AT_ONCE_MAX: usize = 2;
static TAKEN: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

thread_local! {
    static OWN: RefCell<Weak<Place>> = RefCell::default();
}

/// One of them, until the last browser that stands in it is gone.
#[derive(Debug)]
pub(crate) struct Place(());

impl Place {
    /// The place of this thread's test, which waits for its first browser only: two tests that each held one place and waited
    /// for a second would do so for ever.
    pub(crate) fn of_this_test() -> Arc<Self> {
        OWN.with_borrow_mut(|own| {
            own.upgrade().unwrap_or_else(|| {
                let place = Arc::new(Self::take());
                *own = Arc::downgrade(&place);
                place
            })
        })
    }

    fn take() -> Self {
        let (taken, freed) = &TAKEN;
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken >= AT_ONCE_MAX {
            taken = freed.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken += 1;
        Self(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (taken, freed) = &TAKEN;
        *taken.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        freed.notify_one();
    }
}
