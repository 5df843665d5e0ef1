-- How jobs are claimed. One call serves all claims of a process that wait for jobs.

create or replace function claim(
    _claims integer[], _queues text[], _limits integer[], _lease_lengths bigint[], _from_priorities integer[],
    _from_run_ats bigint[], _from_seqs bigint[], _on_discards text[], _from_due bigint, _from_expiry bigint,
    _workers text[], _startable integer[]
) returns table (
    claim integer, idx integer, id uuid, fence bigint, attempt bigint, max_attempts bigint, priority integer,
    pushed_at bigint, run_at bigint, seq bigint, expires_at bigint, name text, payload text, meta text,
    now bigint, due bigint, expiry bigint, next_due bigint, next_expiry bigint, scan_us bigint[],
    discarded text[], partition text
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    _now bigint;
    began bigint;
    request record;
    remaining integer;
    current integer := -1;
    leased bigint;
    _expires_at bigint;
    _row_ids tid[];
    _next record;
    _discarded text[];
    _is_locked boolean := false;
    _seen integer[];
    _shared integer[];
    _drained integer[] := '{}';
    _has_limits boolean;
    _room integer;
    _seqs bigint[];
    _short text[];
    _is_over boolean;
    _without text[];
    _starts bigint;
begin
    -- Until this claim ends, no other one counts the leases of queues that are plain ones: see `shares.sql`.
    select coalesce(array_agg(q.id), '{}'),
        coalesce(array_agg(q.id) filter (
            where q.is_shared or pg_advisory_xact_lock_shared(share_lock(q.id)) is null), '{}')
    into _seen, _shared
    from (select q.id, q.is_shared from queues q where q.name = any (_queues) order by q.id) q;
    if _shared <> '{}' then
        _is_locked := true;
        _shared := lock_shares(_queues, _shared);
    end if;
    _now := clock();
    scan_us := array_fill(0, array[cardinality(_claims)]);
    _from_due := coalesce(_from_due, -9223372036854775808);
    _from_expiry := coalesce(_from_expiry, -9223372036854775808);
    if exists (select from waiting where waiting.due between _from_due and _now)
        or exists (select from leases l where l.expires_at between _from_expiry and _now)
    then
        _discarded := promote_and_expire(_now, _from_due, _from_expiry);
    end if;
    if _is_locked then
        -- `fold` is called only if there are changes, a partition is to be opened or counted again, or a full read is due.
        perform fold(q.id, _now) from queues q join shares s on s.queue_id = q.id
        where q.id = any (_shared) and not q.paused and (
            s.read_at not between _now - 10000000 and _now
            or (select true from partition_changes c where c.queue_id = q.id and c.xid >= s.first_xid limit 1)
            or (select true from partitions p
                where p.queue_id = q.id and p.ready > 0 and p.is_parked and p.free_at <= _now limit 1)
            or is_count_wrong(q.id, _now));
    end if;
    for request in
        select a.claim, q.id as queue_id, a.max, a.length, (a.o - 1)::integer as idx,
            coalesce(a.priority, -2147483648) as priority, coalesce(a.run_at, -9223372036854775808) as run_at,
            coalesce(a.seq, 0) as seq, a.on_discard, a.worker, w.id as worker_id, a.startable, q.is_shared
        from unnest(
                _claims, _queues, _limits, _lease_lengths, _from_priorities, _from_run_ats, _from_seqs, _on_discards, _workers,
                _startable)
                with ordinality a (claim, queue, max, length, priority, run_at, seq, on_discard, worker, startable, o)
            join queues q on q.name = a.queue and not q.paused
            left join workers w on w.name = a.worker
        order by a.o
    loop
        if request.claim <> current then
            current := request.claim;
            remaining := request.max;
        end if;
        if remaining = 0 then
            scan_us[request.idx + 1] := -1;
            continue;
        end if;
        if request.is_shared and not _is_locked then
            -- It has just become shared.
            _is_locked := true;
            _shared := lock_shares(_queues, '{}');
            _now := clock();
            perform fold(q.id, _now) from queues q where q.id = any (_shared) and not q.paused;
        end if;
        -- The queue was created after the first statement, so this claim holds neither its share nor its advisory lock.
        continue when not request.queue_id = any (_seen || _shared);
        _expires_at := _now + least(request.length, 9223372036854775807 - _now);
        if request.queue_id = any (_shared) then
            _room := remaining;
            _has_limits := (select s.has_limits from shares s where s.queue_id = request.queue_id);
            if _has_limits and request.startable is not null then
                _room := least(request.startable, request.max) - (request.max - remaining);
            end if;
            continue when _room <= 0 or request.queue_id = any (_drained);
            _without := '{}';
            loop
                select t.seqs, t.short, t.is_over into _seqs, _short, _is_over
                from take_shares(request.queue_id, _room, _now, _without) t;
                if _seqs is not null then
                    if request.worker is not null and request.worker_id is null then
                        request.worker_id := worker_id_of(request.worker);
                    end if;
                    return query
                    with taken as (select u.seq, u.o from unnest(_seqs) with ordinality u (seq, o)),
                    found as materialized (
                        select t.o, j.* from taken t join jobs j on j.seq = any (array[t.seq])),
                    leased as (
                        insert into leases (
                            id, expires_at, seq, fence, attempt, claimed_at, queue_id, worker_id, name, on_discard, partition, turn)
                        select f.id, _expires_at, f.seq, f.fence + 1, f.attempt + 1,
                            _now, f.queue_id, request.worker_id, f.name, coalesce(f.on_discard, request.on_discard),
                            coalesce(f.partition, ''), (select s.turn from shares s where s.queue_id = request.queue_id)
                        from found f)
                    select request.claim, request.idx, f.id, f.fence + 1, f.attempt + 1, f.max_attempts, f.priority, f.pushed_at,
                        f.run_at, f.seq, _expires_at, f.name, f.payload, f.meta,
                        null::bigint, null::bigint, null::bigint, null::bigint, null::bigint, null::bigint[],
                        null::text[], f.partition
                    from found f order by f.o;
                    remaining := remaining - cardinality(_seqs);
                    _room := _room - cardinality(_seqs);
                end if;
                if _is_over then
                    _drained := _drained || request.queue_id;
                end if;
                exit when _is_over or _room = 0;
                _without := _without || coalesce(_short, '{}');
            end loop;
            continue;
        end if;
        began := clock();
        _row_ids := array(
            select ctid from ready r
            where r.queue_id = request.queue_id and r.partition = ''
                and (r.priority, r.run_at, r.seq) >= (request.priority, request.run_at, request.seq)
            order by r.priority, r.run_at, r.seq limit remaining for update skip locked);
        scan_us[request.idx + 1] := clock() - began;
        if request.worker is not null and request.worker_id is null and cardinality(_row_ids) > 0 then
            request.worker_id := worker_id_of(request.worker);
        end if;
        return query
        with picked as (
            delete from ready where ctid = any (_row_ids) returning seq),
        found as materialized (
            select j.* from picked p join jobs j on j.seq = any (array[p.seq])),
        leased as (
            insert into leases (id, expires_at, seq, fence, attempt, claimed_at, queue_id, worker_id, name, on_discard)
            select f.id, _expires_at, f.seq, f.fence + 1, f.attempt + 1,
                _now, f.queue_id, request.worker_id, f.name, coalesce(f.on_discard, request.on_discard)
            from found f)
        select request.claim, request.idx, f.id, f.fence + 1, f.attempt + 1, f.max_attempts, f.priority, f.pushed_at,
            f.run_at, f.seq, _expires_at, f.name, f.payload, f.meta,
            null::bigint, null::bigint, null::bigint, null::bigint, null::bigint, null::bigint[],
            null::text[], null::text
        from found f order by f.priority, f.run_at, f.seq;
        get diagnostics leased = row_count;
        remaining := remaining - leased;
    end loop;
    began := clock();
    _next := next_wakeup(_now, _from_due, _from_expiry);
    if _is_locked then
        _starts := next_start(_shared, _now);
    end if;
    now := clock();
    due := _next.due;
    expiry := _next.expiry;
    next_due := least(_next.next_due, _starts);
    next_expiry := _next.next_expiry;
    scan_us := (now - began) || scan_us;
    discarded := _discarded;
    claim := -1;
    return next;
end $$;
comment on function claim is
    'Makes due jobs ready and ends expired leases, as promote_and_expire() does, then leases ready jobs to the claims, in '
    'their order. The arrays have an element for each queue of each claim: the number of the claim, the queue, the maximum '
    'number of jobs that the claim takes from all its queues, the length of a lease in microseconds, and the default of '
    'leases.on_discard, an array that is null if no claim has one. A scan walks over dead rows '
    'at the beginning of its index until vacuum removes them. A caller that knows a position before which there is no live '
    'row passes it, and null otherwise: _from_priorities, _from_run_ats and _from_seqs in each queue, _from_due in waiting, '
    '_from_expiry in leases. _workers has the worker of each claim, or null; _startable, the maximum number of jobs '
    'that it takes from a queue with limits, or null. '
    'Returns a row for each leased job, with the number of its claim and the index from 0 of its '
    'queue in the arrays. The last row has claim -1, the time, the result of next_wakeup(), the discarded jobs of '
    'promote_and_expire(), and scan_us: the microseconds that next_wakeup() took, then those of each queue''s scan, or -1 '
    'if the claim had reached its limit, 0 for a shared queue. Its next_due is not later than next_start() of a shared queue.';
