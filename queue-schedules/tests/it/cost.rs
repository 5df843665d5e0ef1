//! The cost of schedules: the calls of the queue are counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use queue_core::admin::{Change, Filter, JobPage, PageRequest};
use queue_core::backend::{AdminDecorator, Decorator};
use queue_core::{
    Delivery, Demand, JobId, JobRecord, NewJob, Queue as _, QueueError, Receipt, Recurrence, Settled,
    Settlement, background_job, jobs,
};
use queue_schedules::Schedules;
use queue_tokio::{Host, MemoryQueue, QueueService};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

use crate::world::{HOUR, TestResult, note};

/// A queue that counts its calls, and the jobs that are listed.
#[derive(Clone, Default)]
struct Counted(MemoryQueue, Arc<Calls>);

#[derive(Default)]
struct Calls {
    names: Mutex<Vec<&'static str>>,
    listed: AtomicU64,
}

impl Counted {
    fn note(&self, call: &'static str) {
        self.1.names.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    /// Returns the calls since the last time.
    fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.1.names.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Decorator for Counted {
    type Inner = MemoryQueue;

    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.note("push");
        self.0.push(jobs).await
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let claimed = self.0.claim(demand).await?;
        if !claimed.is_empty() {
            self.note("claim");
        }
        Ok(claimed)
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        self.note("settle");
        self.0.settle(settlements).await
    }

    fn inner(&self) -> &MemoryQueue {
        &self.0
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        self.note("push");
        self.0.push_at_once(job)
    }
}

#[async_trait]
impl AdminDecorator for Counted {
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        self.note("get");
        queue_core::Admin::get(&self.0, id).await
    }

    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        self.note("list");
        let page = queue_core::Admin::list(&self.0, filter, page).await?;
        self.1.listed.fetch_add(page.jobs.len() as u64, Ordering::Relaxed);
        Ok(page)
    }

    async fn ended(&self, ids: &[JobId], wait: Duration) -> Result<Vec<Option<JobRecord>>, QueueError> {
        self.note("ended");
        queue_core::Admin::ended(&self.0, ids, wait).await
    }

    async fn change(&self, ids: &[JobId], filter: &Filter, change: &Change) -> Result<u64, QueueError> {
        self.note("change");
        queue_core::Admin::change(&self.0, ids, filter, change).await
    }
}

/// H36: A start with 1,000 schedules that have not changed takes one trip, beside 10,000 that were put at run time.
#[tokio::test]
async fn a_start_without_changes_takes_one_trip() -> TestResult {
    let queue = Counted::default();
    let group = || Schedules::new("shop", queue.clone());
    let declared =
        || (0..1_000).fold(group(), |all, number| all.every(number.to_string(), HOUR, note::new()));
    for number in 0..10_000 {
        group().put(format!("customer-{number}"), Recurrence::every(HOUR), note::new()).await?;
    }
    queue.calls();

    declared().apply().await?;
    let first = queue.calls();
    declared().apply().await?;
    let again = queue.calls();

    assert_eq!(first, ["list", "push"]);
    assert_eq!(again, ["list"]);
    Ok(())
}

/// H39: A page takes two trips and reads its own schedules only, beside 10,000 others.
#[tokio::test]
async fn a_page_takes_two_trips() -> TestResult {
    let queue = Counted::default();
    let group = Schedules::new("shop", queue.clone());
    for number in 0..10_000 {
        group.put(format!("customer-{number}"), Recurrence::every(HOUR), note::new()).await?;
    }
    queue.calls();

    let first = group.page(None, 25).await?;
    let page = group.page(first.next, 25).await?;
    let recent = group.recent(&page.schedules, 12).await?;

    assert_eq!((page.schedules.len(), recent.len()), (25, 25));
    // The first page begins with the declared schedules, of which there is none. No schedule has a job to read yet.
    assert_eq!(queue.calls(), ["list", "list", "list"]);
    assert_eq!(queue.1.listed.load(Ordering::Relaxed), 50);
    Ok(())
}

#[background_job(every = "1s")]
async fn beat() {}

/// H29: A tick costs the claim and the settlement of one job, and no other call.
#[tokio::test(start_paused = true)]
async fn a_tick_costs_what_a_job_costs() -> TestResult {
    let queue = Counted::default();
    let schedules = Schedules::new("shop", queue.clone()).jobs(jobs![beat]);
    let host =
        Host::builder().service(QueueService::new(queue.clone(), jobs![beat])).service(schedules).build()?;
    let running = host.start().await?;
    sleep_until(Instant::now() + Duration::from_millis(2_500)).await; // virtual
    queue.calls();

    sleep_until(Instant::now() + Duration::from_secs(10)).await; // virtual
    let calls = queue.calls();

    let number = |call: &str| calls.iter().filter(|other| **other == call).count();
    // Ten ticks, and the ten jobs that they enqueue.
    assert_eq!((number("claim"), number("settle"), calls.len()), (20, 20, 40), "{calls:?}");
    running.stop().await?;
    Ok(())
}
