//! Claims that wait, in real time, and are woken by other callers.

use std::time::Duration;

use queue_core::{
    Admin as _, BoxError, Delivery, Demand, Queue as _, QueueError, QueueExt as _, Settlement, Transition,
};
use queue_postgres::PostgresQueue;

use crate::fixture::{NEVER, TestResult, schema, url, work};

/// Waits for a claim that is to be woken, and no longer than that can take.
async fn woken(
    claim: impl Future<Output = Result<Vec<Delivery>, QueueError>>,
) -> Result<Vec<Delivery>, BoxError> {
    let claimed = tokio::time::timeout(Duration::from_secs(30), claim).await;
    Ok(claimed.map_err(|_| "the claim was not woken within 30 s")??)
}

/// D6: what another process has pushed, or resumed, or retried, wakes a waiting claim by notification.
#[tokio::test]
async fn a_claim_wakes_for_what_another_does() -> TestResult {
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
        one.poll_now().await;
        match what {
            "push" => ids.push(other.enqueue(work::new(1)).await?.id()),
            "resume" => other.resume(&"default".into()).await?,
            _ => {
                ids.push(*ids.first().ok_or("a first job")?);
                other.retry(ids[0]).await?;
            }
        }

        let delivery = woken(claim).await?.pop().ok_or(what)?;

        assert_eq!(Some(&delivery.id()), ids.last(), "{what}");
        other.settle(vec![Settlement::new(delivery.lease, Transition::complete())]).await?;
    }
    Ok(())
}

/// Q12: nothing happens but that time passes; and Q14: what is pushed for earlier shortens the wait.
#[tokio::test]
async fn a_claim_wakes_at_a_due_time_with_no_other_event() -> TestResult {
    let builder = PostgresQueue::builder(url()).schema(schema());
    let queue = builder.poll_interval(Duration::from_secs(3600)).connect().await?;
    queue.enqueue(work::new(1)).delay(Duration::from_secs(3600)).await?;
    let demand = Demand::new("default", 1);
    let mut claim = Box::pin(queue.claim(&demand));
    assert!(futures_util::poll!(&mut claim).is_pending());
    queue.poll_now().await;

    let pushed = queue.enqueue(work::new(1)).delay(Duration::from_millis(30)).await?.id();

    assert_eq!(woken(claim).await?.first().map(queue_core::Delivery::id), Some(pushed));
    Ok(())
}
