-- What people read.

create or replace function state_name(_state integer) returns text
language sql immutable as $$
    select (array['scheduled', 'available', 'executing', 'retryable', 'completed', 'discarded', 'cancelled'])[_state + 1]
$$;

create or replace view overview as
select j.id, j.name, q.name as queue,
    state_name(coalesce(f.state, case when l.seq is not null then 2 end, w.state, 1)) as state,
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
