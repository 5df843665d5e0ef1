-- The jobs of a queue. All names begin with `queue_`, so that the tables can live in an application's own database.
-- Times are microseconds since the Unix epoch.
-- `seq` is a job's position in push order, and its key in the other tables.
-- There are no foreign keys: SQLite enforces them only on connections that enable them, and each costs a lookup.

-- The queues by name. A row is inserted at the first use of its queue, and stays.
create table queue_names (
    queue_id integer primary key,
    name     text    not null unique,
    paused   integer not null default 0
) strict;

-- The jobs. SQLite rewrites the whole row when a job is pushed, claimed and settled, so large payloads are stored apart.
create table queue_jobs (
    seq                 integer primary key,
    id                  blob    not null,    -- the 16 bytes of the UUID
    queue_id            integer not null,
    name                text    not null,
    state               integer not null,    -- 0 scheduled, 1 available, 2 executing, 3 retryable, 4 completed, 5 discarded, 6 cancelled
    priority            integer not null,
    attempt             integer not null default 0,
    max_attempts        integer not null,
    fence               integer not null default 0,
    pushed_at           integer not null,
    run_at              integer not null,
    claimed_at          integer,
    state_time          integer,             -- when the job is due, its lease expires, or it finished; null if available
    unique_key          text,
    unique_until        integer,             -- the key stays taken until then, even if the job has finished
    owns_unique_key     integer,             -- 1 unless a later job has taken the key over
    cancel_reason       text,
    payload             text,                -- JSON, byte for byte as it was pushed
    meta                text,                -- a JSON object of strings; null if there is none
    payload_is_external integer              -- 1 if payload and meta are in `queue_payloads` instead
) strict;

create unique index queue_jobs_id on queue_jobs (id);
-- An available job is in the first of these two indexes, in the order of claims; any other job is in the second, by state
-- and time. So every search reads the beginning of a range, however many jobs there are.
create index queue_jobs_ready on queue_jobs (queue_id, priority, run_at) where state = 1;
create index queue_jobs_timed on queue_jobs (state, state_time) where state_time is not null;
create unique index queue_jobs_key on queue_jobs (name, unique_key) where owns_unique_key = 1;

-- The payload and meta of jobs for which they exceed 512 bytes. Claims and settlements do not rewrite them.
create table queue_payloads (
    seq     integer primary key,
    payload text not null,
    meta    text
) strict;

-- The failed attempts, at most the newest twenty of each job. A claim ends in at most one failure, so its fence is unique.
create table queue_failures (
    seq       integer not null,
    fence     integer not null,
    attempt   integer not null,
    failed_at integer not null,
    message   text    not null,
    primary key (seq, fence)
) strict, without rowid;
