-- The jobs of a queue. All names begin with `queue_`, so that the tables can live in an application's own database.
-- SQLite keeps the comments inside a statement, so `sqlite3 jobs.db .schema` shows them too.
-- There are no foreign keys: SQLite enforces them only on connections that enable them, and each costs a lookup.

create table queue_states (
    -- The states of a job. This is the one list of their numbers:
    --   0 scheduled   waits until `state_time`
    --   1 available   ready for a worker
    --   2 executing   leased to a worker until `state_time`
    --   3 retryable   failed; waits until `state_time` for the next attempt
    --   4 completed   finished at `state_time`
    --   5 discarded   finished at `state_time`: failed for good
    --   6 cancelled   finished at `state_time`: an operator or the job itself ended it
    state integer primary key,       -- the number that `queue_jobs` stores
    name  text    not null unique    -- the name that `queue_overview` shows
) strict;
insert into queue_states (state, name) values
    (0, 'scheduled'), (1, 'available'), (2, 'executing'), (3, 'retryable'),
    (4, 'completed'), (5, 'discarded'), (6, 'cancelled');

create table queue_names (
    -- The queues by name. A row is inserted at the first use of its queue, and stays.
    queue_id integer primary key,         -- the number that `queue_jobs` stores
    name     text    not null unique,     -- the name that programs use, such as `mail`
    paused   integer not null default 0   -- 1 while an operator pauses the queue: claims skip its jobs
) strict;

create table queue_jobs (
    -- The jobs. Times are microseconds since the Unix epoch; the view `queue_overview` shows them as text.
    -- SQLite rewrites the whole row when a job is pushed, claimed and settled, so large payloads are stored apart.
    seq                 integer primary key,         -- the position in push order, and the key in the other tables
    id                  blob    not null,            -- the 16 bytes of the UUID
    queue_id            integer not null,            -- the queue, see `queue_names`
    name                text    not null,            -- the job's name, by which a program finds its function
    state               integer not null,            -- see `queue_states`
    priority            integer not null,            -- the lower runs first
    attempt             integer not null default 0,  -- the number of counted attempts, with the running one
    max_attempts        integer not null,            -- a failure of this attempt is final
    fence               integer not null default 0,  -- the number of claims; only the newest can settle the job
    pushed_at           integer not null,            -- when the job was pushed
    run_at              integer not null,            -- the earliest time of the next attempt
    claimed_at          integer,                     -- when the newest claim leased the job; null before the first
    state_time          integer,                     -- the due time, the lease's end or the finish; null if available
    unique_key          text,                        -- at most one job of a name owns this key; null if there is none
    unique_until        integer,                     -- the key stays taken until then, even if the job has finished
    owns_unique_key     integer,                     -- 1 unless a later job has taken the key over
    cancel_reason       text,                        -- why a cancel was requested; null if it was not
    payload             text,                        -- JSON, byte for byte as it was pushed
    meta                text,                        -- a JSON object of strings; null if there is none
    payload_is_external integer                      -- 1 if payload and meta are in `queue_payloads` instead
) strict;

create unique index queue_jobs_id on queue_jobs (
    -- Finds a job by its id: renewals, settlements, operators.
    id
);

-- An available job is in the first of these two indexes, any other job is in the second. So every search reads the
-- beginning of a range, however many jobs there are.
create index queue_jobs_ready on queue_jobs (
    -- The available jobs of each queue, in the order of claims.
    queue_id, priority, run_at
) where state = 1;
create index queue_jobs_timed on queue_jobs (
    -- The other jobs by state and time: the next due job, the next lease to expire, the oldest finished job.
    state, state_time
) where state_time is not null;

create unique index queue_jobs_key on queue_jobs (
    -- The owner of each unique key.
    name, unique_key
) where owns_unique_key = 1;

create table queue_payloads (
    -- The payload and meta of jobs for which they exceed 512 bytes. Claims and settlements do not rewrite them.
    seq     integer primary key,    -- the job, see `queue_jobs`
    payload text not null,          -- JSON, byte for byte as it was pushed
    meta    text                    -- a JSON object of strings; null if there is none
) strict;

create table queue_failures (
    -- The failed attempts, at most the newest twenty of each job.
    seq       integer not null,    -- the job, see `queue_jobs`
    fence     integer not null,    -- the claim that failed; a claim ends in at most one failure
    attempt   integer not null,    -- the number of the attempt
    failed_at integer not null,    -- when the attempt ended
    message   text    not null,    -- the error and its causes
    primary key (seq, fence)
) strict, without rowid;

create view queue_overview as
-- The jobs for operators: states by name, UUIDs and times (ISO 8601, UTC) as text, and the last error.
-- States are those that are stored: the writer applies due times and expired leases in its next transaction.
-- A time after the year 9999 is shown as null, since SQLite has no text for it.
select
    lower(substr(hex(j.id), 1, 8) || '-' || substr(hex(j.id), 9, 4) || '-' || substr(hex(j.id), 13, 4) || '-'
        || substr(hex(j.id), 17, 4) || '-' || substr(hex(j.id), 21)) as id,
    j.name,
    q.name as queue,
    s.name as state,
    j.priority,
    j.attempt,
    j.max_attempts,
    strftime('%Y-%m-%dT%H:%M:%S', j.pushed_at / 1000000, 'unixepoch')
        || printf('.%06dZ', j.pushed_at % 1000000) as pushed_at,
    strftime('%Y-%m-%dT%H:%M:%S', j.run_at / 1000000, 'unixepoch')
        || printf('.%06dZ', j.run_at % 1000000) as run_at,
    strftime('%Y-%m-%dT%H:%M:%S', j.claimed_at / 1000000, 'unixepoch')
        || printf('.%06dZ', j.claimed_at % 1000000) as claimed_at,
    -- Only an executing job has a lease.
    case when j.state = 2 then strftime('%Y-%m-%dT%H:%M:%S', j.state_time / 1000000, 'unixepoch')
        || printf('.%06dZ', j.state_time % 1000000) end as lease_expires_at,
    case when j.state in (4, 5, 6) then strftime('%Y-%m-%dT%H:%M:%S', j.state_time / 1000000, 'unixepoch')
        || printf('.%06dZ', j.state_time % 1000000) end as finished_at,
    j.cancel_reason,
    -- The message of the newest failed attempt.
    (select f.message from queue_failures f where f.seq = j.seq order by f.fence desc limit 1) as last_error,
    j.unique_key,
    case when j.payload_is_external then p.payload else j.payload end as payload,
    case when j.payload_is_external then p.meta else j.meta end as meta,
    j.seq
from queue_jobs j
    left join queue_names q on q.queue_id = j.queue_id
    left join queue_states s on s.state = j.state
    left join queue_payloads p on p.seq = j.seq;
