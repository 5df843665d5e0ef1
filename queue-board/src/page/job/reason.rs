//! Why a job is not running, in sentences with relative times. The buttons beside them are the cures.

use maud::{Markup, html};
use queue_core::admin::Reason;
use queue_core::{LimitScope, State};

use crate::frame::Frame;
use crate::text::number::count;
use crate::text::time::{age, ago, left};

/// Renders a reason.
pub(super) fn sentence(frame: &Frame, reason: &Reason) -> Markup {
    html! {
        @match reason {
            Reason::Finished { state, at, .. } => {
                "It " (ended(*state)) @if let Some(at) = at { " " (ago(frame, *at)) } "."
            }
            Reason::Executing { worker, since, until, .. } => {
                "Worker "
                @if let Some(worker) = worker { code { (worker) } } @else { "without a name" }
                " runs it" @if let Some(since) = since { ", for " (age(frame, *since)) }
                @if let Some(until) = until { ". Its lease ends in " (left(frame, *until)) " unless it is renewed" } "."
            }
            Reason::WorkerVanished { worker, seen_at, until, .. } => {
                "The worker " code { (worker) } " has vanished: it announced itself last " (ago(frame, *seen_at)) "."
                @if let Some(until) = until { " The job is available again when its lease ends, in " (left(frame, *until)) "." }
            }
            Reason::CancelRequested { detail, .. } => { "Its cancellation was requested: " (detail) "." }
            Reason::Scheduled { until, .. } => { "It is scheduled, and due " (ago(frame, *until)) "." }
            Reason::Retrying { attempt, max_attempts, until, .. } => {
                "Attempt " (attempt) " of " (max_attempts) " failed. The next one is due " (ago(frame, *until)) "."
            }
            Reason::Paused { queue } => { "The queue " b { (queue) } " is paused." }
            Reason::Unserved { queue, seen_at, served, .. } => {
                "No running worker serves the queue " b { (queue) }
                @if let Some(at) = seen_at { ". The last one was seen " (ago(frame, *at)) }
                @if served.is_empty() { ". No worker runs at all." }
                @else { ". Running workers serve: " @for (index, queue) in served.iter().enumerate() { @if index > 0 { ", " } b { (queue) } } "." }
            }
            Reason::UnknownName { name, queue, workers, .. } => {
                "No worker of the queue " b { (queue) } " knows jobs named " b { (name) } ": deploy a program whose " code { "jobs![…]" } " lists it. Running: "
                @for (index, worker) in workers.iter().enumerate() { @if index > 0 { ", " } code { (worker) } } "."
            }
            Reason::Waiting { queue, since, ready, .. } => {
                "It has been ready for " (age(frame, *since)) ", one of " (count(*ready)) " in the queue " b { (queue) } ", and waits for a free worker."
            }
            Reason::AtLimit { queue, scope, running, allowed, workers, .. } => {
                (place(scope)) " of the queue " b { (queue) } " is at its limit: " (running) " of " (allowed) " running"
                @for (index, worker) in workers.iter().enumerate() { @if index > 0 { ", " } @else { ", held by " } code { (worker) } }
                ". " a href=(frame.to("/limits")) { "Limits" }
            }
            Reason::RateLimited { queue, scope, until, .. } => {
                "The rate of " (place(scope)) " of the queue " b { (queue) } " allows the next start " (ago(frame, *until)) ". "
                a href=(frame.to("/limits")) { "Limits" }
            }
            other => (other),
        }
    }
}

/// Returns the words for a part of a queue.
fn place(scope: &LimitScope) -> Markup {
    html! {
        @match scope {
            LimitScope::One(partition) if !partition.is_none() => { "partition " b { (partition) } }
            LimitScope::One(_) => { "the jobs without a partition" }
            _ => { "all jobs" }
        }
    }
}

/// Returns whether a reason needs the attention of an operator.
pub(super) const fn is_trouble(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::WorkerVanished { .. }
            | Reason::Paused { .. }
            | Reason::Unserved { .. }
            | Reason::UnknownName { .. }
    ) || matches!(reason, Reason::Finished { state: State::Discarded, .. })
}

const fn ended(state: State) -> &'static str {
    match state {
        State::Completed => "completed",
        State::Cancelled => "was cancelled",
        _ => "was discarded",
    }
}
