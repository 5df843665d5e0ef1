//! The laws about jobs that are stored as they were in another store.

use std::sync::Arc;
use std::time::Duration;

use queue_core::admin::{AttemptError, Imported};
use queue_core::{
    Demand, Fence, JobRecord, NewJob, OnDiscard, QueueErrorKind, QueueName, Receipt, State, Timestamp,
    Transition, Unique,
};

use super::harness::{QueueHarness, ids_of};
use super::jobs::{SECOND, id, job, json, queue, text};
use crate::law::expect_eq;

/// Q110: `import` stores a job that waits as it was in another store: with its id, attempts, errors, claims, times, key, meta and `on_discard`; the job runs at its `run_at`, as its next attempt, and keeps its place among the ready jobs.
pub(super) async fn q110_an_imported_job_is_as_it_was_in_its_store(harness: &QueueHarness) {
    if !imports(harness).await {
        return;
    }
    every_field_is_kept(harness).await;
    an_imported_job_is_claimed_in_its_old_place(harness).await;
    an_imported_job_becomes_due(harness).await;
    a_job_without_attempts_left_gets_one(harness).await;
}

/// Imports a job that failed twice, and compares its record. Then its next attempt runs.
async fn every_field_is_kept(harness: &QueueHarness) {
    let ago = |seconds: u32| harness.now().saturating_sub(SECOND * seconds);
    let mut record = record(0);
    record.queue = queue("mail");
    record.body = json(r#"{"to":  "ß", "n": 1.50}"#);
    record.meta.insert("trace", "abc");
    record.state = State::Retryable;
    (record.priority, record.attempt, record.max_attempts, record.fence) = (-3, 2, 7, Fence(5));
    (record.pushed_at, record.claimed_at) = (ago(1_000_000), Some(ago(30)));
    record.run_at = harness.now().saturating_add(SECOND * 10);
    record.errors = vec![AttemptError::new(1, ago(60), "first ☂"), AttemptError::new(2, ago(20), "second")];
    record.unique = Some("key".into());
    record.unique_until = Some(harness.now().saturating_add(SECOND * 3600));
    record.on_discard = Some(Arc::new(OnDiscard::named("alert", "job", 3)));
    expect_eq!(imported(harness, vec![record.clone()]).await, [Imported::Stored], "a first import");

    let stored = harness.is(id(0), State::Retryable).await;
    expect_eq!(fields(&stored), fields(&record), "the record of the imported job");
    let listed = harness.list(&queue_core::admin::Filter::all().unique("key"), 10).await;
    expect_eq!(listed.iter().map(fields).collect::<Vec<_>>(), [fields(&record)], "the listed job");

    harness.advance(SECOND * 10).await;
    let claimed = harness.claim(Demand::new("mail", 1)).await;
    let Some(delivery) = claimed.first() else { panic!("the imported job must be ready at its `run_at`") };
    expect_eq!((delivery.attempt, delivery.lease.fence), (3, Fence(6)), "the next attempt, and its fence");
    expect_eq!(text(&delivery.body), text(&record.body), "the payload, byte for byte");
    expect_eq!(delivery.pushed_at, record.pushed_at, "the time of the push");
    let error = Transition::Retry { at: harness.now(), error: "third".into() };
    harness.settle(delivery, error).await;
    let messages = harness.get(id(0)).await.errors.into_iter().map(|error| error.message);
    expect_eq!(messages.collect::<Vec<_>>(), ["first ☂", "second", "third"], "the errors, with a new one");
    harness.ok("`delete` of job 0", harness.queue().delete(id(0))).await;
}

/// A job that has been ready for longer than the stored ones is first. Jobs that are equal are in the order of the import.
async fn an_imported_job_is_claimed_in_its_old_place(harness: &QueueHarness) {
    harness.push(vec![job(10).id(id(10))]).await;
    let mut early = record(11);
    early.run_at = harness.now().saturating_sub(SECOND * 5);
    let (equal, later) = (due(harness, 12), due(harness, 13));

    let answers = imported(harness, vec![equal, later, early]).await;

    expect_eq!(answers, [Imported::Stored; 3], "an import of jobs that are due");
    for number in [11, 12, 13] {
        harness.is(id(number), State::Available).await;
    }
    expect_eq!(harness.count(&QueueName::DEFAULT, State::Available).await, 4, "the available jobs");
    let claimed = harness.claim_up_to(4).await;
    expect_eq!(ids_of(&claimed), [11, 10, 12, 13].map(id), "the order of the claim");
    for delivery in &claimed {
        harness.settle(delivery, Transition::complete()).await;
    }
}

/// A claim that waits wakes for an imported job that is ready, and for one that becomes due.
async fn an_imported_job_becomes_due(harness: &QueueHarness) {
    let mut waiting = harness.claiming(Demand::new(QueueName::DEFAULT, 1));
    waiting.waits(&**harness.queue()).await;
    imported(harness, vec![due(harness, 20)]).await;
    let woken = harness.ok("the claim that waited", waiting.wakes()).await;
    expect_eq!(ids_of(&woken), [id(20)], "the delivery of the imported job");
    harness.settle(&woken[0], Transition::complete()).await;

    let mut scheduled = record(21);
    scheduled.run_at = harness.now().saturating_add(SECOND * 3);
    imported(harness, vec![scheduled]).await;
    harness.is(id(21), State::Scheduled).await;
    harness.nothing_is_ready().await;
    harness.advance(SECOND * 3).await;
    let delivery = harness.claim_one().await;
    expect_eq!((delivery.id(), delivery.attempt), (id(21), 1), "the delivery at its time");
    harness.settle(&delivery, Transition::complete()).await;
}

async fn a_job_without_attempts_left_gets_one(harness: &QueueHarness) {
    let mut used_up = record(30);
    (used_up.attempt, used_up.max_attempts) = (5, 5);
    used_up.errors = vec![AttemptError::new(5, Timestamp::EPOCH, "last")];

    imported(harness, vec![used_up]).await;

    let stored = harness.is(id(30), State::Available).await;
    expect_eq!(
        (stored.max_attempts, stored.fence),
        (6, Fence(5)),
        "the attempts, and at least as many claims"
    );
    let delivery = harness.claim_one().await;
    harness.settle(&delivery, Transition::Discard { error: "over".into() }).await;
    expect_eq!(harness.is(id(30), State::Discarded).await.errors.len(), 2, "the errors");
}

/// Q111: If the queue has a job of the same id, in any state, an import changes nothing, and its answer says that the job is present. A job that executes, has finished or exceeds a limit is `Invalid`, and nothing of its batch is stored.
pub(super) async fn q111_a_second_import_of_a_job_changes_nothing(harness: &QueueHarness) {
    if !imports(harness).await {
        return;
    }
    expect_eq!(imported(harness, Vec::new()).await, [], "an import of no job");
    imported(harness, vec![record(0)]).await;
    let mut other = record(0);
    (other.body, other.priority, other.queue) = (json("1"), 9, queue("other"));
    let failed = with(record(1), |record| {
        (record.attempt, record.fence) = (1, Fence(5));
        record.errors = vec![AttemptError::new(1, record.pushed_at, "of the second job with this id")];
    });
    let answers = imported(harness, vec![other, record(1), failed]).await;
    expect_eq!(
        answers,
        [Imported::Present, Imported::Stored, Imported::Present],
        "ids that are known, and a new one"
    );
    expect_eq!(text(&harness.is(id(0), State::Available).await.body), text(&record(0).body), "the first job");
    expect_eq!(harness.get(id(1)).await.errors.len(), 0, "errors of the job that was stored");

    harness.push(vec![job(2).id(id(2)).queue("pushed")]).await;
    let claimed = harness.claim(Demand::new("pushed", 1)).await;
    expect_eq!(imported(harness, vec![record(2)]).await, [Imported::Present], "of an executing job");
    harness.settle(&claimed[0], Transition::complete()).await;
    expect_eq!(imported(harness, vec![record(2)]).await, [Imported::Present], "of a completed job");
    harness.is(id(2), State::Completed).await;

    let refused = [State::Executing, State::Completed, State::Discarded, State::Cancelled]
        .map(|state| with(record(4), |record| record.state = state));
    let too_large = with(record(4), |record| record.name = "n".repeat(200).into());
    let no_attempts = with(record(4), |record| record.max_attempts = 0);
    for refused in refused.into_iter().chain([too_large, no_attempts]) {
        let step = format!("an import of a batch with a job that is {}", refused.state);
        let import = harness.queue().import(vec![record(3), refused]);
        harness.fails_with(QueueErrorKind::Invalid, step, import).await;
        let found = harness.ok("`get` of job 3", harness.queue().get(id(3))).await;
        expect_eq!(found.is_none(), true, "of a refused batch, nothing is stored");
    }
}

/// Q112: An imported job that holds its unique key holds it in the new store too, while it is unfinished or within its window. If another job holds the key there, the import does not store the job, and the answer names the holder. A job that did not hold its key does not take it.
pub(super) async fn q112_an_imported_job_holds_its_key_if_no_other_does(harness: &QueueHarness) {
    if !imports(harness).await {
        return;
    }
    let now = harness.now();
    let keyed = |number: u32, until: Option<Timestamp>| {
        with(record(number), |record| (record.unique, record.unique_until) = (Some("key".into()), until))
    };
    let pushed = |number: u32| NewJob::new("work", json("{}")).id(id(number)).unique("key");
    imported(harness, vec![keyed(0, Some(now))]).await;
    expect_eq!(harness.receipts(vec![pushed(1)]).await, [Receipt::Existing(id(0))], "a push of the key");
    let answers = imported(harness, vec![keyed(2, Some(now)), keyed(3, None), record(4)]).await;
    expect_eq!(
        answers,
        [Imported::KeyHeld(id(0)), Imported::Stored, Imported::Stored],
        "a job whose key is held, one that does not hold it, and one without a key"
    );
    let absent = harness.ok("`get` of job 2", harness.queue().get(id(2))).await;
    expect_eq!(absent.is_none(), true, "nothing of a job whose key is held is stored");
    expect_eq!(holds(harness, 0).await, Some(now), "the holder");
    expect_eq!(holds(harness, 3).await, None, "of a job that does not hold its key");

    for delivery in harness.claim_up_to(10).await {
        harness.settle(&delivery, Transition::complete()).await;
    }
    let until = now.saturating_add(SECOND * 60);
    let windowed = with(keyed(5, Some(until)), |record| record.pushed_at = now.saturating_sub(SECOND));
    expect_eq!(imported(harness, vec![windowed]).await, [Imported::Stored], "once the key is free");
    let delivery = harness.claim_one().await;
    harness.settle(&delivery, Transition::complete()).await;
    expect_eq!(harness.receipts(vec![pushed(6)]).await, [Receipt::Existing(id(5))], "within the window");
    harness.advance(SECOND * 60).await;
    expect_eq!(harness.receipts(vec![pushed(7)]).await, [Receipt::Stored(id(7))], "when the window is over");
}

/// Q113: A record has the time until which its job holds its unique key if and only if the job holds it: while it is unfinished or within its window, and no later job has taken the key over.
pub(super) async fn q113_a_record_says_whether_its_job_holds_its_key(harness: &QueueHarness) {
    let key = || Unique::new("key").replace();
    let (minute, now) = (Duration::from_secs(60), harness.now());
    harness.push(vec![job(0).id(id(0)).unique(key()), job(1).id(id(1))]).await;
    expect_eq!(holds(harness, 0).await, Some(now), "of a job without a window");
    expect_eq!(holds(harness, 1).await, None, "of a job without a key");
    let first = harness.claim_one().await;
    expect_eq!(holds(harness, 0).await, Some(now), "of an executing job");
    harness.push(vec![job(2).id(id(2)).unique(key().within(minute))]).await;
    expect_eq!(holds(harness, 0).await, None, "of a job whose key a later one has taken over");
    expect_eq!(holds(harness, 2).await, Some(now.saturating_add(minute)), "of a job with a window");
    harness.settle(&first, Transition::complete()).await;
    for delivery in harness.claim_up_to(10).await {
        harness.settle(&delivery, Transition::complete()).await;
    }
    expect_eq!(holds(harness, 2).await, Some(now.saturating_add(minute)), "of a finished job in its window");
    harness.advance(minute).await;
    expect_eq!(holds(harness, 2).await, None, "of a finished job whose window is over");
}

async fn holds(harness: &QueueHarness, number: u32) -> Option<Timestamp> {
    harness.get(id(number)).await.unique_until
}

/// Returns whether the queue imports jobs. Otherwise, checks that it refuses with a reason.
async fn imports(harness: &QueueHarness) -> bool {
    let step = "`import` of no job";
    harness.note(step);
    match harness.queue().import(Vec::new()).await {
        Ok(_) => true,
        Err(error) if error.kind() == QueueErrorKind::Unsupported => {
            let import = harness.queue().import(vec![record(0)]);
            harness.fails_with(QueueErrorKind::Unsupported, "`import` of a job", import).await;
            false
        }
        Err(error) => panic!("{step} failed: {error}"),
    }
}

async fn imported(harness: &QueueHarness, jobs: Vec<JobRecord>) -> Vec<Imported> {
    let count = jobs.len();
    let answers = harness.ok(format!("an import of {count} jobs"), harness.queue().import(jobs)).await;
    expect_eq!(answers.len(), count, "an import of {count} jobs must return as many answers: {answers:?}");
    answers
}

fn record(number: u32) -> JobRecord {
    JobRecord::new(id(number), "work".into(), json(&format!("{{\"n\":{number}}}")))
}

/// Returns a job that became ready now.
fn due(harness: &QueueHarness, number: u32) -> JobRecord {
    with(record(number), |record| record.run_at = harness.now())
}

fn with(mut record: JobRecord, change: impl FnOnce(&mut JobRecord)) -> JobRecord {
    change(&mut record);
    record
}

/// Returns the fields that an import keeps.
fn fields(record: &JobRecord) -> String {
    let JobRecord { id, name, queue, state, priority, attempt, max_attempts, fence, .. } = record;
    let JobRecord { pushed_at, run_at, claimed_at, unique, unique_until, errors, on_discard, .. } = record;
    let (payload, meta) = (text(&record.body), record.meta.iter().collect::<Vec<_>>());
    format!(
        "{id} {name} {queue} {state} {priority} {attempt}/{max_attempts} {fence:?} {pushed_at:?} {run_at:?} \
         {claimed_at:?} {unique:?} {unique_until:?} {errors:?} {on_discard:?} {payload} {meta:?}"
    )
}
