//! The tables of the suites.

mod curves;
mod limits;
mod memory;
mod postgres;
mod sqlite;

use harness::{Load, Metric};

use super::quantity::{median, short, spread, with_spread};
use super::table::Table;
use crate::case::Case;
use crate::results::Results;
use crate::suite::Suite;

/// Returns the tables of the results.
pub(super) fn all(suite: Suite, results: &Results) -> Vec<Table> {
    let tables = match suite {
        Suite::Memory => memory::all(results),
        Suite::Sqlite => sqlite::all(results),
        Suite::Postgres => postgres::all(results),
        Suite::Curves => curves::all(results),
        Suite::Limits => limits::all(results),
    };
    tables.into_iter().filter(|table| !table.is_empty()).collect()
}

fn rates(
    results: &Results,
    name: &'static str,
    title: &str,
    note: &str,
    is_shown: impl Fn(Load) -> bool,
) -> Table {
    let mut table = Table::new(name, title, format!("{note} The chart shows jobs/s; longer is better."));
    table.header(&[
        "system",
        "jobs",
        "jobs/s",
        "spread",
        "ours ÷ it",
        "CPU-s per 100,000",
        "ours ÷ it (CPU)",
    ]);
    for case in results.cases(|case| is_shown(case.load)) {
        let rate = results.series(case, Metric::Rate);
        table.bar(case.label(), rate.as_ref(), case.system.is_own());
        table.row([
            case.label(),
            short(case.jobs as f64),
            median(rate.as_ref()),
            spread(rate.as_ref()),
            against(results, case, Metric::Rate),
            median(results.series(case, Metric::Cpu).as_ref()),
            against(results, case, Metric::Cpu),
        ]);
    }
    table
}

fn latency(results: &Results, name: &'static str) -> Table {
    let note =
        "200 jobs, 5 ms apart, on an idle system, in µs. The chart shows the medians; shorter is better.";
    let mut table = Table::new(name, "Start latency", note);
    table.header(&["system", "p50", "spread", "ours ÷ it", "p99", "spread", "ours ÷ it (p99)"]);
    for case in results.cases(|case| case.load == Load::Latency) {
        let middle = results.series(case, Metric::StartMedian);
        let slowest = results.series(case, Metric::StartP99);
        table.bar(case.system.to_string(), middle.as_ref(), case.system.is_own());
        table.row([
            case.system.to_string(),
            median(middle.as_ref()),
            spread(middle.as_ref()),
            against(results, case, Metric::StartMedian),
            median(slowest.as_ref()),
            spread(slowest.as_ref()),
            against(results, case, Metric::StartP99),
        ]);
    }
    table
}

fn flatness(results: &Results, name: &'static str, place: &str) -> Table {
    let note = format!(
        "The cost of a job of ours in ns, pushed 1,000 a call, claimed and settled 64 a call, in a {place} with this many \
         finished and this many scheduled jobs, and relative to its cost in an empty {place}. The chart shows the claim; \
         shorter is better."
    );
    let mut table = Table::new(name, "Cost of a job beside others", note);
    table.header(&["others", "push", "÷ empty", "claim", "÷ empty", "settle", "÷ empty"]);
    for case in results.cases(|case| matches!(case.load, Load::BesideFinished { .. })) {
        let Load::BesideFinished { others } = case.load else { continue };
        let empty = Case { load: Load::BesideFinished { others: 0 }, ..case };
        table.bar(format!("{others} of each"), results.series(case, Metric::Claim).as_ref(), true);
        let mut row = vec![format!("{others} of each")];
        for metric in [Metric::Push, Metric::Claim, Metric::Settle] {
            row.push(with_spread(results.series(case, metric).as_ref()));
            row.push(with_spread(results.ratio(case, empty, metric).as_ref()));
        }
        table.row(row);
    }
    table
}

/// Formats our figure divided by that of a peer.
fn against(results: &Results, case: Case, metric: Metric) -> String {
    if case.system.is_own() {
        return String::new();
    }
    let own = results.find(case.load, results.own());
    with_spread(own.and_then(|own| results.ratio(own, case, metric)).as_ref())
}
