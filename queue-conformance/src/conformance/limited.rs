//! The steps of laws about partitions and limits.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use queue_core::admin::{Filter, LimitRecord, QueueUsage, Usage, UsageRequest};
use queue_core::{
    AdminExt as _, Demand, JobId, Limit, LimitScope, NewJob, Partition, QueueErrorKind, QueueLimits,
    QueueName, Timestamp, Transition,
};

use super::harness::QueueHarness;
use super::jobs::{SECOND, id, job};
use crate::law::expect_eq;

/// Returns whether the queue has partitions and limits. Otherwise, checks that it refuses each use of them with a reason.
pub(super) async fn has_limits(harness: &QueueHarness) -> bool {
    let step = "`limits` of an empty queue";
    harness.note(step);
    match harness.queue().limits(&QueueName::DEFAULT).await {
        Ok(limits) => {
            expect_eq!(limits, [], "the limits of a queue that has none");
            true
        }
        Err(error) if error.kind() == QueueErrorKind::Unsupported => {
            everything_is_refused(harness).await;
            false
        }
        Err(error) => panic!("{step} failed: {error}"),
    }
}

/// Returns whether the queue has no partitions and limits.
pub(super) async fn is_refused(harness: &QueueHarness) -> bool {
    let limits = harness.queue().limits(&QueueName::DEFAULT).await;
    limits.is_err_and(|error| error.kind() == QueueErrorKind::Unsupported)
}

async fn everything_is_refused(harness: &QueueHarness) {
    let (queue, default) = (harness.queue(), QueueName::DEFAULT);
    let limits = QueueLimits::total(Limit::running(1));
    refuses(harness, "`declare_limits`", queue.declare_limits(&default, &limits)).await;
    let set = queue.set_limit(&default, &LimitScope::Total, Some(Limit::running(1)));
    refuses(harness, "`set_limit`", set).await;
    refuses(harness, "`usage`", async { queue.usage(&UsageRequest::of(&default)).await }).await;
    refuses(harness, "a push of a job with a partition", queue.push(vec![of("acme", 0)])).await;
    harness.push(vec![job(0).id(id(0))]).await;
    let delivery = harness.claim_one().await;
    let throttle = Transition::Throttle { at: harness.now() };
    let throttle = queue_core::Settlement::new(delivery.lease.clone(), throttle);
    refuses(harness, "a throttle", queue.settle(vec![throttle])).await;
    harness.settle(&delivery, Transition::complete()).await;
}

async fn refuses<T: Debug>(
    harness: &QueueHarness,
    step: &str,
    call: impl Future<Output = Result<T, queue_core::QueueError>>,
) {
    harness.fails_with(QueueErrorKind::Unsupported, step, call).await;
}

/// Returns a job of a partition, whose payload and id have the number.
pub(super) fn of(partition: &str, number: u32) -> NewJob {
    job(number).id(id(number)).partition(partition)
}

/// Returns the scope of a partition.
pub(super) fn scope(partition: &str) -> LimitScope {
    LimitScope::One(Partition::new(partition))
}

/// Declares the limits of the default queue.
pub(super) async fn declare(harness: &QueueHarness, limits: QueueLimits) {
    let (step, queue) = (format!("`declare_limits` of {limits:?}"), QueueName::DEFAULT);
    harness.ok(step, harness.queue().declare_limits(&queue, &limits)).await;
}

/// Sets a limit of the default queue, or takes it back.
pub(super) async fn set(harness: &QueueHarness, scope: LimitScope, limit: Option<Limit>) {
    let (step, queue) = (format!("`set_limit` of {scope} to {limit:?}"), QueueName::DEFAULT);
    harness.ok(step, harness.queue().set_limit(&queue, &scope, limit)).await;
}

/// Returns the limits of the default queue.
pub(super) async fn limits(harness: &QueueHarness) -> Vec<LimitRecord> {
    harness.ok("`limits`", harness.queue().limits(&QueueName::DEFAULT)).await
}

/// Returns the usage of the default queue.
pub(super) async fn usage(harness: &QueueHarness) -> QueueUsage {
    let request = UsageRequest::of(QueueName::DEFAULT).limit(1000);
    harness.ok("`usage`", async { harness.queue().usage(&request).await }).await
}

/// Returns the usage of one partition of the default queue; `None` if it is not listed.
pub(super) async fn usage_of(harness: &QueueHarness, partition: &str) -> Option<Usage> {
    let listed = usage(harness).await.partitions.into_iter();
    listed.filter(|listed| listed.partition.as_str() == partition).map(|listed| listed.usage).next()
}

/// Claims up to `max` jobs, one by one, and completes each before the next claim. Returns the numbers of the ids, in order.
pub(super) async fn run_one_by_one(harness: &QueueHarness, max: usize) -> Vec<u32> {
    let mut served = Vec::new();
    for _ in 0..max {
        let Some(delivery) = harness.claim_up_to(1).await.pop() else { break };
        harness.settle(&delivery, Transition::complete()).await;
        served.push(number_of(delivery.id()));
    }
    served
}

/// Claims up to `max` jobs at once. Returns the numbers of the ids, in order. The leases last.
pub(super) async fn start(harness: &QueueHarness, max: usize) -> Vec<u32> {
    let demand = Demand::new(QueueName::DEFAULT, max).lease(SECOND * 10_000);
    harness.claim(demand).await.iter().map(|delivery| number_of(delivery.id())).collect()
}

/// Ends all jobs of the default queue, after the leases of `start` have expired.
pub(super) async fn end_all(harness: &QueueHarness) {
    harness.advance(SECOND * 20_000).await;
    let unfinished = Filter::all().queue(QueueName::DEFAULT).unfinished();
    harness.ok("`cancel_all`", harness.queue().cancel_all(&unfinished, "over")).await;
    harness.nothing_is_ready().await;
}

/// Returns the number from which `jobs::id` made an id.
pub(super) fn number_of(job: JobId) -> u32 {
    // The number is the lower half of the id.
    (job.as_u128() & u128::from(u32::MAX)) as u32
}

/// Returns an instant of the future.
pub(super) fn after(harness: &QueueHarness, by: Duration) -> Timestamp {
    harness.now().saturating_add(by)
}
