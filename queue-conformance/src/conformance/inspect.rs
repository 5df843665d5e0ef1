//! Laws about what operators see, and about retention.

use std::collections::BTreeMap;
use std::time::Duration;

use queue_core::admin::{Cursor, Filter, PageRequest, Prune};
use queue_core::{
    Demand, Fence, JobId, QueueErrorKind, QueueName, Settled, Settlement, State, Timestamp, Transition,
};

use super::harness::QueueHarness;
use super::jobs::{SECOND, id, job, jobs, queue};
use super::operate::brought_to;
use crate::law::expect_eq;

/// Q44: `counts` for each queue and state are exact at rest.
pub(super) async fn q44_counts_are_exact_at_rest(harness: &QueueHarness) {
    let mut number = 0;
    for (state, times) in State::ALL.into_iter().zip(1..) {
        // An available job would be claimed to bring the next job to its state, so it comes last.
        for _ in 0..if state == State::Available { 0 } else { times } {
            brought_to(harness, number, state).await;
            number += 1;
        }
    }
    brought_to(harness, number, State::Available).await;
    harness.push(vec![job(number + 1).id(id(number + 1)).queue("states")]).await;
    harness.push(jobs(4)).await;

    for (state, times) in State::ALL.into_iter().zip(1..) {
        expect_eq!(
            harness.count(&queue("states"), state).await,
            times,
            "the number of jobs of queue `states` that are {state}"
        );
        let listed = harness.ids(&Filter::all().queue("states").state(state)).await;
        expect_eq!(
            listed.len() as u64,
            times,
            "the number of jobs of queue `states` that are listed as {state}"
        );
    }
    expect_eq!(
        harness.count(&QueueName::DEFAULT, State::Available).await,
        4,
        "the number of available jobs of queue `default`"
    );
    expect_eq!(
        harness.count(&QueueName::DEFAULT, State::Completed).await,
        0,
        "the number of completed jobs of queue `default`"
    );
    harness.advance(SECOND * 7200).await;
    let scheduled = harness.count(&queue("states"), State::Scheduled).await
        + harness.count(&queue("states"), State::Retryable).await;
    expect_eq!(scheduled, 0, "a scheduled job becomes available, in the counts too");
    expect_eq!(
        harness.count(&queue("states"), State::Executing).await,
        0,
        "leases expire, in the counts too"
    );
}

/// Q45: `get` of an unknown id is `None`.
pub(super) async fn q45_an_unknown_id_is_none(harness: &QueueHarness) {
    harness.push(jobs(3)).await;
    for unknown in [id(99), JobId::from_u128(0), JobId::from_u128(u128::MAX), JobId::random()] {
        let record = harness.ok("`get` of an unknown id", harness.queue().get(unknown)).await;
        assert!(record.is_none(), "`get` of {unknown}, which was never pushed: {record:?}");
    }
}

/// Q46: `list` filters by queue, state, name and age; its pages neither miss nor repeat a job that was there throughout, even while others are pushed.
pub(super) async fn q46_pages_neither_miss_nor_repeat_a_job(harness: &QueueHarness) {
    harness
        .push((0..20).map(|number| job(number).id(id(number)).priority(7 - (number as i32) % 3)).collect())
        .await;
    let old = harness.now().saturating_add(SECOND);
    harness.advance(SECOND).await;
    let mut other = job(20).id(id(20)).queue("other");
    other.name = "play".into();
    harness.push(vec![other, job(21).id(id(21)).delay(SECOND * 60)]).await;

    each_filter_lists_its_jobs(harness, old).await;
    let listed = listed_while_others_push(harness).await;

    for number in 6..22 {
        expect_eq!(
            listed.get(&id(number)),
            Some(&1),
            "how often job {number}, which existed all the time, was listed"
        );
    }
    assert!(listed.values().all(|times| *times == 1), "no job is listed twice: {listed:?}");

    let foreign = PageRequest::after(Cursor::new("page two"), 3);
    let listing = async { harness.queue().list(&Filter::all(), &foreign).await };
    harness.fails_with(QueueErrorKind::Invalid, "`list` after a cursor that no page returned", listing).await;
}

/// Checks the jobs of each filter, in pages of several sizes.
async fn each_filter_lists_its_jobs(harness: &QueueHarness, old: Timestamp) {
    let filters: [(&str, Filter, Vec<u32>); 7] = [
        ("all", Filter::all(), (0..22).collect()),
        ("a queue", Filter::all().queue("other"), vec![20]),
        ("a state", Filter::all().state(State::Scheduled), vec![21]),
        ("two states", Filter::all().state(State::Scheduled).state(State::Available), (0..22).collect()),
        ("a name", Filter::all().name("play"), vec![20]),
        ("age", Filter::all().pushed_before(old), (0..20).collect()),
        (
            "a name and a queue that don't go together",
            Filter::all().name("play").queue("default"),
            Vec::new(),
        ),
    ];
    for (what, filter, expected) in filters {
        for size in [1, 4, 100] {
            let listed: Vec<_> =
                harness.list(&filter, size).await.into_iter().map(|record| record.id).collect();
            let expected: Vec<_> = expected.iter().copied().map(id).collect();
            expect_eq!(listed, expected, "the jobs listed by {what}, in push order, in pages of {size}");
        }
    }
}

/// Lists all jobs while others are pushed, claimed and deleted. Returns how often each job was listed.
async fn listed_while_others_push(harness: &QueueHarness) -> BTreeMap<JobId, u32> {
    let (mut listed, mut page, mut number) = (BTreeMap::new(), PageRequest::first(3), 100);
    loop {
        let listing =
            harness.ok("`list` while others push", harness.queue().list(&Filter::all(), &page)).await;
        for record in listing.jobs {
            *listed.entry(record.id).or_insert(0) += 1;
        }
        if number < 106 {
            harness.push(vec![job(number).id(id(number)).priority(-9)]).await;
            harness.ok("`delete`", harness.queue().delete(id(number - 100))).await;
            let claimed = harness.claim_up_to(1).await;
            harness
                .settled(
                    claimed
                        .into_iter()
                        .map(|delivery| Settlement::new(delivery.lease, Transition::Release))
                        .collect(),
                )
                .await;
        }
        number += 1;
        match listing.next {
            Some(cursor) => page = PageRequest::after(cursor, 3),
            None => break,
        }
    }
    listed
}

/// Q47: `prune` removes finished jobs older than the given age for each state, in bounded batches, and never an unfinished one.
pub(super) async fn q47_prune_removes_old_finished_jobs_in_bounded_batches(harness: &QueueHarness) {
    let states = [
        State::Completed,
        State::Discarded,
        State::Cancelled,
        State::Completed,
        State::Discarded,
        State::Cancelled,
        State::Completed,
        State::Retryable,
        State::Scheduled,
        State::Available,
    ];
    for (number, state) in (0..).zip(states) {
        brought_to(harness, number, state).await;
        harness.advance(SECOND * 10).await;
    }
    // Jobs 0 to 6 finished 100, 90, … 40 s ago.
    expect_eq!(harness.prune(&Prune::nothing()).await, 0, "a prune of nothing");
    let mut of_completed = Prune::nothing();
    of_completed.completed = Some(SECOND * 70);
    expect_eq!(harness.prune(&of_completed).await, 2, "completed jobs that finished at least 70 s ago");
    left(harness, &[1, 2, 4, 5, 6, 7, 8, 9]).await;
    let mut of_discarded = Prune::older_than(SECOND * 60);
    of_discarded.cancelled = None;
    of_discarded.completed = None;
    of_discarded.limit = 1;
    expect_eq!(harness.prune(&of_discarded).await, 1, "one discarded job at most");
    left(harness, &[2, 4, 5, 6, 7, 8, 9]).await;
    expect_eq!(harness.prune(&Prune::older_than(SECOND * 86_400)).await, 0, "jobs that finished a day ago");
    let mut two = Prune::older_than(Duration::ZERO);
    two.limit = 2;
    expect_eq!(harness.prune(&two).await, 2, "two finished jobs at most, of whatever state");
    left(harness, &[5, 6, 7, 8, 9]).await;
    expect_eq!(harness.prune(&Prune::older_than(Duration::ZERO)).await, 2, "every finished job");
    left(harness, &[7, 8, 9]).await;

    let fences: Vec<_> =
        harness.list(&Filter::all(), 9).await.into_iter().map(|record| record.fence).collect();
    expect_eq!(fences, [Fence(1), Fence(0), Fence(0)], "unfinished jobs are as they were");
    let ready = harness.claim(Demand::new("states", 9)).await;
    let ends = ready.into_iter().map(|delivery| Settlement::new(delivery.lease, Transition::complete()));
    expect_eq!(
        harness.settled(ends.collect()).await,
        [Settled::Applied],
        "unfinished jobs are delivered after a prune"
    );
}

async fn left(harness: &QueueHarness, numbers: &[u32]) {
    let expected: Vec<_> = numbers.iter().copied().map(id).collect();
    expect_eq!(harness.ids(&Filter::all()).await, expected, "the jobs left after a prune");
}
