-- The jobs of a queue, in a schema of their own. The statements name no schema: they make everything in the first one of
-- the search path. `PostgresQueue::migrate` sets that; by hand, with psql, it is
--
--     begin;
--     create schema queue;
--     set search_path = queue, pg_temp;
--     \i 0001_tables.sql
--     ... and so on, in order, and then, so that the program knows up to which of them it was done:
--     insert into schema_migrations (version) select generate_series(1, 6);
--     commit;
--
-- Instants are microseconds since the Unix epoch, by the clock of the server; `overview` shows them as timestamps.
--
-- What a job is, is written once, into `jobs`. Where it is on its way is a narrow row in one of four tables, and each step
-- moves that row: from `waiting` to `ready` when it's due, to `leases` when it's claimed, to `finished` when it's settled.
-- So a step costs no copy of the payload, no update of an index but those of two small tables, and what is looked for is
-- always at the beginning of one, whatever else there is.

-- Which of these files were run. `min_program_version` is the lowest version of a program that still works with the schema
-- after that file; null stands for the file's own version. The greatest of all rows counts.
create table schema_migrations (
    version             integer     not null primary key,
    applied_at          timestamptz not null default now(),
    min_program_version integer
);

-- The queues by name. A row is made at a queue's first use and stays.
create table queues (
    id     integer generated always as identity primary key,
    name   text collate "C" not null unique,
    paused boolean not null default false
);

-- `attempt`, `fence` and `claimed_at` are those of the last attempt that ended with the job waiting once more; of an
-- executing or finished job they are in `leases` or `finished`.
create table jobs (
    seq          bigint generated always as identity primary key,  -- its place in push order
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
    unique_until bigint,                      -- the key is held until then, even if the job has finished
    payload      text    not null,            -- JSON, byte for byte as it was pushed
    meta         text                         -- a JSON object of texts, if there is any
);
create unique index jobs_id on jobs (id);

-- A row lives here as long as its job is in that state, and is never updated but to be renewed. Such tables are emptied
-- as fast as they are filled, so they are vacuumed by what has gone and not by a share of what is there.

create table ready (
    queue_id integer not null,
    priority integer not null,
    run_at   bigint  not null,
    seq      bigint  not null,
    primary key (queue_id, priority, run_at, seq)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = false);

create table waiting (
    due      bigint   not null,
    seq      bigint   not null,
    state    smallint not null,               -- 0 scheduled, 3 retryable
    queue_id integer  not null,
    primary key (due, seq)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = false);

create table leases (
    id            uuid    not null primary key,
    expires_at    bigint  not null,
    seq           bigint  not null,
    fence         bigint  not null,
    attempt       bigint  not null,
    claimed_at    bigint  not null,
    queue_id      integer not null,
    cancel_reason text                        -- why it is to be cancelled, if somebody asked for that
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = false);
create index leases_expiry on leases (expires_at);

create table finished (
    seq           bigint   not null primary key,
    finished_at   bigint   not null,
    fence         bigint   not null,
    attempt       bigint   not null,
    claimed_at    bigint,
    queue_id      integer  not null,
    state         smallint not null,          -- 4 completed, 5 discarded, 6 cancelled
    cancel_reason text
);
create index finished_first on finished (state, finished_at, seq);

-- Who holds a unique key. A row may outlive its job, since a key can be held until an instant.
create table unique_keys (
    name         text collate "C" not null,
    key          text collate "C" not null,
    seq          bigint,
    id           uuid,
    unique_until bigint,
    primary key (name, key)
);

-- What went wrong, the newest twenty of each job. A claim ends in one failure at most, so the fence tells them apart.
create table failures (
    seq       bigint not null,
    fence     bigint not null,
    attempt   bigint not null,
    failed_at bigint not null,
    message   text   not null,
    primary key (seq, fence)
);

-- Jobs as people want to see them.
create view overview as
select j.id, j.name, q.name as queue,
    case when f.seq is not null then case f.state when 4 then 'completed' when 5 then 'discarded' else 'cancelled' end
        when l.seq is not null then 'executing'
        when w.seq is not null then case w.state when 3 then 'retryable' else 'scheduled' end
        else 'available' end as state,
    j.priority, coalesce(f.attempt, l.attempt, j.attempt) as attempt, j.max_attempts,
    to_timestamp(j.pushed_at / 1e6) as pushed_at, to_timestamp(j.run_at / 1e6) as run_at,
    to_timestamp(coalesce(f.claimed_at, l.claimed_at, j.claimed_at) / 1e6) as claimed_at,
    to_timestamp(l.expires_at / 1e6) as lease_expires_at, to_timestamp(f.finished_at / 1e6) as finished_at,
    coalesce(f.cancel_reason, l.cancel_reason) as cancel_reason,
    (select message from failures where seq = j.seq order by fence desc limit 1) as last_error,
    j.unique_key, j.payload, j.meta, j.seq
from jobs j
    join queues q on q.id = j.queue_id
    left join finished f on f.seq = j.seq
    left join leases l on l.id = j.id
    left join waiting w on w.due = j.run_at and w.seq = j.seq;
