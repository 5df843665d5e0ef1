//! Several processes on one database, as several queues opened on it: they share nothing but the database (D6).

use std::collections::BTreeSet;
use std::time::Duration;

use queue_core::{Demand, Queue as _, QueueExt as _, Settlement, Transition};
use queue_postgres::PostgresQueue;

use crate::fixture::{NEVER, TestResult, schema, url, work};

/// D6: each job goes to one of them.
#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_queues_share_a_database() -> TestResult {
    const JOBS: usize = 300;
    let schema = schema();
    let open = || PostgresQueue::builder(url()).schema(&schema).connect();
    let pusher = open().await?;
    let mut claimers = Vec::new();
    for _ in 0..4 {
        let queue = open().await?;
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

/// D6: what another process has pushed, or resumed, or retried, wakes a waiting claim by notification.
#[tokio::test]
async fn a_claim_wakes_for_what_another_does() -> TestResult {
    use queue_core::Inspect as _;
    let schema = schema();
    let builder = || PostgresQueue::builder(url()).schema(&schema).poll_interval(NEVER);
    let (one, other) = (builder().connect().await?, builder().connect().await?);
    let demand = Demand::new("default", 1);
    let mut ids = Vec::new();
    for what in ["push", "resume", "retry"] {
        if what == "resume" {
            other.pause(&"default".into()).await?;
            ids.push(other.enqueue(work::new(2)).await?.id());
        }
        let mut claim = Box::pin(one.claim(&demand));
        assert!(futures_util::poll!(&mut claim).is_pending());
        one.look().await;
        match what {
            "push" => ids.push(other.enqueue(work::new(1)).await?.id()),
            "resume" => other.resume(&"default".into()).await?,
            _ => {
                ids.push(*ids.first().ok_or("a first job")?);
                other.retry(ids[0]).await?;
            }
        }

        let delivery = claim.await?.pop().ok_or(what)?;

        assert_eq!(Some(&delivery.id()), ids.last(), "{what}");
        other.settle(vec![Settlement::new(delivery.lease, Transition::Complete)]).await?;
    }
    Ok(())
}

/// Q12, in real time: nothing happens but that time passes; and Q14: what is pushed for earlier shortens the wait.
#[tokio::test]
async fn a_claim_wakes_at_a_due_time_with_no_other_event() -> TestResult {
    let builder = PostgresQueue::builder(url()).schema(schema());
    let queue = builder.poll_interval(Duration::from_secs(3600)).connect().await?;
    queue.enqueue(work::new(1)).delay(Duration::from_secs(3600)).await?;
    let demand = Demand::new("default", 1);
    let mut claim = Box::pin(queue.claim(&demand));
    assert!(futures_util::poll!(&mut claim).is_pending());
    queue.look().await;

    let pushed = queue.enqueue(work::new(1)).delay(Duration::from_millis(30)).await?.id();

    assert_eq!(claim.await?.first().map(queue_core::Delivery::id), Some(pushed));
    Ok(())
}
