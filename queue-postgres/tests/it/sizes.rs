//! Batches that are larger than the server takes, or than one statement is to have.

use std::time::Duration;

use queue_core::{
    Admin as _, Body, Demand, Limits, NewJob, Queue as _, QueueErrorKind, Settled, Settlement, State,
    Transition,
};
use queue_postgres::PostgresQueue;

use crate::fixture::{TestResult, schema, url, work};

/// A job with a payload of this many bytes.
fn large(bytes: usize) -> Result<NewJob, queue_core::QueueError> {
    Ok(NewJob::new("large", Body::json(format!("\"{}\"", "x".repeat(bytes - 2)))?))
}

async fn queue() -> Result<PostgresQueue, queue_core::QueueError> {
    let builder = PostgresQueue::builder(url()).schema(schema());
    builder.limits(Limits::default().payload(512 << 20)).connect().await
}

/// A batch that is within every limit but too large for the server is refused as a whole. The error says to push it in parts.
#[tokio::test]
async fn a_batch_that_the_server_cannot_take_is_refused() -> TestResult {
    let queue = queue().await?;

    let error = queue.push(vec![large(129 << 20)?, large(128 << 20)?]).await.expect_err("it was stored");

    assert_eq!(error.kind(), QueueErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("push it in parts"), "{error}");
    assert!(queue.counts().await?.is_empty());
    Ok(())
}

/// Many settlements with large followups in one call go to the server in several statements.
#[tokio::test]
async fn large_followups_are_stored_in_parts() -> TestResult {
    const JOBS: usize = 5;
    let queue = queue().await?;
    queue.push((0..JOBS).map(|number| work::new(number as u32).into()).collect()).await?;
    let demand = Demand::new("default", JOBS).lease(Duration::from_secs(600));
    let mut settlements = Vec::new();
    for delivery in queue.claim(&demand).await? {
        let mut settlement = Settlement::new(delivery.lease, Transition::complete());
        settlement.followups.push(large(10 << 20)?.queue("large"));
        settlements.push(settlement);
    }

    let settled = queue.settle(settlements).await?;

    assert_eq!(settled, [Settled::Applied; JOBS]);
    let counts = queue.counts().await?;
    let large = counts.iter().find(|counts| counts.queue == "large").expect("the queue of the followups");
    assert_eq!(large.of(State::Available), JOBS as u64);
    Ok(())
}
