//! The parts of an answer that the contract fixes, and that are compared.

use std::collections::BTreeMap;
use std::sync::Arc;

use queue_core::admin::{AttemptError, QueueCounts, QueueSummary};
use queue_core::{
    Body, Delivery, Discarded, Fence, JobId, JobName, JobProgress, JobRecord, Lease, Meta, OnDiscard,
    Partition, QueueName, State, StoredResult, Timestamp, WorkerId,
};

use super::super::call::ON_DISCARD_JOB;

#[derive(Debug, PartialEq)]
pub(super) struct DeliveryView {
    lease: Lease,
    name: JobName,
    queue: QueueName,
    partition: Partition,
    payload: Option<Arc<str>>,
    meta: Meta,
    attempt: u32,
    max_attempts: u32,
    priority: i32,
    pushed_at: Timestamp,
    run_at: Timestamp,
}

impl DeliveryView {
    pub(super) fn of(delivery: &Delivery) -> Self {
        Self {
            lease: delivery.lease.clone(),
            name: delivery.name.clone(),
            queue: delivery.queue.clone(),
            partition: delivery.partition.clone(),
            payload: payload(&delivery.body),
            meta: delivery.meta.clone(),
            attempt: delivery.attempt,
            max_attempts: delivery.max_attempts,
            priority: delivery.priority,
            pushed_at: delivery.pushed_at,
            run_at: delivery.run_at,
        }
    }
}

#[derive(Debug, PartialEq)]
pub(super) struct RecordView {
    id: JobId,
    name: JobName,
    queue: QueueName,
    partition: Partition,
    payload: Option<Arc<str>>,
    state: State,
    priority: i32,
    attempt: u32,
    max_attempts: u32,
    fence: Fence,
    pushed_at: Timestamp,
    run_at: Timestamp,
    claimed_at: Option<Timestamp>,
    claimed_by: Option<WorkerId>,
    lease_expires_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    unique: Option<String>,
    unique_until: Option<Timestamp>,
    meta: Meta,
    errors: Vec<ErrorView>,
    cancel_reason: Option<String>,
    on_discard: Option<Arc<OnDiscard>>,
    result: Option<StoredResult>,
    progress: Option<JobProgress>,
}

impl RecordView {
    pub(super) fn of(record: &JobRecord) -> Self {
        // If a job completed although its cancellation was requested, the reason may be kept or not.
        let has_reason = matches!(record.state, State::Executing | State::Cancelled);
        Self {
            id: record.id,
            name: record.name.clone(),
            queue: record.queue.clone(),
            partition: record.partition.clone(),
            payload: payload(&record.body),
            state: record.state,
            priority: record.priority,
            attempt: record.attempt,
            max_attempts: record.max_attempts,
            fence: record.fence,
            pushed_at: record.pushed_at,
            run_at: record.run_at,
            claimed_at: record.claimed_at,
            claimed_by: record.claimed_by.clone(),
            lease_expires_at: record.lease_expires_at,
            finished_at: record.finished_at,
            unique: record.unique.clone(),
            unique_until: record.unique_until,
            meta: record.meta.clone(),
            errors: record.errors.iter().map(ErrorView::of).collect(),
            cancel_reason: record.cancel_reason.clone().filter(|_| has_reason),
            on_discard: record.on_discard.clone(),
            result: record.result.clone(),
            progress: record.progress.clone(),
        }
    }
}

/// A job that was stored on a discard. Each queue chooses its id, and leaves open in which order such jobs are stored.
#[derive(Debug, PartialEq, PartialOrd, Eq, Ord)]
pub(super) struct OnDiscardJobView {
    discarded: JobId,
    state: State,
    queue: QueueName,
    pushed_at: Timestamp,
    meta: Vec<(String, String)>,
    attempt: u32,
    payload: String,
    errors: Vec<ErrorView>,
}

impl OnDiscardJobView {
    /// Returns the view of a job that was stored on a discard, and none for any other.
    pub(super) fn of(record: &JobRecord) -> Option<Self> {
        let mut arguments: BTreeMap<String, Discarded> =
            if record.name == ON_DISCARD_JOB { record.body.decode().ok()? } else { return None };
        let discarded = arguments.remove("job")?;
        Some(Self {
            discarded: discarded.id,
            state: record.state,
            queue: record.queue.clone(),
            pushed_at: record.pushed_at,
            meta: record.meta.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            attempt: discarded.attempt,
            payload: discarded.payload_json().to_owned(),
            errors: discarded.errors.iter().map(ErrorView::of).collect(),
        })
    }
}

#[derive(Debug, PartialEq, PartialOrd, Eq, Ord)]
struct ErrorView {
    attempt: u32,
    at: Timestamp,
    message: String,
}

impl ErrorView {
    fn of(error: &AttemptError) -> Self {
        // Each queue has its own message for an expired lease.
        let is_expiry = error.message.contains("lease") && error.message.contains("expired");
        let message = if is_expiry { "the lease expired".to_owned() } else { error.message.clone() };
        Self { attempt: error.attempt, at: error.at, message }
    }
}

/// The counts of a queue that has jobs. The contract leaves open whether other queues are listed.
#[derive(Debug, PartialEq)]
pub(super) struct Counted(QueueCounts);

impl Counted {
    pub(super) fn of(counts: &QueueCounts) -> Option<Self> {
        let has_jobs = State::ALL.into_iter().any(|state| counts.of(state) > 0);
        has_jobs.then(|| Self(counts.clone()))
    }
}

/// The summary of a queue that has jobs.
#[derive(Debug, PartialEq)]
pub(super) struct Summarized(QueueSummary);

impl Summarized {
    pub(super) fn of(summary: &QueueSummary) -> Option<Self> {
        let has_jobs = State::ALL.into_iter().any(|state| summary.of(state).jobs > 0);
        has_jobs.then(|| Self(summary.clone()))
    }
}

fn payload(body: &Body) -> Option<Arc<str>> {
    body.encode().ok()
}
