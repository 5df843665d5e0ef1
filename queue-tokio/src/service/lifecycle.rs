//! The log lines of a service at level info: one at its start, one when it stops, one when it has stopped. A line for each job has a
//! lower level.

use std::collections::BTreeMap;
use std::time::Duration;

use queue_core::backend::readable;
use queue_core::{JobName, Jobs, Queue};

use super::settings::Settings;
use super::stop_tally::StopTally;

/// A line names at most this many kinds of jobs.
const MAX_NAMES: usize = 8;

/// Logs that a service has started, and what it serves.
pub(super) fn log_start(settings: &Settings, queue: &dyn Queue, jobs: &Jobs) {
    let queues: Vec<_> = settings.queues.iter().map(|(queue, _)| queue.as_str()).collect();
    tracing::info!(
        service = settings.name,
        version = env!("CARGO_PKG_VERSION"),
        backend = queue.description(),
        queues = queues.join(", "),
        jobs = jobs.names().join(", "),
        concurrency = settings.concurrency,
        "started"
    );
}

/// Logs that a service stops, and the jobs for which it waits.
pub(super) fn log_stop(service: &str, timeout: Duration, running: &[JobName]) {
    let (jobs, names) = (count(running.len()), by_name(running));
    match running.len() {
        0 => tracing::info!(service, "stopping: no job is running"),
        _ if timeout == Duration::MAX => tracing::info!(service, "stopping: waiting for {jobs} ({names})"),
        _ => tracing::info!(service, "stopping: waiting up to {} for {jobs} ({names})", readable(timeout)),
    }
}

/// Logs that a service has stopped, and what became of its jobs since the stop was asked for.
pub(super) fn log_end(service: &str, tally: &StopTally, cut_short: usize) {
    let (finished, released) = (tally.finished(), tally.released());
    let cut = if cut_short > 0 { format!("; {cut_short} cut short") } else { String::new() };
    tracing::info!(
        service,
        finished,
        released,
        cut_short,
        "stopped: {} finished during the stop, {released} released{cut}",
        count(finished)
    );
}

fn count(jobs: usize) -> String {
    format!("{jobs} job{}", if jobs == 1 { "" } else { "s" })
}

/// Returns the names with their numbers, the most frequent first: `quote × 3, mail × 1`.
fn by_name(jobs: &[JobName]) -> String {
    let mut counts: BTreeMap<&JobName, usize> = BTreeMap::new();
    for name in jobs {
        *counts.entry(name).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut names: Vec<_> =
        counts.iter().take(MAX_NAMES).map(|(name, count)| format!("{name} × {count}")).collect();
    if counts.len() > MAX_NAMES {
        names.push(format!("and {} more kinds", counts.len() - MAX_NAMES));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_and_the_most_frequent_comes_first() {
        let jobs = ["mail", "quote", "quote", "audit", "quote"].map(JobName::from);

        assert_eq!(by_name(&jobs), "quote × 3, audit × 1, mail × 1");
    }

    #[test]
    fn a_line_names_a_bounded_number_of_kinds() {
        let jobs: Vec<_> = (0..10).map(|number| JobName::from(format!("job_{number}"))).collect();

        assert!(by_name(&jobs).ends_with("job_7 × 1, and 2 more kinds"), "{}", by_name(&jobs));
    }
}
