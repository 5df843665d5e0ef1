//! The unique keys that other transactions hold locked, as far as this process has met them.
//!
//! A trip that many callers share never waits for a lock. A request that needs a locked key goes on alone, and for a while
//! later requests for that key don't enter a shared trip at all.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use queue_core::JobName;
use queue_core::encoded::Encoded;
use tokio::time::Instant;

/// How long a key counts as locked after it was last found so.
const REMEMBERED: Duration = Duration::from_secs(1);

/// The keys that were found locked, and when.
#[derive(Default)]
pub(crate) struct BlockedKeys {
    /// Whether there is any, read without the lock.
    is_any: AtomicBool,
    keys: Mutex<HashMap<(JobName, String), Instant>>,
}

impl BlockedKeys {
    /// Returns whether one of these jobs has a key that was found locked a moment ago.
    pub(crate) fn any_of<'a>(&self, mut jobs: impl Iterator<Item = &'a Encoded>) -> bool {
        if !self.is_any.load(Ordering::Relaxed) {
            return false;
        }
        let mut keys = self.lock();
        keys.retain(|_, found| found.elapsed() < REMEMBERED);
        self.is_any.store(!keys.is_empty(), Ordering::Relaxed);
        jobs.any(|job| key_of(job).is_some_and(|key| keys.contains_key(&key)))
    }

    /// Remembers that one of these jobs' keys is locked. Which one is not known.
    pub(crate) fn add<'a>(&self, jobs: impl Iterator<Item = &'a Encoded>) {
        let now = Instant::now();
        let mut keys = self.lock();
        keys.extend(jobs.filter_map(key_of).map(|key| (key, now)));
        self.is_any.store(!keys.is_empty(), Ordering::Relaxed);
    }

    /// Forgets the keys of these jobs: they were locked here just now.
    pub(crate) fn remove<'a>(&self, jobs: impl Iterator<Item = &'a Encoded>) {
        if self.is_any.load(Ordering::Relaxed) {
            let mut keys = self.lock();
            for key in jobs.filter_map(key_of) {
                keys.remove(&key);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(JobName, String), Instant>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns what a job's unique key is compared by.
pub(crate) fn key_of(job: &Encoded) -> Option<(JobName, String)> {
    let unique = job.job.unique.as_ref()?;
    Some((job.job.name.clone(), unique.key.clone()))
}
