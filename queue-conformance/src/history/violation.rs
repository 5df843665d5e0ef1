//! Why a history breaks the contract.

use std::fmt::{self, Write as _};

use queue_core::JobId;

use super::event::Event;

/// A broken rule, with all events of the jobs that show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    rule: String,
    jobs: Vec<JobId>,
    story: String,
}

impl Violation {
    /// Collects the events of the jobs.
    pub(super) fn new(rule: String, jobs: &[JobId], events: &[Event]) -> Self {
        let mut story = String::new();
        for job in jobs {
            // Writing to a string can't fail.
            let _ = write!(story, "\n    what happened to job {job}:");
            let mut of_job: Vec<_> = events.iter().filter(|event| event.kind.job() == Some(*job)).collect();
            of_job.sort_by_key(|event| event.span.start.order);
            for event in of_job {
                let _ = write!(story, "\n      {event}");
            }
        }
        Self { rule, jobs: jobs.to_vec(), story }
    }

    /// Returns the jobs that show the violation.
    #[must_use]
    pub fn jobs(&self) -> &[JobId] {
        &self.jobs
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.rule, self.story)
    }
}

impl std::error::Error for Violation {}
