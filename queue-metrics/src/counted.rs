//! The decorator that counts pushed jobs.

use std::sync::Arc;

use async_trait::async_trait;
use queue_core::backend::{AdminDecorator, Decorator};
use queue_core::{Admin, NewJob, Queue, QueueError, QueueErrorKind, Receipt};

use crate::job_metrics::JobMetrics;
use crate::process_metrics::ProcessMetrics;

/// A queue that counts the jobs that are pushed through it, by their receipts. [`QueueMetrics::count`](crate::QueueMetrics::count) creates it.
///
/// A job that an application stores in its own transaction does not pass through it, and is not counted. Followups are counted by
/// the [observer](crate::QueueMetrics) of the service that settles them.
#[derive(Clone, Debug)]
pub struct CountedQueue<Q> {
    queue: Q,
    metrics: Arc<ProcessMetrics>,
}

impl<Q> CountedQueue<Q> {
    pub(crate) fn new(queue: Q, metrics: Arc<ProcessMetrics>) -> Self {
        Self { queue, metrics }
    }

    fn of(&self, job: &NewJob) -> Arc<JobMetrics> {
        self.metrics.job(&job.queue, &job.name)
    }

    fn note_error(&self, error: &QueueError) {
        if error.kind() == QueueErrorKind::Unavailable {
            self.metrics.count_store_failure("push");
        }
    }
}

#[async_trait]
impl<Q: Queue> Decorator for CountedQueue<Q> {
    type Inner = Q;

    fn inner(&self) -> &Q {
        &self.queue
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        let metrics = self.of(job.as_ref()?);
        let answer = self.queue.push_at_once(job)?;
        match &answer {
            Ok(receipt) => metrics.count_push(*receipt),
            Err(error) => self.note_error(error),
        }
        Some(answer)
    }

    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let metrics: Vec<_> = jobs.iter().map(|job| self.of(job)).collect();
        let answer = self.queue.push(jobs).await;
        match &answer {
            Ok(receipts) => metrics.iter().zip(receipts).for_each(|(job, receipt)| job.count_push(*receipt)),
            Err(error) => self.note_error(error),
        }
        answer
    }
}

impl<Q: Admin> AdminDecorator for CountedQueue<Q> {}
