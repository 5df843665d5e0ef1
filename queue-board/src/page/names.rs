//! The kinds of jobs: how long they take, how often they fail, and with which errors.

use std::collections::BTreeMap;
use std::time::Duration;

use maud::{Markup, html};
use queue_core::admin::{Filter, Order, PageRequest, Sort};
use queue_core::{JobName, JobRecord, State, Timestamp};
use serde::Serialize;

use crate::chart::spark;
use crate::error::BoardError;
use crate::frame::Frame;
use crate::history::{Span, TimeSeries};
use crate::site::{Glance, Site};
use crate::text::number::{grouped, of};
use crate::text::time::{age, ago, measured};

/// How many of the jobs that finished last are read, and how many that wait for a retry.
const SAMPLE: usize = 500;

/// How many errors of a name are shown.
const ERRORS: usize = 3;

/// The kinds of jobs, by the jobs that finished last.
#[derive(Debug, Serialize)]
pub(crate) struct NameList {
    names: Vec<NameStatistics>,
    /// The number of finished jobs that were read.
    sample: u64,
    /// When the first of them finished.
    since: Option<Timestamp>,
}

/// Numbers of the jobs of a name that finished last.
#[derive(Debug, Serialize)]
struct NameStatistics {
    name: JobName,
    finished: u64,
    discarded: u64,
    retrying: u64,
    p50: Option<Duration>,
    p95: Option<Duration>,
    last: Option<Timestamp>,
    /// The jobs that ended in each half hour of the last day.
    day: Option<TimeSeries>,
    errors: Vec<ErrorGroup>,
}

/// Errors that differ in numbers only.
#[derive(Debug, Serialize)]
struct ErrorGroup {
    text: String,
    jobs: u64,
}

impl NameList {
    pub(crate) async fn read(site: &Site, glance: &Glance) -> Result<Self, BoardError> {
        let finished = State::ALL.into_iter().filter(|state| state.is_finished());
        let finished = finished.fold(Filter::all(), Filter::state);
        let newest = PageRequest::first(SAMPLE).sort(Sort::Finished).newest();
        let finished = site.queue.list(&finished, &newest).await?.jobs;
        let soonest = PageRequest::first(SAMPLE).sort(Sort::RunAt).order(Order::Oldest);
        let retrying = site.queue.list(&Filter::all().state(State::Retryable), &soonest).await?.jobs;
        let (sample, since) = (finished.len() as u64, finished.last().and_then(|job| job.finished_at));
        let mut jobs: BTreeMap<JobName, Vec<JobRecord>> = BTreeMap::new();
        let announced = glance.workers.iter().flatten().flat_map(|worker| worker.jobs.iter().cloned());
        for name in announced.chain(site.jobs.kinds().into_iter().map(|kind| kind.name)) {
            jobs.entry(name).or_default();
        }
        for job in finished.into_iter().chain(retrying) {
            jobs.entry(job.name.clone()).or_default().push(job);
        }
        let rows = site.history(Span::Day, &Filter::all(), glance.at).await?;
        for row in rows.iter().flat_map(|rows| rows.iter()) {
            jobs.entry(row.name.clone()).or_default();
        }
        let day = |name: &JobName| {
            let rows = rows.as_ref()?.iter().filter(|row| row.name == *name);
            Some(TimeSeries::of(Span::Day, glance.at, rows))
        };
        let names = jobs.into_iter().map(|(name, jobs)| {
            let day = day(&name);
            NameStatistics { day, ..NameStatistics::of(site, name, &jobs) }
        });
        Ok(Self { names: names.collect(), sample, since })
    }

    fn has_history(&self) -> bool {
        self.names.iter().any(|name| name.day.is_some())
    }

    pub(crate) fn render(&self, frame: &Frame) -> Markup {
        html! {
            h1.visually-hidden { "Names" }
            @if self.names.is_empty() {
                section.empty { h2 { "No kind of job is known yet" } p { "Names appear with the first worker that announces its jobs, and with finished jobs." } }
            } @else {
                p.lead {
                    "Durations, discards and errors are those of the last " (of(self.sample, "job")) " that finished"
                    @if let Some(since) = self.since { ", within " (age(frame, since)) }
                    "."
                }
                table.names {
                    thead { tr {
                        th scope="col" { "Name" }
                        @if self.has_history() { th scope="col" { "Last 24 hours" } th.number scope="col" title="Failed attempts of all that ended" { "Failed" } } th.number scope="col" { "Median" } th.number scope="col" { "95th percentile" }
                        th.number scope="col" { "Discarded" } th.number scope="col" { "Retryable" } th.when scope="col" { "Last" } th scope="col" { "Errors" }
                    } }
                    tbody #names-table { @for name in &self.names { (name.row(frame)) } }
                }
            }
        }
    }
}

/// Returns a share in percent. One that is not zero is shown as such.
fn share(part: u64, all: u64) -> String {
    match part.saturating_mul(100).checked_div(all) {
        None => "–".to_owned(),
        Some(0) if part > 0 => "< 1 %".to_owned(),
        Some(percent) => format!("{percent} %"),
    }
}

impl NameStatistics {
    fn of(site: &Site, name: JobName, jobs: &[JobRecord]) -> Self {
        let finished: Vec<_> = jobs.iter().filter(|job| job.state.is_finished()).collect();
        let number = |state| jobs.iter().filter(|job| job.state == state).count() as u64;
        // A cancelled job may not have run.
        let ran = finished.iter().filter(|job| job.state != State::Cancelled);
        let mut durations: Vec<_> =
            ran.filter_map(|job| Some(job.finished_at?.since(job.claimed_at?))).collect();
        durations.sort_unstable();
        let at = |percent: usize| {
            durations.get((durations.len() * percent).div_ceil(100).saturating_sub(1)).copied()
        };
        Self {
            name,
            finished: finished.len() as u64,
            discarded: number(State::Discarded),
            retrying: number(State::Retryable),
            p50: at(50),
            p95: at(95),
            last: finished.iter().filter_map(|job| job.finished_at).max(),
            day: None,
            errors: ErrorGroup::largest(site, jobs),
        }
    }

    fn row(&self, frame: &Frame) -> Markup {
        let list = |state: State| frame.to(&format!("/jobs?state={state}&name={}", self.name));
        let time = |time: Option<Duration>| time.map_or_else(|| "–".to_owned(), measured);
        html! {
            tr id={ "name-" (self.name) } data-row=(frame.to(&format!("/jobs?name={}", self.name))) {
                th scope="row" { a href=(frame.to(&format!("/jobs?name={}", self.name))) { (self.name) } }
                @if let Some(day) = &self.day {
                    td.chart data-label="Last 24 hours" { (spark(day, "Last 24 hours")) " " span.quiet { (grouped(day.total().completed)) } }
                    td.number data-label="Failed" { (share(day.total().failed, day.total().ended())) }
                }
                td.number data-label="Median" { (time(self.p50)) }
                td.number data-label="95th percentile" { (time(self.p95)) }
                td.number data-label="Discarded" { a class={ "count discarded" @if self.discarded == 0 { " none" } } href=(list(State::Discarded)) { (grouped(self.discarded)) @if self.discarded > 0 { span.quiet { " " (share(self.discarded, self.finished)) } } } }
                td.number data-label="Retryable" { a class={ "count retryable" @if self.retrying == 0 { " none" } } href=(list(State::Retryable)) { (grouped(self.retrying)) } }
                td.when data-label="Last" { @if let Some(last) = self.last { (ago(frame, last)) } @else { span.quiet { "–" } } }
                td.groups data-label="Errors" { @for error in &self.errors { div.excerpt.error { b { (grouped(error.jobs)) " × " } (error.text) } } }
            }
        }
    }
}

impl ErrorGroup {
    /// Returns the most frequent last errors of discarded and retrying jobs.
    fn largest(site: &Site, jobs: &[JobRecord]) -> Vec<Self> {
        let mut groups: BTreeMap<String, u64> = BTreeMap::new();
        let failed = jobs.iter().filter(|job| matches!(job.state, State::Discarded | State::Retryable));
        for job in failed {
            let Some(error) = job.errors.last() else { continue };
            let text = site.privacy.message(job, &error.message);
            *groups.entry(without_numbers(text.lines().next().unwrap_or_default())).or_default() += 1;
        }
        let mut groups: Vec<_> = groups.into_iter().map(|(text, jobs)| Self { text, jobs }).collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.jobs));
        groups.truncate(ERRORS);
        groups
    }
}

/// Returns a text of at most 120 characters with `…` for each number, so that texts which differ in numbers only are one group.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    for char in text.chars().take(120) {
        match char {
            '0'..='9' if out.ends_with('…') => {}
            '0'..='9' => out.push('…'),
            other => out.push(other),
        }
    }
    out
}
