//! A job whose payload is JSON text, as a backend stores it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::contract::body::Body;
use crate::contract::body::mismatch::{flaw, read};
use crate::contract::error::{QueueError, QueueErrorKind};
use crate::contract::id::JobId;
use crate::contract::job::{Meta, NewJob};
use crate::contract::limits::Limits;
use crate::contract::settlement::Settlement;

/// A new job with its JSON texts.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Encoded {
    /// The identity: the caller's, or one that [`encode`] created.
    pub id: JobId,
    /// Whether the caller chose the identity. If so, the backend may know it already.
    pub is_chosen: bool,
    /// The job as it was pushed.
    pub job: NewJob,
    /// The payload as JSON text.
    pub payload: Arc<str>,
    /// The meta as a JSON object of strings, if there is any.
    pub meta: Option<String>,
    /// The job to store if this one is discarded, as JSON. `None` leaves the choice to the claim.
    pub on_discard: Option<String>,
}

impl Encoded {
    /// Encodes a job without checking limits, such as one that is stored on a discard.
    ///
    /// # Errors
    ///
    /// `Unsupported` for a closure; `Invalid` for a job that cannot be written as JSON.
    pub fn unchecked(job: NewJob) -> Result<Self, QueueError> {
        encoded(job)
    }
}

/// Encodes a batch and checks the limits. Creates an identity for each job that has none.
///
/// # Errors
///
/// `Unsupported` for a closure; `Invalid` for a job that exceeds a limit or cannot be written as JSON.
pub fn encode(jobs: Vec<NewJob>, limits: &Limits) -> Result<Vec<Encoded>, QueueError> {
    limits.check_batch(&jobs)?;
    encode_each(jobs, limits)
}

fn encode_each(jobs: Vec<NewJob>, limits: &Limits) -> Result<Vec<Encoded>, QueueError> {
    let mut jobs = jobs;
    limits.check_each(&jobs)?;
    for job in &mut jobs {
        let text = job.body.encode().map_err(|error| error.on_queue(job.queue.clone()))?;
        job.body = Body::stored(text);
    }
    limits.check_each(&jobs)?;
    jobs.into_iter().map(encoded).collect()
}

/// Encodes the followups of a batch of settlements, one list for each settlement, and checks the sizes of their results. The
/// number of followups has no limit.
///
/// # Errors
///
/// Those of [`encode`], apart from the number of jobs. `Invalid` for a result that is larger than a payload may be.
pub fn encode_followups(
    settlements: &mut [Settlement],
    limits: &Limits,
) -> Result<Vec<Vec<Encoded>>, QueueError> {
    limits.check_results(settlements)?;
    settlements
        .iter_mut()
        .map(|settlement| encode_each(std::mem::take(&mut settlement.followups), limits))
        .collect()
}

fn encoded(job: NewJob) -> Result<Encoded, QueueError> {
    let payload = job.body.encode()?;
    let meta = job.meta.to_json().map_err(|error| error.on_queue(job.queue.clone()))?;
    let on_discard = job.on_discard.as_ref().map(|on_discard| on_discard.to_json()).transpose();
    let on_discard = on_discard.map_err(|error| error.on_queue(job.queue.clone()))?;
    let is_chosen = job.id.is_some();
    Ok(Encoded { id: job.id.unwrap_or_else(JobId::random), is_chosen, job, payload, meta, on_discard })
}

impl Meta {
    /// Returns the meta as a JSON object of strings, or `None` if it is empty.
    ///
    /// # Errors
    ///
    /// `Invalid` if it cannot be written as JSON.
    pub fn to_json(&self) -> Result<Option<String>, QueueError> {
        if self.is_empty() {
            return Ok(None);
        }
        let words: BTreeMap<_, _> = self.iter().collect();
        serde_json::to_string(&words)
            .map(Some)
            .map_err(|error| QueueError::invalid("`meta` can't be written as JSON").with_source(flaw(&error)))
    }

    /// Creates meta from its stored JSON object.
    ///
    /// # Errors
    ///
    /// `Corrupt` if the text is not a JSON object of strings.
    pub fn from_json(text: &str) -> Result<Self, QueueError> {
        let words: BTreeMap<String, String> = read(text).map_err(|error| {
            QueueError::new(QueueErrorKind::Corrupt, "`meta` is not a JSON object of strings")
                .with_source(error)
        })?;
        Ok(Self::from_iter(words))
    }
}
