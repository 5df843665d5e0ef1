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
    queue_id  integer primary key,         -- the number that `queue_jobs` stores
    name      text    not null unique,     -- the name that programs use, such as `mail`
    paused    integer not null default 0,  -- 1 while an operator pauses the queue: claims skip its jobs
    is_used   integer not null default 1,  -- 0 until a job is stored or the queue is paused, if a limit came first
    is_shared integer not null default 0   -- 1 from the first partition or limit on: claims deal its jobs, see `queue_totals`
) strict;
create index queue_names_shared on queue_names (
    -- The shared queues: whether there is any.
    queue_id
) where is_shared = 1;

create table queue_totals (
    -- The shared queues as a whole. The counts change with the rows of `queue_jobs`, in the same transaction. A queue that has
    -- become shared has its row after the next transaction of a program that works on its jobs, which counts them.
    queue_id    integer primary key,         -- the queue, see `queue_names`
    ready       integer not null,            -- the number of available jobs
    running     integer not null,            -- the number of executing jobs
    turn        integer not null,            -- the last number that was given to a partition
    free_at     integer not null,            -- when the next job may start, because of the rate
    has_limits  integer not null,            -- 1 if the queue has rows in `queue_limits`
    max_running integer,                     -- the limit in force: how many jobs run at once; null if there is none
    starts      integer,                     -- the limit in force: how many jobs start in a window; null if there is none
    per         integer,                     -- the length of the window in nanoseconds
    burst       integer,                     -- how many jobs start at once after a pause
    weight      integer not null             -- the weight of that limit, which means nothing
) strict;

create table queue_partitions (
    -- The partitions of the shared queues. A named one that has no available or executing job is deleted after a while; the
    -- next job creates it again.
    partition_id integer primary key,        -- the number that `queue_jobs` stores: of a named one negative, otherwise the queue's
    queue_id     integer not null,           -- the queue, see `queue_names`
    name         text    not null,           -- the name; empty for the jobs that name none
    ready        integer not null,           -- the number of available jobs
    running      integer not null,           -- the number of executing jobs
    turn         integer not null,           -- when it was last served or came to have an available job, in turns of the queue
    free_at      integer not null,           -- when the next job may start, because of the rate or a throttled job
    is_held      integer not null,           -- 1 if that was in the future at the last change
    max_running  integer,                    -- the limit in force: how many jobs run at once; null if there is none
    starts       integer,                    -- the limit in force: how many jobs start in a window; null if there is none
    per          integer,                    -- the length of the window in nanoseconds
    burst        integer,                    -- how many jobs start at once after a pause
    weight       integer not null            -- the share of running jobs
) strict;
create unique index queue_partitions_name on queue_partitions (
    -- Finds a partition by its name.
    queue_id, name
);
create index queue_partitions_open on queue_partitions (
    -- The partitions that may start a job, in the order in which they are served.
    queue_id, running * 1000000 / weight, turn
) where ready > 0 and is_held = 0 and running < coalesce(max_running, 4294967296);
create index queue_partitions_held on queue_partitions (
    -- The partitions that may start a job later, by that time.
    queue_id, free_at
) where ready > 0 and is_held = 1 and running < coalesce(max_running, 4294967296);

create table queue_limits (
    -- The limits of queues and partitions. Of two for the same jobs, the one that an operator has set is in force.
    queue_id    integer not null,    -- the queue, see `queue_names`
    scope       integer not null,    -- 0: the queue as a whole; 1: each partition without a limit of its own; 2: one partition
    partition   text    not null,    -- the partition; empty for jobs that name none, and for the other scopes
    is_set      integer not null,    -- 0: declared by a program; 1: set by an operator
    max_running integer,             -- how many jobs run at once; null for no limit
    starts      integer,             -- how many jobs start in a window; null for no limit
    per         integer,             -- the length of the window in nanoseconds
    burst       integer,             -- how many jobs start at once after a pause
    weight      integer not null,    -- the share of running jobs
    primary key (queue_id, scope, partition, is_set)
) strict, without rowid;

create table queue_jobs (
    -- The jobs. Times are microseconds since the Unix epoch; the view `queue_overview` shows them as text.
    -- SQLite rewrites the whole row when a job is pushed, claimed and settled, so large payloads are stored apart.
    seq                 integer primary key,         -- the position in push order, and the key in the other tables
    id                  blob    not null,            -- the 16 bytes of the UUID
    queue_id            integer not null,            -- the queue, see `queue_names`
    partition           text,                        -- the part of the queue to which it belongs; null if it names none
    partition_id        integer not null,            -- the same while it is available or executing, see `queue_partitions`
    name                text    not null,            -- the job's name, by which a program finds its function
    state               integer not null,            -- see `queue_states`
    priority            integer not null,            -- the lower runs first
    attempt             integer not null default 0,  -- the number of counted attempts, with the running one
    max_attempts        integer not null,            -- a failure of this attempt is final
    fence               integer not null default 0,  -- the number of claims; only the newest can settle the job
    pushed_at           integer not null,            -- when the job was pushed
    run_at              integer not null,            -- the earliest time of the next attempt
    claimed_at          integer,                     -- when the newest claim leased the job; null before the first
    worker_id           integer,                     -- the worker that claimed it last, see `queue_workers`; null if the claim named none
    state_time          integer,                     -- the due time, the lease's end or the finish; null if available
    unique_key          text,                        -- at most one job of a name owns this key; null if there is none
    unique_until        integer,                     -- the key stays taken until then, even if the job has finished
    owns_unique_key     integer,                     -- 1 unless a later job has taken the key over
    cancel_reason       text,                        -- why a cancel was requested; null if it was not
    payload             text,                        -- JSON, byte for byte as it was pushed
    meta                text,                        -- a JSON object of strings; null if there is none
    payload_is_external integer,                     -- 1 if payload and meta are in `queue_payloads` instead
    result              text,                        -- JSON: the value that a completed job returned; null if it returned none
    progress_percent    integer,                     -- the progress of an executing job, in percent; null if it has reported none
    progress_note       text,                        -- the note of the job on its progress
    on_discard          text,                        -- JSON: the job to store if this one is discarded; null if it names none
    lease_on_discard    text                         -- the same, a default of the worker that holds the lease; `on_discard` has precedence
) strict;

create unique index queue_jobs_id on queue_jobs (
    -- Finds a job by its id: renewals, settlements, operators.
    id
);

-- An available job is in the first of these three indexes, an executing job in the second, a finished job in the third, and a
-- waiting job in the second and third. So every search reads the beginning of a range, however many jobs there are.
create index queue_jobs_ready on queue_jobs (
    -- The available jobs of each partition, in the order of claims. Those that name none are under the number of their queue.
    partition_id, priority, run_at
) where state = 1;
create index queue_jobs_timed on queue_jobs (
    -- The unfinished jobs by state and time: the next due job, the next lease to expire.
    state, state_time
) where state < 4 and state_time is not null;
create index queue_jobs_by_queue on queue_jobs (
    -- The waiting and finished jobs of each queue by state and time: their counts, the next due job, the oldest finished job.
    queue_id, state, state_time
) where state <> 2 and state_time is not null;

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

create table queue_workers (
    -- Workers: those that have announced themselves, and those that a claim has named. Old rows are deleted.
    worker_id  integer primary key,     -- the number that `queue_jobs` stores
    name       text    not null unique, -- the identity: host/pid/service
    seen_at    integer,                 -- when it last announced itself; null if it has not, or has stopped since
    expires_at integer,                 -- when that announcement expires
    details    text                     -- the announcement: JSON
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

create table queue_history (
    -- How many attempts ended in each minute of the last 24 hours, by queue and job name. Older rows are deleted.
    queue_id  integer not null,    -- the queue, see `queue_names`
    minute    integer not null,    -- when the minute begins
    name      text    not null,    -- the job's name
    completed integer not null,    -- the number of jobs that completed
    failed    integer not null,    -- the number of attempts that failed, the last ones of discarded jobs included
    discarded integer not null,    -- the number of jobs that were discarded
    run_time  integer not null,    -- microseconds from claim to end, of the completed and the failed attempts
    primary key (queue_id, minute, name)
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
    j.partition,
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
    j.result,
    -- Only an executing job has a progress.
    case when j.state = 2 then j.progress_percent end as progress_percent,
    case when j.state = 2 then j.progress_note end as progress_note,
    j.seq
from queue_jobs j
    left join queue_names q on q.queue_id = j.queue_id
    left join queue_states s on s.state = j.state
    left join queue_payloads p on p.seq = j.seq;

create view queue_clock as
-- The time, as the trigger `queue_enqueue_insert` stores it: microseconds since the Unix epoch, in whole milliseconds.
select cast(strftime('%s', 'now') as integer) * 1000000 + cast(substr(strftime('%f', 'now'), 4) as integer) * 1000 as now;

create view queue_enqueue as
-- An insert into this view stores a job: `insert into queue_enqueue (name, payload) values ('send_mail', '{"to":42}')`.
-- The view has no rows. A column that is null or left out has its default.
select
    null as name,            -- the job's name, by which a program finds its function
    null as payload,         -- the arguments as JSON text, such as json_object('to', 42); by default `{}`
    null as queue,           -- the queue, which is created at its first use; by default `default`
    null as run_at,          -- when the job is due: UTC as text, such as datetime('now', '+5 minutes'); by default now
    null as priority,        -- the lower runs first; by default 0
    null as max_attempts,    -- a failure of this attempt is final; by default 5
    null as unique_key,      -- nothing is stored while another unfinished job of this name has the key
    null as meta,            -- a JSON object of strings
    null as id,              -- 16 bytes; nothing is stored if a job has this id; by default random (UUID version 4)
    null as partition        -- the part of the queue, such as a tenant, at most 128 bytes; by default none
where false;

create trigger queue_enqueue_insert instead of insert on queue_enqueue begin
    -- Checks and stores a job. It runs in the SQLite of the program that inserts, and needs version 3.38 or later.
    -- The conflict clause of that insert, as in `insert or replace`, overrides those of the statements below. So none of these
    -- has one, and none meets a conflict.
    select raise(abort, 'queue_enqueue: `name` must be 1 to 128 of the characters `A-Z a-z 0-9 _ . : -`')
    where not coalesce(typeof(new.name) = 'text' and new.name not glob '*[^-A-Za-z0-9_.:]*'
        and length(new.name) between 1 and 128 and length(new.name) = length(cast(new.name as blob)), false);
    select raise(abort, 'queue_enqueue: `queue` must be 1 to 128 of the characters `A-Z a-z 0-9 _ . : -`')
    where new.queue is not null and not (typeof(new.queue) = 'text' and new.queue not glob '*[^-A-Za-z0-9_.:]*'
        and length(new.queue) between 1 and 128 and length(new.queue) = length(cast(new.queue as blob)));
    select raise(abort, 'queue_enqueue: `payload` must be JSON text: use json_object() or json_array()')
    where new.payload is not null and not (typeof(new.payload) = 'text' and json_valid(new.payload));
    select raise(abort, 'queue_enqueue: `payload` has more than 1048576 bytes: store the data elsewhere and pass a reference')
    where length(cast(new.payload as blob)) > 1048576;
    select raise(abort, 'queue_enqueue: `run_at` must be UTC as text, such as datetime(''now'', ''+5 minutes'')')
    where new.run_at is not null and (typeof(new.run_at) <> 'text' or strftime('%s', new.run_at) is null);
    select raise(abort, 'queue_enqueue: `priority` must be an integer of 32 bits')
    where new.priority is not null
        and not (typeof(new.priority) = 'integer' and new.priority between -2147483648 and 2147483647);
    select raise(abort, 'queue_enqueue: `max_attempts` must be an integer from 1 to 4294967295')
    where new.max_attempts is not null
        and not (typeof(new.max_attempts) = 'integer' and new.max_attempts between 1 and 4294967295);
    select raise(abort, 'queue_enqueue: `unique_key` must be text of 1 to 256 bytes: hash a longer key')
    where new.unique_key is not null
        and not (typeof(new.unique_key) = 'text' and length(cast(new.unique_key as blob)) between 1 and 256);
    select raise(abort, 'queue_enqueue: `meta` must be a JSON object of strings: use json_object() and cast numbers to text')
    where new.meta is not null and not (typeof(new.meta) = 'text' and json_valid(new.meta));
    select raise(abort, 'queue_enqueue: `meta` must be a JSON object of strings: use json_object() and cast numbers to text')
    where json_type(new.meta) <> 'object' or exists (select 1 from json_each(new.meta) where type <> 'text');
    select raise(abort, 'queue_enqueue: `meta` has more than 16384 bytes: store the data elsewhere and pass a reference')
    where (select sum(length(cast(key as blob)) + length(cast(value as blob))) from json_each(new.meta)) > 16384;
    select raise(abort, 'queue_enqueue: `id` must be a blob of 16 bytes, such as randomblob(16)')
    where new.id is not null and not (typeof(new.id) = 'blob' and length(new.id) = 16);
    select raise(abort, 'queue_enqueue: `partition` must be text of at most 128 bytes without control characters')
    where new.partition is not null and not (typeof(new.partition) = 'text' and length(cast(new.partition as blob)) <= 128
        and instr(new.partition, char(0)) = 0
        and new.partition not glob '*[' || char(1) || '-' || char(31) || char(127) || '-' || char(159) || ']*');

    insert into queue_names (name)
    select coalesce(new.queue, 'default')
    where not exists (select 1 from queue_names where name = coalesce(new.queue, 'default'));
    update queue_names set is_used = 1, is_shared = is_shared or nullif(new.partition, '') is not null
    where name = coalesce(new.queue, 'default') and (is_used = 0 or is_shared = 0 and nullif(new.partition, '') is not null);

    -- The owner of the key loses it if it has finished and its window is over. A job whose last lease has expired counts as
    -- finished: the writer has not ended it yet.
    update queue_jobs set owns_unique_key = null
    where name = new.name and unique_key = new.unique_key and owns_unique_key = 1
        and not exists (select 1 from queue_jobs where id = new.id)
        and coalesce(unique_until, 0) <= (select now from queue_clock)
        and (state in (4, 5, 6) or state = 2 and state_time <= (select now from queue_clock)
            and (cancel_reason is not null or attempt >= max_attempts));

    -- A job of a shared queue is stored as due, and counted by the program that works on the queue next.
    insert into queue_jobs
        (id, queue_id, partition, partition_id, name, state, priority, max_attempts, pushed_at, run_at, state_time, unique_key,
        unique_until, owns_unique_key, payload, meta, payload_is_external)
    select
        -- Random bytes, in which the bits for version 4 of a UUID are set.
        coalesce(new.id, cast(
            randomblob(6) || substr(x'404142434445464748494a4b4c4d4e4f', 1 + abs(random() % 16), 1)
            || randomblob(1) || substr(x'808182838485868788898a8b8c8d8e8f', 1 + abs(random() % 16), 1)
            || randomblob(7) as blob)),
        queue_id, nullif(new.partition, ''), iif(is_shared, 0, queue_id), new.name, iif(waits, 0, 1),
        coalesce(new.priority, 0), coalesce(new.max_attempts, 5), now, run_at, iif(waits, run_at, null), new.unique_key, iif(new.unique_key is null, null, now),
        iif(new.unique_key is null, null, 1), iif(is_external, null, payload), iif(is_external, null, meta),
        iif(is_external, 1, null)
    from (
        select *, is_shared or run_at > now as waits from (select queue_id, is_shared, now, payload, meta,
            max(now, coalesce(strftime('%s', new.run_at) * 1000000 + substr(strftime('%f', new.run_at), 4) * 1000, now))
                as run_at,
            length(cast(payload as blob)) + coalesce(length(cast(meta as blob)), 0) > 512 as is_external
        from (select coalesce(new.payload, '{}') as payload, nullif(new.meta, '{}') as meta), queue_clock, queue_names
        where name = coalesce(new.queue, 'default')))
    where not exists (select 1 from queue_jobs where id = new.id)
        and not exists (
            select 1 from queue_jobs where name = new.name and unique_key = new.unique_key and owns_unique_key = 1);

    insert into queue_payloads (seq, payload, meta)
    select last_insert_rowid(), coalesce(new.payload, '{}'), nullif(new.meta, '{}')
    where changes() = 1 and (select payload_is_external from queue_jobs where seq = last_insert_rowid());
end;
