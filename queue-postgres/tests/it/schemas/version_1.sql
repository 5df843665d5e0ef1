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
-- What operators do to single jobs, and a check of the tables.

create or replace function detach(_id uuid) returns table (
    seq bigint, state smallint, fence bigint, attempt bigint, max_attempts bigint, claimed_at bigint, queue_id integer,
    priority integer, name text, unique_key text, partition text
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
#variable_conflict use_column
declare
    j jobs;
    f finished;
begin
    -- Another transaction may move the job from one table to the next between these statements: repeat until one finds it.
    loop
        select * into j from jobs where id = _id;
        if not found then
            return;
        end if;
        seq := j.seq; fence := j.fence; attempt := j.attempt; max_attempts := j.max_attempts;
        claimed_at := j.claimed_at; queue_id := j.queue_id; priority := j.priority; name := j.name;
        unique_key := j.unique_key; partition := j.partition;
        delete from ready r
        where r.queue_id = j.queue_id and r.partition = coalesce(j.partition, '') and r.priority = j.priority
            and r.run_at = j.run_at and r.seq = j.seq;
        if found then
            perform note_ready(j.queue_id, j.partition, clock(), -1);
            state := 1;
            return next;
            return;
        end if;
        delete from waiting w where w.due = j.run_at and w.seq = j.seq returning w.state into state;
        if found then
            if j.run_at <= clock() then
                perform note_due(j.queue_id, j.partition, j.run_at, j.seq);
                perform note_ready(j.queue_id, j.partition, clock(), -1);
            end if;
            return next;
            return;
        end if;
        perform 1 from leases l where l.id = _id for update;
        if found then
            state := 2;
            return next;
            return;
        end if;
        delete from finished d where d.seq = j.seq returning * into f;
        if found then
            state := f.state; fence := f.fence; attempt := f.attempt; claimed_at := f.claimed_at;
            return next;
            return;
        end if;
    end loop;
end $$;
comment on function detach is
    'Deletes a job''s row from ready, waiting or finished, and returns the job''s state and columns; no row if there is '
    'no such job. The lease of an executing job stays, and is locked until the transaction ends.';

create or replace function cancel(_id uuid, _reason text) returns text
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    _now bigint := clock();
    t record;
begin
    perform expire_lease(_now, _id);
    if exists (select from jobs j join finished f on f.seq = any (array[j.seq]) where j.id = _id) then
        return 'finished';
    end if;
    select * into t from detach(_id);
    if t.state is null then
        return 'unknown';
    elsif t.state = 2 then
        update leases set cancel_reason = _reason where id = _id;
        return 'requested';
    elsif t.state >= 4 then
        -- The job has just finished, and `detach` deleted its row of `finished`: the error rolls that back.
        raise exception using errcode = 'serialization_failure', message = 'the job has just finished';
    end if;
    insert into finished (seq, finished_at, fence, attempt, claimed_at, queue_id, state, cancel_reason)
    values (t.seq, _now, t.fence, t.attempt, t.claimed_at, t.queue_id, 6, _reason);
    return 'cancelled';
end $$;
comment on function cancel is
    'Cancels a job that is not executing, or requests the cancellation of an executing one. Returns cancelled, requested, '
    'finished or unknown.';

create or replace function retry(_id uuid, _channel text, _sender text) returns text
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    _now bigint := clock();
    t record;
    j jobs;
    holder unique_keys;
begin
    perform expire_lease(_now, _id);
    select * into j from jobs where id = _id;
    if j.unique_key is not null and exists (select from finished where seq = j.seq) then
        insert into unique_keys (name, key) values (j.name, j.unique_key)
        on conflict (name, key) do update set key = excluded.key
        returning * into holder;
        if holder.seq <> j.seq and is_key_held(holder, _now) then
            return holder.id::text;
        end if;
        if holder.seq is distinct from j.seq then
            update unique_keys set seq = j.seq, id = _id, unique_until = coalesce(j.unique_until, j.pushed_at)
            where name = j.name and key = j.unique_key;
        end if;
    end if;
    select * into t from detach(_id);
    if t.state is null then
        return 'unknown';
    elsif t.state = 2 then
        return 'executing';
    end if;
    update jobs set run_at = _now, attempt = t.attempt, fence = t.fence, claimed_at = t.claimed_at,
        max_attempts = greatest(t.max_attempts, t.attempt + 1)
    where seq = t.seq;
    insert into ready values (t.queue_id, t.priority, _now, t.seq, coalesce(t.partition, ''));
    perform note_ready(t.queue_id, t.partition, _now, 1);
    delete from results where seq = t.seq;
    if _channel is not null then
        perform pg_notify(_channel, _sender);
    end if;
    return 'done';
end $$;
comment on function retry is
    'Makes a finished or waiting job ready now, with at least one more attempt, and notifies the channel _channel with '
    '_sender unless that is null. Returns done, executing or unknown, or the id of the job that holds the unique key.';

create or replace function delete_job(_id uuid) returns text
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    _now bigint := clock();
    t record;
begin
    perform expire_lease(_now, _id);
    select * into t from detach(_id);
    if t.state is null then
        return 'unknown';
    elsif t.state = 2 then
        return 'executing';
    end if;
    perform purge(array[t.seq], 9223372036854775807);
    return 'done';
end $$;
comment on function delete_job is
    'Deletes a job that is not executing, and releases its unique key. Returns done, executing or unknown.';

create or replace function check_integrity() returns table (rule text, violation text)
language plpgsql
set search_path from current as $$
begin
    return query
    select 'a job has exactly one row in ready, waiting, leases and finished', j.id::text from jobs j where 1 <>
        (select count(*) from ready r
            where (r.queue_id, r.partition, r.priority, r.run_at, r.seq)
                = (j.queue_id, coalesce(j.partition, ''), j.priority, j.run_at, j.seq))
        + (select count(*) from waiting w where (w.due, w.seq) = (j.run_at, j.seq))
        + (select count(*) from leases l where l.id = j.id and l.seq = j.seq)
        + (select count(*) from finished f where f.seq = j.seq)
    union all
    select 'a row in ready, waiting, leases or finished belongs to a job', s.seq::text
    from (select seq from ready union all select seq from waiting union all select seq from leases union all
        select seq from finished) s
    where not exists (select from jobs j where j.seq = s.seq)
    union all
    select 'a unique key whose time is over belongs to a job', k.key from unique_keys k
    where k.seq is null or (k.unique_until <= clock() and not exists (select from jobs j where j.seq = k.seq))
    union all
    select 'a failure belongs to a job', f.seq::text from failures f
    where not exists (select from jobs j where j.seq = f.seq)
    union all
    select 'a result belongs to a completed job', r.seq::text from results r
    where not exists (select from finished f where f.seq = r.seq and f.state = 4)
    union all
    select 'a job has at most as many attempts as claims', j.id::text
    from jobs j left join finished f on f.seq = j.seq
    where coalesce(f.attempt, j.attempt) > coalesce(f.fence, j.fence)
    union all
    select 'a job that names a partition is in a shared queue', j.id::text
    from jobs j join queues q on q.id = j.queue_id where j.partition is not null and not q.is_shared
    union all
    select 'no lease of a partition has a lower turn than its queue says', l.id::text
    from leases l join shares s on s.queue_id = l.queue_id where l.partition is not null and l.turn < s.lease_turn
    union all
    -- Those of jobs that name no partition are counted again when they are not right.
    select 'a partition counts its ready jobs', format('%s of queue %s', coalesce(r.partition, c.partition),
        (select q.name from queues q where q.id = coalesce(r.queue_id, c.queue_id)))
    from (select r.queue_id, r.partition, count(*) as ready from ready r where r.partition <> '' group by 1, 2) r
        full join (
            select p.queue_id, p.name as partition, sum(p.ready) as ready from (
                select p.queue_id, p.name, p.ready from partitions p
                union all
                select c.queue_id, c.partition, c.ready from partition_changes c) p
            where p.name <> '' group by 1, 2) c
        on c.queue_id = r.queue_id and c.partition = r.partition
    where coalesce(r.ready, 0) <> coalesce(c.ready, 0);
end $$;
comment on function check_integrity is
    'Returns a row for each violation of a rule of the tables: the rule, and the id, seq or unique key that breaks it; no '
    'row if the tables are intact. Reads all tables, so it takes long if there are many jobs; it changes and locks nothing.';
-- Changes to many jobs.

create or replace function hold(_id uuid, out state integer, out finished_at bigint)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
#variable_conflict use_column
declare
    j jobs;
begin
    -- Another transaction may move the job from one table to the next between these statements: repeat until one finds it.
    loop
        select * into j from jobs where id = _id;
        if not found then
            return;
        end if;
        perform from ready r
        where r.queue_id = j.queue_id and r.partition = coalesce(j.partition, '') and r.priority = j.priority
            and r.run_at = j.run_at and r.seq = j.seq for update;
        if found then
            state := 1;
            return;
        end if;
        select w.state into state from waiting w where w.due = j.run_at and w.seq = j.seq for update;
        if found then
            if j.run_at <= clock() then
                state := 1;
            end if;
            return;
        end if;
        perform from leases l where l.id = _id for update;
        if found then
            state := 2;
            return;
        end if;
        select f.state, f.finished_at into state, finished_at from finished f where f.seq = j.seq for update;
        if found then
            return;
        end if;
    end loop;
end $$;
comment on function hold is
    'Locks the state of a job until the transaction ends, and returns it with the time at which the job finished; null if '
    'there is no such job. A due job is available. The caller must first end the lease of the job if the lease has expired.';

create or replace function expire_leases(_now bigint, _ids uuid[]) returns text[]
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
begin
    return expire(array(select ctid from leases where id = any (_ids) and expires_at <= _now order by id for update));
end $$;
comment on function expire_leases is
    'Ends the expired leases of these jobs. Waits for transactions that have locked them. Returns the jobs that were discarded, '
    'as expire() does.';

create or replace function detach_jobs(
    _now bigint, _ids uuid[], _states bigint, _since bigint, _before bigint, _with_keys boolean
) returns table (
    id uuid, seq bigint, queue_id integer, priority integer, fence bigint, attempt bigint, claimed_at bigint, partition text,
    was_ready boolean
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
begin
    return query
    with asked as materialized (
        select j.id, j.seq, j.queue_id, j.priority, j.fence, j.attempt, j.claimed_at, j.run_at, j.unique_key, j.partition from jobs j
        where j.id = any (_ids)),
    -- Each row is found by its key. `limit` prevents a plan that reads a table whole because it was empty when it was analyzed.
    from_ready as (
        delete from ready where ctid = any (array(
            select r.ctid from asked a cross join lateral (
                select ctid from ready r
                where r.queue_id = a.queue_id and r.partition = coalesce(a.partition, '') and r.priority = a.priority
                    and r.run_at = a.run_at and r.seq = a.seq
                limit 1) r
            where (_states >> 1) & 1 = 1))
        returning seq),
    from_waiting as (
        delete from waiting where ctid = any (array(
            select w.ctid from asked a cross join lateral (
                select ctid, state from waiting w where w.due = a.run_at and w.seq = a.seq limit 1) w
            where (_states >> case when a.run_at <= _now then 1 else w.state end) & 1 = 1))
        returning seq),
    from_finished as (
        delete from finished where ctid = any (array(
            select f.ctid from asked a cross join lateral (
                select ctid, state, finished_at from finished f where f.seq = a.seq limit 1) f
            where (_states >> f.state) & 1 = 1 and (_with_keys or a.unique_key is null)
                and (_since is null or f.finished_at >= _since) and (_before is null or f.finished_at < _before)))
        returning seq, fence, attempt, claimed_at),
    due as (
        insert into partition_changes (queue_id, at, position, partition, ready)
        select a.queue_id, a.run_at, due_position(a.seq), coalesce(a.partition, ''), 1
        from asked a join from_waiting w on w.seq = a.seq
        where a.run_at <= _now and a.queue_id = any (shared_queues()))
    select a.id, a.seq, a.queue_id, a.priority, a.fence, a.attempt, a.claimed_at, a.partition, a.run_at <= _now
    from asked a join (select seq from from_ready union all select seq from from_waiting) g on g.seq = a.seq
    union all
    select a.id, a.seq, a.queue_id, a.priority, f.fence, f.attempt, f.claimed_at, a.partition, false
    from asked a join from_finished f on f.seq = a.seq;
end $$;
comment on function detach_jobs is
    'Deletes the rows of these jobs from ready, waiting or finished, if their states are among _states, and returns the jobs. '
    'was_ready: whether the job was ready, which the caller notes. A finished job is taken if it finished from _since on and before _before and, without _with_keys, has no unique key. A '
    'job that another transaction moves at this moment is left.';

create or replace function cancel_jobs(
    _now bigint, _ids uuid[], _states bigint, _reason text, out changed uuid[], out refused uuid[]
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
begin
    with gone as materialized (
        -- The states scheduled, available and retryable.
        select * from detach_jobs(_now, _ids, _states & 11, null, null, true)),
    ended as (
        insert into finished (seq, finished_at, fence, attempt, claimed_at, queue_id, state, cancel_reason)
        select seq, _now, fence, attempt, claimed_at, queue_id, 6, _reason from gone),
    noted as (
        insert into partition_changes (queue_id, at, partition, ready)
        select queue_id, _now, coalesce(partition, ''), -count(*) from gone
        where was_ready and queue_id = any (shared_queues()) group by 1, 3),
    requested as (
        update leases l set cancel_reason = _reason where l.id = any (_ids) and (_states >> 2) & 1 = 1 returning l.id)
    select array_agg(id) into changed from (select id from gone union all select id from requested) c;
    refused := array(
        select j.id from jobs j cross join lateral (select from finished f where f.seq = j.seq limit 1) f
        where j.id = any (_ids));
end $$;
comment on function cancel_jobs is
    'Cancels those of these jobs that wait in one of the states, and requests the cancellation of executing ones. Returns these '
    'jobs, and the finished ones.';

create or replace function retry_jobs(
    _now bigint, _ids uuid[], _states bigint, _since bigint, _before bigint, out changed uuid[], out refused uuid[]
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    gone record;
begin
    for gone in select * from detach_jobs(_now, _ids, _states, _since, _before, false) order by seq loop
        update jobs set run_at = _now, attempt = gone.attempt, fence = gone.fence, claimed_at = gone.claimed_at,
            max_attempts = greatest(max_attempts, gone.attempt + 1)
        where seq = gone.seq;
        insert into ready values (gone.queue_id, gone.priority, _now, gone.seq, coalesce(gone.partition, ''));
        if gone.was_ready then
            perform note_ready(gone.queue_id, gone.partition, _now, -1);
        end if;
        perform note_ready(gone.queue_id, gone.partition, _now, 1);
        delete from results where seq = gone.seq;
        changed := changed || gone.id;
    end loop;
    refused := array(select l.id from leases l where l.id = any (_ids));
end $$;
comment on function retry_jobs is
    'Makes those of these jobs ready that wait or have finished in one of the states, apart from finished ones with a unique key. '
    'Returns these jobs, and the executing ones.';

create or replace function delete_jobs(
    _now bigint, _ids uuid[], _states bigint, _since bigint, _before bigint, out changed uuid[], out refused uuid[]
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _seqs bigint[];
begin
    with gone as materialized (
        select * from detach_jobs(_now, _ids, _states, _since, _before, true)),
    noted as (
        insert into partition_changes (queue_id, at, partition, ready)
        select queue_id, _now, coalesce(partition, ''), -count(*) from gone
        where was_ready and queue_id = any (shared_queues()) group by 1, 3)
    select array_agg(id), array_agg(seq) into changed, _seqs from gone;
    if _seqs is not null then
        perform purge(_seqs, 9223372036854775807);
    end if;
    refused := array(select l.id from leases l where l.id = any (_ids));
end $$;
comment on function delete_jobs is
    'Deletes those of these jobs that wait or have finished in one of the states, and releases their unique keys. Returns these '
    'jobs, and the executing ones.';

create or replace function change_jobs(
    _ids uuid[], _change text, _states bigint, _channel text, _sender text, _since bigint default null,
    _before bigint default null, _reason text default null, out changed bigint, out discarded text[]
)
language plpgsql
set search_path from current set jit = off as $$
declare
    _now bigint := clock();
    _id uuid;
    done record;
    held record;
    answer text;
begin
    discarded := expire_leases(_now, _ids);
    if _change = 'cancel' then
        select * into done from cancel_jobs(_now, _ids, _states, _reason);
    elsif _change = 'retry' and exists (select from jobs where id = any (_ids) and unique_key is not null) then
        -- One by one, in the order of _ids: jobs with a key must not become ready behind all others.
        select null::uuid[] as changed, null::uuid[] as refused into done;
    elsif _change = 'retry' then
        select * into done from retry_jobs(_now, _ids, _states, _since, _before);
    else
        select * into done from delete_jobs(_now, _ids, _states, _since, _before);
    end if;
    changed := coalesce(cardinality(done.changed), 0);
    -- The rest is changed one by one: what another transaction was moving, and what has to take back its unique key.
    for _id in
        select u.id from unnest(_ids) with ordinality u (id, o)
        where not exists (select from unnest(done.changed || done.refused) d (id) where d.id = u.id)
        order by u.o
    loop
        discarded := discarded || expire_lease(_now, _id);
        select * into held from hold(_id);
        continue when held.state is null or (_states >> held.state) & 1 = 0
            or held.finished_at < _since or held.finished_at >= _before;
        answer := case _change
            when 'cancel' then cancel(_id, _reason)
            when 'retry' then retry(_id, null, null)
            when 'delete' then delete_job(_id)
        end;
        if answer in ('done', 'cancelled', 'requested') then
            changed := changed + 1;
        end if;
    end loop;
    if changed > 0 and _channel is not null then
        perform pg_notify(_channel, _sender);
    end if;
end $$;
comment on function change_jobs is
    'Cancels, retries or deletes those of the given jobs that are in one of the states and, if finished, finished from _since on '
    'and before _before. _change: cancel, with _reason; retry; or delete. _states: a bit for each state, see state_name(). '
    'Notifies the channel _channel with _sender unless that is null. Returns the number of changed jobs, and '
    'the jobs that expire() has discarded before the change. A job that does not allow the change stays as it is: see cancel(), '
    'retry() and delete_job().';
-- How jobs are claimed. One call serves all claims of a process that wait for jobs.

create or replace function claim(
    _claims integer[], _queues text[], _limits integer[], _lease_lengths bigint[], _from_priorities integer[],
    _from_run_ats bigint[], _from_seqs bigint[], _on_discards text[], _from_due bigint, _from_expiry bigint,
    _workers text[], _startable integer[]
) returns table (
    claim integer, idx integer, id uuid, fence bigint, attempt bigint, max_attempts bigint, priority integer,
    pushed_at bigint, run_at bigint, seq bigint, expires_at bigint, name text, payload text, meta text,
    now bigint, due bigint, expiry bigint, next_due bigint, next_expiry bigint, scan_us bigint[],
    discarded text[], partition text
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    _now bigint;
    began bigint;
    request record;
    remaining integer;
    current integer := -1;
    leased bigint;
    _expires_at bigint;
    _row_ids tid[];
    _next record;
    _discarded text[];
    _is_locked boolean := false;
    _seen integer[];
    _shared integer[];
    _drained integer[] := '{}';
    _has_limits boolean;
    _room integer;
    _seqs bigint[];
    _short text[];
    _is_over boolean;
    _without text[];
    _starts bigint;
begin
    -- Until this claim ends, no other one counts the leases of queues that are plain ones: see `shares.sql`.
    select coalesce(array_agg(q.id), '{}'),
        coalesce(array_agg(q.id) filter (
            where q.is_shared or pg_advisory_xact_lock_shared(share_lock(q.id)) is null), '{}')
    into _seen, _shared
    from (select q.id, q.is_shared from queues q where q.name = any (_queues) order by q.id) q;
    if _shared <> '{}' then
        _is_locked := true;
        _shared := lock_shares(_queues, _shared);
    end if;
    _now := clock();
    scan_us := array_fill(0, array[cardinality(_claims)]);
    _from_due := coalesce(_from_due, -9223372036854775808);
    _from_expiry := coalesce(_from_expiry, -9223372036854775808);
    if exists (select from waiting where waiting.due between _from_due and _now)
        or exists (select from leases l where l.expires_at between _from_expiry and _now)
    then
        _discarded := promote_and_expire(_now, _from_due, _from_expiry);
    end if;
    if _is_locked then
        -- `fold` is called only if there are changes, a partition is to be opened or counted again, or a full read is due.
        perform fold(q.id, _now) from queues q join shares s on s.queue_id = q.id
        where q.id = any (_shared) and not q.paused and (
            s.read_at not between _now - 10000000 and _now
            or (select true from partition_changes c where c.queue_id = q.id and c.xid >= s.first_xid limit 1)
            or (select true from partitions p
                where p.queue_id = q.id and p.ready > 0 and p.is_parked and p.free_at <= _now limit 1)
            or is_count_wrong(q.id, _now));
    end if;
    for request in
        select a.claim, q.id as queue_id, a.max, a.length, (a.o - 1)::integer as idx,
            coalesce(a.priority, -2147483648) as priority, coalesce(a.run_at, -9223372036854775808) as run_at,
            coalesce(a.seq, 0) as seq, a.on_discard, a.worker, w.id as worker_id, a.startable, q.is_shared
        from unnest(
                _claims, _queues, _limits, _lease_lengths, _from_priorities, _from_run_ats, _from_seqs, _on_discards, _workers,
                _startable)
                with ordinality a (claim, queue, max, length, priority, run_at, seq, on_discard, worker, startable, o)
            join queues q on q.name = a.queue and not q.paused
            left join workers w on w.name = a.worker
        order by a.o
    loop
        if request.claim <> current then
            current := request.claim;
            remaining := request.max;
        end if;
        if remaining = 0 then
            scan_us[request.idx + 1] := -1;
            continue;
        end if;
        if request.is_shared and not _is_locked then
            -- It has just become shared.
            _is_locked := true;
            _shared := lock_shares(_queues, '{}');
            _now := clock();
            perform fold(q.id, _now) from queues q where q.id = any (_shared) and not q.paused;
        end if;
        -- The queue was created after the first statement, so this claim holds neither its share nor its advisory lock.
        continue when not request.queue_id = any (_seen || _shared);
        _expires_at := _now + least(request.length, 9223372036854775807 - _now);
        if request.queue_id = any (_shared) then
            _room := remaining;
            _has_limits := (select s.has_limits from shares s where s.queue_id = request.queue_id);
            if _has_limits and request.startable is not null then
                _room := least(request.startable, request.max) - (request.max - remaining);
            end if;
            continue when _room <= 0 or request.queue_id = any (_drained);
            _without := '{}';
            loop
                select t.seqs, t.short, t.is_over into _seqs, _short, _is_over
                from take_shares(request.queue_id, _room, _now, _without) t;
                if _seqs is not null then
                    if request.worker is not null and request.worker_id is null then
                        request.worker_id := worker_id_of(request.worker);
                    end if;
                    return query
                    with taken as (select u.seq, u.o from unnest(_seqs) with ordinality u (seq, o)),
                    found as materialized (
                        select t.o, j.* from taken t join jobs j on j.seq = any (array[t.seq])),
                    leased as (
                        insert into leases (
                            id, expires_at, seq, fence, attempt, claimed_at, queue_id, worker_id, name, on_discard, partition, turn)
                        select f.id, _expires_at, f.seq, f.fence + 1, f.attempt + 1,
                            _now, f.queue_id, request.worker_id, f.name, coalesce(f.on_discard, request.on_discard),
                            coalesce(f.partition, ''), (select s.turn from shares s where s.queue_id = request.queue_id)
                        from found f)
                    select request.claim, request.idx, f.id, f.fence + 1, f.attempt + 1, f.max_attempts, f.priority, f.pushed_at,
                        f.run_at, f.seq, _expires_at, f.name, f.payload, f.meta,
                        null::bigint, null::bigint, null::bigint, null::bigint, null::bigint, null::bigint[],
                        null::text[], f.partition
                    from found f order by f.o;
                    remaining := remaining - cardinality(_seqs);
                    _room := _room - cardinality(_seqs);
                end if;
                if _is_over then
                    _drained := _drained || request.queue_id;
                end if;
                exit when _is_over or _room = 0;
                _without := _without || coalesce(_short, '{}');
            end loop;
            continue;
        end if;
        began := clock();
        _row_ids := array(
            select ctid from ready r
            where r.queue_id = request.queue_id and r.partition = ''
                and (r.priority, r.run_at, r.seq) >= (request.priority, request.run_at, request.seq)
            order by r.priority, r.run_at, r.seq limit remaining for update skip locked);
        scan_us[request.idx + 1] := clock() - began;
        if request.worker is not null and request.worker_id is null and cardinality(_row_ids) > 0 then
            request.worker_id := worker_id_of(request.worker);
        end if;
        return query
        with picked as (
            delete from ready where ctid = any (_row_ids) returning seq),
        found as materialized (
            select j.* from picked p join jobs j on j.seq = any (array[p.seq])),
        leased as (
            insert into leases (id, expires_at, seq, fence, attempt, claimed_at, queue_id, worker_id, name, on_discard)
            select f.id, _expires_at, f.seq, f.fence + 1, f.attempt + 1,
                _now, f.queue_id, request.worker_id, f.name, coalesce(f.on_discard, request.on_discard)
            from found f)
        select request.claim, request.idx, f.id, f.fence + 1, f.attempt + 1, f.max_attempts, f.priority, f.pushed_at,
            f.run_at, f.seq, _expires_at, f.name, f.payload, f.meta,
            null::bigint, null::bigint, null::bigint, null::bigint, null::bigint, null::bigint[],
            null::text[], null::text
        from found f order by f.priority, f.run_at, f.seq;
        get diagnostics leased = row_count;
        remaining := remaining - leased;
    end loop;
    began := clock();
    _next := next_wakeup(_now, _from_due, _from_expiry);
    if _is_locked then
        _starts := next_start(_shared, _now);
    end if;
    now := clock();
    due := _next.due;
    expiry := _next.expiry;
    next_due := least(_next.next_due, _starts);
    next_expiry := _next.next_expiry;
    scan_us := (now - began) || scan_us;
    discarded := _discarded;
    claim := -1;
    return next;
end $$;
comment on function claim is
    'Makes due jobs ready and ends expired leases, as promote_and_expire() does, then leases ready jobs to the claims, in '
    'their order. The arrays have an element for each queue of each claim: the number of the claim, the queue, the maximum '
    'number of jobs that the claim takes from all its queues, the length of a lease in microseconds, and the default of '
    'leases.on_discard, an array that is null if no claim has one. A scan walks over dead rows '
    'at the beginning of its index until vacuum removes them. A caller that knows a position before which there is no live '
    'row passes it, and null otherwise: _from_priorities, _from_run_ats and _from_seqs in each queue, _from_due in waiting, '
    '_from_expiry in leases. _workers has the worker of each claim, or null; _startable, the maximum number of jobs '
    'that it takes from a queue with limits, or null. '
    'Returns a row for each leased job, with the number of its claim and the index from 0 of its '
    'queue in the arrays. The last row has claim -1, the time, the result of next_wakeup(), the discarded jobs of '
    'promote_and_expire(), and scan_us: the microseconds that next_wakeup() took, then those of each queue''s scan, or -1 '
    'if the claim had reached its limit, 0 for a shared queue. Its next_due is not later than next_start() of a shared queue.';
-- How the claims of a shared queue choose partitions.
--
-- The partition with the least load is served next: the number of its running jobs, times 1,000,000, divided by its weight. Of
-- several, the one with the least turn is served. The caller of these functions has locked the queue's row of `shares`.

create or replace function least_loaded(
    _queue_id integer, _max bigint, _now bigint, _without text[], _unadopted bigint, _lease_turn bigint
)
returns table (name text, running bigint, weight integer, room bigint, turn bigint)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_nestloop = off set enable_hashjoin = on set jit = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
begin
    -- No nested loop: with many running jobs, it would look up each of their partitions.
    return query
    with live as materialized (
        -- The order makes the plan begin at _lease_turn in leases_by_turn.
        select l.partition from leases l
        where l.queue_id = _queue_id and l.partition is not null and l.turn >= _lease_turn order by l.turn),
    busy as materialized (
        select b.partition, sum(b.n)::bigint as running from (
            select l.partition, count(*) as n from live l group by l.partition
            union all
            select '', _unadopted where _unadopted > 0) b
        group by b.partition),
    open as materialized (
        select p.name, coalesce(b.running, 0) as running, p.weight, p.turn,
            least(p.ready, p.max_running - coalesce(b.running, 0), _max,
                starts_available(_now, p.free_at, p.rate_interval, p.rate_burst)) as room
        from partitions p left join busy b on b.partition = p.name
        where p.queue_id = _queue_id and p.ready > 0 and not p.is_parked and p.name <> all (_without)
            and p.turn >= (select s.first_turn from shares s where s.queue_id = _queue_id))
    select o.name, o.running, o.weight, o.room, o.turn from open o
    where o.room > 0 order by o.running * 1000000 / o.weight, o.turn limit _max;
end $$;
comment on function least_loaded is
    'Returns the first _max partitions of a queue that may start a job, in the order in which they are served, with the number of '
    'their running jobs and of those that they may start. _unadopted: the number of leases without a partition. _lease_turn: the '
    'lowest turn of the other leases. Reads all open partitions and all leases of the queue.';

create or replace function deal(
    _queue_id integer, _max bigint, _now bigint, _without text[], _unadopted bigint, _lease_turn bigint,
    out names text[], out numbers integer[]
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _names text[];
    _running bigint[];
    _weights integer[];
    _rooms bigint[];
    _turns bigint[];
    _depth bigint;
    _is_cut boolean;
begin
    select array_agg(l.name), array_agg(l.running), array_agg(l.weight), array_agg(l.room), array_agg(l.turn)
    into _names, _running, _weights, _rooms, _turns
    from least_loaded(_queue_id, _max, _now, _without, _unadopted, _lease_turn) l;
    if _names is null then
        return;
    end if;
    -- Each partition stands in the order once for each job that it may start, with the load that it has then. Of equal loads, the
    -- one comes first whose last job of this deal came first. That one had the lower load before, or was not served in this deal.
    _depth := 2 * _max / cardinality(_names) + 1;
    loop
        select array_agg(e.name order by e.load, e.load_before, e.load_before_that, e.number, e.turn),
            array_agg(e.number order by e.load, e.load_before, e.load_before_that, e.number, e.turn),
            coalesce(bool_or(e.number = _depth and e.room > _depth), false)
        into names, numbers, _is_cut
        from (
            select c.name, n.number, c.room, c.turn, (c.running + n.number - 1) * 1000000 / c.weight as load,
                case when n.number > 1 then (c.running + n.number - 2) * 1000000 / c.weight else -1 end as load_before,
                case when n.number > 2 then (c.running + n.number - 3) * 1000000 / c.weight else -1 end as load_before_that
            from unnest(_names, _running, _weights, _rooms, _turns) c (name, running, weight, room, turn)
                cross join lateral generate_series(1, least(c.room, _depth)::integer) n (number)
            order by load, load_before, load_before_that, n.number, c.turn limit _max) e;
        exit when not _is_cut;
        _depth := _depth * 4;
    end loop;
end $$;
comment on function deal is
    'Returns which partitions of a queue start jobs at _now, at most _max: a name for each job, in order, and how many times it '
    'has been named up to there. Partitions in _without start none. _unadopted, _lease_turn: see least_loaded().';
-- The jobs that are stored when others are discarded. `settle` and `expire` call this after they have ended a job.

create or replace function store_on_discard(_seqs bigint[], _on_discards text[], _now bigint) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _queue_ids integer[];
    _priorities integer[];
    _new_seqs bigint[];
begin
    perform ensure_queues(array(select o::json ->> 'queue' from unnest(_on_discards) o));
    with discarded as materialized (
        select d.o, d.on_discard::json as handler, j.seq, j.id, j.name, j.max_attempts, j.payload, j.meta, f.attempt, q.name as queue
        from unnest(_seqs, _on_discards) with ordinality d (seq, on_discard, o)
            join jobs j on j.seq = any (array[d.seq])
            join finished f on f.seq = any (array[d.seq])
            join queues q on q.id = any (array[j.queue_id])),
    new as (
        insert into jobs (
            id, queue_id, name, priority, max_attempts, pushed_at, run_at, payload, meta, on_discard)
        select gen_random_uuid(), (select id from queues where name = handler ->> 'queue'), handler ->> 'name',
            (handler ->> 'priority')::integer, (handler ->> 'max_attempts')::bigint, _now, _now,
            -- The payload is copied as text, byte for byte.
            format('{%s:{"id":%s,"name":%s,"queue":%s,"attempt":%s,"max_attempts":%s,"errors":[%s],"payload":%s}}',
                to_json(handler ->> 'parameter'), to_json(id), to_json(name), to_json(queue), attempt, max_attempts,
                (select string_agg(format('{"attempt":%s,"at":%s,"message":%s}', e.attempt, e.failed_at,
                        to_json(e.message)), ',' order by e.fence)
                    from (select * from failures e where e.seq = d.seq order by e.fence desc limit 20) e),
                payload),
            meta, 'null'
        from discarded d order by o
        returning seq, queue_id, priority, run_at)
    select array_agg(queue_id order by seq), array_agg(priority order by seq), array_agg(seq order by seq)
    into _queue_ids, _priorities, _new_seqs from new;
    insert into ready (queue_id, priority, run_at, seq)
    select queue_id, priority, _now, seq from unnest(_queue_ids, _priorities, _new_seqs) u (queue_id, priority, seq);
    perform note_ready(queue_id, null, _now, 1) from unnest(_queue_ids) queue_id;
end $$;
comment on function store_on_discard is
    'Stores a job for each of these discarded jobs, as its element of _on_discards says: see jobs.on_discard. Its payload is '
    'an object with one parameter, the discarded job with its errors and its payload. It has the metadata of that job, and '
    'no limit on sizes applies to it. Creates the queues that do not exist.';
-- The poll of programs that wait for the end of jobs.

create or replace function any_ended(_ids uuid[], out now bigint, out is_any boolean)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
begin
    now := clock();
    is_any := exists (
        select from unnest(_ids) asked (id)
            left join jobs j on j.id = any (array[asked.id])
            left join finished f on f.seq = j.seq
            left join leases l on l.id = j.id
        where j.seq is null or f.seq is not null
            or l.expires_at <= now and (l.cancel_reason is not null or l.attempt >= j.max_attempts));
end $$;
comment on function any_ended is
    'Returns the time, and whether one of these jobs has ended or does not exist. A job whose lease has expired has ended if '
    'it is to be cancelled or has no further attempt. Changes nothing.';
-- How jobs are stored by SQL: in triggers, by hand and from other languages.

create or replace function name_problem(_field text, _name text) returns text
language sql immutable
set search_path from current as $$
    select case
        when _name is null then format('`%s` is null', _field)
        when _name = '' then format('`%s` is empty', _field)
        when char_length(_name) > 128
            then format('`%s` has %s characters, the limit is 128: shorten it', _field, char_length(_name))
        else format(
            '`%s` has ''%s'' in it; allowed are `A-Z a-z 0-9 _ . : -`', _field,
            substring(_name collate "C" from '[^A-Za-z0-9_.:-]'))
    end
    where _name is null or _name collate "C" !~ '^[A-Za-z0-9_.:-]{1,128}$'
$$;
comment on function name_problem is 'Returns what is wrong with the name of a job or a queue; null if it is valid.';

create or replace function meta_problem(_meta jsonb) returns text
language plpgsql immutable
set search_path from current as $$
declare
    _key text;
    _type text;
    _bytes bigint;
begin
    if jsonb_typeof(_meta) <> 'object' then
        return format('`meta` is a JSON %s, and must be an object of strings', jsonb_typeof(_meta));
    end if;
    select e.key, jsonb_typeof(e.value) into _key, _type
    from jsonb_each(_meta) e where jsonb_typeof(e.value) <> 'string' limit 1;
    if found then
        return format('`meta` has a JSON %s at `%s`, and takes strings only: cast the value to text', _type, left(_key, 64));
    end if;
    select sum(octet_length(e.key) + octet_length(e.value)) into _bytes from jsonb_each_text(_meta) e;
    if _bytes > 16384 then
        return format('`meta` has %s bytes, the limit is 16384: store the data elsewhere and pass a reference', _bytes);
    end if;
    return null;
end $$;
comment on function meta_problem is 'Returns what is wrong with the metadata of a job; null if it is valid.';

create or replace function enqueue(
    name text, payload jsonb default '{}', queue text default 'default', run_at timestamptz default null,
    priority integer default 0, max_attempts integer default 5, unique_key text default null,
    unique_for interval default null, unique_replace boolean default false, meta jsonb default '{}', id uuid default null,
    notify boolean default true, partition text default null
) returns uuid
language plpgsql
set search_path from current as $$
declare
    _queue text := coalesce(queue, 'default');
    _payload text := payload;
    -- Without an id, the job gets one that sorts by its time of creation (UUID version 7): six bytes of milliseconds replace
    -- random ones, and two bits change version 4 to 7.
    _id uuid := coalesce(id, encode(set_bit(set_bit(
        overlay(uuid_send(gen_random_uuid()) placing substring(int8send(clock() / 1000) from 3) from 1 for 6),
        52, 1), 53, 1), 'hex')::uuid);
    _problem text;
    _time bigint;
    _unique_for bigint;
    _channel text;
    _kind smallint;
    _job uuid;
    _partition text := nullif(partition, '');
begin
    _problem := coalesce(
        name_problem('name', name), name_problem('queue', _queue),
        case
            when max_attempts < 1 then format('`max_attempts` is %s, and must be at least 1', max_attempts)
            when _payload is null then '`payload` is null: pass a JSON value, such as ''{}'''
            when octet_length(_payload) > 1048576 then format(
                '`payload` has %s bytes, the limit is 1048576: store the data elsewhere and pass a reference',
                octet_length(_payload))
            when unique_key = '' then '`unique_key` is empty: pass null for a job without one'
            when octet_length(unique_key) > 256
                then format('`unique_key` has %s bytes, the limit is 256: hash the key', octet_length(unique_key))
            when unique_key is null and (unique_for is not null or unique_replace)
                then '`unique_for` and `unique_replace` need a `unique_key`'
            when unique_for < interval '0' then format('`unique_for` is %s, and must not be negative', unique_for)
            when octet_length(_partition) > 128
                then format('`partition` has %s bytes, the limit is 128: shorten it', octet_length(_partition))
            when _partition ~ '[\u0001-\u001f\u007f-\u009f]'
                then '`partition` has a control character in it; control characters are not allowed'
            when run_at = '-infinity' then '`run_at` is -infinity: pass null for a job that is due now'
            when not isfinite(run_at) or extract(epoch from run_at) > 9223372036854
                then format('`run_at` is %s, which leads past the end of time', run_at)
        end,
        meta_problem(meta));
    if _problem is not null then
        raise exception using errcode = 'invalid_parameter_value',
            message = format('job `%s`: %s', left(name, 64), _problem);
    end if;
    _time := extract(epoch from run_at) * 1000000;
    if unique_for is not null then
        _unique_for := least(extract(epoch from unique_for) * 1000000, 9e18);
    end if;
    -- A server without room for notifications would fail the commit.
    if coalesce(notify, true) and pg_notification_queue_usage() < 0.9 then
        _channel := 'queue_jobs:' || current_schema();
    end if;
    for attempt in 1 .. 2 loop
        select p.kind, p.job into _kind, _job
        from push(
            array[_queue], array[_id], case when id is not null then array[true] end, array[1], array[name],
            array[coalesce(priority, 0)], array[coalesce(max_attempts, 5)::bigint], null,
            case when _time is not null then array[_time] end, case when unique_key is not null then array[unique_key] end,
            case when _unique_for is not null then array[_unique_for] end, array[unique_replace], array[_payload],
            case when meta <> '{}' then array[meta::text] end, null,
            case when _partition is not null then array[_partition] end, _channel, 'sql+') p;
        if _kind is distinct from -2 then
            return coalesce(_job, _id);
        end if;
        perform ensure_queues(array[_queue]);
        if _partition is not null then
            perform share_queues(array[_queue]);
        end if;
    end loop;
    raise exception using errcode = 'serialization_failure',
        message = format('the queue `%s` was deleted meanwhile: try again', _queue);
end $$;
comment on function enqueue is
    'Stores a job and returns its id, for SQL: see docs/schema-postgres.md. Null stands for the default of an argument, '
    'except for name and payload. run_at: when the job is due; null means now. unique_key: if an unfinished job of this name '
    'has the key, or one pushed within its unique_for, nothing is stored, and that job''s id is returned; with '
    'unique_replace, that job gets the new payload, priority and time, or if it has started the new job is stored, too. id: '
    'if a job with this id exists, nothing is stored. Creates the queue if it does not exist. notify: whether the commit '
    'wakes workers. partition: the part of the queue to which the job belongs.';
-- How leases expire. `promote_and_expire` calls `expire` for every expired lease; functions that must know the state of one
-- job first call `expire_lease`.

create or replace function expire(_row_ids tid[]) returns text[]
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    discarded text[];
    _seqs bigint[];
    _on_discards text[];
    _shared integer[] := shared_queues();
begin
    with gone as (delete from leases where ctid = any (_row_ids) returning *),
    ended as materialized (
        select g.*, j.max_attempts,
            case when g.cancel_reason is not null then 6 when g.attempt >= j.max_attempts then 5 else 1 end as state
        from gone g join jobs j on j.seq = any (array[g.seq])),
    noted as (
        insert into failures (seq, fence, attempt, failed_at, message)
        select seq, fence, attempt, expires_at, format(
            'the lease expired on attempt %s of %s: the worker died, or could not renew it in time',
            attempt, max_attempts)
        from ended),
    counted as (
        insert into history_parts (minute, run_time, completed, failed, discarded, queue_id, name)
        select minute_of(expires_at), run_time_of(sum(greatest(expires_at - claimed_at, 0))), 0, count(*),
            count(*) filter (where state = 5), queue_id, name
        from ended group by minute_of(expires_at), queue_id, name),
    back as (
        update jobs j set attempt = e.attempt, fence = e.fence, claimed_at = e.claimed_at
        from ended e where j.seq = any (array[e.seq]) and e.state = 1
        returning j.queue_id, j.priority, j.run_at, j.seq, coalesce(j.partition, '') as partition, e.expires_at),
    again as (
        insert into ready (queue_id, priority, run_at, seq, partition)
        select queue_id, priority, run_at, seq, partition from back),
    shared as (
        insert into partition_changes (queue_id, at, position, partition, ready)
        select queue_id, min(expires_at), expiry_position((array_agg(seq order by expires_at, seq))[1]), partition, count(*)
        from back where queue_id = any (_shared) group by queue_id, partition),
    over as (
        insert into finished (seq, finished_at, fence, attempt, claimed_at, queue_id, state, cancel_reason)
        select seq, expires_at, fence, attempt, claimed_at, queue_id, state, cancel_reason from ended where state > 1)
    select array_agg(format('%s %s %s %s %s', id, attempt, fence, name, (select q.name from queues q where q.id = queue_id))),
        array_agg(seq order by expires_at, seq) filter (where on_discard <> 'null'),
        array_agg(on_discard order by expires_at, seq) filter (where on_discard <> 'null')
    into discarded, _seqs, _on_discards from ended where state = 5;
    if _seqs is not null then
        perform store_on_discard(_seqs, _on_discards, clock());
    end if;
    return discarded;
end $$;
comment on function expire is
    'Ends the leases in these rows, which the caller has locked. A job whose cancellation was requested is cancelled; a job '
    'without further attempts is discarded, and its on_discard job is stored; every other job becomes ready again. '
    'Returns the discarded jobs, each as its '
    'id, its number of attempts, the number of the claim, its name and its queue.';

create or replace function expire_lease(_now bigint, _id uuid) returns text[]
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
begin
    return expire(array(select ctid from leases where id = _id and expires_at <= _now for update));
end $$;
comment on function expire_lease is
    'Ends the lease of one job if it has expired. Waits for a transaction that has locked the lease. Returns the job as '
    'expire() does, if it was discarded.';
-- What ended in each minute. Before `settle.sql`, `expire.sql` and `prune.sql`, which call these functions.

create or replace function minute_of(_at bigint) returns bigint
language sql immutable parallel safe as $$ select _at - (_at % 60000000 + 60000000) % 60000000 $$;
comment on function minute_of is 'Returns when the minute begins in which a time is.';

create or replace function run_time_of(_sum numeric) returns bigint
language sql immutable parallel safe as $$ select least(_sum, 9223372036854775807)::bigint $$;
comment on function run_time_of is 'Returns a sum of run times as it is stored: at most the largest bigint.';

create or replace function roll_up_history(_now bigint) returns void
language plpgsql
set search_path from current set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
    _kept bigint := minute_of(_now - 86400000000);
begin
    -- One session at a time, and no other waits for it: the next call finds the rows.
    if not pg_try_advisory_xact_lock(hashtextextended('queue_postgres history:' || current_schema(), 0)) then
        return;
    end if;
    if exists (select from history_parts) then
        with gone as (delete from history_parts returning *)
        insert into history as h (queue_id, minute, name, completed, failed, discarded, run_time)
        select queue_id, minute, name, sum(completed), sum(failed), sum(discarded), run_time_of(sum(run_time))
        from gone where minute >= _kept group by queue_id, minute, name
        on conflict (queue_id, minute, name) do update set completed = h.completed + excluded.completed,
            failed = h.failed + excluded.failed, discarded = h.discarded + excluded.discarded,
            run_time = run_time_of(h.run_time::numeric + excluded.run_time);
    end if;
    delete from history h using queues q
    where h.queue_id = any (array[q.id]) and h.minute < _kept;
end $$;
comment on function roll_up_history is
    'Adds the rows of history_parts to history and deletes them, and deletes the minutes that ended more than 24 hours before '
    '_now. Does nothing if another session does this.';

create or replace function history(
    _since bigint, _until bigint, _step bigint, _queue text default null, _name text default null
) returns table (
    step bigint, queue text, name text, completed bigint, failed bigint, discarded bigint, run_time bigint
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    _now bigint := clock();
    _first bigint := greatest(_since, minute_of(_now - 86400000000));
begin
    return query
    with ended as (
        -- The array keeps the planner from reading the history of all queues: see time.sql.
        select h.queue_id, h.minute, h.name, h.completed, h.failed, h.discarded, h.run_time
        from queues q join history h on h.queue_id = any (array[q.id]) and h.minute >= _first and h.minute < _until
        where _queue is null or q.name = _queue
        union all
        select p.queue_id, p.minute, p.name, p.completed, p.failed, p.discarded, p.run_time from history_parts p
        union all
        -- Expired leases that no claim has met yet.
        select l.queue_id, minute_of(l.expires_at), l.name, 0, 1,
            case when l.cancel_reason is null and l.attempt >= j.max_attempts then 1 else 0 end,
            greatest(l.expires_at - l.claimed_at, 0)
        from leases l join jobs j on j.seq = any (array[l.seq])
        where l.expires_at <= _now),
    steps as materialized (
        select e.minute - (e.minute % _step + _step) % _step as step, e.queue_id, e.name, sum(e.completed)::bigint as completed,
            sum(e.failed)::bigint as failed, sum(e.discarded)::bigint as discarded, run_time_of(sum(e.run_time)) as run_time
        from ended e
        where e.minute >= _first and e.minute < _until and (_name is null or e.name = _name)
        group by 1, 2, 3)
    select s.step, q.name, s.name, s.completed, s.failed, s.discarded, s.run_time
    from steps s join queues q on q.id = any (array[s.queue_id])
    where _queue is null or q.name = _queue
    order by s.step, q.name, s.name;
end $$;
comment on function history is
    'Returns what ended in each step of _step microseconds, a multiple of a minute: for each queue and name, the number of jobs '
    'that completed, of attempts that failed and of jobs that were discarded, and the microseconds that the completed and failed '
    'attempts ran. Has the minutes from _since on and before _until, of the last 24 hours, of one queue or name if these are '
    'not null. An expired lease counts as a failed attempt, whether a claim has met it or not.';
-- How jobs of another store are stored.

create or replace function import_jobs(
    _ids uuid[], _queues text[], _names text[], _priorities integer[], _attempts bigint[], _max_attempts bigint[],
    _fences bigint[], _pushed_ats bigint[], _run_ats bigint[], _claimed_ats bigint[], _states smallint[],
    _unique_keys text[], _unique_untils bigint[], _holds_keys boolean[], _payloads text[], _metas text[], _on_discards text[],
    _partitions text[], _failed integer[], _failed_fences bigint[], _failed_attempts bigint[], _failed_ats bigint[], _messages text[],
    _channel text, _sender text
) returns table (kind smallint, holder uuid)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
    _now bigint := clock();
    _key unique_keys;
    _seq bigint;
    _seqs bigint[];
    new record;
begin
    perform ensure_queues(_queues);
    if exists (select from unnest(_partitions) p where p is not null) then
        perform share_queues(array(
            select u.queue from unnest(_queues, _partitions) u (queue, partition) where u.partition is not null));
    end if;
    -- As in push(): the transaction that has locked the row of a key decides who holds it.
    insert into unique_keys (name, key)
    select distinct u.name, u.key from unnest(_names, _unique_keys, _holds_keys) u (name, key, holds) where u.holds order by 1, 2
    on conflict (name, key) do update set key = excluded.key;
    for new in
        select u.*, q.id as queue_id from unnest(_ids, _queues, _names, _priorities, _attempts, _max_attempts, _fences,
            _pushed_ats, _run_ats, _claimed_ats, _states, _unique_keys, _unique_untils, _holds_keys, _payloads, _metas,
            _on_discards, _partitions) with ordinality
            u (id, queue, name, priority, attempt, max_attempts, fence, pushed_at, run_at, claimed_at, state, key, until,
                holds, payload, meta, on_discard, partition, o)
        join queues q on q.name = any (array[u.queue]) order by u.o
    loop
        kind := 1;
        holder := null;
        _seq := null;
        if new.holds then
            select * into _key from unique_keys k where k.name = new.name and k.key = new.key;
        end if;
        if exists (select from jobs j where j.id = new.id) then
            null;
        elsif new.holds and _key.seq is not null and is_key_held(_key, _now) then
            kind := 2;
            holder := _key.id;
        else
            insert into jobs (
                id, queue_id, name, priority, attempt, max_attempts, fence, pushed_at, run_at, claimed_at, unique_key,
                unique_until, payload, meta, on_discard, partition)
            values (
                new.id, new.queue_id, new.name, new.priority, new.attempt, new.max_attempts, new.fence, new.pushed_at,
                new.run_at, new.claimed_at, new.key, new.until, new.payload, new.meta, new.on_discard, new.partition)
            on conflict (id) do nothing
            returning seq into _seq;
        end if;
        if _seq is not null then
            kind := 0;
            if new.run_at > _now then
                insert into waiting values (new.run_at, _seq, new.state, new.queue_id);
            else
                insert into ready values (new.queue_id, new.priority, new.run_at, _seq, coalesce(new.partition, ''));
                perform note_ready(new.queue_id, new.partition, _now, 1);
            end if;
            if new.holds then
                update unique_keys k set seq = _seq, id = new.id, unique_until = new.until
                where k.name = new.name and k.key = new.key;
            end if;
        end if;
        _seqs := array_append(_seqs, _seq);
        return next;
    end loop;
    insert into failures (seq, fence, attempt, failed_at, message)
    select _seqs[u.o], u.fence, u.attempt, u.failed_at, u.message
    from unnest(_failed, _failed_fences, _failed_attempts, _failed_ats, _messages) u (o, fence, attempt, failed_at, message)
    where _seqs[u.o] is not null
    on conflict (seq, fence) do nothing;
    delete from unique_keys k using unnest(_names, _unique_keys, _holds_keys) u (name, key, holds)
    where u.holds and k.name = any (array[u.name]) and k.key = u.key and k.seq is null;
    if _channel is not null and exists (select from unnest(_seqs) s where s is not null) then
        perform pg_notify(_channel, _sender);
    end if;
end $$;
comment on function import_jobs is
    'Stores jobs with the attempts, claims, times and errors that they had in another store, and creates their queues. Each '
    'array up to _partitions has one element for each job. _states: scheduled or retryable, for a job that is not due; see '
    'state_name(). _holds_keys: whether the job holds its unique key, until _unique_untils at least. The arrays from _failed '
    'to _messages have one element for each error: the position of its job in the batch, from 1, and the claim that failed. Notifies the channel '
    '_channel with _sender if a job is stored, unless that is null. Returns a row for each job, in order: kind 0 stored, 1 '
    'a job with this id exists, 2 the job holder has its unique key.';
-- The limits of queues. Each function that changes them holds the lock of the queue's claims.

create or replace function lock_limits(_queue text) returns integer
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    _id integer;
begin
    perform ensure_queues(array[_queue]);
    _id := (select id from queues where name = _queue);
    -- Claims that take the queue for a plain one end first.
    perform pg_advisory_xact_lock(share_lock(_id));
    perform share_queues(array[_queue]);
    if not exists (select from shares where queue_id = _id and is_adopted) then
        perform adopt(_id);
    end if;
    perform from shares where queue_id = _id for update;
    return _id;
end $$;
comment on function lock_limits is 'Makes a queue shared, locks it for a change of its limits, and returns its id.';

create or replace function apply_limits(_queue_id integer) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
    _own text[] := array(select distinct l.partition from limits l where l.queue_id = _queue_id and l.scope = 2);
    _row_ids tid[];
begin
    update shares s set has_limits = exists (select from limits l where l.queue_id = _queue_id), max_running = t.max_running,
        rate_interval = t.rate_interval, rate_burst = t.rate_burst
    from terms_of(_queue_id, 0, '') t where s.queue_id = _queue_id;
    update partitions p set max_running = t.max_running, rate_interval = t.rate_interval, rate_burst = t.rate_burst, weight = t.weight
    from terms_of(_queue_id, 1, '') t
    where p.queue_id = _queue_id
        and (p.max_running, p.rate_interval, p.rate_burst, p.weight)
            is distinct from (t.max_running, t.rate_interval, t.rate_burst, t.weight)
        and p.name <> all (_own);
    -- By row ids: a plan that was made for few partitions could read all of them.
    _row_ids := array(
        select r.id from unnest(_own) w (name) cross join lateral (
            select o.ctid as id from partitions o where o.queue_id = _queue_id and o.name = w.name limit 1) r);
    update partitions p set max_running = t.max_running, rate_interval = t.rate_interval, rate_burst = t.rate_burst, weight = t.weight
    from unnest(_own) own (name) cross join lateral terms_of(_queue_id, 2, own.name) t
    where p.ctid = any (_row_ids) and p.name = own.name;
end $$;
comment on function apply_limits is 'Copies the limits in force to the share of a queue and to its partitions.';

create or replace function declare_limits(
    _queue text, _scopes smallint[], _partitions text[], _running bigint[], _starts bigint[], _per_ns bigint[], _bursts bigint[],
    _weights integer[], _channel text, _sender text
) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    _id integer;
begin
    if cardinality(_scopes) = 0 and not exists (select from queues where name = _queue and is_shared) then
        perform ensure_queues(array[_queue]);
        return;
    end if;
    _id := lock_limits(_queue);
    delete from limits where queue_id = _id and not is_set;
    insert into limits (queue_id, scope, partition, is_set, running, starts, per_ns, burst, weight)
    select _id, u.scope, u.partition, false, u.running, u.starts, u.per_ns, u.burst, u.weight
    from unnest(_scopes, _partitions, _running, _starts, _per_ns, _bursts, _weights)
        u (scope, partition, running, starts, per_ns, burst, weight);
    perform apply_limits(_id);
    if _channel is not null then
        perform pg_notify(_channel, _sender);
    end if;
end $$;
comment on function declare_limits is
    'Replaces the declared limits of a queue, and notifies the channel _channel with _sender unless that is null. The arrays have an '
    'element for each limit: see limits.';

create or replace function set_limit(
    _queue text, _scope smallint, _partition text, _running bigint, _starts bigint, _per_ns bigint, _burst bigint,
    _weight integer, _channel text, _sender text
) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    _id integer := lock_limits(_queue);
begin
    delete from limits where queue_id = _id and scope = _scope and partition = _partition and is_set;
    if _weight is not null then
        insert into limits (queue_id, scope, partition, is_set, running, starts, per_ns, burst, weight)
        values (_id, _scope, _partition, true, _running, _starts, _per_ns, _burst, _weight);
    end if;
    perform apply_limits(_id);
    if _channel is not null then
        perform pg_notify(_channel, _sender);
    end if;
end $$;
comment on function set_limit is
    'Sets the limit of an operator, or takes it back if _weight is null. Notifies the channel _channel with _sender unless that is '
    'null. See the columns of limits.';

create or replace function usage(_queue text) returns table (
    now bigint, total_free_at bigint, partition text, ready bigint, running bigint, free_at bigint
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
#variable_conflict use_column
declare
    _now bigint := clock();
    _id integer := (select q.id from queues q where q.name = _queue);
    _total bigint := (select s.free_at from shares s where s.queue_id = _id);
begin
    return query
    select _now, _total, null::text, null::bigint, null::bigint, null::bigint
    union all
    select _now, _total, u.partition, sum(u.ready)::bigint, sum(u.running)::bigint, max(u.free_at) from (
        -- A job that names a partition is in the counts, with the changes that no claim has added yet.
        select p.name as partition, p.ready, 0 as running, 0::bigint as free_at
        from partitions p where p.queue_id = _id and p.ready <> 0 and p.name <> ''
        union all
        select c.partition, c.ready, 0, 0 from partition_changes c where c.queue_id = _id and c.partition <> ''
        union all
        select r.partition, count(*), 0, 0 from ready r where r.queue_id = _id and r.partition = '' group by r.partition
        union all
        select coalesce(j.partition, ''), count(*), 0, 0
        from waiting w join jobs j on j.seq = any (array[w.seq])
        where w.queue_id = _id and w.state in (0, 3) and w.due <= _now group by 1
        union all
        select coalesce(l.partition, ''), count(*) filter (where l.expires_at <= _now and l.cancel_reason is null
                and l.attempt < (select j.max_attempts from jobs j where j.seq = l.seq)),
            count(*) filter (where l.expires_at > _now), 0
        from leases l where l.queue_id = _id group by 1
        union all
        select p.name, 0, 0, p.free_at from partitions p where p.queue_id = _id and p.free_at > _now
        union all
        select c.partition, 0, 0, c.hold_until from partition_changes c where c.queue_id = _id and c.hold_until > _now) u
    group by u.partition;
end $$;
comment on function usage is
    'Returns the use of a queue: first a row with the time and shares.free_at, then a row for each partition that has ready or running '
    'jobs or may start none yet. Reads the partitions and the running jobs of the queue, and its ready jobs that name no partition.';
-- The view for people, and the names of states.

create or replace function state_name(_state integer) returns text
language sql immutable as $$
    select (array['scheduled', 'available', 'executing', 'retryable', 'completed', 'discarded', 'cancelled'])[_state + 1]
$$;
comment on function state_name is
    'Returns the name of a state: 0 scheduled, 1 available (ready), 2 executing (leases), 3 retryable, 4 completed, '
    '5 discarded, 6 cancelled. The tables store 0 and 3 in waiting.state, and 4 to 6 in finished.state.';

create or replace view overview as
select j.id, j.name, q.name as queue,
    state_name(coalesce(f.state, case when l.seq is not null then 2 end, w.state, 1)) as state,
    j.priority, coalesce(f.attempt, l.attempt, j.attempt) as attempt, j.max_attempts,
    to_timestamp(j.pushed_at / 1e6) as pushed_at, to_timestamp(j.run_at / 1e6) as run_at,
    to_timestamp(coalesce(f.claimed_at, l.claimed_at, j.claimed_at) / 1e6) as claimed_at,
    to_timestamp(l.expires_at / 1e6) as lease_expires_at, to_timestamp(f.finished_at / 1e6) as finished_at,
    coalesce(f.cancel_reason, l.cancel_reason) as cancel_reason,
    (select message from failures where seq = j.seq order by fence desc limit 1) as last_error,
    j.unique_key, j.payload, j.meta, (select result from results where seq = j.seq) as result,
    l.progress, l.progress_note, j.seq, j.on_discard, j.partition
from jobs j
    join queues q on q.id = j.queue_id
    left join finished f on f.seq = j.seq
    left join leases l on l.id = j.id
    left join waiting w on w.due = j.run_at and w.seq = j.seq;
comment on view overview is
    'All jobs with their states and timestamps, for people. A job that is due or whose lease has expired keeps its stored '
    'state until the next claim.';
comment on column overview.id is 'Identity of the job.';
comment on column overview.name is 'Kind of the job.';
comment on column overview.queue is 'Name of its queue.';
comment on column overview.state is 'Name of its state: see state_name().';
comment on column overview.priority is 'Jobs with lower numbers are claimed first.';
comment on column overview.attempt is 'Number of the last counted attempt, a running one included.';
comment on column overview.max_attempts is 'Number of attempts after which a failed job is discarded.';
comment on column overview.pushed_at is 'When the job was pushed.';
comment on column overview.run_at is 'When the job is or was due.';
comment on column overview.claimed_at is 'When its last attempt started.';
comment on column overview.lease_expires_at is 'When the lease of an executing job expires unless it is renewed.';
comment on column overview.finished_at is 'When the job ended.';
comment on column overview.cancel_reason is 'Reason of a cancellation, if one was requested.';
comment on column overview.last_error is 'Error of its last failed attempt.';
comment on column overview.unique_key is 'Unique key that it was pushed with, if any.';
comment on column overview.payload is 'Its arguments, as JSON.';
comment on column overview.meta is 'Its metadata, as a JSON object.';
comment on column overview.result is 'Value that it returned, as JSON, if it completed with one.';
comment on column overview.progress is 'How much of an executing job is done, in percent, as it has reported.';
comment on column overview.progress_note is 'The note of an executing job on its progress.';
comment on column overview.seq is 'Position in push order.';
comment on column overview.partition is 'Part of the queue to which it belongs, if it names one.';
comment on column overview.on_discard is 'The job to store if it is discarded: see jobs.on_discard.';
-- The partitions of shared queues: what other functions append to `partition_changes`.
--
-- Whatever inserts or deletes rows of `ready` appends the difference for each partition of a shared queue, in the same
-- transaction. A statement that began before its queue became shared may leave out the partition of the jobs that name none;
-- `fold` notices that. A job that names a partition is only stored in a shared queue.

create or replace function shared_queues() returns integer[]
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off
set plan_cache_mode = force_generic_plan as $$
begin
    return array(select id from queues where is_shared);
end $$;
comment on function shared_queues is 'Returns the ids of the shared queues.';

create or replace function share_queues(_names text[]) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
begin
    -- All transactions lock these rows in the same order.
    perform from queues where name = any (_names) and not is_shared order by id for update;
    update queues set is_shared = true where name = any (_names) and not is_shared;
end $$;
comment on function share_queues is 'Makes these queues shared. Waits for transactions that do the same.';

create or replace function note_ready(
    _queue_id integer, _partition text, _at bigint, _change integer, _priority integer default null
) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off
set plan_cache_mode = force_generic_plan as $$
begin
    insert into partition_changes (queue_id, at, partition, ready, priority)
    select _queue_id, _at, coalesce(_partition, ''), _change, _priority from queues where id = _queue_id and is_shared;
end $$;
comment on function note_ready is
    'Notes that the number of ready jobs of a partition has changed, if the queue is shared. _partition: null for jobs that name '
    'none. _priority: that of the job; null if its run_at may be before _at.';

create or replace function note_due(_queue_id integer, _partition text, _due bigint, _seq bigint) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off
set plan_cache_mode = force_generic_plan as $$
begin
    insert into partition_changes (queue_id, at, position, partition, ready)
    select _queue_id, _due, due_position(_seq), coalesce(_partition, ''), 1 from queues where id = _queue_id and is_shared;
end $$;
comment on function note_due is
    'Notes that a job has become due at _due, for a caller that takes it out of waiting at once: in the meantime it was ready.';

create or replace function due_position(_seq bigint) returns bigint
language sql immutable as $$ select _seq - 9223372036854775807 $$;
comment on function due_position is
    'Returns partition_changes.position of a job that has become due: before all other changes of the same time, in push order.';

create or replace function expiry_position(_seq bigint) returns bigint
language sql immutable as $$ select _seq - 4611686018427387904 $$;
comment on function expiry_position is
    'Returns partition_changes.position of an expired lease: after the jobs that became due at the same time, in push order.';
-- How jobs are deleted for good.

create or replace function purge(_seqs bigint[], _now bigint) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
    with gone as (delete from jobs where seq = any (_seqs) returning seq, name, unique_key)
    delete from unique_keys k using gone g
    where g.unique_key is not null and k.name = any (array[g.name]) and k.key = g.unique_key and k.seq = g.seq
        and k.unique_until <= _now;
    delete from failures where seq = any (_seqs);
    delete from results where seq = any (_seqs);
end $$;
comment on function purge is
    'Deletes the rows of these jobs from jobs, failures and results, and their unique keys unless these are held beyond _now. The '
    'caller has deleted the rows of their states.';

create or replace function expire_ended(_discarded bigint, _cancelled bigint, _limit bigint) returns text[]
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
    return expire(array(
        select l.ctid from leases l join jobs j on j.seq = any (array[l.seq])
        where l.expires_at <= clock() - least(_discarded, _cancelled)
            and (l.cancel_reason is not null or l.attempt >= j.max_attempts)
        order by l.expires_at limit _limit for update of l skip locked));
end $$;
comment on function expire_ended is
    'Writes the end of at most _limit jobs whose last leases expired at least as many microseconds ago as the lower of these '
    'ages. Returns the discarded jobs, as expire() does.';

create or replace function prune(_completed bigint, _discarded bigint, _cancelled bigint, _limit bigint) returns bigint
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
    _now bigint := clock();
    _seqs bigint[];
    _kept bigint[];
begin
    -- Jobs that ended that long ago because their leases expired have no row in `finished` yet.
    perform expire_ended(_discarded, _cancelled, _limit);
    _seqs := array(
        select old.seq from queues q cross join lateral (
            (select finished_at, seq from finished
            where queue_id = q.id and state = 4 and finished_at <= _now - _completed
            order by finished_at, seq limit _limit)
            union all
            (select finished_at, seq from finished
            where queue_id = q.id and state = 5 and finished_at <= _now - _discarded
            order by finished_at, seq limit _limit)
            union all
            (select finished_at, seq from finished
            where queue_id = q.id and state = 6 and finished_at <= _now - _cancelled
            order by finished_at, seq limit _limit)) old
        order by old.finished_at, old.seq limit _limit);
    _seqs := array(select seq from finished where seq = any (_seqs) for update skip locked);
    -- A job and its unique key are deleted together. If the key is locked, both stay.
    with keyed as (
        select j.seq, k.name, k.key from jobs j
            join unique_keys k on k.name = any (array[j.name]) and k.key = j.unique_key and k.seq = j.seq
        where j.seq = any (_seqs)),
    free as materialized (
        select k.seq from keyed y join unique_keys k on k.name = any (array[y.name]) and k.key = y.key for update of k skip locked)
    select array_agg(seq) into _kept from keyed where seq not in (select seq from free);
    _seqs := array(select seq from unnest(_seqs) seq where seq <> all (coalesce(_kept, '{}')));
    delete from finished where seq = any (_seqs);
    perform purge(_seqs, _now);
    perform forget_workers(_now);
    perform roll_up_history(_now);
    perform forget_partitions(_now);
    return cardinality(_seqs);
end $$;
comment on function prune is
    'Deletes at most _limit jobs that ended at least as many microseconds ago as the age of their state says, oldest '
    'first. An age that is null keeps the jobs of that state. Rolls up the history and forgets unused partitions too. Returns the number of deleted jobs. A job is left for the next '
    'call if another transaction has locked its row or its unique key.';
-- How jobs are stored. A program calls `push`; if that reports an unknown queue, it calls `ensure_queues` in a transaction of
-- its own and pushes again.

create or replace function ensure_queues(_names text[]) returns void
language plpgsql
set search_path from current as $$
begin
    insert into queues (name)
    select distinct n from unnest(_names) n where not exists (select from queues q where q.name = n) order by n
    on conflict (name) do nothing;
end $$;
comment on function ensure_queues is 'Creates the queues of these names that do not exist.';

create or replace function queue_ids(
    _queues text[], _queue_of integer[], _partitions text[]
) returns integer[]
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    ids integer[];
    shared integer[];
begin
    select array_agg(q.id order by n.o), array_agg(q.id) filter (where q.is_shared) into ids, shared
    from unnest(_queues) with ordinality n (name, o) join queues q on q.name = n.name;
    if cardinality(ids) <> cardinality(_queues) then
        return null;
    elsif _partitions is not null and exists (
        select from unnest(_queue_of, _partitions) u (queue, partition)
        where u.partition is not null and ids[u.queue] <> all (coalesce(shared, '{}')))
    then
        return null;
    end if;
    return ids || shared;
end $$;
comment on function queue_ids is
    'Returns the ids of the queues of these names, in their order, and behind them the ids of the shared ones once more. Null if one '
    'of the queues does not exist, or a job names a partition and its queue is not shared. The arrays are those of push().';

create or replace function is_key_held(_holder unique_keys, _now bigint) returns boolean
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
begin
    if _holder.unique_until > _now then
        return true;
    end if;
    -- A job whose last lease has expired is over, although the next claim ends it. A lease that another transaction has
    -- locked is skipped, and its job counts as unfinished: that transaction may be a settlement that began in time and keeps
    -- the job.
    perform from leases l join jobs j on j.seq = any (array[l.seq])
    where l.id = _holder.id and l.expires_at <= _now and (l.cancel_reason is not null or l.attempt >= j.max_attempts)
    for update of l skip locked;
    if found then
        return false;
    end if;
    return exists (select from jobs where seq = _holder.seq)
        and not exists (select from finished where seq = _holder.seq);
end $$;
comment on function is_key_held is
    'Returns whether the job of this row holds its unique key: it is unfinished, or unique_until is in the future. A job '
    'whose lease has expired and that cannot run again is not unfinished.';

create or replace function take_out(_job jobs, _now bigint) returns boolean
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
begin
    delete from ready r where r.queue_id = _job.queue_id and r.partition = coalesce(_job.partition, '')
        and r.priority = _job.priority and r.run_at = _job.run_at and r.seq = _job.seq;
    if found then
        perform note_ready(_job.queue_id, _job.partition, _now, -1);
        return true;
    end if;
    delete from waiting w where w.due = _job.run_at and w.seq = _job.seq;
    if found and _job.run_at <= _now then
        perform note_due(_job.queue_id, _job.partition, _job.run_at, _job.seq);
        perform note_ready(_job.queue_id, _job.partition, _now, -1);
        return true;
    end if;
    return found;
end $$;
comment on function take_out is
    'Deletes the row of a job from ready or waiting. Returns whether one of them has it: if not, another transaction has just moved '
    'it.';

create or replace function push_one(
    _now bigint, _id uuid, _queue_id integer, _name text, _priority integer, _max_attempts bigint, _time bigint, _key text,
    _unique_until bigint, _payload text, _meta text, _on_discard text, _partition text
) returns bigint
language plpgsql
set search_path from current as $$
declare
    new jobs;
begin
    insert into jobs (
        id, queue_id, name, priority, max_attempts, pushed_at, run_at, unique_key, unique_until, payload, meta, on_discard,
        partition)
    values (
        _id, _queue_id, _name, _priority, _max_attempts, _now, greatest(_time, _now), _key, _unique_until, _payload, _meta,
        _on_discard, _partition)
    on conflict (id) do nothing
    returning * into new;
    if new.seq is null then
        return null;
    end if;
    if new.run_at > _now then
        insert into waiting values (new.run_at, new.seq, 0, _queue_id);
    else
        insert into ready values (_queue_id, _priority, new.run_at, new.seq, coalesce(_partition, ''));
        perform note_ready(_queue_id, _partition, _now, 1, _priority);
    end if;
    return new.seq;
end $$;
comment on function push_one is
    'Stores one job that push() has checked, due at _time or now, whichever is later. Returns its seq; null if a job with '
    'this id exists.';

create or replace function push(
    _queues text[], _ids uuid[], _id_given boolean[], _queue_of integer[], _names text[], _priorities integer[],
    _max_attempts bigint[], _delays bigint[], _times bigint[], _unique_keys text[], _unique_for bigint[],
    _replace boolean[], _payloads text[], _metas text[], _on_discards text[], _partitions text[],
    _channel text, _sender text
) returns table (idx integer, kind smallint, job uuid)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _now bigint := clock();
    _queue_ids integer[];
    _shared integer[];
    new record;
    holder unique_keys;
    is_moving boolean;
    is_held boolean;
    is_started boolean;
    was jobs;
    stored bigint;
    _unique_until bigint;
begin
    if _delays is not null then
        select (min(o) - 1)::integer into idx from unnest(_delays) with ordinality u (delay, o)
        where delay > 9223372036854775807 - _now;
        if idx is not null then
            kind := -1;
            return next;
            return;
        end if;
    end if;
    _queue_ids := queue_ids(_queues, _queue_of, _partitions);
    if _queue_ids is null then
        kind := -2;
        return next;
        return;
    end if;
    _shared := _queue_ids[cardinality(_queues) + 1:];
    if _channel is not null then
        perform pg_notify(_channel, _sender);
    end if;
    -- New jobs with new ids: the most frequent case.
    if _unique_keys is null and _id_given is null then
        with new as (
            insert into jobs (id, queue_id, name, priority, max_attempts, pushed_at, run_at, payload, meta, on_discard,
                partition)
            select id, _queue_ids[u.queue], u.name, u.priority, max_attempts, _now,
                greatest(_now, coalesce(time, _now + coalesce(delay, 0))), payload, meta, on_discard,
                partition
            from unnest(_ids, _queue_of, _names, _priorities, _max_attempts, _delays, _times, _payloads, _metas, _on_discards,
                _partitions)
                u (id, queue, name, priority, max_attempts, delay, time, payload, meta, on_discard, partition)
            returning seq, queue_id, priority, run_at, coalesce(partition, '') as partition),
        later as (
            insert into waiting (due, seq, state, queue_id)
            select run_at, seq, 0, queue_id from new where run_at > _now)
        insert into ready (queue_id, priority, run_at, seq, partition)
        select queue_id, priority, run_at, seq, partition from new where run_at <= _now;
        if _shared <> '{}' then
            insert into partition_changes (queue_id, at, partition, ready, priority)
            select _queue_ids[u.queue], _now, coalesce(u.partition, ''), count(*), min(u.priority)
            from unnest(_queue_of, _priorities, _delays, _times, _partitions) with ordinality
                u (queue, priority, delay, time, partition, o)
            where coalesce(u.time, _now + coalesce(u.delay, 0)) <= _now and _queue_ids[u.queue] = any (_shared)
            group by 1, 3 order by min(u.o);
        end if;
        return;
    end if;
    -- The same, but a job whose id exists is skipped.
    if _unique_keys is null then
        with new as (
            insert into jobs (id, queue_id, name, priority, max_attempts, pushed_at, run_at, payload, meta, on_discard,
                partition)
            select id, _queue_ids[u.queue], u.name, u.priority, max_attempts, _now,
                greatest(_now, coalesce(time, _now + coalesce(delay, 0))), payload, meta, on_discard,
                partition
            from unnest(_ids, _queue_of, _names, _priorities, _max_attempts, _delays, _times, _payloads, _metas, _on_discards,
                _partitions)
                u (id, queue, name, priority, max_attempts, delay, time, payload, meta, on_discard, partition)
            on conflict (id) do nothing
            returning seq, queue_id, priority, run_at, coalesce(partition, '') as partition),
        later as (
            insert into waiting (due, seq, state, queue_id)
            select run_at, seq, 0, queue_id from new where run_at > _now),
        noted as (
            insert into partition_changes (queue_id, at, partition, ready, priority)
            select queue_id, _now, partition, count(*), min(priority) from new where run_at <= _now and queue_id = any (_shared)
            group by queue_id, partition order by min(seq))
        insert into ready (queue_id, priority, run_at, seq, partition)
        select queue_id, priority, run_at, seq, partition from new where run_at <= _now;
        return;
    end if;
    -- Only the transaction that has locked the row of a unique key may decide who holds it. All transactions lock these rows
    -- in the same order.
    insert into unique_keys (name, key)
    select distinct u.name, u.key from unnest(_names, _unique_keys) u (name, key) where u.key is not null order by 1, 2
    on conflict (name, key) do update set key = excluded.key;
    for new in
        select o - 1 as idx, u.* from unnest(_ids, _id_given, _queue_of, _names, _priorities, _max_attempts, _delays,
            _times, _unique_keys, _unique_for, _replace, _payloads, _metas, _on_discards, _partitions) with ordinality
            u (id, id_given, queue, name, priority, max_attempts, delay, time, key, unique_for, replace, payload, meta,
                on_discard, partition, o)
    loop
        idx := new.idx;
        job := new.id;
        kind := 0;
        new.time := greatest(_now, coalesce(new.time, _now + coalesce(new.delay, 0)));
        if new.key is null then
            perform push_one(_now, new.id, _queue_ids[new.queue], new.name, new.priority, new.max_attempts, new.time, null,
                null, new.payload, new.meta, new.on_discard, new.partition);
            continue;
        end if;
        if new.id_given and exists (select from jobs where id = new.id) then
            return next;
            continue;
        end if;
        loop
            is_moving := false;
            select * into holder from unique_keys k where k.name = new.name and k.key = new.key;
            exit when holder.seq is null;
            is_held := is_key_held(holder, _now);
            if is_held and coalesce(new.replace, false) then
                select * into was from jobs j where j.seq = holder.seq;
                is_started := not found or was.attempt > 0 or exists (select from finished f where f.seq = holder.seq)
                    or exists (select from leases l where l.id = holder.id);
                -- A job that has not started is removed from `ready` or `waiting` here, so that no claim takes it meanwhile.
                if not is_started then
                    is_moving := not take_out(was, _now);
                end if;
            end if;
            exit when not is_moving;
        end loop;
        if holder.seq is not null and is_held and not coalesce(new.replace, false) then
            kind := 1;
            job := holder.id;
        elsif holder.seq is not null and is_held and not is_started then
            kind := 2;
            job := holder.id;
            update jobs set payload = new.payload, priority = new.priority, run_at = new.time where seq = holder.seq;
            if new.time > _now then
                insert into waiting values (new.time, holder.seq, 0, was.queue_id);
            else
                insert into ready values (was.queue_id, new.priority, new.time, holder.seq, coalesce(was.partition, ''));
                perform note_ready(was.queue_id, was.partition, _now, 1, new.priority);
            end if;
        else
            _unique_until := _now + least(coalesce(new.unique_for, 0), 9223372036854775807 - _now);
            stored := push_one(_now, new.id, _queue_ids[new.queue], new.name, new.priority, new.max_attempts, new.time,
                new.key, _unique_until, new.payload, new.meta, new.on_discard, new.partition);
            if stored is not null then
                update unique_keys k set seq = stored, id = new.id, unique_until = _unique_until
                where k.name = new.name and k.key = new.key;
            end if;
        end if;
        return next;
    end loop;
    delete from unique_keys k using unnest(_names, _unique_keys) u (name, key)
    where k.name = any (array[u.name]) and k.key = u.key and k.seq is null;
end $$;
comment on function push is
    'Stores a batch of jobs, whole or not at all, and notifies the channel _channel with _sender unless that is null. '
    '_queues has each queue''s name once; _queue_of has the index of each job''s queue in it, from 1. Every other array has '
    'one element for each job, or is null if no job has such a value. _id_given: whether a job with this id may exist, and '
    'is then skipped. _delays, _unique_for: microseconds from now. _replace: whether a job that has not started and holds '
    'the unique key gets the new payload, priority and time. Returns a row for each job with a unique key, with its index '
    'from 0: kind 0 stored, 1 another job holds the key, 2 that job was replaced. A single row with a negative kind says '
    'that nothing was stored: -1 if the delay of job idx exceeds the range of times, -2 if a queue does not exist, or is not shared '
    'and a job names a partition.';
-- The limits in force, and the state of a rate: `queue_core::Rate` in SQL.

create or replace function limit_in_force(_queue_id integer, _scope integer, _partition text) returns limits
language sql stable
set search_path from current as $$
    select l.* from limits l where l.queue_id = _queue_id and l.scope = _scope and l.partition = _partition
    order by l.is_set desc limit 1
$$;
comment on function limit_in_force is 'Returns the limit of a scope: the one that an operator has set, otherwise the declared one.';

create or replace function terms_of(
    _queue_id integer, _scope integer, _partition text, out is_found boolean, out max_running bigint, out rate_interval bigint,
    out rate_burst bigint, out weight integer
)
language plpgsql stable
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    _limit limits := limit_in_force(_queue_id, _scope, _partition);
begin
    is_found := _limit.queue_id is not null;
    max_running := _limit.running;
    if _limit.starts is not null then
        rate_burst := _limit.burst;
        rate_interval := greatest(
            (_limit.per_ns / 1000 + _limit.starts - _limit.burst) / (_limit.starts - _limit.burst + 1), 1);
    end if;
    weight := coalesce(_limit.weight, 1);
end $$;
comment on function terms_of is
    'Returns the limit in force of a scope, as the columns of shares and partitions have it, and whether there is one.';

create or replace function starts_available(_now bigint, _free_at bigint, _interval bigint, _burst bigint) returns bigint
language sql immutable as $$
    select case when _free_at > _now then 0 when _interval is null then 9223372036854775807
        else least(_burst, (_now - _free_at) / _interval + 1) end
$$;
comment on function starts_available is 'Returns how many jobs may start at _now by a rate. Without an interval, none is forbidden.';

create or replace function free_after(_now bigint, _free_at bigint, _interval bigint, _burst bigint, _started bigint) returns bigint
language sql immutable as $$
    select case when _interval is null or _started = 0 then _free_at
        else least(greatest(_free_at, _now - _interval::numeric * (_burst - 1)) + _interval::numeric * _started,
            9223372036854775807)::bigint end
$$;
comment on function free_after is 'Returns the state of a rate after _started jobs have started at _now.';
-- How leases are extended.

create or replace function renew(
    _ids uuid[], _fences bigint[], _lease_lengths bigint[], _progress smallint[], _progress_notes text[]
)
returns table (idx integer, expires_at bigint, cancel_reason text)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    _now bigint := clock();
begin
    return query
    with asked as (
        select r.id, r.fence, r.length, r.progress, r.note, (o - 1)::integer as idx
        from unnest(_ids, _fences, _lease_lengths, _progress, _progress_notes) with ordinality
            r (id, fence, length, progress, note, o)),
    free as materialized (
        select a.* from asked a join leases l on l.id = any (array[a.id]) where l.fence = a.fence for update of l skip locked),
    renewed as (
        update leases l set expires_at = _now + least(f.length, 9223372036854775807 - _now),
            progress = coalesce(f.progress, l.progress),
            progress_note = case when f.progress is null then l.progress_note else f.note end
        from free f where l.id = any (array[f.id]) and l.fence = f.fence and l.expires_at + 0 > _now
        returning f.idx, l.expires_at, l.cancel_reason)
    -- The first row of each lease counts: 1 renewed, 2 expired (it was free, but not renewed), 3 locked.
    select first.idx, first.expires_at, first.cancel_reason from (
        select distinct on (all_of.idx) all_of.* from (
            select r.idx, r.expires_at, r.cancel_reason, 1 as rank from renewed r
            union all
            select f.idx, null, null, 2 from free f
            union all
            select a.idx, l.expires_at, l.cancel_reason, 3
            from asked a join leases l on l.id = any (array[a.id]) and l.fence = a.fence) all_of
        order by all_of.idx, all_of.rank) first
    where first.expires_at is not null;
end $$;
comment on function renew is
    'Extends leases that have not expired, each to its length in microseconds from now, and stores the progress of their '
    'jobs, in percent and in words, if it is not null. Both arrays are null if no heartbeat has progress. Returns a row for each '
    'lease that the caller still holds, with its index from 0. A lease that another transaction has locked is returned unchanged: no '
    'claim can take the job before that transaction ends.';
-- How attempts end. `_kinds` has numbers: 0 complete, 1 discard, 2 cancel, 3 retry, 4 snooze, 5 release, 6 throttle.

create or replace function must_settle_in_order(
    _ids uuid[], _kinds smallint[], _parents integer[], _names text[], _unique_keys text[]
) returns boolean
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
begin
    if _unique_keys is not null and exists (
        select from unnest(_parents, _names, _unique_keys) u (parent, name, key)
            join unique_keys k on k.name = any (array[u.name]) and k.key = u.key
            join leases l on l.id = any (array[k.id])
        where (select max(p) from unnest(array_positions(_ids, k.id)) p) - 1 > u.parent)
    then
        return true;
    end if;
    -- The order in which partitions come to have ready jobs is that of the settlements and their followups.
    if exists (select from unnest(_kinds) k where k in (1, 3, 4, 5, 6))
        and exists (select from leases l join queues q on q.id = any (array[l.queue_id]) where l.id = any (_ids) and q.is_shared)
    then
        return true;
    end if;
    return exists (
        select from unnest(_ids, _kinds) with ordinality s (id, kind, o) join leases l on l.id = any (array[s.id])
        where s.kind = 1 and l.on_discard <> 'null' and s.o - 1 > (select min(p) from unnest(_parents) p));
end $$;
comment on function must_settle_in_order is
    'Returns whether settlements have to take effect one after another. Otherwise they take effect together, before their '
    'followups are stored, and the result is the same. It is not if a job that a later settlement ends holds the unique key of '
    'a followup, or if a later settlement stores a job for a discard, which has to come after the followup. The arrays are '
    'those of settle().';

create or replace function settle(
    _ids uuid[], _fences bigint[], _kinds smallint[], _times bigint[], _texts text[], _skip_locked boolean,
    _parents integer[], _queues text[], _new_ids uuid[], _id_given boolean[], _queue_of integer[], _names text[],
    _priorities integer[], _max_attempts bigint[], _delays bigint[], _new_times bigint[], _unique_keys text[],
    _unique_for bigint[], _replace boolean[], _payloads text[], _metas text[], _on_discards text[],
    _partitions text[], _channel text, _sender text, out applied integer[], out blocked integer[], out refused integer,
    out is_shared boolean
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _now bigint := clock();
    max_fence bigint;
    _discarded bigint[];
    _told text[];
    settled record;
    gone record;
    _shared integer[];
    _held integer[];
begin
    is_shared := false;
    if _kinds is not null then
        _shared := shared_queues();
    end if;
    if _delays is not null then
        select (min(o) - 1)::integer into refused from unnest(_delays) with ordinality u (delay, o)
        where delay > 9223372036854775807 - _now;
        if refused is not null then
            return;
        end if;
    end if;
    if _queues is not null then
        if queue_ids(_queues, _queue_of, _partitions) is null then
            refused := -1;
            return;
        end if;
    end if;
    if _parents is not null and cardinality(_ids) > 1 and (_unique_keys is not null or 1 = any (_kinds) or _shared <> '{}')
        and must_settle_in_order(_ids, _kinds, _parents, _names, _unique_keys)
    then
        for i in 1 .. cardinality(_ids) loop
            select * into settled from settle(
                _ids[i:i], _fences[i:i], _kinds[i:i], _times[i:i], _texts[i:i], _skip_locked,
                -- The followups of the other settlements have a parent that does not exist.
                array(select case when p = i - 1 then 0 else -1 end from unnest(_parents) with ordinality u (p, o) order by o),
                _queues, _new_ids, _id_given, _queue_of, _names, _priorities, _max_attempts, _delays, _new_times,
                _unique_keys, _unique_for, _replace, _payloads, _metas, _on_discards, _partitions, _channel, _sender);
            is_shared := is_shared or settled.is_shared;
            if settled.refused is not null then
                raise exception using errcode = 'serialization_failure', message = 'a queue has just been removed';
            end if;
            if settled.applied is not null then
                applied := applied || i - 1;
            elsif settled.blocked is not null then
                blocked := blocked || i - 1;
            end if;
        end loop;
        return;
    end if;
    if _skip_locked and cardinality(_ids) > (
        select count(*) from (select from leases where id = any (_ids) for update skip locked) locked)
    then
        -- Another transaction has locked some leases, or some have ended.
        for i in 1 .. cardinality(_ids) loop
            perform from leases where id = _ids[i] for update skip locked;
            if not found and exists (select from leases where id = _ids[i] and fence = _fences[i]) then
                blocked := blocked || i - 1;
                -- No lease has a negative fence, so the statements below skip this one.
                _fences[i] := -1;
            end if;
        end loop;
    end if;
    if _kinds is null and cardinality(_ids) = 1 then
        -- The most frequent case of a queue that is not busy. Single statements cost less than one that is made of them.
        delete from leases l where l.id = _ids[1] and l.fence = _fences[1] and l.expires_at + 0 > _now
        returning l.seq, l.fence, l.attempt, l.claimed_at, l.queue_id, l.name, l.cancel_reason into gone;
        if found then
            insert into finished (seq, finished_at, fence, attempt, claimed_at, queue_id, state, cancel_reason)
            values (gone.seq, _now, gone.fence, gone.attempt, gone.claimed_at, gone.queue_id, 4, gone.cancel_reason);
            insert into history_parts (minute, run_time, completed, failed, discarded, queue_id, name)
            values (minute_of(_now), greatest(_now - gone.claimed_at, 0), 1, 0, 0, gone.queue_id, gone.name);
            applied := array[0];
            is_shared := exists (select from queues q where q.id = gone.queue_id and q.is_shared);
        end if;
    elsif _kinds is null then
        -- All are completions: the most frequent case of a busy queue.
        with gone as (
            delete from leases l using unnest(_ids, _fences) with ordinality s (id, fence, o)
            where l.id = any (array[s.id]) and l.fence = s.fence and l.expires_at + 0 > _now
            returning l.seq, l.fence, l.attempt, l.claimed_at, l.queue_id, l.name, l.cancel_reason, (s.o - 1)::integer as idx),
        ended as (
            insert into finished (seq, finished_at, fence, attempt, claimed_at, queue_id, state, cancel_reason)
            select seq, _now, fence, attempt, claimed_at, queue_id, 4, cancel_reason from gone),
        counted as (
            insert into history_parts (minute, run_time, completed, failed, discarded, queue_id, name)
            select minute_of(_now), run_time_of(sum(greatest(_now - claimed_at, 0))), count(*), 0, 0, queue_id, name
            from gone group by queue_id, name)
        select array_agg(idx), coalesce(bool_or(queue_id = any (array(select q.id from queues q where q.is_shared))), false)
        into applied, is_shared from gone;
    else
        with gone as (
            delete from leases l using unnest(_ids, _fences, _kinds, _times, _texts) with ordinality
                s (id, fence, kind, time, text, o)
            where l.id = any (array[s.id]) and l.fence = s.fence and l.expires_at + 0 > _now
            returning l.*, s.kind, s.time, s.text, (s.o - 1)::integer as idx),
        moved as materialized (
            select seq, fence, claimed_at, queue_id, name, kind, text, idx, on_discard, time, coalesce(partition, '') as partition,
                case when kind in (4, 5, 6) then greatest(attempt - 1, 0) else attempt end as attempt,
                case when kind = 2 then text else cancel_reason end as reason,
                -- A job whose cancellation was requested does not run again.
                case when kind = 0 then 4 when kind = 1 then 5 when kind = 2 or cancel_reason is not null then 6
                    when kind = 5 or time <= _now then 1 when kind = 3 then 3 else 0 end as state,
                greatest(time, _now) as run_at
            from gone),
        ended as (
            insert into finished (seq, finished_at, fence, attempt, claimed_at, queue_id, state, cancel_reason)
            select seq, _now, fence, attempt, claimed_at, queue_id, state, reason from moved where state >= 4),
        counted as (
            insert into history_parts (minute, run_time, completed, failed, discarded, queue_id, name)
            select minute_of(_now), run_time_of(sum(greatest(_now - claimed_at, 0))), count(*) filter (where kind = 0),
                count(*) filter (where kind in (1, 3)), count(*) filter (where kind = 1), queue_id, name
            from moved where kind in (0, 1, 3) group by queue_id, name),
        kept as (insert into results (seq, result) select seq, text from moved where kind = 0 and text is not null),
        noted as (
            insert into failures (seq, fence, attempt, failed_at, message)
            -- A snooze with a text reports an error of an attempt that does not count: `moved` has its number less one.
            select seq, fence, case when kind = 4 then attempt + 1 else attempt end, _now, text
            from moved where kind in (1, 3, 4) and text is not null),
        back as (
            update jobs j set attempt = m.attempt, fence = m.fence, claimed_at = m.claimed_at,
                run_at = case when m.kind = 5 then j.run_at else m.run_at end
            from moved m where j.seq = any (array[m.seq]) and m.state < 4
            returning j.queue_id, j.priority, j.run_at, j.seq, m.state, m.partition, m.idx),
        again as (
            insert into ready (queue_id, priority, run_at, seq, partition)
            select queue_id, priority, run_at, seq, partition from back where state = 1),
        shared as (
            insert into partition_changes (queue_id, at, partition, ready)
            select queue_id, _now, partition, count(*) from back where state = 1 and queue_id = any (_shared)
            group by queue_id, partition order by min(idx)),
        holding as (
            insert into partition_changes (queue_id, at, partition, hold_until)
            select queue_id, _now, partition, time from moved where kind = 6),
        later as (
            insert into waiting (due, seq, state, queue_id)
            select run_at, seq, state, queue_id from back where state <> 1)
        select array_agg(idx), max(fence) filter (where kind in (1, 3, 4) and text is not null),
            array_agg(seq order by idx) filter (where state = 5 and on_discard <> 'null'),
            array_agg(on_discard order by idx) filter (where state = 5 and on_discard <> 'null'),
            coalesce(bool_or(kind = 6 or queue_id = any (_shared)), false), array_agg(queue_id) filter (where kind = 6)
        into applied, max_fence, _discarded, _told, is_shared, _held from moved;
        if not _held <@ _shared then
            perform share_queues(array(select q.name from queues q where q.id = any (_held)));
        end if;
        -- A job has at most as many failures as claims.
        if max_fence > 20 then
            delete from failures f using (
                select seq, (select fence from failures o where o.seq = j.seq order by fence desc offset 20 limit 1)
                from jobs j where id = any (_ids)) t (seq, fence)
            where f.seq = t.seq and f.fence <= t.fence;
        end if;
        if _discarded is not null then
            perform store_on_discard(_discarded, _told, _now);
        end if;
    end if;
    if applied is not null and _channel is not null
        and (is_shared or _parents is not null or exists (select from unnest(_kinds) k where k <> 0))
    then
        perform pg_notify(_channel, _sender);
    end if;
    if applied is not null and _parents is not null then
        perform push(_queues, array_agg(id), array_agg(id_given), array_agg(queue), array_agg(name), array_agg(priority),
            array_agg(max_attempts), array_agg(delay), array_agg(time), case when count(key) > 0 then array_agg(key) end,
            array_agg(unique_for), array_agg(replace), array_agg(payload), array_agg(meta), array_agg(on_discard),
            case when count(partition) > 0 then array_agg(partition) end, null, null)
        from (
            select * from unnest(_parents, _new_ids, _id_given, _queue_of, _names, _priorities, _max_attempts, _delays,
                _new_times, _unique_keys, _unique_for, _replace, _payloads, _metas, _on_discards, _partitions)
                with ordinality
                u (parent, id, id_given, queue, name, priority, max_attempts, delay, time, key, unique_for, replace,
                    payload, meta, on_discard, partition, o)
            where parent = any (applied) order by o) u
        having count(*) > 0;
    end if;
end $$;
comment on function settle is
    'Ends attempts whose leases have not expired, and stores the followups of those, in the order of the arrays. No lease may be named twice. _kinds: '
    '0 complete, 1 discard, 2 cancel, 3 retry, 4 snooze, 5 release, 6 throttle; null if all are 0. _times: when a retried, snoozed or '
    'throttled job is due. _texts: the error, the reason of a cancellation, or the result of a completed job. _parents: the index from 0 of each followup''s '
    'settlement, or -1 to leave the followup out; the arrays from _queues to _partitions, _channel and _sender are those of push(). Returns indexes from 0: '
    'applied, the settlements that took effect; blocked, those whose leases another transaction has locked, if '
    '_skip_locked is true (otherwise the function waits for them). If refused is not null, nothing is stored: it is the '
    'index of a followup whose delay exceeds the range of times, or -1 if a queue does not exist, or has to be shared first. is_shared: whether a lease of a shared queue '
    'has ended. Waits for transactions '
    'that have locked a unique key of a followup.';
-- The shares of queues: how claims lock them, and how the changes of others are added to the partitions.
--
-- `claim` calls `lock_shares`, then `fold` and `take_shares` for each shared queue. Functions without settings run under the search path
-- and the planner's options of `claim`.
--
-- Locks: a claim of a plain queue holds the queue's advisory lock shared, and a change of the limits of a queue holds it
-- alone. So no claim that takes the queue for a plain one is under way once the queue has a limit, and each lease is counted.
-- Claims of a shared queue lock its row of `shares`. Advisory locks are taken before rows, and both in the order of queues.

create or replace function share_lock(_queue_id integer) returns bigint
language sql stable as $$ select hashtextextended('queue_postgres shares ' || current_schema(), _queue_id) $$;
comment on function share_lock is 'Returns the key of the advisory lock of a queue.';

create or replace function adopt(_queue_id integer) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
    insert into shares (queue_id) values (_queue_id) on conflict (queue_id) do nothing;
    -- This lock keeps claims from raising lease_turn above the turn of the leases below until these are committed.
    perform from shares where queue_id = _queue_id for update;
    update leases set partition = '', turn = (select s.turn from shares s where s.queue_id = _queue_id) where ctid = any (array(
        select ctid from leases where queue_id = _queue_id and partition is null for update skip locked));
    update shares set is_adopted = not exists (select from leases where queue_id = _queue_id and partition is null)
    where queue_id = _queue_id;
    -- What is in `partition_changes` is added later.
    insert into partitions (queue_id, name, ready)
    select _queue_id, '',
        (select count(*) from ready r where r.queue_id = _queue_id and r.partition = '')
            - (select coalesce(sum(c.ready), 0) from partition_changes c where c.queue_id = _queue_id and c.partition = '')
    on conflict (queue_id, name) do nothing;
end $$;
comment on function adopt is
    'Prepares the counting of a queue that has just become shared: creates its share, and the partition of the jobs that name none. '
    'The first caller holds the advisory lock of the queue. If a transaction has locked a lease, the next claim calls this again.';

create or replace function lock_shares(_queues text[], _seen integer[]) returns integer[]
language plpgsql as $$
declare
    _locked integer[];
    _are_adopted boolean;
    _id integer;
begin
    if (select count(*) from shares s where s.queue_id = any (_seen)) < cardinality(_seen) then
        foreach _id in array array(
            select q.id from queues q where q.id = any (_seen)
                and (select true from shares s where s.queue_id = q.id limit 1) is null
            order by q.id)
        loop
            -- Claims that take it for a plain queue end first.
            perform pg_advisory_xact_lock(share_lock(_id));
            if not exists (select from shares where queue_id = _id) then
                perform adopt(_id);
            end if;
        end loop;
    end if;
    select coalesce(array_agg(l.queue_id), '{}'), bool_and(l.is_adopted) into _locked, _are_adopted from (
        select s.queue_id, s.is_adopted from shares s
        where s.queue_id = any (array(select q.id from queues q where q.name = any (_queues)))
        order by s.queue_id for update) l;
    if not _are_adopted then
        foreach _id in array _locked loop
            if not (select is_adopted from shares where queue_id = _id) then
                perform adopt(_id);
            end if;
        end loop;
    end if;
    return _locked;
end $$;
comment on function lock_shares is
    'Locks the shares of the given queues for a claim, and returns the queues that have one. _seen: those of the queues that the caller '
    'has seen to be shared; it holds the advisory locks of the others. If one of these has become shared meanwhile and has no share '
    'yet, it is still a plain one for this claim, and its share is created after it.';

create or replace function fold(_queue_id integer, _now bigint) returns boolean
language plpgsql as $$
declare
    _turn bigint;
    _is_full boolean;
    _first_xid xid8;
    _next_xid xid8;
    _count bigint := 0;
    _opened bigint;
    _each record;
    _has_own boolean;
    _may_open boolean;
    _is_wrong boolean;
begin
    select turn, first_xid, read_at not between _now - 10000000 and _now
    into _turn, _first_xid, _is_full from shares where queue_id = _queue_id;
    if _is_full then
        -- In a schema that was restored on another server, new changes may have lower transaction ids than old ones.
        _first_xid := '0';
    end if;
    -- Read before the changes, so that the next statement sees all changes of transactions with lower ids.
    _next_xid := pg_snapshot_xmin(pg_current_snapshot());
    if exists (select from partition_changes where queue_id = _queue_id and xid >= _first_xid) then
        select * into _each from terms_of(_queue_id, 1, '');
        _has_own := exists (select from limits where queue_id = _queue_id and scope = 2);
        with gone as (
            delete from partition_changes where ctid = any (array(
                select ctid from partition_changes where queue_id = _queue_id and xid >= _first_xid
                order by xid, at, position limit 10000))
            returning *),
        ordered as materialized (
            select g.partition, g.ready, g.hold_until, g.at, g.priority, row_number() over (order by g.at, g.position) as place,
                sum(g.ready) over (partition by g.partition order by g.at, g.position) as sum
            from gone g),
        before as materialized (
            -- The limit counts if the partition is new.
            select n.name, p.ready, p.turn, p.free_at,
                -- If a new job can sort before the position, the next scan reads all entries, or the position is lowered.
                case when n.is_old then 0 else p.read_at end as read_at,
                case when c.is_lower then n.priority else p.from_priority end as from_priority,
                case when c.is_lower then n.at else p.from_run_at end as from_run_at,
                case when c.is_lower then 0 else p.from_seq end as from_seq,
                n.ready as change, n.hold, n.places, n.changes, n.sums,
                case when l.is_found then l.max_running else _each.max_running end as max_running,
                case when l.is_found then l.rate_interval else _each.rate_interval end as rate_interval,
                case when l.is_found then l.rate_burst else _each.rate_burst end as rate_burst,
                case when l.is_found then l.weight else _each.weight end as weight
            from (
                select o.partition as name, sum(o.ready) as ready, max(o.hold_until) as hold, array_agg(o.place order by o.place) as places,
                    array_agg(o.ready order by o.place) as changes, array_agg(o.sum order by o.place) as sums,
                    bool_or(o.ready > 0 and o.priority is null) as is_old, min(o.priority) filter (where o.ready > 0) as priority,
                    min(o.at) filter (where o.ready > 0) as at
                from ordered o group by o.partition) n
                left join lateral (
                    select * from partitions p where p.queue_id = _queue_id and p.name = n.name limit 1) p on true
                cross join lateral (
                    select (n.priority, n.at) <= (p.from_priority, p.from_run_at) as is_lower) c
                left join lateral (
                    select * from terms_of(_queue_id, 2, n.name) where _has_own and p.name is null) l on true),
        after as (
            select b.*, (
                    -- The last time at which the partition came to have a ready job.
                    select max(u.place) from unnest(b.places, b.changes, b.sums) u (place, change, sum)
                    where coalesce(b.ready, 0) + u.sum > 0 and coalesce(b.ready, 0) + u.sum - u.change <= 0) as turned,
                greatest(b.free_at, b.hold, 0) as new_free_at
            from before b),
        stored as (
            insert into partitions (
                queue_id, name, ready, turn, free_at, is_parked, max_running, rate_interval, rate_burst, weight, read_at,
                from_priority, from_run_at, from_seq)
            select _queue_id, a.name, coalesce(a.ready, 0) + a.change, coalesce(_turn + a.turned, a.turn, 0), a.new_free_at,
                a.new_free_at > _now, a.max_running, a.rate_interval, a.rate_burst, a.weight,
                coalesce(a.read_at, 0), coalesce(a.from_priority, 0), coalesce(a.from_run_at, 0), coalesce(a.from_seq, 0)
            from after a
            on conflict (queue_id, name) do update set ready = excluded.ready, turn = excluded.turn, free_at = excluded.free_at,
                is_parked = excluded.is_parked, read_at = excluded.read_at, from_priority = excluded.from_priority,
                from_run_at = excluded.from_run_at, from_seq = excluded.from_seq
            returning turn, ready, is_parked)
        select (select count(*) from ordered), (select min(s.turn) from stored s where s.ready > 0 and not s.is_parked)
        into _count, _opened;
        update shares set turn = turn + _count, first_turn = least(first_turn, _opened),
            first_xid = case when _count < 10000 then _next_xid else _first_xid end,
            read_at = case when _is_full then _now else read_at end
        where queue_id = _queue_id;
    elsif _is_full then
        update shares set first_xid = _next_xid, read_at = _now where queue_id = _queue_id;
    end if;
    select exists (
            select from partitions p where p.queue_id = _queue_id and p.ready > 0 and p.is_parked and p.free_at <= _now),
        is_count_wrong(_queue_id, _now)
    into _may_open, _is_wrong;
    if _may_open then
        with opened as (
            update partitions p set is_parked = false
            where p.queue_id = _queue_id and p.ready > 0 and p.is_parked and p.free_at <= _now
            returning p.turn)
        update shares set first_turn = least(first_turn, (select min(o.turn) from opened o)) where queue_id = _queue_id;
    end if;
    if _is_wrong then
        perform count_again(_queue_id);
    end if;
    return _count >= 10000;
end $$;
comment on function fold is
    'Adds changes of a queue to its partitions, at most 10,000, and opens the partitions whose instants have come. Returns whether '
    'there may be more changes. The caller has locked the queue''s row of shares.';

create or replace function is_count_wrong(_queue_id integer, _now bigint) returns boolean
language plpgsql as $$
begin
    return exists (
        select from partitions p
        where p.queue_id = _queue_id and p.name = '' and p.ready <= 0
            and (select true from ready r where r.queue_id = p.queue_id and r.partition = '' and (r.priority, r.run_at, r.seq) >= (
                case when p.read_at between _now - 10000000 and _now then p.from_priority else -2147483648 end,
                case when p.read_at between _now - 10000000 and _now then p.from_run_at else -9223372036854775808 end, p.from_seq)
                limit 1));
end $$;
comment on function is_count_wrong is
    'Returns whether there are ready jobs that name no partition, although the count is zero: a push that began before the queue became '
    'shared has noted nothing.';

create or replace function count_again(_queue_id integer) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
    update shares set turn = turn + 1 where queue_id = _queue_id;
    update partitions p set turn = case when p.ready <= 0 then (select turn from shares where queue_id = _queue_id) else p.turn end,
        read_at = 0,
        ready = (select count(*) from ready r where r.queue_id = _queue_id and r.partition = '')
            - (select coalesce(sum(c.ready), 0) from partition_changes c where c.queue_id = _queue_id and c.partition = '')
    where p.queue_id = _queue_id and p.name = '';
end $$;
comment on function count_again is 'Counts the ready jobs of a queue that name no partition.';

create or replace function forget_partitions(_now bigint) returns void
language plpgsql
set search_path from current set jit = off as $$
declare
    _ids integer[] := array(select queue_id from shares order by queue_id for update skip locked);
begin
    delete from partitions p
    where p.queue_id = any (_ids) and p.name <> '' and p.ready = 0
        and p.free_at + coalesce(p.rate_interval::numeric * (p.rate_burst - 1), 0) <= _now;
end $$;
comment on function forget_partitions is
    'Deletes the rows of partitions without ready jobs of which nothing has to be remembered. Leaves queues that a claim has locked.';
-- The state of each queue, at a cost that depends on a cap and not on the number of jobs.

create or replace function summary_of_leases(_now bigint, _limit bigint) returns table (
    queue_id integer, executing bigint, available bigint, discarded bigint, cancelled bigint, oldest_ready bigint
)
language plpgsql stable
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
begin
    return query
    with held as materialized (select * from leases l order by l.expires_at limit _limit),
    ended as materialized (
        select h.queue_id, j.run_at,
            case when h.cancel_reason is not null then 6 when h.attempt >= j.max_attempts then 5 else 1 end as state
        from held h join jobs j on j.seq = any (array[h.seq])
        where h.expires_at <= _now),
    found as (
        select h.queue_id, 2 as state, null::bigint as run_at from held h where h.expires_at > _now
        union all
        select e.queue_id, e.state, e.run_at from ended e)
    select f.queue_id, count(*) filter (where f.state = 2), count(*) filter (where f.state = 1),
        count(*) filter (where f.state = 5), count(*) filter (where f.state = 6), min(f.run_at) filter (where f.state = 1)
    from found f group by f.queue_id;
end $$;
comment on function summary_of_leases is
    'Returns for each queue the number of executing jobs, and of those whose lease has expired at _now by the state in which '
    'expire() will leave them, with the earliest run_at of those that will be ready. Reads at most _limit leases, those '
    'that expire first.';

-- The plan does not depend on statistics: of each table, only one index fits the conditions and the order, and it has all columns
-- that this function reads. `waiting` has a second index, by `due`, which fits no condition that compares rows beginning with
-- `state`. Such a comparison sets where a scan begins but not where it ends, so due jobs are counted from now backwards.
-- With `enable_indexscan = off`, an index-only scan would cost as much as a sequential scan.
create or replace function summary(_cap bigint) returns table (
    queue text, paused boolean, now bigint, oldest_ready bigint, next_due bigint, counts bigint[], is_cut boolean
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _now bigint := clock();
    _limit bigint := least(_cap, 9223372036854775806) + 1;
begin
    return query
    with held as materialized (select * from summary_of_leases(_now, _limit))
    select q.name, q.paused, _now, least(first.ready, case when first.due <= _now then first.due end, h.oldest_ready), first.next,
        array[
            n.scheduled, n.ready + n.due + coalesce(h.available, 0), coalesce(h.executing, 0), n.retryable,
            n.completed, n.discarded + coalesce(h.discarded, 0), n.cancelled + coalesce(h.cancelled, 0)],
        (select coalesce(sum(a.executing + a.available + a.discarded + a.cancelled), 0) from held a) > _cap
    from queues q
        left join held h on h.queue_id = q.id
        cross join lateral (
            select
                (select count(*) from (
                    select from waiting w where w.queue_id = q.id and (w.state, w.due) > (0, _now) and w.state <= 0
                    limit _limit) c) as scheduled,
                (select count(*) from (
                    select from waiting w where w.queue_id = q.id and (w.state, w.due) > (3, _now) and w.state <= 3
                    limit _limit) c) as retryable,
                (select count(*) from (
                    select from waiting w where w.queue_id = q.id and (w.state, w.due) <= (0, _now) and w.state >= 0
                    order by w.state desc, w.due desc limit _limit) c)
                + (select count(*) from (
                    select from waiting w where w.queue_id = q.id and (w.state, w.due) <= (3, _now) and w.state >= 3
                    order by w.state desc, w.due desc limit _limit) c) as due,
                (select count(*) from (select from ready r where r.queue_id = q.id limit _limit) c) as ready,
                (select count(*) from (
                    select from finished f where f.queue_id = q.id and f.state = 4 limit _limit) c) as completed,
                (select count(*) from (
                    select from finished f where f.queue_id = q.id and f.state = 5 limit _limit) c) as discarded,
                (select count(*) from (
                    select from finished f where f.queue_id = q.id and f.state = 6 limit _limit) c) as cancelled) n
        cross join lateral (
            select
                -- The first job of each priority in each partition.
                (with recursive p as (
                    (select r.partition, r.priority, r.run_at from ready r where r.queue_id = q.id
                    order by r.queue_id, r.partition, r.priority, r.run_at, r.seq limit 1)
                    union all
                    select following.partition, following.priority, following.run_at from p cross join lateral (
                        select r.partition, r.priority, r.run_at from ready r
                        where r.queue_id = q.id and (r.partition, r.priority) > (p.partition, p.priority)
                        order by r.queue_id, r.partition, r.priority, r.run_at, r.seq limit 1) following)
                select min(f.run_at) from (select p.run_at from p limit _cap) f) as ready,
                least(
                    (select w.due from waiting w where w.queue_id = q.id and w.state >= 0 and w.state <= 0
                    order by w.state, w.due limit 1),
                    (select w.due from waiting w where w.queue_id = q.id and w.state >= 3 and w.state <= 3
                    order by w.state, w.due limit 1)) as due,
                least(
                    (select w.due from waiting w where w.queue_id = q.id and (w.state, w.due) > (0, _now) and w.state <= 0
                    order by w.state, w.due limit 1),
                    (select w.due from waiting w where w.queue_id = q.id and (w.state, w.due) > (3, _now) and w.state <= 3
                    order by w.state, w.due limit 1)) as next) first
    order by q.name;
end $$;
comment on function summary is
    'Returns for each queue whether it is paused, the time, the earliest run_at of its ready jobs, the next due time, and the '
    'number of its jobs in each state, in the order of their numbers. A due job counts as ready, and an expired lease as '
    'ended. Reads at most one more than _cap jobs of each state, so a greater count is at least that. is_cut: more jobs than '
    '_cap execute in all queues together, so every count may be too low.';
-- How the claims of a shared queue take jobs.
--
-- `claim` calls `take_shares` until there is nothing more to take, and leases the jobs of each call before the next one. Mostly, one
-- statement chooses, takes and counts them: `take_sole` if only one partition may start jobs, `take_idle` if enough of them have no
-- running job.
-- Otherwise `deal` chooses and `take_ready` takes. The caller of these functions has locked the queue's row of `shares`.
--
-- No lease with a partition has a lower turn than `_lease_turn`. Conditions on the leases of a partition p have the form
-- `partition <= p and (partition, turn) >= (p, _lease_turn)`: a scan of `leases_by_partition` begins at that position.
-- With `partition = p`, it would begin at the first entry of the partition.
--
-- These functions run under the search path and the planner's options of `claim`. A function that sets them itself takes 10 µs longer.

create or replace function take_idle(
    _queue_id integer, _turn bigint, _first_turn bigint, _max bigint, _now bigint, _without text[], _unadopted bigint,
    _lease_turn bigint, out seqs bigint[], out short text[], out unread text[]
)
language plpgsql as $$
begin
    with idle as materialized (
        select p.ctid as id, p.name, row_number() over (order by p.turn) as place,
            p.read_at not between _now - 10000000 and _now as is_full, p.from_priority, p.from_run_at, p.from_seq
        from partitions p
        where p.queue_id = _queue_id and p.ready > 0 and not p.is_parked and p.turn >= _first_turn
            and p.max_running is distinct from 0 and p.name <> all (_without) and (p.name <> '' or _unadopted = 0)
            and (select true from leases l
                where l.queue_id = _queue_id and l.partition <= p.name and (l.partition, l.turn) >= (p.name, _lease_turn)
                limit 1) is null
        order by p.turn limit _max),
    heads as materialized (
        select i.id, i.name, i.place, i.is_full, r.* from idle i left join lateral (
            select r.ctid as row_id, r.priority, r.run_at, r.seq from ready r
            where r.queue_id = _queue_id and r.partition = i.name and (r.priority, r.run_at, r.seq) >= (
                case when i.is_full then -2147483648 else i.from_priority end,
                case when i.is_full then -9223372036854775808 else i.from_run_at end, i.from_seq)
            order by r.priority, r.run_at, r.seq limit 1 for update skip locked) r on true
        where (select count(*) from idle) = _max),
    gone as (
        delete from ready where ctid = any (array(select h.row_id from heads h))),
    served as (
        update partitions p set ready = p.ready - 1, turn = _turn + h.place,
            free_at = free_after(_now, p.free_at, p.rate_interval, p.rate_burst, 1),
            is_parked = free_after(_now, p.free_at, p.rate_interval, p.rate_burst, 1) > _now,
            read_at = case when h.is_full then _now else p.read_at end,
            from_priority = h.priority, from_run_at = h.run_at, from_seq = h.seq
        from heads h where p.ctid = h.id and h.seq is not null),
    counted as (
        update shares s set turn = s.turn + _max, lease_turn = _lease_turn,
            free_at = free_after(_now, s.free_at, s.rate_interval, s.rate_burst, h.n)
        from (select count(h.seq) as n from heads h) h
        where s.queue_id = _queue_id and h.n > 0)
    select array_agg(h.seq order by h.place) filter (where h.seq is not null),
        array_agg(h.name order by h.place) filter (where h.seq is null and h.is_full),
        array_agg(h.name order by h.place) filter (where h.seq is null and not h.is_full)
    into seqs, short, unread from heads h;
end $$;
comment on function take_idle is
    'Takes one job from each of the _max partitions without running jobs that have the least turns. Takes nothing if there are fewer. A '
    'second job of a partition would have a greater load. Returns the same as take_ready(). _without, _unadopted, '
    '_lease_turn: see deal().';

create or replace function take_ready(
    _queue_id integer, _now bigint, _names text[], _numbers integer[], _lease_turn bigint, out seqs bigint[],
    out short text[], out unread text[]
)
language plpgsql as $$
begin
    -- By row ids: a plan that was made for few partitions could read all of them.
    with wanted as materialized (
        select e.name, count(*) as n, array_agg(e.o order by e.number) as places
        from unnest(_names, _numbers) with ordinality e (name, number, o) group by e.name),
    known as materialized (
        select w.name, w.n, w.places, p.* from wanted w cross join lateral (
            select p.ctid as id, p.read_at not between _now - 10000000 and _now as is_full, p.from_priority, p.from_run_at, p.from_seq
            from partitions p where p.queue_id = _queue_id and p.name = w.name limit 1) p),
    found as materialized (
        select k.id, k.name, k.n, k.places, k.is_full, r.* from known k left join lateral (
            select r.ctid as row_id, r.priority, r.run_at, r.seq from ready r
            where r.queue_id = _queue_id and r.partition = k.name and (r.priority, r.run_at, r.seq) >= (
                case when k.is_full then -2147483648 else k.from_priority end,
                case when k.is_full then -9223372036854775808 else k.from_run_at end, k.from_seq)
            order by r.priority, r.run_at, r.seq limit k.n for update skip locked) r on true),
    placed as materialized (
        select f.*, f.places[row_number() over (partition by f.name order by f.priority, f.run_at, f.seq)] as place
        from found f),
    gone as (delete from ready where ctid = any (array(select f.row_id from found f))),
    taken as materialized (
        -- No remaining job sorts before the least values, apart from locked ones.
        select p.id, p.name, p.n as wanted, p.is_full, count(p.seq) as n, max(p.place) filter (where p.seq is not null) as last,
            min(p.priority) as priority, min(p.run_at) as run_at, min(p.seq) as seq
        from placed p group by p.id, p.name, p.n, p.is_full),
    served as (
        update partitions p set ready = p.ready - t.n, turn = s.turn + t.last,
            free_at = free_after(_now, p.free_at, p.rate_interval, p.rate_burst, t.n),
            is_parked = free_after(_now, p.free_at, p.rate_interval, p.rate_burst, t.n) > _now,
            read_at = case when t.is_full then _now else p.read_at end,
            from_priority = t.priority, from_run_at = t.run_at, from_seq = t.seq
        from taken t cross join (select s.turn from shares s where s.queue_id = _queue_id) s
        where p.ctid = t.id and t.n > 0),
    counted as (
        update shares s set turn = s.turn + cardinality(_names), lease_turn = _lease_turn,
            free_at = free_after(_now, s.free_at, s.rate_interval, s.rate_burst, t.n)
        from (select sum(t.n)::bigint as n from taken t) t
        where s.queue_id = _queue_id and t.n > 0)
    select (select array_agg(p.seq order by p.place) from placed p where p.seq is not null),
        array_agg(t.name) filter (where t.n < t.wanted and t.is_full),
        array_agg(t.name) filter (where t.n < t.wanted and not t.is_full)
    into seqs, short, unread from taken t;
end $$;
comment on function take_ready is
    'Deletes from ready the first jobs of these partitions, as deal() returns them, and counts their starts. Returns the jobs in order, '
    'and the partitions in which fewer unlocked jobs were found than wanted: short if all entries of the partition were read, otherwise '
    'unread.';

create or replace function take_sole(
    _queue_id integer, _name text, _max bigint, _now bigint, _unadopted bigint, _lease_turn bigint, out seqs bigint[], out short text[],
    out unread text[]
)
language plpgsql as $$
declare
    _wanted bigint;
    _is_full boolean;
begin
    with sole as materialized (
        select p.ctid as id, p.read_at not between _now - 10000000 and _now as is_full, p.from_priority, p.from_run_at, p.from_seq,
            least(p.ready, _max, starts_available(_now, p.free_at, p.rate_interval, p.rate_burst),
                case when p.max_running is not null then p.max_running - (
                    select count(*) from leases l
                    where l.queue_id = _queue_id and l.partition <= p.name and (l.partition, l.turn) >= (p.name, _lease_turn))
                    - case when p.name = '' then _unadopted else 0 end end) as room
        from partitions p where p.queue_id = _queue_id and p.name = _name),
    found as materialized (
        select r.ctid as id, r.priority, r.run_at, r.seq from ready r
        where r.queue_id = _queue_id and r.partition = _name and (r.priority, r.run_at, r.seq) >= (
            (select case when s.is_full then -2147483648 else s.from_priority end from sole s),
            (select case when s.is_full then -9223372036854775808 else s.from_run_at end from sole s),
            (select s.from_seq from sole s))
        order by r.priority, r.run_at, r.seq limit (select greatest(s.room, 0) from sole s) for update skip locked),
    gone as (
        delete from ready where ctid = any (array(select f.id from found f))),
    served as (
        update partitions p set ready = p.ready - f.n, turn = h.turn + f.n,
            free_at = free_after(_now, p.free_at, p.rate_interval, p.rate_burst, f.n),
            is_parked = free_after(_now, p.free_at, p.rate_interval, p.rate_burst, f.n) > _now,
            read_at = case when s.is_full then _now else p.read_at end,
            from_priority = f.priority, from_run_at = f.run_at, from_seq = f.seq
        from sole s,
            -- No remaining job sorts before the least values, apart from locked ones.
            (select count(*) as n, min(f.priority) as priority, min(f.run_at) as run_at, min(f.seq) as seq from found f) f,
            (select h.turn from shares h where h.queue_id = _queue_id) h
        where p.ctid = s.id and f.n > 0),
    counted as (
        update shares h set turn = h.turn + f.n, lease_turn = _lease_turn,
            free_at = free_after(_now, h.free_at, h.rate_interval, h.rate_burst, f.n)
        from (select count(*) as n from found) f
        where h.queue_id = _queue_id and f.n > 0)
    select array_agg(f.seq order by f.priority, f.run_at, f.seq), (select s.room from sole s), (select s.is_full from sole s)
    into seqs, _wanted, _is_full from found f;
    if coalesce(cardinality(seqs), 0) >= _wanted then
        return;
    elsif _is_full then
        short := array[_name];
    else
        unread := array[_name];
    end if;
end $$;
comment on function take_sole is
    'Takes at most _max jobs of the only partition of a queue that may start jobs. Returns the same as take_ready(). _unadopted: see '
    'least_loaded().';

create or replace function take_shares(
    _queue_id integer, _max integer, _now bigint, _without text[], out seqs bigint[], out short text[],
    out is_over boolean
)
language plpgsql as $$
declare
    _share record;
    _unadopted bigint := 0;
    _room bigint;
    _names text[];
    _numbers integer[];
    _unread text[];
begin
    loop
        _unread := null;
        select s.*, o.names as open, o.first_turn as open_turn, coalesce((
                select l.turn from leases l
                where l.queue_id = s.queue_id and l.partition is not null and l.turn >= s.lease_turn
                order by l.turn limit 1), s.turn) as least_lease_turn
        into _share
        from shares s cross join lateral (
            select array_agg(l.name) as names, min(l.turn) as first_turn from (
                select p.name, p.turn from partitions p
                where p.queue_id = s.queue_id and p.ready > 0 and not p.is_parked and p.turn >= s.first_turn
                    and p.name <> all (_without)
                order by p.turn limit 2) l) o
        where s.queue_id = _queue_id;
        if _share.least_lease_turn > _share.lease_turn + 100 then
            update shares set lease_turn = _share.least_lease_turn where queue_id = _queue_id;
        end if;
        if not _share.is_adopted then
            _unadopted := (select count(*) from leases where queue_id = _queue_id and partition is null);
        end if;
        _room := least(_max, starts_available(_now, _share.free_at, _share.rate_interval, _share.rate_burst));
        if _share.max_running is not null and _room > 0 then
            _room := least(_room, _share.max_running - _unadopted
                - (select count(*) from (
                    select from leases
                    where queue_id = _queue_id and partition is not null and turn >= _share.least_lease_turn order by turn) l));
        end if;
        is_over := _room <= 0;
        exit when is_over;
        -- Each partition that is served leaves a dead entry behind in the index. Scans start after most of them.
        if _without = '{}' and coalesce(_share.open_turn, _share.turn) > _share.first_turn + 100 then
            update shares set first_turn = coalesce(_share.open_turn, turn) where queue_id = _queue_id;
        end if;
        if cardinality(_share.open) = 1 then
            select t.seqs, t.short, t.unread into seqs, short, _unread from take_sole(
                _queue_id, _share.open[1], _room, _now, _unadopted, _share.least_lease_turn) t;
        elsif cardinality(_share.open) > 1 then
            select t.seqs, t.short, t.unread into seqs, short, _unread from take_idle(
                _queue_id, _share.turn, _share.first_turn, _room, _now, _without, _unadopted, _share.least_lease_turn) t;
            if seqs is null and short is null and _unread is null then
                select d.names, d.numbers into _names, _numbers from deal(
                    _queue_id, _room, _now, _without, _unadopted, _share.least_lease_turn) d;
                if _names is not null then
                    select t.seqs, t.short, t.unread into seqs, short, _unread from take_ready(
                        _queue_id, _now, _names, _numbers, _share.least_lease_turn) t;
                end if;
            end if;
        end if;
        if _unread is not null then
            -- A job that was locked earlier may sort before the position. By row ids, as in take_ready().
            update partitions set read_at = 0 where ctid = any (array(
                select p.id from unnest(_unread) u (name) cross join lateral (
                    select p.ctid as id from partitions p where p.queue_id = _queue_id and p.name = u.name limit 1) p));
        end if;
        if '' = any (short) then
            perform count_again(_queue_id);
        end if;
        -- While changes are left, there may be more jobs to start.
        is_over := short is null and _unread is null and coalesce(cardinality(seqs), 0) < _max and not fold(_queue_id, _now);
        exit when is_over or seqs is not null or short is not null;
    end loop;
end $$;
comment on function take_shares is
    'Takes at most _max jobs of a shared queue, from partitions other than _without, and returns them in order; null for none. The '
    'caller leases them before the next call, so that they count as running. Also returns the partitions in which it found fewer unlocked '
    'jobs than it wanted although it read all entries, which the next call leaves out, and whether there is nothing more to take.';

create or replace function next_start(_queue_ids integer[], _now bigint) returns bigint
language plpgsql as $$
begin
    -- Each condition on partitions is that of an index, so none reads the partitions without ready jobs.
    return (
        select min(case
            when s.free_at <= _now then (
                select p.free_at from partitions p
                where p.queue_id = s.queue_id and p.ready > 0 and p.is_parked and p.free_at > _now
                order by p.free_at limit 1)
            when exists (
                    select from partitions p
                    where p.queue_id = s.queue_id and p.ready > 0 and not p.is_parked and p.turn >= s.first_turn)
                or exists (select from partitions p where p.queue_id = s.queue_id and p.ready > 0 and p.is_parked)
            then s.free_at end)
        from shares s join queues q on q.id = s.queue_id
        where s.queue_id = any (_queue_ids) and not q.paused);
end $$;
comment on function next_start is
    'Returns the next time at which a rate or the end of a hold may let a job of these queues start, if they are not paused; null if no '
    'job waits for that.';
-- The clock, and what happens when time passes.
--
-- `claim` first calls `promote_and_expire`, so a job becomes ready when a worker next claims. `next_wakeup` returns when the
-- next claim is worthwhile. `next_wakeup` runs under the search path and the planner's options of `claim`.
--
-- The functions that change jobs join a set of rows `s` to a table `t` by `t.x = any (array[s.x])`, not by `t.x = s.x`. After a
-- vacuum of an empty table, the planner expects one row in that table, however many rows it has soon. With `t.x = s.x`, the plan
-- then reads the whole table in the order of an index on x, and compares each row with the whole set. An array has no order that
-- an index could help with, so the only plan that is left looks each row up. `expires_at + 0` hides the condition from the index on
-- expires_at for the same reason.

create or replace function clock() returns bigint
language sql volatile as $$ select (extract(epoch from clock_timestamp()) * 1000000)::bigint $$;
comment on function clock is
    'Returns the time in microseconds since the Unix epoch. Every time in the tables comes from this function.';

create or replace function promote_and_expire(_now bigint, _from_due bigint, _from_expiry bigint) returns text[]
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _row_ids tid[];
    _shared integer[];
begin
    if exists (select from waiting where due between _from_due and _now) then
        _row_ids := array(
            select ctid from waiting where due between _from_due and _now
            order by due, seq limit 5000 for update skip locked);
        _shared := shared_queues();
        with due as (delete from waiting where ctid = any (_row_ids) returning seq),
        found as materialized (
            select j.queue_id, j.priority, j.run_at, j.seq, coalesce(j.partition, '') as partition
            from due join jobs j on j.seq = any (array[due.seq])),
        noted as (
            insert into partition_changes (queue_id, at, position, partition, ready, priority)
            select queue_id, min(run_at), due_position((array_agg(seq order by run_at, seq))[1]), partition, count(*), min(priority)
            from found where queue_id = any (_shared) group by queue_id, partition)
        insert into ready (queue_id, priority, run_at, seq, partition)
        select queue_id, priority, run_at, seq, partition from found;
    end if;
    if exists (select from leases where expires_at between _from_expiry and _now) then
        _row_ids := array(
            select ctid from leases where expires_at between _from_expiry and _now
            order by expires_at limit 5000 for update skip locked);
        return expire(_row_ids);
    end if;
    return null;
end $$;
comment on function promote_and_expire is
    'Makes due jobs ready and ends expired leases: at most 5,000 of each, so that a flood of them delays no claim for long. '
    'Rows that another transaction has locked are left to that transaction. The scans start at the times _from_due and '
    '_from_expiry. Returns the discarded jobs, as expire() does.';

create or replace function next_wakeup(
    _now bigint, _from_due bigint, _from_expiry bigint,
    out due bigint, out expiry bigint, out next_due bigint, out next_expiry bigint
)
language plpgsql as $$
begin
    select
        (select w.due from waiting w where w.due >= _from_due order by w.due limit 1),
        (select l.expires_at from leases l where l.expires_at >= _from_expiry order by l.expires_at limit 1)
    into due, expiry;
    next_due := due;
    if due <= _now then
        next_due := (select w.due from waiting w where w.due > _now order by w.due limit 1);
    end if;
    next_expiry := expiry;
    if expiry <= _now then
        next_expiry := (select l.expires_at from leases l where l.expires_at > _now order by l.expires_at limit 1);
    end if;
end $$;
comment on function next_wakeup is
    'Returns when the next job is due and the next lease expires. due and expiry are the earliest of all from the times '
    '_from_due and _from_expiry on; those before _now are locked by another transaction, or exceed the limit of '
    'promote_and_expire(). next_due and next_expiry are the earliest after _now.';
-- The announcements of workers. Before `claim.sql` and `prune.sql`, which call these functions.

create or replace function forget_workers(_now bigint) returns void
language plpgsql
set search_path from current set jit = off as $$
declare
    _kept bigint;
begin
    -- Mostly, no row is old: the table is small.
    if exists (select from workers where coalesce(expires_at, 0) <= _now - 3600000000)
        or (select count(*) from workers where expires_at <= _now) > 200
    then
        _kept := (select expires_at from workers where expires_at <= _now order by expires_at desc offset 199 limit 1);
        delete from workers w
        where (coalesce(w.expires_at, 0) <= _now - 3600000000 or w.expires_at < _kept)
            and not exists (select from leases l where l.worker_id = w.id);
    end if;
end $$;
comment on function forget_workers is
    'Deletes the rows of workers that hold no lease, and that vanished more than an hour ago, are not among the last 200 that '
    'vanished, or have stopped or never announced themselves. If a claim names such a worker at the same time, its lease may '
    'have no worker.';

create or replace function worker_id_of(_name text) returns integer
language plpgsql
set search_path from current as $$
begin
    insert into workers (name) values (_name) on conflict (name) do nothing;
    return (select w.id from workers w where w.name = _name);
end $$;
comment on function worker_id_of is 'Returns the id of a worker, which it inserts if it does not exist.';

create or replace function announce(_name text, _valid_for bigint, _details text) returns void
language plpgsql
set search_path from current set jit = off as $$
declare
    _now bigint := clock();
    _until bigint := _now + least(_valid_for, 9223372036854775807 - _now);
begin
    if _valid_for <= 0 then
        update workers set seen_at = null, expires_at = null, details = null where name = _name;
    else
        update workers set seen_at = _now, expires_at = _until, details = _details where name = _name;
        if not found then
            insert into workers (name, seen_at, expires_at, details) values (_name, _now, _until, _details)
            on conflict (name) do update set seen_at = _now, expires_at = _until, details = _details;
        end if;
    end if;
    perform forget_workers(_now);
end $$;
comment on function announce is
    'Stores the announcement of a running worker, which expires after _valid_for microseconds. If that is zero, stores that the '
    'worker has stopped.';
