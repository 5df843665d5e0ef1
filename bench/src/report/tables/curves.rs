//! The tables of the curves: the cost of a job of ours as something grows, each point relative to the first.

use harness::{Load, Metric};

use super::flatness;
use crate::case::Contender::{self, QueueSqlite, QueueTokio};
use crate::report::quantity::{median, spread, with_spread};
use crate::report::table::Table;
use crate::results::Results;

pub(super) fn all(results: &Results) -> Vec<Table> {
    vec![
        READY.table(results, "curves-backlog", "Ready jobs, in a file", QueueSqlite),
        flatness(results, "curves-flatness", "file"),
        FINISHED.table(results, "curves-finished", "Finished jobs, in memory", QueueTokio),
        WORKERS.table(results, "curves-drain", "Workers, in memory", QueueTokio),
        WORKERS.table(results, "curves-drain-file", "Workers, in a file", QueueSqlite),
        BYTES.table(results, "curves-payload", "Payload, in memory", QueueTokio),
        BYTES.table(results, "curves-payload-file", "Payload, in a file", QueueSqlite),
        BATCHES.table(results, "curves-batches", "Jobs a call, in memory", QueueTokio),
        BATCHES.table(results, "curves-batches-file", "Jobs a call, in a file", QueueSqlite),
        steady(results, "curves-steady", "Steady, in memory", QueueTokio),
        steady(results, "curves-steady-file", "Steady, in a file", QueueSqlite),
    ]
}

/// A curve: the growing quantity, and the costs at each point.
struct Curve {
    grows: &'static str,
    note: &'static str,
    /// The costs; the chart shows the first.
    costs: &'static [(Metric, &'static str)],
    /// Returns the position of a load on the curve.
    point: fn(Load) -> Option<u64>,
}

const READY: Curve = Curve {
    grows: "ready",
    note: "Jobs are pushed 1,000 a call, claimed and settled 64 a call, behind this many ready ones.",
    costs: &[(Metric::Claim, "claim"), (Metric::Push, "push"), (Metric::Settle, "settle")],
    point: |load| if let Load::BehindReady { others } = load { Some(others) } else { None },
};

const FINISHED: Curve = Curve {
    grows: "kept",
    note: "Jobs are enqueued one a call, claimed and settled 64 a call, with this many finished ones kept: each removes the \
           oldest.",
    costs: &[(Metric::ClaimAndSettle, "claim and settle"), (Metric::Push, "push")],
    point: |load| if let Load::Finished { kept } = load { Some(kept as u64) } else { None },
};

const WORKERS: Curve = Curve {
    grows: "workers",
    note: "This many workers are started on a full queue.",
    costs: &[(Metric::Wall, "run")],
    point: |load| if let Load::Drain { workers } = load { Some(workers as u64) } else { None },
};

const BYTES: Curve = Curve {
    grows: "bytes",
    note: "Jobs that carry a text of this many bytes are pushed 100 a call; then 64 workers are started.",
    costs: &[(Metric::Wall, "run"), (Metric::Push, "push")],
    point: |load| if let Load::Payload { bytes } = load { Some(bytes as u64) } else { None },
};

const BATCHES: Curve = Curve {
    grows: "jobs a call",
    note: "One task enqueues this many jobs a call; no worker runs.",
    costs: &[(Metric::Wall, "push")],
    point: |load| if let Load::Batches { of } = load { Some(of) } else { None },
};

impl Curve {
    fn table(&self, results: &Results, name: &'static str, title: &str, system: Contender) -> Table {
        let charted = self.costs.first().map_or("", |(_, cost)| cost);
        let note = format!(
            "{} In ns per job, and relative to the first row. The chart shows {charted}; shorter is better.",
            self.note
        );
        let mut table = Table::new(name, title, note);
        let costs = self.costs.iter().flat_map(|(_, cost)| [cost, "÷ the first"]);
        table.header(&[self.grows, "jobs"].into_iter().chain(costs).collect::<Vec<_>>());
        let cases = results.cases(|case| case.system == system && (self.point)(case.load).is_some());
        for &case in &cases {
            let point = (self.point)(case.load).unwrap_or_default().to_string();
            let first = cases.first().copied().unwrap_or(case);
            let mut row = vec![point.clone(), case.jobs.to_string()];
            for (place, &(metric, _)) in self.costs.iter().enumerate() {
                let cost = results.series(case, metric);
                if place == 0 {
                    table.bar(format!("{point} {}", self.grows), cost.as_ref(), true);
                }
                row.push(with_spread(cost.as_ref()));
                row.push(with_spread(results.ratio(case, first, metric).as_ref()));
            }
            table.row(row);
        }
        table
    }
}

/// The latency of jobs at a fixed rate.
fn steady(results: &Results, name: &'static str, title: &str, system: Contender) -> Table {
    let note = "This many jobs are due each second, for 5 s unless `--jobs` is smaller, whether or not earlier jobs have run. \
                From when a job is due to its run, in µs. Timers use whole milliseconds: a timer that is late, by at most 2 ms, \
                is charged to no system, although at a high rate the system is also what keeps the threads busy. Of 1,000 \
                jobs p99.9 is one of the two slowest. The chart shows p99; shorter is better.";
    let mut table = Table::new(name, title, note);
    table.header(&["due/s", "run/s", "p50", "spread", "p95", "p99", "spread", "p99.9", "spread", "max"]);
    for case in results.cases(|case| case.system == system) {
        let Load::Steady { rate } = case.load else { continue };
        let series = |metric| results.series(case, metric);
        let [middle, slow, slower] = [Metric::StartMedian, Metric::StartP99, Metric::StartP999].map(&series);
        table.bar(format!("{rate} jobs/s"), slow.as_ref(), true);
        table.row([
            rate.to_string(),
            median(series(Metric::Rate).as_ref()),
            median(middle.as_ref()),
            spread(middle.as_ref()),
            median(series(Metric::StartP95).as_ref()),
            median(slow.as_ref()),
            spread(slow.as_ref()),
            median(slower.as_ref()),
            spread(slower.as_ref()),
            median(series(Metric::StartMax).as_ref()),
        ]);
    }
    table
}
