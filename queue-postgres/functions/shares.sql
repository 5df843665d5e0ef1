-- How the claims of a shared queue choose jobs.
--
-- `claim` calls `lock_shares`, then `fold` and `lease_shares` for each shared queue. The partition with the least load is served
-- next: the number of its running jobs, times 1,000,000, divided by its weight. Of several, the one with the least turn is served.
--
-- Locks: a claim of a plain queue holds the queue's advisory lock shared, and whoever changes the limits of a queue holds it
-- alone. So no claim that takes the queue for a plain one is under way once the queue has a limit, and each lease is counted.
-- Claims of a shared queue lock its row of `shares`. Advisory locks are taken before rows, and both in the order of queues.

create or replace function share_lock(_queue_id integer) returns bigint
language sql stable as $$ select hashtextextended('queue_postgres shares ' || current_schema(), _queue_id) $$;
comment on function share_lock is 'Returns the key of the advisory lock of a queue.';

create or replace function limit_in_force(_queue_id integer, _scope integer, _partition text) returns limits
language sql stable
set search_path from current as $$
    select l.* from limits l where l.queue_id = _queue_id and l.scope = _scope and l.partition = _partition
    order by l.is_set desc limit 1
$$;
comment on function limit_in_force is 'Returns the limit of a scope: the one that an operator has set, otherwise the declared one.';

create or replace function terms_of(
    _queue_id integer, _scope integer, _partition text, out is_found boolean, out max_running bigint, out rate_interval bigint,
    out rate_burst bigint, out weight integer
)
language plpgsql stable
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    _limit limits := limit_in_force(_queue_id, _scope, _partition);
begin
    is_found := _limit.queue_id is not null;
    max_running := _limit.running;
    if _limit.starts is not null then
        rate_burst := _limit.burst;
        rate_interval := greatest(
            (_limit.per_ns / 1000 + _limit.starts - _limit.burst) / (_limit.starts - _limit.burst + 1), 1);
    end if;
    weight := coalesce(_limit.weight, 1);
end $$;
comment on function terms_of is
    'Returns the limit in force of a scope, as the columns of shares and partitions have it, and whether there is one.';

create or replace function starts_available(_now bigint, _free_at bigint, _interval bigint, _burst bigint) returns bigint
language sql immutable as $$
    select case when _free_at > _now then 0 when _interval is null then 9223372036854775807
        else least(_burst, (_now - _free_at) / _interval + 1) end
$$;
comment on function starts_available is 'Returns how many jobs may start at _now by a rate. Without an interval, none is forbidden.';

create or replace function free_after(_now bigint, _free_at bigint, _interval bigint, _burst bigint, _started bigint) returns bigint
language sql immutable as $$
    select case when _interval is null or _started = 0 then _free_at
        else least(greatest(_free_at, _now - _interval::numeric * (_burst - 1)) + _interval::numeric * _started,
            9223372036854775807)::bigint end
$$;
comment on function free_after is 'Returns the state of a rate after _started jobs have started at _now.';

create or replace function adopt(_queue_id integer) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
    insert into shares (queue_id) values (_queue_id) on conflict (queue_id) do nothing;
    update leases set partition = '' where ctid = any (array(
        select ctid from leases where queue_id = _queue_id and partition is null for update skip locked));
    update shares set is_adopted = not exists (select from leases where queue_id = _queue_id and partition is null)
    where queue_id = _queue_id;
    -- What is in `partition_changes` is added later.
    insert into partitions (queue_id, name, ready)
    select _queue_id, '',
        (select count(*) from ready r where r.queue_id = _queue_id and r.partition = '')
            - (select coalesce(sum(c.ready), 0) from partition_changes c where c.queue_id = _queue_id and c.partition = '')
    on conflict (queue_id, name) do nothing;
end $$;
comment on function adopt is
    'Prepares the counting of a queue that has just become shared: creates its share, and the partition of the jobs that name none. '
    'The first caller holds the advisory lock of the queue. If a transaction has locked a lease, the next claim calls this again.';

create or replace function lock_shares(_queues text[], _is_plain boolean) returns integer[]
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _ids integer[] := array(select q.id from queues q where q.name = any (_queues) order by q.id);
    _new integer[] := array(
        select q.id from queues q where q.id = any (_ids) and q.is_shared
            and (select true from shares s where s.queue_id = q.id limit 1) is null
        order by q.id);
    _shared integer[];
    _id integer;
begin
    if not _is_plain then
        perform pg_advisory_xact_lock_shared(share_lock(q.id)) from (
            select q.id from queues q where q.id = any (_ids) and not q.is_shared order by q.id) q;
        foreach _id in array _new loop
            -- Claims that take it for a plain queue end first.
            perform pg_advisory_xact_lock(share_lock(_id));
            perform adopt(_id);
        end loop;
    end if;
    _shared := array(select s.queue_id from shares s where s.queue_id = any (_ids) order by s.queue_id for update);
    foreach _id in array _shared loop
        if not (select is_adopted from shares where queue_id = _id) then
            perform adopt(_id);
        end if;
    end loop;
    return _shared;
end $$;
comment on function lock_shares is
    'Locks the given queues for a claim, and returns the shared ones. _is_plain: whether the caller holds the advisory locks because no '
    'queue was shared just now. Then a queue without a share is still a plain one for this claim: its share is created once this '
    'claim ends.';

create or replace function fold(_queue_id integer, _now bigint) returns boolean
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _turn bigint;
    _count bigint := 0;
    _each record;
    _has_own boolean;
begin
    if exists (select from partition_changes where queue_id = _queue_id) then
        select turn into _turn from shares where queue_id = _queue_id;
        select * into _each from terms_of(_queue_id, 1, '');
        _has_own := exists (select from limits where queue_id = _queue_id and scope = 2);
        with gone as (
            delete from partition_changes where ctid = any (array(
                select ctid from partition_changes where queue_id = _queue_id order by at, position limit 10000))
            returning *),
        ordered as materialized (
            select g.partition, g.ready, g.hold_until, row_number() over (order by g.at, g.position) as place,
                sum(g.ready) over (partition by g.partition order by g.at, g.position) as sum
            from gone g),
        before as materialized (
            -- The limit counts if the partition is new.
            select n.name, p.ready, p.turn, p.free_at, n.ready as change, n.hold, n.places, n.changes, n.sums,
                case when l.is_found then l.max_running else _each.max_running end as max_running,
                case when l.is_found then l.rate_interval else _each.rate_interval end as rate_interval,
                case when l.is_found then l.rate_burst else _each.rate_burst end as rate_burst,
                case when l.is_found then l.weight else _each.weight end as weight
            from (
                select o.partition as name, sum(o.ready) as ready, max(o.hold_until) as hold, array_agg(o.place order by o.place) as places,
                    array_agg(o.ready order by o.place) as changes, array_agg(o.sum order by o.place) as sums
                from ordered o group by o.partition) n
                left join lateral (
                    select * from partitions p where p.queue_id = _queue_id and p.name = n.name limit 1) p on true
                left join lateral (
                    select * from terms_of(_queue_id, 2, n.name) where _has_own and p.name is null) l on true),
        after as (
            select b.*, (
                    -- The last time at which the partition came to have a ready job.
                    select max(u.place) from unnest(b.places, b.changes, b.sums) u (place, change, sum)
                    where coalesce(b.ready, 0) + u.sum > 0 and coalesce(b.ready, 0) + u.sum - u.change <= 0) as turned,
                greatest(b.free_at, b.hold, 0) as new_free_at
            from before b),
        stored as (
            insert into partitions (
                queue_id, name, ready, turn, free_at, is_parked, max_running, rate_interval, rate_burst, weight)
            select _queue_id, a.name, coalesce(a.ready, 0) + a.change, coalesce(_turn + a.turned, a.turn, 0), a.new_free_at,
                a.new_free_at > _now, a.max_running, a.rate_interval, a.rate_burst, a.weight
            from after a
            on conflict (queue_id, name) do update set ready = excluded.ready, turn = excluded.turn, free_at = excluded.free_at,
                is_parked = excluded.is_parked)
        select count(*) into _count from ordered;
        update shares set turn = turn + _count where queue_id = _queue_id;
    end if;
    if exists (
        select from partitions p where p.queue_id = _queue_id and p.ready > 0 and p.is_parked and p.free_at <= _now)
    then
        update partitions p set is_parked = false
        where p.queue_id = _queue_id and p.ready > 0 and p.is_parked and p.free_at <= _now;
    end if;
    -- A push that began before the queue became shared has noted nothing.
    if exists (select from partitions p where p.queue_id = _queue_id and p.name = '' and p.ready <= 0)
        and exists (select from ready r where r.queue_id = _queue_id and r.partition = '')
    then
        perform count_again(_queue_id);
    end if;
    return _count >= 10000;
end $$;
comment on function fold is
    'Adds changes of a queue to its partitions, at most 10,000, and opens the partitions whose instants have come. Returns whether '
    'there may be more changes. The caller has locked the queue''s row of shares.';

create or replace function count_again(_queue_id integer) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
    update shares set turn = turn + 1 where queue_id = _queue_id;
    update partitions p set turn = case when p.ready <= 0 then (select turn from shares where queue_id = _queue_id) else p.turn end,
        ready = (select count(*) from ready r where r.queue_id = _queue_id and r.partition = '')
            - (select coalesce(sum(c.ready), 0) from partition_changes c where c.queue_id = _queue_id and c.partition = '')
    where p.queue_id = _queue_id and p.name = '';
end $$;
comment on function count_again is 'Counts the ready jobs of a queue that name no partition.';

create or replace function deal(
    _queue_id integer, _max bigint, _now bigint, _without text[], out names text[], out numbers integer[]
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _share shares;
    _unadopted bigint := 0;
    _names text[];
    _running bigint[];
    _weights integer[];
    _rooms bigint[];
    _turns bigint[];
    _depth bigint;
    _is_cut boolean;
begin
    select * into _share from shares where queue_id = _queue_id;
    if not _share.is_adopted then
        _unadopted := (select count(*) from leases where queue_id = _queue_id and partition is null);
    end if;
    _max := least(_max, starts_available(_now, _share.free_at, _share.rate_interval, _share.rate_burst));
    if _share.max_running is not null and _max > 0 then
        _max := least(_max, _share.max_running - _unadopted
            - (select count(*) from leases where queue_id = _queue_id and partition is not null));
    end if;
    if _max <= 0 then
        return;
    end if;
    -- Partitions without running jobs have the least load: mostly, there are enough of them.
    with idle as materialized (
        select p.* from partitions p
        where p.queue_id = _queue_id and p.ready > 0 and not p.is_parked and p.max_running is distinct from 0
            and p.name <> all (_without) and (p.name <> '' or _unadopted = 0)
            and (select true from leases l where l.queue_id = _queue_id and l.partition = p.name limit 1) is null
        order by p.turn limit _max)
    select array_agg(i.name order by i.turn), array_agg(0), array_agg(i.weight order by i.turn),
        array_agg(least(i.ready, i.max_running, _max, starts_available(_now, i.free_at, i.rate_interval, i.rate_burst))
            order by i.turn),
        array_agg(i.turn order by i.turn)
    into _names, _running, _weights, _rooms, _turns from idle i;
    if coalesce(cardinality(_names), 0) < _max then
        with busy as materialized (
            select name, sum(n)::bigint as running from (
                select l.partition as name, count(*) as n from leases l
                where l.queue_id = _queue_id and l.partition is not null group by l.partition
                union all
                select '', _unadopted where _unadopted > 0) b
            group by name),
        found as materialized (
            select p.name, b.running, p.weight, p.turn,
                least(p.ready, p.max_running - b.running, _max,
                    starts_available(_now, p.free_at, p.rate_interval, p.rate_burst)) as room
            from busy b cross join lateral (
                select * from partitions p
                where p.queue_id = _queue_id and p.name = b.name and p.ready > 0 and not p.is_parked and p.name <> all (_without)
                limit 1) p)
        select _names || array_agg(name), _running || array_agg(running), _weights || array_agg(weight),
            _rooms || array_agg(room), _turns || array_agg(turn)
        into _names, _running, _weights, _rooms, _turns from found where room > 0;
    end if;
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
    'has been named up to there. Partitions in _without start none.';

create or replace function take_ready(
    _queue_id integer, _now bigint, _names text[], _numbers integer[], out seqs bigint[], out short text[]
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _taken_names text[];
    _counts bigint[];
    _last bigint[];
begin
    with wanted as materialized (
        select e.name, count(*) as n, array_agg(e.o order by e.number) as places
        from unnest(_names, _numbers) with ordinality e (name, number, o) group by e.name),
    found as materialized (
        select w.name, w.n, w.places, r.* from wanted w left join lateral (
            select r.ctid as id, r.priority, r.run_at, r.seq from ready r
            where r.queue_id = _queue_id and r.partition = w.name
            order by r.priority, r.run_at, r.seq limit w.n for update skip locked) r on true),
    placed as materialized (
        select f.name, f.n, f.seq, f.places[row_number() over (partition by f.name order by f.priority, f.run_at, f.seq)] as place
        from found f),
    gone as (delete from ready where ctid = any (array(select id from found))),
    taken as materialized (
        select p.name, p.n as wanted, count(p.seq) as n, max(p.place) filter (where p.seq is not null) as last
        from placed p group by p.name, p.n)
    select (select array_agg(p.seq order by p.place) from placed p where p.seq is not null),
        array_agg(t.name) filter (where t.n < t.wanted),
        array_agg(t.name order by t.last) filter (where t.n > 0), array_agg(t.n order by t.last) filter (where t.n > 0),
        array_agg(t.last order by t.last) filter (where t.n > 0)
    into seqs, short, _taken_names, _counts, _last from taken t;
    if seqs is null then
        return;
    end if;
    update partitions p set ready = p.ready - u.n, turn = s.turn + u.last, free_at = f.free_at, is_parked = f.free_at > _now
    from unnest(_taken_names, _counts, _last) u (name, n, last)
        cross join (select turn from shares where queue_id = _queue_id) s
        join lateral (
            select free_after(_now, o.free_at, o.rate_interval, o.rate_burst, u.n) as free_at
            from partitions o where o.queue_id = _queue_id and o.name = u.name limit 1) f on true
    where p.queue_id = _queue_id and p.name = any (array[u.name]);
    update shares set turn = turn + cardinality(_names),
        free_at = free_after(_now, free_at, rate_interval, rate_burst, cardinality(seqs))
    where queue_id = _queue_id;
end $$;
comment on function take_ready is
    'Deletes from ready the first jobs of these partitions, as deal() returns them, and counts their starts. Returns the jobs in order, '
    'and the partitions that have fewer jobs which no other transaction has locked.';

create or replace function take_shares(_queue_id integer, _max integer, _now bigint) returns bigint[]
language plpgsql
set search_path from current set jit = off as $$
declare
    _seqs bigint[] := '{}';
    _without text[] := '{}';
    _names text[];
    _numbers integer[];
    _more bigint[];
    _short text[];
begin
    loop
        select names, numbers into _names, _numbers from deal(_queue_id, _max - cardinality(_seqs), _now, _without);
        _short := null;
        if _names is not null then
            select seqs, short into _more, _short from take_ready(_queue_id, _now, _names, _numbers);
            _seqs := _seqs || coalesce(_more, '{}');
            if '' = any (_short) then
                perform count_again(_queue_id);
            end if;
            _without := _without || coalesce(_short, '{}');
        end if;
        exit when cardinality(_seqs) >= _max;
        continue when _short is not null;
        -- Only if all changes are known, there is nothing more to start.
        exit when not fold(_queue_id, _now);
    end loop;
    return _seqs;
end $$;
comment on function take_shares is
    'Takes at most _max jobs of a shared queue, which the caller leases to a worker, and returns them in order.';

create or replace function next_start(_queue_id integer, _now bigint) returns bigint
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
begin
    return coalesce(
        (select s.free_at from shares s where s.queue_id = _queue_id and s.free_at > _now
            and exists (select from partitions p where p.queue_id = _queue_id and p.ready > 0)),
        (select p.free_at from partitions p where p.queue_id = _queue_id and p.ready > 0 and p.is_parked and p.free_at > _now
            order by p.free_at limit 1));
end $$;
comment on function next_start is
    'Returns the next time at which a rate or the end of a hold may let a job of a queue start; null if no job waits for that.';

create or replace function forget_partitions(_now bigint) returns void
language plpgsql
set search_path from current set jit = off as $$
declare
    _ids integer[] := array(select queue_id from shares order by queue_id for update skip locked);
begin
    delete from partitions p
    where p.queue_id = any (_ids) and p.name <> '' and p.ready = 0
        and p.free_at + coalesce(p.rate_interval::numeric * (p.rate_burst - 1), 0) <= _now;
end $$;
comment on function forget_partitions is
    'Deletes the rows of partitions without ready jobs of which nothing has to be remembered. Leaves queues that a claim has locked.';
