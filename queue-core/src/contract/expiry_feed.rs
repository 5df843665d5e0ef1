//! Reports the jobs that are discarded because their last lease has expired.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::contract::id::JobId;
use crate::contract::lease::Fence;
use crate::contract::name::{JobName, QueueName};
use crate::contract::record::JobRecord;

/// A job that was discarded because its lease expired on its last attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExpiredJob {
    /// The identity.
    pub id: JobId,
    /// The kind of job.
    pub name: JobName,
    /// Its queue.
    pub queue: QueueName,
    /// The number of its attempts.
    pub attempt: u32,
    /// The number of the claim whose lease expired.
    pub fence: Fence,
}

impl ExpiredJob {
    /// Creates the report of a job.
    #[must_use]
    pub const fn new(id: JobId, name: JobName, queue: QueueName, attempt: u32, fence: Fence) -> Self {
        Self { id, name, queue, attempt, fence }
    }
}

impl From<&JobRecord> for ExpiredJob {
    fn from(job: &JobRecord) -> Self {
        Self::new(job.id, job.name.clone(), job.queue.clone(), job.attempt, job.fence)
    }
}

/// The reports of one handle on a queue: the jobs that it finds discarded because their last lease has expired.
///
/// No worker is left to report such a discard. The handle whose call notices the expiry logs the job and reports it to one
/// listener: the first that serves the job's queue, otherwise the first of all. Without a listener, it only logs.
///
/// A backend calls [`report`](Self::report) once for each such job, after its commit and without a lock.
#[derive(Default)]
pub struct ExpiryFeed {
    listeners: Mutex<Vec<Weak<Listener>>>,
}

struct Listener {
    queues: Vec<QueueName>,
    note: Box<dyn Fn(&ExpiredJob) + Send + Sync>,
}

/// A listener of an [`ExpiryFeed`], for as long as this value lives.
#[must_use = "the reports end when this is dropped"]
pub struct Subscription {
    _listener: Arc<Listener>,
}

impl ExpiryFeed {
    /// Creates a feed without listeners.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a listener for the jobs of these queues.
    ///
    /// `note` must return at once: an operation of the queue waits for it.
    pub fn subscribe(
        &self,
        queues: impl IntoIterator<Item = QueueName>,
        note: impl Fn(&ExpiredJob) + Send + Sync + 'static,
    ) -> Subscription {
        let listener = Arc::new(Listener { queues: queues.into_iter().collect(), note: Box::new(note) });
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| listener.strong_count() > 0);
        listeners.push(Arc::downgrade(&listener));
        Subscription { _listener: listener }
    }

    /// Logs a job, and reports it to one listener.
    pub fn report(&self, job: &ExpiredJob) {
        let ExpiredJob { id, name, queue, attempt, .. } = job;
        tracing::error!(
            job.id = %id, job.name = %name, job.queue = %queue, job.attempt = attempt,
            "discarded after {attempt} of {attempt} attempts: the lease expired, since the worker died or could not renew it"
        );
        if let Some(listener) = self.listener(queue) {
            (listener.note)(job);
        }
    }

    fn listener(&self, queue: &QueueName) -> Option<Arc<Listener>> {
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let mut live = listeners.iter().filter_map(Weak::upgrade);
        let first = live.next()?;
        if first.queues.contains(queue) {
            return Some(first);
        }
        live.find(|listener| listener.queues.contains(queue)).or(Some(first))
    }
}

impl fmt::Debug for ExpiryFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExpiryFeed")
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription")
    }
}
