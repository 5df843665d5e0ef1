-- How jobs are leased, and leases renewed.

-- Leases ready jobs to those who ask, first come, first served; each has rows of queues in the order in which it names
-- them, and takes up to its room. Each row but the last is a leased job, with the number of who asked and of the row.
--
-- The last row returns the time, the earliest due time and lease expiry (`due`, `expiry`), and the earliest after now
-- (`next_due`, `next_expiry`): they differ while another transaction has locked what is due. `scan_us` are microseconds: how
-- long it took to look for these, and then for jobs, by row; below zero where there was no room left. `discarded` are the jobs whose leases expired on their last attempts. Where many have come and gone of late, it takes long to walk past them
-- to the first that is there; whoever knows a place before which there is nothing may begin there: in a queue's order, by
-- priority, instant and number, and in time, for what is due and for what expires. Null begins at the beginning.
create function claim(
    _claims integer[], _queues text[], _rooms integer[], _lengths bigint[], _priorities integer[], _instants bigint[],
    _seqs bigint[], _due bigint, _expiry bigint
) returns table (
    claim integer, idx integer, id uuid, fence bigint, attempt bigint, max_attempts bigint, priority integer,
    pushed_at bigint, run_at bigint, seq bigint, expires_at bigint, name text, payload text, meta text,
    now bigint, due bigint, expiry bigint, next_due bigint, next_expiry bigint, scan_us bigint[],
    discarded text[]
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    _now bigint := clock();
    began bigint;
    asked record;
    room integer;
    current integer := -1;
    got bigint;
    _row_ids tid[];
    _next record;
    _discarded text[];
begin
    scan_us := array_fill(0, array[cardinality(_claims)]);
    _due := coalesce(_due, -9223372036854775808);
    _expiry := coalesce(_expiry, -9223372036854775808);
    _discarded := promote_and_expire(_now, _due, _expiry);
    for asked in
        select a.claim, q.id as queue_id, a.room, a.length, (a.o - 1)::integer as idx,
            coalesce(a.priority, -2147483648) as priority, coalesce(a.instant, -9223372036854775808) as instant, coalesce(a.seq, 0) as seq
        from unnest(_claims, _queues, _rooms, _lengths, _priorities, _instants, _seqs) with ordinality
                a (claim, queue, room, length, priority, instant, seq, o)
            join queues q on q.name = a.queue and not q.paused
        order by a.o
    loop
        if asked.claim <> current then
            current := asked.claim;
            room := asked.room;
        end if;
        if room = 0 then
            scan_us[asked.idx + 1] := -1;
            continue;
        end if;
        began := clock();
        _row_ids := array(
            select ctid from ready r
            where r.queue_id = asked.queue_id and (r.priority, r.run_at, r.seq) >= (asked.priority, asked.instant, asked.seq)
            order by r.priority, r.run_at, r.seq limit room for update skip locked);
        scan_us[asked.idx + 1] := clock() - began;
        return query
        with picked as (
            delete from ready where ctid = any (_row_ids) returning seq),
        found as materialized (
            select j.* from picked p join jobs j on j.seq = p.seq),
        leased as (
            insert into leases (id, expires_at, seq, fence, attempt, claimed_at, queue_id)
            select f.id, _now + least(asked.length, 9223372036854775807 - _now), f.seq, f.fence + 1, f.attempt + 1, _now,
                f.queue_id
            from found f)
        select asked.claim, asked.idx, f.id, f.fence + 1, f.attempt + 1, f.max_attempts, f.priority, f.pushed_at,
            f.run_at, f.seq, _now + least(asked.length, 9223372036854775807 - _now), f.name, f.payload, f.meta,
            null::bigint, null::bigint, null::bigint, null::bigint, null::bigint, null::bigint[],
            null::text[]
        from found f order by f.priority, f.run_at, f.seq;
        get diagnostics got = row_count;
        room := room - got;
    end loop;
    began := clock();
    select * into _next from next_wakeup(_now, _due, _expiry);
    now := clock();
    due := _next.due;
    expiry := _next.expiry;
    next_due := _next.next_due;
    next_expiry := _next.next_expiry;
    scan_us := (now - began) || scan_us;
    discarded := _discarded;
    claim := -1;
    return next;
end $$;

-- Extends leases that hold, each by its own length from now. A lease that another transaction has locked is returned as it
-- is: nobody else can take the job over before that transaction ends.
create function renew(_ids uuid[], _fences bigint[], _lengths bigint[])
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
        select r.id, r.fence, r.length, (o - 1)::integer as idx
        from unnest(_ids, _fences, _lengths) with ordinality r (id, fence, length, o)),
    free as materialized (
        select a.* from asked a join leases l on l.id = a.id where l.fence = a.fence for update of l skip locked),
    renewed as (
        update leases l set expires_at = _now + least(f.length, 9223372036854775807 - _now)
        from free f where l.id = f.id and l.fence = f.fence and l.expires_at > _now
        returning f.idx, l.expires_at, l.cancel_reason)
    -- Of the rows of one lease, the first counts: renewed, expired and free, locked by another transaction.
    select first.idx, first.expires_at, first.cancel_reason from (
        select distinct on (all_of.idx) all_of.* from (
            select r.idx, r.expires_at, r.cancel_reason, 1 as rank from renewed r
            union all
            select f.idx, null, null, 2 from free f
            union all
            select a.idx, l.expires_at, l.cancel_reason, 3
            from asked a join leases l on l.id = a.id and l.fence = a.fence) all_of
        order by all_of.idx, all_of.rank) first
    where first.expires_at is not null;
end $$;
