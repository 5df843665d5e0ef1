//! The tables of the long run on a PostgreSQL server.

use std::time::Duration;

use harness::Series;

use super::quantity::short;
use super::table::Table;
use crate::bloat::{Outcome, Recovery, Step};

pub(super) fn all(outcome: &Outcome) -> Vec<Table> {
    vec![
        steps(
            &outcome.steps,
            "postgres-bloat",
            "Many jobs",
            "Jobs are pushed 1,000 a call and run at once, at most 20,000 waiting; autovacuum has its default settings.",
        ),
        steps(
            &outcome.held,
            "postgres-bloat-held",
            "Beside a transaction that stays open",
            "The same, while a transaction with a snapshot from before the first job is open, so that vacuum may remove nothing.",
        ),
        recoveries(&outcome.recoveries),
    ]
}

fn steps(steps: &[Step], name: &'static str, title: &str, note: &str) -> Table {
    let note = format!(
        "{note} Each row covers the jobs since the previous one; dead rows and bytes are those of the tables `ready` and `leases` \
         at its end, as the server estimates them. The chart shows jobs/s; longer is better."
    );
    let mut table = Table::new(name, title, note);
    table.header(&[
        "jobs so far",
        "jobs/s",
        "÷ the first",
        "server CPU",
        "÷ the first",
        "WAL bytes a job",
        "dead rows",
        "bytes",
    ]);
    for step in steps {
        let first = steps.first().unwrap_or(step);
        table.bar(short(step.done as f64), Series::new([step.rate]).as_ref(), true);
        table.row([
            step.done.to_string(),
            short(step.rate),
            format!("{:.2}", step.rate / first.rate),
            short(step.cpu),
            format!("{:.2}", step.cpu / first.cpu),
            short(step.logged),
            short(step.dead as f64),
            short(step.bytes as f64),
        ]);
    }
    table
}

fn recoveries(recoveries: &[Recovery]) -> Table {
    let note = "The server is killed by `kill -9` with all its processes while a full queue is emptied, and started again. In ms: \
                until it accepts connections, from then until the next job is completed, and until a push succeeds.";
    let mut table = Table::new("postgres-recovery", "After the server was killed", note);
    table.header(&["kill", "server dead", "to a completed job", "to a push", "pushes refused"]);
    let millis = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e3);
    for (number, recovery) in (1..).zip(recoveries) {
        let number: u32 = number;
        table.row([
            number.to_string(),
            millis(recovery.dead),
            millis(recovery.completed),
            millis(recovery.pushed),
            recovery.refused.to_string(),
        ]);
    }
    table
}
