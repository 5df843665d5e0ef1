//! The tables of the systems in an SQLite file.

use harness::Load;

use super::{flatness, latency, rates};
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
            "The queue is full at the start, and 64 workers are started, or as many as suit a system best.",
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
        flatness(results, "sqlite-flatness", "file"),
    ]
}
