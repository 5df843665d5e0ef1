//! One limit, as a row of the page.

use maud::{Markup, html};
use queue_core::admin::{LimitRecord, Usage};
use queue_core::{Limit, LimitScope, QueueName};

use crate::frame::Frame;
use crate::text::number::grouped;
use crate::text::time::ago;

/// The queue as a whole, each of its partitions, or one of them.
pub(super) struct Row<'a> {
    pub(super) queue: &'a QueueName,
    pub(super) scope: LimitScope,
    /// `None` for each partition.
    pub(super) usage: Option<&'a Usage>,
    /// The limit of the scope itself, if it has one.
    pub(super) record: Option<&'a LimitRecord>,
}

pub(super) fn columns(frame: &Frame) -> Markup {
    html! {
        tr {
            th scope="col" { "Partition" }
            th.number scope="col" { "Running" } th.number scope="col" { "Ready" }
            th scope="col" { "Limit" } th scope="col" title="When the next job may start" { "Next start" }
            @if frame.may_act() { th scope="col" { span.visually-hidden { "Actions" } } }
        }
    }
}

impl Row<'_> {
    pub(super) fn render(&self, frame: &Frame) -> Markup {
        html! {
            tr id={ "limit-" (self.queue) "-" (self.anchor()) } {
                th scope="row" { (self.name(frame)) }
                td.number data-label="Running" { @if let Some(usage) = self.usage { (running(usage)) } }
                td.number data-label="Ready" { @if let Some(usage) = self.usage { (grouped(usage.ready)) } }
                td data-label="Limit" { (self.limit()) }
                td data-label="Next start" {
                    @if let Some(usage) = self.usage {
                        @match usage.next_start { Some(at) => (ago(frame, at)), None => span.quiet { "now" } }
                    }
                }
                @if frame.may_act() { td.actions { (self.actions(frame)) } }
            }
        }
    }

    fn anchor(&self) -> String {
        match &self.scope {
            LimitScope::One(partition) => format!("of-{partition}"),
            LimitScope::Each => "each".to_owned(),
            _ => "total".to_owned(),
        }
    }

    fn name(&self, frame: &Frame) -> Markup {
        html! {
            @match &self.scope {
                LimitScope::One(partition) if !partition.is_none() => {
                    @let query = serde_urlencoded::to_string([("queue", self.queue.as_str()), ("partition", partition.as_str())]).unwrap_or_default();
                    a href=(frame.to(&format!("/jobs?{query}"))) { (partition) }
                }
                LimitScope::One(_) => span.quiet { "without a partition" },
                LimitScope::Each => span.quiet { "each" },
                _ => b { "the queue" },
            }
        }
    }

    /// Shows the limit in force, and the declared one if an operator has set another.
    fn limit(&self) -> Markup {
        let in_force = self.record.and_then(LimitRecord::in_force).or(self.usage.map(|usage| usage.limit));
        let set = self.record.and_then(|record| record.set);
        html! {
            @match in_force { Some(limit) => (limit), None => span.quiet { "–" } }
            @if set.is_some() {
                " " span.paused { "set" }
                @if let Some(declared) = self.record.and_then(|record| record.declared) { " " span.quiet { "declared: " (declared) } }
            }
        }
    }

    fn actions(&self, frame: &Frame) -> Markup {
        let (scope, partition) = match &self.scope {
            LimitScope::One(partition) => ("partition", partition.as_str()),
            LimitScope::Each => ("each", ""),
            _ => ("total", ""),
        };
        let running = self.record.and_then(LimitRecord::in_force).and_then(|limit: Limit| limit.running);
        html! {
            form.inline method="post" action=(frame.to(&format!("/queues/{}/set_limit", self.queue))) {
                input type="hidden" name="scope" value=(scope);
                input type="hidden" name="partition" value=(partition);
                input.short type="number" name="running" min="0" max="1000000" required value=[running] aria-label="Jobs that run at once";
                button.small { "Set" }
            }
            @if self.record.is_some_and(|record| record.set.is_some()) {
                (frame.button_with(&format!("/queues/{}/unset_limit", self.queue), "Take back", "small", &[("scope", scope), ("partition", partition)]))
            }
        }
    }
}

fn running(usage: &Usage) -> Markup {
    html! {
        @if let Some(most) = usage.limit.running {
            progress max=(most.max(1)) value=(usage.running.min(u64::from(most.max(1)))) title={ (usage.running) " of " (most) } {}
            " " (grouped(usage.running)) span.quiet { " of " (most) }
        } @else { (grouped(usage.running)) }
    }
}
