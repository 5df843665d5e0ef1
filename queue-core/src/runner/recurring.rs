//! A kind of job that a schedule enqueues.

use crate::contract::body::Body;
use crate::contract::job::NewJob;
use crate::contract::recurrence::Recurrence;
use crate::runner::kind::Job;

/// A kind of job that a schedule enqueues: see [`Jobs::recurring`](crate::Jobs::recurring).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecurringJob {
    /// The name of the kind.
    pub name: &'static str,
    /// When it is enqueued.
    pub recurrence: Recurrence,
    /// The job, whose parameters all have defaults. Otherwise, a sentence that says which one has none.
    pub job: Result<NewJob, String>,
}

impl RecurringJob {
    /// Returns the kind `J`, if its attribute says when it is enqueued.
    pub(crate) fn of<J: Job>() -> Option<Self> {
        J::recurrence().map(|recurrence| Self { name: J::NAME, recurrence, job: default_job::<J>() })
    }
}

/// Creates a job of which each parameter has its default.
fn default_job<J: Job>() -> Result<NewJob, String> {
    let job = Body::stored("{}").decode::<J>();
    job.map(NewJob::from).map_err(|error| {
        format!(
            "a parameter of `{}` has no default: {error}; write `#[serde(default)]` in front of it, or add the job by \
             `Schedules::cron` with its parameters",
            J::NAME
        )
    })
}
