//! `queue wait`: waits until a job has ended, or until no job matches a filter.

use std::time::{Duration, Instant};

use clap::Args;
use queue_core::admin::{Filter, PageRequest};
use queue_core::{Admin, JobId, JobRecord, State};
use queue_tokio::IdleExt as _;
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::filter::{FilterOptions, StateOption};
use crate::find::{self, KnownNames};
use crate::instant::{duration, short};
use crate::job_line::{JobLine, Privacy};
use crate::output::Output;
use crate::progress;

/// The pause between two reads of the state that the line shows.
const SLICE: Duration = Duration::from_millis(500);

/// The pause between two polls for a job that matches.
const POLL: Duration = Duration::from_millis(250);

/// Waits until a job has ended, or until no job matches a filter
#[derive(Args, Debug)]
pub(crate) struct Wait {
    /// The job, by its id or the first digits of it
    #[arg(value_name = "ID", required_unless_present = "idle", conflicts_with = "idle")]
    job: Option<String>,
    /// Waits until no job matches the filter; without a state, until no unfinished job does
    #[arg(long)]
    idle: bool,
    #[command(flatten)]
    filter: FilterOptions,
    /// Waits at most this time: `20s`
    #[arg(long, value_parser = duration)]
    timeout: Option<Duration>,
    /// Prints the payload and the result too
    #[arg(long, conflicts_with = "idle")]
    payload: bool,
}

/// The end of a wait for idle queues.
#[derive(Serialize)]
struct IdleLine {
    idle: bool,
    /// A job that matched last.
    job: Option<JobId>,
}

impl Wait {
    pub(crate) async fn run(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        match &self.job {
            Some(id) => self.until_ended(queue, out, id).await,
            None => self.until_idle(queue, out).await,
        }
    }

    /// Returns how much of the timeout is left since `start`, at most `most`, or `None` if it is over.
    fn left(&self, start: Instant, most: Duration) -> Option<Duration> {
        match self.timeout {
            Some(timeout) => {
                timeout.checked_sub(start.elapsed()).filter(|left| !left.is_zero()).map(|left| left.min(most))
            }
            None => Some(most),
        }
    }

    async fn until_ended(&self, queue: &dyn Admin, out: &mut Output, id: &str) -> Result<Exit, Failure> {
        if !self.filter.is_empty() {
            return Err(Failure::usage("a filter is for --idle: name a job, or pass --idle"));
        }
        let mut job = find::job(queue, id).await?;
        let (start, spinner) = (Instant::now(), progress::spinner(said(&job)));
        while !job.state.is_finished()
            && let Some(slice) = self.left(start, SLICE)
        {
            let ended = queue.ended(&[job.id], slice).await?;
            let gone = || Failure::not_found(format!("job {} was deleted during the wait", job.id));
            job = ended.into_iter().next().flatten().ok_or_else(gone)?;
            spinner.set_message(said(&job));
        }
        spinner.finish_and_clear();
        let privacy = if self.payload { Privacy::Shown } else { Privacy::Hidden };
        let line = JobLine::new(&job, privacy);
        out.fields(&line, &line.fields(out.times()))?;
        Ok(if job.state == State::Completed { Exit::Done } else { Exit::Refused })
    }

    async fn until_idle(&self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        let filter = self.filter.filter(&[StateOption::Unfinished]);
        let start = Instant::now();
        let mut job = one(queue, &filter).await?;
        if job.is_none() {
            KnownNames::read(queue).await?.explain_empty(&filter)?;
        }
        let spinner = progress::spinner(String::new());
        while let Some(found) = &job
            && let Some(pause) = self.left(start, POLL)
        {
            spinner.set_message(said(found));
            tokio::time::sleep(pause).await;
            job = one(queue, &filter).await?;
        }
        spinner.finish_and_clear();
        let line = IdleLine { idle: job.is_none(), job: job.as_ref().map(|job| job.id) };
        match &job {
            None => out.sentence(&line, "no job matches")?,
            Some(job) => {
                let waited = short(start.elapsed());
                out.sentence(
                    &line,
                    format_args!("after {waited}, {} {} is {}", job.name, job.id, job.state),
                )?;
            }
        }
        Ok(if job.is_none() { Exit::Done } else { Exit::Refused })
    }
}

/// Returns a job that matches. Unfinished jobs have an index by the time at which they are ready; ticks that are not due are left out.
async fn one(queue: &dyn Admin, filter: &Filter) -> Result<Option<JobRecord>, Failure> {
    if filter.states.iter().any(|state| state.is_finished()) {
        return Ok(queue.list(filter, &PageRequest::first(1)).await?.jobs.pop());
    }
    Ok(queue.unfinished_job(filter).await?)
}

/// Returns the state and the progress of a job.
fn said(job: &JobRecord) -> String {
    let progress =
        job.progress.as_ref().map(|progress| format!(", {} % {}", progress.percent(), progress.note()));
    format!("{} {} is {}{}", job.name, job.id, job.state, progress.unwrap_or_default())
}
