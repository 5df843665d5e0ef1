//! The baseline: a port of .NET's `BackgroundTaskQueue`, a locked deque of boxed closures and a semaphore.
//!
//! Like the original, it has no bound. It has no ids, leases, retries or scopes, and a job that panics ends its worker.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use harness::{Payload, Producer, Scratch, System, Tally};
use queue_core::BoxFuture;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

type WorkItem = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

#[derive(Clone)]
pub(crate) struct Baseline {
    shared: Arc<Shared>,
    tally: Tally,
}

struct Shared {
    items: Mutex<VecDeque<WorkItem>>,
    ready: Semaphore,
}

impl Shared {
    fn push(&self, item: WorkItem) {
        self.items.lock().unwrap_or_else(PoisonError::into_inner).push_back(item);
        self.ready.add_permits(1);
    }

    async fn pop(&self) -> Option<WorkItem> {
        self.ready.acquire().await.ok()?.forget();
        self.items.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl System for Baseline {
    type Producer = Self;
    type Workers = JoinSet<()>;

    async fn open(_scratch: &Scratch, tally: Tally) -> anyhow::Result<Self> {
        let shared = Shared { items: Mutex::new(VecDeque::new()), ready: Semaphore::new(0) };
        Ok(Self { shared: Arc::new(shared), tally })
    }

    fn producer(&self) -> Self {
        self.clone()
    }

    async fn start(&mut self, workers: usize) -> anyhow::Result<JoinSet<()>> {
        let worker = || {
            let shared = self.shared.clone();
            async move {
                while let Some(item) = shared.pop().await {
                    item().await;
                }
            }
        };
        Ok(std::iter::repeat_with(worker).take(workers).collect())
    }
}

impl Producer for Baseline {
    async fn enqueue(&mut self, payload: Payload) -> anyhow::Result<()> {
        let tally = self.tally;
        self.shared
            .push(Box::new(move || Box::pin(async move { tally.run(payload.user_id, &payload.template) })));
        Ok(())
    }
}
