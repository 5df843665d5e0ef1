//! A job whose payload is text: what can be stored.

use std::sync::Arc;

use queue_core::{Body, JobId, Limits, NewJob, QueueError, Settlement};

/// A new job with the texts that are stored of it.
#[derive(Clone, Debug)]
pub(crate) struct Encoded {
    pub(crate) id: JobId,
    /// Whether the caller chose the identity, so that it may be known.
    pub(crate) is_chosen: bool,
    pub(crate) job: NewJob,
    pub(crate) payload: Arc<str>,
    pub(crate) meta: Option<String>,
}

impl Encoded {
    /// How many bytes of payload and meta a job's row takes. A row is written three times, so more than that is apart.
    const SMALL: usize = 512;

    /// Tells whether it fits into the job's own row.
    pub(crate) fn is_small(&self) -> bool {
        self.payload.len() + self.meta.as_ref().map_or(0, String::len) <= Self::SMALL
    }
}

/// Encodes a batch and holds it to the limits; jobs without an identity are given one.
///
/// # Errors
///
/// `Unsupported` for a closure, `Invalid` for what is beyond a limit or can't be written as JSON.
pub(crate) fn encode(jobs: Vec<NewJob>, limits: &Limits) -> Result<Vec<Encoded>, QueueError> {
    let mut jobs = jobs;
    for job in &mut jobs {
        let text = job.body.encode().map_err(|error| error.on_queue(job.queue.clone()))?;
        job.body = Body::stored(text);
    }
    limits.check(&jobs)?;
    jobs.into_iter().map(encoded).collect()
}

/// Encodes the followups of a batch of settlements, a list for each.
///
/// # Errors
///
/// Those of [`encode`].
pub(crate) fn encode_followups(
    settlements: &mut [Settlement],
    limits: &Limits,
) -> Result<Vec<Vec<Encoded>>, QueueError> {
    settlements
        .iter_mut()
        .map(|settlement| encode(std::mem::take(&mut settlement.followups), limits))
        .collect()
}

fn encoded(job: NewJob) -> Result<Encoded, QueueError> {
    let payload = job.body.encode()?;
    let meta = if job.meta.is_empty() { None } else { Some(meta_text(&job)?) };
    let is_chosen = job.id.is_some();
    Ok(Encoded { id: job.id.unwrap_or_else(JobId::random), is_chosen, job, payload, meta })
}

fn meta_text(job: &NewJob) -> Result<String, QueueError> {
    let words: std::collections::BTreeMap<_, _> = job.meta.iter().collect();
    serde_json::to_string(&words)
        .map_err(|error| QueueError::invalid("`meta` can't be written as JSON").with_source(error))
}
