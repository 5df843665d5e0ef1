//! Payloads and meta, which are in the row of a job if they are small, and in another table otherwise.

use std::time::Duration;

use queue_core::{Admin as _, Body, Demand, NewJob, Queue as _, Receipt, Unique};
use queue_sqlite::SqliteQueue;

use crate::fixture::TestResult;

fn job(size: usize) -> NewJob {
    let text = format!("\"{}\"", "x".repeat(size));
    let body = Body::json(text).expect("a string is JSON");
    NewJob::new("work", body).unique(Unique::new("key").replace()).meta("tenant", "acme")
}

/// Q51: For each combination of a small and a large payload, before and after.
#[tokio::test]
async fn a_payload_of_any_size_is_replaced_and_the_meta_stays() -> TestResult {
    for sizes in [[10, 20], [10, 9_000], [9_000, 10], [9_000, 9_001]] {
        let queue = SqliteQueue::open(":memory:").await?;
        let [first, second] = sizes.map(job);
        let pushed = queue.push(vec![first]).await?[0].id();
        // The replacement changes the payload only.
        let answer = queue.push(vec![second.meta("tenant", "other")]).await?;

        assert_eq!(answer, [Receipt::Replaced(pushed)], "{sizes:?}");
        let shown = queue.get(pushed).await?.ok_or("the job is gone")?;
        let delivered = queue.claim(&Demand::new("default", 1).wait(Duration::ZERO)).await?.remove(0);
        for (body, meta) in [(shown.body, shown.meta), (delivered.body, delivered.meta)] {
            assert_eq!(body.encode()?.len(), sizes[1] + 2, "{sizes:?}");
            assert_eq!(meta.get("tenant"), Some("acme"), "{sizes:?}");
        }
    }
    Ok(())
}
