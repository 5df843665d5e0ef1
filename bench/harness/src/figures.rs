//! The figures of one measurement.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The quantity that a figure measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Metric {
    /// Jobs per second.
    Rate,
    /// Seconds of CPU time, of the system and the benchmark itself, for 100,000 jobs.
    Cpu,
    /// Microseconds from before the call that enqueues to the job's first line, median.
    StartMedian,
    /// The same, 99th percentile.
    StartP99,
    /// The same, 95th percentile.
    StartP95,
    /// The same, 99.9th percentile.
    StartP999,
    /// The same, maximum.
    StartMax,
    /// The share of the jobs that did not start within the patience of the measurement.
    NotRun,
    /// The greatest number of starts in any window of a rate.
    MostStarts,
    /// The number of starts, divided by the number that a rate allows in the same time.
    Reached,
    /// Seconds of CPU time of the server's processes for 100,000 jobs.
    ServerCpu,
    /// Bytes of server log per job.
    Logged,
    /// Commits per job, including read-only transactions.
    Commits,
    /// Dead rows per job.
    DeadTuples,
    /// Bytes of resident memory per queued job.
    Bytes,
    /// Nanoseconds of wall-clock time per job.
    Wall,
    /// Nanoseconds to enqueue a job.
    Push,
    /// Nanoseconds to claim and settle a job.
    ClaimAndSettle,
    /// Nanoseconds to claim a job.
    Claim,
    /// Nanoseconds to settle a job.
    Settle,
}

/// The figures of one measurement, as the child process prints them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Figures(BTreeMap<Metric, f64>);

impl Figures {
    /// Creates figures from the wall-clock time and the CPU time of `jobs` jobs.
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

    /// Returns a figure, if it was measured.
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
