//! What the page shows, at one moment.

use queue_core::inspect::{Filter, Page};
use queue_core::{Inspect as _, JobRecord, State};
use serde::Serialize;

use super::refusal::Refusal;
use crate::catalog::{self, Entry, Revision};
use crate::jobs::SKU;
use crate::shop::Shop;

/// Products, jobs and the report.
#[derive(Debug, Serialize)]
pub(super) struct Snapshot {
    /// In the order in which they were added.
    pub(super) products: Vec<Entry>,
    /// The newest first.
    pub(super) jobs: Vec<JobView>,
    /// How many jobs are in which state; only states in which some are.
    pub(super) counts: Vec<(State, u64)>,
    /// Up to which revision the report goes.
    pub(super) report: Option<Revision>,
}

/// A job as the page shows it.
#[derive(Debug, Serialize)]
pub(super) struct JobView {
    pub(super) name: String,
    /// The product that it is about.
    pub(super) sku: Option<String>,
    pub(super) state: State,
    pub(super) attempt: u32,
    pub(super) max_attempts: u32,
    /// What went wrong last.
    pub(super) error: Option<String>,
}

impl Snapshot {
    /// How many jobs are looked at; more than the queue keeps of finished ones.
    const JOBS: usize = 1_000;

    pub(super) async fn take(shop: &Shop) -> Result<Self, Refusal> {
        let stored = |connection: &_| Ok((catalog::list(connection)?, catalog::reported(connection)?));
        let (products, report) = shop.database.run(stored).await?;
        let listing = shop.queue.list(&Filter::all(), &Page::first(Self::JOBS)).await?;
        let queues = shop.queue.counts().await?;
        let count = |state| (state, queues.iter().map(|queue| queue.of(state)).sum());
        Ok(Self {
            products,
            jobs: listing.jobs.iter().rev().map(JobView::from).collect(),
            counts: State::ALL.into_iter().map(count).filter(|(_, count)| *count > 0).collect(),
            report,
        })
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
