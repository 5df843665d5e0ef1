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
--     \i functions/history.sql
--     \i functions/discard.sql
--     \i functions/expire.sql
--     \i functions/push.sql
--     \i functions/enqueue.sql
--     \i functions/claim.sql
--     \i functions/renew.sql
--     \i functions/settle.sql
--     \i functions/admin.sql
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
    id     integer generated always as identity primary key,
    name   text    collate "C" not null unique,
    paused boolean not null default false
);
comment on table queues is 'The queues by name. A row is inserted when a queue is first used, and stays.';
comment on column queues.id is 'Identifies the queue in other tables.';
comment on column queues.name is 'Name of the queue.';
comment on column queues.paused is 'Whether claims skip this queue.';

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
    on_discard   text
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
comment on index jobs_id is 'Finds a job by its identity.';

-- Rows of the following four tables are inserted and deleted, and only a renewal updates one. The first three are emptied as
-- fast as they are filled, so they are vacuumed after a fixed number of dead tuples and not after a share of the table.

create table ready (
    queue_id integer not null,
    priority integer not null,
    run_at   bigint  not null,
    seq      bigint  not null,
    primary key (queue_id, priority, run_at, seq)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = false);
comment on table ready is 'Jobs that can be claimed. The primary key is the order of claims in a queue.';
comment on column ready.queue_id is 'The queue: queues.id.';
comment on column ready.priority is 'Copy of jobs.priority.';
comment on column ready.run_at is 'Copy of jobs.run_at.';
comment on column ready.seq is 'The job: jobs.seq.';

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
    on_discard    text
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = false);
create index leases_expiry on leases (expires_at);
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
comment on index leases_expiry is 'Finds expired leases.';

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
-- What operators do to single jobs, and a check of the tables.

create or replace function detach(_id uuid) returns table (
    seq bigint, state smallint, fence bigint, attempt bigint, max_attempts bigint, claimed_at bigint, queue_id integer,
    priority integer, name text, unique_key text
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
        unique_key := j.unique_key;
        delete from ready r
        where r.queue_id = j.queue_id and r.priority = j.priority and r.run_at = j.run_at and r.seq = j.seq;
        if found then
            state := 1;
            return next;
            return;
        end if;
        delete from waiting w where w.due = j.run_at and w.seq = j.seq returning w.state into state;
        if found then
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
    insert into ready values (t.queue_id, t.priority, _now, t.seq);
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
            where (r.queue_id, r.priority, r.run_at, r.seq) = (j.queue_id, j.priority, j.run_at, j.seq))
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
    where coalesce(f.attempt, j.attempt) > coalesce(f.fence, j.fence);
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
        where r.queue_id = j.queue_id and r.priority = j.priority and r.run_at = j.run_at and r.seq = j.seq for update;
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
) returns table (id uuid, seq bigint, queue_id integer, priority integer, fence bigint, attempt bigint, claimed_at bigint)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
begin
    return query
    with asked as materialized (
        select j.id, j.seq, j.queue_id, j.priority, j.fence, j.attempt, j.claimed_at, j.run_at, j.unique_key from jobs j
        where j.id = any (_ids)),
    -- Each row is found by its key. `limit` prevents a plan that reads a table whole because it was empty when it was analyzed.
    from_ready as (
        delete from ready where ctid = any (array(
            select r.ctid from asked a cross join lateral (
                select ctid from ready r
                where r.queue_id = a.queue_id and r.priority = a.priority and r.run_at = a.run_at and r.seq = a.seq
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
        returning seq, fence, attempt, claimed_at)
    select a.id, a.seq, a.queue_id, a.priority, a.fence, a.attempt, a.claimed_at
    from asked a join (select seq from from_ready union all select seq from from_waiting) g on g.seq = a.seq
    union all
    select a.id, a.seq, a.queue_id, a.priority, f.fence, f.attempt, f.claimed_at
    from asked a join from_finished f on f.seq = a.seq;
end $$;
comment on function detach_jobs is
    'Deletes the rows of these jobs from ready, waiting or finished, if their states are among _states, and returns the jobs. '
    'A finished job is taken if it finished from _since on and before _before and, without _with_keys, has no unique key. A '
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
    for gone in select * from detach_jobs(_now, _ids, _states, _since, _before, false) loop
        update jobs set run_at = _now, attempt = gone.attempt, fence = gone.fence, claimed_at = gone.claimed_at,
            max_attempts = greatest(max_attempts, gone.attempt + 1)
        where seq = gone.seq;
        insert into ready values (gone.queue_id, gone.priority, _now, gone.seq);
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
    select array_agg(id), array_agg(seq) into changed, _seqs
    from detach_jobs(_now, _ids, _states, _since, _before, true);
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
    _workers text[]
) returns table (
    claim integer, idx integer, id uuid, fence bigint, attempt bigint, max_attempts bigint, priority integer,
    pushed_at bigint, run_at bigint, seq bigint, expires_at bigint, name text, payload text, meta text,
    now bigint, due bigint, expiry bigint, next_due bigint, next_expiry bigint, scan_us bigint[],
    discarded text[]
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    _now bigint := clock();
    began bigint;
    request record;
    remaining integer;
    current integer := -1;
    leased bigint;
    _expires_at bigint;
    _row_ids tid[];
    _next record;
    _discarded text[];
begin
    scan_us := array_fill(0, array[cardinality(_claims)]);
    _from_due := coalesce(_from_due, -9223372036854775808);
    _from_expiry := coalesce(_from_expiry, -9223372036854775808);
    if exists (select from waiting where waiting.due between _from_due and _now)
        or exists (select from leases l where l.expires_at between _from_expiry and _now)
    then
        _discarded := promote_and_expire(_now, _from_due, _from_expiry);
    end if;
    for request in
        select a.claim, q.id as queue_id, a.max, a.length, (a.o - 1)::integer as idx,
            coalesce(a.priority, -2147483648) as priority, coalesce(a.run_at, -9223372036854775808) as run_at,
            coalesce(a.seq, 0) as seq, a.on_discard, a.worker, w.id as worker_id
        from unnest(
                _claims, _queues, _limits, _lease_lengths, _from_priorities, _from_run_ats, _from_seqs, _on_discards, _workers)
                with ordinality a (claim, queue, max, length, priority, run_at, seq, on_discard, worker, o)
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
        _expires_at := _now + least(request.length, 9223372036854775807 - _now);
        began := clock();
        _row_ids := array(
            select ctid from ready r
            where r.queue_id = request.queue_id
                and (r.priority, r.run_at, r.seq) >= (request.priority, request.run_at, request.seq)
            order by r.priority, r.run_at, r.seq limit remaining for update skip locked);
        scan_us[request.idx + 1] := clock() - began;
        if request.worker is not null and request.worker_id is null and cardinality(_row_ids) > 0 then
            insert into workers (name) values (request.worker) on conflict (name) do nothing;
            request.worker_id := (select w.id from workers w where w.name = request.worker);
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
            null::text[]
        from found f order by f.priority, f.run_at, f.seq;
        get diagnostics leased = row_count;
        remaining := remaining - leased;
    end loop;
    began := clock();
    _next := next_wakeup(_now, _from_due, _from_expiry);
    now := clock();
    due := _next.due;
    expiry := _next.expiry;
    next_due := _next.next_due;
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
    '_from_expiry in leases. _workers has the worker of each claim, or null. Returns a row for each leased job, with the number of its claim and the index from 0 of its '
    'queue in the arrays. The last row has claim -1, the time, the result of next_wakeup(), the discarded jobs of '
    'promote_and_expire(), and scan_us: the microseconds that next_wakeup() took, then those of each queue''s scan, or -1 '
    'if the claim had reached its limit.';
-- The jobs that are stored when others are discarded. `settle` and `expire` call this after they have ended a job.

create or replace function store_on_discard(_seqs bigint[], _on_discards text[], _now bigint) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
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
    insert into ready select queue_id, priority, run_at, seq from new;
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
    notify boolean default true
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
            case when meta <> '{}' then array[meta::text] end, null, _channel, 'sql+') p;
        if _kind is distinct from -2 then
            return coalesce(_job, _id);
        end if;
        perform ensure_queues(array[_queue]);
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
    'wakes workers.';
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
        returning j.queue_id, j.priority, j.run_at, j.seq),
    again as (insert into ready select queue_id, priority, run_at, seq from back),
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
    _failed integer[], _failed_fences bigint[], _failed_attempts bigint[], _failed_ats bigint[], _messages text[],
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
    -- As in push(): the transaction that has locked the row of a key decides who holds it.
    insert into unique_keys (name, key)
    select distinct u.name, u.key from unnest(_names, _unique_keys, _holds_keys) u (name, key, holds) where u.holds order by 1, 2
    on conflict (name, key) do update set key = excluded.key;
    for new in
        select u.*, q.id as queue_id from unnest(_ids, _queues, _names, _priorities, _attempts, _max_attempts, _fences,
            _pushed_ats, _run_ats, _claimed_ats, _states, _unique_keys, _unique_untils, _holds_keys, _payloads, _metas,
            _on_discards) with ordinality
            u (id, queue, name, priority, attempt, max_attempts, fence, pushed_at, run_at, claimed_at, state, key, until,
                holds, payload, meta, on_discard, o)
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
                unique_until, payload, meta, on_discard)
            values (
                new.id, new.queue_id, new.name, new.priority, new.attempt, new.max_attempts, new.fence, new.pushed_at,
                new.run_at, new.claimed_at, new.key, new.until, new.payload, new.meta, new.on_discard)
            on conflict (id) do nothing
            returning seq into _seq;
        end if;
        if _seq is not null then
            kind := 0;
            if new.run_at > _now then
                insert into waiting values (new.run_at, _seq, new.state, new.queue_id);
            else
                insert into ready values (new.queue_id, new.priority, new.run_at, _seq);
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
    'array up to _on_discards has one element for each job. _states: scheduled or retryable, for a job that is not due; see '
    'state_name(). _holds_keys: whether the job holds its unique key, until _unique_untils at least. The arrays from _failed '
    'to _messages have one element for each error: the position of its job in the batch, from 1, and the claim that failed. Notifies the channel '
    '_channel with _sender if a job is stored, unless that is null. Returns a row for each job, in order: kind 0 stored, 1 '
    'a job with this id exists, 2 the job holder has its unique key.';
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
    l.progress, l.progress_note, j.seq, j.on_discard
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
comment on column overview.on_discard is 'The job to store if it is discarded: see jobs.on_discard.';
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
    return cardinality(_seqs);
end $$;
comment on function prune is
    'Deletes at most _limit jobs that ended at least as many microseconds ago as the age of their state says, oldest '
    'first. An age that is null keeps the jobs of that state. Rolls up the history too. Returns the number of deleted jobs. A job is left for the next '
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

create or replace function queue_ids(_queues text[]) returns integer[]
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _queue_ids integer[];
begin
    select array_agg(q.id order by n.o) into _queue_ids
    from unnest(_queues) with ordinality n (name, o) join queues q on q.name = n.name;
    if cardinality(_queue_ids) = cardinality(_queues) then
        return _queue_ids;
    end if;
    return null;
end $$;
comment on function queue_ids is
    'Returns the ids of the queues of these names, in their order; null if one of them does not exist.';

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

create or replace function push_one(
    _now bigint, _id uuid, _queue_id integer, _name text, _priority integer, _max_attempts bigint, _time bigint, _key text,
    _unique_until bigint, _payload text, _meta text, _on_discard text
) returns bigint
language plpgsql
set search_path from current as $$
declare
    new jobs;
begin
    insert into jobs (
        id, queue_id, name, priority, max_attempts, pushed_at, run_at, unique_key, unique_until, payload, meta, on_discard)
    values (
        _id, _queue_id, _name, _priority, _max_attempts, _now, greatest(_time, _now), _key, _unique_until, _payload, _meta,
        _on_discard)
    on conflict (id) do nothing
    returning * into new;
    if new.seq is null then
        return null;
    end if;
    if new.run_at > _now then
        insert into waiting values (new.run_at, new.seq, 0, _queue_id);
    else
        insert into ready values (_queue_id, _priority, new.run_at, new.seq);
    end if;
    return new.seq;
end $$;
comment on function push_one is
    'Stores one job that push() has checked, due at _time or now, whichever is later. Returns its seq; null if a job with '
    'this id exists.';

create or replace function push(
    _queues text[], _ids uuid[], _id_given boolean[], _queue_of integer[], _names text[], _priorities integer[],
    _max_attempts bigint[], _delays bigint[], _times bigint[], _unique_keys text[], _unique_for bigint[],
    _replace boolean[], _payloads text[], _metas text[], _on_discards text[], _channel text, _sender text
) returns table (idx integer, kind smallint, job uuid)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _now bigint := clock();
    _queue_ids integer[];
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
    _queue_ids := queue_ids(_queues);
    if _queue_ids is null then
        kind := -2;
        return next;
        return;
    end if;
    if _channel is not null then
        perform pg_notify(_channel, _sender);
    end if;
    -- New jobs with new ids: the most frequent case.
    if _unique_keys is null and _id_given is null then
        with new as (
            insert into jobs (id, queue_id, name, priority, max_attempts, pushed_at, run_at, payload, meta, on_discard)
            select id, _queue_ids[u.queue], u.name, u.priority, max_attempts, _now,
                greatest(_now, coalesce(time, _now + coalesce(delay, 0))), payload, meta, on_discard
            from unnest(_ids, _queue_of, _names, _priorities, _max_attempts, _delays, _times, _payloads, _metas, _on_discards)
                u (id, queue, name, priority, max_attempts, delay, time, payload, meta, on_discard)
            returning seq, queue_id, priority, run_at),
        later as (
            insert into waiting (due, seq, state, queue_id)
            select run_at, seq, 0, queue_id from new where run_at > _now)
        insert into ready select queue_id, priority, run_at, seq from new where run_at <= _now;
        return;
    end if;
    -- The same, but a job whose id exists is skipped.
    if _unique_keys is null then
        with new as (
            insert into jobs (id, queue_id, name, priority, max_attempts, pushed_at, run_at, payload, meta, on_discard)
            select id, _queue_ids[u.queue], u.name, u.priority, max_attempts, _now,
                greatest(_now, coalesce(time, _now + coalesce(delay, 0))), payload, meta, on_discard
            from unnest(_ids, _queue_of, _names, _priorities, _max_attempts, _delays, _times, _payloads, _metas, _on_discards)
                u (id, queue, name, priority, max_attempts, delay, time, payload, meta, on_discard)
            on conflict (id) do nothing
            returning seq, queue_id, priority, run_at),
        later as (
            insert into waiting (due, seq, state, queue_id)
            select run_at, seq, 0, queue_id from new where run_at > _now)
        insert into ready select queue_id, priority, run_at, seq from new where run_at <= _now;
        return;
    end if;
    -- Only the transaction that has locked the row of a unique key may decide who holds it. All transactions lock these rows
    -- in the same order.
    insert into unique_keys (name, key)
    select distinct u.name, u.key from unnest(_names, _unique_keys) u (name, key) where u.key is not null order by 1, 2
    on conflict (name, key) do update set key = excluded.key;
    for new in
        select o - 1 as idx, u.* from unnest(_ids, _id_given, _queue_of, _names, _priorities, _max_attempts, _delays,
            _times, _unique_keys, _unique_for, _replace, _payloads, _metas, _on_discards) with ordinality
            u (id, id_given, queue, name, priority, max_attempts, delay, time, key, unique_for, replace, payload, meta,
                on_discard, o)
    loop
        idx := new.idx;
        job := new.id;
        kind := 0;
        new.time := greatest(_now, coalesce(new.time, _now + coalesce(new.delay, 0)));
        if new.key is null then
            perform push_one(_now, new.id, _queue_ids[new.queue], new.name, new.priority, new.max_attempts, new.time, null,
                null, new.payload, new.meta, new.on_discard);
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
                    delete from ready r where r.queue_id = was.queue_id and r.priority = was.priority
                        and r.run_at = was.run_at and r.seq = was.seq;
                    if not found then
                        delete from waiting w where w.due = was.run_at and w.seq = was.seq;
                    end if;
                    -- If neither has it, another transaction has just moved it: read its state again.
                    is_moving := not found;
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
                insert into ready values (was.queue_id, new.priority, new.time, holder.seq);
            end if;
        else
            _unique_until := _now + least(coalesce(new.unique_for, 0), 9223372036854775807 - _now);
            stored := push_one(_now, new.id, _queue_ids[new.queue], new.name, new.priority, new.max_attempts, new.time,
                new.key, _unique_until, new.payload, new.meta, new.on_discard);
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
    'that nothing was stored: -1 if the delay of job idx exceeds the range of times, -2 if a queue does not exist.';
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
-- How attempts end. `_kinds` has numbers: 0 complete, 1 discard, 2 cancel, 3 retry, 4 snooze, 5 release.

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
    _channel text, _sender text, out applied integer[], out blocked integer[], out refused integer
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
begin
    if _delays is not null then
        select (min(o) - 1)::integer into refused from unnest(_delays) with ordinality u (delay, o)
        where delay > 9223372036854775807 - _now;
        if refused is not null then
            return;
        end if;
    end if;
    if _queues is not null then
        if queue_ids(_queues) is null then
            refused := -1;
            return;
        end if;
    end if;
    if _parents is not null and cardinality(_ids) > 1 and (_unique_keys is not null or 1 = any (_kinds))
        and must_settle_in_order(_ids, _kinds, _parents, _names, _unique_keys)
    then
        for i in 1 .. cardinality(_ids) loop
            select * into settled from settle(
                _ids[i:i], _fences[i:i], _kinds[i:i], _times[i:i], _texts[i:i], _skip_locked,
                -- The followups of the other settlements have a parent that does not exist.
                array(select case when p = i - 1 then 0 else -1 end from unnest(_parents) with ordinality u (p, o) order by o),
                _queues, _new_ids, _id_given, _queue_of, _names, _priorities, _max_attempts, _delays, _new_times,
                _unique_keys, _unique_for, _replace, _payloads, _metas, _on_discards, _channel, _sender);
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
        select array_agg(idx) into applied from gone;
    else
        with gone as (
            delete from leases l using unnest(_ids, _fences, _kinds, _times, _texts) with ordinality
                s (id, fence, kind, time, text, o)
            where l.id = any (array[s.id]) and l.fence = s.fence and l.expires_at + 0 > _now
            returning l.*, s.kind, s.time, s.text, (s.o - 1)::integer as idx),
        moved as materialized (
            select seq, fence, claimed_at, queue_id, name, kind, text, idx, on_discard,
                case when kind in (4, 5) then greatest(attempt - 1, 0) else attempt end as attempt,
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
            returning j.queue_id, j.priority, j.run_at, j.seq, m.state),
        again as (insert into ready select queue_id, priority, run_at, seq from back where state = 1),
        later as (
            insert into waiting (due, seq, state, queue_id)
            select run_at, seq, state, queue_id from back where state <> 1)
        select array_agg(idx), max(fence) filter (where kind in (1, 3, 4) and text is not null),
            array_agg(seq order by idx) filter (where state = 5 and on_discard <> 'null'),
            array_agg(on_discard order by idx) filter (where state = 5 and on_discard <> 'null')
        into applied, max_fence, _discarded, _told from moved;
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
    if applied is not null and _channel is not null then
        perform pg_notify(_channel, _sender);
    end if;
    if applied is not null and _parents is not null then
        perform push(_queues, array_agg(id), array_agg(id_given), array_agg(queue), array_agg(name), array_agg(priority),
            array_agg(max_attempts), array_agg(delay), array_agg(time), case when count(key) > 0 then array_agg(key) end,
            array_agg(unique_for), array_agg(replace), array_agg(payload), array_agg(meta), array_agg(on_discard),
            null, null)
        from (
            select * from unnest(_parents, _new_ids, _id_given, _queue_of, _names, _priorities, _max_attempts, _delays,
                _new_times, _unique_keys, _unique_for, _replace, _payloads, _metas, _on_discards) with ordinality
                u (parent, id, id_given, queue, name, priority, max_attempts, delay, time, key, unique_for, replace,
                    payload, meta, on_discard, o)
            where parent = any (applied) order by o) u
        having count(*) > 0;
    end if;
end $$;
comment on function settle is
    'Ends attempts whose leases have not expired, and stores the followups of those, in the order of the arrays. No lease may be named twice. _kinds: '
    '0 complete, 1 discard, 2 cancel, 3 retry, 4 snooze, 5 release; null if all are 0. _times: when a retried or snoozed '
    'job is due. _texts: the error, the reason of a cancellation, or the result of a completed job. _parents: the index from 0 of each followup''s '
    'settlement, or -1 to leave the followup out; the arrays from _queues to _on_discards, _channel and _sender are those of push(). Returns indexes from 0: '
    'applied, the settlements that took effect; blocked, those whose leases another transaction has locked, if '
    '_skip_locked is true (otherwise the function waits for them). If refused is not null, nothing is stored: it is the '
    'index of a followup whose delay exceeds the range of times, or -1 if a queue does not exist. Waits for transactions '
    'that have locked a unique key of a followup.';
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
                -- The first job of each priority.
                (with recursive p as (
                    (select r.priority, r.run_at from ready r where r.queue_id = q.id
                    order by r.priority, r.run_at, r.seq limit 1)
                    union all
                    select following.priority, following.run_at from p cross join lateral (
                        select r.priority, r.run_at from ready r where r.queue_id = q.id and r.priority > p.priority
                        order by r.priority, r.run_at, r.seq limit 1) following)
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
-- The clock, and what happens when time passes.
--
-- `claim` first calls `promote_and_expire`, so a job becomes ready when a worker next claims. `next_wakeup` returns when the
-- next claim is worthwhile.
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
begin
    if exists (select from waiting where due between _from_due and _now) then
        _row_ids := array(
            select ctid from waiting where due between _from_due and _now
            order by due, seq limit 5000 for update skip locked);
        with due as (delete from waiting where ctid = any (_row_ids) returning seq)
        insert into ready select j.queue_id, j.priority, j.run_at, j.seq from due join jobs j on j.seq = any (array[due.seq]);
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
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off
set plan_cache_mode = force_generic_plan as $$
begin
    due := (select w.due from waiting w where w.due >= _from_due order by w.due limit 1);
    next_due := due;
    if due <= _now then
        next_due := (select w.due from waiting w where w.due > _now order by w.due limit 1);
    end if;
    expiry := (select l.expires_at from leases l where l.expires_at >= _from_expiry order by l.expires_at limit 1);
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
