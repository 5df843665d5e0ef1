//! What one measurement found.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a figure is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Metric {
    /// Jobs a second.
    Rate,
    /// Seconds of CPU time, the system's and the benchmark's own, for 100,000 jobs.
    Cpu,
    /// Microseconds from before the call that enqueues to the job's first line, at the median.
    StartMedian,
    /// The same, for the slowest of a hundred.
    StartP99,
    /// The same, for the slowest of twenty.
    StartP95,
    /// The same, for the slowest of a thousand.
    StartP999,
    /// The same, for the slowest of all.
    StartMax,
    /// Seconds of CPU time that the server's processes took for 100,000 jobs.
    ServerCpu,
    /// Bytes that the server logged for a job.
    Logged,
    /// Commits for a job, of transactions that only read too.
    Commits,
    /// Dead rows that a job has left.
    DeadTuples,
    /// Bytes of resident memory for a queued job.
    Bytes,
    /// Nanoseconds of the clock for a job.
    Wall,
    /// Nanoseconds to enqueue a job.
    Push,
    /// Nanoseconds to claim a job and settle it.
    ClaimAndSettle,
    /// Nanoseconds to claim a job.
    Claim,
    /// Nanoseconds to settle a job.
    Settle,
}

/// The figures of one measurement; what the child process prints.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Figures(BTreeMap<Metric, f64>);

impl Figures {
    /// Records what so many jobs took of the clock and of the processor.
    #[must_use]
    pub fn of_run(jobs: u64, wall: Duration, cpu: Duration) -> Self {
        Self::default()
            .with(Metric::Rate, jobs as f64 / wall.as_secs_f64())
            .with(Metric::Wall, wall.as_nanos() as f64 / jobs as f64)
            .with(Metric::Cpu, cpu.as_secs_f64() * 100_000.0 / jobs as f64)
    }

    /// Adds a figure.
    #[must_use]
    pub fn with(mut self, metric: Metric, value: f64) -> Self {
        self.0.insert(metric, value);
        self
    }

    /// Gives a figure, if it was taken.
    #[must_use]
    pub fn value(&self, metric: Metric) -> Option<f64> {
        self.0.get(&metric).copied()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures: Vec<_> = self.0.iter().map(|(metric, value)| format!("{metric:?} {value:.2}")).collect();
        f.write_str(&figures.join(", "))
    }
}
