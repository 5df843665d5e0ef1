//! Laws about the progress of running jobs.

use queue_core::admin::Filter;
use queue_core::{Delivery, Heartbeat, JobProgress, JobRecord, Lease, Renewal, State, Transition};

use super::harness::QueueHarness;
use super::jobs::{SECOND, id, job};
use super::lease::every_transition;
use crate::law::expect_eq;

/// Q86: The progress of a heartbeat is shown by `get` and `list`, the latest only, until its lease ends.
pub(super) async fn q86_the_latest_progress_is_shown_until_the_lease_ends(harness: &QueueHarness) {
    the_latest_is_shown(harness).await;
    it_ends_with_the_attempt(harness).await;
    it_ends_with_the_lease(harness).await;
}

async fn the_latest_is_shown(harness: &QueueHarness) {
    harness.push((0..3).map(|number| job(number).id(id(number))).collect()).await;
    let deliveries = harness.claim_up_to(3).await;
    expect_eq!(deliveries.len(), 3, "three jobs are claimed");
    expect_eq!(
        shown(&harness.is(id(0), State::Executing).await),
        None,
        "the progress before any was reported"
    );
    let steps = [
        [Some((0, "begun")), None, Some((40, "4 of 10: ü🦀 \"\\"))],
        [None, Some((255, "more than all")), Some((50, ""))],
        [None, None, None],
    ];
    let mut expected = [None; 3];

    for step in steps {
        let pairs = deliveries.iter().zip(step);
        let heartbeats: Vec<_> = pairs.map(|(delivery, progress)| beat(delivery, progress)).collect();

        let renewals = harness.ok("a renewal with progress", harness.queue().renew(&heartbeats)).await;

        assert!(renewals.iter().all(|renewal| matches!(renewal, Renewal::Held { .. })), "{renewals:?}");

        for (expected, progress) in expected.iter_mut().zip(step) {
            *expected = progress.map(|(percent, note): (u8, _)| (percent.min(100), note)).or(*expected);
        }
        for (number, expected) in (0..).zip(expected) {
            let record = harness.is(id(number), State::Executing).await;
            expect_eq!(shown(&record), expected, "the progress that `get` shows of job {number}");
        }
        let listed = harness.list(&Filter::all(), 10).await;
        expect_eq!(listed.iter().map(shown).collect::<Vec<_>>(), expected, "the progress that `list` shows");
    }
    for delivery in &deliveries {
        harness.settle(delivery, Transition::complete()).await;
    }
}

async fn it_ends_with_the_attempt(harness: &QueueHarness) {
    for (number, transition) in (10..).zip(every_transition(harness.now().saturating_add(SECOND * 60))) {
        harness.push(vec![job(number).id(id(number))]).await;
        let delivery = harness.claim_one().await;
        report(harness, &delivery, 90).await;

        harness.settle(&delivery, transition.clone()).await;

        let record = harness.get(id(number)).await;
        expect_eq!(shown(&record), None, "the progress after {transition:?}");
        harness.ok("`delete`", harness.queue().delete(id(number))).await;
    }
}

async fn it_ends_with_the_lease(harness: &QueueHarness) {
    harness.push(vec![job(30).id(id(30))]).await;
    let lost = harness.claim_one().await;
    report(harness, &lost, 30).await;

    harness.advance(Lease::DEFAULT_LENGTH).await;

    expect_eq!(
        shown(&harness.is(id(30), State::Available).await),
        None,
        "the progress after the lease expired"
    );
    let held = harness.claim_one().await;
    expect_eq!(shown(&harness.is(id(30), State::Executing).await), None, "the progress of the next attempt");
    report(harness, &held, 10).await;
    let answer =
        harness.ok("a late renewal", harness.queue().renew(&[beat(&lost, Some((99, "late")))])).await;
    expect_eq!(answer, [Renewal::Lost], "a renewal of a lost lease");
    let record = harness.is(id(30), State::Executing).await;
    expect_eq!(shown(&record), Some((10, "at work")), "the progress of the attempt that holds the lease");
    harness.settle(&held, Transition::complete()).await;
}

async fn report(harness: &QueueHarness, delivery: &Delivery, percent: u8) {
    let heartbeat = [beat(delivery, Some((percent, "at work")))];
    harness.ok("a renewal with progress", harness.queue().renew(&heartbeat)).await;
    let record = harness.is(delivery.id(), State::Executing).await;
    expect_eq!(shown(&record), Some((percent, "at work")), "the progress that was reported");
}

fn beat(delivery: &Delivery, progress: Option<(u8, &str)>) -> Heartbeat {
    let progress = progress.map(|(percent, note)| JobProgress::new(percent, note));
    Heartbeat::new(delivery.lease.clone()).progress(progress)
}

fn shown(record: &JobRecord) -> Option<(u8, &str)> {
    record.progress.as_ref().map(|progress| (progress.percent(), progress.note()))
}
