//! Every statement that reads or writes jobs. The comment of each names the index that it uses.
//!
//! The tests in `sql/plans.rs` compare SQLite's query plans with those comments. No statement of a push, claim, renewal or
//! settlement scans a table. Only statements about finished jobs read them.
//!
//! SQLite uses a partial index only if the statement repeats the index's condition. So a statement that reads the index by time has
//! `state < 4` beside `state = ?1`, and one that reads the index by queue has `state <> 2`.
//!
//! `migrations/0001_jobs.sql` describes the tables. It lists the states by number at the table `queue_states`.

/// Finds a queue: by the unique index on its name.
pub(crate) const FIND_QUEUE: &str =
    "select queue_id, paused, is_shared, is_used from queue_names where name = ?1";

/// Inserts a queue at its first use.
pub(crate) const INSERT_QUEUE: &str = "insert into queue_names (name) values (?1) returning queue_id";

/// Inserts a queue for which only limits are stored, so that counts and summaries do not show it.
pub(crate) const INSERT_UNUSED_QUEUE: &str =
    "insert into queue_names (name, is_used) values (?1, 0) returning queue_id";

/// Notes that a queue for which only limits were stored has a job: by its id.
pub(crate) const NOTE_USE: &str = "update queue_names set is_used = 1 where queue_id = ?1";

/// Finds a job by its id: by the unique index.
pub(crate) const FIND_BY_ID: &str = "select seq from queue_jobs where id = ?1";

/// Finds the job that owns a unique key: by the partial index of owned keys.
pub(crate) const FIND_KEY_HOLDER: &str = "
    select seq, id, state, attempt, unique_until from queue_jobs
    where name = ?1 and unique_key = ?2 and owns_unique_key = 1";

/// Takes the unique key from a job: by `seq`.
pub(crate) const RELEASE_KEY: &str = "update queue_jobs set owns_unique_key = null where seq = ?1";

/// Inserts a job. Its `seq` is one more than the last, so SQLite appends to the table.
pub(crate) const INSERT_JOB: &str = "
    insert into queue_jobs
        (id, queue_id, partition, partition_id, name, state, priority, max_attempts, pushed_at, run_at, state_time, unique_key,
        unique_until, owns_unique_key, payload, meta, payload_is_external, on_discard)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, case ?6 when 0 then ?10 end, ?11, ?12, case when ?11 is not null then 1 end,
        ?13, ?14, ?15, ?16)";

/// Inserts a job with the attempts, claims and times that it had in another store.
pub(crate) const IMPORT_JOB: &str = "
    insert into queue_jobs
        (id, queue_id, partition, partition_id, name, state, priority, attempt, max_attempts, fence, pushed_at, run_at, claimed_at,
        state_time, unique_key, unique_until, owns_unique_key, payload, meta, payload_is_external, on_discard)
    values (:id, :queue_id, :partition, :partition_id, :name, :state, :priority, :attempt, :max_attempts, :fence, :pushed_at, :run_at, :claimed_at,
        case when :state in (0, 3) then :run_at end, :unique_key, :unique_until, :owns_unique_key, :payload, :meta,
        :payload_is_external, :on_discard)";

/// Inserts the payload and meta of a job that does not have them in its row.
pub(crate) const INSERT_PAYLOAD: &str = "insert into queue_payloads (seq, payload, meta) values (?1, ?2, ?3)";

/// Replaces a waiting job: by `seq`. One of the two payload statements applies.
pub(crate) const REPLACE_JOB: &str = "
    update queue_jobs set state = ?2, priority = ?3, run_at = ?4, state_time = case ?2 when 0 then ?4 end where seq = ?1";
pub(crate) const REPLACE_INLINE_PAYLOAD: &str =
    "update queue_jobs set payload = ?2 where seq = ?1 and payload_is_external is null";
pub(crate) const REPLACE_EXTERNAL_PAYLOAD: &str = "update queue_payloads set payload = ?2 where seq = ?1";

/// Moves a job's meta to `queue_payloads`, with a new payload that is too large for the row: both by `seq`.
pub(crate) const SPILL_PAYLOAD: &str =
    "insert into queue_payloads (seq, payload, meta) select seq, ?2, meta from queue_jobs where seq = ?1";
pub(crate) const CLEAR_INLINE_PAYLOAD: &str =
    "update queue_jobs set payload = null, meta = null, payload_is_external = 1 where seq = ?1";

/// The ready jobs of a partition in order: a walk from the beginning of the index of ready jobs up to the limit.
///
/// The index is in this order, so there is no sort: `seq` is the last column of every index.
pub(crate) const READY: &str = "
    select j.seq, j.id, j.name, j.attempt, j.max_attempts, j.fence, j.priority, j.pushed_at, j.run_at,
        j.payload, j.meta, j.payload_is_external is not null
    from queue_jobs j
    where j.partition_id = ?1 and j.state = 1
    order by j.priority, j.run_at, j.seq limit ?2";

/// The payload and meta of a job that does not have them in its row: by `seq`.
pub(crate) const EXTERNAL_PAYLOAD: &str = "select payload, meta from queue_payloads where seq = ?1";

/// The jobs that `READY` returns, if nothing has changed since: a walk over the same index.
macro_rules! first_ready {
    () => {
        " where seq in (
            select seq from queue_jobs where partition_id = ?1 and state = 1 order by priority, run_at, seq limit ?2)"
    };
}

/// Leases the jobs that `READY` returns: each by `seq`. One statement for all of them costs less than one for each.
pub(crate) const LEASE: &str = concat!(
    "update queue_jobs set
        state = 2, attempt = attempt + 1, fence = fence + 1, claimed_at = ?3, state_time = ?4, worker_id = ?5",
    first_ready!()
);

/// Leases the same jobs to a worker that has a default for discards.
pub(crate) const LEASE_WITH_ON_DISCARD: &str = concat!(
    "update queue_jobs set
        state = 2, attempt = attempt + 1, fence = fence + 1, claimed_at = ?3, state_time = ?4, worker_id = ?5,
        lease_on_discard = ?6",
    first_ready!()
);

/// Clears what belongs to a lease, in each statement after which a job can be claimed again. So a claim need not.
macro_rules! clear_lease {
    () => {
        "lease_on_discard = null, progress_percent = null, progress_note = null"
    };
}

/// Whether a queue is shared, and whether it has a ready job that names no partition: the first entry of its range in the index of
/// ready jobs. No row if the queue is paused.
pub(crate) const ANY_READY: &str = "
    select q.queue_id, q.is_shared, exists (select 1 from queue_jobs j where j.partition_id = q.queue_id and j.state = 1)
    from queue_names q where q.name = ?1 and q.paused = 0";

/// Promotes the due jobs of a waiting state to available, if no queue is shared: a walk over the jobs of that state by time, up to
/// now.
pub(crate) const PROMOTE_DUE: &str =
    "update queue_jobs set state = 1, state_time = null where state = ?1 and state < 4 and state_time <= ?2";

/// The leases that have expired: a walk over the executing jobs by time, up to now.
pub(crate) const EXPIRED_LEASES: &str = "
    select seq, fence, attempt, max_attempts, state_time, cancel_reason is not null, id, coalesce(on_discard, lease_on_discard),
        queue_id, name, claimed_at, partition, partition_id
    from queue_jobs
    where state = 2 and state < 4 and state_time <= ?1 order by state_time";

/// Ends an expired lease: by `seq`.
pub(crate) const EXPIRE_LEASE: &str = concat!(
    "update queue_jobs set state = ?2, state_time = case ?2 when 1 then null else state_time end, ",
    clear_lease!(),
    " where seq = ?1"
);

/// The earliest due time or expiry in a state, and whether any queue is shared: the first entry of that state by time, and the first
/// of the shared queues.
pub(crate) const NEXT_STATE_TIME: &str = "
    select (select state_time from queue_jobs where state = ?1 and state < 4 and state_time is not null order by state_time limit 1),
        exists (select 1 from queue_names where is_shared = 1)";

/// Extends a lease if it is current: by the job's id.
pub(crate) const RENEW: &str = "
    update queue_jobs set state_time = ?3 where id = ?1 and fence = ?2 and state = 2
    returning cancel_reason";

/// Extends a lease and stores the progress of the job, if the lease is current: by the job's id.
pub(crate) const RENEW_WITH_PROGRESS: &str = "
    update queue_jobs set state_time = ?3, progress_percent = ?4, progress_note = ?5
    where id = ?1 and fence = ?2 and state = 2
    returning cancel_reason";

/// Finds the job of a lease that is current: by the job's id.
pub(crate) const FIND_LEASED: &str = "
    select seq, queue_id, name, claimed_at, attempt, partition, partition_id from queue_jobs
    where id = ?1 and fence = ?2 and state = 2";

// The six transitions of a settlement, the first one without a result and with one. Each changes the job of the row `seq`, if that
// is the job of the lease, and the lease is current. Three of them would run the job again; if a cancel was requested, they cancel
// the job instead.

/// The condition of a settlement: by `seq`. Another job has the row if an operator has deleted the job of the lease.
macro_rules! is_leased {
    () => {
        " where seq = ?1 and id = ?2 and fence = ?3 and state = 2"
    };
}

pub(crate) const COMPLETE: &str = concat!("update queue_jobs set state = 4, state_time = ?4", is_leased!());
pub(crate) const COMPLETE_WITH_RESULT: &str =
    concat!("update queue_jobs set state = 4, state_time = ?4, result = ?5", is_leased!());
pub(crate) const DISCARD: &str = concat!("update queue_jobs set state = 5, state_time = ?4", is_leased!());
pub(crate) const CANCEL: &str =
    concat!("update queue_jobs set state = 6, state_time = ?4, cancel_reason = ?5", is_leased!());
pub(crate) const RETRY: &str = concat!(
    "update queue_jobs set
        state = case when cancel_reason is not null then 6 when ?5 > ?4 then 3 else 1 end,
        run_at = case when cancel_reason is not null then run_at else max(?4, ?5) end,
        state_time = case when cancel_reason is not null then ?4 when ?5 > ?4 then ?5 end, ",
    clear_lease!(),
    is_leased!()
);
pub(crate) const SNOOZE: &str = concat!(
    "update queue_jobs set
        state = case when cancel_reason is not null then 6 when ?5 > ?4 then 0 else 1 end,
        run_at = case when cancel_reason is not null then run_at else max(?4, ?5) end,
        state_time = case when cancel_reason is not null then ?4 when ?5 > ?4 then ?5 end,
        attempt = max(attempt - 1, 0), ",
    clear_lease!(),
    is_leased!()
);
pub(crate) const RELEASE: &str = concat!(
    "update queue_jobs set
        state = case when cancel_reason is not null then 6 else 1 end,
        state_time = case when cancel_reason is not null then ?4 end,
        attempt = max(attempt - 1, 0), ",
    clear_lease!(),
    is_leased!()
);

/// The job to store if a leased job is discarded: by `seq`.
pub(crate) const ON_DISCARD: &str =
    "select coalesce(on_discard, lease_on_discard) from queue_jobs where seq = ?1";

/// Inserts a failed attempt of a job: by its primary key.
pub(crate) const INSERT_FAILURE: &str =
    "insert into queue_failures (seq, fence, attempt, failed_at, message) values (?1, ?2, ?3, ?4, ?5)";

/// Removes all but the newest failed attempts of a job: two walks over those of this job.
pub(crate) const TRIM_FAILURES: &str = "
    delete from queue_failures where seq = ?1 and fence <=
        (select fence from queue_failures where seq = ?1 order by fence desc limit 1 offset ?2)";

/// Finds the job of an operator's request: by id. The requests change it by `seq`.
pub(crate) const FIND_FOR_OPERATOR: &str = "
    select seq, state, name, unique_key, unique_until from queue_jobs where id = ?1";
pub(crate) const REQUEST_CANCEL: &str = "update queue_jobs set cancel_reason = ?2 where seq = ?1";
pub(crate) const CANCEL_WAITING: &str =
    "update queue_jobs set state = 6, state_time = ?2, cancel_reason = ?3 where seq = ?1";
pub(crate) const RETRY_BY_OPERATOR: &str = concat!(
    "update queue_jobs set
        state = 1, run_at = ?2, state_time = null, max_attempts = max(max_attempts, attempt + 1), cancel_reason = null,
        result = null, owns_unique_key = case when state >= 4 and unique_key is not null then 1 else owns_unique_key end, ",
    clear_lease!(),
    " where seq = ?1"
);
pub(crate) const SET_PAUSED: &str = "
    insert into queue_names (name, paused) values (?1, ?2)
    on conflict (name) do update set paused = excluded.paused, is_used = 1";

/// The jobs of a queue in one finished state that finished first: a walk from the beginning of that state in the index by queue.
pub(crate) const OLDEST_FINISHED: &str = "
    select seq, state_time from queue_jobs
    where queue_id = ?1 and state = ?2 and state <> 2 and state_time <= ?3 order by state_time, seq limit ?4";
pub(crate) const QUEUE_IDS: &str = "select queue_id from queue_names";

/// Deletes a job: each by `seq`.
pub(crate) const DELETE_JOB: &str = "delete from queue_jobs where seq = ?1";
pub(crate) const DELETE_PAYLOAD: &str = "delete from queue_payloads where seq = ?1";
pub(crate) const DELETE_FAILURES: &str = "delete from queue_failures where seq = ?1";

/// The failed attempts of a job, oldest first: a walk over those of this job.
pub(crate) const FAILURES: &str =
    "select attempt, failed_at, message from queue_failures where seq = ?1 order by fence";

/// Selects the columns of a job record, in the order in which `rows.rs` reads them.
macro_rules! record {
    () => {
        "select j.seq, j.id, j.name, q.name, j.state, j.priority, j.attempt, j.max_attempts, j.fence, j.pushed_at,
            j.run_at, j.claimed_at, j.state_time, j.unique_key, j.cancel_reason, j.payload,
            j.meta, j.payload_is_external is not null,
            case when j.state = 2 then (select name from queue_workers where worker_id = j.worker_id) end,
            j.result, j.progress_percent, j.progress_note, j.on_discard,
            case when j.owns_unique_key = 1 then j.unique_until end, j.partition
        from queue_jobs j cross join queue_names q on q.queue_id = j.queue_id "
    };
}

/// The state of a job at the time `:now`. The stored state may be older: due times and expired leases count before the
/// writer has applied them. `JobRecord::as_of` does the same to a record.
macro_rules! state_now {
    () => {
        "case when j.state in (0, 3) and j.run_at <= :now then 1
            when j.state = 2 and j.state_time <= :now then case
                when j.cancel_reason is not null then 6 when j.attempt >= j.max_attempts then 5 else 1 end
            else j.state end"
    };
}

/// One job: by id.
pub(crate) const GET: &str = concat!(record!(), "where j.id = ?1");

/// The state of one job, and the columns that decide its state after an expired lease: by id.
pub(crate) const STATE: &str = "select state, state_time, cancel_reason is not null, attempt, max_attempts from queue_jobs where id = ?1";

/// One job of a list: by `seq`. `sql/list.rs` builds the statements that find the jobs of a list.
pub(crate) const RECORD: &str = concat!(record!(), "where j.seq = ?1");

/// The next priority of the ready jobs of a partition: the first entry behind the last priority in the index of ready jobs.
pub(crate) const NEXT_PRIORITY: &str = "
    select priority from queue_jobs where partition_id = ?1 and state = 1 and priority > ?2 order by priority limit 1";

/// The number of jobs in each queue and state. Reads every job, so it is for operators.
pub(crate) const COUNTS: &str =
    concat!("select j.queue_id, ", state_now!(), ", count(*) from queue_jobs j group by 1, 2");
pub(crate) const QUEUES: &str =
    "select queue_id, name, paused from queue_names where is_used = 1 order by name";

pub(crate) mod history;
pub(crate) mod limits;
pub(crate) mod list;
pub(crate) mod partitions;
#[cfg(test)]
mod plans;
pub(crate) mod summary;
pub(crate) mod usage;
pub(crate) mod workers;
