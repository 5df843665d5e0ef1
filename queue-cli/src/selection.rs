//! The jobs that a verb changes: by their ids, or all that match a filter.

use clap::Args;
use queue_core::admin::{Cancellation, Change, Filter};
use queue_core::{Admin, JobId, JobRecord, QueueError};
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::filter::{FilterOptions, StateOption};
use crate::find::{self, KnownNames};
use crate::output::{Output, grouped};
use crate::progress;
use crate::prompt::confirm;

/// The number of jobs that are changed in one step.
const BATCH: usize = 250;

/// Jobs by their ids, or by a filter.
#[derive(Args, Debug)]
pub(crate) struct Selection {
    /// The jobs, by their ids or the first digits of them
    ids: Vec<String>,
    #[command(flatten)]
    filter: FilterOptions,
    /// Changes all jobs that the verb is for, without a filter
    #[arg(long)]
    all: bool,
    /// Prints the number of jobs, and changes none
    #[arg(long)]
    dry_run: bool,
    /// Does not ask before it changes all jobs that match a filter
    #[arg(long, short)]
    yes: bool,
}

/// The result of a change to one job.
#[derive(Serialize)]
struct ChangedJob {
    id: JobId,
    outcome: &'static str,
    dry_run: bool,
}

/// The result of a change to all jobs that match.
#[derive(Serialize)]
struct ChangedJobs {
    matched: usize,
    changed: u64,
    dry_run: bool,
}

impl Selection {
    /// Changes the jobs. A filter without a state has those of `states`.
    pub(crate) async fn change(
        &self,
        queue: &dyn Admin,
        out: &mut Output,
        change: &Change,
        states: &[StateOption],
    ) -> Result<Exit, Failure> {
        match (self.ids.is_empty(), self.filter.is_empty()) {
            (false, true) if !self.all => self.change_each(queue, out, change).await,
            (true, false) => self.change_all(queue, out, change, states).await,
            (true, true) if self.all => self.change_all(queue, out, change, states).await,
            (true, true) => {
                Err(Failure::usage("no job is named: name ids, or a filter such as --queue, or pass --all"))
            }
            _ => Err(Failure::usage("name either ids or a filter, not both")),
        }
    }

    async fn change_each(
        &self,
        queue: &dyn Admin,
        out: &mut Output,
        change: &Change,
    ) -> Result<Exit, Failure> {
        // All ids are looked up first, so that nothing changes if one is unknown.
        let mut jobs = Vec::new();
        for id in &self.ids {
            jobs.push(find::job(queue, id).await?);
        }
        for job in jobs {
            let outcome = if self.dry_run { "unchanged" } else { change_one(queue, &job, change).await? };
            let line = ChangedJob { id: job.id, outcome, dry_run: self.dry_run };
            let text = if self.dry_run {
                format!("would {} {}", name(change), job.id)
            } else {
                let asked = if outcome == "requested" { "requested the cancellation of" } else { outcome };
                format!("{asked} {}", job.id)
            };
            out.sentence(&line, text)?;
        }
        Ok(Exit::Done)
    }

    async fn change_all(
        &self,
        queue: &dyn Admin,
        out: &mut Output,
        change: &Change,
        states: &[StateOption],
    ) -> Result<Exit, Failure> {
        let filter = self.filter.filter(states);
        let ids = queue.matching(&filter).await?;
        if ids.is_empty() {
            KnownNames::read(queue).await?.explain_empty(&filter)?;
        }
        let (matched, dry_run) = (ids.len(), self.dry_run);
        if dry_run {
            let line = ChangedJobs { matched, changed: 0, dry_run };
            out.sentence(&line, format!("would {} {}", name(change), jobs(matched as u64)))?;
            return Ok(Exit::Done);
        }
        if matched > 0 && !self.yes {
            confirm(&format!("{} {}?", title(change), jobs(matched as u64)))?;
        }
        let (changed, is_complete) = change_batches(queue, &ids, &filter, change).await?;
        let line = ChangedJobs { matched, changed, dry_run };
        out.sentence(&line, format!("{} {} of {}", done(change), grouped(changed), jobs(matched as u64)))?;
        if is_complete {
            Ok(Exit::Done)
        } else {
            Err(Failure::new(Exit::Refused, "stopped: the other jobs are unchanged"))
        }
    }
}

/// Changes one job. Returns the outcome.
async fn change_one(queue: &dyn Admin, job: &JobRecord, change: &Change) -> Result<&'static str, Failure> {
    match change {
        Change::Cancel { reason } => match queue.cancel(job.id, reason).await? {
            Cancellation::Cancelled => Ok("cancelled"),
            Cancellation::Requested => Ok("requested"),
            _ => Err(QueueError::conflict(format!("job {} is {} already", job.id, job.state)).into()),
        },
        Change::Retry => Ok(queue.retry(job.id).await.map(|()| "retried")?),
        Change::Delete => Ok(queue.delete(job.id).await.map(|()| "deleted")?),
        _ => Err(change.unsupported().into()),
    }
}

/// Changes jobs batch by batch, with a progress bar, until Ctrl-C. Returns their number, and whether all batches were changed.
async fn change_batches(
    queue: &dyn Admin,
    ids: &[JobId],
    filter: &Filter,
    change: &Change,
) -> Result<(u64, bool), QueueError> {
    let bar = progress::bar(ids.len() as u64, name(change));
    let stop = tokio::signal::ctrl_c();
    tokio::pin!(stop);
    let mut changed = 0;
    for batch in ids.chunks(BATCH) {
        // A batch that has begun is completed, so that its number is known.
        changed += queue.change(batch, filter, change).await?;
        bar.inc(batch.len() as u64);
        let stopped = tokio::time::timeout(std::time::Duration::ZERO, &mut stop).await.is_ok();
        if stopped && bar.position() < ids.len() as u64 {
            bar.finish_and_clear();
            return Ok((changed, false));
        }
    }
    bar.finish_and_clear();
    Ok((changed, true))
}

fn jobs(number: u64) -> String {
    format!("{} job{}", grouped(number), if number == 1 { "" } else { "s" })
}

const fn name(change: &Change) -> &'static str {
    match change {
        Change::Cancel { .. } => "cancel",
        Change::Retry => "retry",
        _ => "delete",
    }
}

const fn title(change: &Change) -> &'static str {
    match change {
        Change::Cancel { .. } => "Cancel",
        Change::Retry => "Retry",
        _ => "Delete",
    }
}

const fn done(change: &Change) -> &'static str {
    match change {
        Change::Cancel { .. } => "cancelled or asked to stop",
        Change::Retry => "retried",
        _ => "deleted",
    }
}
