//! A store whose transactions hold unique keys only, and whose pushes and settlements share batches.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use async_trait::async_trait;
use queue_conformance::durable::{Store as _, Transaction};
use queue_core::{Admin, JobId, NewJob, QueueError, Receipt, Settled, Settlement};
use tokio::sync::watch;

use super::broken::Bug;
use crate::durable::OnDisk;

/// The keys that open transactions hold, by file. Each receiver ends with its transaction.
static HELD: LazyLock<Mutex<Held>> = LazyLock::new(Mutex::default);

type Held = HashMap<(PathBuf, String), watch::Receiver<()>>;

/// A store in which all calls of a batch wait for a unique key that one of them needs.
#[derive(Default)]
pub(super) struct SharesBatches {
    path: PathBuf,
    batch: tokio::sync::Mutex<()>,
}

impl SharesBatches {
    /// Waits until no open transaction holds a key of these jobs.
    async fn wait_for_keys(&self, jobs: impl Iterator<Item = &NewJob>) {
        for unique in jobs.filter_map(|job| job.unique.as_ref()) {
            let key = (self.path.clone(), unique.key.clone());
            let held = HELD.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
            if let Some(mut held) = held {
                // This ends with an error when the transaction drops the sender.
                assert!(held.changed().await.is_err());
            }
        }
    }
}

/// A transaction that stores its jobs when it commits, and holds their keys until then.
struct Keys {
    queue: Arc<dyn Admin>,
    path: PathBuf,
    jobs: Vec<NewJob>,
    held: watch::Sender<()>,
}

#[async_trait]
impl Transaction for Keys {
    async fn push(&mut self, job: NewJob) -> Result<Receipt, QueueError> {
        let id = job.id.unwrap_or_else(JobId::random);
        if let Some(unique) = &job.unique {
            let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
            held.insert((self.path.clone(), unique.key.clone()), self.held.subscribe());
        }
        self.jobs.push(job.id(id));
        Ok(Receipt::Stored(id))
    }

    async fn commit(mut self: Box<Self>) {
        self.queue.push(std::mem::take(&mut self.jobs)).await.expect("a commit");
        self.release();
    }

    async fn rollback(self: Box<Self>) {
        self.release();
    }
}

impl Keys {
    fn release(&self) {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|(path, _), _| Path::new(path) != self.path);
    }
}

#[async_trait]
impl Bug for SharesBatches {
    const MESSAGE: &str = "a push behind 1 that wait for a key";

    fn of(disk: &OnDisk) -> Self {
        Self { path: disk.path().to_owned(), ..Self::default() }
    }

    async fn push(&self, queue: &Arc<dyn Admin>, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let _batch = self.batch.lock().await;
        self.wait_for_keys(jobs.iter()).await;
        queue.push(jobs).await
    }

    async fn settle(
        &self,
        queue: &Arc<dyn Admin>,
        settlements: Vec<Settlement>,
    ) -> Result<Vec<Settled>, QueueError> {
        self.wait_for_keys(settlements.iter().flat_map(|settlement| &settlement.followups)).await;
        queue.settle(settlements).await
    }

    async fn begin(disk: &OnDisk) -> Option<Box<dyn Transaction>> {
        let queue = disk.open().await.expect("the same file again");
        let (held, _) = watch::channel(());
        Some(Box::new(Keys { queue, path: disk.path().to_owned(), jobs: Vec::new(), held }))
    }
}
