//! Finds jobs, queues and names, and suggests the nearest one.

use std::collections::BTreeSet;

use queue_core::admin::{Filter, IdPrefix, PageRequest, WorkerRecord};
use queue_core::{Admin, JobId, JobRecord, QueueError, QueueErrorKind};

use crate::exit::{Exit, Failure};
use crate::nearest::{did_you_mean, nearest};

/// How many jobs are compared with an id or a name that is unknown.
const COMPARED: usize = 1_000;

/// Returns the job of an id, or of the first digits of one.
///
/// # Errors
///
/// `Usage` if the text is no id, or the beginning of several; `NotFound` with the nearest id if there is no such job.
pub(crate) async fn job(queue: &dyn Admin, text: &str) -> Result<JobRecord, Failure> {
    if let Ok(id) = text.parse::<JobId>() {
        return match queue.get(id).await? {
            Some(job) => Ok(job),
            None => Err(Failure::from(QueueError::unknown_job(id)).help(similar_id(queue, id).await?)),
        };
    }
    let prefix: IdPrefix = text.parse()?;
    let mut jobs = queue.list(&Filter::all().id(prefix), &PageRequest::first(3)).await?.jobs;
    match jobs.len() {
        0 => Err(Failure::not_found(format!("no job's id begins with `{text}`"))),
        1 => Ok(jobs.remove(0)),
        _ => {
            let ids: Vec<_> = jobs.iter().map(|job| format!("{} ({})", job.id, job.name)).collect();
            let message = format!("several ids begin with `{text}`, among them {}", ids.join(", "));
            Err(Failure::new(Exit::Usage, message).help("give more digits".to_owned()))
        }
    }
}

/// Returns the question for the id that differs least from one that is unknown.
async fn similar_id(queue: &dyn Admin, id: JobId) -> Result<Option<String>, QueueError> {
    let text = id.to_string();
    let mut ids = BTreeSet::new();
    let beginning = text.get(..8).and_then(|digits| digits.parse::<IdPrefix>().ok());
    let filters = beginning.map(|prefix| Filter::all().id(prefix)).into_iter().chain([Filter::all()]);
    for filter in filters {
        let page = queue.list(&filter, &PageRequest::first(COMPARED).newest()).await?;
        ids.extend(page.jobs.iter().map(|job| job.id.to_string()));
    }
    // The ids of one second share a third of their digits. A typing mistake changes fewer.
    let is_near = |other: &&str| strsim::damerau_levenshtein(&text, other) <= 4;
    Ok(nearest(&text, ids.iter().map(String::as_str))
        .filter(is_near)
        .map(|id| format!("did you mean `{id}`?")))
}

/// The names that a store knows.
#[derive(Debug, Default)]
pub(crate) struct KnownNames {
    pub(crate) queues: BTreeSet<String>,
    pub(crate) jobs: BTreeSet<String>,
}

impl KnownNames {
    /// Reads the names of queues, and of the jobs that running workers know or that were pushed lately.
    pub(crate) async fn read(queue: &dyn Admin) -> Result<Self, QueueError> {
        let mut known = Self::default();
        known.queues.extend(queue.summary().await?.iter().map(|summary| summary.queue.to_string()));
        for worker in workers(queue).await?.iter().flatten() {
            known.queues.extend(worker.queues.iter().map(ToString::to_string));
            known.jobs.extend(worker.jobs.iter().map(ToString::to_string));
        }
        let newest = queue.list(&Filter::all(), &PageRequest::first(COMPARED).newest()).await?;
        known.jobs.extend(newest.jobs.iter().map(|job| job.name.to_string()));
        Ok(known)
    }

    /// Fails with `NotFound` if there is no queue of this name.
    pub(crate) fn require_queue(&self, name: &str) -> Result<(), Failure> {
        if self.queues.contains(name) {
            return Ok(());
        }
        let failure = Failure::not_found(format!("there is no queue `{name}`"));
        Err(failure.help(did_you_mean(name, self.queues.iter().map(String::as_str))))
    }

    /// Fails with `NotFound` if a filter that matches no job names a queue or a job that is not known, but similar to one that is.
    pub(crate) fn explain_empty(&self, filter: &Filter) -> Result<(), Failure> {
        if let Some(queue) = &filter.queue {
            self.require_queue(queue.as_str())?;
        }
        let Some(name) = filter.name.as_ref().filter(|name| !self.jobs.contains(name.as_str())) else {
            return Ok(());
        };
        match did_you_mean(name.as_str(), self.jobs.iter().map(String::as_str)) {
            Some(help) => Err(Failure::not_found(format!("no job is named `{name}`")).help(help)),
            None => Ok(()),
        }
    }
}

/// Returns the workers that run or have vanished, or `None` if the store does not list workers.
pub(crate) async fn workers(queue: &dyn Admin) -> Result<Option<Vec<WorkerRecord>>, QueueError> {
    match queue.workers().await {
        Ok(workers) => Ok(Some(workers)),
        Err(error) if error.kind() == QueueErrorKind::Unsupported => Ok(None),
        Err(error) => Err(error),
    }
}
