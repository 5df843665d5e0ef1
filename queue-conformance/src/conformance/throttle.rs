//! The law about holds.

use queue_core::{Demand, Limit, QueueLimits, Settled, Settlement, State, Timestamp, Transition};

use super::harness::{QueueHarness, ids_of};
use super::jobs::{MICROSECOND, SECOND, id, job};
use super::limited::{after, declare, has_limits, of, start, usage_of};
use crate::law::expect_eq;

/// Q122: `Throttle { at }` delivers the job again at `at`, uncounted, and holds its partition: no job of it starts before; other partitions go on. It holds if and only if the settlement applies, also if the job ends because its cancellation was requested.
pub(super) async fn q122_a_throttle_holds_the_partition_of_its_job(harness: &QueueHarness) {
    if !has_limits(harness).await {
        return;
    }
    a_hold_lasts_until_its_instant(harness).await;
    a_hold_only_grows(harness).await;
    a_stale_throttle_holds_nothing(harness).await;
    a_throttled_job_that_was_cancelled_holds_too(harness).await;
    a_queue_without_partitions_is_held_as_a_whole(harness).await;
}

async fn throttle(harness: &QueueHarness, partition: &str, at: Timestamp) {
    let demand = Demand::new("default", 1).lease(SECOND * 1000);
    let claimed = harness.claim(demand).await;
    expect_eq!(
        claimed.iter().map(|job| job.partition.as_str()).collect::<Vec<_>>(),
        [partition],
        "the job to throttle"
    );
    harness.settle(&claimed[0], Transition::Throttle { at }).await;
}

async fn a_hold_lasts_until_its_instant(harness: &QueueHarness) {
    harness.push(vec![of("a", 0), of("a", 1), of("b", 2), of("", 3)]).await;
    let at = after(harness, SECOND * 10);

    throttle(harness, "a", at).await;

    let record = harness.is(id(0), State::Scheduled).await;
    expect_eq!(
        (record.run_at, record.attempt, record.errors.len()),
        (at, 0, 0),
        "time, attempts and errors of the job"
    );
    let held = usage_of(harness, "a").await.unwrap_or_default();
    expect_eq!(
        (held.ready, held.running, held.next_start),
        (1, 0, Some(at)),
        "the usage of the held partition"
    );
    expect_eq!(start(harness, 9).await, [2, 3], "the jobs of the other partitions");
    harness.push(vec![of("a", 4).priority(-9)]).await;
    harness.ok("`retry` of the throttled job", harness.queue().retry(id(0))).await;
    harness.is(id(0), State::Available).await;
    harness.nothing_is_ready().await;
    harness.advance(SECOND * 10 - MICROSECOND).await;
    harness.nothing_is_ready().await;

    harness.advance(MICROSECOND).await;
    let claimed = harness.claim(Demand::new("default", 9).lease(SECOND * 1000)).await;
    let mut found: Vec<_> = claimed.iter().map(|delivery| (delivery.id(), delivery.attempt)).collect();
    found.sort();
    expect_eq!(found, [(id(4), 1), (id(1), 1), (id(0), 1)], "the jobs of the partition, with their attempts");
}

async fn a_hold_only_grows(harness: &QueueHarness) {
    harness.push((10..14).map(|number| of("c", number)).collect()).await;
    let claimed = harness.claim(Demand::new("default", 3).lease(SECOND * 1000)).await;
    expect_eq!(claimed.len(), 3, "the jobs of the partition that start");
    let at = |seconds: u32| after(harness, SECOND * seconds);
    let (long, short, past) = (at(20), at(10), harness.now().saturating_sub(SECOND));
    for (delivery, at) in claimed.iter().zip([long, short, past]) {
        harness.settle(delivery, Transition::Throttle { at }).await;
    }
    harness.is(id(12), State::Available).await;
    expect_eq!(
        usage_of(harness, "c").await.and_then(|usage| usage.next_start),
        Some(long),
        "the end of the hold"
    );
    harness.advance(SECOND * 20 - MICROSECOND).await;
    harness.nothing_is_ready().await;
    harness.advance(MICROSECOND).await;
    expect_eq!(start(harness, 9).await, [12, 13, 11, 10], "the jobs of the partition after the longest hold");
    // Under a rate, the next start after a hold is charged as any other.
    declare(harness, QueueLimits::partition("r", Limit::starts(1, SECOND * 5))).await;
    harness.push((20..23).map(|number| of("r", number)).collect()).await;
    let at = after(harness, SECOND * 8);
    throttle(harness, "r", at).await;
    harness.advance(SECOND * 8 - MICROSECOND).await;
    harness.nothing_is_ready().await;
    harness.advance(MICROSECOND).await;
    expect_eq!(start(harness, 9).await, [21], "the first start after the hold");
    harness.advance(SECOND * 5).await;
    expect_eq!(start(harness, 9).await, [22], "the next one");
    harness.advance(SECOND * 5).await;
    expect_eq!(start(harness, 9).await, [20], "the last one");
}

async fn a_stale_throttle_holds_nothing(harness: &QueueHarness) {
    harness.push(vec![of("d", 30), of("d", 31)]).await;
    let lost = harness.claim(Demand::new("default", 1).lease(SECOND)).await;
    harness.advance(SECOND).await;
    let throttle = Transition::Throttle { at: after(harness, SECOND * 100) };
    let batch = vec![Settlement::new(lost[0].lease.clone(), throttle)];
    expect_eq!(harness.settled(batch).await, [Settled::Stale], "a throttle under an expired lease");
    expect_eq!(start(harness, 9).await, [30, 31], "the jobs of the partition");
}

async fn a_throttled_job_that_was_cancelled_holds_too(harness: &QueueHarness) {
    harness.push(vec![of("e", 40), of("e", 41)]).await;
    let running = harness.claim_one().await;
    harness.ok("`cancel`", harness.queue().cancel(running.id(), "enough")).await;
    let at = after(harness, SECOND * 10);
    harness.settle(&running, Transition::Throttle { at }).await;
    harness.is(id(40), State::Cancelled).await;
    harness.nothing_is_ready().await;
    harness.advance(SECOND * 10).await;
    expect_eq!(start(harness, 9).await, [41], "the job of the partition after the hold");
}

async fn a_queue_without_partitions_is_held_as_a_whole(harness: &QueueHarness) {
    harness.push((50..53).map(|number| job(number).id(id(number)).queue("plain")).collect()).await;
    let running = harness.claim(Demand::new("plain", 1)).await;
    let at = after(harness, SECOND * 10);
    harness.settle(&running[0], Transition::Throttle { at }).await;
    expect_eq!(ids_of(&harness.claim(Demand::new("plain", 9)).await), [], "while the queue is held");
    harness.advance(SECOND * 10).await;
    let found = ids_of(&harness.claim(Demand::new("plain", 9)).await);
    expect_eq!(found, [51, 52, 50].map(id), "after the hold");
}
