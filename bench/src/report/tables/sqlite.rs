//! The tables of what keeps jobs in an SQLite file.

use harness::{Load, Metric};

use super::{latency, rates};
use crate::case::Case;
use crate::report::quantity::with_spread;
use crate::report::table::Table;
use crate::results::Results;

pub(super) fn all(results: &Results) -> Vec<Table> {
    let none = "No worker runs.";
    vec![
        rates(results, "sqlite-enqueue-1", "Enqueue, 1 task", none, |load| {
            load == Load::Enqueue { tasks: 1 }
        }),
        rates(results, "sqlite-enqueue-32", "Enqueue, 32 tasks, a job each", none, |load| {
            load == Load::Enqueue { tasks: 32 }
        }),
        rates(results, "sqlite-enqueue-256", "Enqueue, 256 tasks, a job each", none, |load| {
            load == Load::Enqueue { tasks: 256 }
        }),
        rates(results, "sqlite-bulk", "Enqueue in bulk, 1,000 jobs a call", none, |load| load == Load::Bulk),
        rates(
            results,
            "sqlite-drain",
            "Drain",
            "The queue is full at the start, and 64 workers are started, or what a system does best with.",
            |load| matches!(load, Load::Drain { .. }),
        ),
        rates(
            results,
            "sqlite-stream",
            "Stream, 32 tasks to 64 workers",
            "All in one process: effectum allows no other.",
            |load| matches!(load, Load::Stream { .. }),
        ),
        latency(results, "sqlite-latency"),
        flatness(results),
    ]
}

fn flatness(results: &Results) -> Table {
    let note = "What a job of ours costs in ns, pushed 1,000 a call, claimed and settled 64 a call, in a file that holds so many \
                finished and so many scheduled ones, and how much that is of its cost in an empty file. The chart shows the \
                claim; shorter is better.";
    let mut table = Table::new("sqlite-flatness", "Cost of a job beside others", note);
    table.header(&["others", "push", "÷ empty", "claim", "÷ empty", "settle", "÷ empty"]);
    for case in results.cases(|case| matches!(case.load, Load::Beside { .. })) {
        let Load::Beside { others } = case.load else { continue };
        let empty = Case { load: Load::Beside { others: 0 }, ..case };
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
