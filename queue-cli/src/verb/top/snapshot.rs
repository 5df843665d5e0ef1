//! The content of the dashboard, read from the store at a bounded cost.

use queue_core::admin::{Filter, HistoryRow, PageRequest, QueueSummary, Sort};
use queue_core::{Admin, JobRecord, QueueError, State};
use serde::Serialize;

use super::super::status::{COUNTED, StatusLine};
use crate::flow::{Flow, at_one_poll, last_minutes};
use crate::job_line::{JobLine, Privacy};

/// The maximum number of jobs in each list.
const LIMIT: usize = 100;

/// The state of a store.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) queues: Vec<QueueSummary>,
    /// The history of the last minutes. `None` if the store keeps no history.
    pub(super) ended: Option<Vec<HistoryRow>>,
    /// The jobs that run, those that have run for longest first.
    pub(super) running: Vec<JobRecord>,
    /// The jobs that failed: those that were discarded lately, and those that wait for their next attempt.
    pub(super) failed: Vec<JobRecord>,
}

impl Snapshot {
    pub(super) async fn read(queue: &dyn Admin) -> Result<Self, QueueError> {
        let queues = queue.summary_up_to(COUNTED).await?;
        let ended = match queues.first() {
            Some(summary) => last_minutes(queue, summary.at).await?,
            None => None,
        };
        let of = |state| Filter::all().state(state);
        let due = PageRequest::first(LIMIT).sort(Sort::RunAt);
        let mut running = queue.list(&of(State::Executing), &due).await?.jobs;
        running.sort_by_key(|job| (job.claimed_at, job.id));
        let newest = PageRequest::first(LIMIT).sort(Sort::Finished).newest();
        let mut failed = queue.list(&of(State::Discarded), &newest).await?.jobs;
        failed.extend(queue.list(&of(State::Retryable), &due).await?.jobs);
        Ok(Self { queues, ended, running, failed })
    }

    /// Adds this poll of the store.
    pub(super) fn add_to(&self, flow: &mut Flow) {
        if let Some(ended) = &self.ended {
            flow.add(&self.queues, ended);
        }
    }

    /// Returns the line of each queue, with its rates within the last minute, or at this poll if there are no earlier ones.
    pub(super) fn lines(&self, flow: &Flow) -> impl Iterator<Item = StatusLine<'_>> {
        self.queues.iter().map(|summary| {
            let rates = flow.rates(&summary.queue);
            StatusLine::new(summary, rates.unwrap_or_else(|| at_one_poll(summary, self.ended.as_deref())))
        })
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
    pub(super) fn new(snapshot: &'a Snapshot, flow: &Flow) -> Self {
        let lines =
            |jobs: &'a [JobRecord]| jobs.iter().map(|job| JobLine::new(job, Privacy::Hidden)).collect();
        Self {
            queues: snapshot.lines(flow).collect(),
            running: lines(&snapshot.running),
            failed: lines(&snapshot.failed),
        }
    }
}
