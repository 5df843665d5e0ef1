//! Laws about the capacity of bounded queues. A queue without a bound must never answer `Full`.

use queue_core::{QueueErrorKind, QueueName, Receipt, Settled, Settlement, State, Transition};

use super::harness::QueueHarness;
use super::jobs::{id, job, jobs};
use crate::Bounded;
use crate::law::expect_eq;

/// Returns a queue of this bound. If the backend has no bound, checks that an unbounded queue stores everything.
async fn bounded(harness: &QueueHarness, capacity: u32) -> Option<(QueueHarness, Bounded)> {
    const PLENTY: u32 = 2_000;
    let Some(bounded) = harness.fixture().bounded(capacity).await else {
        for _ in 0..4 {
            harness.push(jobs(PLENTY / 4)).await;
        }
        let stored = harness.count(&QueueName::DEFAULT, State::Available).await;
        expect_eq!(stored, u64::from(PLENTY), "a queue without a bound stores every job");
        return None;
    };
    Some((harness.with_queue(bounded.queue.clone()), bounded))
}

/// Q52: A bounded queue's push waits for room and proceeds when a job is settled; a batch larger than the bound is `Invalid`, not a deadlock.
pub(super) async fn q52_a_bounded_push_waits_for_room(harness: &QueueHarness) {
    let Some((harness, _)) = bounded(harness, 3).await else { return };
    harness
        .fails_with(
            QueueErrorKind::Invalid,
            "a push of four jobs to a queue of three",
            harness.queue().push(jobs(4)),
        )
        .await;
    expect_eq!(harness.total().await, 0, "a batch larger than the bound stores nothing");
    harness.push(vec![job(0).id(id(0)), job(1).id(id(1)).unique("key"), job(2).id(id(2))]).await;

    let mut waiting = harness.pushing(vec![job(3).id(id(3))]);
    waiting.waits(&**harness.queue()).await;
    let known = vec![job(0).id(id(0)), job(9).unique("key")];
    expect_eq!(
        harness.receipts(known).await,
        [Receipt::Stored(id(0)), Receipt::Existing(id(1))],
        "a job that is stored already needs no capacity"
    );
    let first = harness.claim_one().await;
    waiting.waits(&**harness.queue()).await;
    harness.settle(&first, Transition::Retry { at: harness.now(), error: "no".into() }).await;
    waiting.waits(&**harness.queue()).await;

    let again = harness.claim_one().await;
    harness.settle(&again, Transition::complete()).await;

    let receipts = harness.ok("a push that waited for a job to be settled", waiting.wakes()).await;
    expect_eq!(receipts, [Receipt::Stored(id(3))], "the receipt of a push that waited for capacity");
    let mut waiting = harness.pushing(vec![job(4).id(id(4))]);
    waiting.waits(&**harness.queue()).await;
    harness.ok("`cancel` of a waiting job", harness.queue().cancel(id(3), "why")).await;
    harness.ok("a push that waited for a job to be cancelled", waiting.wakes()).await;
    let mut waiting = harness.pushing(vec![job(5).id(id(5))]);
    waiting.waits(&**harness.queue()).await;
    harness.ok("`delete` of a waiting job", harness.queue().delete(id(4))).await;
    harness.ok("a push that waited for a job to be deleted", waiting.wakes()).await;
}

/// Q53: `try_push` on a full queue is `Full` at once.
pub(super) async fn q53_try_push_on_a_full_queue_is_full_at_once(harness: &QueueHarness) {
    let Some((harness, bounded)) = bounded(harness, 2).await else { return };
    let receipts = harness.ok("`try_push` with capacity", (bounded.try_push)(vec![job(0).id(id(0))])).await;
    expect_eq!(receipts, [Receipt::Stored(id(0))], "`try_push` with capacity stores the job");
    harness
        .fails_with(
            QueueErrorKind::Full,
            "`try_push` of two jobs with capacity for one",
            (bounded.try_push)(jobs(2)),
        )
        .await;
    expect_eq!(harness.total().await, 1, "`try_push` stores the whole batch or none of it");
    harness.push(vec![job(1).id(id(1))]).await;

    let error = harness
        .fails_with(QueueErrorKind::Full, "`try_push` on a full queue", (bounded.try_push)(jobs(1)))
        .await;
    assert!(error.is_transient(), "there may be capacity later, so the error is transient: {error}");
    let known =
        harness.ok("`try_push` of a job that is stored", (bounded.try_push)(vec![job(1).id(id(1))])).await;
    expect_eq!(known, [Receipt::Stored(id(1))], "a job that is stored already needs no capacity");
    harness
        .fails_with(
            QueueErrorKind::Invalid,
            "`try_push` of more jobs than the bound",
            (bounded.try_push)(jobs(3)),
        )
        .await;

    let delivery = harness.claim_one().await;
    harness.settle(&delivery, Transition::complete()).await;
    harness.ok("`try_push` once a job was settled", (bounded.try_push)(jobs(1))).await;

    let delivery = harness.claim_one().await;
    harness.settle(&delivery, Transition::Discard { error: "no".into() }).await;
    let same = |number| job(number).id(id(number)).unique("same");
    let receipts =
        harness.ok("`try_push` of one key twice", (bounded.try_push)(vec![same(7), same(8)])).await;
    expect_eq!(
        receipts,
        [Receipt::Stored(id(7)), Receipt::Existing(id(7))],
        "only the jobs of a batch that are stored need capacity"
    );
    let other = harness.claim_one().await;
    harness.settle(&other, Transition::complete()).await;
    harness.ok("`retry` of a discarded job", harness.queue().retry(delivery.id())).await;
    harness
        .fails_with(
            QueueErrorKind::Full,
            "`try_push` after a retry took the capacity",
            (bounded.try_push)(jobs(1)),
        )
        .await;
}

/// Q54: Dropping a waiting push leaks no room; waiting pushes proceed in order.
pub(super) async fn q54_a_dropped_push_leaks_no_room_and_waiting_ones_go_in_order(harness: &QueueHarness) {
    let Some((harness, bounded)) = bounded(harness, 2).await else { return };
    harness.push(vec![job(0).id(id(0)), job(1).id(id(1))]).await;
    let mut waiting = Vec::new();
    for number in 2..6 {
        let mut push = harness.pushing(vec![job(number).id(id(number))]);
        push.waits(&**harness.queue()).await;
        waiting.push(push);
    }
    // Jobs 2 and 4 will never be pushed: one is dropped at the head of the waiting pushes, one between them.
    drop(waiting.remove(2));
    drop(waiting.remove(0));

    let mut line = (3..).step_by(2).zip(waiting).peekable();
    while let Some((number, push)) = line.next() {
        let delivery = harness.claim_one().await;
        harness.settle(&delivery, Transition::complete()).await;
        let receipts = harness.ok("the push that has waited longest", push.wakes()).await;
        expect_eq!(receipts, [Receipt::Stored(id(number))], "waiting pushes proceed in order");
        if let Some((_, later)) = line.peek_mut() {
            later.waits(&**harness.queue()).await;
        }
    }

    for number in [2, 4] {
        let dropped = harness.ok("`get`", harness.queue().get(id(number))).await;
        assert!(dropped.is_none(), "a push that was dropped while it waited was stored: {dropped:?}");
    }
    for delivery in harness.claim_up_to(2).await {
        harness.settle(&delivery, Transition::complete()).await;
    }
    let receipts = harness
        .ok("`try_push` of as many as fit, into a queue that is empty again", (bounded.try_push)(jobs(2)))
        .await;
    expect_eq!(receipts.len(), 2, "all the capacity is free again");
}

/// Q57: Followups may exceed the bound: a settlement never waits for room.
pub(super) async fn q57_followups_never_wait_for_room(harness: &QueueHarness) {
    let Some((harness, bounded)) = bounded(harness, 2).await else { return };
    harness.push(vec![job(0).id(id(0)), job(1).id(id(1))]).await;
    let mut waiting = harness.pushing(vec![job(9).id(id(9))]);
    waiting.waits(&**harness.queue()).await;
    let delivery = harness.claim_one().await;
    let mut settlement = Settlement::new(delivery.lease.clone(), Transition::complete());
    settlement.followups = (2..5).map(|number| job(number).id(id(number))).collect();

    expect_eq!(
        harness.settled(vec![settlement]).await,
        [Settled::Applied],
        "a settlement with three followups in a full queue of two"
    );

    for number in 1..5 {
        harness.is(id(number), State::Available).await;
    }
    waiting.waits(&**harness.queue()).await;
    harness
        .fails_with(QueueErrorKind::Full, "`try_push` beyond the bound", (bounded.try_push)(jobs(1)))
        .await;
    for number in 1..4 {
        waiting.waits(&**harness.queue()).await;
        let delivery = harness.claim_one().await;
        expect_eq!(delivery.id(), id(number), "the jobs in the queue, in order");
        harness.settle(&delivery, Transition::complete()).await;
    }
    harness.ok("a push that waited until the queue was below its bound again", waiting.wakes()).await;
}
