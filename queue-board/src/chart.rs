//! Charts of the jobs and attempts that ended, as SVG without styles.

use std::fmt::Write as _;

use maud::{Markup, html};
use queue_core::Timestamp;

use crate::history::{StepCounts, TimeSeries};
use crate::text::number::of;
use crate::text::time::exact;

/// The width of a step.
const WIDTH: u64 = 4;

/// The height of a small chart.
const SMALL: u64 = 20;

/// The height of a large chart.
const LARGE: u64 = 48;

/// Renders a small chart: completed jobs, and failed attempts above them.
pub(crate) fn spark(series: &TimeSeries, span: &str) -> Markup {
    let heights = Heights::of(series, SMALL);
    let total = series.total();
    let (mut completed, mut failed) = (String::new(), String::new());
    for (index, step) in series.steps.iter().enumerate() {
        let (x, low, high) = (index as u64 * WIDTH, heights.completed(*step), heights.failed(*step));
        // Writing to a `String` does not fail.
        if low > 0 {
            write!(completed, "M{x} {SMALL}v-{low}h3v{low}z").ok();
        }
        if high > 0 {
            write!(failed, "M{x} {}v-{high}h3v{high}z", SMALL - low).ok();
        }
    }
    let width = series.steps.len() as u64 * WIDTH;
    html! {
        svg.spark viewBox={ "0 0 " (width) " " (SMALL) } preserveAspectRatio="none" role="img" aria-label={ (span) ": " (words(total)) } {
            title { (span) ": " (words(total)) }
            path.base d={ "M0 " (SMALL) "h" (width) } {}
            @if !completed.is_empty() { path.completed d=(completed) {} }
            @if !failed.is_empty() { path.discarded d=(failed) {} }
        }
    }
}

/// Renders a large chart, in which each step is a link to its jobs.
pub(crate) fn histogram(series: &TimeSeries, link: impl Fn(Timestamp, Timestamp) -> String) -> Markup {
    let heights = Heights::of(series, LARGE);
    let width = series.steps.len() as u64 * WIDTH;
    html! {
        svg.histogram viewBox={ "0 0 " (width) " " (LARGE) } preserveAspectRatio="none" role="group" aria-label={ "The last 24 hours: " (words(series.total())) } {
            @for (index, step) in series.steps.iter().enumerate() {
                @let (x, low, high) = (index as u64 * WIDTH, heights.completed(*step), heights.failed(*step));
                @let (from, until) = (series.start_of(index), series.start_of(index + 1));
                a href=(link(from, until)) tabindex="-1" {
                    title { (minute(from)) " – " (minute(until)) ": " (words(*step)) }
                    rect.hit x=(x) y="0" width=(WIDTH) height=(LARGE) {}
                    @if low > 0 { rect.completed x=(x) y=(LARGE - low) width="3" height=(low) {} }
                    @if high > 0 { rect.discarded x=(x) y=(LARGE - low - high) width="3" height=(high) {} }
                }
            }
        }
    }
}

fn words(counts: StepCounts) -> String {
    let mut words = format!("{} completed", of(counts.completed, "job"));
    if counts.failed > 0 {
        words.push_str(&format!(", {} failed", of(counts.failed, "attempt")));
    }
    if counts.discarded > 0 {
        words.push_str(&format!(", {} discarded", of(counts.discarded, "job")));
    }
    words
}

/// Returns an instant to the minute.
fn minute(at: Timestamp) -> String {
    let text = exact(at);
    text.get(11..16).map_or_else(|| text.clone(), |minute| format!("{minute} UTC"))
}

/// The scale of a chart.
struct Heights {
    height: u64,
    most: u64,
}

impl Heights {
    fn of(series: &TimeSeries, height: u64) -> Self {
        Self { height, most: series.steps.iter().map(|step| step.ended()).max().unwrap_or(0).max(1) }
    }

    fn failed(&self, step: StepCounts) -> u64 {
        self.scaled(step.failed).min(self.height)
    }

    fn completed(&self, step: StepCounts) -> u64 {
        self.scaled(step.completed).min(self.height - self.failed(step))
    }

    /// Returns the height of a number. Only that of zero is zero.
    fn scaled(&self, number: u64) -> u64 {
        let height = u128::from(number) * u128::from(self.height) / u128::from(self.most);
        u64::try_from(height).unwrap_or(self.height).max(u64::from(number > 0))
    }
}
