//! Which tables there are, and what is in them.

use super::quantity::{median, spread, with_spread};
use super::table::Table;
use crate::case::{Case, Contender, Load, Waits};
use crate::figures::Metric;
use crate::results::Results;

/// Makes the tables of what was measured.
pub(super) fn all(results: &Results) -> Vec<Table> {
    let none = "No worker runs.";
    let tables = [
        rates(results, "enqueue-1", "Enqueue, 1 task", none, |load| load == Load::Enqueue { tasks: 1 }),
        rates(results, "enqueue-32", "Enqueue, 32 tasks", none, |load| load == Load::Enqueue { tasks: 32 }),
        rates(results, "drain", "Drain, 64 workers", "The queue is full at the start.", |load| {
            load == Load::Drain
        }),
        rates(
            results,
            "stream",
            "Stream, 1 task to 64 workers",
            "A bound of 1,024, where a system has bounds.",
            |load| load == Load::Stream { threads: None },
        ),
        latency(results),
        memory(results),
        depth(results),
        threads(results),
    ];
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
    table.header(&["system", "jobs/s", "spread", "us ÷ it", "CPU-s per 100,000", "us ÷ it (CPU)"]);
    for case in results.cases(|case| is_shown(case.load)) {
        let rate = results.series(case, Metric::Rate);
        table.bar(case.system.to_string(), rate.as_ref(), case.system == Contender::Us);
        table.row([
            case.system.to_string(),
            median(rate.as_ref()),
            spread(rate.as_ref()),
            against(results, case, Metric::Rate),
            median(results.series(case, Metric::Cpu).as_ref()),
            against(results, case, Metric::Cpu),
        ]);
    }
    table
}

fn latency(results: &Results) -> Table {
    let note =
        "200 jobs, 5 ms apart, on an idle system, in µs. The chart shows the medians; shorter is better.";
    let mut table = Table::new("latency", "Start latency", note);
    table.header(&["system", "p50", "spread", "us ÷ it", "p99", "spread", "us ÷ it (p99)"]);
    for case in results.cases(|case| case.load == Load::Latency) {
        let middle = results.series(case, Metric::StartMedian);
        let slowest = results.series(case, Metric::StartP99);
        table.bar(case.system.to_string(), middle.as_ref(), case.system == Contender::Us);
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

fn memory(results: &Results) -> Table {
    let note = "Resident bytes for a job, its payload included. Shorter is better.";
    let mut table = Table::new("memory", "Memory of a queued job", note);
    table.header(&["system", "bytes", "spread", "us ÷ it"]);
    for case in results.cases(|case| case.load == Load::Memory) {
        let bytes = results.series(case, Metric::Bytes);
        table.bar(case.system.to_string(), bytes.as_ref(), case.system == Contender::Us);
        table.row([
            case.system.to_string(),
            median(bytes.as_ref()),
            spread(bytes.as_ref()),
            against(results, case, Metric::Bytes),
        ]);
    }
    table
}

fn depth(results: &Results) -> Table {
    let note = "What a job of ours costs in ns beside so many that wait, for a worker or for their time, and how much that \
                is of its cost beside 1,000. The chart shows claim and settle; shorter is better.";
    let mut table = Table::new("depth", "Cost of a job by depth", note);
    table.header(&["waiting", "for", "push", "÷ 1,000's", "claim and settle", "÷ 1,000's"]);
    for case in results.cases(|case| matches!(case.load, Load::Depth { .. })) {
        let Load::Depth { waiting, waits } = case.load else { continue };
        let shallow = Case { load: Load::Depth { waiting: 1_000, waits }, ..case };
        let what = match waits {
            Waits::ForWorker => "a worker",
            Waits::ForTime => "their time",
        };
        let claim = results.series(case, Metric::ClaimAndSettle);
        table.bar(format!("{waiting} for {what}"), claim.as_ref(), waits == Waits::ForWorker);
        table.row([
            waiting.to_string(),
            what.to_owned(),
            with_spread(results.series(case, Metric::Push).as_ref()),
            with_spread(results.ratio(case, shallow, Metric::Push).as_ref()),
            with_spread(claim.as_ref()),
            with_spread(results.ratio(case, shallow, Metric::ClaimAndSettle).as_ref()),
        ]);
    }
    table
}

fn threads(results: &Results) -> Table {
    let note =
        "The stream through ours, by the runtime's worker threads. The chart shows jobs/s; longer is better.";
    let mut table = Table::new("threads", "Worker threads", note);
    table.header(&["threads", "jobs/s", "spread", "÷ 1 thread's", "CPU-s per 100,000"]);
    for case in results.cases(|case| matches!(case.load, Load::Stream { threads: Some(_) })) {
        let Load::Stream { threads: Some(threads) } = case.load else { continue };
        let single = Case { load: Load::Stream { threads: Some(1) }, ..case };
        let rate = results.series(case, Metric::Rate);
        table.bar(threads.to_string(), rate.as_ref(), true);
        table.row([
            threads.to_string(),
            median(rate.as_ref()),
            spread(rate.as_ref()),
            with_spread(results.ratio(case, single, Metric::Rate).as_ref()),
            median(results.series(case, Metric::Cpu).as_ref()),
        ]);
    }
    table
}

/// Writes our figure divided by that of a peer.
fn against(results: &Results, case: Case, metric: Metric) -> String {
    match case.system {
        Contender::Us => String::new(),
        _ => with_spread(results.ratio(case.on(Contender::Us), case, metric).as_ref()),
    }
}
