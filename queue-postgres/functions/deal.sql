-- How the claims of a shared queue choose partitions.
--
-- The partition with the least load is served next: the number of its running jobs, times 1,000,000, divided by its weight. Of
-- several, the one with the least turn is served. The caller of these functions has locked the queue's row of `shares`.

create or replace function least_loaded(
    _queue_id integer, _max bigint, _now bigint, _without text[], _unadopted bigint, _lease_turn bigint
)
returns table (name text, running bigint, weight integer, room bigint, turn bigint)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_nestloop = off set enable_hashjoin = on set jit = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
begin
    -- No nested loop: with many running jobs, it would look up each of their partitions.
    return query
    with live as materialized (
        -- The order makes the plan begin at _lease_turn in leases_by_turn.
        select l.partition from leases l
        where l.queue_id = _queue_id and l.partition is not null and l.turn >= _lease_turn order by l.turn),
    busy as materialized (
        select b.partition, sum(b.n)::bigint as running from (
            select l.partition, count(*) as n from live l group by l.partition
            union all
            select '', _unadopted where _unadopted > 0) b
        group by b.partition),
    open as materialized (
        select p.name, coalesce(b.running, 0) as running, p.weight, p.turn,
            least(p.ready, p.max_running - coalesce(b.running, 0), _max,
                starts_available(_now, p.free_at, p.rate_interval, p.rate_burst)) as room
        from partitions p left join busy b on b.partition = p.name
        where p.queue_id = _queue_id and p.ready > 0 and not p.is_parked and p.name <> all (_without)
            and p.turn >= (select s.first_turn from shares s where s.queue_id = _queue_id))
    select o.name, o.running, o.weight, o.room, o.turn from open o
    where o.room > 0 order by o.running * 1000000 / o.weight, o.turn limit _max;
end $$;
comment on function least_loaded is
    'Returns the first _max partitions of a queue that may start a job, in the order in which they are served, with the number of '
    'their running jobs and of those that they may start. _unadopted: the number of leases without a partition. _lease_turn: the '
    'lowest turn of the other leases. Reads all open partitions and all leases of the queue.';

create or replace function deal(
    _queue_id integer, _max bigint, _now bigint, _without text[], _unadopted bigint, _lease_turn bigint,
    out names text[], out numbers integer[]
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _names text[];
    _running bigint[];
    _weights integer[];
    _rooms bigint[];
    _turns bigint[];
    _depth bigint;
    _is_cut boolean;
begin
    select array_agg(l.name), array_agg(l.running), array_agg(l.weight), array_agg(l.room), array_agg(l.turn)
    into _names, _running, _weights, _rooms, _turns
    from least_loaded(_queue_id, _max, _now, _without, _unadopted, _lease_turn) l;
    if _names is null then
        return;
    end if;
    -- Each partition stands in the order once for each job that it may start, with the load that it has then. Of equal loads, the
    -- one comes first whose last job of this deal came first. That one had the lower load before, or was not served in this deal.
    _depth := 2 * _max / cardinality(_names) + 1;
    loop
        select array_agg(e.name order by e.load, e.load_before, e.load_before_that, e.number, e.turn),
            array_agg(e.number order by e.load, e.load_before, e.load_before_that, e.number, e.turn),
            coalesce(bool_or(e.number = _depth and e.room > _depth), false)
        into names, numbers, _is_cut
        from (
            select c.name, n.number, c.room, c.turn, (c.running + n.number - 1) * 1000000 / c.weight as load,
                case when n.number > 1 then (c.running + n.number - 2) * 1000000 / c.weight else -1 end as load_before,
                case when n.number > 2 then (c.running + n.number - 3) * 1000000 / c.weight else -1 end as load_before_that
            from unnest(_names, _running, _weights, _rooms, _turns) c (name, running, weight, room, turn)
                cross join lateral generate_series(1, least(c.room, _depth)::integer) n (number)
            order by load, load_before, load_before_that, n.number, c.turn limit _max) e;
        exit when not _is_cut;
        _depth := _depth * 4;
    end loop;
end $$;
comment on function deal is
    'Returns which partitions of a queue start jobs at _now, at most _max: a name for each job, in order, and how many times it '
    'has been named up to there. Partitions in _without start none. _unadopted, _lease_turn: see least_loaded().';
