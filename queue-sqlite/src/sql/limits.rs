//! The statements about limits.

/// Selects the limit in force of a partition: its own, otherwise that of each, and of both the one that an operator has set.
macro_rules! partition_limit {
    ($queue_id:literal, $name:literal) => {
        concat!(
            "select max_running, starts, per, burst, weight from (
                select scope, is_set, max_running, starts, per, burst, weight from queue_limits
                where queue_id = ",
            $queue_id,
            " and scope = 2 and partition = ",
            $name,
            "
                union all select scope, is_set, max_running, starts, per, burst, weight from queue_limits
                where queue_id = ",
            $queue_id,
            " and scope = 1 and partition = ''
                union all select 0, 0, null, null, null, null, 1)
            order by scope desc, is_set desc limit 1"
        )
    };
}

/// The limits of a queue: the queue's own first, then that of each partition, then those of partitions by name, and for each the
/// declared one before the one that an operator has set. A walk over the primary key.
pub(crate) const LIMITS: &str = "
    select scope, partition, is_set, max_running, starts, per, burst, weight from queue_limits
    where queue_id = (select queue_id from queue_names where name = ?1)
    order by scope, partition, is_set";

/// Stores a limit, instead of the one that was stored: by the primary key.
pub(crate) const STORE_LIMIT: &str = "
    insert or replace into queue_limits (queue_id, scope, partition, is_set, max_running, starts, per, burst, weight)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/// Removes the limit that an operator has set: by the primary key.
pub(crate) const TAKE_BACK_LIMIT: &str =
    "delete from queue_limits where queue_id = ?1 and scope = ?2 and partition = ?3 and is_set = 1";

/// Removes the declared limits of a queue: a walk over its limits.
pub(crate) const REMOVE_DECLARED: &str = "delete from queue_limits where queue_id = ?1 and is_set = 0";

/// The limit in force of a partition by name, or the default if there is none: two searches by the primary key.
pub(crate) const PARTITION_LIMIT: &str = partition_limit!("?1", "?2");

/// Applies the limits in force to a queue as a whole: by its id.
pub(crate) const APPLY_TO_TOTAL: &str = "
    update queue_totals set
        has_limits = exists (select 1 from queue_limits where queue_id = ?1),
        (max_running, starts, per, burst, weight) = (
            select max_running, starts, per, burst, weight from (
                select is_set, max_running, starts, per, burst, weight from queue_limits
                where queue_id = ?1 and scope = 0 and partition = ''
                union all select -1, null, null, null, null, 1)
            order by is_set desc limit 1)
    where queue_id = ?1";

/// Applies the limits in force to the partitions of a queue, or to one of them: a walk over them, each with two searches by the
/// primary key.
pub(crate) const APPLY_TO_PARTITIONS: &str = concat!(
    "update queue_partitions set (max_running, starts, per, burst, weight) = (",
    partition_limit!("?1", "queue_partitions.name"),
    ") where queue_id = ?1 and (?2 is null or name = ?2)"
);
