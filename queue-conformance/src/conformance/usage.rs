//! The law about the usage of queues and partitions.

use fastrand::Rng;
use queue_core::admin::{Filter, QueueUsage, UsageRequest};
use queue_core::{Delivery, Demand, Limit, QueueLimits, State, Transition};

use super::harness::QueueHarness;
use super::jobs::{SECOND, id, job};
use super::limited::{declare, has_limits, of, usage};
use crate::law::expect_eq;

/// Q123: At rest, `usage` has for a queue and each of its partitions the number of live leases, the number of ready jobs, the limit in force, and the instant from which the next job may start if that is in the future.
pub(super) async fn q123_usage_at_rest_has_the_number_of_live_leases(harness: &QueueHarness) {
    if !has_limits(harness).await {
        return;
    }
    a_plain_queue_has_the_unnamed_partition(harness).await;
    the_fullest_partition_is_first(harness).await;
    numbers_are_exact_after_random_calls(harness).await;
}

async fn of_queue(harness: &QueueHarness, request: UsageRequest) -> QueueUsage {
    harness.ok(format!("`usage` of {request:?}"), async { harness.queue().usage(&request).await }).await
}

/// Returns the usage in words: the queue, then each partition, with ready and running jobs.
fn shown(usage: &QueueUsage) -> String {
    let partitions = usage
        .partitions
        .iter()
        .map(|listed| format!(", {:?} {}+{}", listed.partition, listed.usage.ready, listed.usage.running));
    format!("{}+{}{}", usage.total.ready, usage.total.running, partitions.collect::<String>())
}

async fn a_plain_queue_has_the_unnamed_partition(harness: &QueueHarness) {
    let plain = || UsageRequest::of("plain");
    let empty = of_queue(harness, plain()).await;
    expect_eq!(
        (shown(&empty).as_str(), &empty.queue, empty.at),
        ("0+0", &"plain".into(), harness.now()),
        "of no job"
    );
    harness.push((0..3).map(|number| job(number).id(id(number)).queue("plain")).collect()).await;
    harness.push(vec![job(3).id(id(3)).queue("plain").delay(SECOND * 2)]).await;
    let running = harness.claim(Demand::new("plain", 1).lease(SECOND)).await;
    expect_eq!(shown(&of_queue(harness, plain()).await), "2+1, \"\" 2+1", "of a plain queue");
    expect_eq!(
        shown(&of_queue(harness, plain().partition("a")).await),
        "2+1",
        "of a partition that has no job"
    );
    harness.settle(&running[0], Transition::complete()).await;
    harness.claim(Demand::new("plain", 1).lease(SECOND)).await;
    // The lease expires and the delayed job becomes due, and no other call notices it.
    harness.advance(SECOND * 2).await;
    expect_eq!(shown(&of_queue(harness, plain()).await), "3+0, \"\" 3+0", "after an expiry and a due time");
}

async fn the_fullest_partition_is_first(harness: &QueueHarness) {
    let limits =
        QueueLimits::each(Limit::running(4)).and_total(Limit::running(9).and_starts(60, SECOND).burst(60));
    let limits = limits.and_partition("half", Limit::running(2)).and_partition("full", Limit::running(1));
    declare(harness, limits.and_partition("open", Limit::NONE)).await;
    let partitions = ["full", "half", "most", "open", "full", "half", "most", "most", "less", "rest"];
    let pushed = (10..).zip(partitions).map(|(number, partition)| of(partition, number));
    harness.push(pushed.collect()).await;
    let all = harness.claim(Demand::new("default", 8).lease(SECOND)).await;
    expect_eq!(all.len(), 8, "the jobs that start");

    let found = usage(harness).await;

    let expected = "2+8, \"full\" 1+1, \"half\" 0+2, \"most\" 1+2, \"less\" 0+1, \"rest\" 0+1, \"open\" 0+1";
    expect_eq!(shown(&found), expected, "ready and running jobs, the fullest partition first");
    expect_eq!(
        found.total.limit,
        Limit::running(9).and_starts(60, SECOND).burst(60),
        "the limit of the queue"
    );
    let of_partitions: Vec<_> = found.partitions.iter().map(|listed| listed.usage.limit).collect();
    let expected = [
        Limit::running(1),
        Limit::running(2),
        Limit::running(4),
        Limit::running(4),
        Limit::running(4),
        Limit::NONE,
    ];
    expect_eq!(of_partitions, expected, "the limits in force");
    expect_eq!(
        found.total.next_start.is_none_or(|at| at > harness.now()),
        true,
        "an instant that is not in the future"
    );
    a_request_selects_partitions(harness).await;
    declare(harness, QueueLimits::none()).await;
}

async fn a_request_selects_partitions(harness: &QueueHarness) {
    let first = of_queue(harness, UsageRequest::of("default").limit(2)).await;
    expect_eq!(shown(&first), "2+8, \"full\" 1+1, \"half\" 0+2", "with a limit of two partitions");
    let one = of_queue(harness, UsageRequest::of("default").partition("less")).await;
    expect_eq!(shown(&one), "2+8, \"less\" 0+1", "of one partition");
    harness.advance(SECOND).await;
    let expired = of_queue(harness, UsageRequest::of("default").partition("most")).await;
    expect_eq!(shown(&expired), "10+0, \"most\" 3+0", "after the leases have expired");
}

/// Calls the queue at random, and compares the usage with the list of jobs.
async fn numbers_are_exact_after_random_calls(harness: &QueueHarness) {
    const NAMES: [&str; 4] = ["a", "b", "c", ""];
    let limits = QueueLimits::each(Limit::running(3)).and_total(Limit::running(8));
    declare(harness, limits.and_partition("b", Limit::starts(1, SECOND * 3))).await;
    let (mut random, mut held): (_, Vec<Delivery>) = (Rng::with_seed(11), Vec::new());
    for step in 0..60_u32 {
        let name = NAMES[random.usize(0..NAMES.len())];
        match random.u32(0..8) {
            0..3 => drop(
                harness
                    .push((0..3).map(|n| of(name, 1000 + step * 3 + n).delay(SECOND * (n % 2))).collect())
                    .await,
            ),
            3..5 => {
                let demand = Demand::new("default", random.usize(1..5)).lease(SECOND * random.u32(1..6));
                held.extend(harness.claim(demand).await);
            }
            5..7 if !held.is_empty() => {
                let delivery = held.swap_remove(random.usize(0..held.len()));
                let end = match random.u32(0..4) {
                    0 => Transition::Throttle { at: harness.now().saturating_add(SECOND * 2) },
                    1 => Transition::Release,
                    2 => Transition::Retry { at: harness.now(), error: "no".into() },
                    _ => Transition::complete(),
                };
                // The lease may have expired.
                harness.settled(vec![queue_core::Settlement::new(delivery.lease, end)]).await;
            }
            _ => harness.advance(SECOND).await,
        }
        if step % 4 == 3 {
            numbers_are_those_of_the_list(harness, &NAMES).await;
        }
    }
}

async fn numbers_are_those_of_the_list(harness: &QueueHarness, names: &[&str]) {
    let found = usage(harness).await;
    let all = |state: State| Filter::all().queue("default").state(state);
    let (ready, running) = (all(State::Available), all(State::Executing));
    expect_eq!(found.total.ready, harness.ids(&ready).await.len() as u64, "the ready jobs of the queue");
    expect_eq!(found.total.running, harness.ids(&running).await.len() as u64, "the live leases of the queue");
    for name in names {
        let listed = found.partitions.iter().find(|listed| listed.partition.as_str() == *name);
        let (ready, running) = (ready.clone().partition(*name), running.clone().partition(*name));
        let expected = (harness.ids(&ready).await.len() as u64, harness.ids(&running).await.len() as u64);
        let numbers = listed.map_or((0, 0), |listed| (listed.usage.ready, listed.usage.running));
        expect_eq!(numbers, expected, "the ready jobs and the live leases of partition {name:?}: {found:?}");
    }
}
