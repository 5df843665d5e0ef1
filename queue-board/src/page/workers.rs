//! The workers, and the jobs that each runs.

use maud::{Markup, html};
use queue_core::State;
use queue_core::admin::{Filter, PageRequest, Sort, WorkerRecord};
use serde::Serialize;

use crate::error::BoardError;
use crate::frame::Frame;
use crate::job_view::JobView;
use crate::site::{Glance, Site};
use crate::text::number::of;
use crate::text::time::{age, ago, left};

/// How many running jobs are shown.
const SHOWN: usize = 200;

/// The workers that run or vanished within the hour, with the jobs that they hold.
#[derive(Debug, Serialize)]
pub(crate) struct WorkerList {
    /// `None` if the queue does not store which workers run.
    workers: Option<Vec<WorkerRecord>>,
    /// The executing jobs, including those without a worker's name. The first 200 are shown.
    executing: Vec<JobView>,
    has_more: bool,
}

impl WorkerList {
    pub(crate) async fn read(site: &Site, glance: &Glance) -> Result<Self, BoardError> {
        let request = PageRequest::first(SHOWN).sort(Sort::RunAt);
        let page = site.queue.list(&Filter::all().state(State::Executing), &request).await?;
        Ok(Self {
            workers: glance.workers.clone(),
            executing: page.jobs.iter().map(|job| JobView::new(job, &site.privacy)).collect(),
            has_more: page.next.is_some(),
        })
    }

    pub(crate) fn render(&self, frame: &Frame) -> Markup {
        let workers = self.workers.as_deref().unwrap_or_default();
        let known =
            |job: &&JobView| workers.iter().any(|worker| Some(&worker.worker) == job.claimed_by.as_ref());
        let (held, other): (Vec<_>, Vec<_>) = self.executing.iter().partition(known);
        html! {
            h1.visually-hidden { "Workers" }
            @if self.workers.is_none() { p.note { "This queue does not store which workers run." } }
            @else if workers.is_empty() {
                section.empty { h2 { "No worker runs" } p { "A service announces itself when it starts, and is listed for an hour after it vanished." } }
            }
            @for worker in workers { (card(frame, worker, &held)) }
            @if !other.is_empty() {
                section.card #unnamed {
                    div.head { h2 { "Other claimers" } span.quiet { "without a name or an announcement" } }
                    (running(frame, other.iter().copied()))
                }
            }
            @if self.has_more { p.note { "Only " (SHOWN) " executing jobs are shown: " a href=(frame.to("/jobs?state=executing")) { "all of them" } "." } }
        }
    }
}

fn card(frame: &Frame, worker: &WorkerRecord, held: &[&JobView]) -> Markup {
    let own = held.iter().copied().filter(|job| job.claimed_by.as_ref() == Some(&worker.worker));
    html! {
        section id={ "worker-" (worker.worker) } class={ "card" @if !worker.is_live { " gone" } } {
            div.head {
                h2 { (worker.service) @if !worker.is_live { " " span.state.discarded { "vanished" } } }
                span.quiet { code { (worker.worker) } " · " (worker.program) }
            }
            dl.pairs.wide {
                dt { "Runs" } dd {
                    progress max=(worker.concurrency.max(1)) value=(worker.running.min(worker.concurrency)) {}
                    " " (worker.running) span.quiet { " of " (worker.concurrency) }
                }
                dt { "Up for" } dd { (age(frame, worker.since)) }
                dt { "Last seen" } dd class=(if worker.is_live { "" } else { "bad" }) { (ago(frame, worker.seen_at)) }
                dt { "Queues" } dd { @for queue in &worker.queues { a.plain href=(frame.to(&format!("/jobs?queue={queue}"))) { (queue) } " " } }
                @if !worker.jobs.is_empty() { dt { "Knows" } dd { details.list { summary { (of(worker.jobs.len() as u64, "kind")) } @for name in &worker.jobs { code { (name) } " " } } } }
            }
            (running(frame, own))
        }
    }
}

fn running<'a>(frame: &Frame, jobs: impl Iterator<Item = &'a JobView>) -> Markup {
    let jobs: Vec<_> = jobs.collect();
    html! {
        @if !jobs.is_empty() {
            table.running {
                thead { tr { th scope="col" { "Job" } th scope="col" { "Queue" } th.number scope="col" { "For" } th.number scope="col" { "Lease left" } th scope="col" { "Progress" } } }
                tbody {
                    @for job in jobs {
                        tr id={ "run-" (job.id) } data-row=(frame.job(job.id)) {
                            th scope="row" { a.name href=(frame.job(job.id)) { (job.name) } " " span.id { (job.id) } }
                            td data-label="Queue" { (job.queue) }
                            td.number data-label="For" { @if let Some(since) = job.claimed_at { (age(frame, since)) } }
                            td.number data-label="Lease left" { @if let Some(end) = job.lease_expires_at { (left(frame, end)) } }
                            td data-label="Progress" { @if let Some(progress) = &job.progress { progress max="100" value=(progress.percent()) {} " " span.quiet { (progress.note()) } } @else { span.quiet { "–" } } }
                        }
                    }
                }
            }
        }
    }
}
