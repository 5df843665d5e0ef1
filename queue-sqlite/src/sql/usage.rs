//! The statements of the usage of limits.

/// A queue: its number, and whether it is shared.
pub(crate) const QUEUE: &str = "select queue_id, is_shared from queue_names where name = ?1";

/// The partitions of a shared queue with jobs or with a start in the future, or one of them: a walk over the partitions of the queue.
pub(crate) const PARTITIONS: &str = "
    select partition_id, name, ready, running, turn, free_at, max_running, starts, per, burst, weight from queue_partitions
    where queue_id = ?1 and (ready > 0 or running > 0 or free_at > ?2) and (?3 is null or name = ?3)";

/// The jobs of a queue that is not shared: a walk over its ready jobs, and one over all executing jobs.
pub(crate) const COUNT: &str = "
    select (select count(*) from queue_jobs where partition_id = ?1 and state = 1),
        (select count(*) from queue_jobs where queue_id = ?1 and state = 2 and state < 4 and state_time is not null)";

/// The jobs of a queue that are due, by their partitions: a walk over the jobs of one waiting state by time, up to now.
pub(crate) const DUE: &str = "
    select partition, count(*) from queue_jobs
    where queue_id = ?1 and state = ?2 and state <> 2 and state_time <= ?3 group by partition";

/// The jobs of a queue whose leases have expired: a walk over all executing jobs by time, up to now.
pub(crate) const EXPIRED: &str = "
    select partition, cancel_reason is not null, attempt, max_attempts from queue_jobs
    where queue_id = ?1 and state = 2 and state < 4 and state_time <= ?2";
