//! The content of the page at one moment.

use std::cmp::Reverse;

use queue_core::admin::{Filter, PageRequest};
use queue_core::{Admin, JobRecord, QueueError, State};
use serde::Serialize;

use super::error::WebError;
use crate::catalog::{self, Entry, Revision};
use crate::jobs::SKU;
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
}

/// A job as the page shows it.
#[derive(Debug, Serialize)]
pub(super) struct JobView {
    pub(super) name: String,
    /// The product of the job.
    pub(super) sku: Option<String>,
    pub(super) state: State,
    pub(super) attempt: u32,
    pub(super) max_attempts: u32,
    /// The last error.
    pub(super) error: Option<String>,
}

impl Snapshot {
    /// The number of jobs shown.
    const SHOWN: usize = 500;

    pub(super) async fn take(shop: &Shop) -> Result<Self, WebError> {
        let stored = |connection: &_| Ok((catalog::list(connection)?, catalog::reported(connection)?));
        let (products, report) = shop.database.run(stored).await?;
        let mut jobs = listed(&*shop.queues.jobs).await?;
        jobs.extend(listed(&shop.queues.closures).await?);
        jobs.sort_by_key(|job| Reverse(job.pushed_at));
        let queues = shop.queues.counts().await?;
        let count = |state| (state, queues.iter().map(|queue| queue.of(state)).sum());
        Ok(Self {
            products,
            jobs: jobs.iter().take(Self::SHOWN).map(JobView::from).collect(),
            counts: State::ALL.into_iter().map(count).filter(|(_, count)| *count > 0).collect(),
            report,
        })
    }
}

/// Returns the jobs of a queue.
async fn listed(queue: &dyn Admin) -> Result<Vec<JobRecord>, QueueError> {
    let (mut jobs, mut page) = (Vec::new(), PageRequest::first(1_000));
    loop {
        let listing = queue.list(&Filter::all(), &page).await?;
        jobs.extend(listing.jobs);
        match listing.next {
            Some(cursor) => page = PageRequest::after(cursor, 1_000),
            None => return Ok(jobs),
        }
    }
}

impl From<&JobRecord> for JobView {
    fn from(job: &JobRecord) -> Self {
        Self {
            name: job.name.to_string(),
            sku: job.meta.get(SKU).map(str::to_owned),
            state: job.state,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            error: job.errors.last().map(|error| error.message.clone()),
        }
    }
}
