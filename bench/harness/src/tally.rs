//! The job that every system runs, and the count of its runs.

use std::hint::black_box;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// The time without any run after which the remaining jobs count as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// The first user of a flood: jobs of this user and all later ones are counted apart, and no measurement waits for them.
pub const FLOOD: u64 = 1 << 32;

/// The payload of a job, in every system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Payload {
    /// The recipient.
    pub user_id: u64,
    /// The text.
    pub template: String,
}

impl Payload {
    /// Creates the payload of a job.
    #[must_use]
    pub fn new(user_id: u64) -> Self {
        Self { user_id, template: "welcome".to_owned() }
    }

    /// Creates the payload of a job that carries a text of `bytes` bytes.
    #[must_use]
    pub fn of_bytes(user_id: u64, bytes: usize) -> Self {
        Self { user_id, template: "welcome ".chars().cycle().take(bytes).collect() }
    }
}

/// Counts runs and wakes the caller that waits for the last one.
///
/// It is one static, the same for all systems, so that no system pays for counting references to it.
#[derive(Clone, Copy, Debug)]
pub struct Tally(&'static Counts);

#[derive(Debug)]
struct Counts {
    left: AtomicU64,
    finished: Notify,
    /// The number of runs of the flood's jobs.
    flooded: AtomicU64,
    /// How long a job works.
    run_time: Duration,
    starts: Box<[OnceLock<Instant>]>,
}

impl Tally {
    /// Creates a tally that expects `jobs` runs.
    #[must_use]
    pub fn of(jobs: u64) -> Self {
        Self::new(jobs, 0, Duration::ZERO)
    }

    /// Creates a tally that expects `jobs` runs, and records the start of each.
    #[must_use]
    pub fn with_starts(jobs: u64) -> Self {
        Self::new(jobs, jobs as usize, Duration::ZERO)
    }

    /// Creates a tally that expects `jobs` runs which work for `run_time`, and records no start.
    #[must_use]
    pub fn of_work(jobs: u64, run_time: Duration) -> Self {
        Self::new(jobs, 0, run_time)
    }

    /// Creates a tally that expects `jobs` runs beside those of a flood, records the start of each, and lets each job work for
    /// `run_time`.
    #[must_use]
    pub fn with_run_time(jobs: u64, run_time: Duration) -> Self {
        Self::new(jobs, jobs as usize, run_time)
    }

    fn new(jobs: u64, starts: usize, run_time: Duration) -> Self {
        let starts = std::iter::repeat_with(OnceLock::new).take(starts).collect();
        let (left, flooded) = (AtomicU64::new(jobs), AtomicU64::new(0));
        Self(Box::leak(Box::new(Counts { left, finished: Notify::new(), flooded, run_time, starts })))
    }

    /// Runs the job: almost no work.
    #[inline]
    pub fn run(self, user_id: u64, template: &str) {
        if let Some(start) = self.0.starts.get(user_id as usize) {
            start.get_or_init(Instant::now);
        }
        black_box((user_id, template));
        if user_id >= FLOOD {
            self.0.flooded.fetch_add(1, Ordering::Relaxed);
        } else if self.0.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.finished.notify_one();
        }
    }

    /// Works, if the measurement has jobs that work: waits without using a thread. A system calls it after [`run`](Self::run).
    pub async fn work(self) {
        if !self.0.run_time.is_zero() {
            sleep(self.0.run_time).await;
        }
    }

    /// Waits for the last run.
    ///
    /// # Errors
    ///
    /// No job ran between two checks, 30 s apart: the remaining jobs are lost.
    pub async fn finished(self) -> anyhow::Result<()> {
        let mut seen = None;
        while timeout(PATIENCE, self.0.finished.notified()).await.is_err() {
            let left = self.0.left.load(Ordering::Acquire);
            ensure!(seen.replace(left) != Some(left), "{left} jobs never ran");
        }
        Ok(())
    }

    /// Returns the number of runs of the flood's jobs.
    #[must_use]
    pub fn flooded(self) -> u64 {
        self.0.flooded.load(Ordering::Relaxed)
    }

    /// Returns when a job started.
    #[must_use]
    pub fn start_of(self, user_id: u64) -> Option<Instant> {
        self.0.starts.get(user_id as usize)?.get().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_measurement_waits_for_no_job_of_a_flood() {
        let tally = Tally::with_run_time(2, Duration::ZERO);

        for user_id in [FLOOD, 0, FLOOD + 1, 1] {
            tally.run(user_id, "welcome");
        }

        tally.finished().await.unwrap();
        assert_eq!(tally.flooded(), 2);
        assert!(tally.start_of(1).is_some() && tally.start_of(FLOOD).is_none());
    }
}
