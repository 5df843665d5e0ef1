//! A queue that refuses one kind of call.

use async_trait::async_trait;
use queue_core::admin::{LimitRecord, QueueSummary};
use queue_core::backend::{AdminDecorator, Decorator};
use queue_core::{Admin as _, NewJob, Queue as _, QueueError, QueueName, Receipt};
use queue_tokio::MemoryQueue;

/// A queue in memory that refuses one kind of call.
pub(crate) enum Refusing {
    /// Its backend keeps no limits.
    Limits(MemoryQueue),
    /// Its summary can't be read.
    Summary(MemoryQueue),
}

#[async_trait]
impl Decorator for Refusing {
    type Inner = MemoryQueue;

    fn inner(&self) -> &MemoryQueue {
        match self {
            Self::Limits(queue) | Self::Summary(queue) => queue,
        }
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        self.inner().push_at_once(job)
    }

    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.inner().push(jobs).await
    }
}

#[async_trait]
impl AdminDecorator for Refusing {
    async fn limits(&self, name: &QueueName) -> Result<Vec<LimitRecord>, QueueError> {
        match self {
            Self::Limits(_) => Err(QueueError::unsupported("this queue has no limits")),
            Self::Summary(queue) => queue.limits(name).await,
        }
    }

    async fn summary_up_to(&self, cap: u64) -> Result<Vec<QueueSummary>, QueueError> {
        match self {
            Self::Limits(queue) => queue.summary_up_to(cap).await,
            Self::Summary(_) => Err(QueueError::unavailable("the disk is away")),
        }
    }
}
