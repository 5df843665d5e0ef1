//! The setup of most tests of the hosted loop: a queue, a service over it, and a recorder.

use std::sync::Arc;
use std::time::Duration;

use queue_core::{Admin, Jobs, Queue, Services, ServicesBuilder};
use queue_testkit::{Fault, Faulty, Operation, Recorder};
use queue_tokio::{Host, MemoryQueue, QueueService, RunningHost, TokioClock};

pub(crate) type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// A hosted loop under test.
pub(crate) struct World {
    pub(crate) queue: MemoryQueue,
    pub(crate) recorder: Recorder,
    pub(crate) host: RunningHost,
}

impl World {
    /// Runs these jobs over an in-memory queue that keeps finished jobs.
    pub(crate) async fn start(jobs: Jobs, services: ServicesBuilder) -> Self {
        Self::with(jobs, services, |service| service).await
    }

    /// The same with other settings of the service.
    pub(crate) async fn with(
        jobs: Jobs,
        services: ServicesBuilder,
        set: impl FnOnce(QueueService) -> QueueService,
    ) -> Self {
        let queue = keeping_queue();
        Self::over(queue.clone(), queue, jobs, services, set).await
    }

    /// The same with a loop over another queue, usually one that wraps the first.
    pub(crate) async fn over(
        queue: MemoryQueue,
        served: impl Queue,
        jobs: Jobs,
        services: ServicesBuilder,
        set: impl FnOnce(QueueService) -> QueueService,
    ) -> Self {
        let recorder = Recorder::with_deadline(Duration::from_secs(120));
        let service = set(QueueService::new(served, jobs).observe(recorder.clone()));
        let host = host(services.build().unwrap(), service).start().await.unwrap();
        Self { queue, recorder, host }
    }
}

pub(crate) fn host(services: Services, service: QueueService) -> Host {
    Host::builder()
        .services(services)
        .service(service)
        .shutdown_timeout(Duration::from_secs(5))
        .build()
        .unwrap()
}

pub(crate) fn keeping_queue() -> MemoryQueue {
    MemoryQueue::builder().retention(queue_core::table::Retention::everything()).build()
}

/// Sets up a remote queue whose claims take 5 ms.
pub(crate) fn far_away(queue: &MemoryQueue) -> Faulty<MemoryQueue> {
    let far = Faulty::new(queue.clone(), TokioClock::new());
    for nth in 1..1000 {
        far.faults().on(Operation::Claim, nth, Fault::Delay(Duration::from_millis(5)));
    }
    far
}

pub(crate) async fn record(queue: &MemoryQueue, id: queue_core::JobId) -> queue_core::JobRecord {
    queue.get(id).await.unwrap().expect("the job is there")
}

/// A value that the jobs of a test share.
pub(crate) fn shared<T: Default + Send + Sync + 'static>() -> Arc<T> {
    Arc::default()
}
