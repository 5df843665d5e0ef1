//! `queue push`: stores jobs by their name.

use std::io::BufRead as _;
use std::time::Duration;

use clap::Args;
use queue_core::{Admin, Body, JobId, NewJob, Receipt, Timestamp, Unique};
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::filter::key_value;
use crate::find;
use crate::instant::{absolute, duration};
use crate::output::Output;
use crate::taken::check_taken;

/// The number of jobs that are pushed in one step.
const BATCH: usize = 500;

/// Stores a job by its name
#[derive(Args, Debug)]
pub(crate) struct Push {
    /// The job's name
    name: String,
    /// The payload, as JSON: an object with the parameters of the job's function. `-` reads one from each line of the input
    #[arg(default_value = "{}")]
    payload: String,
    /// The queue
    #[arg(long, short, default_value = "default")]
    queue: String,
    /// The part of the queue to which the job belongs, such as a tenant
    #[arg(long, value_name = "NAME", default_value = "")]
    partition: String,
    /// Runs it after this time: `90s`
    #[arg(long, value_parser = duration, conflicts_with = "at")]
    delay: Option<Duration>,
    /// Runs it at this instant: `2026-11-29T08:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = absolute)]
    at: Option<Timestamp>,
    /// The priority; lower runs first
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,
    /// The maximum number of attempts
    #[arg(long, default_value_t = NewJob::MAX_ATTEMPTS)]
    max_attempts: u32,
    /// The unique key: nothing is stored while an unfinished job of this name has it
    #[arg(long, value_name = "KEY")]
    unique: Option<String>,
    /// Holds the unique key for this time, even if the job finishes earlier
    #[arg(long, value_parser = duration, requires = "unique")]
    within: Option<Duration>,
    /// Updates the waiting job that holds the unique key
    #[arg(long, requires = "unique")]
    replace: bool,
    /// A key and a value of the meta
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    meta: Vec<(String, String)>,
    /// The id: repeating the push stores the job once
    #[arg(long)]
    id: Option<JobId>,
    /// Stores it even if no running worker takes it
    #[arg(long)]
    force: bool,
}

/// The result of the push of one job.
#[derive(Serialize)]
struct PushLine {
    id: JobId,
    /// `stored`, `existing` or `replaced`.
    receipt: &'static str,
}

impl Push {
    pub(crate) async fn run(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        if !self.force
            && let Some(workers) = find::workers(queue).await?
        {
            check_taken(&self.name, &self.queue, &workers)?;
        }
        if self.payload != "-" {
            let job = self.job(&self.payload)?;
            print(&queue.push(vec![job]).await?, out)?;
            return Ok(Exit::Done);
        }
        if self.id.is_some() {
            return Err(Failure::usage("jobs from the input cannot share one --id"));
        }
        let mut jobs = Vec::new();
        for (number, line) in (1..).zip(std::io::stdin().lock().lines()) {
            let line = line?;
            let job =
                self.job(&line).map_err(|failure| failure.at(format_args!("line {number} of the input")))?;
            jobs.push(job);
            if jobs.len() == BATCH {
                print(&queue.push(std::mem::take(&mut jobs)).await?, out)?;
            }
        }
        print(&queue.push(jobs).await?, out)?;
        Ok(Exit::Done)
    }

    fn job(&self, payload: &str) -> Result<NewJob, Failure> {
        let mut job = NewJob::new(self.name.as_str(), Body::json(payload)?)
            .queue(self.queue.as_str())
            .partition(self.partition.as_str())
            .priority(self.priority)
            .max_attempts(self.max_attempts);
        job.id = self.id;
        job = match (self.delay, self.at) {
            (Some(delay), _) => job.delay(delay),
            (None, Some(at)) => job.at(at),
            (None, None) => job,
        };
        if let Some(key) = &self.unique {
            let mut unique = Unique::new(key);
            unique.window = self.within;
            job = job.unique(if self.replace { unique.replace() } else { unique });
        }
        for (key, value) in &self.meta {
            job = job.meta(key, value);
        }
        Ok(job)
    }
}

fn print(receipts: &[Receipt], out: &mut Output) -> Result<(), Failure> {
    for receipt in receipts {
        let name = match receipt {
            Receipt::Stored(_) => "stored",
            Receipt::Replaced(_) => "replaced",
            _ => "existing",
        };
        let line = PushLine { id: receipt.id(), receipt: name };
        out.sentence(&line, format_args!("{name} {}", line.id))?;
    }
    Ok(())
}
