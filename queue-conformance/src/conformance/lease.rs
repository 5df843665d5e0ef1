//! Laws about leases and fences.

use queue_core::{
    Delivery, Demand, Fence, Heartbeat, JobId, Lease, NewJob, Renewal, Settled, Settlement, State, Timestamp,
    Transition,
};

use super::harness::{QueueHarness, ids_of};
use super::jobs::{MICROSECOND, SECOND, id, job, jobs};
use crate::law::expect_eq;

/// Returns one transition of each kind.
pub(super) fn every_transition(at: Timestamp) -> [Transition; 7] {
    [
        Transition::complete(),
        Transition::Retry { at, error: "no".into() },
        Transition::Snooze { at, error: None },
        Transition::Snooze { at, error: Some("unknown".into()) },
        Transition::Discard { error: "never".into() },
        Transition::Cancel { reason: "why".into() },
        Transition::Release,
    ]
}

/// Q23: Past its expiry a lease is void: the job is delivered again with attempt + 1 and a greater fence, and a waiting claimer wakes for it.
pub(super) async fn q23_a_lease_is_lost_once_it_has_expired(harness: &QueueHarness) {
    harness.push(vec![job(0).id(id(0))]).await;
    let first = harness.claim_one().await;
    let mut waiter = harness.claiming(Demand::new("default", 1));
    waiter.waits(&**harness.queue()).await;
    harness.advance(Lease::DEFAULT_LENGTH - MICROSECOND).await;
    waiter.waits(&**harness.queue()).await;
    harness.is(id(0), State::Executing).await;

    harness.advance(MICROSECOND).await;

    let deliveries = harness.ok("a claim that waited for a lease to expire", waiter.wakes()).await;
    let second =
        deliveries.first().unwrap_or_else(|| panic!("the job whose lease expired must be delivered again"));
    expect_eq!((second.id(), second.attempt), (id(0), 2), "the job and attempt of the second delivery");
    assert!(
        second.lease.fence > first.lease.fence,
        "the fence must grow: {} then {}",
        first.lease.fence,
        second.lease.fence
    );
}

/// Q24: `renew` extends: the job is not delivered at the original expiry. The record of a job has the end of its lease while the lease
/// lasts.
pub(super) async fn q24_a_renewed_lease_outlives_its_first_expiry(harness: &QueueHarness) {
    harness.push(jobs(1)).await;
    let delivery = harness.claim_one().await;
    for _ in 0..3 {
        harness.advance(SECOND * 20).await;
        let expires_at = harness.now().saturating_add(Lease::DEFAULT_LENGTH);
        let renewal = harness.renew(&delivery.lease).await;
        expect_eq!(renewal, Renewal::held(expires_at, None), "a renewal after 20 s of a lease of 30 s");
        let record = harness.is(delivery.id(), State::Executing).await;
        expect_eq!(record.lease_expires_at, Some(expires_at), "`lease_expires_at` after the renewal");
        harness.nothing_is_ready().await;
    }
    let mut waiter = harness.claiming(Demand::new("default", 1));
    harness.advance(Lease::DEFAULT_LENGTH - MICROSECOND).await;
    waiter.waits(&**harness.queue()).await;
    harness.advance(MICROSECOND).await;
    let deliveries = harness.ok("a claim that waited for a renewed lease to expire", waiter.wakes()).await;
    expect_eq!(ids_of(&deliveries), [delivery.id()], "the job, at the end of its renewed lease");
    harness.settle(&deliveries[0], Transition::complete()).await;
    let record = harness.is(delivery.id(), State::Completed).await;
    expect_eq!(record.lease_expires_at, None, "`lease_expires_at` of a job that has no lease");
}

/// Q25: Renewing a lost lease says `Lost` and revives nothing.
pub(super) async fn q25_renewing_a_lost_lease_says_so_and_revives_nothing(harness: &QueueHarness) {
    harness.push(vec![job(0).id(id(0))]).await;
    let first = harness.claim_one().await;
    harness.advance(Lease::DEFAULT_LENGTH).await;

    expect_eq!(harness.renew(&first.lease).await, Renewal::Lost, "a lease that has just expired");
    harness.is(id(0), State::Available).await;
    let second = harness.claim_one().await;
    expect_eq!(
        harness.renew(&first.lease).await,
        Renewal::Lost,
        "a lease whose job another worker holds now"
    );
    let leases = [first.lease.clone(), second.lease.clone()];
    let renewals = harness
        .ok("a renewal of a lost and a live lease", harness.queue().renew(&Heartbeat::of(&leases)))
        .await;
    assert!(
        matches!(&*renewals, [Renewal::Lost, Renewal::Held { .. }]),
        "a lost and a live lease, in order: {renewals:?}"
    );
    harness.settle(&second, Transition::complete()).await;
    for lease in leases {
        expect_eq!(harness.renew(&lease).await, Renewal::Lost, "a lease whose job has ended");
    }
    let mut unknown = second.lease;
    unknown.job = id(99);
    expect_eq!(harness.renew(&unknown).await, Renewal::Lost, "a lease of an unknown job");
    harness.is(id(0), State::Completed).await;
}

/// Q26: Settling under a lost lease is `Stale`: no state change, no followups, the new holder unharmed.
pub(super) async fn q26_settling_under_a_lost_lease_is_stale_and_changes_nothing(harness: &QueueHarness) {
    harness.push(vec![job(0).id(id(0))]).await;
    let lost = harness.claim_one().await;
    harness.advance(Lease::DEFAULT_LENGTH).await;
    stale(harness, &lost, "just expired").await;

    let holder = harness.claim_one().await;
    stale(harness, &lost, "taken over by another worker").await;

    harness.settle(&holder, Transition::complete()).await;
    stale(harness, &lost, "of a job that has ended").await;
    let mut unknown = lost.lease;
    unknown.job = id(98);
    stale_settlements(harness, &unknown, "of an unknown job").await;
}

/// Checks that no settlement under a lost lease changes anything.
async fn stale(harness: &QueueHarness, lost: &Delivery, how: &str) {
    let before = format!("{:?}", harness.get(lost.id()).await);
    stale_settlements(harness, &lost.lease, how).await;
    expect_eq!(
        format!("{:?}", harness.get(lost.id()).await),
        before,
        "the stored job, after settling a lease that was {how}"
    );
}

async fn stale_settlements(harness: &QueueHarness, lost: &Lease, how: &str) {
    for transition in every_transition(harness.now()) {
        let mut settlement = Settlement::new(lost.clone(), transition.clone());
        settlement.followups = vec![job(99).id(id(99))];
        let settled = harness.settled(vec![settlement]).await;
        expect_eq!(settled, [Settled::Stale], "{transition:?} under a lease that was {how}");
        let followup = harness.ok("`get`", harness.queue().get(id(99))).await;
        assert!(followup.is_none(), "a followup was stored with a stale {transition:?}");
    }
}

/// Q27: Settling twice: the second is `Stale` and nothing changes.
pub(super) async fn q27_settling_twice_is_stale_the_second_time(harness: &QueueHarness) {
    for (number, transition) in (0..).zip(every_transition(harness.now().saturating_add(SECOND * 600))) {
        harness.push(vec![job(number).id(id(number)).priority(-1)]).await;
        let delivery = harness.claim_one().await;
        harness.settle(&delivery, transition.clone()).await;
        stale(harness, &delivery, &format!("settled before, as {transition:?}")).await;
        harness.ok("`delete`", harness.queue().delete(id(number))).await;
    }
    harness.push(vec![job(9).id(id(9))]).await;
    let delivery = harness.claim_one().await;
    let twice = [Transition::complete(), Transition::Release]
        .map(|transition| Settlement::new(delivery.lease.clone(), transition));
    let settled = harness.settled(twice.to_vec()).await;
    expect_eq!(settled, [Settled::Applied, Settled::Stale], "a batch that settles one lease twice");
    harness.is(id(9), State::Completed).await;
}

/// Q28: Of claimers racing at an expiry, one wins.
pub(super) async fn q28_of_claimers_racing_at_an_expiry_one_wins(harness: &QueueHarness) {
    harness.push(vec![job(0).id(id(0)).max_attempts(100)]).await;
    harness.claim_one().await;
    let mut first = harness.claiming(Demand::new("default", 1));
    first.waits(&**harness.queue()).await;
    let mut second = harness.claiming(Demand::new("default", 1));
    second.waits(&**harness.queue()).await;
    harness.advance(Lease::DEFAULT_LENGTH).await;
    let winner = harness.ok("the first of two claims that wait for an expiry", first.wakes()).await;
    expect_eq!(ids_of(&winner), [id(0)], "the first claim gets the job");
    second.waits(&**harness.queue()).await;
    drop(second);

    for round in 3..10 {
        harness.advance(Lease::DEFAULT_LENGTH).await;
        harness.note("six claimers at once after an expiry");
        let claimers = (0..6).map(|_| {
            let queue = harness.queue().clone();
            let demand = Demand::new("default", 1).wait(std::time::Duration::ZERO);
            tokio::spawn(async move { queue.claim(&demand).await })
        });
        let mut winners = Vec::new();
        for claimer in claimers.collect::<Vec<_>>() {
            let claimed = harness.steps().joins("one of six claims at once", claimer);
            winners.extend(harness.ok("one of six claims at once", claimed).await);
        }
        let attempts: Vec<_> = winners.iter().map(|delivery| delivery.attempt).collect();
        expect_eq!(attempts, [round], "the attempts that six claimers at once received after an expiry");
    }
}

/// Q29: A lease that expires on the last attempt discards the job, with an error that says so; it never runs again.
pub(super) async fn q29_a_lease_that_expires_on_the_last_attempt_discards_the_job(harness: &QueueHarness) {
    harness.push(vec![job(0).id(id(0)).max_attempts(2)]).await;
    for attempt in 1..=2 {
        let delivery = harness.claim_one().await;
        expect_eq!(delivery.attempt, attempt, "the attempt");
        harness.advance(Lease::DEFAULT_LENGTH).await;
    }

    let record = harness.is(id(0), State::Discarded).await;

    let last =
        record.errors.last().unwrap_or_else(|| panic!("a job that was discarded must say why: {record:?}"));
    expect_eq!(last.attempt, 2, "the attempt of the last error: {last:?}");
    assert!(
        last.message.contains("lease") && last.message.contains("expired"),
        "the error must say that the lease expired: {last:?}"
    );
    expect_eq!(record.finished_at, Some(harness.now()), "when it was discarded");
    harness.advance(SECOND * 86_400).await;
    harness.nothing_is_ready().await;
}

/// Q30: Fences of a job only grow, across retries, snoozes, releases, expiries, an operator's retry and restarts.
pub(super) async fn q30_fences_only_grow(harness: &QueueHarness) {
    let job: NewJob = job(0).id(id(0)).max_attempts(100);
    harness.push(vec![job]).await;
    let mut fences = Vec::new();
    for transition in every_transition(harness.now()) {
        let delivery = grown(harness, id(0), &mut fences).await;
        let is_end = harness.settled(vec![Settlement::new(delivery.lease.clone(), transition.clone())]).await;
        expect_eq!(is_end, [Settled::Applied], "{transition:?}");
        if harness.get(id(0)).await.state.is_finished() {
            harness.ok("an operator's retry", harness.queue().retry(id(0))).await;
        }
    }
    grown(harness, id(0), &mut fences).await;
    harness.advance(Lease::DEFAULT_LENGTH).await;
    if let Some(reopened) = harness.fixture().reopen().await {
        let harness = harness.with_queue(reopened);
        grown(&harness, id(0), &mut fences).await;
        harness.advance(Lease::DEFAULT_LENGTH).await;
    }
    grown(harness, id(0), &mut fences).await;
}

/// Claims the job again and counts the delivery. The fence must be greater than all fences before.
async fn grown(harness: &QueueHarness, id: JobId, fences: &mut Vec<Fence>) -> Delivery {
    let delivery = harness.claim_one().await;
    expect_eq!(delivery.id(), id, "the job");
    let fence = delivery.lease.fence;
    assert!(fences.last().is_none_or(|last| *last < fence), "a fence of {fence} after {fences:?}");
    expect_eq!(harness.get(id).await.fence, fence, "the fence that `get` shows");
    fences.push(fence);
    delivery
}
