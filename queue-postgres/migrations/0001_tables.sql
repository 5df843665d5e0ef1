-- The tables of a job queue, in a schema of their own. The functions and the view that work on them are in `../functions`.
--
-- `PostgresQueue::migrate` runs these files. To run them by hand, start psql in the directory `queue-postgres`:
--
--     begin;
--     create schema queue;
--     set local search_path = queue, pg_temp;
--     \i migrations/0001_tables.sql
--     \i functions/time.sql
--     \i functions/expire.sql
--     \i functions/push.sql
--     \i functions/claim.sql
--     \i functions/renew.sql
--     \i functions/settle.sql
--     \i functions/admin.sql
--     \i functions/prune.sql
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
-- How a job moves: `jobs` has one row for each job, written once. The job's state is a narrow row in exactly one of four
-- tables, and each step moves that row: from `waiting` to `ready` when the job is due, to `leases` when it is claimed, to
-- `finished` when its last attempt ends. A step therefore copies no payload, updates the indexes of two small tables only,
-- and finds its rows at the beginning of an index, however many jobs there are.
--
-- No table has foreign keys: each one would cost an index lookup and a row lock in every step.
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

create table queues (
    id     integer generated always as identity primary key,
    name   text    collate "C" not null unique,
    paused boolean not null default false
);

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
    meta         text
);
create unique index jobs_id on jobs (id);

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

create table waiting (
    due      bigint   not null,
    seq      bigint   not null,
    state    smallint not null,
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
    cancel_reason text
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
    state         smallint not null,
    cancel_reason text
);
create index finished_first on finished (state, finished_at, seq);

create table unique_keys (
    name         text   collate "C" not null,
    key          text   collate "C" not null,
    seq          bigint,
    id           uuid,
    unique_until bigint,
    primary key (name, key)
);

create table failures (
    seq       bigint not null,
    fence     bigint not null,
    attempt   bigint not null,
    failed_at bigint not null,
    message   text   not null,
    primary key (seq, fence)
);
