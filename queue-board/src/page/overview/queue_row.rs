//! One queue, as a row of the overview.

use maud::{Markup, html};
use queue_core::State;

use super::{QueueLoad, STATES};
use crate::chart::spark;
use crate::frame::Frame;
use crate::text::badge::heading;
use crate::text::number::count;
use crate::text::time::{age, ago};

pub(super) fn columns(frame: &Frame, has_history: bool) -> Markup {
    html! {
        tr {
            th scope="col" { "Queue" }
            th.number scope="col" title="How long the oldest ready job has waited" { "Oldest waits" }
            @for state in STATES { th.number scope="col" { (heading(state)) } }
            @if has_history { th scope="col" { "Last hour" } }
            th scope="col" title="Workers that run and claim from the queue" { "Workers" }
            @if frame.may_act() { th scope="col" { span.visually-hidden { "Actions" } } }
        }
    }
}

pub(super) fn render(frame: &Frame, load: &QueueLoad) -> Markup {
    let summary = &load.summary;
    let queue = summary.queue.as_str();
    html! {
        tr id={ "queue-" (queue) } data-row=(frame.to(&list(queue, None))) {
            th scope="row" {
                a href=(frame.to(&list(queue, None))) { (queue) }
                @if summary.paused { " " span.paused { "paused" } }
            }
            td.number data-label="Oldest waits" {
                @match (summary.oldest_ready, summary.next_due) {
                    (Some(oldest), _) => span class=(urgency(load)) { (age(frame, oldest)) },
                    (None, Some(next)) => span.quiet { "next " (ago(frame, next)) },
                    (None, None) => span.quiet { "–" },
                }
            }
            @for state in STATES {
                @let jobs = summary.of(state);
                td.number data-label=(heading(state)) {
                    a class={ "count " (state) @if jobs.jobs == 0 { " none" } } href=(frame.to(&list(queue, Some(state)))) {
                        (count(jobs))
                    }
                    @if state == State::Executing && load.concurrency > 0 {
                        progress max=(load.concurrency) value=(jobs.jobs.min(load.concurrency)) title={ (jobs.jobs) " of " (load.concurrency) " at once" } {}
                    }
                }
            }
            @if let Some(hour) = &load.hour { td.chart data-label="Last hour" { (spark(hour, "Last hour")) } }
            td data-label="Workers" { (workers(frame, load)) }
            @if frame.may_act() { td.actions { (actions(frame, load)) } }
        }
    }
}

fn workers(frame: &Frame, load: &QueueLoad) -> Markup {
    let summary = &load.summary;
    html! {
        @match (summary.workers, summary.worker_seen_at) {
            (0, Some(seen_at)) => span.bad title="The last worker of the queue has vanished" { "vanished " (ago(frame, seen_at)) },
            (0, None) => span.quiet { "none" },
            (workers, _) => a href=(frame.to("/workers")) { (workers) },
        }
    }
}

fn actions(frame: &Frame, load: &QueueLoad) -> Markup {
    let summary = &load.summary;
    let queue = summary.queue.as_str();
    let discarded = summary.of(State::Discarded);
    html! {
        // It does not retry at once: the next page shows the number of jobs.
        @if discarded.jobs > 0 {
            (frame.button_with("/changes", &format!("Retry {}", count(discarded)), "small", &[("action", "retry"), ("state", "discarded"), ("queue", queue)]))
        }
        @if summary.paused {
            (frame.button(&format!("/queues/{queue}/resume"), "Resume", "small primary"))
        } @else {
            (frame.button(&format!("/queues/{queue}/pause"), "Pause", "small"))
        }
    }
}

/// Jobs that wait although no worker runs, or for more than a minute, need attention.
fn urgency(load: &QueueLoad) -> &'static str {
    let summary = &load.summary;
    let has_no_worker = summary.workers == 0 && summary.worker_seen_at.is_some();
    let waits = summary.waits_for().unwrap_or_default().as_secs();
    if has_no_worker || summary.paused || waits >= 60 { "bad" } else { "" }
}

fn list(queue: &str, state: Option<State>) -> String {
    state.map_or_else(|| format!("/jobs?queue={queue}"), |state| format!("/jobs?state={state}&queue={queue}"))
}
