//! The content of the dashboard, read from the store at a bounded cost.

use queue_core::admin::{Filter, PageRequest, QueueSummary, Sort};
use queue_core::{Admin, JobRecord, QueueError, State};
use serde::Serialize;

use super::super::status::StatusLine;
use crate::job_line::{JobLine, Privacy};

/// The maximum number of jobs in each list.
const LIMIT: usize = 100;

/// The state of a store.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) queues: Vec<QueueSummary>,
    /// The jobs that run, those that have run for longest first.
    pub(super) running: Vec<JobRecord>,
    /// The jobs that failed: those that were discarded lately, and those that wait for their next attempt.
    pub(super) failed: Vec<JobRecord>,
}

impl Snapshot {
    pub(super) async fn read(queue: &dyn Admin) -> Result<Self, QueueError> {
        let queues = queue.summary().await?;
        let of = |state| Filter::all().state(state);
        let due = PageRequest::first(LIMIT).sort(Sort::RunAt);
        let mut running = queue.list(&of(State::Executing), &due).await?.jobs;
        running.sort_by_key(|job| (job.claimed_at, job.id));
        let newest = PageRequest::first(LIMIT).sort(Sort::Finished).newest();
        let mut failed = queue.list(&of(State::Discarded), &newest).await?.jobs;
        failed.extend(queue.list(&of(State::Retryable), &due).await?.jobs);
        Ok(Self { queues, running, failed })
    }
}

/// The state of a store in JSON.
#[derive(Serialize)]
pub(super) struct SnapshotLine<'a> {
    queues: Vec<StatusLine<'a>>,
    running: Vec<JobLine<'a>>,
    failed: Vec<JobLine<'a>>,
}

impl<'a> SnapshotLine<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        let lines =
            |jobs: &'a [JobRecord]| jobs.iter().map(|job| JobLine::new(job, Privacy::Hidden)).collect();
        Self {
            queues: snapshot.queues.iter().map(StatusLine::new).collect(),
            running: lines(&snapshot.running),
            failed: lines(&snapshot.failed),
        }
    }
}
