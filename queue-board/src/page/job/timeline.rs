//! The life of one job, as steps in the order of time.

use maud::{Markup, html};
use queue_core::{State, Timestamp};

use crate::frame::Frame;
use crate::job_view::JobView;
use crate::text::time::{ago, measured};

/// A step of a job's life.
struct LifeStep {
    label: &'static str,
    class: &'static str,
    at: Option<Timestamp>,
    /// A detail below the time.
    note: String,
}

pub(super) fn render(frame: &Frame, job: &JobView) -> Markup {
    html! {
        section #timeline aria-label="Timeline" {
            ol.timeline {
                @for step in steps(job) {
                    li class={ (step.class) @if step.at.is_none() { " ahead" } } {
                        strong { (step.label) }
                        @if let Some(at) = step.at { (ago(frame, at)) } @else { span.quiet { "–" } }
                        span.note { (step.note) }
                    }
                }
            }
        }
    }
}

fn steps(job: &JobView) -> Vec<LifeStep> {
    let step = |label, class, at, note| LifeStep { label, class, at, note };
    let mut steps = vec![step("Pushed", "", Some(job.pushed_at), String::new())];
    match job.state {
        State::Scheduled => steps.push(step("Due", "scheduled", Some(job.run_at), String::new())),
        State::Retryable => {}
        _ => steps.push(step("Ready", "available", Some(job.run_at), String::new())),
    }
    let waited =
        job.claimed_at.filter(|claimed| *claimed >= job.run_at).map(|claimed| claimed.since(job.run_at));
    let waited = waited.filter(|_| job.state != State::Retryable);
    let note = waited.map_or_else(String::new, |waited| format!("after {}", measured(waited)));
    let note = if job.attempt > 1 { format!("attempt {}", job.attempt) } else { note };
    steps.push(step("Started", "executing", job.claimed_at, note));
    if job.state == State::Retryable {
        let failed = job.errors.last();
        steps.push(step("Failed", "discarded", failed.map(|error| error.at), String::new()));
        steps.push(step("Retries", "retryable", Some(job.run_at), format!("attempt {}", job.attempt + 1)));
    }
    let ran = job
        .claimed_at
        .zip(job.finished_at)
        .map(|(start, end)| format!("took {}", measured(end.since(start))));
    let (label, class) = match job.state {
        State::Completed => ("Completed", "completed"),
        State::Discarded => ("Discarded", "discarded"),
        State::Cancelled => ("Cancelled", "cancelled"),
        _ => ("Finished", ""),
    };
    steps.push(step(label, class, job.finished_at, ran.unwrap_or_default()));
    steps
}
