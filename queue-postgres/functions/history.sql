-- What ended in each minute. Before `settle.sql`, `expire.sql` and `prune.sql`, which call these functions.

create or replace function minute_of(_at bigint) returns bigint
language sql immutable parallel safe as $$ select _at - (_at % 60000000 + 60000000) % 60000000 $$;
comment on function minute_of is 'Returns when the minute begins in which a time is.';

create or replace function run_time_of(_sum numeric) returns bigint
language sql immutable parallel safe as $$ select least(_sum, 9223372036854775807)::bigint $$;
comment on function run_time_of is 'Returns a sum of run times as it is stored: at most the largest bigint.';

create or replace function roll_up_history(_now bigint) returns void
language plpgsql
set search_path from current set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
    _kept bigint := minute_of(_now - 86400000000);
begin
    -- One session at a time, and no other waits for it: the next call finds the rows.
    if not pg_try_advisory_xact_lock(hashtextextended('queue_postgres history:' || current_schema(), 0)) then
        return;
    end if;
    if exists (select from history_parts) then
        with gone as (delete from history_parts returning *)
        insert into history as h (queue_id, minute, name, completed, failed, discarded, run_time)
        select queue_id, minute, name, sum(completed), sum(failed), sum(discarded), run_time_of(sum(run_time))
        from gone where minute >= _kept group by queue_id, minute, name
        on conflict (queue_id, minute, name) do update set completed = h.completed + excluded.completed,
            failed = h.failed + excluded.failed, discarded = h.discarded + excluded.discarded,
            run_time = run_time_of(h.run_time::numeric + excluded.run_time);
    end if;
    delete from history h using queues q
    where h.queue_id = any (array[q.id]) and h.minute < _kept;
end $$;
comment on function roll_up_history is
    'Adds the rows of history_parts to history and deletes them, and deletes the minutes that ended more than 24 hours before '
    '_now. Does nothing if another session does this.';

create or replace function history(
    _since bigint, _until bigint, _step bigint, _queue text default null, _name text default null
) returns table (
    step bigint, queue text, name text, completed bigint, failed bigint, discarded bigint, run_time bigint
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    _now bigint := clock();
    _first bigint := greatest(_since, minute_of(_now - 86400000000));
begin
    return query
    with ended as (
        -- The array keeps the planner from reading the history of all queues: see time.sql.
        select h.queue_id, h.minute, h.name, h.completed, h.failed, h.discarded, h.run_time
        from queues q join history h on h.queue_id = any (array[q.id]) and h.minute >= _first and h.minute < _until
        where _queue is null or q.name = _queue
        union all
        select p.queue_id, p.minute, p.name, p.completed, p.failed, p.discarded, p.run_time from history_parts p
        union all
        -- Expired leases that no claim has met yet.
        select l.queue_id, minute_of(l.expires_at), l.name, 0, 1,
            case when l.cancel_reason is null and l.attempt >= j.max_attempts then 1 else 0 end,
            greatest(l.expires_at - l.claimed_at, 0)
        from leases l join jobs j on j.seq = any (array[l.seq])
        where l.expires_at <= _now),
    steps as materialized (
        select e.minute - (e.minute % _step + _step) % _step as step, e.queue_id, e.name, sum(e.completed)::bigint as completed,
            sum(e.failed)::bigint as failed, sum(e.discarded)::bigint as discarded, run_time_of(sum(e.run_time)) as run_time
        from ended e
        where e.minute >= _first and e.minute < _until and (_name is null or e.name = _name)
        group by 1, 2, 3)
    select s.step, q.name, s.name, s.completed, s.failed, s.discarded, s.run_time
    from steps s join queues q on q.id = any (array[s.queue_id])
    where _queue is null or q.name = _queue
    order by s.step, q.name, s.name;
end $$;
comment on function history is
    'Returns what ended in each step of _step microseconds, a multiple of a minute: for each queue and name, the number of jobs '
    'that completed, of attempts that failed and of jobs that were discarded, and the microseconds that the completed and failed '
    'attempts ran. Has the minutes from _since on and before _until, of the last 24 hours, of one queue or name if these are '
    'not null. An expired lease counts as a failed attempt, whether a claim has met it or not.';
