-- The shares of queues: how claims lock them, and how the changes of others are added to the partitions.
--
-- `claim` calls `lock_shares`, then `fold` and `take_shares` for each shared queue. Functions without settings run under the search path
-- and the planner's options of `claim`.
--
-- Locks: a claim of a plain queue holds the queue's advisory lock shared, and a change of the limits of a queue holds it
-- alone. So no claim that takes the queue for a plain one is under way once the queue has a limit, and each lease is counted.
-- Claims of a shared queue lock its row of `shares`. Advisory locks are taken before rows, and both in the order of queues.

create or replace function share_lock(_queue_id integer) returns bigint
language sql stable as $$ select hashtextextended('queue_postgres shares ' || current_schema(), _queue_id) $$;
comment on function share_lock is 'Returns the key of the advisory lock of a queue.';

create or replace function adopt(_queue_id integer) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
    insert into shares (queue_id) values (_queue_id) on conflict (queue_id) do nothing;
    -- This lock keeps claims from raising lease_turn above the turn of the leases below until these are committed.
    perform from shares where queue_id = _queue_id for update;
    update leases set partition = '', turn = (select s.turn from shares s where s.queue_id = _queue_id) where ctid = any (array(
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

create or replace function lock_shares(_queues text[], _seen integer[]) returns integer[]
language plpgsql as $$
declare
    _locked integer[];
    _are_adopted boolean;
    _id integer;
begin
    if (select count(*) from shares s where s.queue_id = any (_seen)) < cardinality(_seen) then
        foreach _id in array array(
            select q.id from queues q where q.id = any (_seen)
                and (select true from shares s where s.queue_id = q.id limit 1) is null
            order by q.id)
        loop
            -- Claims that take it for a plain queue end first.
            perform pg_advisory_xact_lock(share_lock(_id));
            if not exists (select from shares where queue_id = _id) then
                perform adopt(_id);
            end if;
        end loop;
    end if;
    select coalesce(array_agg(l.queue_id), '{}'), bool_and(l.is_adopted) into _locked, _are_adopted from (
        select s.queue_id, s.is_adopted from shares s
        where s.queue_id = any (array(select q.id from queues q where q.name = any (_queues)))
        order by s.queue_id for update) l;
    if not _are_adopted then
        foreach _id in array _locked loop
            if not (select is_adopted from shares where queue_id = _id) then
                perform adopt(_id);
            end if;
        end loop;
    end if;
    return _locked;
end $$;
comment on function lock_shares is
    'Locks the shares of the given queues for a claim, and returns the queues that have one. _seen: those of the queues that the caller '
    'has seen to be shared; it holds the advisory locks of the others. If one of these has become shared meanwhile and has no share '
    'yet, it is still a plain one for this claim, and its share is created after it.';

create or replace function fold(_queue_id integer, _now bigint) returns boolean
language plpgsql as $$
declare
    _turn bigint;
    _is_full boolean;
    _first_xid xid8;
    _next_xid xid8;
    _count bigint := 0;
    _opened bigint;
    _each record;
    _has_own boolean;
    _may_open boolean;
    _is_wrong boolean;
begin
    select turn, first_xid, read_at not between _now - 10000000 and _now
    into _turn, _first_xid, _is_full from shares where queue_id = _queue_id;
    if _is_full then
        -- In a schema that was restored on another server, new changes may have lower transaction ids than old ones.
        _first_xid := '0';
    end if;
    -- Read before the changes, so that the next statement sees all changes of transactions with lower ids.
    _next_xid := pg_snapshot_xmin(pg_current_snapshot());
    if exists (select from partition_changes where queue_id = _queue_id and xid >= _first_xid) then
        select * into _each from terms_of(_queue_id, 1, '');
        _has_own := exists (select from limits where queue_id = _queue_id and scope = 2);
        with gone as (
            delete from partition_changes where ctid = any (array(
                select ctid from partition_changes where queue_id = _queue_id and xid >= _first_xid
                order by xid, at, position limit 10000))
            returning *),
        ordered as materialized (
            select g.partition, g.ready, g.hold_until, g.at, g.priority, row_number() over (order by g.at, g.position) as place,
                sum(g.ready) over (partition by g.partition order by g.at, g.position) as sum
            from gone g),
        before as materialized (
            -- The limit counts if the partition is new.
            select n.name, p.ready, p.turn, p.free_at,
                -- If a new job can sort before the position, the next scan reads all entries, or the position is lowered.
                case when n.is_old then 0 else p.read_at end as read_at,
                case when c.is_lower then n.priority else p.from_priority end as from_priority,
                case when c.is_lower then n.at else p.from_run_at end as from_run_at,
                case when c.is_lower then 0 else p.from_seq end as from_seq,
                n.ready as change, n.hold, n.places, n.changes, n.sums,
                case when l.is_found then l.max_running else _each.max_running end as max_running,
                case when l.is_found then l.rate_interval else _each.rate_interval end as rate_interval,
                case when l.is_found then l.rate_burst else _each.rate_burst end as rate_burst,
                case when l.is_found then l.weight else _each.weight end as weight
            from (
                select o.partition as name, sum(o.ready) as ready, max(o.hold_until) as hold, array_agg(o.place order by o.place) as places,
                    array_agg(o.ready order by o.place) as changes, array_agg(o.sum order by o.place) as sums,
                    bool_or(o.ready > 0 and o.priority is null) as is_old, min(o.priority) filter (where o.ready > 0) as priority,
                    min(o.at) filter (where o.ready > 0) as at
                from ordered o group by o.partition) n
                left join lateral (
                    select * from partitions p where p.queue_id = _queue_id and p.name = n.name limit 1) p on true
                cross join lateral (
                    select (n.priority, n.at) <= (p.from_priority, p.from_run_at) as is_lower) c
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
                queue_id, name, ready, turn, free_at, is_parked, max_running, rate_interval, rate_burst, weight, read_at,
                from_priority, from_run_at, from_seq)
            select _queue_id, a.name, coalesce(a.ready, 0) + a.change, coalesce(_turn + a.turned, a.turn, 0), a.new_free_at,
                a.new_free_at > _now, a.max_running, a.rate_interval, a.rate_burst, a.weight,
                coalesce(a.read_at, 0), coalesce(a.from_priority, 0), coalesce(a.from_run_at, 0), coalesce(a.from_seq, 0)
            from after a
            on conflict (queue_id, name) do update set ready = excluded.ready, turn = excluded.turn, free_at = excluded.free_at,
                is_parked = excluded.is_parked, read_at = excluded.read_at, from_priority = excluded.from_priority,
                from_run_at = excluded.from_run_at, from_seq = excluded.from_seq
            returning turn, ready, is_parked)
        select (select count(*) from ordered), (select min(s.turn) from stored s where s.ready > 0 and not s.is_parked)
        into _count, _opened;
        update shares set turn = turn + _count, first_turn = least(first_turn, _opened),
            first_xid = case when _count < 10000 then _next_xid else _first_xid end,
            read_at = case when _is_full then _now else read_at end
        where queue_id = _queue_id;
    elsif _is_full then
        update shares set first_xid = _next_xid, read_at = _now where queue_id = _queue_id;
    end if;
    select exists (
            select from partitions p where p.queue_id = _queue_id and p.ready > 0 and p.is_parked and p.free_at <= _now),
        is_count_wrong(_queue_id, _now)
    into _may_open, _is_wrong;
    if _may_open then
        with opened as (
            update partitions p set is_parked = false
            where p.queue_id = _queue_id and p.ready > 0 and p.is_parked and p.free_at <= _now
            returning p.turn)
        update shares set first_turn = least(first_turn, (select min(o.turn) from opened o)) where queue_id = _queue_id;
    end if;
    if _is_wrong then
        perform count_again(_queue_id);
    end if;
    return _count >= 10000;
end $$;
comment on function fold is
    'Adds changes of a queue to its partitions, at most 10,000, and opens the partitions whose instants have come. Returns whether '
    'there may be more changes. The caller has locked the queue''s row of shares.';

create or replace function is_count_wrong(_queue_id integer, _now bigint) returns boolean
language plpgsql as $$
begin
    return exists (
        select from partitions p
        where p.queue_id = _queue_id and p.name = '' and p.ready <= 0
            and (select true from ready r where r.queue_id = p.queue_id and r.partition = '' and (r.priority, r.run_at, r.seq) >= (
                case when p.read_at between _now - 10000000 and _now then p.from_priority else -2147483648 end,
                case when p.read_at between _now - 10000000 and _now then p.from_run_at else -9223372036854775808 end, p.from_seq)
                limit 1));
end $$;
comment on function is_count_wrong is
    'Returns whether there are ready jobs that name no partition, although the count is zero: a push that began before the queue became '
    'shared has noted nothing.';

create or replace function count_again(_queue_id integer) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
    update shares set turn = turn + 1 where queue_id = _queue_id;
    update partitions p set turn = case when p.ready <= 0 then (select turn from shares where queue_id = _queue_id) else p.turn end,
        read_at = 0,
        ready = (select count(*) from ready r where r.queue_id = _queue_id and r.partition = '')
            - (select coalesce(sum(c.ready), 0) from partition_changes c where c.queue_id = _queue_id and c.partition = '')
    where p.queue_id = _queue_id and p.name = '';
end $$;
comment on function count_again is 'Counts the ready jobs of a queue that name no partition.';

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
