//! The jobs with their states, times and buttons.

use maud::{Markup, html};
use queue_core::State;

use super::when;
use crate::web::snapshot::{JobView, Snapshot};

/// Renders the counts and the table of jobs.
pub(super) fn section(snapshot: &Snapshot) -> Markup {
    html! {
        section {
            h2 { "Jobs" }
            p { @for (state, count) in &snapshot.counts { (pill(*state, &format!("{count} {state}"))) " " } }
            table {
                tr {
                    th { "Job" } th { "Product" } th { "State" } th { "When" } th.number { "Attempt" }
                    th { "Progress, result or error" } th {}
                }
                @for job in &snapshot.jobs { (row(snapshot, job)) }
            }
        }
    }
}

fn row(snapshot: &Snapshot, job: &JobView) -> Markup {
    html! {
        tr {
            td { (job.name) }
            td { @if let Some(sku) = &job.sku { code { (sku) } } }
            td { (pill(job.state, job.state.as_str())) }
            td { span.when title=(job.at) { (when::relative(snapshot.now, job.at)) } }
            td.number { (job.attempt) " of " (job.max_attempts) }
            td { (outcome(job)) }
            td {
                @if job.can_be_retried() { (button(job, "retry", "Retry")) }
                @if job.can_be_cancelled() { (button(job, "cancel", "Cancel")) }
            }
        }
    }
}

/// Renders how far a running job is, what a completed one has returned, and otherwise the last error.
fn outcome(job: &JobView) -> Markup {
    html! {
        @if let Some(progress) = &job.progress {
            progress max="100" value=(progress.percent()) {} " " (progress.note())
        } @else if let Some(result) = &job.result {
            (result)
        } @else if let Some(error) = &job.error {
            (error)
        }
    }
}

fn pill(state: State, text: &str) -> Markup {
    html! { span class={ "state " (state.as_str()) } { (text) } }
}

fn button(job: &JobView, action: &str, label: &str) -> Markup {
    html! {
        form method="post" action=(format!("/jobs/{}/{action}", job.id)) { button { (label) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_colour() {
        let style = include_str!("../page.css");
        for state in State::ALL {
            assert!(style.contains(&format!(".{state} {{ background: #")), "{state}: {style}");
        }
    }
}
