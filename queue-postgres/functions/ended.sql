-- The poll of programs that wait for the end of jobs.

create or replace function any_ended(_ids uuid[], out now bigint, out is_any boolean)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
begin
    now := clock();
    is_any := exists (
        select from unnest(_ids) asked (id)
            left join jobs j on j.id = any (array[asked.id])
            left join finished f on f.seq = j.seq
            left join leases l on l.id = j.id
        where j.seq is null or f.seq is not null
            or l.expires_at <= now and (l.cancel_reason is not null or l.attempt >= j.max_attempts));
end $$;
comment on function any_ended is
    'Returns the time, and whether one of these jobs has ended or does not exist. A job whose lease has expired has ended if '
    'it is to be cancelled or has no further attempt. Changes nothing.';
