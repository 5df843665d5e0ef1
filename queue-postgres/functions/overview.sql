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
