//! Laws about order.

use queue_core::{Delivery, Demand, QueueName, Transition};

use super::harness::{QueueHarness, ids_of};
use super::jobs::{SECOND, id, job, queue};
use crate::law::expect_eq;

/// Q8: One claimer sees equal jobs in push order, also across batches and across a restart.
pub(super) async fn q8_one_claimer_sees_equal_jobs_in_push_order(harness: &QueueHarness) {
    let mut pushed = Vec::new();
    for size in [7, 1, 5, 12] {
        let first = u32::try_from(pushed.len()).unwrap_or(u32::MAX);
        let batch = (first..first + size).map(|number| job(number).id(id(number)));
        pushed.extend(harness.push(batch.collect()).await);
    }

    let mut delivered = ids_of(&harness.claim_up_to(4).await);
    delivered.extend(ids_of(&harness.claim_up_to(1).await));
    match harness.fixture().reopen().await {
        Some(reopened) => {
            let harness = harness.with_queue(reopened);
            pushed.extend(harness.push(vec![job(99).id(id(99))]).await);
            delivered.extend(ids_of(&harness.claim_up_to(100).await));
        }
        None => delivered.extend(ids_of(&harness.claim_up_to(100).await)),
    }

    expect_eq!(delivered, pushed, "equal jobs must be delivered in push order");
}

/// Q9: Lower priority number first, then earlier `run_at`, then push order; the extremes of the type work.
pub(super) async fn q9_lower_priority_then_earlier_run_at_then_push_order(harness: &QueueHarness) {
    let priorities = [0, i32::MAX, -1, i32::MIN, 1, 0, -1, i32::MIN + 1];
    let delays = [3, 0, 2, 3, 0, 1, 2, 0];
    let batch = priorities.into_iter().zip(delays).zip(0..).map(|((priority, delay), number)| {
        job(number).id(id(number)).priority(priority).delay(SECOND * delay)
    });
    harness.push(batch.collect()).await;
    harness.advance(SECOND * 3).await;

    let delivered = ids_of(&harness.claim_up_to(100).await);

    expect_eq!(
        delivered,
        [3, 7, 2, 6, 5, 0, 4, 1].map(id),
        "the order of priorities {priorities:?} with delays of {delays:?} s"
    );
}

/// Q10: A claim gets only jobs of the queues it names, in the order it names them; an unknown queue name is simply empty.
pub(super) async fn q10_a_claim_gets_jobs_of_the_queues_it_names_in_that_order(harness: &QueueHarness) {
    let queues = ["a", "b", "c", "a", "b", "c"];
    let batch = queues
        .into_iter()
        .zip(0..)
        .map(|(queue, number)| job(number).id(id(number)).queue(queue).priority(-(number as i32)));
    harness.push(batch.collect()).await;

    let unknown = harness.claim(Demand::new("unknown", 9)).await;
    expect_eq!(ids_of(&unknown), [], "of a queue without a push");
    let default = harness.claim(Demand::new(QueueName::DEFAULT, 9)).await;
    expect_eq!(ids_of(&default), [], "of a queue that has no jobs");
    let three = harness.claim(Demand::of([queue("c"), queue("unknown"), queue("a")], 3)).await;
    expect_eq!(
        ids_of(&three),
        [5, 2, 3].map(id),
        "three jobs of the queues `c` and `a`, the last pushed of each first by priority"
    );
    let rest = harness.claim(Demand::of([queue("a"), queue("b")], 9)).await;
    expect_eq!(ids_of(&rest), [0, 4, 1].map(id), "the rest of the queues `a` and `b`");
    let of: Vec<_> = rest.iter().map(|delivery: &Delivery| delivery.queue.to_string()).collect();
    expect_eq!(of, ["a", "b", "b"], "the queues that the deliveries say they were in");
}

/// Q11: A retried job takes its place by its new `run_at`, a released one keeps its old place.
pub(super) async fn q11_a_retried_job_is_ordered_by_its_new_time_and_a_released_one_keeps_its_place(
    harness: &QueueHarness,
) {
    harness.push((0..3).map(|number| job(number).id(id(number))).collect()).await;
    let first = harness.claim_one().await;
    harness.advance(SECOND).await;
    harness.settle(&first, Transition::Release).await;
    let released = harness.claim_one().await;
    expect_eq!(released.id(), id(0), "the job that was released keeps its place at the head");

    let at = harness.now().saturating_add(SECOND);
    harness.settle(&released, Transition::Retry { at, error: "again".into() }).await;
    harness.push(vec![job(3).id(id(3)).delay(SECOND * 2), job(4).id(id(4))]).await;
    harness.advance(SECOND * 2).await;

    let order = ids_of(&harness.claim_up_to(9).await);
    expect_eq!(
        order,
        [1, 2, 4, 0, 3].map(id),
        "the retried job comes after jobs with an earlier time, and before jobs with a later time"
    );
}
