//! The holders of unique keys.

use std::collections::{BTreeSet, HashMap};

use crate::contract::clock::Timestamp;
use crate::contract::id::JobId;
use crate::contract::name::JobName;
use crate::contract::unique::Unique;

/// Keys are compared within a job name.
type NamedKey = (JobName, String);

/// The keys that are held, and the ends of the windows of finished jobs.
#[derive(Debug, Default)]
pub(super) struct UniqueKeys {
    holders: HashMap<NamedKey, Holder>,
    /// The windows of finished jobs, by their ends.
    windows: BTreeSet<(Timestamp, JobName, String)>,
}

#[derive(Debug)]
struct Holder {
    job: JobId,
    until: Timestamp,
}

impl UniqueKeys {
    /// Returns the job that holds a key.
    #[inline]
    pub(super) fn holder(&self, name: &JobName, unique: &Unique) -> Option<JobId> {
        if self.holders.is_empty() {
            return None;
        }
        self.holders.get(&(name.clone(), unique.key.clone())).map(|holder| holder.job)
    }

    /// Returns the earliest time at which a job may lose a key, or `None` if it does not hold the key.
    pub(super) fn held_until(&self, name: &JobName, unique: &Unique, job: JobId) -> Option<Timestamp> {
        let holder = self.holders.get(&(name.clone(), unique.key.clone()))?;
        (holder.job == job).then_some(holder.until)
    }

    /// Sets the holder of a key. It replaces an earlier holder.
    pub(super) fn hold(&mut self, name: &JobName, unique: &Unique, job: JobId, pushed_at: Timestamp) {
        let until = unique.window.map_or(pushed_at, |window| pushed_at.saturating_add(window));
        let before = self.holders.insert((name.clone(), unique.key.clone()), Holder { job, until });
        if let Some(before) = before {
            self.windows.remove(&(before.until, name.clone(), unique.key.clone()));
        }
    }

    /// Frees the key of a finished job, now or at the end of its window.
    pub(super) fn finish(&mut self, name: &JobName, unique: &Unique, job: JobId, now: Timestamp) {
        let key = (name.clone(), unique.key.clone());
        match self.holders.get(&key) {
            Some(holder) if holder.job == job && holder.until > now => {
                self.windows.insert((holder.until, key.0, key.1));
            }
            Some(holder) if holder.job == job => {
                self.holders.remove(&key);
            }
            Some(_) | None => {}
        }
    }

    /// Frees the key of a job that was removed.
    pub(super) fn release(&mut self, name: &JobName, unique: &Unique, job: JobId) {
        let key = (name.clone(), unique.key.clone());
        if let Some(holder) = self.holders.get(&key).filter(|holder| holder.job == job) {
            self.windows.remove(&(holder.until, key.0.clone(), key.1.clone()));
            self.holders.remove(&key);
        }
    }

    /// Frees the keys whose windows have ended.
    #[inline]
    pub(super) fn advance(&mut self, now: Timestamp) {
        while let Some((until, _, _)) = self.windows.first() {
            if *until > now {
                break;
            }
            if let Some((_, name, key)) = self.windows.pop_first() {
                self.holders.remove(&(name, key));
            }
        }
    }
}
