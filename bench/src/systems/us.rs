//! Our queue, with everything on: a bound, ids, leases, retries, a scope for each job, panics caught, `tracing`.

use queue_core::{QueueExt, Services, background_job, jobs};
use queue_tokio::{Host, QueueService, RunningHost, TokioQueue};

use super::{Producer, System, WORKERS};
use crate::tally::{Payload, Tally};

/// Welcomes a user.
#[background_job]
pub(crate) async fn welcome(#[inject] tally: &Tally, user_id: u64, template: &str) {
    tally.run(user_id, template);
}

impl From<Payload> for welcome {
    fn from(payload: Payload) -> Self {
        Self { user_id: payload.user_id, template: payload.template }
    }
}

pub(crate) struct Us {
    queue: TokioQueue,
    tally: Tally,
}

impl System for Us {
    type Producer = TokioQueue;
    type Workers = RunningHost;

    fn new(bound: usize, tally: Tally) -> Self {
        Self { queue: TokioQueue::bounded(u32::try_from(bound).unwrap_or(u32::MAX)), tally }
    }

    fn producer(&self) -> TokioQueue {
        self.queue.clone()
    }

    async fn start(&mut self) -> anyhow::Result<RunningHost> {
        let service = QueueService::new(self.queue.clone(), jobs![welcome]).concurrency(WORKERS);
        let services = Services::builder().singleton(self.tally).build()?;
        Ok(Host::builder().services(services).service(service).build()?.start().await?)
    }
}

impl Producer for TokioQueue {
    async fn enqueue(&mut self, payload: Payload) -> anyhow::Result<()> {
        QueueExt::enqueue(&*self, welcome::from(payload)).await?;
        Ok(())
    }
}
