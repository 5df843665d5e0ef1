//! Finished jobs go by themselves.

use std::time::Duration;

use queue_core::{Admin as _, Demand, Queue as _, QueueExt as _, Settlement, Transition};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{Connection as _, PgConnection};

use crate::fixture::{TestResult, number, schema, url, work};

/// With it goes all that belongs to it.
#[tokio::test]
async fn finished_jobs_that_are_kept_no_longer_go() -> TestResult {
    let schema = schema();
    let builder = PostgresQueue::builder(url()).schema(&schema);
    let queue = builder.clone().connect().await?;
    let mut jobs = Vec::new();
    for transition in [
        Transition::complete(),
        Transition::Discard { error: "no".into() },
        Transition::Cancel { reason: "why".into() },
    ] {
        jobs.push(queue.enqueue(work::new(1)).unique(format!("{transition:?}")).await?.id());
        let deliveries = queue.claim(&Demand::new("default", 1)).await?;
        let settlements = deliveries.into_iter().map(|job| Settlement::new(job.lease, transition.clone()));
        queue.settle(settlements.collect()).await?;
    }

    // A queue prunes as soon as it is opened.
    let forgetful =
        builder.keep_completed(Duration::ZERO).keep_cancelled(None).keep_discarded(Duration::ZERO);
    let forgetful = forgetful.connect().await?;

    let mut left = Vec::new();
    while left.len() != 1 {
        left.clear();
        for id in &jobs {
            left.extend(forgetful.get(*id).await?.map(|job| job.state));
        }
    }
    assert_eq!(left, [queue_core::State::Cancelled]);
    let mut connection = PgConnection::connect(&url()).await?;
    for (table, rows) in [("jobs", 1), ("finished", 1), ("failures", 0), ("unique_keys", 1)] {
        let found = number(&mut connection, format!("select count(*) from {schema}.{table}")).await?;
        assert_eq!(found, rows, "{table}");
    }
    Ok(())
}

/// A window outlives its job.
#[tokio::test]
async fn a_key_is_held_for_its_window_even_when_its_job_has_gone() -> TestResult {
    use queue_core::admin::Prune;
    use queue_core::{Receipt, Unique};
    let queue = PostgresQueue::builder(url()).schema(schema()).connect().await?;
    let unique = || Unique::new("once").within(Duration::from_secs(3600));
    let first = queue.enqueue(work::new(1)).unique(unique()).await?.id();
    let job = queue.claim(&Demand::new("default", 1)).await?.remove(0);
    queue.settle(vec![Settlement::new(job.lease, Transition::complete())]).await?;
    assert_eq!(queue.prune(&Prune::older_than(Duration::ZERO)).await?, 1);

    assert_eq!(queue.enqueue(work::new(2)).unique(unique()).await?, Receipt::Existing(first));
    Ok(())
}
