//! Limits, which hold in the time of a kit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use queue_core::{
    JobError, Limit, Queue as _, QueueErrorKind, QueueExt as _, QueueLimits, QueueName, background_job, jobs,
};

use queue_testkit::TestKit;

use super::harness::KitHarness;
use crate::law::expect_eq;

const SECOND: Duration = Duration::from_secs(1);

#[background_job(partition = "{tenant}")]
async fn call(tenant: &str) {
    assert!(!tenant.is_empty());
}

#[background_job(partition = "{tenant}", max_attempts = 1)]
async fn refused_once(tenant: &str, #[inject] calls: &AtomicUsize) -> Result<(), JobError> {
    assert!(!tenant.is_empty());
    match calls.fetch_add(1, Ordering::SeqCst) {
        0 => Err(JobError::throttle(60 * SECOND)),
        _ => Ok(()),
    }
}

/// T30: A run passes the time until a limit lets the next job start, and no span has more starts than the limit allows.
pub(super) async fn t30_limits_hold_in_the_time_of_a_kit(harness: &KitHarness) {
    let kit = harness.kit(jobs![call]).await;
    let limits = QueueLimits::each(Limit::starts(5, SECOND));
    match kit.queue().declare_limits(&QueueName::DEFAULT, &limits).await {
        Err(error) if error.kind() == QueueErrorKind::Unsupported => return,
        answer => answer.expect("a declaration"),
    }
    kit.queue().enqueue_all((0..12).map(|_| call::new("acme"))).await.expect("a push");
    kit.queue().enqueue(call::new("other")).await.expect("a push");
    let began = kit.now();

    let run = kit.run_until_idle().await.expect("a run");

    expect_eq!(run.attempts().len(), 13, "attempts in\n{}", run.trace());
    expect_eq!(run.starts_within("acme", SECOND), 5, "starts in\n{}", run.trace());
    expect_eq!(run.starts_within("other", SECOND), 1);
    expect_eq!(kit.now().since(began), 11 * SECOND / 5, "eleven intervals of 0.2 s");
}

/// T30: A run passes the time for which a job has throttled its partition.
pub(super) async fn t30_a_throttled_partition_waits_in_the_time_of_a_kit(harness: &KitHarness) {
    let store = harness.store().await;
    if store.declare_limits(&QueueName::DEFAULT, &QueueLimits::none()).await.is_err() {
        return;
    }
    let calls = Arc::new(AtomicUsize::new(0));
    let kit = TestKit::over(store).jobs(jobs![refused_once]).singleton_as(calls).build().expect("a kit");
    kit.queue().enqueue_all(["acme", "acme"].map(refused_once::new)).await.expect("a push");
    let began = kit.now();

    let run = kit.run_until_idle().await.expect("a run");

    expect_eq!(run.attempts().len(), 3, "attempts in\n{}", run.trace());
    expect_eq!(
        run.attempts()[1].started_at.since(began),
        60 * SECOND,
        "the second start in\n{}",
        run.trace()
    );
}
