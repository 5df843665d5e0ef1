//! Keys that keep a second job like an unfinished one out.

use std::time::Duration;

use serde::Serialize;

/// Says that of all unfinished jobs of one name, at most one may hold this key.
///
/// The key is compared within the job's name, across all queues of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unique {
    /// The key: 1–256 bytes.
    pub key: String,
    /// Holds the key for so long after the push even if the job has finished by then.
    pub window: Option<Duration>,
    /// What a push under a key that is held does.
    pub on_conflict: OnConflict,
}

/// What pushing a key that is held does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnConflict {
    /// Stores nothing and answers with the job that holds the key.
    #[default]
    Keep,
    /// Updates payload, `run_at` and priority of the holder if it has not started; else stores the new job to follow it.
    Replace,
}

impl Unique {
    /// Makes a key that is held for as long as the job is unfinished.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), window: None, on_conflict: OnConflict::Keep }
    }

    /// Makes a key of a whole payload: a hash of its JSON text.
    ///
    /// A payload that can't be written as JSON has the key of nothing; its push is refused wherever it must be written.
    pub fn of_payload<T: Serialize>(payload: &T) -> Self {
        let text = serde_json::to_string(payload).unwrap_or_default();
        // Version 5 is SHA-1: the same on every machine and in every version of this program.
        Self::new(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, text.as_bytes()).to_string())
    }

    /// Holds the key for `window` after the push, even if the job finishes earlier.
    ///
    /// With `Duration::ZERO`, the key is held as without a window. A window of `Duration::MAX` never ends.
    #[must_use]
    pub fn within(mut self, window: Duration) -> Self {
        self.window = Some(window);
        self
    }

    /// Makes a push under a held key update the holder.
    #[must_use]
    pub fn replace(mut self) -> Self {
        self.on_conflict = OnConflict::Replace;
        self
    }
}

impl From<&str> for Unique {
    fn from(key: &str) -> Self {
        Self::new(key)
    }
}

impl From<String> for Unique {
    fn from(key: String) -> Self {
        Self::new(key)
    }
}
