//! This project's queues with partitions and limits.
//!
//! The limits are declared before the first job, as in a program that runs for a while: so no measurement has the cost of
//! declaring them for a full queue.

use std::marker::PhantomData;

use harness::{Payload, Producer, Scratch, System, Tally};
use queue_core::{Job, Jobs, NewJob, Queue, QueueExt as _, QueueName, background_job};
use queue_tokio::{QueueService, RunningHost};

use super::observed::Store;
use super::queue_tokio::{host_with, welcome};
use crate::sharing::{PartitionNames, Sharing};

/// Serves a tenant: works for as long as the measurement says.
#[background_job]
pub(crate) async fn serve(#[inject] tally: &Tally, user_id: u64, template: &str) {
    tally.run(user_id, template);
    tally.work().await;
}

impl From<Payload> for serve {
    fn from(payload: Payload) -> Self {
        Self { user_id: payload.user_id, template: payload.template }
    }
}

/// A kind of job and the sharing of its queue, as a type: a system is opened without further arguments.
pub(crate) trait Share: Send + Sync + 'static {
    /// The kind of job.
    type Job: Job + From<Payload>;
    /// The partitions and limits.
    const SHARING: Sharing;
}

/// Defines a type for each kind of job and sharing.
macro_rules! shares {
    ($($name:ident: $job:ident, $sharing:ident;)+) => {
        $(
            #[doc = concat!("[`Sharing::", stringify!($sharing), "`], with the job `", stringify!($job), "`.")]
            pub(crate) struct $name;

            impl Share for $name {
                type Job = $job;
                const SHARING: Sharing = Sharing::$sharing;
            }
        )+
    };
}

shares! {
    NotAhead: welcome, NotAhead;
    Total: welcome, Total;
    Hundred: welcome, Hundred;
    TenThousand: welcome, TenThousand;
    HundredAtWork: serve, Hundred;
    TenThousandAtWork: serve, TenThousand;
    Tenants: serve, Tenants;
    InLine: serve, Plain;
}

/// A queue of this project with partitions and limits.
pub(crate) struct SharedSystem<S: Store, P> {
    queue: S::Queue,
    names: PartitionNames,
    tally: Tally,
    share: PhantomData<fn() -> P>,
}

impl<S: Store, P: Share> System for SharedSystem<S, P> {
    type Producer = SharedEntrance<S::Queue, P>;
    type Workers = RunningHost;

    async fn open(scratch: &Scratch, tally: Tally) -> anyhow::Result<Self> {
        let queue = S::open(scratch, tally).await?.queue();
        let limits = P::SHARING.limits();
        if !limits.is_empty() {
            queue.declare_limits(&QueueName::DEFAULT, &limits).await?;
        }
        Ok(Self { queue, names: PartitionNames::of(P::SHARING), tally, share: PhantomData })
    }

    fn producer(&self) -> SharedEntrance<S::Queue, P> {
        SharedEntrance { queue: self.queue.clone(), names: self.names.clone(), share: PhantomData }
    }

    async fn start(&mut self, workers: usize) -> anyhow::Result<RunningHost> {
        let service =
            QueueService::new(self.queue.clone(), Jobs::new().with::<P::Job>()).concurrency(workers);
        let is_ahead = P::SHARING != Sharing::NotAhead;
        let service = if is_ahead { service } else { service.prefetch(0) };
        host_with(service, self.tally).await
    }
}

/// Enqueues each job to the partition of its user.
pub(crate) struct SharedEntrance<Q, P> {
    queue: Q,
    names: PartitionNames,
    share: PhantomData<fn() -> P>,
}

impl<Q: Queue, P: Share> Producer for SharedEntrance<Q, P> {
    async fn enqueue(&mut self, payload: Payload) -> anyhow::Result<()> {
        let partition = self.names.of_user(payload.user_id);
        self.queue.enqueue(P::Job::from(payload)).partition(partition).await?;
        Ok(())
    }

    async fn enqueue_all(&mut self, payloads: Vec<Payload>) -> anyhow::Result<()> {
        let names = &self.names;
        let job = |payload: Payload| {
            let partition = names.of_user(payload.user_id);
            NewJob::from(P::Job::from(payload)).partition(partition)
        };
        self.queue.enqueue_all(payloads.into_iter().map(job)).await?;
        Ok(())
    }
}
