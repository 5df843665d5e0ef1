//! Fills a store: some discarded jobs of one queue, then many finished and waiting ones of another.

use std::time::Duration;

use anyhow::ensure;
use harness::{BATCH, Payload};
use queue_core::{Delivery, Demand, NewJob, Queue, QueueName, Settlement, Transition};

use crate::systems::welcome;

/// The number of discarded jobs, which finish before all others.
pub(crate) const DISCARDED: u64 = 1_000;
/// The queue of the discarded jobs.
pub(super) const SMALL: &str = "small";
/// The queue of all other jobs.
const LARGE: &str = "large";
/// The least delay of scheduled jobs, so that none becomes due during the measurement.
const WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Stores `jobs` completed and `jobs` waiting jobs, half of them ready and half scheduled, beside the discarded ones.
pub(super) async fn fill(queue: &impl Queue, jobs: u64) -> anyhow::Result<()> {
    for first in (0..DISCARDED).step_by(BATCH as usize) {
        queue.push(batch(first, |job| job.queue(SMALL))).await?;
        end(queue, SMALL, || Transition::Discard { error: "the address is unknown".to_owned() }).await?;
    }
    for first in (0..jobs).step_by(BATCH as usize) {
        queue.push(batch(first, |job| job.queue(LARGE))).await?;
        end(queue, LARGE, Transition::complete).await?;
    }
    for first in (0..jobs / 2).step_by(BATCH as usize) {
        queue.push(batch(first, |job| job.queue(LARGE))).await?;
        queue.push(batch(first, |job| job.queue(LARGE).delay(WAIT))).await?;
    }
    Ok(())
}

fn batch(first: u64, place: impl Fn(NewJob) -> NewJob) -> Vec<NewJob> {
    (first..first + BATCH).map(|user_id| place(welcome::from(Payload::new(user_id)).into())).collect()
}

/// Ends all ready jobs of a queue.
async fn end(
    queue: &impl Queue,
    name: &'static str,
    transition: impl Fn() -> Transition,
) -> anyhow::Result<()> {
    let demand = Demand::new(QueueName::from(name), BATCH as usize).wait(Duration::ZERO);
    let mut left = BATCH as usize;
    while left > 0 {
        let deliveries = queue.claim(&demand).await?;
        ensure!(!deliveries.is_empty(), "jobs were lost");
        left = left.saturating_sub(deliveries.len());
        let ends = |delivery: Delivery| Settlement::new(delivery.lease, transition());
        queue.settle(deliveries.into_iter().map(ends).collect()).await?;
    }
    Ok(())
}
