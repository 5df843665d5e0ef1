//! Laws about waiting for the end of jobs.

use std::time::Duration;

use queue_core::admin::Prune;
use queue_core::{Delivery, Demand, JobId, JobRecord, Lease, State, Transition};

use super::harness::QueueHarness;
use super::jobs::{MICROSECOND, SECOND, id, job};
use crate::law::expect_eq;

/// A wait that no law lets pass.
const LONG: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// The number of jobs that end while a wait for their end begins.
const RACES: u32 = 40;

/// Q84: `ended` answers by state as soon as one of the jobs has ended, and after its wait at the latest; no end is missed.
pub(super) async fn q84_a_wait_for_the_end_of_jobs_misses_no_end(harness: &QueueHarness) {
    answers_at_once_if_one_has_ended(harness).await;
    wakes_for_each_kind_of_end(harness).await;
    ends_with_its_wait(harness).await;
    misses_no_end_at_its_beginning(harness).await;
    wakes_for_an_end_by_another_handle(harness).await;
}

async fn answers_at_once_if_one_has_ended(harness: &QueueHarness) {
    for (number, state) in (0..).zip([State::Completed, State::Discarded, State::Cancelled]) {
        let delivery = claimed(harness, number).await;
        harness.settle(&delivery, end(state)).await;
        harness.push(vec![job(number).id(id(number + 100)).queue("later")]).await;

        let waiter = harness.ending(&[id(number + 100), id(number)], LONG);

        let jobs = harness.ok("a wait for a job that has ended", waiter.wakes()).await;
        expect_eq!(states(&jobs), [Some(State::Available), Some(state)], "the states of both jobs");
    }
    let none = harness.ok("a wait for no job", harness.queue().ended(&[], LONG)).await;
    assert!(none.is_empty(), "a wait for no job returned {none:?}");
}

async fn wakes_for_each_kind_of_end(harness: &QueueHarness) {
    for (number, state) in (10..).zip([State::Completed, State::Discarded, State::Cancelled]) {
        let delivery = claimed(harness, number).await;
        harness.push(vec![job(number).id(id(number + 100)).queue("later")]).await;
        let mut waiter = harness.ending(&[id(number + 100), id(number)], LONG);
        waiter.waits(&**harness.queue()).await;
        let retry = Transition::Retry { at: harness.now(), error: "again".into() };
        harness.settle(&delivery, retry).await;
        waiter.waits(&**harness.queue()).await;
        let delivery = harness.claim_one().await;

        harness.settle(&delivery, end(state)).await;

        let jobs = harness.ok("a wait for a job that ends meanwhile", waiter.wakes()).await;
        expect_eq!(states(&jobs), [Some(State::Available), Some(state)], "the states of both jobs");
    }
    harness.push(vec![job(20).id(id(20)).max_attempts(1), job(21).id(id(21)).queue("later")]).await;
    harness.claim_one().await;
    let lost = harness.ending(&[id(20)], LONG);
    let cancelled = harness.ending(&[id(21)], LONG);
    for (mut waiter, number, state) in [(cancelled, 21, State::Cancelled), (lost, 20, State::Discarded)] {
        waiter.waits(&**harness.queue()).await;
        match state {
            State::Cancelled => {
                harness.ok("`cancel`", harness.queue().cancel(id(number), "no more")).await;
            }
            _ => harness.advance(Lease::DEFAULT_LENGTH).await,
        }
        let jobs = harness.ok("a wait for a job that ends meanwhile", waiter.wakes()).await;
        expect_eq!(states(&jobs), [Some(state)], "the state of the job");
    }
}

async fn ends_with_its_wait(harness: &QueueHarness) {
    let delivery = harness.push(vec![job(30).id(id(30))]).await;
    let at_once = harness.ok("a wait of zero", harness.queue().ended(&delivery, Duration::ZERO)).await;
    expect_eq!(states(&at_once), [Some(State::Available)], "the state after a wait of zero");
    let mut waiter = harness.ending(&[id(30)], SECOND * 10);
    waiter.waits(&**harness.queue()).await;
    harness.advance(SECOND * 10 - MICROSECOND).await;
    waiter.waits(&**harness.queue()).await;

    harness.advance(MICROSECOND).await;

    let jobs = harness.ok("a wait of ten seconds", waiter.wakes()).await;
    expect_eq!(states(&jobs), [Some(State::Available)], "the state after the wait");
    let delivery = harness.claim_one().await;
    harness.settle(&delivery, Transition::complete()).await;
}

/// Each job ends while a wait for it begins: before, between or after its steps.
async fn misses_no_end_at_its_beginning(harness: &QueueHarness) {
    for number in 200..200 + RACES {
        let delivery = claimed(harness, number).await;
        let queue = harness.queue().clone();
        let waiting = tokio::spawn(async move { queue.ended(&[id(number)], LONG).await });
        for _ in 0..number % 4 {
            tokio::task::yield_now().await;
        }

        harness.settle(&delivery, Transition::complete()).await;

        let jobs = async { harness.steps().joins("a wait for the end of a job", waiting).await };
        let jobs = harness.ok("a wait for a job that ends at the same time", jobs).await;
        expect_eq!(states(&jobs), [Some(State::Completed)], "the state of job {number}");
    }
}

async fn wakes_for_an_end_by_another_handle(harness: &QueueHarness) {
    let Some(other) = harness.fixture().reopen().await else { return };
    let other = harness.with_queue(other);
    harness.push(vec![job(300).id(id(300))]).await;
    let mut waiter = harness.ending(&[id(300)], LONG);
    waiter.waits(&**harness.queue()).await;
    let delivery = other.claim_one().await;
    waiter.waits(&**harness.queue()).await;

    other.settle(&delivery, Transition::complete()).await;

    let jobs = harness.ok("a wait for a job that another handle ends", waiter.wakes()).await;
    expect_eq!(states(&jobs), [Some(State::Completed)], "the state of the job");
}

/// Q85: A job that is unknown, or is removed while a call waits for it, is `None` at once.
pub(super) async fn q85_a_wait_for_a_job_that_is_gone_ends_at_once(harness: &QueueHarness) {
    harness.push(vec![job(0).id(id(0)), job(1).id(id(1)).delay(SECOND * 60)]).await;

    let jobs = harness.ok("a wait for an unknown job", harness.ending(&[id(0), id(99)], LONG).wakes()).await;

    expect_eq!(states(&jobs), [Some(State::Available), None], "the states of a job and of an unknown one");
    let mut waiter = harness.ending(&[id(0), id(1)], LONG);
    waiter.waits(&**harness.queue()).await;
    harness.ok("`delete`", harness.queue().delete(id(1))).await;
    let jobs = harness.ok("a wait for a job that is deleted", waiter.wakes()).await;
    expect_eq!(states(&jobs), [Some(State::Available), None], "the states of a job and of a deleted one");
    let delivery = harness.claim_one().await;
    harness.settle(&delivery, Transition::complete()).await;
    harness.prune(&Prune::older_than(Duration::ZERO)).await;
    let jobs = harness.ok("a wait for a job that was pruned", harness.ending(&[id(0)], LONG).wakes()).await;
    expect_eq!(states(&jobs), [None], "the state of a job that was pruned");
}

/// Pushes and claims a job.
async fn claimed(harness: &QueueHarness, number: u32) -> Delivery {
    let ids: Vec<JobId> = harness.push(vec![job(number).id(id(number))]).await;
    let mut deliveries = harness.claim(Demand::new("default", 1)).await;
    expect_eq!(deliveries.iter().map(Delivery::id).collect::<Vec<_>>(), ids, "the job is claimed");
    deliveries.remove(0)
}

fn end(state: State) -> Transition {
    match state {
        State::Completed => Transition::complete(),
        State::Discarded => Transition::Discard { error: "never".into() },
        State::Cancelled => Transition::Cancel { reason: "why".into() },
        other => panic!("{other} is no end"),
    }
}

fn states(jobs: &[Option<JobRecord>]) -> Vec<Option<State>> {
    jobs.iter().map(|job| job.as_ref().map(|job| job.state)).collect()
}
