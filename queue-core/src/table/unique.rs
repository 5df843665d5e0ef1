//! Which job holds which unique key.

use std::collections::{BTreeSet, HashMap};

use crate::contract::clock::Timestamp;
use crate::contract::id::JobId;
use crate::contract::name::JobName;
use crate::contract::unique::Unique;

/// A key belongs to a kind of job.
type Key = (JobName, String);

/// The keys that are held, and until when those of finished jobs are.
#[derive(Debug, Default)]
pub(super) struct UniqueKeys {
    holders: HashMap<Key, Holder>,
    /// Windows by their end, of finished jobs only.
    windows: BTreeSet<(Timestamp, JobName, String)>,
}

#[derive(Debug)]
struct Holder {
    job: JobId,
    until: Timestamp,
}

impl UniqueKeys {
    /// Tells which job holds a key.
    pub(super) fn holder(&self, name: &JobName, unique: &Unique) -> Option<JobId> {
        if self.holders.is_empty() {
            return None;
        }
        self.holders.get(&(name.clone(), unique.key.clone())).map(|holder| holder.job)
    }

    /// Gives a key to a job; the newest holder is the one that counts.
    pub(super) fn hold(&mut self, name: &JobName, unique: &Unique, job: JobId, pushed_at: Timestamp) {
        let until = unique.window.map_or(pushed_at, |window| pushed_at.saturating_add(window));
        let before = self.holders.insert((name.clone(), unique.key.clone()), Holder { job, until });
        if let Some(before) = before {
            self.windows.remove(&(before.until, name.clone(), unique.key.clone()));
        }
    }

    /// Frees the key of a job that finished, at once or at its window's end.
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

    /// Ends the windows that are over.
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
