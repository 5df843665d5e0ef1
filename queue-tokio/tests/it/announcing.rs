//! Tests how a service announces itself: H86.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use queue_core::admin::WorkerRecord;
use queue_core::backend::Decorator;
use queue_core::{
    Admin as _, Announcement, Event, NewJob, Queue, QueueError, QueueExt as _, Receipt, Services, State,
    WorkerId, background_job, jobs,
};
use queue_testkit::{Recorder, VirtualClock};
use queue_tokio::{MemoryQueue, QueueService};
use tokio::sync::Semaphore;

use crate::world::{TestResult, World, host, keeping_queue, record};

#[background_job]
async fn hold(#[inject] gate: &Semaphore) {
    gate.acquire().await.unwrap().forget();
}

#[background_job]
async fn work() {}

/// The only worker that the queue lists.
async fn only_worker(queue: &MemoryQueue) -> Result<WorkerRecord, Box<dyn std::error::Error + Send + Sync>> {
    let mut workers = queue.workers().await?;
    match (workers.pop(), workers.is_empty()) {
        (Some(worker), true) => Ok(worker),
        (last, _) => Err(format!("the workers are {workers:?} and {last:?}").into()),
    }
}

/// H86, Q100: A service announces its identity, which its claims name too, and a stop removes it.
#[tokio::test(start_paused = true)]
async fn a_service_announces_itself_until_it_stops() -> TestResult {
    let gate = Arc::new(Semaphore::new(0));
    let services = Services::builder().singleton_as(gate.clone());
    let set = |service: QueueService| service.named("mails").concurrency(3).program("shop 1.2");
    let world = World::with(jobs![hold], services, set).await;
    let id = world.queue.enqueue(hold::new()).await?.id();
    world.recorder.wait_for("the start", |event| matches!(event, Event::Started(_))).await;

    for _ in 0..10 {
        tokio::time::advance(Duration::from_secs(10)).await;
        tokio::task::yield_now().await;
    }

    let worker = only_worker(&world.queue).await?;
    let expected = WorkerId::of(&worker.host, std::process::id(), "mails");
    assert_eq!((&worker.worker, worker.is_live, &*worker.program), (&expected, true, "shop 1.2"));
    assert_eq!((worker.concurrency, worker.running, worker.pid), (3, 1, std::process::id()));
    assert!(worker.serves(&"default".into()), "{:?}", worker.queues);
    assert!(worker.jobs.contains("hold"), "{:?}", worker.jobs);
    let age = worker.seen_at.since(worker.since);
    assert!((85..=100).contains(&age.as_secs()), "{worker:?}");
    assert_eq!(record(&world.queue, id).await.claimed_by, Some(expected));
    gate.add_permits(1);
    world.host.stop().await?;
    assert_eq!(world.queue.workers().await?, []);
    Ok(())
}

/// A queue that sends the test a message for each announcement that it has stored.
struct Telling(MemoryQueue, mpsc::Sender<()>);

#[async_trait]
impl Decorator for Telling {
    type Inner = MemoryQueue;

    fn inner(&self) -> &MemoryQueue {
        &self.0
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        self.0.push_at_once(job)
    }

    async fn announce(&self, announcement: &Announcement) -> Result<(), QueueError> {
        self.0.announce(announcement).await?;
        self.1.send(()).unwrap();
        Ok(())
    }
}

/// H86: A service that died is listed as vanished within the length of a lease.
#[test]
fn a_service_that_died_has_vanished_within_a_lease() -> TestResult {
    let clock = VirtualClock::new();
    let queue = MemoryQueue::builder().clock(clock.clone()).build();
    let (told, heard) = mpsc::channel();
    let service = QueueService::new(Telling(queue.clone(), told), jobs![work]).worker("one");
    let process = tokio::runtime::Runtime::new()?;
    process.spawn(service.run_until(std::future::pending::<()>()));
    heard.recv_timeout(Duration::from_secs(20))?;

    process.shutdown_background();
    clock.advance(Duration::from_secs(30));

    let worker = queue_testkit::block_on(only_worker(&queue))?;
    assert_eq!((worker.worker.as_str(), worker.is_live), ("one", false));
    Ok(())
}

/// A queue that never answers an announcement.
struct Silent(MemoryQueue);

#[async_trait]
impl Decorator for Silent {
    type Inner = MemoryQueue;

    fn inner(&self) -> &MemoryQueue {
        &self.0
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        self.0.push_at_once(job)
    }

    async fn announce(&self, _: &Announcement) -> Result<(), QueueError> {
        std::future::pending().await
    }
}

/// H86: An announcement that is never answered delays no job and no stop for long.
#[tokio::test(start_paused = true)]
async fn an_announcement_that_is_never_answered_holds_up_nothing() -> TestResult {
    let queue = keeping_queue();
    let recorder = Recorder::with_deadline(Duration::from_secs(120));
    let service = QueueService::new(Silent(queue.clone()), jobs![work]).observe(recorder.clone());
    let running = host(Services::builder().build()?, service).start().await?;

    let id = queue.enqueue(work::new()).await?.id();
    recorder.wait_for_settled::<work>(1).await;

    assert_eq!(record(&queue, id).await.state, State::Completed);
    let began = tokio::time::Instant::now();
    running.stop().await?;
    assert!(began.elapsed() <= Duration::from_secs(1), "the stop took {:?}", began.elapsed());
    Ok(())
}
