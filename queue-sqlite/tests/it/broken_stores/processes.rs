//! Stores that lose or duplicate jobs when processes die or share a file.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use queue_core::admin::{Filter, PageRequest};
use queue_core::{
    Admin, Delivery, Demand, JobId, Lease, NewJob, QueueError, Receipt, Settlement, State, Transition,
};
use queue_sqlite::rusqlite::Connection;

use super::broken::Bug;
use crate::durable::OnDisk;

/// Acknowledges jobs before it stores them.
#[derive(Default)]
pub(super) struct AcknowledgesFirst;

#[async_trait]
impl Bug for AcknowledgesFirst {
    const MESSAGE: &str = "was acknowledged, and";

    async fn push(&self, queue: &Arc<dyn Admin>, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let receipts = jobs.iter().map(|job| Receipt::Stored(job.id.unwrap_or_else(JobId::random))).collect();
        let queue = queue.clone();
        tokio::spawn(async move { queue.push(jobs).await });
        Ok(receipts)
    }
}

/// Stores each job of a batch in a transaction of its own.
#[derive(Default)]
pub(super) struct JobByJob;

#[async_trait]
impl Bug for JobByJob {
    const MESSAGE: &str = "a batch was stored in part";

    async fn push(&self, queue: &Arc<dyn Admin>, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let mut receipts = Vec::new();
        for job in jobs {
            receipts.extend(queue.push(vec![job]).await?);
        }
        Ok(receipts)
    }
}

/// Completes jobs when they are claimed.
#[derive(Default)]
pub(super) struct CompletesAtClaim;

#[async_trait]
impl Bug for CompletesAtClaim {
    /// The history shows several traces of the bug: a live lease that is refused, a job that no worker completed.
    const MESSAGE: &str = "what happened to job";

    async fn claim(&self, queue: &Arc<dyn Admin>, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let deliveries = queue.claim(demand).await?;
        let done = deliveries.iter().map(|job| Settlement::new(job.lease.clone(), Transition::complete()));
        queue.settle(done.collect()).await?;
        Ok(deliveries)
    }
}

/// Delivers jobs that another handle has leased, once each.
#[derive(Default)]
pub(super) struct IgnoresOtherLeases(Mutex<BTreeSet<JobId>>);

#[async_trait]
impl Bug for IgnoresOtherLeases {
    const MESSAGE: &str = "times to the programs that share the queue, and must be delivered once";

    async fn claim(&self, queue: &Arc<dyn Admin>, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let held =
            queue.list(&Filter::all().state(State::Executing), &PageRequest::first(demand.max)).await?.jobs;
        let mut deliveries = queue.claim(demand).await?;
        let mut mine = self.0.lock().expect("the delivered jobs");
        mine.extend(deliveries.iter().map(Delivery::id));
        let others = held.into_iter().filter(|job| mine.insert(job.id)).map(|job| {
            let expires_at = job.run_at.saturating_add(demand.lease);
            let lease = Lease::new(job.id, job.fence, demand.lease, expires_at);
            Delivery::new(job, lease)
        });
        deliveries.extend(others);
        Ok(deliveries)
    }
}

/// Empties the tables at its first push, if there was no file when it opened.
#[derive(Default)]
pub(super) struct EmptiesTables {
    path: PathBuf,
    is_first: AtomicBool,
}

#[async_trait]
impl Bug for EmptiesTables {
    const MESSAGE: &str = "jobs, although all were opened on one store";

    fn of(disk: &OnDisk) -> Self {
        let is_first = AtomicBool::new(!disk.path().exists());
        Self { path: disk.path().to_owned(), is_first }
    }

    async fn push(&self, queue: &Arc<dyn Admin>, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        if self.is_first.swap(false, Ordering::SeqCst) {
            let connection = Connection::open(&self.path).expect("the same file again");
            connection.execute_batch("delete from queue_jobs").expect("the tables");
        }
        queue.push(jobs).await
    }
}
