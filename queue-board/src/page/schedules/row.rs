//! One schedule, as a row of its page.

use maud::{Markup, html};
use queue_core::{State, Timing};
use queue_schedules::TickRun;

use super::ScheduleView;
use crate::frame::Frame;
use crate::text::badge::badge;
use crate::text::number::of;
use crate::text::time::{ago, exact};

/// The width of a tick in the chart of past ticks.
const WIDTH: usize = 8;

pub(super) fn columns(frame: &Frame) -> Markup {
    html! {
        tr {
            th scope="col" { "Schedule" }
            th scope="col" { "When" }
            th scope="col" { "Next" }
            th scope="col" { "Last" }
            th scope="col" title="What became of the jobs of the last ticks, the newest on the right" { "Last ticks" }
            @if frame.may_act() { th scope="col" { span.visually-hidden { "Actions" } } }
        }
    }
}

pub(super) fn render(frame: &Frame, view: &ScheduleView) -> Markup {
    let schedule = &view.record;
    let key = format!("{}/{}", schedule.group, schedule.name);
    html! {
        tr id={ "schedule-" (key) } {
            th scope="row" {
                (schedule.name)
                @if schedule.is_paused { " " span.paused { "paused" } }
                div.excerpt {
                    a.plain href=(frame.to(&format!("/jobs?name={}", schedule.job))) { (schedule.job) }
                    @if !schedule.is_declared { span title="It was put at run time: no program declares it." { " · put at run time" } }
                }
            }
            td data-label="When" { span title=(expression(view)) { (schedule.words()) } }
            td data-label="Next" { (next(frame, view)) }
            td data-label="Last" { (last(frame, view)) }
            td.chart data-label="Last ticks" { (outcomes(&view.recent)) }
            @if frame.may_act() { td.actions { (actions(frame, view)) } }
        }
    }
}

/// Returns the cron expression, if there is one.
fn expression(view: &ScheduleView) -> &str {
    match &view.record.recurrence.timing {
        Timing::Cron(expression) => expression,
        _ => "",
    }
}

fn next(frame: &Frame, view: &ScheduleView) -> Markup {
    html! {
        @match view.next.split_first() {
            _ if view.record.is_paused => span.quiet { "–" },
            None => span.quiet { "never" },
            Some((first, others)) => {
                details.list {
                    summary { (ago(frame, *first)) }
                    ol.ticks { @for tick in others { li { time datetime=(tick) { (exact(*tick)) } } } }
                }
            }
        }
    }
}

fn last(frame: &Frame, view: &ScheduleView) -> Markup {
    html! {
        @match &view.record.last {
            None => span.quiet { "none yet" },
            Some(run) => {
                (ago(frame, run.at)) " "
                @match run.state {
                    Some(state) => a href=(frame.job(run.job)) { (badge(state)) },
                    None => span.quiet title="The job is not kept any more, or an earlier one was unfinished at the tick." { "no job" },
                }
            }
        }
        @if let Some(skipped) = &view.record.skipped {
            div.excerpt.error title={ "The last ones were those from " (exact(skipped.first)) " to " (exact(skipped.last)) } {
                (of(skipped.count, "tick")) " skipped " (ago(frame, skipped.last))
            }
        }
    }
}

/// Renders the past ticks: a bar for each, in the color of its job's state. A tick without a job has a low, grey one.
fn outcomes(runs: &[TickRun]) -> Markup {
    let number = |state| runs.iter().filter(|run| run.state == Some(state)).count() as u64;
    let mut words: Vec<_> = State::ALL
        .into_iter()
        .filter(|state| number(*state) > 0)
        .map(|state| format!("{} {state}", number(state)))
        .collect();
    let without = runs.iter().filter(|run| run.state.is_none()).count();
    if without > 0 {
        words.push(format!("{without} without a job"));
    }
    let label = format!("The last {}: {}", of(runs.len() as u64, "tick"), words.join(", "));
    html! {
        @if runs.is_empty() { span.quiet { "–" } } @else {
            svg.outcomes viewBox={ "0 0 " (runs.len() * WIDTH) " 20" } width=(runs.len() * WIDTH) height="20" role="img" aria-label=(label) {
                title { (label) }
                @for (place, run) in runs.iter().enumerate() { (bar(place * WIDTH, run)) }
            }
        }
    }
}

fn bar(x: usize, run: &TickRun) -> Markup {
    html! {
        @match run.state {
            Some(state) => rect class=(state) x=(x) y="2" width="6" height="18" rx="1" { title { (exact(run.at)) ": " (state) } },
            None => rect.base x=(x) y="17" width="6" height="3" rx="1" { title { (exact(run.at)) ": no job" } },
        }
    }
}

fn actions(frame: &Frame, view: &ScheduleView) -> Markup {
    let values = [("group", view.record.group.as_str()), ("name", view.record.name.as_str())];
    html! {
        (frame.button_with("/schedules/trigger", "Trigger", "small", &values))
        @if view.record.is_paused {
            (frame.button_with("/schedules/resume", "Resume", "small primary", &values))
        } @else {
            (frame.button_with("/schedules/pause", "Pause", "small", &values))
        }
    }
}
