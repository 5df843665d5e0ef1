-- How jobs are stored. A program calls `push`; if that reports an unknown queue, it calls `ensure_queues` in a transaction of
-- its own and pushes again.

create or replace function ensure_queues(_names text[]) returns void
language plpgsql
set search_path from current as $$
begin
    insert into queues (name)
    select distinct n from unnest(_names) n where not exists (select from queues q where q.name = n) order by n
    on conflict (name) do nothing;
end $$;
comment on function ensure_queues is 'Creates the queues of these names that do not exist.';

create or replace function queue_ids(
    _queues text[], _queue_of integer[], _partitions text[]
) returns integer[]
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    ids integer[];
    shared integer[];
begin
    select array_agg(q.id order by n.o), array_agg(q.id) filter (where q.is_shared) into ids, shared
    from unnest(_queues) with ordinality n (name, o) join queues q on q.name = n.name;
    if cardinality(ids) <> cardinality(_queues) then
        return null;
    elsif _partitions is not null and exists (
        select from unnest(_queue_of, _partitions) u (queue, partition)
        where u.partition is not null and ids[u.queue] <> all (coalesce(shared, '{}')))
    then
        return null;
    end if;
    return ids || shared;
end $$;
comment on function queue_ids is
    'Returns the ids of the queues of these names, in their order, and behind them the ids of the shared ones once more. Null if one '
    'of the queues does not exist, or a job names a partition and its queue is not shared. The arrays are those of push().';

create or replace function is_key_held(_holder unique_keys, _now bigint) returns boolean
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
begin
    if _holder.unique_until > _now then
        return true;
    end if;
    -- A job whose last lease has expired is over, although the next claim ends it. A lease that another transaction has
    -- locked is skipped, and its job counts as unfinished: that transaction may be a settlement that began in time and keeps
    -- the job.
    perform from leases l join jobs j on j.seq = any (array[l.seq])
    where l.id = _holder.id and l.expires_at <= _now and (l.cancel_reason is not null or l.attempt >= j.max_attempts)
    for update of l skip locked;
    if found then
        return false;
    end if;
    return exists (select from jobs where seq = _holder.seq)
        and not exists (select from finished where seq = _holder.seq);
end $$;
comment on function is_key_held is
    'Returns whether the job of this row holds its unique key: it is unfinished, or unique_until is in the future. A job '
    'whose lease has expired and that cannot run again is not unfinished.';

create or replace function take_out(_job jobs, _now bigint) returns boolean
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
begin
    delete from ready r where r.queue_id = _job.queue_id and r.partition = coalesce(_job.partition, '')
        and r.priority = _job.priority and r.run_at = _job.run_at and r.seq = _job.seq;
    if found then
        perform note_ready(_job.queue_id, _job.partition, _now, -1);
        return true;
    end if;
    delete from waiting w where w.due = _job.run_at and w.seq = _job.seq;
    if found and _job.run_at <= _now then
        perform note_due(_job.queue_id, _job.partition, _job.run_at, _job.seq);
        perform note_ready(_job.queue_id, _job.partition, _now, -1);
        return true;
    end if;
    return found;
end $$;
comment on function take_out is
    'Deletes the row of a job from ready or waiting. Returns whether one of them has it: if not, another transaction has just moved '
    'it.';

create or replace function push_one(
    _now bigint, _id uuid, _queue_id integer, _name text, _priority integer, _max_attempts bigint, _time bigint, _key text,
    _unique_until bigint, _payload text, _meta text, _on_discard text, _partition text
) returns bigint
language plpgsql
set search_path from current as $$
declare
    new jobs;
begin
    insert into jobs (
        id, queue_id, name, priority, max_attempts, pushed_at, run_at, unique_key, unique_until, payload, meta, on_discard,
        partition)
    values (
        _id, _queue_id, _name, _priority, _max_attempts, _now, greatest(_time, _now), _key, _unique_until, _payload, _meta,
        _on_discard, _partition)
    on conflict (id) do nothing
    returning * into new;
    if new.seq is null then
        return null;
    end if;
    if new.run_at > _now then
        insert into waiting values (new.run_at, new.seq, 0, _queue_id);
    else
        insert into ready values (_queue_id, _priority, new.run_at, new.seq, coalesce(_partition, ''));
        perform note_ready(_queue_id, _partition, _now, 1, _priority);
    end if;
    return new.seq;
end $$;
comment on function push_one is
    'Stores one job that push() has checked, due at _time or now, whichever is later. Returns its seq; null if a job with '
    'this id exists.';

create or replace function push(
    _queues text[], _ids uuid[], _id_given boolean[], _queue_of integer[], _names text[], _priorities integer[],
    _max_attempts bigint[], _delays bigint[], _times bigint[], _unique_keys text[], _unique_for bigint[],
    _replace boolean[], _payloads text[], _metas text[], _on_discards text[], _partitions text[],
    _channel text, _sender text
) returns table (idx integer, kind smallint, job uuid)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _now bigint := clock();
    _queue_ids integer[];
    _shared integer[];
    new record;
    holder unique_keys;
    is_moving boolean;
    is_held boolean;
    is_started boolean;
    was jobs;
    stored bigint;
    _unique_until bigint;
begin
    if _delays is not null then
        select (min(o) - 1)::integer into idx from unnest(_delays) with ordinality u (delay, o)
        where delay > 9223372036854775807 - _now;
        if idx is not null then
            kind := -1;
            return next;
            return;
        end if;
    end if;
    _queue_ids := queue_ids(_queues, _queue_of, _partitions);
    if _queue_ids is null then
        kind := -2;
        return next;
        return;
    end if;
    _shared := _queue_ids[cardinality(_queues) + 1:];
    if _channel is not null then
        perform pg_notify(_channel, _sender);
    end if;
    -- New jobs with new ids: the most frequent case.
    if _unique_keys is null and _id_given is null then
        with new as (
            insert into jobs (id, queue_id, name, priority, max_attempts, pushed_at, run_at, payload, meta, on_discard,
                partition)
            select id, _queue_ids[u.queue], u.name, u.priority, max_attempts, _now,
                greatest(_now, coalesce(time, _now + coalesce(delay, 0))), payload, meta, on_discard,
                partition
            from unnest(_ids, _queue_of, _names, _priorities, _max_attempts, _delays, _times, _payloads, _metas, _on_discards,
                _partitions)
                u (id, queue, name, priority, max_attempts, delay, time, payload, meta, on_discard, partition)
            returning seq, queue_id, priority, run_at, coalesce(partition, '') as partition),
        later as (
            insert into waiting (due, seq, state, queue_id)
            select run_at, seq, 0, queue_id from new where run_at > _now)
        insert into ready (queue_id, priority, run_at, seq, partition)
        select queue_id, priority, run_at, seq, partition from new where run_at <= _now;
        if _shared <> '{}' then
            insert into partition_changes (queue_id, at, partition, ready, priority)
            select _queue_ids[u.queue], _now, coalesce(u.partition, ''), count(*), min(u.priority)
            from unnest(_queue_of, _priorities, _delays, _times, _partitions) with ordinality
                u (queue, priority, delay, time, partition, o)
            where coalesce(u.time, _now + coalesce(u.delay, 0)) <= _now and _queue_ids[u.queue] = any (_shared)
            group by 1, 3 order by min(u.o);
        end if;
        return;
    end if;
    -- The same, but a job whose id exists is skipped.
    if _unique_keys is null then
        with new as (
            insert into jobs (id, queue_id, name, priority, max_attempts, pushed_at, run_at, payload, meta, on_discard,
                partition)
            select id, _queue_ids[u.queue], u.name, u.priority, max_attempts, _now,
                greatest(_now, coalesce(time, _now + coalesce(delay, 0))), payload, meta, on_discard,
                partition
            from unnest(_ids, _queue_of, _names, _priorities, _max_attempts, _delays, _times, _payloads, _metas, _on_discards,
                _partitions)
                u (id, queue, name, priority, max_attempts, delay, time, payload, meta, on_discard, partition)
            on conflict (id) do nothing
            returning seq, queue_id, priority, run_at, coalesce(partition, '') as partition),
        later as (
            insert into waiting (due, seq, state, queue_id)
            select run_at, seq, 0, queue_id from new where run_at > _now),
        noted as (
            insert into partition_changes (queue_id, at, partition, ready, priority)
            select queue_id, _now, partition, count(*), min(priority) from new where run_at <= _now and queue_id = any (_shared)
            group by queue_id, partition order by min(seq))
        insert into ready (queue_id, priority, run_at, seq, partition)
        select queue_id, priority, run_at, seq, partition from new where run_at <= _now;
        return;
    end if;
    -- Only the transaction that has locked the row of a unique key may decide who holds it. All transactions lock these rows
    -- in the same order.
    insert into unique_keys (name, key)
    select distinct u.name, u.key from unnest(_names, _unique_keys) u (name, key) where u.key is not null order by 1, 2
    on conflict (name, key) do update set key = excluded.key;
    for new in
        select o - 1 as idx, u.* from unnest(_ids, _id_given, _queue_of, _names, _priorities, _max_attempts, _delays,
            _times, _unique_keys, _unique_for, _replace, _payloads, _metas, _on_discards, _partitions) with ordinality
            u (id, id_given, queue, name, priority, max_attempts, delay, time, key, unique_for, replace, payload, meta,
                on_discard, partition, o)
    loop
        idx := new.idx;
        job := new.id;
        kind := 0;
        new.time := greatest(_now, coalesce(new.time, _now + coalesce(new.delay, 0)));
        if new.key is null then
            perform push_one(_now, new.id, _queue_ids[new.queue], new.name, new.priority, new.max_attempts, new.time, null,
                null, new.payload, new.meta, new.on_discard, new.partition);
            continue;
        end if;
        if new.id_given and exists (select from jobs where id = new.id) then
            return next;
            continue;
        end if;
        loop
            is_moving := false;
            select * into holder from unique_keys k where k.name = new.name and k.key = new.key;
            exit when holder.seq is null;
            is_held := is_key_held(holder, _now);
            if is_held and coalesce(new.replace, false) then
                select * into was from jobs j where j.seq = holder.seq;
                is_started := not found or was.attempt > 0 or exists (select from finished f where f.seq = holder.seq)
                    or exists (select from leases l where l.id = holder.id);
                -- A job that has not started is removed from `ready` or `waiting` here, so that no claim takes it meanwhile.
                if not is_started then
                    is_moving := not take_out(was, _now);
                end if;
            end if;
            exit when not is_moving;
        end loop;
        if holder.seq is not null and is_held and not coalesce(new.replace, false) then
            kind := 1;
            job := holder.id;
        elsif holder.seq is not null and is_held and not is_started then
            kind := 2;
            job := holder.id;
            update jobs set payload = new.payload, priority = new.priority, run_at = new.time where seq = holder.seq;
            if new.time > _now then
                insert into waiting values (new.time, holder.seq, 0, was.queue_id);
            else
                insert into ready values (was.queue_id, new.priority, new.time, holder.seq, coalesce(was.partition, ''));
                perform note_ready(was.queue_id, was.partition, _now, 1, new.priority);
            end if;
        else
            _unique_until := _now + least(coalesce(new.unique_for, 0), 9223372036854775807 - _now);
            stored := push_one(_now, new.id, _queue_ids[new.queue], new.name, new.priority, new.max_attempts, new.time,
                new.key, _unique_until, new.payload, new.meta, new.on_discard, new.partition);
            if stored is not null then
                update unique_keys k set seq = stored, id = new.id, unique_until = _unique_until
                where k.name = new.name and k.key = new.key;
            end if;
        end if;
        return next;
    end loop;
    delete from unique_keys k using unnest(_names, _unique_keys) u (name, key)
    where k.name = any (array[u.name]) and k.key = u.key and k.seq is null;
end $$;
comment on function push is
    'Stores a batch of jobs, whole or not at all, and notifies the channel _channel with _sender unless that is null. '
    '_queues has each queue''s name once; _queue_of has the index of each job''s queue in it, from 1. Every other array has '
    'one element for each job, or is null if no job has such a value. _id_given: whether a job with this id may exist, and '
    'is then skipped. _delays, _unique_for: microseconds from now. _replace: whether a job that has not started and holds '
    'the unique key gets the new payload, priority and time. Returns a row for each job with a unique key, with its index '
    'from 0: kind 0 stored, 1 another job holds the key, 2 that job was replaced. A single row with a negative kind says '
    'that nothing was stored: -1 if the delay of job idx exceeds the range of times, -2 if a queue does not exist, or is not shared '
    'and a job names a partition.';
