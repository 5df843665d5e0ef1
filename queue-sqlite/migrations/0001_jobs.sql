-- The jobs of a queue. All names begin with `queue_`, so that the tables can live in an application's own database.
-- Times are microseconds since the Unix epoch; the view `queue_overview` shows them as text.
-- `seq` is a job's position in push order, and its key in the other tables.
-- There are no foreign keys: SQLite enforces them only on connections that enable them, and each costs a lookup.

-- The states of a job. This is the one list of their numbers.
create table queue_states (
    state integer primary key,
    name  text    not null unique
) strict;
insert into queue_states (state, name) values
    (0, 'scheduled'),   -- waits until `state_time`
    (1, 'available'),   -- ready for a worker
    (2, 'executing'),   -- leased to a worker until `state_time`
    (3, 'retryable'),   -- failed; waits until `state_time` for the next attempt
    (4, 'completed'),   -- finished at `state_time`, like the two below
    (5, 'discarded'),   -- failed for good
    (6, 'cancelled');

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
    state               integer not null,    -- see `queue_states`
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

-- The jobs for operators: states by name, UUIDs and times (ISO 8601, UTC) as text, and the last error. States are those
-- that are stored: the writer applies due times and expired leases in its next transaction. A time after the year 9999
-- is shown as null, since SQLite has no text for it.
create view queue_overview as
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
    case when j.state = 2 then strftime('%Y-%m-%dT%H:%M:%S', j.state_time / 1000000, 'unixepoch')
        || printf('.%06dZ', j.state_time % 1000000) end as lease_expires_at,
    case when j.state in (4, 5, 6) then strftime('%Y-%m-%dT%H:%M:%S', j.state_time / 1000000, 'unixepoch')
        || printf('.%06dZ', j.state_time % 1000000) end as finished_at,
    j.cancel_reason,
    (select f.message from queue_failures f where f.seq = j.seq order by f.fence desc limit 1) as last_error,
    j.unique_key,
    case when j.payload_is_external then p.payload else j.payload end as payload,
    case when j.payload_is_external then p.meta else j.meta end as meta,
    j.seq
from queue_jobs j
    left join queue_names q on q.queue_id = j.queue_id
    left join queue_states s on s.state = j.state
    left join queue_payloads p on p.seq = j.seq;
