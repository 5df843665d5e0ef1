//! The content of the page at one moment.

use std::cmp::Reverse;
use std::time::SystemTime;

use queue_core::admin::{Filter, PageRequest};
use queue_core::{
    Admin, JobId, JobProgress, JobRecord, NewJob, QueueError, State, StoredResult, Tick, Timestamp,
};
use serde::{Serialize, Serializer};

use super::error::WebError;
use crate::catalog::{self, Entry, Revision};
use crate::jobs::{SKU, TITLE};
use crate::shop::Shop;

/// Products, jobs and the report.
#[derive(Debug, Serialize)]
pub(super) struct Snapshot {
    /// The products, in the order in which they were added.
    pub(super) products: Vec<Entry>,
    /// The jobs, newest first.
    pub(super) jobs: Vec<JobView>,
    /// The number of jobs in each state that has any.
    pub(super) counts: Vec<(State, u64)>,
    /// The revision that the report covers.
    pub(super) report: Option<Revision>,
    /// The moment.
    #[serde(serialize_with = "as_text")]
    pub(super) now: Timestamp,
}

/// A job as the page shows it.
#[derive(Debug, Serialize)]
pub(super) struct JobView {
    pub(super) id: JobId,
    /// The title, or the job's name if it has none.
    pub(super) name: String,
    /// The product of the job.
    pub(super) sku: Option<String>,
    pub(super) state: State,
    /// When it will run, began or finished, depending on the state.
    #[serde(serialize_with = "as_text")]
    pub(super) at: Timestamp,
    pub(super) attempt: u32,
    pub(super) max_attempts: u32,
    /// The progress of a running job.
    pub(super) progress: Option<JobProgress>,
    /// The result of a completed job: a string as it is, another value as JSON.
    pub(super) result: Option<String>,
    /// The reason for which it was cancelled, otherwise the last error.
    pub(super) error: Option<String>,
    #[serde(skip)]
    is_closure: bool,
}

impl JobView {
    /// Returns whether an operator may retry the job. A closure has run once, and is gone.
    pub(super) fn can_be_retried(&self) -> bool {
        self.state == State::Discarded && !self.is_closure
    }

    /// Returns whether the job waits, so that an operator may cancel it.
    pub(super) fn can_be_cancelled(&self) -> bool {
        matches!(self.state, State::Scheduled | State::Available | State::Retryable)
    }
}

impl Snapshot {
    /// The number of jobs shown.
    const SHOWN: usize = 500;

    pub(super) async fn take(shop: &Shop) -> Result<Self, WebError> {
        let stored = |connection: &_| Ok((catalog::list(connection)?, catalog::reported(connection)?));
        let (products, report) = shop.database.run(stored).await?;
        let mut jobs = newest(&*shop.queues.jobs).await?;
        jobs.extend(newest(&shop.queues.closures).await?);
        jobs.sort_by_key(|job| Reverse(job.pushed_at));
        let queues = shop.queues.counts().await?;
        let count = |state| (state, queues.iter().map(|queue| queue.of(state)).sum());
        Ok(Self {
            products,
            jobs: jobs.iter().take(Self::SHOWN).map(JobView::from).collect(),
            counts: State::ALL.into_iter().map(count).filter(|(_, count)| *count > 0).collect(),
            report,
            now: SystemTime::now().into(),
        })
    }
}

/// Returns the newest jobs of a queue, without the ticks of schedules.
async fn newest(queue: &dyn Admin) -> Result<Vec<JobRecord>, QueueError> {
    let page = queue.list(&Filter::all(), &PageRequest::first(Snapshot::SHOWN).newest()).await?;
    Ok(page.jobs.into_iter().filter(|job| !Tick::waits_in(&job.queue)).collect())
}

impl From<&JobRecord> for JobView {
    fn from(job: &JobRecord) -> Self {
        let at = match job.state {
            State::Executing => job.claimed_at,
            state if state.is_finished() => job.finished_at,
            _ => None,
        };
        Self {
            id: job.id,
            name: job.meta.get(TITLE).unwrap_or(job.name.as_str()).to_owned(),
            sku: job.meta.get(SKU).map(str::to_owned),
            state: job.state,
            at: at.unwrap_or(job.run_at),
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            progress: job.progress.clone(),
            result: job.result.as_ref().map(result_text),
            error: job.cancel_reason.clone().or_else(|| job.errors.last().map(|error| error.message.clone())),
            is_closure: job.name == NewJob::CLOSURE,
        }
    }
}

fn result_text(result: &StoredResult) -> String {
    result.decode().unwrap_or_else(|_| result.as_str().to_owned())
}

/// Serializes an instant as RFC 3339.
fn as_text<S: Serializer>(instant: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(instant)
}
