//! The table of the operator's calls.

use super::quantity::short;
use super::table::Table;
use crate::admin::{DISCARDED, Outcome};

/// The greatest ratio of the medians, and the greatest median in microseconds, that the targets allow.
const RATIO: f64 = 20.0;
const MICROS: f64 = 5_000.0;

pub(super) fn all(jobs: u64, outcomes: &[Outcome]) -> Vec<Table> {
    let note = format!(
        "Each call is made 200 times on an empty store, and again beside {jobs} completed jobs, {jobs} waiting ones (half ready, \
         half scheduled) and {DISCARDED} discarded ones of another queue, which finished before all others. In µs. A call \
         meets its target if its median beside the jobs is at most {RATIO} times that on the empty store, and at most \
         {} ms.",
        MICROS / 1e3
    );
    let mut table = Table::new("admin", "An operator's calls", note);
    table.header(&["jobs", "call", "empty, p50", "p99", "filled, p50", "p99", "÷ empty", "target"]);
    for outcome in outcomes {
        for call in &outcome.calls {
            let ratio = call.filled.median() / call.empty.median();
            let is_met = ratio <= RATIO && call.filled.median() <= MICROS;
            table.row([
                outcome.medium.to_string(),
                call.name.to_owned(),
                short(call.empty.median()),
                short(call.empty.p99()),
                short(call.filled.median()),
                short(call.filled.p99()),
                format!("{ratio:.2}"),
                if is_met { "met" } else { "not met" }.to_owned(),
            ]);
        }
    }
    vec![table]
}
