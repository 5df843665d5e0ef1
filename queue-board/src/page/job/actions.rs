//! The buttons of one job. Which there are depends on its state.

use maud::{Markup, html};
use queue_core::State;

use super::JobDetail;
use crate::frame::Frame;

pub(super) fn render(frame: &Frame, page: &JobDetail) -> Markup {
    let job = &page.job;
    let path = |action: &str| format!("/jobs/{}/{action}", job.id);
    html! {
        div.actions {
            @match job.state {
                State::Discarded | State::Cancelled => (frame.button(&path("retry"), "Retry", "primary")),
                State::Completed => (frame.button(&path("retry"), "Run again", "")),
                State::Scheduled | State::Retryable => (frame.button(&path("retry"), "Run now", "primary")),
                _ => {},
            }
            @if !job.state.is_finished() {
                @let asked = job.state == State::Executing && job.cancel_reason.is_some();
                @if asked { button disabled { "Cancellation requested" } }
                @else { (frame.button(&path("cancel"), "Cancel", "danger")) }
            }
            @if page.is_exported { a.button href=(frame.to(&path("test"))) { "Export as a test" } }
            // A deletion takes two clicks, also without a script.
            @if frame.may_act() && job.state != State::Executing {
                details.menu #delete { summary.button { "Delete" } (frame.button(&path("delete"), "Delete this job for good", "danger")) }
            }
        }
    }
}
