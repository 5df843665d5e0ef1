-- The tables of a job queue, in a schema of their own. The functions and the view that work on them are in `../functions`.
--
-- `PostgresQueueBuilder::migrate` runs these files. To run them by hand, start psql in the directory `queue-postgres`:
--
--     begin;
--     create schema queue;
--     set local search_path = queue, pg_temp;
--     \i migrations/0001_tables.sql
--     \i functions/time.sql
--     \i functions/workers.sql
--     \i functions/partitions.sql
--     \i functions/history.sql
--     \i functions/discard.sql
--     \i functions/expire.sql
--     \i functions/push.sql
--     \i functions/enqueue.sql
--     \i functions/rates.sql
--     \i functions/shares.sql
--     \i functions/deal.sql
--     \i functions/take.sql
--     \i functions/claim.sql
--     \i functions/renew.sql
--     \i functions/settle.sql
--     \i functions/admin.sql
--     \i functions/limits.sql
--     \i functions/ended.sql
--     \i functions/bulk.sql
--     \i functions/import.sql
--     \i functions/prune.sql
--     \i functions/summary.sql
--     \i functions/overview.sql
--     insert into schema_migrations (version) values (1);
--     commit;
--
-- No statement names a schema: each object is created in the first schema of the search path, and each function keeps the
-- search path that was set when it was created.
--
-- To upgrade by hand, do the same in an existing schema: run the numbered files whose versions `schema_migrations` lacks, in
-- order, then every file of `functions`, then insert the versions. A file whose first comment names a minimum version of
-- programs is inserted with that as its `min_program_version`.
--
-- Rules for later versions:
--
-- * A released numbered file never changes. Each change of the schema has a new one, even if only functions change: without
--   a new version, existing schemas keep the old functions.
-- * The files in `functions` are edited in place. They say `create or replace`: sessions of running programs keep calling the
--   same function, and its grants and the objects that depend on it stay.
-- * PostgreSQL cannot replace a function whose arguments or results change, nor a view that loses a column. The numbered file
--   drops these first. Run `grants.sql` again after a migration: what it created has no grants yet.
--
-- How a job moves: `jobs` has one wide row for each job. It is updated only when an attempt ends without finishing the job,
-- when the operator retries the job, and when a push replaces it. The job's state is a narrow row in exactly one of four
-- tables, and each step moves that row: from `waiting` to `ready` when the job is due, to `leases` when it is claimed, to
-- `finished` when its last attempt ends. A step therefore copies no payload, updates the indexes of two small tables only,
-- and finds its rows at the beginning of an index, however many jobs there are.
--
-- No table has foreign keys: each one would cost an index lookup and a row lock in every step. The function
-- `check_integrity` returns the rows that break the rules which foreign keys would enforce, and others.
--
-- Times are microseconds since the Unix epoch by the server's clock; `overview` shows them as timestamps.
--
-- Most functions set planner options, because the tables of states grow and shrink within seconds. Statistics from a moment
-- when such a table was empty or full would make the planner choose a sequential scan or a hash join, whose cost grows with
-- the table. With these options each statement walks an index. `force_generic_plan` plans a statement once per session, and
-- `jit` is off because compiling takes longer than these statements.

create table schema_migrations (
    version             integer     not null primary key,
    applied_at          timestamptz not null default now(),
    min_program_version integer
);
comment on table schema_migrations is 'The numbered migrations that were run.';
comment on column schema_migrations.version is 'Number of the migration file.';
comment on column schema_migrations.applied_at is 'When the migration was run.';
comment on column schema_migrations.min_program_version is
    'Lowest version of a program that works with the schema after this migration; null: the migration''s own version. The '
    'greatest of all rows counts.';

create table queues (
    id        integer generated always as identity primary key,
    name      text    collate "C" not null unique,
    paused    boolean not null default false,
    is_shared boolean not null default false
);
create index queues_shared on queues (id) where is_shared;
comment on table queues is 'The queues by name. A row is inserted when a queue is first used, and stays.';
comment on column queues.id is 'Identifies the queue in other tables.';
comment on column queues.name is 'Name of the queue.';
comment on column queues.paused is 'Whether claims skip this queue.';
comment on column queues.is_shared is
    'Whether a job of the queue has named a partition, or a limit was set: see partitions. It never becomes false again.';
comment on index queues_shared is 'Finds the few queues that are shared.';

create table jobs (
    seq          bigint  generated always as identity primary key,
    id           uuid    not null,
    pushed_at    bigint  not null,
    run_at       bigint  not null,
    claimed_at   bigint,
    fence        bigint  not null default 0,
    attempt      bigint  not null default 0,
    max_attempts bigint  not null,
    queue_id     integer not null,
    priority     integer not null,
    name         text    collate "C" not null,
    unique_key   text    collate "C",
    unique_until bigint,
    payload      text    not null,
    meta         text,
    on_discard   text,
    partition    text    collate "C"
);
create unique index jobs_id on jobs (id);
comment on table jobs is
    'All jobs, whatever their states. The state is given by the table that has a row for the job: ready, waiting, leases '
    'or finished.';
comment on column jobs.seq is 'Position in push order. Other tables refer to the job by it.';
comment on column jobs.id is 'Identity of the job, as programs know it.';
comment on column jobs.pushed_at is 'When the job was pushed.';
comment on column jobs.run_at is 'When the job is or was due.';
comment on column jobs.claimed_at is
    'Start of the last attempt that ended with the job waiting or ready again. The value of an executing or finished job '
    'is in leases or finished.';
comment on column jobs.fence is
    'Number of claims up to that attempt. The value of an executing or finished job is in leases or finished.';
comment on column jobs.attempt is
    'Number of counted attempts up to that attempt. The value of an executing or finished job is in leases or finished.';
comment on column jobs.max_attempts is 'Number of attempts after which a failed job is discarded.';
comment on column jobs.queue_id is 'The queue: queues.id.';
comment on column jobs.priority is 'Jobs with lower numbers are claimed first.';
comment on column jobs.name is 'Kind of the job: the name under which workers register its function.';
comment on column jobs.unique_key is 'Unique key that the job was pushed with, if any. It is unique among jobs of one name.';
comment on column jobs.unique_until is
    'The job holds its unique key until then, even if it finishes earlier. An unfinished job holds its key in any case.';
comment on column jobs.payload is 'Arguments of the job: JSON, byte for byte as pushed.';
comment on column jobs.meta is 'Metadata: a JSON object whose values are texts, or null if there is none.';
comment on column jobs.on_discard is
    'The job to store if this one is discarded: a JSON object with its name, queue, priority and max_attempts, and the '
    'parameter that takes the discarded job; the text null for no job; null for the default of the worker.';
comment on column jobs.partition is 'Part of the queue to which the job belongs; null if the job names none.';
comment on index jobs_id is 'Finds a job by its identity.';

-- Rows of the following four tables are inserted and deleted, and only a renewal updates one. The first three are emptied as
-- fast as they are filled, so they are vacuumed after a fixed number of dead tuples and not after a share of the table.

create table ready (
    queue_id  integer not null,
    priority  integer not null,
    run_at    bigint  not null,
    seq       bigint  not null,
    partition text    collate "C" not null default '',
    primary key (queue_id, partition, priority, run_at, seq)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = false);
comment on table ready is 'Jobs that can be claimed. The primary key is the order of claims in a partition of a queue.';
comment on column ready.queue_id is 'The queue: queues.id.';
comment on column ready.priority is 'Copy of jobs.priority.';
comment on column ready.run_at is 'Copy of jobs.run_at.';
comment on column ready.seq is 'The job: jobs.seq.';
comment on column ready.partition is 'Copy of jobs.partition; the empty text if the job names none.';

create table waiting (
    due      bigint   not null,
    seq      bigint   not null,
    state    smallint not null,
    queue_id integer  not null,
    primary key (due, seq)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = false);
create index waiting_by_queue on waiting (queue_id, state, due);
comment on table waiting is 'Jobs that are not due yet, by time.';
comment on column waiting.due is 'When the job becomes ready: a copy of jobs.run_at.';
comment on column waiting.seq is 'The job: jobs.seq.';
comment on column waiting.state is 'scheduled or retryable, as a number: see state_name().';
comment on column waiting.queue_id is 'The queue: queues.id.';
comment on index waiting_by_queue is 'Counts the jobs of a queue and state, and finds the one that is due next.';

create table leases (
    id            uuid    not null primary key,
    expires_at    bigint  not null,
    seq           bigint  not null,
    fence         bigint  not null,
    attempt       bigint  not null,
    claimed_at    bigint  not null,
    queue_id      integer not null,
    worker_id     integer,
    name          text    collate "C" not null,
    cancel_reason text,
    progress      smallint,
    progress_note text,
    on_discard    text,
    partition     text    collate "C",
    turn          bigint  not null default 0
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = false);
create index leases_expiry on leases (expires_at);
create index leases_by_partition on leases (queue_id, partition, turn) where partition is not null;
create index leases_by_turn on leases (queue_id, turn) include (partition) where partition is not null;
comment on table leases is
    'Executing jobs: each is leased to one worker, until the worker settles it or the lease expires. The primary key is '
    'jobs.id and not jobs.seq, because workers renew and settle by id, and so without reading jobs.';
comment on column leases.id is 'The job: jobs.id.';
comment on column leases.expires_at is 'When the lease expires unless it is renewed.';
comment on column leases.seq is 'The job: jobs.seq.';
comment on column leases.fence is
    'Number of claims of the job, this one included. A worker renews and settles with it, so that the lease of an earlier '
    'claim has no effect.';
comment on column leases.attempt is 'Number of the running attempt.';
comment on column leases.claimed_at is 'When the attempt started.';
comment on column leases.queue_id is 'The queue: queues.id.';
comment on column leases.worker_id is 'The worker: workers.id; null if the claim named none.';
comment on column leases.name is 'Copy of jobs.name, so that the end of an attempt is counted without reading jobs.';
comment on column leases.cancel_reason is 'Reason of a requested cancellation; null if none was requested.';
comment on column leases.progress is 'Progress that the job has reported, in percent; null if it has reported none.';
comment on column leases.progress_note is 'The job''s note on its progress.';
comment on column leases.on_discard is 'Copy of jobs.on_discard, otherwise the default of the worker, if it has one.';
comment on column leases.partition is
    'Copy of jobs.partition, or the empty text; null if the queue was not shared yet when the job was claimed.';
comment on column leases.turn is
    'When a claim of a shared queue took the job, or when the queue became shared, in the numbers of shares.turn. Zero before that.';
comment on index leases_expiry is 'Finds expired leases.';
comment on index leases_by_partition is 'Counts the running jobs of a partition.';
comment on index leases_by_turn is 'Counts the running jobs of a shared queue, and finds the one that was taken first.';

create table finished (
    seq           bigint   not null primary key,
    finished_at   bigint   not null,
    fence         bigint   not null,
    attempt       bigint   not null,
    claimed_at    bigint,
    queue_id      integer  not null,
    state         smallint not null,
    cancel_reason text
);
create index finished_by_queue on finished (queue_id, state, finished_at, seq);
comment on table finished is 'Jobs that have ended. They are kept until they are pruned.';
comment on column finished.seq is 'The job: jobs.seq.';
comment on column finished.finished_at is 'When the job ended.';
comment on column finished.fence is 'Number of claims of the job.';
comment on column finished.attempt is 'Number of the last counted attempt; 0 if the job was cancelled before its first.';
comment on column finished.claimed_at is 'Start of the last attempt; null if there was none.';
comment on column finished.queue_id is 'The queue: queues.id.';
comment on column finished.state is 'completed, discarded or cancelled, as a number: see state_name().';
comment on column finished.cancel_reason is 'Reason of a cancellation, if one was requested.';
comment on index finished_by_queue is
    'Counts the jobs of a queue and state, and finds those that ended first, to prune them.';

create table unique_keys (
    name         text   collate "C" not null,
    key          text   collate "C" not null,
    seq          bigint,
    id           uuid,
    unique_until bigint,
    primary key (name, key)
);
comment on table unique_keys is
    'The last job that was pushed with each unique key. It holds the key while it is unfinished or unique_until is in the '
    'future; a row can outlive its job.';
comment on column unique_keys.name is 'Name of the job: jobs.name.';
comment on column unique_keys.key is 'The unique key: jobs.unique_key.';
comment on column unique_keys.seq is 'The job: jobs.seq. Null only within the transaction that inserts the row.';
comment on column unique_keys.id is 'The job: jobs.id.';
comment on column unique_keys.unique_until is 'The key is held until then, even if the job has finished.';

create table workers (
    id         integer generated always as identity primary key,
    name       text    collate "C" not null unique,
    seen_at    bigint,
    expires_at bigint,
    details    text
);
comment on table workers is
    'Workers: those that have announced themselves, and those that a claim has named. forget_workers() deletes old rows.';
comment on column workers.id is 'Identifies the worker in leases.';
comment on column workers.name is 'Identity of the worker: host/pid/service.';
comment on column workers.seen_at is 'When it last announced itself; null if it has not, or has stopped since.';
comment on column workers.expires_at is
    'When that announcement expires. A worker that has not announced itself again by then has vanished.';
comment on column workers.details is 'The announcement: JSON.';

create table failures (
    seq       bigint not null,
    fence     bigint not null,
    attempt   bigint not null,
    failed_at bigint not null,
    message   text   not null,
    primary key (seq, fence)
);
comment on table failures is 'Errors of failed attempts: the newest twenty of each job.';
comment on column failures.seq is 'The job: jobs.seq.';
comment on column failures.fence is 'The claim that failed: leases.fence. A claim fails once at most.';
comment on column failures.attempt is 'Number of the attempt that failed.';
comment on column failures.failed_at is 'When the attempt failed.';
comment on column failures.message is 'The error.';

create table results (
    seq    bigint not null primary key,
    result text   not null
);
comment on table results is
    'Results of completed jobs that have one. They are not in finished, whose rows would become wider for jobs without.';
comment on column results.seq is 'The job: jobs.seq.';
comment on column results.result is 'The value that the job returned: JSON.';

-- What settles and expires counts the attempts that it ends, in the same transaction. It inserts a row for all jobs of a name, which
-- waits for no lock; an update of one row for each minute would make all workers wait for one another. `roll_up_history` adds
-- the rows up.

create table history_parts (
    minute    bigint  not null,
    run_time  bigint  not null,
    completed integer not null,
    failed    integer not null,
    discarded integer not null,
    queue_id  integer not null,
    name      text    collate "C" not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = false);
comment on table history_parts is
    'Attempts that ended within the last seconds, counted by transaction, minute, queue and name, until roll_up_history() moves '
    'them to history.';
comment on column history_parts.minute is 'When the minute begins in which they ended.';
comment on column history_parts.run_time is 'Microseconds from claim to end, of the completed and the failed attempts together.';
comment on column history_parts.completed is 'Number of jobs that completed.';
comment on column history_parts.failed is 'Number of attempts that failed, the last ones of discarded jobs included.';
comment on column history_parts.discarded is 'Number of jobs that were discarded.';
comment on column history_parts.queue_id is 'The queue: queues.id.';
comment on column history_parts.name is 'Name of the jobs: jobs.name.';

create table history (
    queue_id  integer not null,
    minute    bigint  not null,
    name      text    collate "C" not null,
    completed bigint  not null,
    failed    bigint  not null,
    discarded bigint  not null,
    run_time  bigint  not null,
    primary key (queue_id, minute, name)
) with (fillfactor = 50);
comment on table history is
    'Attempts that ended, counted by queue, minute and name, for 24 hours. Those of the last seconds are in history_parts.';
comment on column history.queue_id is 'The queue: queues.id.';
comment on column history.minute is 'When the minute begins in which they ended.';
comment on column history.name is 'Name of the jobs: jobs.name.';
comment on column history.completed is 'Number of jobs that completed.';
comment on column history.failed is 'Number of attempts that failed, the last ones of discarded jobs included.';
comment on column history.discarded is 'Number of jobs that were discarded.';
comment on column history.run_time is 'Microseconds from claim to end, of the completed and the failed attempts together.';

-- Limits and partitions. A queue is plain until a job names a partition or a limit is set. Then it is shared: `shares` has a row for
-- it, which each claim locks, so that the claims of one queue come one after another. Pushes, settlements and operators never
-- wait for that lock: they append to `partition_changes` what they changed in `ready`, and the next claim adds it to `partitions`.
-- The number of running jobs is the number of rows of `leases`.

create table shares (
    queue_id      integer not null primary key,
    is_adopted    boolean not null default false,
    has_limits    boolean not null default false,
    turn          bigint  not null default 0,
    first_turn    bigint  not null default 0,
    lease_turn    bigint  not null default 0,
    first_xid     xid8    not null default '0',
    read_at       bigint  not null default 0,
    free_at       bigint  not null default 0,
    max_running   bigint,
    rate_interval bigint,
    rate_burst    bigint
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = false);
comment on table shares is 'The shared queues. Each claim of such a queue locks its row.';
comment on column shares.queue_id is 'The queue: queues.id.';
comment on column shares.is_adopted is 'Whether each lease of the queue has its partition.';
comment on column shares.has_limits is 'Whether the queue has a limit.';
comment on column shares.first_turn is
    'No partition that may start a job now has a lower turn. Scans of partitions_open begin here.';
comment on column shares.lease_turn is
    'No lease of the queue that has a partition has a lower turn. Scans of leases_by_partition and leases_by_turn begin here.';
comment on column shares.first_xid is
    'All changes of transactions with lower ids have been added to partitions. Scans of partition_changes_order begin here.';
comment on column shares.read_at is 'When a claim last read all of partition_changes_order, as one does every 10 s.';
comment on column shares.turn is 'Last number in the order in which partitions were served or came to have a ready job.';
comment on column shares.free_at is 'When the next job of the queue may start, by the rate of the queue as a whole.';
comment on column shares.max_running is 'Maximum number of running jobs of the queue as a whole; null for no limit.';
comment on column shares.rate_interval is 'Microseconds between two starts in the queue as a whole; null for no limit.';
comment on column shares.rate_burst is 'Number of jobs that may start at once after a pause; null without a limit on starts.';

create table partitions (
    queue_id      integer not null,
    name          text    collate "C" not null,
    ready         bigint  not null default 0,
    turn          bigint  not null default 0,
    free_at       bigint  not null default 0,
    is_parked     boolean not null default false,
    max_running   bigint,
    rate_interval bigint,
    rate_burst    bigint,
    weight        integer not null default 1,
    read_at       bigint  not null default 0,
    from_priority integer not null default -2147483648,
    from_run_at   bigint  not null default -9223372036854775808,
    from_seq      bigint  not null default 0,
    primary key (queue_id, name)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = false);
create index partitions_open on partitions (queue_id, turn) where ready > 0 and not is_parked;
create index partitions_parked on partitions (queue_id, free_at) where ready > 0 and is_parked;
comment on table partitions is
    'The partitions of shared queues, as of the last claim: changes since then are in partition_changes. The row of a partition '
    'without ready jobs can be deleted once its rate and its hold are over.';
comment on column partitions.queue_id is 'The queue: queues.id.';
comment on column partitions.name is 'Name of the partition; the empty text for the jobs that name none.';
comment on column partitions.ready is 'Number of ready jobs.';
comment on column partitions.turn is 'When it was last served or came to have a ready job, in the numbers of shares.turn.';
comment on column partitions.free_at is 'When its next job may start, by its rate or because it was throttled.';
comment on column partitions.is_parked is 'Whether free_at was in the future at the last claim.';
comment on column partitions.max_running is 'Maximum number of its running jobs; null for no limit.';
comment on column partitions.rate_interval is 'Microseconds between two of its starts; null for no limit.';
comment on column partitions.rate_burst is 'Number of its jobs that may start at once after a pause; null without a limit on starts.';
comment on column partitions.weight is 'Its share of the workers.';
comment on column partitions.read_at is
    'When a claim last read ready_pkey from the first entry of the partition. For 10 s after that, scans begin at from_priority, '
    'from_run_at and from_seq. Zero if the next scan is to read all entries.';
comment on column partitions.from_priority is
    'With the next two columns: the position before which no job is ready, apart from jobs that were locked when it was set.';
comment on column partitions.from_run_at is 'The ready.run_at of that position.';
comment on column partitions.from_seq is 'The ready.seq of that position.';
comment on index partitions_open is 'Finds the partition that has waited longest.';
comment on index partitions_parked is 'Finds the partition whose next job may start first.';

create table partition_changes (
    queue_id   integer not null,
    xid        xid8    not null default pg_current_xact_id(),
    at         bigint  not null,
    position   bigint  not null generated by default as identity,
    partition  text    collate "C" not null,
    ready      integer not null default 0,
    priority   integer,
    hold_until bigint
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = false);
create index partition_changes_order on partition_changes (queue_id, xid, at, position);
comment on table partition_changes is 'Changes of ready and holds of partitions, until a claim adds them to partitions.';
comment on column partition_changes.queue_id is 'The queue: queues.id.';
comment on column partition_changes.xid is 'The transaction that made the change.';
comment on column partition_changes.at is 'When it happened.';
comment on column partition_changes.position is
    'Order of changes at one time: negative for jobs that became due, then for expired leases, then in the order of the calls.';
comment on column partition_changes.partition is 'The partition: partitions.name.';
comment on column partition_changes.ready is 'By how many the number of ready jobs changed.';
comment on column partition_changes.priority is
    'The lowest priority number of the jobs that became ready; null if one of them may have a run_at before at.';
comment on column partition_changes.hold_until is 'Until when a throttled job holds the partition; null for no hold.';
comment on index partition_changes_order is 'Finds the changes of a queue in their order.';

create table limits (
    queue_id  integer  not null,
    scope     smallint not null,
    partition text     collate "C" not null default '',
    is_set    boolean  not null,
    running   bigint,
    starts    bigint,
    per_ns    bigint,
    burst     bigint,
    weight    integer  not null,
    primary key (queue_id, scope, partition, is_set)
);
comment on table limits is 'The limits of queues. One that an operator has set is in force instead of the declared one.';
comment on column limits.queue_id is 'The queue: queues.id.';
comment on column limits.scope is '0 the queue as a whole, 1 each partition without a limit of its own, 2 one partition.';
comment on column limits.partition is 'The partition of scope 2; otherwise the empty text.';
comment on column limits.is_set is 'Whether an operator has set it; otherwise a program has declared it.';
comment on column limits.running is 'Maximum number of jobs that run at once; null for no limit.';
comment on column limits.starts is 'Maximum number of starts in a window of time; null for no limit.';
comment on column limits.per_ns is 'Length of that window in nanoseconds.';
comment on column limits.burst is 'Number of jobs that may start at once after a pause.';
comment on column limits.weight is 'Share of the workers.';
