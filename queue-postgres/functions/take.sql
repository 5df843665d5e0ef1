-- How the claims of a shared queue take jobs.
--
-- `claim` calls `take_shares` until there is nothing more to take, and leases the jobs of each call before the next one. Mostly, one
-- statement chooses, takes and counts them: `take_sole` if only one partition may start jobs, `take_idle` if enough of them have no
-- running job.
-- Otherwise `deal` chooses and `take_ready` takes. The caller of these functions has locked the queue's row of `shares`.
--
-- No lease with a partition has a lower turn than `_lease_turn`. Conditions on the leases of a partition p have the form
-- `partition <= p and (partition, turn) >= (p, _lease_turn)`: a scan of `leases_by_partition` begins at that position.
-- With `partition = p`, it would begin at the first entry of the partition.
--
-- These functions run under the search path and the planner's options of `claim`. A function that sets them itself takes 10 µs longer.

create or replace function take_idle(
    _queue_id integer, _turn bigint, _first_turn bigint, _max bigint, _now bigint, _without text[], _unadopted bigint,
    _lease_turn bigint, out seqs bigint[], out short text[], out unread text[]
)
language plpgsql as $$
begin
    with idle as materialized (
        select p.ctid as id, p.name, row_number() over (order by p.turn) as place,
            p.read_at not between _now - 10000000 and _now as is_full, p.from_priority, p.from_run_at, p.from_seq
        from partitions p
        where p.queue_id = _queue_id and p.ready > 0 and not p.is_parked and p.turn >= _first_turn
            and p.max_running is distinct from 0 and p.name <> all (_without) and (p.name <> '' or _unadopted = 0)
            and (select true from leases l
                where l.queue_id = _queue_id and l.partition <= p.name and (l.partition, l.turn) >= (p.name, _lease_turn)
                limit 1) is null
        order by p.turn limit _max),
    heads as materialized (
        select i.id, i.name, i.place, i.is_full, r.* from idle i left join lateral (
            select r.ctid as row_id, r.priority, r.run_at, r.seq from ready r
            where r.queue_id = _queue_id and r.partition = i.name and (r.priority, r.run_at, r.seq) >= (
                case when i.is_full then -2147483648 else i.from_priority end,
                case when i.is_full then -9223372036854775808 else i.from_run_at end, i.from_seq)
            order by r.priority, r.run_at, r.seq limit 1 for update skip locked) r on true
        where (select count(*) from idle) = _max),
    gone as (
        delete from ready where ctid = any (array(select h.row_id from heads h))),
    served as (
        update partitions p set ready = p.ready - 1, turn = _turn + h.place,
            free_at = free_after(_now, p.free_at, p.rate_interval, p.rate_burst, 1),
            is_parked = free_after(_now, p.free_at, p.rate_interval, p.rate_burst, 1) > _now,
            read_at = case when h.is_full then _now else p.read_at end,
            from_priority = h.priority, from_run_at = h.run_at, from_seq = h.seq
        from heads h where p.ctid = h.id and h.seq is not null),
    counted as (
        update shares s set turn = s.turn + _max, lease_turn = _lease_turn,
            free_at = free_after(_now, s.free_at, s.rate_interval, s.rate_burst, h.n)
        from (select count(h.seq) as n from heads h) h
        where s.queue_id = _queue_id and h.n > 0)
    select array_agg(h.seq order by h.place) filter (where h.seq is not null),
        array_agg(h.name order by h.place) filter (where h.seq is null and h.is_full),
        array_agg(h.name order by h.place) filter (where h.seq is null and not h.is_full)
    into seqs, short, unread from heads h;
end $$;
comment on function take_idle is
    'Takes one job from each of the _max partitions without running jobs that have the least turns. Takes nothing if there are fewer. A '
    'second job of a partition would have a greater load. Returns the same as take_ready(). _without, _unadopted, '
    '_lease_turn: see deal().';

create or replace function take_ready(
    _queue_id integer, _now bigint, _names text[], _numbers integer[], _lease_turn bigint, out seqs bigint[],
    out short text[], out unread text[]
)
language plpgsql as $$
begin
    -- By row ids: a plan that was made for few partitions could read all of them.
    with wanted as materialized (
        select e.name, count(*) as n, array_agg(e.o order by e.number) as places
        from unnest(_names, _numbers) with ordinality e (name, number, o) group by e.name),
    known as materialized (
        select w.name, w.n, w.places, p.* from wanted w cross join lateral (
            select p.ctid as id, p.read_at not between _now - 10000000 and _now as is_full, p.from_priority, p.from_run_at, p.from_seq
            from partitions p where p.queue_id = _queue_id and p.name = w.name limit 1) p),
    found as materialized (
        select k.id, k.name, k.n, k.places, k.is_full, r.* from known k left join lateral (
            select r.ctid as row_id, r.priority, r.run_at, r.seq from ready r
            where r.queue_id = _queue_id and r.partition = k.name and (r.priority, r.run_at, r.seq) >= (
                case when k.is_full then -2147483648 else k.from_priority end,
                case when k.is_full then -9223372036854775808 else k.from_run_at end, k.from_seq)
            order by r.priority, r.run_at, r.seq limit k.n for update skip locked) r on true),
    placed as materialized (
        select f.*, f.places[row_number() over (partition by f.name order by f.priority, f.run_at, f.seq)] as place
        from found f),
    gone as (delete from ready where ctid = any (array(select f.row_id from found f))),
    taken as materialized (
        -- No remaining job sorts before the least values, apart from locked ones.
        select p.id, p.name, p.n as wanted, p.is_full, count(p.seq) as n, max(p.place) filter (where p.seq is not null) as last,
            min(p.priority) as priority, min(p.run_at) as run_at, min(p.seq) as seq
        from placed p group by p.id, p.name, p.n, p.is_full),
    served as (
        update partitions p set ready = p.ready - t.n, turn = s.turn + t.last,
            free_at = free_after(_now, p.free_at, p.rate_interval, p.rate_burst, t.n),
            is_parked = free_after(_now, p.free_at, p.rate_interval, p.rate_burst, t.n) > _now,
            read_at = case when t.is_full then _now else p.read_at end,
            from_priority = t.priority, from_run_at = t.run_at, from_seq = t.seq
        from taken t cross join (select s.turn from shares s where s.queue_id = _queue_id) s
        where p.ctid = t.id and t.n > 0),
    counted as (
        update shares s set turn = s.turn + cardinality(_names), lease_turn = _lease_turn,
            free_at = free_after(_now, s.free_at, s.rate_interval, s.rate_burst, t.n)
        from (select sum(t.n)::bigint as n from taken t) t
        where s.queue_id = _queue_id and t.n > 0)
    select (select array_agg(p.seq order by p.place) from placed p where p.seq is not null),
        array_agg(t.name) filter (where t.n < t.wanted and t.is_full),
        array_agg(t.name) filter (where t.n < t.wanted and not t.is_full)
    into seqs, short, unread from taken t;
end $$;
comment on function take_ready is
    'Deletes from ready the first jobs of these partitions, as deal() returns them, and counts their starts. Returns the jobs in order, '
    'and the partitions in which fewer unlocked jobs were found than wanted: short if all entries of the partition were read, otherwise '
    'unread.';

create or replace function take_sole(
    _queue_id integer, _name text, _max bigint, _now bigint, _unadopted bigint, _lease_turn bigint, out seqs bigint[], out short text[],
    out unread text[]
)
language plpgsql as $$
declare
    _wanted bigint;
    _is_full boolean;
begin
    with sole as materialized (
        select p.ctid as id, p.read_at not between _now - 10000000 and _now as is_full, p.from_priority, p.from_run_at, p.from_seq,
            least(p.ready, _max, starts_available(_now, p.free_at, p.rate_interval, p.rate_burst),
                case when p.max_running is not null then p.max_running - (
                    select count(*) from leases l
                    where l.queue_id = _queue_id and l.partition <= p.name and (l.partition, l.turn) >= (p.name, _lease_turn))
                    - case when p.name = '' then _unadopted else 0 end end) as room
        from partitions p where p.queue_id = _queue_id and p.name = _name),
    found as materialized (
        select r.ctid as id, r.priority, r.run_at, r.seq from ready r
        where r.queue_id = _queue_id and r.partition = _name and (r.priority, r.run_at, r.seq) >= (
            (select case when s.is_full then -2147483648 else s.from_priority end from sole s),
            (select case when s.is_full then -9223372036854775808 else s.from_run_at end from sole s),
            (select s.from_seq from sole s))
        order by r.priority, r.run_at, r.seq limit (select greatest(s.room, 0) from sole s) for update skip locked),
    gone as (
        delete from ready where ctid = any (array(select f.id from found f))),
    served as (
        update partitions p set ready = p.ready - f.n, turn = h.turn + f.n,
            free_at = free_after(_now, p.free_at, p.rate_interval, p.rate_burst, f.n),
            is_parked = free_after(_now, p.free_at, p.rate_interval, p.rate_burst, f.n) > _now,
            read_at = case when s.is_full then _now else p.read_at end,
            from_priority = f.priority, from_run_at = f.run_at, from_seq = f.seq
        from sole s,
            -- No remaining job sorts before the least values, apart from locked ones.
            (select count(*) as n, min(f.priority) as priority, min(f.run_at) as run_at, min(f.seq) as seq from found f) f,
            (select h.turn from shares h where h.queue_id = _queue_id) h
        where p.ctid = s.id and f.n > 0),
    counted as (
        update shares h set turn = h.turn + f.n, lease_turn = _lease_turn,
            free_at = free_after(_now, h.free_at, h.rate_interval, h.rate_burst, f.n)
        from (select count(*) as n from found) f
        where h.queue_id = _queue_id and f.n > 0)
    select array_agg(f.seq order by f.priority, f.run_at, f.seq), (select s.room from sole s), (select s.is_full from sole s)
    into seqs, _wanted, _is_full from found f;
    if coalesce(cardinality(seqs), 0) >= _wanted then
        return;
    elsif _is_full then
        short := array[_name];
    else
        unread := array[_name];
    end if;
end $$;
comment on function take_sole is
    'Takes at most _max jobs of the only partition of a queue that may start jobs. Returns the same as take_ready(). _unadopted: see '
    'least_loaded().';

create or replace function take_shares(
    _queue_id integer, _max integer, _now bigint, _without text[], out seqs bigint[], out short text[],
    out is_over boolean
)
language plpgsql as $$
declare
    _share record;
    _unadopted bigint := 0;
    _room bigint;
    _names text[];
    _numbers integer[];
    _unread text[];
begin
    loop
        _unread := null;
        select s.*, o.names as open, o.first_turn as open_turn, coalesce((
                select l.turn from leases l
                where l.queue_id = s.queue_id and l.partition is not null and l.turn >= s.lease_turn
                order by l.turn limit 1), s.turn) as least_lease_turn
        into _share
        from shares s cross join lateral (
            select array_agg(l.name) as names, min(l.turn) as first_turn from (
                select p.name, p.turn from partitions p
                where p.queue_id = s.queue_id and p.ready > 0 and not p.is_parked and p.turn >= s.first_turn
                    and p.name <> all (_without)
                order by p.turn limit 2) l) o
        where s.queue_id = _queue_id;
        if _share.least_lease_turn > _share.lease_turn + 100 then
            update shares set lease_turn = _share.least_lease_turn where queue_id = _queue_id;
        end if;
        if not _share.is_adopted then
            _unadopted := (select count(*) from leases where queue_id = _queue_id and partition is null);
        end if;
        _room := least(_max, starts_available(_now, _share.free_at, _share.rate_interval, _share.rate_burst));
        if _share.max_running is not null and _room > 0 then
            _room := least(_room, _share.max_running - _unadopted
                - (select count(*) from (
                    select from leases
                    where queue_id = _queue_id and partition is not null and turn >= _share.least_lease_turn order by turn) l));
        end if;
        is_over := _room <= 0;
        exit when is_over;
        -- Each partition that is served leaves a dead entry behind in the index. Scans start after most of them.
        if _without = '{}' and coalesce(_share.open_turn, _share.turn) > _share.first_turn + 100 then
            update shares set first_turn = coalesce(_share.open_turn, turn) where queue_id = _queue_id;
        end if;
        if cardinality(_share.open) = 1 then
            select t.seqs, t.short, t.unread into seqs, short, _unread from take_sole(
                _queue_id, _share.open[1], _room, _now, _unadopted, _share.least_lease_turn) t;
        elsif cardinality(_share.open) > 1 then
            select t.seqs, t.short, t.unread into seqs, short, _unread from take_idle(
                _queue_id, _share.turn, _share.first_turn, _room, _now, _without, _unadopted, _share.least_lease_turn) t;
            if seqs is null and short is null and _unread is null then
                select d.names, d.numbers into _names, _numbers from deal(
                    _queue_id, _room, _now, _without, _unadopted, _share.least_lease_turn) d;
                if _names is not null then
                    select t.seqs, t.short, t.unread into seqs, short, _unread from take_ready(
                        _queue_id, _now, _names, _numbers, _share.least_lease_turn) t;
                end if;
            end if;
        end if;
        if _unread is not null then
            -- A job that was locked earlier may sort before the position. By row ids, as in take_ready().
            update partitions set read_at = 0 where ctid = any (array(
                select p.id from unnest(_unread) u (name) cross join lateral (
                    select p.ctid as id from partitions p where p.queue_id = _queue_id and p.name = u.name limit 1) p));
        end if;
        if '' = any (short) then
            perform count_again(_queue_id);
        end if;
        -- While changes are left, there may be more jobs to start.
        is_over := short is null and _unread is null and coalesce(cardinality(seqs), 0) < _max and not fold(_queue_id, _now);
        exit when is_over or seqs is not null or short is not null;
    end loop;
end $$;
comment on function take_shares is
    'Takes at most _max jobs of a shared queue, from partitions other than _without, and returns them in order; null for none. The '
    'caller leases them before the next call, so that they count as running. Also returns the partitions in which it found fewer unlocked '
    'jobs than it wanted although it read all entries, which the next call leaves out, and whether there is nothing more to take.';

create or replace function next_start(_queue_ids integer[], _now bigint) returns bigint
language plpgsql as $$
begin
    -- Each condition on partitions is that of an index, so none reads the partitions without ready jobs.
    return (
        select min(case
            when s.free_at <= _now then (
                select p.free_at from partitions p
                where p.queue_id = s.queue_id and p.ready > 0 and p.is_parked and p.free_at > _now
                order by p.free_at limit 1)
            when exists (
                    select from partitions p
                    where p.queue_id = s.queue_id and p.ready > 0 and not p.is_parked and p.turn >= s.first_turn)
                or exists (select from partitions p where p.queue_id = s.queue_id and p.ready > 0 and p.is_parked)
            then s.free_at end)
        from shares s join queues q on q.id = s.queue_id
        where s.queue_id = any (_queue_ids) and not q.paused);
end $$;
comment on function next_start is
    'Returns the next time at which a rate or the end of a hold may let a job of these queues start, if they are not paused; null if no '
    'job waits for that.';
