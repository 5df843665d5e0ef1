//! H36, H38: changes of the same schedule at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use queue_core::admin::{Filter, JobPage, PageRequest};
use queue_core::backend::{AdminDecorator, Decorator};
use queue_core::{
    Admin as _, Body, Demand, JobId, JobRecord, NewJob, Queue as _, QueueError, QueueErrorKind, Receipt,
    Recurrence,
};
use queue_schedules::Schedules;
use queue_tokio::MemoryQueue;

use crate::world::{DAY, HOUR, MINUTE, TestResult};

/// A queue before each of whose calls other tasks run, for a number of steps that depends on a seed.
#[derive(Clone)]
struct Interleaved(MemoryQueue, Arc<AtomicU64>);

impl Interleaved {
    fn new(seed: u64) -> Self {
        Self(MemoryQueue::new(), Arc::new(AtomicU64::new(seed)))
    }

    async fn pass(&self) {
        // The numbers of Knuth's MMIX.
        let next = |state: u64| {
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
        };
        let state = self.1.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |state| Some(next(state)));
        for _ in 0..state.unwrap_or_default() >> 62 {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl Decorator for Interleaved {
    type Inner = MemoryQueue;

    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.pass().await;
        self.0.push(jobs).await
    }

    fn inner(&self) -> &MemoryQueue {
        &self.0
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        self.0.push_at_once(job)
    }
}

#[async_trait]
impl AdminDecorator for Interleaved {
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        self.pass().await;
        self.0.get(id).await
    }

    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        self.pass().await;
        self.0.list(filter, page).await
    }
}

fn job() -> NewJob {
    NewJob::new("job", Body::stored("{}"))
}

/// H36, H38: An operator pauses a schedule while a deploy changes it. Both take effect, in whatever order they are.
#[tokio::test(start_paused = true)]
async fn a_pause_and_a_change_at_the_same_time_both_take_effect() -> TestResult {
    for seed in 0..200 {
        let queue = Interleaved::new(seed);
        let program = |interval| Schedules::new("shop", queue.clone()).every("report", interval, job());
        program(HOUR).apply().await?;
        let (operator, deployed) = (program(HOUR), program(DAY));

        let (paused, applied) = tokio::join!(operator.pause("report"), deployed.apply());

        paused?;
        applied?;
        let list = operator.list().await?;
        let report: Vec<_> = list.iter().map(|report| (report.words(), report.is_paused)).collect();
        assert_eq!(report, [("every day", true)], "seed {seed}");
    }
    Ok(())
}

/// H36: Of two changes at the same time, one is in effect, and no tick is lost or left behind.
#[tokio::test(start_paused = true)]
async fn of_two_changes_at_the_same_time_one_is_in_effect() -> TestResult {
    for seed in 0..200 {
        let queue = Interleaved::new(seed);
        let program = Schedules::new("shop", queue.clone());
        program.put("report", Recurrence::every(HOUR), job()).await?;

        let (day, minute, removed) = tokio::join!(
            program.put("report", Recurrence::every(DAY), job()),
            program.put("report", Recurrence::every(MINUTE), job()),
            program.remove("report"),
        );

        day?;
        minute?;
        // The removal may have been the first one, so the others put the schedule again.
        removed?;
        assert!(program.list().await?.len() <= 1, "seed {seed}");
        let ticks = queue.0.list(&Filter::all().unfinished(), &PageRequest::first(9)).await?.jobs;
        assert_eq!(ticks.len(), 1, "seed {seed}: {ticks:?}");
    }
    Ok(())
}

/// H36: A caller that dies during a change delays the next one by the length of a turn at most, also if no worker performs ticks.
#[tokio::test(start_paused = true)]
async fn a_caller_that_dies_during_a_change_does_not_hold_up_others_for_ever() -> TestResult {
    let queue = MemoryQueue::new();
    let program = Schedules::new("shop", queue.clone());
    program.put("report", Recurrence::every(HOUR), job()).await?;
    let died =
        NewJob::new("schedule.turn", Body::stored("null")).queue("schedule:shop").unique("shop/report");
    queue.push(vec![died.delay(Duration::from_secs(10))]).await?;
    let began = tokio::time::Instant::now();

    program.pause("report").await?;

    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert!(program.list().await?[0].is_paused);
    let demand = Demand::new("schedule:shop", 10).wait(Duration::ZERO);
    assert_eq!(queue.claim(&demand).await?.len(), 0, "no turn is left");
    let error = program.pause("other").await.expect_err("there is no such schedule");
    assert_eq!(error.kind(), QueueErrorKind::NotFound);
    Ok(())
}
