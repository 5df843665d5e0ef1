//! A push whose answer is lost on its way back: it was stored, and whoever pushed can't know (D3, D4).

use queue_core::admin::{Filter, PageRequest};
use queue_core::{Admin as _, QueueExt as _};
use queue_postgres::PostgresQueue;

use crate::fixture::{TestResult, schema, work};
use crate::way::{Mishap, Way};

/// D3, D4: it's pushed again by itself, under the same identity, and is there once.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_whose_answer_is_lost_is_stored_once() -> TestResult {
    let way = Way::new("424242", Mishap::LosesAnswer)?;
    let queue = PostgresQueue::builder(way.url()).schema(schema()).connect().await?;
    // What is asked for the first time is made ready before, by a call of its own.
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
