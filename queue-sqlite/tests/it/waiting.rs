//! Claims that wait, in real time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use queue_core::{BoxFuture, Clock, Demand, Queue as _, QueueExt as _, Timestamp};
use queue_sqlite::SqliteQueue;

use crate::fixture::{TestResult, work};

/// Q12: Only the passing of time wakes the claim.
#[tokio::test]
async fn a_claim_wakes_at_a_due_time_with_no_other_event() -> TestResult {
    let queue = SqliteQueue::builder(":memory:").poll_interval(Duration::from_secs(3600)).open().await?;
    let pushed = queue.enqueue(work::new(1)).delay(Duration::from_millis(30)).await?.id();

    let deliveries = queue.claim(&Demand::new("default", 1)).await?;

    assert_eq!(deliveries.first().map(queue_core::Delivery::id), Some(pushed));
    Ok(())
}

/// Q19: A wait ends at its deadline, however busy the writer is.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_while_other_callers_keep_the_writer_busy() -> TestResult {
    let queue = SqliteQueue::open(":memory:").await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let pushers: Vec<_> = (0..3)
        .map(|number| {
            let (queue, is_over) = (queue.clone(), is_over.clone());
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    queue.enqueue(work::new(number)).await?;
                }
                Ok::<_, queue_core::QueueError>(())
            })
        })
        .collect();

    let demand = Demand::new("rare", 1).wait(Duration::from_millis(50));
    let deliveries = tokio::time::timeout(Duration::from_secs(30), queue.claim(&demand)).await;

    is_over.store(true, Ordering::Relaxed);
    for pusher in pushers {
        pusher.await??;
    }
    assert_eq!(deliveries??.len(), 0);
    Ok(())
}

/// A clock whose sleeps end at once, so before the writer begins to wait.
struct Hurried;

impl Clock for Hurried {
    fn now(&self) -> Timestamp {
        std::time::SystemTime::now().into()
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

/// Q12: The timer fires between two calls, while the writer polls the deadlines.
#[tokio::test]
async fn a_due_time_before_the_writer_waits_is_not_missed() -> TestResult {
    let queue = SqliteQueue::builder(":memory:").clock(Hurried).open().await?;
    queue.enqueue(work::new(1)).delay(Duration::from_secs(3600)).await?;

    let demand = Demand::new("default", 1).wait(Duration::from_millis(50));
    let deliveries = tokio::time::timeout(Duration::from_secs(30), queue.claim(&demand)).await??;

    assert_eq!(deliveries.len(), 0);
    queue.enqueue(work::new(2)).await?;
    assert_eq!(queue.claim(&demand).await?.len(), 1);
    Ok(())
}
