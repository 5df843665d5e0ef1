//! Laws about claiming.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use queue_core::{Delivery, Demand, Fence, JobId, QueueErrorKind, Renewal, State, StopSignal, Transition};

use super::harness::{QueueHarness, ids_of};
use super::jobs::{MICROSECOND, SECOND, id, job, jobs, queue};
use super::waiter::poll_and_drop;
use crate::law::expect_eq;
use crate::law::expect_refusal;

/// Q16: A claim returns between one and `max` jobs, each `executing`, attempt one more than before, in order.
pub(super) async fn q16_a_claim_leases_up_to_max_jobs_in_order(harness: &QueueHarness) {
    let now = harness.now();
    let special = job(1).id(id(1)).max_attempts(7).meta("a", "b");
    harness.push(vec![job(0).id(id(0)), special, job(2).id(id(2)), job(3).id(id(3))]).await;
    harness.advance(SECOND).await;

    let demand = Demand::new("default", 3).lease(SECOND * 45);
    let three = harness.ok("a claim of up to three of four jobs", harness.queue().claim(&demand)).await;
    let rest = harness.claim_up_to(3).await;

    expect_eq!(ids_of(&three), [0, 1, 2].map(id), "a claim of up to three takes the first three of four");
    expect_eq!(ids_of(&rest), [id(3)], "the next claim takes the ready job, and doesn't wait for more");
    for delivery in &three {
        let (lease, record) = (&delivery.lease, harness.is(delivery.id(), State::Executing).await);
        expect_eq!(
            (lease.fence, lease.length),
            (Fence(1), SECOND * 45),
            "fence and length of the first lease"
        );
        expect_eq!(
            lease.expires_at,
            harness.now().saturating_add(SECOND * 45),
            "the lease's end, by the queue's clock"
        );
        expect_eq!((delivery.attempt, record.attempt, record.fence), (1, 1, Fence(1)), "the first attempt");
        expect_eq!(
            (delivery.pushed_at, delivery.run_at),
            (now, now),
            "`pushed_at` and `run_at` as delivered"
        );
        expect_eq!(record.claimed_at, Some(harness.now()), "`claimed_at` of a job that was just claimed");
        expect_eq!(record.lease_expires_at, Some(lease.expires_at), "`lease_expires_at` of that job");
        expect_eq!(
            (delivery.name.as_str(), delivery.queue.as_str(), delivery.priority),
            ("work", "default", 0)
        );
    }
    let delivered: Vec<_> =
        three.iter().map(|delivery| (delivery.max_attempts, delivery.meta.get("a"))).collect();
    expect_eq!(delivered, [(5, None), (7, Some("b")), (5, None)], "`max_attempts` and meta as pushed");
    let again = Transition::Retry { at: harness.now(), error: "again".into() };
    harness.settle(&rest[0], again).await;
    let second = harness.claim_one().await;
    expect_eq!((second.attempt, second.lease.fence), (2, Fence(2)), "attempt and fence after a retry");
}

/// Q17: k claimers over n jobs: each job is delivered to exactly one.
pub(super) async fn q17_many_claimers_get_each_job_once(harness: &QueueHarness) {
    const JOBS: u32 = 200;
    let pushed = harness.push(jobs(JOBS)).await;
    harness.note("eight claimers at once over two hundred jobs");
    let left = Arc::new(AtomicUsize::new(pushed.len()));

    let claimers = (1..=8).map(|number| {
        let (queue, steps, left) = (harness.queue().clone(), harness.steps().clone(), left.clone());
        tokio::spawn(async move {
            let (demand, mut got) = (Demand::new("default", number % 4 + 1).wait(Duration::ZERO), Vec::new());
            while left.load(Ordering::Relaxed) > 0 {
                let deliveries = steps.ok("a claim beside those of seven others", queue.claim(&demand)).await;
                // A job that is delivered more than once must end the loop too.
                let taken = deliveries.len();
                left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    Some(left.saturating_sub(taken))
                })
                .ok();
                got.extend(ids_of(&deliveries));
                tokio::task::yield_now().await;
            }
            got
        })
    });
    let mut delivered = Vec::new();
    for claimer in claimers.collect::<Vec<_>>() {
        delivered.extend(harness.steps().joins("the last claims of eight claimers", claimer).await);
    }

    each_once(&delivered, &pushed);
}

fn each_once(delivered: &[JobId], pushed: &[JobId]) {
    let mut times: BTreeMap<_, _> = pushed.iter().map(|id| (*id, 0)).collect();
    for id in delivered {
        *times.entry(*id).or_default() += 1;
    }
    let wrong: Vec<_> = times.iter().filter(|(_, times)| **times != 1).collect();
    assert!(wrong.is_empty(), "each job must be delivered once; the deliveries of the others: {wrong:?}");
}

/// Q18: Dropping a waiting claim, at any point, loses no job and no wake-up.
pub(super) async fn q18_dropping_a_waiting_claim_loses_no_job_and_no_wake_up(harness: &QueueHarness) {
    for is_dropped_first in [true, false] {
        let mut dropped = harness.claiming(Demand::new("default", 1));
        dropped.waits(&**harness.queue()).await;
        let mut next = harness.claiming(Demand::new("default", 1));
        next.waits(&**harness.queue()).await;
        if is_dropped_first {
            drop(dropped);
            harness.push(jobs(1)).await;
        } else {
            harness.push(jobs(1)).await;
            harness.note("the claim that was woken is dropped before it could answer");
            drop(dropped);
        }
        let deliveries = harness.ok("the claim that is left", next.wakes()).await;
        expect_eq!(deliveries.len(), 1, "the job goes to the claim that is left");
        for delivery in &deliveries {
            harness.settle(delivery, Transition::complete()).await;
        }
    }
    drops_at_random_lose_nothing(harness).await;
}

async fn drops_at_random_lose_nothing(harness: &QueueHarness) {
    const JOBS: u32 = 300;
    harness.note("four claimers that drop two claims of three, over three hundred jobs");
    let received = Arc::new(AtomicUsize::new(0));
    let claimers = (0..4).map(|seed| {
        let (queue, steps, received) = (harness.queue().clone(), harness.steps().clone(), received.clone());
        tokio::spawn(async move {
            let (mut random, mut got) = (fastrand::Rng::with_seed(seed), Vec::new());
            while received.load(Ordering::Relaxed) < JOBS as usize {
                let demand = Demand::new("default", random.usize(1..4));
                let polls = random.usize(0..6);
                let claim = async {
                    poll_and_drop(polls, queue.claim(&demand)).await.unwrap_or_else(|| Ok(Vec::new()))
                };
                let deliveries = steps.ok("a claim beside claims that are dropped", claim).await;
                received.fetch_add(deliveries.len(), Ordering::Relaxed);
                got.extend(deliveries);
                tokio::task::yield_now().await;
            }
            got
        })
    });
    let claimers: Vec<_> = claimers.collect();
    let mut pushed = Vec::new();
    for batch in 0..JOBS / 3 {
        pushed.extend(harness.push(vec![job(batch), job(batch), job(batch)]).await);
        tokio::task::yield_now().await;
    }
    harness.note("four claimers that drop two claims of three, over three hundred jobs that were all pushed");
    let mut delivered: Vec<Delivery> = Vec::new();
    for claimer in claimers {
        delivered.extend(harness.steps().joins("the claims beside those that are dropped", claimer).await);
    }
    each_once(&ids_of(&delivered), &pushed);
    let counted: Vec<_> = delivered.iter().filter(|delivery| delivery.attempt != 1).collect();
    assert!(counted.is_empty(), "a claim that was dropped counts as no attempt: {counted:?}");
}

/// Q19: A claim on an empty queue waits; with `wait` set, it returns an empty batch after it; it does not spin.
pub(super) async fn q19_a_claim_on_an_empty_queue_waits_as_long_as_it_said_and_does_not_spin(
    harness: &QueueHarness,
) {
    expect_eq!(ids_of(&harness.claim_up_to(1).await), [], "a claim that doesn't wait, on an empty queue");
    let mut patient = harness.claiming(Demand::new("default", 1));
    let mut bounded = harness.claiming(Demand::new("default", 1).wait(SECOND * 5));
    for _ in 0..20 {
        patient.waits(&**harness.queue()).await;
    }
    assert!(
        patient.polls() <= 20,
        "a claim on an empty queue was woken {} times while nothing happened",
        patient.polls()
    );
    bounded.waits(&**harness.queue()).await;
    harness.advance(SECOND * 5 - MICROSECOND).await;
    bounded.waits(&**harness.queue()).await;

    harness.advance(MICROSECOND).await;

    let deliveries = harness.ok("a claim whose `wait` has passed", bounded.wakes()).await;
    expect_eq!(ids_of(&deliveries), [], "a claim whose `wait` has passed comes back empty");
    harness.advance(SECOND * 3600).await;
    patient.waits(&**harness.queue()).await;
    harness.push(jobs(1)).await;
    let deliveries = harness.ok("a claim that waits for ever", patient.wakes()).await;
    expect_eq!(deliveries.len(), 1, "the job that came in the end");
}

/// Q20: n pushes wake enough waiters that all n are taken; claimers that wait on one handle are served first come, first served.
pub(super) async fn q20_pushes_wake_as_many_waiters_as_needed_first_come_first_served(
    harness: &QueueHarness,
) {
    let mut waiters = Vec::new();
    for _ in 0..4 {
        let mut waiter = harness.claiming(Demand::new("default", 1));
        waiter.waits(&**harness.queue()).await;
        waiters.push(waiter);
    }
    for number in 0..2 {
        harness.push(vec![job(number).id(id(number))]).await;
        let first = waiters.remove(0);
        let deliveries = harness.ok("the claim that has waited longest", first.wakes()).await;
        expect_eq!(
            ids_of(&deliveries),
            [id(number)],
            "the one job goes to the claim that has waited longest"
        );
        for later in &mut waiters {
            later.waits(&**harness.queue()).await;
        }
    }

    harness.push(vec![job(2).id(id(2)), job(3).id(id(3))]).await;

    let mut taken = Vec::new();
    for waiter in waiters {
        taken.extend(ids_of(&harness.ok("one of two claims, after a push of two", waiter.wakes()).await));
    }
    taken.sort_unstable_by(|a, b| b.cmp(a));
    expect_eq!(taken, [2, 3].map(id), "a push of two wakes both claims");
}

/// Q21: A claim waiting on several queues wakes for any of them.
pub(super) async fn q21_a_claim_on_several_queues_wakes_for_any_of_them(harness: &QueueHarness) {
    let names = ["a", "b", "c"].map(queue);
    for name in &names {
        let mut other = harness.claiming(Demand::new("d", 1));
        other.waits(&**harness.queue()).await;
        let mut waiter = harness.claiming(Demand::of(names.clone(), 1));
        waiter.waits(&**harness.queue()).await;

        harness.push(vec![job(1).queue(name)]).await;

        let deliveries =
            harness.ok(format!("a claim on three queues, after a push to `{name}`"), waiter.wakes()).await;
        let of: Vec<_> = deliveries.iter().map(|delivery| &delivery.queue).collect();
        expect_eq!(of, [name], "the queue of the job that was pushed");
        other.waits(&**harness.queue()).await;
    }
}

/// Q61: A claim whose stop signal fires answers at once, with what it has leased or with nothing; no lease goes astray.
pub(super) async fn q61_a_claim_that_is_stopped_answers_at_once_and_loses_no_lease(harness: &QueueHarness) {
    let stop = StopSignal::new();
    let mut waiter = harness.claiming(Demand::new("default", 1).stop(&stop));
    let mut other = harness.claiming(Demand::new("default", 1));
    waiter.waits(&**harness.queue()).await;
    other.waits(&**harness.queue()).await;

    stop.fire();

    let deliveries = harness.ok("a claim whose stop signal has fired", waiter.wakes()).await;
    expect_eq!(ids_of(&deliveries), [], "a claim that is stopped while nothing is ready");
    other.waits(&**harness.queue()).await;
    harness.push(jobs(1)).await;
    let deliveries = harness.ok("the claim beside it", other.wakes()).await;
    expect_eq!(deliveries.len(), 1, "the job goes to the claim that was not stopped");
    for delivery in &deliveries {
        harness.settle(delivery, Transition::complete()).await;
    }
    let id = harness.push_one(job(0)).await;
    let late = harness.claiming(Demand::new("default", 1).stop(&stop));
    let deliveries = harness.ok("a claim that begins after its stop", late.wakes()).await;
    expect_eq!(ids_of(&deliveries), [], "a claim that begins after its stop signal leases nothing");
    expect_eq!(harness.is(id, State::Available).await.fence.0, 0, "the job was never leased");
    expect_eq!(ids_of(&harness.claim_up_to(1).await), [id], "the job is ready for other claims");
    stops_at_random_lose_nothing(harness).await;
}

/// Stops claims while jobs are pushed. Afterwards every job that is executing must have been received by a claimer.
async fn stops_at_random_lose_nothing(harness: &QueueHarness) {
    const ROUNDS: u64 = 60;
    harness.note("claims that are stopped while jobs are pushed");
    let mut received = 0;
    for round in 0..ROUNDS {
        let stop = StopSignal::new();
        let claimers: Vec<_> = (0..2)
            .map(|_| {
                let (queue, demand) = (harness.queue().clone(), Demand::new("q61", 3).stop(&stop));
                tokio::spawn(async move { queue.claim(&demand).await })
            })
            .collect();
        let stopper = tokio::spawn(async move {
            for _ in 0..fastrand::Rng::with_seed(round).usize(0..8) {
                tokio::task::yield_now().await;
            }
            stop.fire();
        });
        let pushed = harness.push(vec![job(0).queue("q61"), job(1).queue("q61")]).await.len();
        assert_eq!(pushed, 2);
        drop(stopper.await);
        for claimer in claimers {
            let claimed = harness.steps().joins("a claim that was stopped", claimer);
            received += harness.ok("a claim that was stopped", claimed).await.len() as u64;
        }
        let executing = harness.count(&queue("q61"), State::Executing).await;
        expect_eq!(
            executing,
            received,
            "every job that is leased was received when all claims have answered"
        );
    }
}

/// Q22: After `close`, pushes and claims, waiting ones too, return `Closed`; leased jobs can still be renewed and settled.
pub(super) async fn q22_after_close_pushes_and_claims_are_refused_and_leases_still_settle(
    harness: &QueueHarness,
) {
    harness.push(jobs(2)).await;
    let deliveries = harness.claim_up_to(2).await;
    let mut waiter = harness.claiming(Demand::new("default", 1));
    waiter.waits(&**harness.queue()).await;

    harness.note("the handle was closed");
    harness.fixture().close().await;

    expect_refusal(
        QueueErrorKind::Closed,
        "a claim that waited as the handle was closed",
        waiter.wakes().await,
    );
    let closed = QueueErrorKind::Closed;
    harness.fails_with(closed, "a push on a closed handle", harness.queue().push(jobs(1))).await;
    let late = harness.claiming(Demand::new("default", 1));
    expect_refusal(closed, "a claim on a closed handle", late.wakes().await);
    for delivery in &deliveries {
        let renewal = harness.renew(&delivery.lease).await;
        assert!(
            matches!(renewal, Renewal::Held { .. }),
            "a lease can be renewed on a closed handle: {renewal:?}"
        );
        harness.settle(delivery, Transition::complete()).await;
    }
}
