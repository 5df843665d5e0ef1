//! The conditions of a move.

use std::time::Duration;

use super::{JobMove, MoveError};
use crate::contract::admin::Admin;
use crate::contract::announcement::Announcement;
use crate::contract::error::QueueErrorKind;
use crate::contract::filter::Filter;
use crate::contract::id::JobId;
use crate::contract::page::PageRequest;
use crate::contract::record::State;
use crate::contract::worker_id::WorkerId;

/// How long one wait for executing jobs lasts. A job that is retried does not end the wait.
const STEP: Duration = Duration::from_millis(200);

/// The most executing jobs for which one wait lasts.
const MOST: usize = 100;

impl JobMove {
    /// Checks that a worker that announces itself in one store is not listed by the other: the jobs of a move within one store
    /// would be deleted.
    pub(super) async fn check_stores(&self, from: &dyn Admin, to: &dyn Admin) -> Result<(), MoveError> {
        let mut probe = Announcement::new(WorkerId::new(format!("move/0/{}", JobId::random())));
        to.announce(&probe).await.map_err(MoveError::Target)?;
        let workers = from.workers().await;
        probe.valid_for = Duration::ZERO;
        to.announce(&probe).await.map_err(MoveError::Target)?;
        match workers {
            Ok(workers) if workers.iter().any(|worker| worker.worker == probe.worker) => {
                Err(MoveError::SameStore)
            }
            // The other store lists workers, so it is not this one.
            Err(error) if error.kind() == QueueErrorKind::Unsupported => Ok(()),
            workers => workers.map(drop).map_err(MoveError::Source),
        }
    }

    pub(super) async fn check_paused(&self, from: &dyn Admin) -> Result<(), MoveError> {
        let queues = from.summary_up_to(1).await.map_err(MoveError::Source)?;
        match queues.iter().find(|summary| summary.queue == self.queue) {
            Some(summary) if summary.paused => Ok(()),
            _ => Err(MoveError::NotPaused(self.queue.clone())),
        }
    }

    /// Returns executing jobs of the queue, but not all if there are many.
    pub(super) async fn executing(&self, from: &dyn Admin) -> Result<Vec<JobId>, MoveError> {
        let executing = Filter::all().queue(self.queue.clone()).state(State::Executing);
        let page = from.list(&executing, &PageRequest::first(MOST)).await.map_err(MoveError::Source)?;
        Ok(page.jobs.into_iter().map(|job| job.id).collect())
    }

    pub(super) async fn wait_for_executing_jobs(&self, from: &dyn Admin) -> Result<(), MoveError> {
        let mut left = self.wait;
        loop {
            let executing = self.executing(from).await?;
            let Some(job) = executing.first().copied() else { return Ok(()) };
            if left.is_zero() {
                return Err(MoveError::Executing { count: executing.len(), job });
            }
            let step = left.min(STEP);
            left -= step;
            // It returns early if a job ends, so the whole wait may be shorter than `wait`.
            from.ended(&executing, step).await.map_err(MoveError::Source)?;
        }
    }
}
