-- How jobs are stored.

-- Creates the queues of these names that don't exist.
create function enter(_names text[]) returns void
language plpgsql
set search_path from current as $$
begin
    insert into lines (name)
    select distinct n from unnest(_names) n where not exists (select from lines l where l.name = n) order by n
    on conflict (name) do nothing;
end $$;

-- Returns the numbers of the queues of these names, in order; null if one of them doesn't exist.
create function numbers_of(_queues text[]) returns integer[]
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _lines integer[];
begin
    select array_agg(l.line order by q.o) into _lines
    from unnest(_queues) with ordinality q (name, o) join lines l on l.name = q.name;
    if cardinality(_lines) = cardinality(_queues) then
        return _lines;
    end if;
    return null;
end $$;

-- Returns whether a unique key is held: its job is unfinished, or its window lasts. A lease that has expired on its job's last
-- attempt, or after a cancel was requested, is ended here, and with it the job. If another transaction has locked that lease,
-- the job counts as unfinished: that transaction may be a settlement that began in time and keeps the job.
create function holds(_holder keys, _now bigint) returns boolean
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _rows tid[];
begin
    if _holder.until > _now then
        return true;
    end if;
    _rows := array(
        select e.ctid from leases e join jobs j on j.seq = e.seq
        where e.id = _holder.id and e.expires_at <= _now
            and (e.cancel_reason is not null or e.attempt >= j.max_attempts)
        for update of e skip locked);
    if cardinality(_rows) > 0 then
        perform expire(_rows);
    end if;
    return exists (select from jobs where seq = _holder.seq)
        and not exists (select from finished where seq = _holder.seq);
end $$;

-- Stores one job that was checked. It's ready at `_time`, or now if that is past.
create function store(
    _now bigint, _id uuid, _line integer, _name text, _priority integer, _max_attempts bigint, _time bigint, _key text,
    _until bigint, _payload text, _meta text
) returns bigint
language plpgsql
set search_path from current as $$
declare
    new jobs;
begin
    insert into jobs (id, line, name, priority, max_attempts, pushed_at, run_at, unique_key, key_until, payload, meta)
    values (_id, _line, _name, _priority, _max_attempts, _now, greatest(_time, _now), _key, _until, _payload, _meta)
    on conflict (id) do nothing
    returning * into new;
    if new.seq is null then
        return null;
    end if;
    if new.run_at > _now then
        insert into waiting values (new.run_at, new.seq, 0, _line);
    else
        insert into ready values (_line, _priority, new.run_at, new.seq);
    end if;
    return new.seq;
end $$;

-- Stores a batch, whole or not at all. `_queues` are the names of the queues, and `_queue_of` the index of each job's queue
-- in them, from 1. The other arrays have an element for each job, or are null where no job has any.
-- A job without keys is `Stored`, whether or not its identity was known; so no row is returned for it.
-- `kind` is 0 stored, 1 existing, 2 replaced. A single row with a `kind` below zero says that nothing is stored: -1 if the
-- delay of the job at `place` leads past the end of time, -2 if a queue doesn't exist.
create function push(
    _queues text[], _ids uuid[], _chosen boolean[], _queue_of integer[], _names text[], _priorities integer[],
    _max_attempts bigint[], _delays bigint[], _times bigint[], _keys text[], _windows bigint[], _replaces boolean[],
    _payloads text[], _metas text[], _notify text, _word text
) returns table (place integer, kind smallint, job uuid)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _now bigint := clock();
    _lines integer[];
    new record;
    holder keys;
    is_moving boolean;
    is_held boolean;
    is_started boolean;
    was jobs;
    stored bigint;
    _until bigint;
begin
    if _delays is not null then
        select (min(o) - 1)::integer into place from unnest(_delays) with ordinality u (delay, o)
        where delay > 9223372036854775807 - _now;
        if place is not null then
            kind := -1;
            return next;
            return;
        end if;
    end if;
    _lines := numbers_of(_queues);
    if _lines is null then
        kind := -2;
        return next;
        return;
    end if;
    if _notify is not null then
        perform pg_notify(_notify, _word);
    end if;
    if _keys is null and _chosen is null then
        with new as (
            insert into jobs (id, line, name, priority, max_attempts, pushed_at, run_at, payload, meta)
            select id, _lines[u.queue], u.name, u.priority, max_attempts, _now,
                greatest(_now, coalesce(time, _now + coalesce(delay, 0))), payload, meta
            from unnest(_ids, _queue_of, _names, _priorities, _max_attempts, _delays, _times, _payloads, _metas)
                u (id, queue, name, priority, max_attempts, delay, time, payload, meta)
            returning seq, line, priority, run_at),
        later as (
            insert into waiting (due, seq, state, line) select run_at, seq, 0, line from new where run_at > _now)
        insert into ready select line, priority, run_at, seq from new where run_at <= _now;
        return;
    end if;
    if _keys is null then
        with new as (
            insert into jobs (id, line, name, priority, max_attempts, pushed_at, run_at, payload, meta)
            select id, _lines[u.queue], u.name, u.priority, max_attempts, _now,
                greatest(_now, coalesce(time, _now + coalesce(delay, 0))), payload, meta
            from unnest(_ids, _queue_of, _names, _priorities, _max_attempts, _delays, _times, _payloads, _metas)
                u (id, queue, name, priority, max_attempts, delay, time, payload, meta)
            on conflict (id) do nothing
            returning seq, line, priority, run_at),
        later as (
            insert into waiting (due, seq, state, line) select run_at, seq, 0, line from new where run_at > _now)
        insert into ready select line, priority, run_at, seq from new where run_at <= _now;
        return;
    end if;
    -- The transaction that locks the row of a key decides about it. All lock them in one order.
    insert into keys (name, key)
    select distinct u.name, u.key from unnest(_names, _keys) u (name, key) where u.key is not null order by 1, 2
    on conflict (name, key) do update set key = excluded.key;
    for new in
        select o - 1 as place, u.* from unnest(_ids, _chosen, _queue_of, _names, _priorities, _max_attempts, _delays, _times,
            _keys, _windows, _replaces, _payloads, _metas) with ordinality
            u (id, is_chosen, queue, name, priority, max_attempts, delay, time, key, lasting, replaces, payload, meta, o)
    loop
        place := new.place;
        job := new.id;
        kind := 0;
        new.time := greatest(_now, coalesce(new.time, _now + coalesce(new.delay, 0)));
        if new.key is null then
            perform store(_now, new.id, _lines[new.queue], new.name, new.priority, new.max_attempts, new.time, null, null,
                new.payload, new.meta);
            continue;
        end if;
        if new.is_chosen and exists (select from jobs where id = new.id) then
            return next;
            continue;
        end if;
        loop
            is_moving := false;
            select * into holder from keys k where k.name = new.name and k.key = new.key;
            exit when holder.seq is null;
            is_held := holds(holder, _now);
            if is_held and coalesce(new.replaces, false) then
                select * into was from jobs j where j.seq = holder.seq;
                is_started := not found or was.attempt > 0 or exists (select from finished f where f.seq = holder.seq)
                    or exists (select from leases e where e.id = holder.id);
                -- A job that has not started is taken out of its place here, so that nobody claims it meanwhile.
                if not is_started then
                    delete from ready r where r.line = was.line and r.priority = was.priority
                        and r.run_at = was.run_at and r.seq = was.seq;
                    if not found then
                        delete from waiting w where w.due = was.run_at and w.seq = was.seq;
                    end if;
                    -- Another transaction has just moved it: read again where it is.
                    is_moving := not found;
                end if;
            end if;
            exit when not is_moving;
        end loop;
        if holder.seq is not null and is_held and not coalesce(new.replaces, false) then
            kind := 1;
            job := holder.id;
        elsif holder.seq is not null and is_held and not is_started then
            kind := 2;
            job := holder.id;
            update jobs set payload = new.payload, priority = new.priority, run_at = new.time where seq = holder.seq;
            if new.time > _now then
                insert into waiting values (new.time, holder.seq, 0, was.line);
            else
                insert into ready values (was.line, new.priority, new.time, holder.seq);
            end if;
        else
            _until := _now + least(coalesce(new.lasting, 0), 9223372036854775807 - _now);
            stored := store(_now, new.id, _lines[new.queue], new.name, new.priority, new.max_attempts, new.time, new.key,
                _until, new.payload, new.meta);
            if stored is not null then
                update keys k set seq = stored, id = new.id, until = _until
                where k.name = new.name and k.key = new.key;
            end if;
        end if;
        return next;
    end loop;
    delete from keys k using unnest(_names, _keys) u (name, key)
    where k.name = u.name and k.key = u.key and k.seq is null;
end $$;
