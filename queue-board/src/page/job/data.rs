//! The data of one job: its errors, its settings, its payload, result and meta.

use maud::{Markup, html};

use crate::frame::Frame;
use crate::job_view::JobView;
use crate::json_text::indent;
use crate::privacy::Shown;
use crate::text::number::grouped;
use crate::text::time::ago;

/// Renders the errors, the last attempt first.
pub(super) fn errors(frame: &Frame, job: &JobView) -> Markup {
    html! {
        @if !job.errors.is_empty() {
            section #errors {
                h2 { "Errors" }
                ol.errors {
                    @for error in job.errors.iter().rev() {
                        li {
                            div.quiet { "Attempt " (error.attempt) ", " (ago(frame, error.at)) }
                            pre.error { (error.message) }
                        }
                    }
                }
            }
        }
    }
}

/// Renders the settings and the holder.
pub(super) fn facts(job: &JobView) -> Markup {
    html! {
        section #facts {
            h2 { "Details" }
            dl.pairs {
                dt { "Attempts" } dd { (job.attempt) " of " (job.max_attempts) }
                @if !job.partition.is_none() { dt { "Partition" } dd { (job.partition) } }
                dt { "Priority" } dd { (job.priority) }
                @if let Some(worker) = &job.claimed_by { dt { "Worker" } dd { code { (worker) } } }
                @if let Some(unique) = &job.unique { dt { "Unique key" } dd { (short(unique)) } }
                @if let Some(reason) = &job.cancel_reason { dt { "Reason" } dd { (reason) } }
                @for (key, value) in &job.meta { dt { "meta " code { (key) } } dd { (short(value)) } }
            }
        }
    }
}

/// Renders the payload and the result.
pub(super) fn texts(job: &JobView) -> Markup {
    html! {
        section #payload {
            h2 { "Payload" @if let Some(bytes) = job.payload.bytes { " " span.quiet { (grouped(bytes as u64)) " bytes" } } }
            @if job.is_closure { p.quiet { "A closure: it has no payload, and is lost when its process ends." } }
            @else { (long(&job.payload)) }
        }
        @if let Some(result) = &job.result {
            section #result { h2 { "Result" } (long(result)) }
        }
    }
}

fn long(shown: &Shown) -> Markup {
    html! {
        @if let Some(text) = &shown.text { pre.json { (if shown.is_cut { text.clone() } else { indent(text) }) } }
        @if let Some(note) = shown.note() { p.quiet { (note) } }
    }
}

fn short(shown: &Shown) -> Markup {
    html! {
        @if let Some(text) = &shown.text { code { (text) } }
        @if let Some(note) = shown.note() { span.quiet { (note) } }
    }
}
