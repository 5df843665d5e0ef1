//! A process that works on one queue until SIGTERM.

use std::time::Duration;

use fastrand::Rng;
use queue_core::{BoxError, NewJob, background_job, jobs};
use queue_tokio::{Host, QueueService};
use tokio::time::sleep;

use crate::settings::Serve;
use queue_conformance::load::stop_at_end_of_input;

/// Shorter than the longest jobs, so that a stop interrupts some of them.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(400);

/// Takes this many milliseconds.
#[background_job]
async fn short(millis: u64) {
    sleep(Duration::from_millis(millis)).await;
}

/// A job with one attempt, which must not be discarded because its worker stops.
#[background_job(max_attempts = 1)]
async fn once(millis: u64) {
    sleep(Duration::from_millis(millis)).await;
}

/// Occupies a thread.
#[background_job(blocking, max_attempts = 1)]
fn heavy(numbers: u64) {
    std::hint::black_box((0..numbers).fold(0_u64, |sum, number| sum ^ number.wrapping_mul(sum | 1)));
}

/// Creates a job of one of these kinds. One in a hundred takes longer than the shutdown timeout.
pub(super) fn job(random: &mut Rng) -> NewJob {
    match random.u32(0..100) {
        0 => once::new(600).into(),
        1..5 => heavy::new(random.u64(0..100_000)).into(),
        5..50 => once::new(random.u64(0..20)).into(),
        _ => short::new(random.u64(0..5)).into(),
    }
}

/// Works until SIGTERM, or until the standard input closes.
pub(crate) async fn run(serve: &Serve) -> Result<(), BoxError> {
    let queue = serve.location.open().await?;
    let orphaned = stop_at_end_of_input();
    let service = QueueService::new(queue, jobs![short, once, heavy]).queues([serve.queue.clone()]);
    let service = service.concurrency(8).grace(Duration::from_millis(200));
    let host = Host::builder().service(service).shutdown_timeout(SHUTDOWN_TIMEOUT).build()?;
    tokio::select! {
        stopped = host.run() => drop(stopped?),
        () = orphaned.cancelled() => {}
    }
    Ok(())
}
