//! How far a queue and its partitions use their limits.

use serde::{Deserialize, Serialize};

use crate::contract::clock::Timestamp;
use crate::contract::limit::Limit;
use crate::contract::name::QueueName;
use crate::contract::partition::Partition;

/// Selects the partitions of a queue for [`Admin::usage`](crate::Admin::usage).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsageRequest {
    /// The queue.
    pub queue: QueueName,
    /// Returns only this partition.
    pub partition: Option<Partition>,
    /// The maximum number of partitions.
    pub limit: usize,
}

impl UsageRequest {
    /// Requests the fullest 100 partitions of a queue.
    pub fn of(queue: impl Into<QueueName>) -> Self {
        Self { queue: queue.into(), partition: None, limit: 100 }
    }

    /// Requests one partition.
    #[must_use]
    pub fn partition(mut self, partition: impl Into<Partition>) -> Self {
        self.partition = Some(partition.into());
        self
    }

    /// Sets the maximum number of partitions.
    #[must_use]
    pub const fn limit(mut self, partitions: usize) -> Self {
        self.limit = partitions;
        self
    }
}

/// How far a queue and its partitions use their limits, at one instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QueueUsage {
    /// The queue.
    pub queue: QueueName,
    /// When this was read, by the backend's clock.
    pub at: Timestamp,
    /// The queue as a whole.
    pub total: Usage,
    /// Its partitions that have ready or running jobs or cannot start one yet, the fullest first: see [`Usage::fullness`].
    pub partitions: Vec<PartitionUsage>,
}

impl QueueUsage {
    /// Creates it from all partitions of a queue: keeps those that the request selects, in order.
    #[must_use]
    pub fn new(request: &UsageRequest, at: Timestamp, total: Usage, partitions: Vec<PartitionUsage>) -> Self {
        let mut partitions = partitions;
        if let Some(wanted) = &request.partition {
            partitions.retain(|partition| partition.partition == *wanted);
        }
        partitions.sort_by(|a, b| {
            let (full, fuller) = (a.usage.fullness(), b.usage.fullness());
            fuller
                .total_cmp(&full)
                .then_with(|| b.usage.ready.cmp(&a.usage.ready))
                .then_with(|| a.partition.cmp(&b.partition))
        });
        partitions.truncate(request.limit);
        Self { queue: request.queue.clone(), at, total, partitions }
    }
}

/// How far one partition uses its limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PartitionUsage {
    /// The partition.
    pub partition: Partition,
    /// Its jobs and its limit.
    #[serde(flatten)]
    pub usage: Usage,
}

impl PartitionUsage {
    /// Creates it from its parts.
    #[must_use]
    pub const fn new(partition: Partition, usage: Usage) -> Self {
        Self { partition, usage }
    }
}

/// The jobs of a queue or a partition, and the limit in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// The number of ready jobs.
    pub ready: u64,
    /// The number of running jobs: those whose leases last.
    pub running: u64,
    /// The limit in force.
    pub limit: Limit,
    /// When the next job may start, if that is in the future: a rate or a hold forbids an earlier start.
    pub next_start: Option<Timestamp>,
}

impl Usage {
    /// Creates it from its parts.
    #[must_use]
    pub const fn new(ready: u64, running: u64, limit: Limit, next_start: Option<Timestamp>) -> Self {
        Self { ready, running, limit, next_start }
    }

    /// Returns whether as many jobs run as the limit allows.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.limit.running.is_some_and(|most| self.running >= u64::from(most))
    }

    /// Returns the running jobs as a share of those that the limit allows: 1 if as many run. Without such a limit, 1 while the
    /// next start has to wait, otherwise 0.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
    pub fn fullness(&self) -> f64 {
        match self.limit.running {
            Some(most) if self.running < u64::from(most) => self.running as f64 / f64::from(most),
            Some(_) => 1.0,
            None if self.next_start.is_some() => 1.0,
            None => 0.0,
        }
    }
}
