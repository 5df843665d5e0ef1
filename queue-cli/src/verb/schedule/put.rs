//! `queue schedule put`: a new schedule, or a change of one.

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use queue_core::{Admin, Body, CatchUp, NewJob, Overlap, Recurrence};
use queue_schedules::Cron;
use serde::Serialize;

use super::name::ScheduleName;
use crate::exit::{Exit, Failure};
use crate::find;
use crate::instant::duration;
use crate::output::Output;
use crate::taken::check_taken;

/// Stores a schedule, or changes one that was put at run time
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("times").required(true))]
pub(super) struct Put {
    /// The schedule, as GROUP/NAME
    schedule: ScheduleName,
    /// The name of the job that it enqueues
    job: String,
    /// The payload of the job, as JSON
    #[arg(default_value = "{}")]
    payload: String,
    /// The times, as a cron expression: `0 9 * * MON-FRI`
    #[arg(long, value_name = "EXPRESSION", group = "times")]
    cron: Option<String>,
    /// The times, as an interval: `15m`
    #[arg(long, value_name = "INTERVAL", value_parser = duration, group = "times")]
    every: Option<Duration>,
    /// The time zone of the cron expression: `Europe/Berlin`; by default UTC
    #[arg(long, requires = "cron")]
    zone: Option<String>,
    /// The rule for a tick that comes while an earlier job of the schedule is unfinished
    #[arg(long, value_enum, default_value_t = OverlapOption::Skip)]
    overlap: OverlapOption,
    /// The rule for late ticks
    #[arg(long, value_enum, default_value_t = CatchUpOption::Latest)]
    catch_up: CatchUpOption,
    /// How late a tick may be at most: `1h`
    #[arg(long, value_name = "TIME", value_parser = duration)]
    within: Option<Duration>,
    /// The queue of the job
    #[arg(long, short, default_value = "default")]
    queue: String,
    /// The priority of the job; lower runs first
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    priority: i32,
    /// The maximum number of attempts of the job
    #[arg(long, default_value_t = NewJob::MAX_ATTEMPTS)]
    max_attempts: u32,
    /// Stores it even if no running worker takes the job
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OverlapOption {
    /// It enqueues nothing
    Skip,
    /// At most one job waits beside the one that runs
    Follow,
    /// It enqueues its job
    Allow,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CatchUpOption {
    /// The newest enqueues its job
    Latest,
    /// Each enqueues its job, up to 1,000 of the last day
    All,
    /// Those that are later than a minute enqueue nothing
    Skip,
}

/// The result: the schedule and its times in words.
#[derive(Serialize)]
struct PutLine {
    schedule: String,
    when: String,
}

impl Put {
    pub(super) async fn run(self, queue: &Arc<dyn Admin>, out: &mut Output) -> Result<Exit, Failure> {
        if !self.force
            && let Some(workers) = find::workers(&**queue).await?
        {
            check_taken(&self.job, &self.queue, &workers)?;
        }
        let job = NewJob::new(self.job.as_str(), Body::json(&*self.payload)?)
            .queue(self.queue.as_str())
            .priority(self.priority)
            .max_attempts(self.max_attempts);
        self.schedule.group(queue).put(&self.schedule.name, self.recurrence()?, job).await?;
        let stored = self.schedule.read(queue).await?;
        let line = PutLine { schedule: self.schedule.to_string(), when: stored.words().to_owned() };
        out.sentence(&line, format_args!("{}: {}", line.schedule, line.when))?;
        Ok(Exit::Done)
    }

    fn recurrence(&self) -> Result<Recurrence, Failure> {
        let mut recurrence = match (&self.cron, self.every) {
            (Some(expression), _) => Cron::parse(expression)
                .map(Recurrence::from)
                .map_err(|error| Failure::usage(format!("the cron expression `{expression}`: {error}")))?,
            (None, every) => Recurrence::every(every.unwrap_or_default()),
        };
        if let Some(zone) = &self.zone {
            recurrence = recurrence.zone(zone.clone());
        }
        if let Some(within) = self.within {
            recurrence = recurrence.within(within);
        }
        let overlap = match self.overlap {
            OverlapOption::Skip => Overlap::Skip,
            OverlapOption::Follow => Overlap::Follow,
            OverlapOption::Allow => Overlap::Allow,
        };
        let catch_up = match self.catch_up {
            CatchUpOption::Latest => CatchUp::Latest,
            CatchUpOption::All => CatchUp::All { at_most: CatchUp::MOST },
            CatchUpOption::Skip => CatchUp::Skip { grace: CatchUp::GRACE },
        };
        Ok(recurrence.overlap(overlap).catch_up(catch_up))
    }
}
