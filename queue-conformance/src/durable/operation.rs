//! The operations that an application can run in a transaction of its own and hold open (D26).

use std::time::Duration;

use queue_core::{JobId, Lease, QueueName};

/// An operation other than a push, for [`Transaction::operate`](super::Transaction::operate).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Cancels a job.
    Cancel(JobId),
    /// Retries a job, so that it is available again.
    Retry(JobId),
    /// Removes a job.
    Delete(JobId),
    /// Removes the jobs that were completed at least this long ago.
    Prune(Duration),
    /// Pauses a queue.
    Pause(QueueName),
    /// Claims one ready job of a queue.
    Claim(QueueName),
    /// Renews a lease.
    Renew(Lease),
    /// Completes a job.
    Settle(Lease),
}

/// The callers that an open transaction of an application delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delays {
    /// Callers that need the unique key or the job that the transaction holds.
    SameKeyOrJob,
    /// Every caller that writes, because the store has one writer at a time. Such a caller waits within its bound for the end of the
    /// transaction, and then gets its answer.
    Writers,
}
