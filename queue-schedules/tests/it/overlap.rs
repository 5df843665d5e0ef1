//! H34: ticks that find an earlier job of their schedule. H30: the identities of their jobs.

use std::time::Duration;

use queue_core::{
    Admin as _, JobContext, JobRecord, Overlap, QueueName, Tick, Timestamp, background_job, jobs,
};
use queue_schedules::Schedules;
use queue_testkit::TestKit;

use crate::world::{MINUTE, TestResult, at};

/// A job that no worker takes: its queue is paused.
#[background_job(queue = "slow")]
async fn slow(#[inject] context: &JobContext) {
    context.sleep(Duration::ZERO).await; // virtual
}

/// Returns the jobs that five minutes of a schedule enqueue, of which the first starts after two minutes if `starts` says so.
async fn enqueued(overlap: Overlap, starts: bool) -> Result<Vec<JobRecord>, queue_core::BoxError> {
    let kit = TestKit::new(jobs![slow].and(Schedules::ticks())).build()?;
    let schedules =
        Schedules::new("shop", kit.queue().clone()).every("often", MINUTE, slow::new()).overlap(overlap);
    schedules.apply().await?;
    kit.queue().pause(&QueueName::from("slow")).await?;
    kit.run_for(2 * MINUTE).await?;
    if starts {
        use queue_core::{Demand, Queue as _};
        kit.queue().resume(&QueueName::from("slow")).await?;
        let demand = Demand::new("slow", 1).wait(Duration::ZERO).lease(60 * MINUTE);
        assert_eq!(kit.queue().claim(&demand).await?.len(), 1);
        kit.queue().pause(&QueueName::from("slow")).await?;
    }
    kit.run_for(3 * MINUTE).await?;
    Ok(kit.jobs().into_iter().filter(|job| job.queue == "slow").collect())
}

/// H34: With `skip`, a tick enqueues nothing while an earlier job is unfinished, whether it waits or runs.
#[queue_testkit::test]
async fn a_tick_that_finds_an_unfinished_job_is_skipped() -> TestResult {
    assert_eq!(enqueued(Overlap::Skip, false).await?.len(), 1);
    assert_eq!(enqueued(Overlap::Skip, true).await?.len(), 1);
    Ok(())
}

/// H34: With `follow`, at most one job waits, beside one that runs. It keeps the tick that enqueued it.
#[queue_testkit::test]
async fn at_most_one_job_follows() -> TestResult {
    let tick =
        |job: &JobRecord| job.meta.get(Tick::AT).and_then(|at| at.parse().ok()).map(Timestamp::from_micros);
    let ticks = |jobs: Vec<JobRecord>| jobs.iter().map(tick).collect::<Vec<_>>();

    assert_eq!(ticks(enqueued(Overlap::Follow, false).await?), [Some(at(60))]);
    assert_eq!(ticks(enqueued(Overlap::Follow, true).await?), [Some(at(60)), Some(at(180))]);
    Ok(())
}

/// H34: With `allow`, each tick enqueues its job.
#[queue_testkit::test]
async fn each_tick_enqueues_its_job_if_they_may_overlap() -> TestResult {
    assert_eq!(enqueued(Overlap::Allow, false).await?.len(), 5);
    Ok(())
}

/// H30: The identity of a tick's job is derived from group, schedule and tick, so a backfill stores no job a second time.
#[queue_testkit::test]
async fn a_backfill_stores_what_is_not_there() -> TestResult {
    let kit = TestKit::new(jobs![slow].and(Schedules::ticks())).build()?;
    let schedules = Schedules::new("shop", kit.queue().clone()).every("often", MINUTE, slow::new());
    schedules.apply().await?;
    kit.run_for(3 * MINUTE).await?;
    let ids =
        || -> Vec<_> { kit.jobs().into_iter().filter(|job| job.queue == "slow").map(|job| job.id).collect() };
    let before = ids();

    let first = schedules.backfill("often", at(-120), at(121)).await?;
    let again = schedules.backfill("often", at(-120), at(121)).await?;

    let after = ids();
    assert_eq!((first, again), (5, 5));
    assert_eq!((before.len(), after.len()), (3, 6));
    assert_eq!(after[..3], before);
    let other = TestKit::new(jobs![slow].and(Schedules::ticks())).build()?;
    let same = Schedules::new("shop", other.queue().clone());
    same.put("often", queue_core::Recurrence::every(MINUTE), slow::new()).await?;
    same.backfill("often", at(60), at(61)).await?;
    assert!(other.jobs().iter().any(|job| job.id == before[0]), "the same tick has the same id in any store");
    Ok(())
}
