//! All queues at one moment.

mod queue_row;

use maud::{Markup, html};
use queue_core::admin::{Filter, PageRequest, QueueSummary, Sort};
use queue_core::{State, Timestamp};
use serde::Serialize;

use crate::error::BoardError;
use crate::frame::Frame;
use crate::history::{Span, TimeSeries};
use crate::job_view::JobView;
use crate::site::{Glance, Site};
use crate::text::badge::heading;
use crate::text::number::{count, of, sum};
use crate::text::time::{age, ago};

/// How many discarded jobs are shown.
const LATEST: usize = 5;

/// The states that are shown, the ones that need attention before the finished ones.
const STATES: [State; 6] = [
    State::Available,
    State::Executing,
    State::Scheduled,
    State::Retryable,
    State::Discarded,
    State::Completed,
];

/// The queues, and the jobs that were discarded last.
#[derive(Debug, Serialize)]
pub(crate) struct Overview {
    queues: Vec<QueueLoad>,
    workers: Option<u64>,
    discarded: Vec<JobView>,
}

/// A queue with the work of its workers.
#[derive(Debug, Serialize)]
struct QueueLoad {
    #[serde(flatten)]
    summary: QueueSummary,
    /// How many jobs the workers of the queue run at once at most.
    concurrency: u64,
    /// The jobs that ended in each minute of the last hour.
    hour: Option<TimeSeries>,
}

impl Overview {
    pub(crate) async fn read(site: &Site, glance: &Glance) -> Result<Self, BoardError> {
        let workers = glance.workers.as_deref().unwrap_or_default();
        let rows = site.history(Span::Hour, &Filter::all(), glance.at).await?;
        let load = |summary: &QueueSummary| {
            let serving = workers.iter().filter(|worker| worker.is_live && worker.serves(&summary.queue));
            let concurrency = serving.map(|worker| u64::from(worker.concurrency)).sum();
            let hour = rows.as_ref().map(|rows| {
                TimeSeries::of(Span::Hour, glance.at, rows.iter().filter(|row| row.queue == summary.queue))
            });
            QueueLoad { summary: summary.clone(), concurrency, hour }
        };
        let latest = PageRequest::first(LATEST).sort(Sort::Finished).newest();
        let discarded = site.queue.list(&Filter::all().state(State::Discarded), &latest).await?;
        Ok(Self {
            queues: glance.summaries.iter().map(load).collect(),
            workers: glance
                .workers
                .as_ref()
                .map(|workers| workers.iter().filter(|worker| worker.is_live).count() as u64),
            discarded: discarded.jobs.iter().map(|job| JobView::new(job, &site.privacy)).collect(),
        })
    }

    pub(crate) fn render(&self, frame: &Frame) -> Markup {
        html! {
            h1.visually-hidden { "Queues" }
            @if self.queues.is_empty() {
                (self.empty(frame))
            } @else {
                (self.tiles(frame))
                section {
                    div.scroll {
                        table.queues {
                            thead { (queue_row::columns(frame, self.has_history())) }
                            tbody #queues {
                                @for load in &self.queues { (queue_row::render(frame, load)) }
                            }
                        }
                    }
                }
                (self.latest(frame))
            }
        }
    }

    fn total(&self, state: State) -> String {
        count(sum(self.queues.iter().map(|load| load.summary.of(state))))
    }

    fn has_history(&self) -> bool {
        self.queues.iter().any(|load| load.hour.is_some())
    }

    fn oldest(&self) -> Option<Timestamp> {
        self.queues.iter().filter_map(|load| load.summary.oldest_ready).min()
    }

    fn tiles(&self, frame: &Frame) -> Markup {
        html! {
            section.tiles #tiles aria-label="All queues" {
                @for state in STATES {
                    @let total = self.total(state);
                    a class={ "tile " (state) @if total == "0" { " none" } } href=(frame.to(&format!("/jobs?state={state}"))) {
                        span.label { (heading(state)) }
                        strong { (total) }
                        @match state {
                            State::Available => span.detail {
                                @if let Some(oldest) = self.oldest() { "oldest " (age(frame, oldest)) } @else { "none waits" }
                            },
                            State::Executing => span.detail {
                                @match self.workers {
                                    Some(0) => b.bad { "no worker runs" },
                                    Some(workers) => (of(workers, "worker")),
                                    None => "",
                                }
                            },
                            _ => span.detail { "" },
                        }
                    }
                }
            }
        }
    }

    fn latest(&self, frame: &Frame) -> Markup {
        html! {
            @if !self.discarded.is_empty() {
                section #latest {
                    h2 { "Discarded last" }
                    ul.latest {
                        @for job in &self.discarded {
                            li id={ "d-" (job.id) } {
                                a.name href=(frame.job(job.id)) { (job.name) }
                                span.error { (job.errors.last().map_or("without an error", |error| error.message.as_str())) }
                                (ago(frame, job.latest().1))
                            }
                        }
                    }
                }
            }
        }
    }

    fn empty(&self, frame: &Frame) -> Markup {
        html! {
            section.empty {
                h2 { "No queue has a job yet" }
                p { "A queue appears here with its first job or its first worker. Finished jobs stay for their retention." }
                pre { "queue.enqueue(send_welcome::new(42)).await?;" }
                @match self.workers {
                    Some(0) => p { "No worker has announced itself: start a service, so that jobs run." },
                    Some(workers) => p { (of(workers, "worker")) " " @if workers == 1 { "waits" } @else { "wait" } " for jobs: " a href=(frame.to("/workers")) { "Workers" } "." },
                    None => {},
                }
                @if frame.may_act() { p { a.button.primary href=(frame.to("/enqueue")) { "Enqueue a job" } } }
            }
        }
    }
}
