//! The list of jobs.

mod filter;

use maud::{Markup, html};
use queue_core::admin::{Count, Cursor, Order, Sort};
use queue_core::{JobName, QueueName, State, Timestamp};
use serde::Serialize;

use crate::chart::histogram;
use crate::error::BoardError;
use crate::frame::Frame;
use crate::history::{Span, TimeSeries};
use crate::job_view::JobView;
use crate::query::JobsQuery;
use crate::site::{Glance, Site};
use crate::text::badge::badge;
use crate::text::number::{of, sum};
use crate::text::time::{age, ago};

/// The jobs of one page, and what the filter offers.
#[derive(Debug, Serialize)]
pub(crate) struct JobList {
    jobs: Vec<JobView>,
    next: Option<Cursor>,
    /// How far the search came, if it has ended before the end of the list; it goes on at `next`.
    searched_until: Option<Timestamp>,
    /// The number of jobs by state, in the queue of the filter or in all queues.
    counts: Vec<StateCount>,
    /// The jobs that ended in each half hour of the last day, of the queue and the name of the filter.
    day: Option<TimeSeries>,
    #[serde(skip)]
    query: JobsQuery,
    #[serde(skip)]
    queues: Vec<QueueName>,
    #[serde(skip)]
    names: Vec<JobName>,
}

/// The number of jobs in a state.
#[derive(Debug, Serialize)]
struct StateCount {
    state: State,
    #[serde(flatten)]
    count: Count,
}

impl JobList {
    pub(crate) async fn read(site: &Site, glance: &Glance, query: &JobsQuery) -> Result<Self, BoardError> {
        let page = site.queue.list(query.filter(), &query.request()).await?;
        let mut jobs: Vec<_> = page.jobs.iter().map(|job| JobView::new(job, &site.privacy)).collect();
        let error = query.get("error");
        if !error.is_empty() {
            jobs.retain(|job| job.errors.iter().any(|failed| failed.message.contains(error)));
        }
        let queue = query.filter().queue.as_ref();
        let summaries =
            || glance.summaries.iter().filter(|summary| queue.is_none_or(|queue| summary.queue == *queue));
        let counts = State::ALL
            .into_iter()
            .map(|state| StateCount { state, count: sum(summaries().map(|summary| summary.of(state))) });
        let workers = glance.workers.iter().flatten().flat_map(|worker| worker.jobs.iter().cloned());
        let mut names: Vec<_> = workers.chain(site.jobs.kinds().into_iter().map(|kind| kind.name)).collect();
        names.sort();
        names.dedup();
        let rows = site.history(Span::Day, query.filter(), glance.at).await?;
        Ok(Self {
            jobs,
            next: page.next,
            searched_until: page.searched_until,
            counts: counts.collect(),
            day: rows.map(|rows| TimeSeries::of(Span::Day, glance.at, rows.iter())),
            query: query.clone(),
            queues: glance.summaries.iter().map(|summary| summary.queue.clone()).collect(),
            names,
        })
    }

    fn counts(&self) -> &[StateCount] {
        &self.counts
    }

    pub(crate) fn render(&self, frame: &Frame) -> Markup {
        html! {
            h1.visually-hidden { "Jobs" }
            (filter::states(frame, self))
            (filter::form(frame, self))
            (self.histogram(frame))
            @if self.jobs.is_empty() {
                p.empty #none {
                    @if self.searched_until.is_some() { "No job matches among those that were searched." }
                    @else if self.query.pairs().is_empty() { "There is no job." }
                    @else if !self.query.get("error").is_empty() { "No job of this page has such an error." }
                    @else { "No job matches. " a href=(frame.to("/jobs")) { "Show all jobs" } }
                }
            } @else {
                (self.bulk(frame))
                table.jobs {
                    thead { (self.heading(frame)) }
                    tbody #jobs { @for job in &self.jobs { (self.row(frame, job)) } }
                }
            }
            (self.pager(frame))
        }
    }

    /// Renders the last day of the queue and the name of the filter. A step is a link to the jobs that finished in it.
    fn histogram(&self, frame: &Frame) -> Markup {
        let link = |from, until| frame.to(&self.query.path_finished(from, until));
        html! {
            @if let Some(day) = self.day.as_ref().filter(|day| day.total().ended() > 0) {
                figure #day {
                    figcaption { "Ended in the last 24 hours" }
                    (histogram(day, link))
                }
            }
        }
    }

    fn heading(&self, frame: &Frame) -> Markup {
        let time = match self.query.sort() {
            Sort::Finished => "Finished",
            Sort::RunAt => "Runs",
            _ => "When",
        };
        html! {
            tr {
                @if frame.may_act() { th.tick scope="col" { input #all type="checkbox" aria-label="Select all jobs of this page" hidden; } }
                th scope="col" { "Job" }
                th scope="col" { "State" }
                th scope="col" { "Queue" }
                th.number scope="col" { "Attempt" }
                th.when scope="col" { (time) }
            }
        }
    }

    fn row(&self, frame: &Frame, job: &JobView) -> Markup {
        let path = frame.job(job.id);
        let (label, at) = job.latest();
        html! {
            tr id={ "job-" (job.id) } data-row=(path) {
                @if frame.may_act() {
                    td.tick { input type="checkbox" name="id" value=(job.id) form="selection" aria-label={ "Select job " (job.id) }; }
                }
                th scope="row" {
                    a.name href=(path) { (job.name) } " " span.id { (job.id) }
                    @if let Some(error) = job.errors.last().filter(|_| matches!(job.state, State::Discarded | State::Retryable)) {
                        div.excerpt.error { (excerpt(&error.message)) }
                    } @else if let Some(progress) = &job.progress {
                        div.excerpt { progress max="100" value=(progress.percent()) {} " " (progress.note()) }
                    } @else if let Some(payload) = &job.payload.text {
                        div.excerpt { code { (excerpt(payload)) } }
                    }
                }
                td data-label="State" { (badge(job.state)) }
                td data-label="Queue" { a.plain href=(frame.to(&self.query.path_with("queue", Some(job.queue.as_str())))) { (job.queue) } }
                td.number data-label="Attempt" { (job.attempt) span.quiet { " of " (job.max_attempts) } }
                td.when data-label=(label) {
                    @if job.state == State::Executing { "for " (age(frame, at)) } @else { (ago(frame, at)) }
                }
            }
        }
    }

    /// Renders the buttons for the selected jobs and for all jobs that match. They are outside of the table, so the boxes name the form.
    fn bulk(&self, frame: &Frame) -> Markup {
        let query = self.query.path();
        let list = query.split_once('?').map_or("", |(_, list)| list);
        let filters: Vec<_> = self.query.filters().collect();
        html! {
            @if frame.may_act() {
                div.bulk {
                    form #selection .inline method="post" action=(frame.to("/selection/retry")) {
                        input type="hidden" name="list" value=(list);
                        span.label #selected { "Selected" }
                        @for (action, label) in ACTIONS {
                            button.small formaction=(frame.to(&format!("/selection/{action}"))) { (label) }
                        }
                    }
                    @if self.query.get("error").is_empty() {
                        form #matching .inline method="post" action=(frame.to("/changes")) {
                            @for (key, value) in &filters { input type="hidden" name=(key) value=(value); }
                            span.label { "All that match" }
                            @for (action, label) in ACTIONS {
                                button.small name="action" value=(action) { (label) "…" }
                            }
                        }
                    }
                }
            }
        }
    }

    fn pager(&self, frame: &Frame) -> Markup {
        html! {
            nav.pager aria-label="Pages of the list" {
                @if !self.query.is_first() { a.button href=(frame.to(&self.query.path_with("after", None))) { "First page" } }
                span.quiet {
                    (of(self.jobs.len() as u64, "job")) " on this page"
                    @if let Some(at) = self.searched_until {
                        ", searched " @if self.query.order() == Order::Newest { "back to " } @else { "up to " } (ago(frame, at))
                    }
                }
                @if let Some(next) = &self.next {
                    a.button #next rel="next" href=(frame.to(&self.query.path_after(next))) {
                        @if self.searched_until.is_some() { "Search further" } @else { "Next page" }
                    }
                }
            }
        }
    }
}

const ACTIONS: [(&str, &str); 3] = [("retry", "Retry"), ("cancel", "Cancel"), ("delete", "Delete")];

/// Returns the first line of a text, cut at 160 characters.
fn excerpt(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}
