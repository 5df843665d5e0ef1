//! What an application can run in a transaction of its own and hold open (D26).

use std::time::Duration;

use queue_core::{JobId, Lease, QueueName};

/// An operation of the queue beside a push, for [`Transaction::operate`](super::Transaction::operate).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Cancels a job.
    Cancel(JobId),
    /// Makes a job available again.
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

/// Whom an open transaction of an application delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delays {
    /// Callers that need the very unique key or job that it holds.
    SameKeyOrJob,
    /// Every caller that writes, since the store has one writer at a time: such a caller waits for the end of the
    /// transaction within its bound, and is then answered.
    Writers,
}
