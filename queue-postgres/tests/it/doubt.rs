//! A push whose answer is lost: it was stored, but the producer can't know that (D3, D4).

use queue_core::admin::{Filter, PageRequest};
use queue_core::{Admin as _, QueueExt as _};
use queue_postgres::PostgresQueue;

use crate::fixture::{TestResult, schema, work};
use crate::way::{Mishap, Way};

/// D3, D4: the queue sends the push again with the same id, and the job exists once.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_whose_answer_is_lost_is_stored_once() -> TestResult {
    let way = Way::new("424242", Mishap::LosesAnswer)?;
    let queue = PostgresQueue::builder(way.url()).schema(schema()).connect().await?;
    // The first call opens the connection and prepares the statement.
    for number in 0..20 {
        queue.enqueue(work::new(number)).await?;
    }

    let receipt = queue.enqueue(work::new(424_242)).await?;

    assert!(way.has_happened(), "the answer was to be lost");
    let jobs = queue.list(&Filter::all(), &PageRequest::first(100)).await?.jobs;
    assert_eq!(jobs.len(), 21);
    assert_eq!(jobs.last().map(|job| job.id), Some(receipt.id()));
    Ok(())
}
