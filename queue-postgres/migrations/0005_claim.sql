-- How jobs are leased, and leases renewed.

-- Leases ready jobs to those who ask, first come, first served; each has rows of queues in the order in which it names
-- them, and takes up to its room. Unless it may wait, it leases nothing while another is making jobs ready: the next trip,
-- which holds nothing, waits for that, and so sees them all in their order.
create function claim(
    _claims integer[], _queues text[], _rooms integer[], _lengths bigint[], _waits boolean
) returns table (
    claim integer, place integer, id uuid, fence bigint, attempt bigint, max_attempts bigint, priority integer,
    pushed_at bigint, run_at bigint, expires_at bigint, name text, payload text, meta text
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
#variable_conflict use_column
declare
    _now bigint := clock();
    asked record;
    room integer;
    current integer := -1;
    got bigint;
begin
    if not advance(_now, _waits) then
        return;
    end if;
    for asked in
        select a.claim, l.line, a.room, a.length, (a.o - 1)::integer as place
        from unnest(_claims, _queues, _rooms, _lengths) with ordinality a (claim, queue, room, length, o)
            join lines l on l.name = a.queue and not l.paused
        order by a.o
    loop
        if asked.claim <> current then
            current := asked.claim;
            room := asked.room;
        end if;
        continue when room = 0;
        return query
        with picked as (
            delete from ready where ctid = any (array(
                select ctid from ready r where r.line = asked.line
                order by r.priority, r.run_at, r.seq limit room for update skip locked))
            returning seq),
        found as materialized (
            select j.* from picked p join jobs j on j.seq = p.seq),
        leased as (
            insert into leases (id, expires_at, seq, fence, attempt, claimed_at, line)
            select f.id, _now + least(asked.length, 9223372036854775807 - _now), f.seq, f.fence + 1, f.attempt + 1, _now,
                f.line
            from found f)
        select asked.claim, asked.place, f.id, f.fence + 1, f.attempt + 1, f.max_attempts, f.priority, f.pushed_at,
            f.run_at, _now + least(asked.length, 9223372036854775807 - _now), f.name, f.payload, f.meta
        from found f order by f.priority, f.run_at, f.seq;
        get diagnostics got = row_count;
        room := room - got;
    end loop;
end $$;

-- Extends leases that hold, each by its own length from now.
create function renew(_ids uuid[], _fences bigint[], _lengths bigint[])
returns table (place integer, expires_at bigint, cancel_reason text)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
#variable_conflict use_column
declare
    _now bigint := clock();
begin
    return query
    update leases e set expires_at = _now + least(r.length, 9223372036854775807 - _now)
    from unnest(_ids, _fences, _lengths) with ordinality r (id, fence, length, o)
    where e.id = r.id and e.fence = r.fence and e.expires_at > _now
    returning (r.o - 1)::integer, e.expires_at, e.cancel_reason;
end $$;
