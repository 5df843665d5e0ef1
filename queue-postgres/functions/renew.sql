-- How leases are extended.

create or replace function renew(
    _ids uuid[], _fences bigint[], _lease_lengths bigint[], _progress smallint[], _progress_notes text[]
)
returns table (idx integer, expires_at bigint, cancel_reason text)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    _now bigint := clock();
begin
    return query
    with asked as (
        select r.id, r.fence, r.length, r.progress, r.note, (o - 1)::integer as idx
        from unnest(_ids, _fences, _lease_lengths, _progress, _progress_notes) with ordinality
            r (id, fence, length, progress, note, o)),
    free as materialized (
        select a.* from asked a join leases l on l.id = any (array[a.id]) where l.fence = a.fence for update of l skip locked),
    renewed as (
        update leases l set expires_at = _now + least(f.length, 9223372036854775807 - _now),
            progress = coalesce(f.progress, l.progress),
            progress_note = case when f.progress is null then l.progress_note else f.note end
        from free f where l.id = any (array[f.id]) and l.fence = f.fence and l.expires_at + 0 > _now
        returning f.idx, l.expires_at, l.cancel_reason)
    -- The first row of each lease counts: 1 renewed, 2 expired (it was free, but not renewed), 3 locked.
    select first.idx, first.expires_at, first.cancel_reason from (
        select distinct on (all_of.idx) all_of.* from (
            select r.idx, r.expires_at, r.cancel_reason, 1 as rank from renewed r
            union all
            select f.idx, null, null, 2 from free f
            union all
            select a.idx, l.expires_at, l.cancel_reason, 3
            from asked a join leases l on l.id = any (array[a.id]) and l.fence = a.fence) all_of
        order by all_of.idx, all_of.rank) first
    where first.expires_at is not null;
end $$;
comment on function renew is
    'Extends leases that have not expired, each to its length in microseconds from now, and stores the progress of their '
    'jobs, in percent and in words, if it is not null. Both arrays are null if no heartbeat has progress. Returns a row for each '
    'lease that the caller still holds, with its index from 0. A lease that another transaction has locked is returned unchanged: no '
    'claim can take the job before that transaction ends.';
