//! The unique keys that this process has lately found locked by other transactions.
//!
//! A shared statement never waits for a lock. A request that needs a locked key is sent alone. For a while, later
//! requests for that key don't join a shared statement at all.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use queue_core::JobName;
use queue_core::backend::Encoded;
use tokio::time::Instant;

/// How long a key counts as locked after it was last found locked.
const REMEMBERED: Duration = Duration::from_secs(1);

/// The least time between two removals of expired entries.
const SWEEP: Duration = Duration::from_millis(100);

/// The keys that were found locked, and when they last were.
#[derive(Default)]
pub(crate) struct LockedKeys {
    /// Whether there are any. Read without the lock.
    has_any: AtomicBool,
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    found: HashMap<(JobName, String), Instant>,
    swept: Option<Instant>,
}

impl LockedKeys {
    /// Returns whether one of these jobs has a key that was lately found locked.
    pub(crate) fn contains_any<'a>(&self, mut jobs: impl Iterator<Item = &'a Encoded>) -> bool {
        if !self.has_any.load(Ordering::Relaxed) {
            return false;
        }
        let mut keys = self.lock();
        if keys.swept.is_none_or(|swept| swept.elapsed() > SWEEP) {
            keys.found.retain(|_, found| found.elapsed() < REMEMBERED);
            keys.swept = Some(Instant::now());
            self.has_any.store(!keys.found.is_empty(), Ordering::Relaxed);
        }
        let is_locked = |key| keys.found.get(&key).is_some_and(|found| found.elapsed() < REMEMBERED);
        jobs.any(|job| key_of(job).is_some_and(is_locked))
    }

    /// Records the keys of these jobs as locked. One of them is; which one is not known.
    pub(crate) fn add<'a>(&self, jobs: impl Iterator<Item = &'a Encoded>) {
        let now = Instant::now();
        let mut keys = self.lock();
        keys.found.extend(jobs.filter_map(key_of).map(|key| (key, now)));
        self.has_any.store(!keys.found.is_empty(), Ordering::Relaxed);
    }

    /// Removes the keys of these jobs: this process has just locked them.
    pub(crate) fn remove<'a>(&self, jobs: impl Iterator<Item = &'a Encoded>) {
        if self.has_any.load(Ordering::Relaxed) {
            let mut keys = self.lock();
            for key in jobs.filter_map(key_of) {
                keys.found.remove(&key);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a job's unique key in the form in which keys are compared.
pub(crate) fn key_of(job: &Encoded) -> Option<(JobName, String)> {
    let unique = job.job.unique.as_ref()?;
    Some((job.job.name.clone(), unique.key.clone()))
}
