//! The verbs that change jobs and queues: `push`, `retry`, `cancel`, `delete`, `pause`, `resume`.

use queue_core::State;
use queue_core::admin::Filter;
use queue_core::{AdminExt as _, Body, NewJob};

use crate::fixture::{AVAILABLE, DISCARDED, EXECUTING, PAUSED, RETRYABLE, id};
use crate::store::{Store, TestResult, assert_golden, on_each_store};

on_each_store!(
    push_stores_jobs_by_name,
    push_reads_a_payload_from_each_line,
    a_job_that_no_worker_takes_is_refused,
    jobs_are_changed_by_their_ids,
    a_wrong_id_changes_none_of_the_others,
    all_jobs_that_match_are_changed,
    a_dry_run_changes_nothing,
    pause_and_resume_a_queue,
);

/// Returns the state of a job, or `None` if it was deleted.
async fn state(store: &Store, job: u32) -> Result<Option<State>, queue_core::QueueError> {
    Ok(store.queue.get(id(job)).await?.map(|job| job.state))
}

async fn push_stores_jobs_by_name(store: &Store) -> TestResult {
    let id = "--id 0000000a-0000-0000-0000-00000000000a";
    let transcript = store.transcript(&[
        &format!("push send_welcome {{\"user_id\":1}} --queue mail {id} --priority -5 --meta tenant=acme --max-attempts 3"),
        "show 0000000a --payload",
        "push charge {} --queue mail --unique order-7 --delay 1h --id 0000000b-0000-0000-0000-00000000000b",
        "push charge {} --queue mail --unique order-7 --json",
        "push charge {\"order\":9} --queue mail --unique order-7 --replace",
        "push charge {} --queue mail --at 2020-01-01T00:00:00Z --id 0000000c-0000-0000-0000-00000000000c",
        "push charge {oops --queue mail",
        "push charge --queue mail --max-attempts 0",
        "push charge --queue mail --delay 1h --at 2020-01-01T00:00:00Z",
        "push charge --queue mail --delay soon",
    ]);

    assert_golden("push", &transcript);
    Ok(())
}

async fn push_reads_a_payload_from_each_line(store: &Store) -> TestResult {
    let lines: String = (0..1_200).map(|order| format!("{{\"order\":{order}}}\n")).collect();

    let pushed = store.run_with_input("push charge - --queue mail", &lines);

    assert_eq!((pushed.code, pushed.out.lines().count()), (0, 1_200), "{}", pushed.error);
    let stored = store.queue.matching(&Filter::all().name("charge").state(State::Available)).await?;
    assert_eq!(stored.len(), 1_200);
    let broken = store.run_with_input("push charge - --queue mail", "{}\n{\n");
    assert!(broken.code == 2 && broken.error.contains("line 2 of the input"), "{}", broken.error);
    Ok(())
}

async fn a_job_that_no_worker_takes_is_refused(store: &Store) -> TestResult {
    let transcript = store.transcript(&[
        "push send_welcom {} --queue mail",
        "push send_welcome {}",
        "push unlike_any {} --queue mail --json",
        "push unlike_any {} --queue mail --force --id 0000000e-0000-0000-0000-00000000000e",
    ]);

    assert_golden("push_refused", &transcript);
    Ok(())
}

async fn jobs_are_changed_by_their_ids(store: &Store) -> TestResult {
    let transcript = store.transcript(&[
        "retry 00000002 00000003",
        "retry 00000004",
        "cancel 00000005 --reason wrong",
        "cancel 00000005",
        "cancel 00000004 --json",
        "delete 00000004",
        "delete 00000001",
        "show 00000001",
        "delete",
        "delete 00000002 --queue mail",
    ]);

    assert_golden("changes", &transcript);
    assert_eq!(state(store, DISCARDED).await?, Some(State::Available));
    assert_eq!(state(store, RETRYABLE).await?, Some(State::Available));
    let cancelled = store.queue.get(id(AVAILABLE)).await?.expect("it is kept");
    assert_eq!((cancelled.state, cancelled.cancel_reason.as_deref()), (State::Cancelled, Some("wrong")));
    let requested = store.queue.get(id(EXECUTING)).await?.expect("it runs");
    assert_eq!(requested.cancel_reason.as_deref(), Some("cancelled by an operator"));
    Ok(())
}

async fn a_wrong_id_changes_none_of_the_others(store: &Store) -> TestResult {
    let deleted = store.run("delete 00000002 00000009");

    assert_eq!(deleted.code, 3, "{}", deleted.error);
    assert_eq!(state(store, DISCARDED).await?, Some(State::Discarded));
    Ok(())
}

async fn all_jobs_that_match_are_changed(store: &Store) -> TestResult {
    let job = |_| NewJob::new("many", Body::stored("{}")).queue("many").meta("tenant", "acme");
    store.queue.push((0..600).map(job).collect()).await?;

    let transcript = store.transcript(&[
        "cancel --queue many",
        "cancel --queue many --yes",
        "cancel --queue many --yes --json",
        "retry --queue many --yes",
        "retry --queue many --state cancelled --yes --json",
        "delete --queue mnay --yes",
        "delete --queue many --state unfinished --yes",
        "delete --all --yes",
    ]);

    assert_golden("bulk", &transcript);
    assert_eq!(store.queue.list_all(&Filter::all()).await?.len(), 5);
    Ok(())
}

async fn a_dry_run_changes_nothing(store: &Store) -> TestResult {
    let transcript = store.transcript(&[
        "cancel --all --dry-run",
        "retry --queue mail --dry-run --json",
        "delete 00000001 --dry-run",
    ]);

    assert_golden("dry_run", &transcript);
    assert_eq!(state(store, AVAILABLE).await?, Some(State::Available));
    assert_eq!(store.queue.list_all(&Filter::all()).await?.len(), 7);
    Ok(())
}

async fn pause_and_resume_a_queue(store: &Store) -> TestResult {
    let transcript = store.transcript(&[
        "pause mail",
        "why 00000005",
        "resume mail reports --json",
        "why 00000007",
        "pause new",
        "pause new --force --json",
    ]);

    assert_golden("pause", &transcript);
    assert_eq!(state(store, PAUSED).await?, Some(State::Available));
    Ok(())
}
