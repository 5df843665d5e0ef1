//! The tables of the systems on a PostgreSQL server.

use harness::{Load, Metric};

use super::{against, flatness, latency};
use crate::report::quantity::{median, short, spread};
use crate::report::table::Table;
use crate::results::Results;

pub(super) fn all(results: &Results) -> Vec<Table> {
    let none = "No worker runs.";
    let drain = "The queue is full at the start, and its tables are vacuumed and analysed; 64 workers are started, or what \
                 a system does best with.";
    let stream = "All in one process.";
    let enqueue = |tasks| move |load| load == Load::Enqueue { tasks };
    vec![
        rates(results, "postgres-enqueue-1", "Enqueue, 1 task", none, enqueue(1)),
        rates(results, "postgres-enqueue-32", "Enqueue, 32 tasks, a job each", none, enqueue(32)),
        rates(results, "postgres-enqueue-256", "Enqueue, 256 tasks, a job each", none, enqueue(256)),
        rates(results, "postgres-bulk", "Enqueue in bulk, 1,000 jobs a call", none, |load| {
            load == Load::Bulk
        }),
        rates(results, "postgres-drain", "Drain", drain, |load| matches!(load, Load::Drain { .. })),
        left(results, "postgres-drain-left", "What a drain leaves", |load| {
            matches!(load, Load::Drain { .. })
        }),
        rates(results, "postgres-stream", "Stream, 32 tasks to 64 workers", stream, is_stream),
        left(results, "postgres-stream-left", "What a stream leaves", is_stream),
        latency(results, "postgres-latency"),
        steady(results, "postgres-steady-200", 200),
        steady(results, "postgres-steady-2000", 2_000),
        flatness(results, "postgres-flatness", "table"),
    ]
}

fn is_stream(load: Load) -> bool {
    matches!(load, Load::Stream { .. })
}

/// The rate of a system, and its cost to its own process and the server.
fn rates(
    results: &Results,
    name: &'static str,
    title: &str,
    note: &str,
    is_shown: impl Fn(Load) -> bool,
) -> Table {
    let note = format!(
        "{note} CPU is for 100,000 jobs, in seconds: the client's, and the server's. The chart shows jobs/s; longer is better."
    );
    let mut table = Table::new(name, title, note);
    table.header(&[
        "system",
        "jobs",
        "jobs/s",
        "spread",
        "ours ÷ it",
        "client CPU",
        "ours ÷ it",
        "server CPU",
        "ours ÷ it",
        "WAL bytes a job",
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
            median(results.series(case, Metric::ServerCpu).as_ref()),
            against(results, case, Metric::ServerCpu),
            median(results.series(case, Metric::Logged).as_ref()),
        ]);
    }
    table
}

/// The load on the server that matters to operators: log, commits and dead rows.
fn left(results: &Results, name: &'static str, title: &str, is_shown: impl Fn(Load) -> bool) -> Table {
    let note = "For a job: bytes of log, commits (including read-only transactions), and dead \
                rows, when all connections are closed. The chart shows the commits; shorter is better.";
    let mut table = Table::new(name, title, note);
    table.header(&["system", "WAL bytes", "ours ÷ it", "commits", "ours ÷ it", "dead rows", "spread"]);
    for case in results.cases(|case| is_shown(case.load)) {
        let commits = results.series(case, Metric::Commits);
        let dead = results.series(case, Metric::DeadTuples);
        table.bar(case.label(), commits.as_ref(), case.system.is_own());
        table.row([
            case.label(),
            median(results.series(case, Metric::Logged).as_ref()),
            against(results, case, Metric::Logged),
            commits.map_or_else(|| "–".to_owned(), |commits| format!("{:.4}", commits.median())),
            against(results, case, Metric::Commits),
            median(dead.as_ref()),
            spread(dead.as_ref()),
        ]);
    }
    table
}

/// The latency of jobs at a fixed rate.
fn steady(results: &Results, name: &'static str, rate: u32) -> Table {
    let note = "From when a job is due to be enqueued to its run, in µs, whether or not earlier jobs have run. \
                The chart shows the medians; shorter is better.";
    let mut table = Table::new(name, format!("Steady, {rate} jobs/s"), note);
    table.header(&[
        "system",
        "run/s",
        "p50",
        "spread",
        "ours ÷ it",
        "p95",
        "ours ÷ it",
        "p99",
        "ours ÷ it",
        "server CPU",
    ]);
    for case in results.cases(|case| case.load == Load::Steady { rate }) {
        let series = |metric| results.series(case, metric);
        let middle = series(Metric::StartMedian);
        table.bar(case.label(), middle.as_ref(), case.system.is_own());
        table.row([
            case.label(),
            median(series(Metric::Rate).as_ref()),
            median(middle.as_ref()),
            spread(middle.as_ref()),
            against(results, case, Metric::StartMedian),
            median(series(Metric::StartP95).as_ref()),
            against(results, case, Metric::StartP95),
            median(series(Metric::StartP99).as_ref()),
            against(results, case, Metric::StartP99),
            median(series(Metric::ServerCpu).as_ref()),
        ]);
    }
    table
}
