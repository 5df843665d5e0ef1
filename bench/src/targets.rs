//! The targets of the benchmarks, and whether they are met.

mod limits;
mod memory;
mod postgres;
mod sqlite;

use harness::{Load, Metric, Series};

use crate::case::Contender;
use crate::results::Results;
use crate::suite::Suite;

/// A figure, its bound, and its measured value.
#[derive(Debug)]
pub(crate) struct Target {
    figure: String,
    bound: Bound,
    measured: Option<Series>,
}

#[derive(Debug)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    fn new(figure: impl Into<String>, bound: Bound, measured: Option<Series>) -> Self {
        Self { figure: figure.into(), bound, measured }
    }

    /// Returns the text of the target.
    pub(crate) fn text(&self) -> String {
        match self.bound {
            Bound::AtLeast(least) => format!("{} ≥ {least}", self.figure),
            Bound::AtMost(most) => format!("{} ≤ {most}", self.figure),
        }
    }

    pub(crate) fn is_measured(&self) -> bool {
        self.measured.is_some()
    }

    /// Returns the measured value, the median with the spread.
    pub(crate) fn measured(&self) -> String {
        self.measured.as_ref().map_or_else(
            || "–".to_owned(),
            |series| format!("{:.2} ({:.2} – {:.2})", series.median(), series.min(), series.max()),
        )
    }

    /// Returns whether the median is within the bound.
    pub(crate) fn verdict(&self) -> &'static str {
        let is_met = self.measured.as_ref().map(|series| match self.bound {
            Bound::AtLeast(least) => series.median() >= least,
            Bound::AtMost(most) => series.median() <= most,
        });
        match is_met {
            Some(true) => "met",
            Some(false) => "not met",
            None => "not measured",
        }
    }
}

/// Compares the results of a suite with each of its targets.
pub(crate) fn judge(suite: Suite, results: &Results) -> Vec<Target> {
    match suite {
        Suite::Memory => memory::judge(results),
        Suite::Sqlite => sqlite::judge(results),
        Suite::Postgres => postgres::judge(results),
        Suite::Limits => limits::judge(results),
        // A curve has no target: readers check whether it bends.
        Suite::Curves => Vec::new(),
    }
}

/// Returns the rates with metrics and traces divided by those without.
fn observed(results: &Results, loads: [(&'static str, Load); 2]) -> impl Iterator<Item = Target> {
    loads.into_iter().map(|(word, load)| {
        let own = results.own();
        let rate =
            own.observed().and_then(|observed| ratio(results, (load, observed), (load, own), Metric::Rate));
        Target::new(format!("{word} with metrics and traces ÷ without"), Bound::AtLeast(0.8), rate)
    })
}

/// Returns our figure divided by a peer's.
fn against(results: &Results, load: Load, peer: Contender, metric: Metric) -> Option<Series> {
    ratio(results, (load, results.own()), (load, peer), metric)
}

/// Returns our rate under one load divided by that under another.
fn rate_to(results: &Results, load: Load, to: Load) -> Option<Series> {
    ratio(results, (load, results.own()), (to, results.own()), Metric::Rate)
}

/// Returns the cost of a claim beside many jobs divided by its cost in an empty place.
fn flatness(results: &Results, place: &str) -> Target {
    let others = results.cases(|case| matches!(case.load, Load::BesideFinished { .. })).into_iter();
    let others = others.filter_map(|case| match case.load {
        Load::BesideFinished { others } => Some(others),
        _ => None,
    });
    let most = others.max().unwrap_or(1_000_000);
    let load = |others| (Load::BesideFinished { others }, results.own());
    let cost = ratio(results, load(most), load(0), Metric::Claim);
    let figure = format!("claim beside {most} finished and {most} scheduled jobs ÷ in an empty {place}");
    Target::new(figure, Bound::AtMost(1.3), cost)
}

fn ratio(
    results: &Results,
    (load, system): (Load, Contender),
    (to, peer): (Load, Contender),
    metric: Metric,
) -> Option<Series> {
    results.ratio(results.find(load, system)?, results.find(to, peer)?, metric)
}
