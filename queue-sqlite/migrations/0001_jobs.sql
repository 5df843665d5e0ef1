-- The jobs of a queue. All names begin with `queue_`, so that they can live in an application's own database.
-- Instants are microseconds since the Unix epoch. A job's place in push order, `seq`, is what other tables know it by.

-- The queues by name. A row is made at a queue's first use and stays.
create table queue_lines (
    line   integer primary key,
    name   text    not null unique,
    paused integer not null default 0
) strict;

-- The jobs. A row is written whole three times, when its job is pushed, claimed and settled, so what is large is apart.
create table queue_jobs (
    seq           integer primary key,
    id            blob    not null,
    line          integer not null,
    name          text    not null,
    state         integer not null,    -- 0 scheduled, 1 available, 2 executing, 3 retryable, 4 completed, 5 discarded, 6 cancelled
    priority      integer not null,
    attempt       integer not null default 0,
    max_attempts  integer not null,
    fence         integer not null default 0,
    pushed_at     integer not null,
    run_at        integer not null,
    claimed_at    integer,
    stamp         integer,             -- when a waiting job is due, a lease expires, a finished job ended; null if available
    unique_key    text,
    key_until     integer,             -- the key is held until then, even if the job has finished
    holds_key     integer,             -- 1 unless a later job has taken the key over
    cancel_reason text,
    payload       text,                -- JSON, byte for byte as it was pushed
    meta          text,                -- a JSON object of texts, if there is any
    has_body      integer,             -- 1 if payload and meta are in `queue_bodies` instead
    partition     text                 -- for limits by tenant; not used yet
) strict;

create unique index queue_jobs_id on queue_jobs (id);
-- A job is in one of these two: among the ready ones in order, or among those of its state by time. So what is looked for
-- is always at the beginning of a range, whatever else there is.
create index queue_jobs_ready on queue_jobs (line, priority, run_at) where state = 1;
create index queue_jobs_timed on queue_jobs (state, stamp) where stamp is not null;
create unique index queue_jobs_key on queue_jobs (name, unique_key) where holds_key = 1;

-- What jobs carry that is more than some hundred bytes: written once.
create table queue_bodies (
    seq     integer primary key,
    payload text not null,
    meta    text
) strict;

-- What went wrong, the newest twenty of each job. A claim ends in one failure at most, so the fence tells them apart.
create table queue_failures (
    seq     integer not null,
    fence   integer not null,
    attempt integer not null,
    at      integer not null,
    message text    not null,
    primary key (seq, fence)
) strict, without rowid;
