//! Laws about limits on the jobs that run at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use queue_core::{
    Demand, Limit, LimitScope, Partition, QueueLimits, QueueName, Settled, Settlement, Transition,
};

use super::harness::{QueueHarness, ids_of};
use super::jobs::{SECOND, id, job};
use super::limited::{after, declare, has_limits, of, set, start, usage_of};
use crate::law::expect_eq;

/// Q115: Of a queue, and of each partition, no more jobs than `running` hold live leases at any instant, over all claimers and within one claim; from a queue with limits a claim leases no more jobs than it can start.
pub(super) async fn q115_no_more_jobs_run_than_a_limit_allows(harness: &QueueHarness) {
    if !has_limits(harness).await {
        return;
    }
    one_claim_obeys_each_limit(harness).await;
    jobs_that_ran_before_the_limit_count(harness).await;
    a_claim_leases_no_more_than_it_can_start(harness).await;
    claims_at_once_obey_each_limit(harness).await;
}

async fn one_claim_obeys_each_limit(harness: &QueueHarness) {
    let limits = QueueLimits::total(Limit::running(5)).and_each(Limit::running(1));
    declare(harness, limits.and_partition("b", Limit::running(2)).and_partition("none", Limit::running(0)))
        .await;
    let partitions = ["a", "a", "b", "b", "b", "", "", "none", "c", "d"];
    harness.push((0..).zip(partitions).map(|(number, partition)| of(partition, number)).collect()).await;

    expect_eq!(start(harness, 10).await, [0, 2, 5, 8, 9], "the jobs that one claim starts under all limits");
    expect_eq!(start(harness, 10).await.len(), 0, "the jobs that start while the queue is at its limit");
    set(harness, LimitScope::Total, Some(Limit::NONE)).await;
    expect_eq!(start(harness, 10).await, [3], "the job that starts while all partitions but `b` are full");
}

async fn jobs_that_ran_before_the_limit_count(harness: &QueueHarness) {
    let pushed =
        |numbers: std::ops::Range<u32>| numbers.map(|number| job(number).id(id(number)).queue("plain"));
    harness.push(pushed(20..25).collect()).await;
    let before = harness.claim(Demand::new("plain", 2)).await;
    expect_eq!(before.len(), 2, "the jobs that start without a limit");

    let declared = QueueLimits::total(Limit::running(3));
    harness.ok("`declare_limits`", harness.queue().declare_limits(&"plain".into(), &declared)).await;

    expect_eq!(
        harness.claim(Demand::new("plain", 9)).await.len(),
        1,
        "the jobs that start beside two running ones"
    );
}

async fn a_claim_leases_no_more_than_it_can_start(harness: &QueueHarness) {
    for (number, name) in (0..).zip(["startable", "partitioned"]) {
        let pushed = (0..5).map(|place| of("p", 30 + number * 10 + place).queue(name));
        harness.push(pushed.collect()).await;
    }
    let declared = QueueLimits::each(Limit::running(4));
    harness.ok("`declare_limits`", harness.queue().declare_limits(&"startable".into(), &declared)).await;
    let of_both = Demand::of(["startable".into(), "partitioned".into()], 5).startable(2);

    let claimed = harness.claim(of_both).await;

    let expected = [30, 31, 40, 41, 42].map(id);
    expect_eq!(
        ids_of(&claimed),
        expected,
        "two jobs of the queue with limits, and as many of the other as fit"
    );
}

/// Eight claimers run jobs of four partitions at once. Each counts its jobs between the answer of the claim and the settlement.
async fn claims_at_once_obey_each_limit(harness: &QueueHarness) {
    const JOBS: usize = 160;
    let name: QueueName = "many".into();
    let declared = QueueLimits::total(Limit::running(5)).and_each(Limit::running(2));
    harness.ok("`declare_limits`", harness.queue().declare_limits(&name, &declared)).await;
    let partitions = ["a", "b", "c", ""];
    let pushed = (0..JOBS).map(|number| job(0).queue("many").partition(partitions[number % 4]));
    harness.push(pushed.collect()).await;
    harness.note("eight claimers at once over four partitions");
    let counts = Arc::new(Running::default());

    let claimers = (1..=8_usize).map(|number| {
        let (queue, steps, counts) = (harness.queue().clone(), harness.steps().clone(), counts.clone());
        let demand = Demand::new("many", number % 3 + 1).wait(Duration::ZERO);
        tokio::spawn(async move {
            while counts.done.load(Ordering::SeqCst) < JOBS {
                let deliveries = steps.ok("a claim beside those of seven others", queue.claim(&demand)).await;
                for delivery in deliveries {
                    counts.enter(&delivery.partition);
                    tokio::task::yield_now().await;
                    counts.leave(&delivery.partition);
                    let settlement = Settlement::new(delivery.lease, Transition::complete());
                    steps.ok("a settlement", queue.settle(vec![settlement])).await;
                }
                tokio::task::yield_now().await;
            }
        })
    });
    for claimer in claimers.collect::<Vec<_>>() {
        harness.steps().joins("the last claims of eight claimers", claimer).await;
    }
    let (in_all, of_one) =
        (counts.most_in_all.load(Ordering::SeqCst), counts.most_of_one.load(Ordering::SeqCst));
    assert!(in_all <= 5, "{in_all} jobs of the queue ran at once, and 5 are allowed");
    assert!(of_one <= 2, "{of_one} jobs of a partition ran at once, and 2 are allowed");
}

/// The jobs that certainly run: in all, and of each of four partitions. And the most that ran at once.
#[derive(Default)]
struct Running {
    total: AtomicUsize,
    partitions: [AtomicUsize; 4],
    most_in_all: AtomicUsize,
    most_of_one: AtomicUsize,
    done: AtomicUsize,
}

impl Running {
    fn of(&self, partition: &Partition) -> &AtomicUsize {
        &self.partitions[partition.as_str().bytes().next().map_or(3, |letter| usize::from(letter - b'a'))]
    }

    fn enter(&self, partition: &Partition) {
        let of_partition = self.of(partition).fetch_add(1, Ordering::SeqCst) + 1;
        let in_all = self.total.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_of_one.fetch_max(of_partition, Ordering::SeqCst);
        self.most_in_all.fetch_max(in_all, Ordering::SeqCst);
    }

    fn leave(&self, partition: &Partition) {
        self.of(partition).fetch_sub(1, Ordering::SeqCst);
        self.total.fetch_sub(1, Ordering::SeqCst);
        self.done.fetch_add(1, Ordering::SeqCst);
    }
}

/// Q116: What ends a lease, a settlement or its expiry, frees its place, and a waiting claim wakes for it; a stale settlement frees nothing.
pub(super) async fn q116_what_ends_a_lease_frees_its_place_and_wakes_a_claim(harness: &QueueHarness) {
    if !has_limits(harness).await {
        return;
    }
    let later = after(harness, SECOND * 1_000_000);
    let ends = [
        Transition::complete(),
        Transition::Retry { at: later, error: "no".into() },
        Transition::Snooze { at: later, error: None },
        Transition::Throttle { at: later },
        Transition::Discard { error: "never".into() },
        Transition::Cancel { reason: "enough".into() },
        Transition::Release,
    ];
    let expiry = std::iter::once(None);
    for (round, end) in (0..).zip(ends.into_iter().map(Some).chain(expiry)) {
        for (each, limits) in [QueueLimits::total(Limit::running(1)), QueueLimits::each(Limit::running(1))]
            .into_iter()
            .enumerate()
        {
            let name = format!("q{round}-{each}");
            // Under the limit of each partition, the waiting job is in the partition that has the running one.
            let partition = if each == 1 { "a" } else { "b" };
            if each == 1 && matches!(end, Some(Transition::Throttle { .. } | Transition::Release)) {
                continue; // The partition is held, or the released job is first in it.
            }
            an_end_frees_a_place(harness, name.into(), &limits, partition, end.as_ref()).await;
        }
    }
    a_stale_settlement_frees_nothing(harness).await;
}

async fn an_end_frees_a_place(
    harness: &QueueHarness,
    name: QueueName,
    limits: &QueueLimits,
    partition: &str,
    end: Option<&Transition>,
) {
    harness.ok("`declare_limits`", harness.queue().declare_limits(&name, limits)).await;
    let pushed = |partition: &str| job(0).queue(&name).partition(partition);
    let ids = harness.push(vec![pushed("a"), pushed(partition)]).await;
    let demand = Demand::new(name.clone(), 9).lease(SECOND * 5);
    let running = harness.claim(demand.clone()).await;
    expect_eq!(ids_of(&running), ids[..1], "the job that starts in the queue {name}");
    let mut waiting = harness.claiming(demand);
    waiting.waits(&**harness.queue()).await;

    harness.note(format!("ending the lease by {end:?}"));
    match end {
        Some(transition) => harness.settle(&running[0], transition.clone()).await,
        None => harness.advance(SECOND * 5).await,
    }

    let woken = harness.ok(format!("the claim that waited for the end by {end:?}"), waiting.wakes()).await;
    let first = ids_of(&woken)[..1].to_vec();
    // An expired job is ready again, and in its partition it is first.
    let expected = if end.is_none() && partition == "a" { ids[0] } else { ids[1] };
    expect_eq!(first, [expected], "the job that takes the place, after the end by {end:?}");
}

async fn a_stale_settlement_frees_nothing(harness: &QueueHarness) {
    declare(harness, QueueLimits::total(Limit::running(1))).await;
    harness.push(vec![of("a", 0), of("b", 1)]).await;
    let lost = harness.claim(Demand::new("default", 9).lease(SECOND)).await;
    harness.advance(SECOND).await;
    expect_eq!(start(harness, 9).await, [1], "the job that starts after the expiry");

    for transition in
        [Transition::complete(), Transition::Release, Transition::Throttle { at: harness.now() }]
    {
        let settlement = Settlement::new(lost[0].lease.clone(), transition);
        expect_eq!(harness.settled(vec![settlement]).await, [Settled::Stale], "under the expired lease");
        harness.nothing_is_ready().await;
    }
    expect_eq!(usage_of(harness, "b").await.map(|usage| usage.running), Some(1), "the running jobs of `b`");
}
