//! Unique keys, which keep out a second job while the first is unfinished.

use std::time::Duration;

use serde::Serialize;

/// A key that at most one unfinished job of a job name may hold.
///
/// Keys are compared within the job's name, across all queues of a store.
///
/// ```
/// use queue_core::{QueueExt as _, Receipt, Unique, background_job, jobs};
/// use queue_testkit::TestKit;
/// use std::time::Duration;
///
/// #[background_job]
/// async fn refresh(shop: u64) {}
///
/// # type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;
/// # fn main() -> TestResult {
/// # queue_testkit::block_on(async {
/// let kit = TestKit::new(jobs![refresh]).build()?;
/// let once_a_minute = Unique::new("shop-7").within(Duration::from_secs(60));
///
/// let first = kit.queue().enqueue(refresh::new(7)).unique(once_a_minute.clone()).await?;
/// let second = kit.queue().enqueue(refresh::new(7)).unique(once_a_minute).await?;
///
/// assert_eq!(second, Receipt::Existing(first.id()));
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unique {
    /// The key, of 1–256 bytes.
    pub key: String,
    /// How long after the push the key is held, even if the job finishes earlier.
    pub window: Option<Duration>,
    /// The effect of a push whose key is held.
    pub on_conflict: OnConflict,
}

/// The effect of a push whose key is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnConflict {
    /// Stores nothing and returns the job that holds the key.
    #[default]
    Keep,
    /// Updates payload, `run_at` and priority of the holder if it has not started; otherwise stores the new job to follow it. The
    /// holder stays in its queue and partition.
    Replace,
}

impl Unique {
    /// Creates a key that is held for as long as the job is unfinished.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), window: None, on_conflict: OnConflict::Keep }
    }

    /// Creates a key from a whole payload: a hash of its JSON text.
    ///
    /// A payload that cannot be written as JSON gets the key of an empty text. A backend that stores text refuses its push.
    pub fn of_payload<T: Serialize>(payload: &T) -> Self {
        let text = serde_json::to_string(payload).unwrap_or_default();
        // Version 5 is SHA-1: the same on every machine and in every version of this program.
        Self::new(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, text.as_bytes()).to_string())
    }

    /// Holds the key for `window` after the push, even if the job finishes earlier.
    ///
    /// With `Duration::ZERO`, the key is held as if there were no window. A window of `Duration::MAX` never ends.
    #[must_use]
    pub fn within(mut self, window: Duration) -> Self {
        self.window = Some(window);
        self
    }

    /// Sets [`OnConflict::Replace`]: a push whose key is held updates the holder.
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
