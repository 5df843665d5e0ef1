-- The state of each queue, at a cost that depends on a cap and not on the number of jobs.

create or replace function summary_of_leases(_now bigint, _limit bigint) returns table (
    queue_id integer, executing bigint, available bigint, discarded bigint, cancelled bigint, oldest_ready bigint
)
language plpgsql stable
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
begin
    return query
    with held as materialized (select * from leases l order by l.expires_at limit _limit),
    ended as materialized (
        select h.queue_id, j.run_at,
            case when h.cancel_reason is not null then 6 when h.attempt >= j.max_attempts then 5 else 1 end as state
        from held h join jobs j on j.seq = any (array[h.seq])
        where h.expires_at <= _now),
    found as (
        select h.queue_id, 2 as state, null::bigint as run_at from held h where h.expires_at > _now
        union all
        select e.queue_id, e.state, e.run_at from ended e)
    select f.queue_id, count(*) filter (where f.state = 2), count(*) filter (where f.state = 1),
        count(*) filter (where f.state = 5), count(*) filter (where f.state = 6), min(f.run_at) filter (where f.state = 1)
    from found f group by f.queue_id;
end $$;
comment on function summary_of_leases is
    'Returns for each queue the number of executing jobs, and of those whose lease has expired at _now by the state in which '
    'expire() will leave them, with the earliest run_at of those that will be ready. Reads at most _limit leases, those '
    'that expire first.';

-- The plan does not depend on statistics: of each table, only one index fits the conditions and the order, and it has all columns
-- that this function reads. `waiting` has a second index, by `due`, which fits no condition that compares rows beginning with
-- `state`. Such a comparison sets where a scan begins but not where it ends, so due jobs are counted from now backwards.
-- With `enable_indexscan = off`, an index-only scan would cost as much as a sequential scan.
create or replace function summary(_cap bigint) returns table (
    queue text, paused boolean, now bigint, oldest_ready bigint, next_due bigint, counts bigint[], is_cut boolean
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _now bigint := clock();
    _limit bigint := least(_cap, 9223372036854775806) + 1;
begin
    return query
    with held as materialized (select * from summary_of_leases(_now, _limit))
    select q.name, q.paused, _now, least(first.ready, case when first.due <= _now then first.due end, h.oldest_ready), first.next,
        array[
            n.scheduled, n.ready + n.due + coalesce(h.available, 0), coalesce(h.executing, 0), n.retryable,
            n.completed, n.discarded + coalesce(h.discarded, 0), n.cancelled + coalesce(h.cancelled, 0)],
        (select coalesce(sum(a.executing + a.available + a.discarded + a.cancelled), 0) from held a) > _cap
    from queues q
        left join held h on h.queue_id = q.id
        cross join lateral (
            select
                (select count(*) from (
                    select from waiting w where w.queue_id = q.id and (w.state, w.due) > (0, _now) and w.state <= 0
                    limit _limit) c) as scheduled,
                (select count(*) from (
                    select from waiting w where w.queue_id = q.id and (w.state, w.due) > (3, _now) and w.state <= 3
                    limit _limit) c) as retryable,
                (select count(*) from (
                    select from waiting w where w.queue_id = q.id and (w.state, w.due) <= (0, _now) and w.state >= 0
                    order by w.state desc, w.due desc limit _limit) c)
                + (select count(*) from (
                    select from waiting w where w.queue_id = q.id and (w.state, w.due) <= (3, _now) and w.state >= 3
                    order by w.state desc, w.due desc limit _limit) c) as due,
                (select count(*) from (select from ready r where r.queue_id = q.id limit _limit) c) as ready,
                (select count(*) from (
                    select from finished f where f.queue_id = q.id and f.state = 4 limit _limit) c) as completed,
                (select count(*) from (
                    select from finished f where f.queue_id = q.id and f.state = 5 limit _limit) c) as discarded,
                (select count(*) from (
                    select from finished f where f.queue_id = q.id and f.state = 6 limit _limit) c) as cancelled) n
        cross join lateral (
            select
                -- The first job of each priority in each partition.
                (with recursive p as (
                    (select r.partition, r.priority, r.run_at from ready r where r.queue_id = q.id
                    order by r.queue_id, r.partition, r.priority, r.run_at, r.seq limit 1)
                    union all
                    select following.partition, following.priority, following.run_at from p cross join lateral (
                        select r.partition, r.priority, r.run_at from ready r
                        where r.queue_id = q.id and (r.partition, r.priority) > (p.partition, p.priority)
                        order by r.queue_id, r.partition, r.priority, r.run_at, r.seq limit 1) following)
                select min(f.run_at) from (select p.run_at from p limit _cap) f) as ready,
                least(
                    (select w.due from waiting w where w.queue_id = q.id and w.state >= 0 and w.state <= 0
                    order by w.state, w.due limit 1),
                    (select w.due from waiting w where w.queue_id = q.id and w.state >= 3 and w.state <= 3
                    order by w.state, w.due limit 1)) as due,
                least(
                    (select w.due from waiting w where w.queue_id = q.id and (w.state, w.due) > (0, _now) and w.state <= 0
                    order by w.state, w.due limit 1),
                    (select w.due from waiting w where w.queue_id = q.id and (w.state, w.due) > (3, _now) and w.state <= 3
                    order by w.state, w.due limit 1)) as next) first
    order by q.name;
end $$;
comment on function summary is
    'Returns for each queue whether it is paused, the time, the earliest run_at of its ready jobs, the next due time, and the '
    'number of its jobs in each state, in the order of their numbers. A due job counts as ready, and an expired lease as '
    'ended. Reads at most one more than _cap jobs of each state, so a greater count is at least that. is_cut: more jobs than '
    '_cap execute in all queues together, so every count may be too low.';
