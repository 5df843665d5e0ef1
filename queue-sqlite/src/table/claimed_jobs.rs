//! The jobs that a connection has claimed, so that a settlement need not search for them.

use std::collections::HashMap;

use queue_core::{Fence, JobId, Lease, Partition, State};
use rusqlite::{Result, Row};

use super::history::CountedJob;
use super::partitions::JobPlace;
use crate::rows::{self, Seq};

/// The greatest number of jobs in the map. A caller that claims jobs and never settles them fills it.
const CAPACITY: usize = 100_000;

/// A claimed job, as far as a settlement needs it. All of it stays the same as long as the lease is current.
pub(super) struct ClaimedJob {
    pub(super) seq: Seq,
    pub(super) attempt: u32,
    pub(super) counted: CountedJob,
    pub(super) partition: Partition,
    pub(super) partition_id: i64,
}

impl ClaimedJob {
    /// Reads a row of `FIND_LEASED`.
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            attempt: row.get(4)?,
            counted: CountedJob::read(row, 1)?,
            partition: rows::partition(row, 5)?,
            partition_id: row.get(6)?,
        })
    }

    /// Returns where the job is counted while its lease is current.
    pub(super) fn place(&self) -> JobPlace {
        JobPlace {
            seq: self.seq,
            queue_id: self.counted.queue_id(),
            partition: self.partition.clone(),
            partition_id: self.partition_id,
            state: State::Executing,
        }
    }
}

/// The claimed jobs by id.
///
/// It is a hint. A transaction that claimed may have been rolled back, and a lease may have ended since. So a settlement checks the
/// lease in the row, and searches the table for a job that is not here.
#[derive(Default)]
pub(super) struct ClaimedJobs(HashMap<JobId, (Fence, ClaimedJob)>);

impl ClaimedJobs {
    /// Adds the job of a lease. If the map is full, forgets all others.
    pub(super) fn insert(&mut self, lease: &Lease, job: ClaimedJob) {
        if self.0.len() >= CAPACITY {
            self.0.clear();
        }
        self.0.insert(lease.job, (lease.fence, job));
    }

    /// Removes the job of a lease and returns it.
    pub(super) fn take(&mut self, lease: &Lease) -> Option<ClaimedJob> {
        let (fence, job) = self.0.remove(&lease.job)?;
        (fence == lease.fence).then_some(job)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use queue_core::{JobName, Timestamp};

    use super::*;

    fn lease(job: JobId, fence: u64) -> Lease {
        Lease::new(job, Fence(fence), Duration::from_secs(1), Timestamp::EPOCH)
    }

    fn job(seq: Seq) -> ClaimedJob {
        let counted = CountedJob::new(1, JobName::new("job"), Timestamp::EPOCH);
        ClaimedJob { seq, attempt: 1, counted, partition: Partition::NONE, partition_id: 1 }
    }

    #[test]
    fn a_job_is_found_once_and_by_its_newest_lease_only() {
        let mut jobs = ClaimedJobs::default();
        let id = JobId::random();
        jobs.insert(&lease(id, 1), job(7));
        jobs.insert(&lease(id, 2), job(7));

        assert!(jobs.take(&lease(JobId::random(), 2)).is_none());
        assert_eq!(jobs.take(&lease(id, 2)).map(|job| job.seq), Some(7));
        assert!(jobs.take(&lease(id, 2)).is_none());

        jobs.insert(&lease(id, 2), job(7));
        assert!(jobs.take(&lease(id, 1)).is_none(), "of an earlier lease");
    }

    #[test]
    fn jobs_that_are_never_settled_do_not_fill_memory() {
        let mut jobs = ClaimedJobs::default();

        for seq in 0..250_000 {
            jobs.insert(&lease(JobId::random(), 1), job(seq));
            assert!(jobs.0.len() <= CAPACITY);
        }
    }
}
