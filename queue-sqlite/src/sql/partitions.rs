//! The statements about the partitions of shared queues.

/// A number that changes with each commit of another connection.
pub(crate) const DATA_VERSION: &str = "pragma data_version";

/// Whether any queue is shared: the first entry of the index of shared queues.
pub(crate) const ANY_SHARED: &str = "select exists (select 1 from queue_names where is_shared = 1)";

/// Whether a queue is shared: by its id.
pub(crate) const IS_SHARED: &str = "select is_shared from queue_names where queue_id = ?1";

/// Marks a queue as shared: by its id.
pub(crate) const SHARE: &str = "update queue_names set is_shared = 1 where queue_id = ?1";

/// A shared queue as a whole: by its id.
pub(crate) const TOTAL: &str = "
    select ready, running, turn, free_at, has_limits, max_running, starts, per, burst, weight
    from queue_totals where queue_id = ?1";

/// Counts the jobs of a queue that has become shared, in both tables. The available ones are those under the number of the queue in
/// the index of ready jobs. The executing ones are found by a walk over all executing jobs.
pub(crate) const COUNT_TOTAL: &str = "
    insert into queue_totals (queue_id, ready, running, turn, free_at, has_limits, weight)
    select ?1, (select count(*) from queue_jobs where partition_id = ?1 and state = 1),
        (select count(*) from queue_jobs where queue_id = ?1 and state = 2 and state < 4 and state_time is not null), 0, 0, 0, 1";
pub(crate) const COUNT_UNNAMED: &str = "
    insert into queue_partitions (partition_id, queue_id, name, ready, running, turn, free_at, is_held, weight)
    select ?1, ?1, '', ready, running, 0, 0, 0, 1 from queue_totals where queue_id = ?1";

/// Stores the counts of a shared queue: by its id.
pub(crate) const STORE_TOTAL: &str =
    "update queue_totals set ready = ?2, running = ?3, turn = ?4, free_at = ?5 where queue_id = ?1";

/// The columns of a partition, in the order in which `table/partitions.rs` reads them.
macro_rules! partition {
    () => {
        "select partition_id, name, ready, running, turn, free_at, max_running, starts, per, burst, weight from queue_partitions "
    };
}

/// A partition by its name: by the unique index.
pub(crate) const PARTITION: &str = concat!(partition!(), "where queue_id = ?1 and name = ?2");

/// The named partitions of a queue with ready jobs, or one of them: a walk over the partitions of the queue.
pub(crate) const READY_NAMED: &str = "
    select partition_id, ready from queue_partitions
    where queue_id = ?1 and partition_id < 0 and ready > 0 and (?2 is null or name = ?2)";

/// Creates a partition. Its number is the next negative one: the first entry of the table.
pub(crate) const INSERT_PARTITION: &str = "
    insert into queue_partitions
        (partition_id, queue_id, name, ready, running, turn, free_at, is_held, max_running, starts, per, burst, weight)
    values ((select min(0, coalesce(min(partition_id), 0)) - 1 from queue_partitions), ?1, ?2, 0, 0, 0, 0, 0, ?3, ?4, ?5, ?6, ?7)
    returning partition_id";

/// Stores the counts of a partition: by its number.
pub(crate) const STORE_PARTITION: &str = "
    update queue_partitions set ready = ?2, running = ?3, turn = ?4, free_at = ?5, is_held = ?6 where partition_id = ?1";

/// The condition of the indexes of the partitions that may start a job now, with 0, or later, with 1.
macro_rules! may_start {
    ($is_held:literal) => {
        concat!("ready > 0 and is_held = ", $is_held, " and running < coalesce(max_running, 4294967296)")
    };
}

/// Opens the partitions of a queue whose time has come: a walk over the first of those that are held.
pub(crate) const OPEN_HELD: &str = concat!(
    "update queue_partitions set is_held = 0 where queue_id = ?1 and free_at <= ?2 and ",
    may_start!(1)
);

/// The partitions of a queue that may start a job by their stored counts, in the order in which they are served: a walk over the
/// first of them.
pub(crate) const OPEN: &str = concat!(
    partition!(),
    "where queue_id = ?1 and ",
    may_start!(0),
    " order by running * 1000000 / weight, turn limit ?2"
);

/// When the first partition of a queue may start a job: the first one that is open, and the first one that is held.
pub(crate) const NEXT_START: &str = concat!(
    "select t.ready, t.running, t.turn, t.free_at, t.has_limits, t.max_running, t.starts, t.per, t.burst, t.weight,
        (select free_at from queue_partitions where queue_id = ?1 and ",
    may_start!(0),
    " order by running * 1000000 / weight, turn limit 1),
        (select free_at from queue_partitions where queue_id = ?1 and ",
    may_start!(1),
    " order by free_at limit 1)
    from queue_totals t where t.queue_id = ?1"
);

/// Leases a job of a shared queue: by `seq`.
pub(crate) const LEASE_JOB: &str = "
    update queue_jobs set
        state = 2, attempt = attempt + 1, fence = fence + 1, claimed_at = ?2, state_time = ?3, worker_id = ?4, lease_on_discard = ?5
    where seq = ?1";

/// The place of a job: by `seq`.
pub(crate) const PLACE: &str =
    "select seq, queue_id, partition, partition_id, state from queue_jobs where seq = ?1";

/// The state of a job: by `seq`.
pub(crate) const STATE_OF: &str = "select state from queue_jobs where seq = ?1";

/// Moves a job to the present number of its partition: by `seq`.
pub(crate) const MOVE: &str = "update queue_jobs set partition_id = ?2 where seq = ?1";

/// Promotes the due jobs of the queues that are not shared: a walk over the jobs of that state by time, up to now.
pub(crate) const PROMOTE_PLAIN: &str = "
    update queue_jobs set state = 1, state_time = null
    where state = ?1 and state < 4 and state_time <= ?2
        and queue_id not in (select queue_id from queue_names where is_shared = 1)";

/// The due jobs of the shared queues in one waiting state: a walk over the jobs of that state by time, up to now.
pub(crate) const DUE: &str = "
    select state_time, seq, queue_id, partition, partition_id, state from queue_jobs
    where state = ?1 and state < 4 and state_time <= ?2
        and queue_id in (select queue_id from queue_names where is_shared = 1)
    order by state_time";

/// Promotes a due job: by `seq`.
pub(crate) const PROMOTE: &str = "
    update queue_jobs set state = 1, state_time = null, partition_id = ?2 where seq = ?1";

/// The named partitions behind a number, in the order in which they were created: a walk over a range of the table.
pub(crate) const NEXT_IDLE: &str = "
    select partition_id, ready, running, free_at, max_running, starts, per, burst, weight from queue_partitions
    where partition_id < ?1 order by partition_id desc limit ?2";

/// Deletes a partition: by its number.
pub(crate) const DELETE_PARTITION: &str = "delete from queue_partitions where partition_id = ?1";
