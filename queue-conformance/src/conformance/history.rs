//! Laws about the history of the last 24 hours.

use std::collections::BTreeMap;
use std::time::Duration;

use queue_core::admin::{HistoryRequest, HistoryRow, Prune};
use queue_core::backend::Tally;
use queue_core::{
    Delivery, Demand, JobName, QueueErrorKind, QueueName, Settled, Settlement, StoredResult, Timestamp,
    Transition,
};

use super::harness::QueueHarness;
use super::jobs::{MICROSECOND, SECOND, id, job};
use crate::law::expect_eq;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Q107: `history` has, for each minute, queue and name, the number of completed jobs, of failed attempts and of discarded jobs, and the run time of those attempts. Each applied settlement and each expired lease counts once, at the instant at which it ended the attempt. A stale settlement counts nothing, and a job that was pruned, deleted or retried stays counted.
pub(super) async fn q107_the_history_counts_each_end_of_an_attempt_once(harness: &QueueHarness) {
    if !keeps_history(harness).await {
        return;
    }
    let start = begin_minute(harness).await;
    harness.push((0..8).map(|number| job(number).id(id(number))).collect()).await;
    let deliveries = harness.claim_up_to(8).await;
    harness.ok("`cancel`", harness.queue().cancel(id(7), "enough")).await;
    harness.advance(SECOND * 2).await;
    let later = harness.now().saturating_add(HOUR);
    let retry = || Transition::Retry { at: later, error: "failed".into() };
    let ends = [
        Transition::complete(),
        Transition::complete_with(StoredResult::stored("7")),
        retry(),
        Transition::Discard { error: "failed for good".into() },
        Transition::Snooze { at: later, error: Some("busy".into()) },
        Transition::Cancel { reason: "not needed".into() },
        Transition::Release,
        retry(),
    ];
    let settle = |job: &Delivery, end: &Transition| Settlement::new(job.lease.clone(), end.clone());
    let mut batch: Vec<_> = deliveries.iter().zip(&ends).map(|(job, end)| settle(job, end)).collect();
    batch.push(batch[0].clone());
    let settled = harness.settled(batch.clone()).await;
    expect_eq!(settled[8], Settled::Stale, "the second settlement of a lease in a batch");
    let work = row(start, "default", "work", (2, 3, 1), SECOND * 10);
    let all = HistoryRequest::since(start);
    expect_eq!(
        history(harness, &all).await,
        vec![work.clone()],
        "one end of each kind, one of them cancelled"
    );
    let settled = harness.settled(batch).await;
    expect_eq!(settled, [Settled::Stale; 9], "the same settlements again");
    expect_eq!(history(harness, &all).await, vec![work.clone()], "the history after stale settlements");

    let mut play = job(10).id(id(10)).queue("b").max_attempts(1);
    play.name = JobName::from_static("play");
    let other = |number| job(number).id(id(number)).queue("b");
    harness.push(vec![play, other(11), other(12)]).await;
    harness.advance(SECOND * 28).await;
    let leased = harness.claim(Demand::new("b", 3).lease(SECOND * 40)).await;
    harness.ok("`cancel`", harness.queue().cancel(id(12), "enough")).await;
    harness.advance(SECOND * 100).await;
    let second = start.saturating_add(MINUTE);
    let expected = vec![
        work,
        row(second, "b", "play", (0, 1, 1), SECOND * 40),
        row(second, "b", "work", (0, 2, 0), SECOND * 80),
    ];
    expect_eq!(history(harness, &all).await, expected, "expired leases that no claim has met");
    harness.claim(Demand::new("nothing", 1)).await;
    let stale = leased.iter().map(|job| settle(job, &Transition::complete())).collect();
    expect_eq!(harness.settled(stale).await, [Settled::Stale; 3], "settlements of expired leases");
    expect_eq!(history(harness, &all).await, expected, "expired leases that a claim has met");

    harness.ok("`delete`", harness.queue().delete(id(0))).await;
    harness.ok("`retry`", harness.queue().retry(id(3))).await;
    harness.prune(&Prune::older_than(Duration::ZERO)).await;
    let third = harness.claim_one().await;
    harness.settle(&third, Transition::complete()).await;
    let third = row(start.saturating_add(MINUTE * 2), "default", "work", (1, 0, 0), Duration::ZERO);
    let expected = [expected, vec![third]].concat();
    expect_eq!(history(harness, &all).await, expected, "after jobs were deleted, retried and pruned");
}

/// Q108: A row of a longer step has the sums of its minutes. Steps follow one another from the epoch, `since` and `until` select whole steps, and `queue` and `name` select rows. The rows are sorted by time, queue and name, and each has an attempt or a job.
pub(super) async fn q108_steps_of_the_history_add_up_and_a_request_selects_whole_steps(
    harness: &QueueHarness,
) {
    if !keeps_history(harness).await {
        return;
    }
    let start = begin_minute(harness).await;
    let names = ["work", "play"].map(JobName::from_static);
    let queues = ["a", "b", "c"].map(QueueName::from_static);
    for number in 0..24_usize {
        let mut next = job(number as u32).queue(queues[number % 3].clone());
        next.name = names[number % 2].clone();
        harness.push(vec![next]).await;
        let claimed = harness.claim(Demand::of(queues.to_vec(), 1)).await;
        harness.advance(MICROSECOND * 29_000_001).await;
        let error = || "failed".to_owned();
        let at = harness.now();
        let ends = [
            Transition::complete(),
            Transition::Retry { at, error: error() },
            Transition::Discard { error: error() },
        ];
        harness.settle(&claimed[0], ends[number % 7 % 3].clone()).await;
        harness.advance(SECOND * (number as u32 % 5)).await;
    }

    let minutes = history(harness, &HistoryRequest::since(start)).await;
    let key = |row: &HistoryRow| (row.from, row.queue.clone(), row.name.clone());
    assert!(minutes.iter().map(key).is_sorted(), "the rows are sorted: {minutes:?}");
    let is_empty = |row: &HistoryRow| row.completed + row.failed + row.discarded == 0;
    assert!(!minutes.iter().any(is_empty), "no row is empty: {minutes:?}");
    let ended: u64 = minutes.iter().map(|row| row.completed + row.failed).sum();
    expect_eq!(ended, 24, "the attempts of all minutes: {minutes:?}");

    for step in [Duration::ZERO, SECOND * 119, MINUTE * 2, MINUTE * 5, HOUR, HOUR * 24 * 365] {
        let expected = steps_of(&minutes, step);
        let found = history(harness, &HistoryRequest::since(start).step(step)).await;
        expect_eq!(found, expected, "the history by steps of {step:?}");
    }
    let (step, since) = (MINUTE * 2, start.saturating_add(MINUTE * 3));
    let until = start.saturating_add(SECOND * 421);
    let request = HistoryRequest::since(since).until(until).step(step);
    let (first, end) = (start_of(since, step), start_of(until, step).saturating_add(step));
    let mut expected = steps_of(&minutes, step);
    expected.retain(|row| row.from >= first && row.from < end);
    expect_eq!(history(harness, &request).await, expected, "the whole steps that {request:?} divides");
    expected.retain(|row| row.queue == "b");
    let request = request.queue("b");
    expect_eq!(history(harness, &request).await, expected, "the history of queue `b`");
    expected.retain(|row| row.name == "play");
    expect_eq!(history(harness, &request.name("play")).await, expected, "the history of `play` in queue `b`");
    let none = HistoryRequest::since(until).until(start);
    expect_eq!(history(harness, &none).await, Vec::new(), "the history from an instant until an earlier one");
}

/// Q109: A minute is in the history for 24 hours after its end, and no longer.
pub(super) async fn q109_a_minute_of_the_history_is_forgotten_after_24_hours(harness: &QueueHarness) {
    if !keeps_history(harness).await {
        return;
    }
    let start = begin_minute(harness).await;
    for number in 0..2 {
        harness.push(vec![job(number)]).await;
        let delivery = harness.claim_one().await;
        harness.settle(&delivery, Transition::complete()).await;
        harness.advance(MINUTE).await;
    }
    let rows = [start, start.saturating_add(MINUTE)]
        .map(|from| row(from, "default", "work", (1, 0, 0), Duration::ZERO));
    let all = HistoryRequest::since(Timestamp::EPOCH);
    expect_eq!(history(harness, &all).await, rows, "the history of two minutes");

    harness.advance(HistoryRequest::KEPT.saturating_sub(MINUTE + MICROSECOND)).await;
    expect_eq!(history(harness, &all).await, rows, "before 24 hours are over");
    harness.advance(MICROSECOND).await;
    expect_eq!(history(harness, &all).await, rows[1..], "24 hours after the end of the first minute");
    let hours = history(harness, &HistoryRequest::since(start).step(HOUR)).await;
    let completed: u64 = hours.iter().map(|row| row.completed).sum();
    expect_eq!(completed, 1, "the hour of a forgotten minute: {hours:?}");
    harness.advance(MINUTE).await;
    expect_eq!(history(harness, &all).await, Vec::new(), "24 hours after the end of the last minute");
}

/// Returns whether the queue stores a history. Checks the refusal if it does not.
async fn keeps_history(harness: &QueueHarness) -> bool {
    let request = HistoryRequest::since(Timestamp::EPOCH);
    match harness.queue().history(&request).await {
        Err(error) if error.kind() == QueueErrorKind::Unsupported => false,
        answer => {
            let rows = harness.ok("`history` of a fresh queue", async { answer }).await;
            expect_eq!(rows, Vec::new(), "the history of a fresh queue");
            true
        }
    }
}

/// Moves the clock to the start of a minute, which it returns.
async fn begin_minute(harness: &QueueHarness) -> Timestamp {
    let into = harness.now().since(start_of(harness.now(), MINUTE));
    harness.advance(MINUTE.saturating_sub(into)).await;
    harness.now()
}

/// Returns the start of the step in which an instant is.
fn start_of(at: Timestamp, step: Duration) -> Timestamp {
    let step = i64::try_from(step.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(at.as_micros() - at.as_micros().rem_euclid(step))
}

/// Adds up the rows of minutes.
fn steps_of(minutes: &[HistoryRow], step: Duration) -> Vec<HistoryRow> {
    let step = Duration::from_secs((step.as_secs() / 60).max(1) * 60);
    let mut steps: BTreeMap<_, Tally> = BTreeMap::new();
    for row in minutes {
        let key = (start_of(row.from, step), row.queue.clone(), row.name.clone());
        steps.entry(key).or_default().add(tally((row.completed, row.failed, row.discarded), row.run_time));
    }
    steps.into_iter().map(|((from, queue, name), tally)| HistoryRow::new(from, queue, name, tally)).collect()
}

fn row(
    from: Timestamp,
    queue: &'static str,
    name: &'static str,
    counts: (u64, u64, u64),
    run_time: Duration,
) -> HistoryRow {
    HistoryRow::new(from, QueueName::from_static(queue), JobName::from_static(name), tally(counts, run_time))
}

/// Returns a tally of completed jobs, failed attempts and discarded jobs.
fn tally((completed, failed, discarded): (u64, u64, u64), run_time: Duration) -> Tally {
    Tally::new(completed, failed, discarded, run_time)
}

async fn history(harness: &QueueHarness, request: &HistoryRequest) -> Vec<HistoryRow> {
    harness.ok(format!("`history` of {request:?}"), harness.queue().history(request)).await
}
