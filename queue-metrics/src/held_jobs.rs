//! The ready jobs that limits hold back.

use queue_core::admin::{QueueUsage, Usage};

/// The ready jobs of a queue that may not start now, because the queue or their partition is at a limit.
///
/// It agrees with [`Admin::explain`](queue_core::Admin::explain): a part of a queue that may start one job holds none back, and its
/// other ready jobs wait for a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeldJobs {
    /// As many jobs run as a limit allows.
    running: Held,
    /// The next start is in the future, by a limit on starts or because a job asked for a wait.
    rate: Held,
}

/// The ready jobs and the partitions of a queue that one kind of limit holds back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// The number of ready jobs.
    pub(crate) jobs: u64,
    /// The number of partitions that are at their own limit and have ready jobs.
    pub(crate) partitions: u64,
}

impl HeldJobs {
    /// Creates it from the use of a queue, with all partitions.
    pub(crate) fn of(usage: &QueueUsage) -> Self {
        let mut held = Self::default();
        for partition in usage.partitions.iter().filter(|partition| partition.usage.ready > 0) {
            if let Some(of_limit) = held.at_limit(&partition.usage) {
                of_limit.jobs += partition.usage.ready;
                of_limit.partitions += 1;
            }
        }
        // The limit of the queue holds the jobs back that no partition does.
        let by_partitions = held.running.jobs + held.rate.jobs;
        if let Some(of_limit) = held.at_limit(&usage.total) {
            of_limit.jobs += usage.total.ready.saturating_sub(by_partitions);
        }
        held
    }

    /// Returns what each kind of limit holds back, with the value of the label `limit`.
    pub(crate) const fn by_limit(&self) -> [(&'static str, Held); 2] {
        [("running", self.running), ("rate", self.rate)]
    }

    /// Returns the count of the limit that lets no job of a part of the queue start. If both do, it is that on running jobs.
    fn at_limit(&mut self, usage: &Usage) -> Option<&mut Held> {
        if usage.is_full() {
            Some(&mut self.running)
        } else if usage.next_start.is_some() {
            Some(&mut self.rate)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use queue_core::admin::{PartitionUsage, UsageRequest};
    use queue_core::{Limit, Timestamp};

    use super::*;

    fn held(total: Usage, partitions: &[(&str, Usage)]) -> [(u64, u64); 2] {
        let partitions =
            partitions.iter().map(|(name, usage)| PartitionUsage::new((*name).into(), *usage)).collect();
        let usage = QueueUsage::new(&UsageRequest::of("mail"), Timestamp::EPOCH, total, partitions);
        HeldJobs::of(&usage).by_limit().map(|(_, held)| (held.jobs, held.partitions))
    }

    #[test]
    fn a_ready_job_counts_once_by_the_limit_that_holds_it() {
        let (free, full) = (Limit::NONE, Limit::running(2));
        let later = Some(Timestamp::from_micros(1));
        let partitions = [
            ("free", Usage::new(1, 9, free, None)),
            ("room", Usage::new(10, 1, full, None)),
            ("full", Usage::new(100, 2, full, None)),
            ("early", Usage::new(1_000, 0, free, later)),
            ("both", Usage::new(10_000, 3, full, later)),
            ("empty", Usage::new(0, 2, full, later)),
        ];
        let (ready, running) = (11_111, 17);

        for (total, expected) in [
            (Usage::new(ready, running, free, None), [(10_100, 2), (1_000, 1)]),
            (Usage::new(ready, running, Limit::running(17), later), [(10_111, 2), (1_000, 1)]),
            (Usage::new(ready, running, free, later), [(10_100, 2), (1_011, 1)]),
        ] {
            assert_eq!(held(total, &partitions), expected, "{total:?}");
        }
    }

    #[test]
    fn a_partition_that_is_paused_by_a_limit_of_zero_is_at_its_limit() {
        let paused = Usage::new(3, 0, Limit::running(0), None);

        assert_eq!(held(Usage::new(3, 0, Limit::NONE, None), &[("acme", paused)]), [(3, 1), (0, 0)]);
    }
}
