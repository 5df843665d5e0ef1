//! The statements about workers. Their table is small.

/// Finds a worker: by the unique index on its name.
pub(crate) const FIND_WORKER: &str = "select worker_id from queue_workers where name = ?1";

/// Inserts a worker that a claim names before it has announced itself.
pub(crate) const INSERT_WORKER: &str = "insert into queue_workers (name) values (?1) returning worker_id";

/// Stores an announcement: by the unique index on the name.
pub(crate) const ANNOUNCE: &str = "
    insert into queue_workers (name, seen_at, expires_at, details) values (?1, ?2, ?3, ?4)
    on conflict (name) do update set seen_at = excluded.seen_at, expires_at = excluded.expires_at, details = excluded.details";

/// Records that a worker has stopped: by the unique index on the name.
pub(crate) const LEAVE: &str = "
    update queue_workers set seen_at = null, expires_at = null, details = null where name = ?1";

/// Whether there is a worker to delete: ?1 is an hour ago, ?2 is now, ?3 is the maximum number of vanished workers that are kept.
pub(crate) const ANY_OLD_WORKER: &str = "
    select 1 where exists (select 1 from queue_workers where coalesce(expires_at, ?1) <= ?1)
        or (select count(*) from queue_workers where expires_at <= ?2) > ?3";

/// Deletes the workers that hold no lease, and that have stopped, vanished long ago, or are not among the last that vanished. Reads
/// the executing jobs.
pub(crate) const FORGET_WORKERS: &str = "
    delete from queue_workers
    where (coalesce(expires_at, ?1) <= ?1 or worker_id in (
            select worker_id from queue_workers where expires_at <= ?2 order by expires_at desc, name limit -1 offset ?3))
        and worker_id not in (
            select worker_id from queue_jobs
            where state = 2 and state < 4 and state_time is not null and worker_id is not null)";

/// The announcements.
pub(crate) const WORKERS: &str = "select details, seen_at from queue_workers where details is not null";
