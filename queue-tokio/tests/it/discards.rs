//! Tests the job that a service stores on a discard, and the event of a discard by an expired lease.

use queue_core::admin::{Filter, PageRequest};
use queue_core::{
    Admin as _, Demand, Discarded, Event, JobError, Queue as _, QueueExt as _, Services, State,
    background_job, jobs,
};

use crate::world::{TestResult, World, keeping_queue};

#[background_job(max_attempts = 1)]
async fn charge(order: u64) -> Result<(), String> {
    Err(format!("the card of order {order} was refused"))
}

#[background_job(max_attempts = 1, on_discard = own)]
async fn ship(order: u64) -> Result<(), String> {
    Err(format!("no carrier takes order {order}"))
}

#[background_job]
async fn alert(discarded: Discarded) -> Result<(), JobError> {
    drop(discarded);
    Err(JobError::permanent("the mail server does not answer"))
}

#[background_job]
async fn own(discarded: Discarded) {
    drop(discarded);
}

/// H79: a service stores its default on the discard of each job that names none, and not on the discard of that default.
#[tokio::test(start_paused = true)]
async fn a_service_has_a_default_for_discards() -> TestResult {
    let world = World::with(jobs![charge, ship, alert, own], Services::builder(), |service| {
        service.on_discard(alert::new)
    })
    .await;
    let (charged, shipped) = (charge::new(1), ship::new(2));

    world.queue.enqueue(charged.clone()).await?;
    world.queue.enqueue(shipped.clone()).await?;
    world.queue.idle().await;

    world.host.stop().await?;
    let jobs = world.queue.list(&Filter::all(), &PageRequest::first(9)).await?;
    let mut told: Vec<_> = jobs.jobs.iter().map(|job| (job.name.as_str(), job.state)).collect();
    told.sort();
    let expected = [
        ("alert", State::Discarded),
        ("charge", State::Discarded),
        ("own", State::Completed),
        ("ship", State::Discarded),
    ];
    assert_eq!(told, expected);
    let alert = jobs.jobs.iter().find(|job| job.name == "alert").ok_or("no alert")?;
    let alert { discarded } = alert.body.decode()?;
    assert_eq!(discarded.payload::<charge>()?, charged);
    Ok(())
}

/// H80: a service whose claim discards a job of another worker, because its last lease has expired, sends its observer an event.
#[tokio::test(start_paused = true)]
async fn a_job_discarded_by_an_expiry_is_an_event() -> TestResult {
    let queue = keeping_queue();
    let id = queue.enqueue(charge::new(1)).await?.id();
    let dead = queue.claim(&Demand::new("default", 1)).await?;
    assert_eq!(dead.len(), 1);
    let world =
        World::over(queue.clone(), queue, jobs![charge], Services::builder(), |service| service).await;

    let event =
        world.recorder.wait_for("the expiry", |event| matches!(event, Event::DiscardedByExpiry(_))).await;

    let Event::DiscardedByExpiry(job) = event else { panic!("another event: {event:?}") };
    assert_eq!((job.id, job.name.as_str(), job.queue.as_str()), (id, "charge", "default"));
    assert_eq!((job.attempt, job.fence.0), (1, 1));
    world.host.stop().await?;
    Ok(())
}
