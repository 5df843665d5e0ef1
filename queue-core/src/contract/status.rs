//! The part of a job's record that its client may see.

use serde::Serialize;

use crate::contract::id::JobId;
use crate::contract::progress::JobProgress;
use crate::contract::record::{JobRecord, State};
use crate::contract::result::{StoredResult, as_json};

/// The part of a job's record that an application may show to the client that asked for the job: how far it is, and its result.
/// It has no payload, no meta and no text of an error, which may be private.
///
/// It serializes as the answer of an HTTP endpoint.
///
/// ```
/// use queue_core::{Body, JobId, JobRecord, StoredResult};
///
/// let mut job = JobRecord::new(JobId::from_u128(7), "build".into(), Body::stored("{}"));
/// job.result = Some(StoredResult::of(&["a.pdf"])?);
///
/// let json = serde_json::to_value(job.status())?;
/// assert_eq!((&json["state"], &json["result"][0]), (&"available".into(), &"a.pdf".into()));
/// # Ok::<(), queue_core::BoxError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct JobStatus {
    /// The identity.
    pub id: JobId,
    /// The state.
    pub state: State,
    /// The number of counted attempts so far, including a running one.
    pub attempt: u32,
    /// The maximum number of attempts.
    pub max_attempts: u32,
    /// The progress, if the job is executing and has reported some.
    pub progress: Option<JobProgress>,
    /// The result, if the job is completed and has one. It serializes as JSON, not as text.
    #[serde(serialize_with = "as_json")]
    pub result: Option<StoredResult>,
}

impl JobRecord {
    /// Returns the part of the record that the job's client may see.
    #[must_use]
    pub fn status(&self) -> JobStatus {
        JobStatus {
            id: self.id,
            state: self.state,
            attempt: self.attempt,
            max_attempts: self.max_attempts,
            progress: self.progress.clone(),
            result: self.result.clone(),
        }
    }
}
