//! Limits in the virtual time of a kit.

use std::time::Duration;

use queue_core::{Limit, Queue as _, QueueExt as _, QueueLimits, background_job, jobs};
use queue_testkit::TestKit;

const SECOND: Duration = Duration::from_secs(1);

#[background_job(queue = "webhooks", partition = "{tenant}")]
async fn call(tenant: &str) {
    assert!(!tenant.is_empty());
}

/// T30: a run passes the time until a limit lets the next job start.
#[test]
fn no_second_of_a_run_has_more_starts_than_a_limit_allows() -> Result<(), queue_core::BoxError> {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![call]).build()?;
        let limits = QueueLimits::each(Limit::starts(5, SECOND).burst(3));
        kit.queue().declare_limits(&"webhooks".into(), &limits).await?;
        kit.queue().enqueue_all((0..20).map(|_| call::new("acme"))).await?;
        kit.queue().enqueue(call::new("zeta")).await?;
        let began = kit.now();

        let run = kit.run_until_idle().await?;

        assert_eq!((run.attempts_of::<call>(), run.waiting().len()), (21, 0));
        assert_eq!(run.starts_within("acme", SECOND), 5, "{}", run.trace());
        assert_eq!(run.starts_within("zeta", 60 * SECOND), 1);
        assert_eq!(run.starts_within("nobody", SECOND), 0);
        let took = kit.now().since(began);
        assert!((5 * SECOND..7 * SECOND).contains(&took), "three at once, then three a second: {took:?}");
        Ok::<_, queue_core::BoxError>(())
    })
}

/// T30: a partition at its limit of zero waits, and the run says so.
#[test]
fn a_paused_partition_is_left_waiting() -> Result<(), queue_core::BoxError> {
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![call]).build()?;
        let limits = QueueLimits::partition("acme", Limit::running(0));
        kit.queue().declare_limits(&"webhooks".into(), &limits).await?;
        kit.queue().enqueue_all(["acme", "zeta"].map(call::new)).await?;

        let run = kit.run_until_idle().await?;

        assert_eq!(run.attempts_of::<call>(), 1);
        let waiting: Vec<_> = run.waiting().iter().map(|job| job.partition.as_str()).collect();
        assert_eq!(waiting, ["acme"]);
        Ok::<_, queue_core::BoxError>(())
    })
}
