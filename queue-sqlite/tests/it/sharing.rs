//! Several processes on one file, as several queues opened on it: they share nothing but the file (D6).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use queue_core::{Demand, Queue as _, QueueExt as _, Settlement, Transition};
use queue_sqlite::SqliteQueue;

use crate::fixture::{TestResult, work};

/// D6: each job goes to one of them.
#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_queues_share_a_file() -> TestResult {
    const JOBS: usize = 300;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let pusher = SqliteQueue::open(&path).await?;
    let mut claimers = Vec::new();
    for _ in 0..4 {
        let queue = SqliteQueue::open(&path).await?;
        claimers.push(tokio::spawn(async move {
            let mut got = Vec::new();
            // They wait for as long as jobs come, which they do for as long as any is left.
            loop {
                let demand = Demand::new("default", 7).wait(Duration::from_secs(3));
                let deliveries = queue.claim(&demand).await?;
                if deliveries.is_empty() {
                    return Ok::<_, queue_core::QueueError>(got);
                }
                got.extend(deliveries.iter().map(queue_core::Delivery::id));
                let done = deliveries.into_iter().map(|job| Settlement::new(job.lease, Transition::Complete));
                queue.settle(done.collect()).await?;
            }
        }));
    }

    let mut pushed = BTreeSet::new();
    for number in 0..JOBS {
        pushed.insert(pusher.enqueue(work::new(number as u32)).await?.id());
    }

    let mut delivered = Vec::new();
    for claimer in claimers {
        delivered.extend(claimer.await??);
    }
    assert_eq!(delivered.len(), JOBS, "each job is delivered once");
    assert_eq!(delivered.into_iter().collect::<BTreeSet<_>>(), pushed);
    Ok(())
}

/// D6: what another process has pushed wakes a waiting claim, within the poll interval.
#[tokio::test]
async fn a_claim_wakes_for_the_push_of_another() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let (one, other) = (SqliteQueue::open(&path).await?, SqliteQueue::open(&path).await?);
    let demand = Demand::new("default", 1);
    let mut claim = Box::pin(one.claim(&demand));
    assert!(futures_util::poll!(&mut claim).is_pending());
    one.look().await;

    let pushed = other.enqueue(work::new(1)).await?.id();

    assert_eq!(claim.await?.first().map(queue_core::Delivery::id), Some(pushed));
    Ok(())
}

/// Q12, in real time: nothing happens but that time passes.
#[tokio::test]
async fn a_claim_wakes_at_a_due_time_with_no_other_event() -> TestResult {
    let queue = SqliteQueue::builder(":memory:").poll_interval(Duration::from_secs(3600)).open().await?;
    let pushed = queue.enqueue(work::new(1)).delay(Duration::from_millis(30)).await?.id();

    let deliveries = queue.claim(&Demand::new("default", 1)).await?;

    assert_eq!(deliveries.first().map(queue_core::Delivery::id), Some(pushed));
    Ok(())
}

/// Q19: a wait ends when it said, however busy the writer is.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_while_others_keep_the_writer_busy() -> TestResult {
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
