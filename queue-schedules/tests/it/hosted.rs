//! The hosted service: it stores the schedules at its start, and performs their ticks.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use queue_core::admin::{Filter, JobPage, PageRequest};
use queue_core::backend::{AdminDecorator, Decorator};
use queue_core::{
    Admin as _, Delivery, Demand, NewJob, Queue as _, QueueError, Receipt, Services, Tick, background_job,
    jobs,
};
use queue_schedules::Schedules;
use queue_tokio::{Host, MemoryQueue, QueueService};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::world::TestResult;

type Ticks = UnboundedSender<()>;

#[background_job(every = "1s")]
async fn beat(#[inject] ticks: &Ticks) {
    // The test may have ended.
    let _ = ticks.send(());
}

/// H29: Two hosts that declare a schedule start it once, and its jobs come.
#[tokio::test(start_paused = true)]
async fn two_hosts_share_a_schedule() -> TestResult {
    let queue = MemoryQueue::new();
    let (ticks, mut received) = unbounded_channel::<()>();
    let host = || {
        Host::builder()
            .services(Services::builder().singleton(ticks.clone()).build()?)
            .service(QueueService::new(queue.clone(), jobs![beat]))
            .service(Schedules::new("shop", queue.clone()).jobs(jobs![beat]))
            .build()
    };
    let (one, two) = (host()?.start().await?, host()?.start().await?);
    let began = tokio::time::Instant::now();

    for _ in 0..10 {
        received.recv().await.expect("the hosts run");
    }

    let took = began.elapsed();
    assert!(took > Duration::from_secs(9) && took <= Duration::from_secs(10), "ten ticks took {took:?}");
    one.stop().await?;
    received.recv().await.expect("the other host goes on");
    two.stop().await?;
    Ok(())
}

/// A queue whose first lists fail, and that notes for how long ticks are claimed.
#[derive(Clone)]
struct Down(MemoryQueue, Arc<AtomicU32>, Arc<Mutex<HashSet<Duration>>>);

#[async_trait]
impl Decorator for Down {
    type Inner = MemoryQueue;

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        if demand.queues.iter().any(Tick::waits_in) {
            self.2.lock().unwrap_or_else(PoisonError::into_inner).insert(demand.lease);
        }
        self.0.claim(demand).await
    }

    fn inner(&self) -> &MemoryQueue {
        &self.0
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        self.0.push_at_once(job)
    }
}

#[async_trait]
impl AdminDecorator for Down {
    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        let left = self.1.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match left {
            Ok(_) => Err(QueueError::unavailable("the server is down")),
            Err(_) => self.0.list(filter, page).await,
        }
    }
}

/// H31: A host that starts while the store is down stores its schedules once the store is back. Ticks are claimed for 5 s.
#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_at_the_start_is_waited_for() -> TestResult {
    let queue = Down(MemoryQueue::new(), Arc::new(AtomicU32::new(3)), Arc::default());
    let (ticks, mut received) = unbounded_channel::<()>();
    let host = Host::builder()
        .services(Services::builder().singleton(ticks).build()?)
        .service(QueueService::new(queue.clone(), jobs![beat]))
        .service(Schedules::new("shop", queue.clone()).jobs(jobs![beat]))
        .build()?;

    let running = host.start().await?;

    received.recv().await.expect("the schedule is stored");
    running.stop().await?;
    let leases = queue.2.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(leases, HashSet::from([Duration::from_secs(5)]));
    Ok(())
}
