//! Tests the events of calls of the queue, of waits and of followups: H83.

use std::sync::Arc;
use std::time::Duration;

use queue_core::{
    BoxError, Event, JobContext, QueueCall, QueueExt as _, Services, Transition, background_job, jobs,
};
use queue_testkit::{Fault, Faulty, Operation, Recorder};
use queue_tokio::TokioClock;
use tokio::sync::Semaphore;

use crate::world::{TestResult, World, keeping_queue};

const SECOND: Duration = Duration::from_secs(1);

#[background_job]
async fn hold(#[inject] gate: &Semaphore) {
    gate.acquire().await.unwrap().forget();
}

#[background_job(name = "events.first")]
async fn first(#[inject] context: &JobContext) {
    context.then(second::new());
}

#[background_job(name = "events.second", queue = "later")]
async fn second() {}

#[background_job(max_attempts = 2, backoff = fixed("5s"))]
async fn fail_once(#[inject] context: &JobContext) -> Result<(), BoxError> {
    if context.attempt() == 1 { Err("the first attempt fails".into()) } else { Ok(()) }
}

fn calls(recorder: &Recorder, operation: &str) -> Vec<QueueCall> {
    let call = |event: Event| match event {
        Event::Called(call) if call.operation == operation => Some(call),
        _ => None,
    };
    recorder.events().into_iter().filter_map(call).collect()
}

/// Runs jobs over a queue in memory with these faults.
async fn faulty(faults: &[(Operation, u32, Fault)], gate: &Arc<Semaphore>) -> World {
    let queue = keeping_queue();
    let faulty = Faulty::new(queue.clone(), TokioClock::new());
    for (operation, nth, fault) in faults {
        faulty.faults().on(*operation, *nth, *fault);
    }
    let services = Services::builder().singleton_as(gate.clone());
    World::over(queue, faulty, jobs![hold, first, second, fail_once], services, |service| service).await
}

/// H83: each claim and settlement is an event with its duration and its number of jobs. A claim that found ready jobs has not
/// waited, and one that found none has.
#[tokio::test(start_paused = true)]
async fn a_call_of_the_queue_is_an_event_with_its_duration() -> TestResult {
    let slow = |operation| (operation, 1, Fault::Delay(2 * SECOND));
    let gate = Arc::new(Semaphore::new(2));
    let queue = keeping_queue();
    queue.enqueue_all([hold::new(), hold::new()]).await?;
    tokio::time::advance(3 * SECOND).await;
    let served = Faulty::new(queue.clone(), TokioClock::new());
    for (operation, nth, fault) in [slow(Operation::Claim), slow(Operation::Settle)] {
        served.faults().on(operation, nth, fault);
    }
    let services = Services::builder().singleton_as(gate.clone());
    let world = World::over(queue, served, jobs![hold], services, |service| service).await;

    world.recorder.wait_for_settled::<hold>(2).await;
    world.host.stop().await?;

    let claims = calls(&world.recorder, "claim");
    assert_eq!((claims[0].took, claims[0].jobs, claims[0].has_waited), (2 * SECOND, 2, false));
    let last = claims.last().map(|claim| (claim.jobs, claim.has_waited, claim.has_failed));
    assert_eq!(last, Some((0, true, false)), "the stop ended it");
    let settled: usize = calls(&world.recorder, "settle").iter().map(|call| call.jobs).sum();
    assert_eq!((settled, calls(&world.recorder, "settle")[0].took), (2, 2 * SECOND));
    Ok(())
}

/// H83: each failed call is an event, also if the log line of the failure is not repeated.
#[tokio::test(start_paused = true)]
async fn each_failed_call_is_an_event() -> TestResult {
    let faults: Vec<_> = (1..=4).map(|nth| (Operation::Claim, nth, Fault::FailBefore)).collect();
    let world = faulty(&faults, &Arc::new(Semaphore::new(1))).await;

    world.queue.enqueue(hold::new()).await?;
    world.recorder.wait_for_settled::<hold>(1).await;

    let failed = calls(&world.recorder, "claim").iter().filter(|call| call.has_failed).count();
    let announced = |event: &Event| matches!(event, Event::QueueFailed { operation: "claim", .. });
    assert_eq!((failed, world.recorder.count(announced)), (4, 1));
    world.host.stop().await?;
    Ok(())
}

/// H83: renewals that come after two thirds of the leases' length are an event, and earlier ones are not.
#[tokio::test(start_paused = true)]
async fn late_renewals_are_an_event() -> TestResult {
    let gate = Arc::new(Semaphore::new(0));
    let world = faulty(&[(Operation::Renew, 2, Fault::FailBefore)], &gate).await;
    let is_late = |event: &Event| matches!(event, Event::RenewedLate { .. });
    let renewed = |event: &Event| matches!(event, Event::Called(call) if call.operation == "renew");

    world.queue.enqueue(hold::new()).await?;
    world.recorder.wait_for_count("renewals", 4, renewed).await;
    assert_eq!(world.recorder.count(is_late), 0, "one failure is repeated in time");
    gate.add_permits(1);
    world.host.stop().await?;

    let faults: Vec<_> = (2..=10).map(|nth| (Operation::Renew, nth, Fault::FailBefore)).collect();
    let world = faulty(&faults, &gate).await;
    world.queue.enqueue(hold::new()).await?;
    world.recorder.wait_for("a late renewal", is_late).await;
    gate.add_permits(1);
    world.host.stop().await?;
    Ok(())
}

/// H83: the first attempt reports how long the job was ready before, by the queue's clock, and a retry does not.
#[tokio::test(start_paused = true)]
async fn the_first_attempt_reports_how_long_its_job_waited() -> TestResult {
    let queue = keeping_queue();
    queue.enqueue(fail_once::new()).delay(4 * SECOND).await?;
    tokio::time::advance(11 * SECOND).await;
    let served = queue.clone();
    let world = World::over(queue, served, jobs![fail_once], Services::builder(), |service| service).await;

    world.recorder.wait_for_settled::<fail_once>(2).await;

    let waits = world.recorder.events().into_iter().filter_map(|event| match event {
        Event::Waited { job, waited } => Some((job.attempt, waited.as_secs())),
        _ => None,
    });
    assert_eq!(waits.collect::<Vec<_>>(), [(1, 7)]);
    let transitions = world.recorder.events().into_iter().filter_map(|event| match event {
        Event::Decided { transition, .. } => Some(transition.as_str()),
        _ => None,
    });
    assert_eq!(transitions.collect::<Vec<_>>(), ["retry", "complete"]);
    world.host.stop().await?;
    Ok(())
}

/// H83: each followup of a settlement that was recorded is an event.
#[tokio::test(start_paused = true)]
async fn a_stored_followup_is_an_event() -> TestResult {
    let world = faulty(&[], &Arc::new(Semaphore::new(0))).await;

    world.queue.enqueue(first::new()).await?;
    let event =
        world.recorder.wait_for("the followup", |event| matches!(event, Event::FollowedUp { .. })).await;

    let Event::FollowedUp { job, name, queue } = event else { return Err("another event".into()) };
    assert_eq!(
        (job.name.as_str(), name.as_str(), queue.as_str()),
        ("events.first", "events.second", "later")
    );
    world.host.stop().await?;
    Ok(())
}

/// H83: a settlement says whether the attempt had begun, or the job was released unstarted.
#[tokio::test(start_paused = true)]
async fn a_settlement_says_whether_the_attempt_had_begun() -> TestResult {
    let gate = Arc::new(Semaphore::new(0));
    let services = Services::builder().singleton_as(gate.clone());
    let world = World::with(jobs![hold], services, |service| service.concurrency(1).prefetch(1)).await;
    world.queue.enqueue_all([hold::new(), hold::new()]).await?;
    world.recorder.wait_for_count("claims", 2, |event| matches!(event, Event::Claimed(_))).await;

    let recorder = world.recorder.clone();
    let release_first = async {
        recorder.wait_for("the release", is_released).await;
        gate.add_permits(1);
    };
    let (stopped, ()) = tokio::join!(world.host.stop(), release_first);
    stopped?;

    let ends = world.recorder.events().into_iter().filter_map(|event| match event {
        Event::Settled { has_begun, transition, .. } => Some((transition, has_begun)),
        _ => None,
    });
    assert_eq!(ends.collect::<Vec<_>>(), [(Transition::Release, false), (Transition::complete(), true)]);
    Ok(())
}

fn is_released(event: &Event) -> bool {
    matches!(event, Event::Settled { transition: Transition::Release, .. })
}
