//! The law about the summary of each queue.

use queue_core::admin::{Count, QueueSummary};
use queue_core::{Demand, QueueName, State};

use super::harness::QueueHarness;
use super::jobs::{SECOND, id, job, queue};
use super::operate::brought_to;
use crate::law::expect_eq;

/// Q87: At rest, `summary` has the earliest `run_at` of the ready jobs, whatever their priorities, the next due time, whether the queue is paused, and the number of jobs by state. A count stops at the cap and is marked as capped.
pub(super) async fn q87_a_summary_is_exact_at_rest_and_its_counts_stop_at_the_cap(harness: &QueueHarness) {
    let start = harness.now();
    for (number, state) in (0..).zip(State::ALL.into_iter().filter(|state| *state != State::Available)) {
        brought_to(harness, number, state).await;
    }
    let scheduled = start.saturating_add(SECOND * 7200);
    let summary = of(harness, "states", QueueSummary::CAP).await;
    expect_eq!(summary.oldest_ready, None, "the oldest ready job of a queue without ready jobs");
    expect_eq!(summary.next_due, Some(scheduled), "the next due time");
    expect_eq!(summary.paused, false, "whether the queue is paused");
    counts_are(&summary, [1, 0, 1, 1, 1, 1, 1]);

    // The claim order of the ready jobs is 11, 10, 12, and job 12 has been ready longest.
    harness.push(vec![job(12).id(id(12)).queue("states").priority(7)]).await;
    harness.advance(SECOND).await;
    harness.push(vec![job(11).id(id(11)).queue("states").priority(-3)]).await;
    harness.push(vec![job(10).id(id(10)).queue("states")]).await;
    harness.push(vec![job(13).id(id(13)).queue("states").delay(SECOND * 5)]).await;
    harness.push(vec![job(20).id(id(20)).queue("other").delay(SECOND * 2)]).await;
    harness.ok("`pause`", harness.queue().pause(&queue("states"))).await;
    let summary = of(harness, "states", QueueSummary::CAP).await;
    expect_eq!(
        summary.oldest_ready,
        Some(start),
        "the earliest `run_at` of the ready jobs of all priorities"
    );
    expect_eq!(summary.next_due, Some(start.saturating_add(SECOND * 6)), "the due time of an earlier job");
    expect_eq!(summary.paused, true, "whether the paused queue is paused");
    counts_are(&summary, [2, 3, 1, 1, 1, 1, 1]);
    let other = of(harness, "other", QueueSummary::CAP).await;
    expect_eq!(other.next_due, Some(start.saturating_add(SECOND * 3)), "the next due time of another queue");
    counts_are(&other, [1, 0, 0, 0, 0, 0, 0]);

    let capped = of(harness, "states", 2).await;
    let (two, more) = (Count::up_to(2, 2), Count::up_to(2, 3));
    expect_eq!((capped.of(State::Scheduled), capped.of(State::Available)), (two, more), "counts up to 2");

    harness.advance(SECOND * 7200).await;
    let summary = of(harness, "states", QueueSummary::CAP).await;
    expect_eq!(summary.oldest_ready, Some(start), "a job whose lease expired is ready with its old `run_at`");
    expect_eq!(summary.next_due, None, "the next due time once every job is due");
    counts_are(&summary, [0, 7, 0, 0, 1, 1, 1]);
    let other = of(harness, "other", QueueSummary::CAP).await;
    expect_eq!(
        other.oldest_ready,
        Some(start.saturating_add(SECOND * 3)),
        "a due job is ready since its time"
    );
    expect_eq!(other.waits_for(), Some(SECOND * 7198), "how long a job has been ready that was due");

    harness.ok("`resume`", harness.queue().resume(&queue("states"))).await;
    harness.claim(Demand::new("states", 9)).await;
    counts_are(&of(harness, "states", QueueSummary::CAP).await, [0, 0, 7, 0, 1, 1, 1]);
}

/// Returns the summary of a queue.
async fn of(harness: &QueueHarness, name: &str, cap: u64) -> QueueSummary {
    let now = harness.now();
    let all = harness.ok(format!("`summary` up to {cap}"), harness.queue().summary_up_to(cap)).await;
    let names: Vec<&QueueName> = all.iter().map(|summary| &summary.queue).collect();
    assert!(names.is_sorted(), "summaries are sorted by the names of the queues: {names:?}");
    let summary = all.iter().find(|summary| summary.queue == name);
    let summary =
        summary.unwrap_or_else(|| panic!("queue `{name}` has jobs, so it has a summary: {names:?}"));
    expect_eq!(summary.at, now, "when the summary was read");
    summary.clone()
}

/// Checks the counts, in the order of [`State::ALL`].
#[track_caller]
fn counts_are(summary: &QueueSummary, expected: [u64; State::ALL.len()]) {
    let counts = State::ALL.map(|state| summary.of(state));
    expect_eq!(
        counts,
        expected.map(|jobs| Count::up_to(u64::MAX, jobs)),
        "the jobs of each state: {summary:?}"
    );
}
