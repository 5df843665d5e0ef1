//! `queue status`: one line for each queue.

use clap::Args;
use console::{Color, Style};
use queue_core::admin::QueueSummary;
use queue_core::{Admin, QueueName, State};
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::find::KnownNames;
use crate::flow::{Rates, at_one_poll, last_minutes};
use crate::instant::short;
use crate::output::{Cell, Output, Record, Rfc3339, Times, grouped};

/// How many jobs of a state are counted. It takes some 40 ms at most, and shows whether a backlog grows.
pub(super) const COUNTED: u64 = 100_000;

/// Shows each queue: its jobs by state, its oldest ready job, its workers
#[derive(Args, Debug)]
pub(crate) struct Status {
    /// The queues to show; by default all
    queues: Vec<String>,
}

impl Status {
    pub(crate) async fn run(self, queue: &dyn Admin, out: &mut Output) -> Result<Exit, Failure> {
        let summaries = queue.summary_up_to(COUNTED).await?;
        let missing =
            self.queues.iter().find(|name| summaries.iter().all(|summary| summary.queue != *name.as_str()));
        if let Some(name) = missing {
            KnownNames::read(queue).await?.require_queue(name)?;
        }
        let is_shown = |summary: &&QueueSummary| {
            self.queues.is_empty() || self.queues.iter().any(|name| summary.queue == *name.as_str())
        };
        let rows = match summaries.first() {
            Some(summary) => last_minutes(queue, summary.at).await?,
            None => None,
        };
        let line = |summary| StatusLine::new(summary, at_one_poll(summary, rows.as_deref()));
        let lines: Vec<_> = summaries.iter().filter(is_shown).map(line).collect();
        out.records(&lines)?;
        if lines.is_empty() {
            out.hint(format_args!(
                "{} has no queue yet: a queue appears with its first job. Start the program that enqueues, or store a job with \
                 `queue push NAME`",
                queue.description()
            ))?;
        }
        Ok(Exit::Done)
    }
}

/// The state of a queue in JSON, and as a row.
#[derive(Serialize)]
pub(super) struct StatusLine<'a> {
    queue: &'a QueueName,
    paused: bool,
    available: u64,
    executing: u64,
    retryable: u64,
    scheduled: u64,
    completed: u64,
    discarded: u64,
    cancelled: u64,
    /// The states of which there may be more jobs than the number says.
    capped: Vec<State>,
    oldest_ready: Option<Rfc3339>,
    oldest_ready_seconds: Option<f64>,
    next_due: Option<Rfc3339>,
    workers: u64,
    worker_seen_at: Option<Rfc3339>,
    in_per_minute: Option<u64>,
    out_per_minute: Option<u64>,
    at: Rfc3339,
    #[serde(skip)]
    summary: &'a QueueSummary,
}

impl<'a> StatusLine<'a> {
    pub(super) fn new(summary: &'a QueueSummary, rates: Rates) -> Self {
        let jobs = |state| summary.of(state).jobs;
        Self {
            queue: &summary.queue,
            paused: summary.paused,
            available: jobs(State::Available),
            executing: jobs(State::Executing),
            retryable: jobs(State::Retryable),
            scheduled: jobs(State::Scheduled),
            completed: jobs(State::Completed),
            discarded: jobs(State::Discarded),
            cancelled: jobs(State::Cancelled),
            capped: State::ALL.into_iter().filter(|state| summary.of(*state).is_capped).collect(),
            oldest_ready: summary.oldest_ready.map(Rfc3339),
            oldest_ready_seconds: summary.waits_for().map(|wait| wait.as_secs_f64()),
            next_due: summary.next_due.map(Rfc3339),
            workers: summary.workers,
            worker_seen_at: summary.worker_seen_at.map(Rfc3339),
            in_per_minute: rates.into,
            out_per_minute: rates.out,
            at: Rfc3339(summary.at),
            summary,
        }
    }

    pub(super) fn summary(&self) -> &'a QueueSummary {
        self.summary
    }

    /// Returns what is unusual about the queue.
    pub(super) fn note(&self) -> &'static str {
        let waits = self.available + self.retryable + self.scheduled > 0;
        match (self.paused, self.workers) {
            (true, _) => "paused",
            (false, 0) if waits => "no worker",
            (false, _) => "",
        }
    }

    /// Returns how many jobs came in within a minute, if that is known.
    pub(super) fn incoming(&self) -> String {
        rate(self.in_per_minute)
    }

    /// Returns how many jobs ended within a minute, if that is known.
    pub(super) fn outgoing(&self) -> String {
        rate(self.out_per_minute)
    }

    /// Returns for how long the oldest ready job has waited.
    pub(super) fn oldest(&self) -> String {
        self.summary.waits_for().map(short).unwrap_or_default()
    }
}

fn rate(jobs: Option<u64>) -> String {
    jobs.map_or_else(|| "–".to_owned(), |jobs| format!("{}/min", grouped(jobs)))
}

impl Record for StatusLine<'_> {
    const HEADERS: &'static [&'static str] = &[
        "QUEUE",
        "AVAILABLE",
        "OLDEST",
        "EXECUTING",
        "RETRYABLE",
        "SCHEDULED",
        "COMPLETED",
        "DISCARDED",
        "CANCELLED",
        "OUT",
        "WORKERS",
        "NOTE",
    ];

    fn cells(&self, times: Times) -> Vec<Cell> {
        let count = |state| Cell::count(self.summary.of(state));
        let oldest = match times {
            Times::Relative(_) => self.oldest(),
            Times::Absolute => self.summary.oldest_ready.map(|at| at.to_string()).unwrap_or_default(),
        };
        vec![
            Cell::text(self.queue),
            count(State::Available),
            Cell::text(oldest),
            count(State::Executing),
            count(State::Retryable),
            count(State::Scheduled),
            count(State::Completed),
            count(State::Discarded),
            count(State::Cancelled),
            Cell::text(self.outgoing()),
            Cell::number(self.workers),
            Cell::text(self.note()).style(Style::new().fg(Color::Yellow)),
        ]
    }
}
