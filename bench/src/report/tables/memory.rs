//! The tables of the systems in memory.

use harness::{Load, Metric, WORKERS, Waits};

use super::{against, latency, rates};
use crate::case::Case;
use crate::report::quantity::{median, spread, with_spread};
use crate::report::table::Table;
use crate::results::Results;

pub(super) fn all(results: &Results) -> Vec<Table> {
    let none = "No worker runs.";
    vec![
        rates(results, "enqueue-1", "Enqueue, 1 task", none, |load| load == Load::Enqueue { tasks: 1 }),
        rates(results, "enqueue-32", "Enqueue, 32 tasks", none, |load| load == Load::Enqueue { tasks: 32 }),
        rates(results, "drain", "Drain, 64 workers", "The queue is full at the start.", |load| {
            load == Load::Drain { workers: WORKERS }
        }),
        rates(
            results,
            "stream",
            "Stream, 1 task to 64 workers",
            "A bound of 1,024, if a system has bounds.",
            |load| load == Load::Stream { tasks: 1, threads: None },
        ),
        latency(results, "latency"),
        memory(results),
        depth(results),
        threads(results),
    ]
}

fn memory(results: &Results) -> Table {
    let note = "Resident bytes for a job, its payload included. Shorter is better.";
    let mut table = Table::new("memory", "Memory of a queued job", note);
    table.header(&["system", "bytes", "spread", "ours ÷ it"]);
    for case in results.cases(|case| case.load == Load::Memory) {
        let bytes = results.series(case, Metric::Bytes);
        table.bar(case.system.to_string(), bytes.as_ref(), case.system.is_own());
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
    let note = "The cost of a job of ours in ns beside this many waiting ones, which wait for a worker or for their time, and \
                relative to its cost beside 1,000. The chart shows claim and settle; shorter is better.";
    let mut table = Table::new("depth", "Cost of a job by depth", note);
    table.header(&["waiting", "for", "push", "÷ 1,000's", "claim and settle", "÷ 1,000's"]);
    for case in results.cases(|case| matches!(case.load, Load::BesideWaiting { .. })) {
        let Load::BesideWaiting { waiting, waits } = case.load else { continue };
        let shallow = Case { load: Load::BesideWaiting { waiting: 1_000, waits }, ..case };
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
    for case in results.cases(|case| matches!(case.load, Load::Stream { threads: Some(_), .. })) {
        let Load::Stream { tasks, threads: Some(threads) } = case.load else { continue };
        let single = Case { load: Load::Stream { tasks, threads: Some(1) }, ..case };
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
