//! Laws about the order in which partitions are served.

use queue_core::admin::Imported;
use queue_core::{Delivery, Demand, JobRecord, Limit, QueueLimits, Transition};

use super::harness::{QueueHarness, ids_of};
use super::jobs::{SECOND, id, json};
use super::limited::{after, declare, end_all, has_limits, number_of, of, run_one_by_one, scope, set, start};
use crate::law::expect_eq;

/// Q119: A partition at its limit, or whose next start is later, holds up no other: a claim returns what else is ready, up to its `max`.
pub(super) async fn q119_a_partition_at_its_limit_holds_up_no_other(harness: &QueueHarness) {
    if !has_limits(harness).await {
        return;
    }
    let limits = QueueLimits::each(Limit::running(1)).and_partition("free", Limit::NONE);
    declare(
        harness,
        limits.and_partition("slow", Limit::starts(1, SECOND * 60)).and_partition("shut", Limit::running(0)),
    )
    .await;
    harness.push((0..50).map(|number| of("a", number).priority(-9)).collect()).await;
    harness.push((50..60).map(|number| of("slow", number).priority(-9)).collect()).await;
    harness.push((60..70).map(|number| of("shut", number).priority(-9)).collect()).await;
    harness.push(vec![of("b", 70), of("", 71)]).await;
    harness.push((80..90).map(|number| of("free", number)).collect()).await;

    let expected = [0, 50, 70, 71, 80, 81, 82];
    expect_eq!(start(harness, 7).await, expected, "what a claim of 7 starts beside partitions with limits");
    expect_eq!(
        start(harness, 4).await,
        [83, 84, 85, 86],
        "what starts while all partitions but one are at their limits"
    );

    harness.push(vec![of("c", 90).queue("other")]).await;
    let of_both = harness.claim(Demand::of(["default".into(), "other".into()], 9)).await;
    expect_eq!(ids_of(&of_both), [87, 88, 89, 90].map(id), "the rest, and the job of another queue");
    let none = harness.claim(Demand::of(["default".into(), "other".into()], 9)).await;
    expect_eq!(ids_of(&none), [], "what starts when no partition may");
}

/// Q120: Of the partitions that may start a ready job, the one with the least `running * 1_000_000 / weight` is served next, and of several, the one that has waited longest since it was served or came to have a ready job; within a partition, jobs are ordered by priority, `run_at` and push.
pub(super) async fn q120_the_partition_with_the_fewest_running_jobs_for_its_weight_is_served_next(
    harness: &QueueHarness,
) {
    if !has_limits(harness).await {
        return;
    }
    partitions_take_turns(harness).await;
    the_fewest_running_jobs_come_first(harness).await;
    a_weight_is_a_share_of_the_running_jobs(harness).await;
    a_partition_waits_from_its_first_ready_job_on(harness).await;
    jobs_that_become_ready_at_once_do_so_in_order_of_time(harness).await;
    a_job_that_returns_gives_its_partition_a_new_turn(harness).await;
    equal_partitions_have_equal_shares(harness).await;
}

/// Pushes jobs of partitions that are named by letters; `-` is the unnamed one. The ids have numbers from `first` on.
async fn push(harness: &QueueHarness, first: u32, partitions: &str) {
    let jobs = (first..).zip(partitions.chars());
    harness
        .push(jobs.map(|(number, letter)| of(letter.to_string().trim_matches('-'), number)).collect())
        .await;
}

async fn partitions_take_turns(harness: &QueueHarness) {
    push(harness, 0, "aaabbb---c").await;
    let expected = [0, 3, 6, 9, 1, 4, 7, 2, 5, 8];
    expect_eq!(
        run_one_by_one(harness, 99).await,
        expected,
        "the order of one claimer that runs one job at a time"
    );

    push(harness, 10, "ccaab-").await;
    let claimed = harness.claim_up_to(99).await;
    let order: Vec<_> = claimed.iter().map(|delivery| number_of(delivery.id())).collect();
    expect_eq!(order, [10, 12, 14, 15, 11, 13], "the order within one claim");
    complete(harness, &claimed).await;

    // Priorities order the jobs of a partition, not the partitions.
    let prior = |partition: &str, number: u32, priority| of(partition, number).priority(priority);
    harness
        .push(vec![
            prior("a", 20, 5),
            prior("a", 21, 3),
            prior("b", 22, -9),
            prior("a", 23, 3),
            prior("b", 24, -10),
        ])
        .await;
    expect_eq!(run_one_by_one(harness, 99).await, [21, 24, 23, 22, 20], "the order with priorities");
}

async fn complete(harness: &QueueHarness, deliveries: &[Delivery]) {
    for delivery in deliveries {
        harness.settle(delivery, Transition::complete()).await;
    }
}

async fn the_fewest_running_jobs_come_first(harness: &QueueHarness) {
    push(harness, 30, "aaaaaabbbb").await;
    let first = harness.claim(Demand::new("default", 4).lease(SECOND * 100)).await;
    expect_eq!(ids_of(&first), [30, 36, 31, 37].map(id), "the first four");
    complete(harness, &first[1..2]).await;
    complete(harness, &first[3..4]).await;

    // `a` has two running jobs and `b` none.
    expect_eq!(start(harness, 3).await, [38, 39, 32], "the next three");
    complete(harness, &[first[0].clone(), first[2].clone()]).await;
    push(harness, 45, "b").await;
    // `a` has one running job and `b` two.
    expect_eq!(start(harness, 3).await, [33, 45, 34], "and those after two jobs of `a` have ended");
    end_all(harness).await;
}

async fn a_weight_is_a_share_of_the_running_jobs(harness: &QueueHarness) {
    let limits = QueueLimits::partition("x", Limit::weight(2)).and_partition("y", Limit::weight(3));
    declare(harness, limits).await;
    push(harness, 100, "xxxxxxyyyyyyzzzzzz").await;

    // `x` has twice the weight of `z`, and `y` three times.
    let expected = [100, 106, 112, 107, 101, 108, 113, 102, 109, 110, 103, 111, 114, 104, 105, 115, 116, 117];
    expect_eq!(start(harness, 99).await, expected, "the order by weight");
    set(harness, scope("z"), Some(Limit::weight(1000))).await;
    push(harness, 130, "xzyzxz").await;
    // Six jobs of each run: 6/1000, 6/3, 6/2.
    expect_eq!(start(harness, 4).await, [131, 133, 135, 132], "the order after a change of a weight");
    set(harness, scope("z"), None).await;
    declare(harness, QueueLimits::none()).await;
    end_all(harness).await;
}

async fn a_partition_waits_from_its_first_ready_job_on(harness: &QueueHarness) {
    push(harness, 200, "aab").await;
    expect_eq!(run_one_by_one(harness, 1).await, [200], "the first");
    push(harness, 203, "c").await;
    // `b` has waited since the first push, then `a` was served, then `c` came.
    expect_eq!(run_one_by_one(harness, 9).await, [202, 201, 203], "the partition that waits longest first");
    push(harness, 204, "ba").await;
    push(harness, 206, "b").await;
    expect_eq!(run_one_by_one(harness, 9).await, [204, 205, 206], "a second ready job gives no new turn");
    // If all ready jobs of a partition are gone, its wait begins again.
    push(harness, 210, "dea").await;
    harness.ok("`cancel`", harness.queue().cancel(id(210), "enough")).await;
    push(harness, 213, "d").await;
    expect_eq!(
        run_one_by_one(harness, 9).await,
        [211, 212, 213],
        "a partition that had no ready job for a while"
    );
}

async fn jobs_that_become_ready_at_once_do_so_in_order_of_time(harness: &QueueHarness) {
    let delayed = |partition: &str, number: u32, seconds: u32| of(partition, number).delay(SECOND * seconds);
    harness
        .push(vec![delayed("a", 220, 3), delayed("b", 221, 1), delayed("c", 222, 2), delayed("d", 223, 1)])
        .await;
    harness.advance(SECOND * 5).await;
    expect_eq!(
        run_one_by_one(harness, 9).await,
        [221, 223, 222, 220],
        "partitions in the order of their due times"
    );

    let lease = |partition: &str, number: u32| of(partition, number).max_attempts(9);
    harness.push(vec![lease("a", 230), lease("b", 231), lease("c", 232)]).await;
    for seconds in [3, 1, 2] {
        harness.claim(Demand::new("default", 1).lease(SECOND * seconds)).await;
    }
    harness.advance(SECOND * 5).await;
    expect_eq!(
        run_one_by_one(harness, 9).await,
        [231, 232, 230],
        "partitions in the order in which their leases expired"
    );

    harness.push(vec![of("a", 235)]).await;
    harness.claim(Demand::new("default", 1).lease(SECOND * 3)).await;
    harness.push(vec![delayed("c", 236, 5), delayed("b", 237, 1)]).await;
    harness.advance(SECOND * 5).await;
    expect_eq!(
        run_one_by_one(harness, 9).await,
        [237, 235, 236],
        "due jobs and expired leases in order of time"
    );
}

async fn a_job_that_returns_gives_its_partition_a_new_turn(harness: &QueueHarness) {
    push(harness, 240, "abcd").await;
    let claimed = harness.claim_up_to(4).await;
    push(harness, 244, "e").await;
    let at = after(harness, SECOND);
    harness.settle(&claimed[3], Transition::Retry { at, error: "no".into() }).await;
    harness.settle(&claimed[2], Transition::Release).await;
    harness.settle(&claimed[0], Transition::Snooze { at: harness.now(), error: None }).await;
    harness.settle(&claimed[1], Transition::complete()).await;
    harness.ok("`retry` of a completed job", harness.queue().retry(id(241))).await;
    harness.advance(SECOND).await;
    let mut expected = vec![244, 242, 240, 241, 243];
    expected.extend(imports(harness, "f", 245).await.then_some(245));
    expect_eq!(run_one_by_one(harness, 9).await, expected, "partitions in the order in which jobs returned");
}

/// Imports a ready job. Returns whether the queue imports jobs.
async fn imports(harness: &QueueHarness, partition: &str, number: u32) -> bool {
    let mut record = JobRecord::new(id(number), "work".into(), json("{}"));
    (record.partition, record.run_at) = (partition.into(), harness.now());
    match harness.queue().import(vec![record]).await {
        Ok(answers) => {
            expect_eq!(answers, [Imported::Stored], "the import of a ready job");
            true
        }
        Err(error) if error.kind() == queue_core::QueueErrorKind::Unsupported => false,
        Err(error) => panic!("an import failed: {error}"),
    }
}

/// Of four equal partitions, each gets a fourth of any run of deliveries, give or take one.
async fn equal_partitions_have_equal_shares(harness: &QueueHarness) {
    const NAMES: [&str; 4] = ["p", "q", "r", "s"];
    let mut jobs: Vec<_> = (300..380).collect();
    fastrand::Rng::with_seed(7).shuffle(&mut jobs);
    harness.push(jobs.into_iter().map(|number| of(NAMES[number as usize % 4], number)).collect()).await;

    let mut served = Vec::new();
    for max in (1..=3).cycle() {
        let claimed = harness.claim_up_to(max).await;
        if claimed.is_empty() {
            break;
        }
        complete(harness, &claimed).await;
        served.extend(claimed.iter().map(|delivery| delivery.partition.to_string()));
    }

    for (first, length) in
        (0..served.len()).flat_map(|first| (1..=served.len() - first).map(move |length| (first, length)))
    {
        let run = &served[first..first + length];
        for name in NAMES {
            let of_name = run.iter().filter(|served| *served == name).count();
            let is_fair = (length / 4..=length.div_ceil(4)).any(|share| of_name.abs_diff(share) <= 1);
            assert!(
                is_fair,
                "{of_name} of {length} deliveries from the {first}th on are of partition {name}: {served:?}"
            );
        }
    }
    expect_eq!(served.len(), 80, "the deliveries");
}
