-- A file as version 1 of the schema made it, with a job that waits for its second attempt. It is never changed.

create table queue_lines (
    line   integer primary key,
    name   text    not null unique,
    paused integer not null default 0
) strict;

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
create index queue_jobs_ready on queue_jobs (line, priority, run_at) where state = 1;
create index queue_jobs_timed on queue_jobs (state, stamp) where stamp is not null;
create unique index queue_jobs_key on queue_jobs (name, unique_key) where holds_key = 1;

create table queue_bodies (
    seq     integer primary key,
    payload text not null,
    meta    text
) strict;

create table queue_failures (
    seq     integer not null,
    fence   integer not null,
    attempt integer not null,
    at      integer not null,
    message text    not null,
    primary key (seq, fence)
) strict, without rowid;
create table queue_schema (version integer primary key) strict;
insert into queue_schema (version) values (1);
insert into queue_lines (line, name) values (1, 'mail');
insert into queue_jobs (seq, id, line, name, state, priority, attempt, max_attempts, fence, pushed_at, run_at, claimed_at, stamp)
    values (1, x'0192f0c1a2b37c4d8e5f60718293a4b5', 1, 'send_welcome', 3, 0, 1, 5, 1, 1700000000000000, 1700000001000000,
        1700000000500000, 1700000001000000);
update queue_jobs set (payload, meta) = ( '{"user_id":42}', '{"tenant":"acme"}');
insert into queue_failures (seq, fence, attempt, at, message) values (1, 1, 1, 1700000000900000, 'connection refused');
