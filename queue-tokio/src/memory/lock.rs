//! The lock around the table, which loom can put in any order.

use std::sync::PoisonError;
#[cfg(not(queue_loom))]
use std::sync::TryLockError;

#[cfg(queue_loom)]
pub(super) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(queue_loom))]
pub(super) use std::sync::{Mutex, MutexGuard};

/// How often to try before the thread goes to sleep: for some ten microseconds, longer than most operations take.
///
/// To put a thread to sleep and wake it costs both sides more than that.
#[cfg(not(queue_loom))]
const TRIES: u32 = 8;

/// How long to pause before each try, in steps of the processor's own.
///
/// Even a try that fails takes the lock's line of the cache, and one that succeeds all of the table's that are in use. So
/// whoever has them is left alone for as long as a few pushes take.
#[cfg(not(queue_loom))]
fn pause(tries: u32) {
    for _ in 0..1_u32 << (tries + 4).min(7) {
        std::hint::spin_loop();
    }
}

/// Locks. A thread that panicked while it held the lock was between whole steps of the table: its state stands.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    #[cfg(not(queue_loom))]
    for tries in 0..TRIES {
        match mutex.try_lock() {
            Ok(guard) => return guard,
            Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => pause(tries),
        }
    }
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
