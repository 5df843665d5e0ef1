//! Tests that a reason prints a sentence that says what to do: Q88.

use queue_core::admin::{AttemptError, QueueSummary, Reason, WorkerRecord};
use queue_core::{Announcement, Body, JobId, JobRecord, State, Timestamp};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn job(state: State) -> JobRecord {
    let mut job = JobRecord::new(JobId::from_u128(1), "send".into(), Body::stored("null"));
    job.queue = "mail".into();
    job.state = state;
    job.attempt = 2;
    job.run_at = NOW;
    job.errors.push(AttemptError::new(2, NOW, "refused"));
    job
}

fn worker(id: &str, queue: &str, jobs: &[&str]) -> (Announcement, Timestamp) {
    let mut announcement = Announcement::new(id.into());
    announcement.queues.push(queue.into());
    announcement.jobs = jobs.iter().map(|name| (*name).into()).collect();
    (announcement, NOW)
}

fn sentences(job: &JobRecord, paused: bool, workers: Vec<(Announcement, Timestamp)>) -> Vec<String> {
    let summary = QueueSummary::new("mail".into(), paused, NOW);
    let workers = WorkerRecord::list(workers, NOW);
    Reason::of(job, Some(&summary), Some(&workers)).iter().map(ToString::to_string).collect()
}

/// Q88: Each reason displays as a sentence with its remedy.
#[test]
fn a_reason_prints_a_sentence_and_its_cure() {
    let sends = || worker("a/1/b", "mail", &["send"]);
    let other = || worker("a/1/b", "mial", &["send"]);
    let plays = || worker("a/1/b", "mail", &["play"]);
    let cases = [
        (
            State::Discarded,
            vec![sends()],
            "it is discarded (\"refused\"): to run it again, call `retry(00000000-0000-0000-0000-000000000001)`",
        ),
        (
            State::Retryable,
            vec![sends()],
            "attempt 2 of 5 failed, and the next one is due at 2027-01-15T08:00:00.000000Z (\"refused\"): to run it now, \
             call `retry(00000000-0000-0000-0000-000000000001)`",
        ),
        (
            State::Available,
            vec![other()],
            "no running worker serves the queue `mail`; running workers serve only `mial`: start a service with `.queues([\"mail\", …])`, or \
             delete the job and enqueue it in another queue",
        ),
        (
            State::Available,
            vec![plays()],
            "no running worker of the queue `mail` (`a/1/b`) knows jobs named `send`: deploy a program whose `jobs![…]` \
             has a job with the name or alias `send`, or delete the job",
        ),
        (
            State::Available,
            vec![sends()],
            "it has been ready since 2027-01-15T08:00:00.000000Z, is one of 0 ready jobs in the queue `mail`, and waits for a free worker",
        ),
    ];

    for (state, workers, expected) in cases {
        assert_eq!(sentences(&job(state), false, workers), [expected]);
    }
}

/// Q88: All reasons are returned, and a worker that announces no jobs counts as one that knows all.
#[test]
fn all_reasons_are_given_and_none_is_guessed() {
    let waiting = job(State::Scheduled);

    let reasons = sentences(&waiting, true, vec![worker("a/1/b", "mail", &[])]);
    let unserved = sentences(&waiting, true, Vec::new());

    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons[0].starts_with("it is scheduled for 2027-"), "{reasons:?}");
    assert_eq!(reasons[1], "the queue `mail` is paused: call `resume(\"mail\")`");
    assert_eq!(unserved.len(), 3, "{unserved:?}");
    assert!(
        unserved[2].starts_with("no running worker serves the queue `mail`, and no worker is running"),
        "{unserved:?}"
    );
}
