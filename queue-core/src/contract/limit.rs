//! A limit on the jobs of a queue or a partition.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contract::error::QueueError;
use crate::contract::partition::Partition;
use crate::contract::rate::Rate;

/// A limit on the jobs of a queue or a partition: how many run at once, and how many start in a window of time.
///
/// It counts in the whole store, over all workers. A job runs while its lease lasts, so a worker that dies frees its places when
/// its leases end. A start is a delivery; it is counted also if the job then fails or is released.
///
/// ```
/// use queue_core::Limit;
/// use std::time::Duration;
///
/// let limit = Limit::running(4).and_starts(100, Duration::from_secs(60));
///
/// assert_eq!(limit.to_string(), "4 at once, 100 starts per 60s");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Limit {
    /// The maximum number of jobs that run at once. `None` sets no limit, zero pauses.
    pub running: Option<u32>,
    /// The maximum number of starts in a window of time. `None` sets no limit.
    pub rate: Option<Rate>,
    /// The share of a partition: one of weight 2 has twice as many running jobs as one of weight 1 while both have jobs that wait.
    /// It means nothing for a queue as a whole.
    pub weight: u32,
}

impl Limit {
    /// No limit, and a weight of 1.
    pub const NONE: Self = Self { running: None, rate: None, weight: 1 };

    /// The greatest weight.
    pub const MAX_WEIGHT: u32 = 1_000;

    /// The longest window of a rate: 366 days.
    pub const MAX_PER: Duration = Duration::from_secs(366 * 24 * 60 * 60);

    /// Creates a limit on the jobs that run at once. Zero lets none start.
    #[must_use]
    pub const fn running(jobs: u32) -> Self {
        Self { running: Some(jobs), ..Self::NONE }
    }

    /// Creates a limit on the starts in any window of length `per`.
    #[must_use]
    pub const fn starts(starts: u32, per: Duration) -> Self {
        Self { rate: Some(Rate::new(starts, per)), ..Self::NONE }
    }

    /// Creates a weight without a limit.
    #[must_use]
    pub const fn weight(weight: u32) -> Self {
        Self { weight, ..Self::NONE }
    }

    /// Sets the maximum number of jobs that run at once.
    #[must_use]
    pub const fn and_running(mut self, jobs: u32) -> Self {
        self.running = Some(jobs);
        self
    }

    /// Sets the maximum number of starts in any window of length `per`.
    #[must_use]
    pub const fn and_starts(mut self, starts: u32, per: Duration) -> Self {
        self.rate = Some(Rate::new(starts, per));
        self
    }

    /// Sets how many jobs may start at once after a pause: by default one. See [`Rate`]. It has no effect without a limit on starts.
    #[must_use]
    pub const fn burst(mut self, burst: u32) -> Self {
        if let Some(rate) = &mut self.rate {
            rate.burst = burst;
        }
        self
    }

    /// Sets the weight.
    #[must_use]
    pub const fn and_weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Checks the values.
    ///
    /// # Errors
    ///
    /// `Invalid`, with the field, its value and the allowed values.
    pub fn check(&self) -> Result<(), QueueError> {
        let invalid = |text: String| Err(QueueError::invalid(text));
        if !(1..=Self::MAX_WEIGHT).contains(&self.weight) {
            return invalid(format!(
                "`weight` is {}, and must be from 1 to {}",
                self.weight,
                Self::MAX_WEIGHT
            ));
        }
        let Some(rate) = self.rate else { return Ok(()) };
        if rate.starts == 0 {
            return invalid(
                "`starts` is 0, and must be at least 1: to let no job start, use `running(0)`".to_owned(),
            );
        }
        if rate.per < Duration::from_micros(1) || rate.per > Self::MAX_PER {
            return invalid(format!("`per` is {:?}, and must be from 1 µs to 366 days", rate.per));
        }
        if rate.burst == 0 || rate.burst > rate.starts {
            return invalid(format!(
                "`burst` is {}, and must be from 1 to `starts`, {}",
                rate.burst, rate.starts
            ));
        }
        Ok(())
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self::NONE
    }
}

/// Writes the limit in words: `4 at once, 100 starts per 60s, weight 2`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.running.map(|jobs| format!("{jobs} at once"));
        let rate = self.rate.map(|rate| {
            let burst = if rate.burst == 1 { String::new() } else { format!(" (burst {})", rate.burst) };
            format!("{} starts per {:?}{burst}", rate.starts, rate.per)
        });
        let weight = (self.weight != 1).then(|| format!("weight {}", self.weight));
        let parts: Vec<_> = [running, rate, weight].into_iter().flatten().collect();
        f.pad(&if parts.is_empty() { "no limit".to_owned() } else { parts.join(", ") })
    }
}

/// The part of a queue that a limit binds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LimitScope {
    /// All jobs of the queue together.
    Total,
    /// Each partition of the queue that has no limit of its own, [`Partition::NONE`] included.
    Each,
    /// One partition of the queue, instead of the limit of each.
    One(Partition),
}

/// Writes the scope in words: `the queue`, `each partition`, `partition acme`.
impl fmt::Display for LimitScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Total => f.pad("the queue"),
            Self::Each => f.pad("each partition"),
            Self::One(partition) if partition.is_none() => f.pad("jobs without a partition"),
            Self::One(partition) => f.pad(&format!("partition {partition}")),
        }
    }
}
