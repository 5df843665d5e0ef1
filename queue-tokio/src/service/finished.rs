//! A job that will not be run any more, with the settlement to record.

use std::sync::Arc;

use queue_core::{AttemptResult, JobFacts, Settlement, Transition};

use super::job::InFlightJob;

/// A job in flight whose attempt has ended, or that is not to be run.
#[derive(Debug)]
pub(super) struct Finished {
    job: Arc<InFlightJob>,
    settlement: Settlement,
    /// Whether the job's unit of work has recorded the settlement.
    is_recorded: bool,
}

impl Finished {
    /// Creates it from the result of an attempt.
    pub(super) fn of(job: Arc<InFlightJob>, result: AttemptResult) -> Self {
        Self { job, settlement: result.settlement, is_recorded: result.is_recorded }
    }

    /// Creates it for a job that was not run to its end.
    pub(super) fn unrun(job: Arc<InFlightJob>, transition: Transition) -> Self {
        let settlement = Settlement::new(job.lease().clone(), transition);
        Self { job, settlement, is_recorded: false }
    }

    /// Returns the same job with another transition, and without its followups.
    pub(super) fn with_transition(self, transition: Transition) -> Self {
        Self::unrun(self.job, transition)
    }

    pub(super) fn job(&self) -> &Arc<InFlightJob> {
        &self.job
    }

    pub(super) fn into_job(self) -> Arc<InFlightJob> {
        self.job
    }

    pub(super) fn settlement(&self) -> &Settlement {
        &self.settlement
    }

    pub(super) fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    pub(super) fn facts(&self) -> JobFacts {
        self.job.facts()
    }
}
