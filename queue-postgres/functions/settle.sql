-- How attempts end. `_kinds` has numbers: 0 complete, 1 discard, 2 cancel, 3 retry, 4 snooze, 5 release, 6 throttle.

create or replace function must_settle_in_order(
    _ids uuid[], _kinds smallint[], _parents integer[], _names text[], _unique_keys text[]
) returns boolean
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
begin
    if _unique_keys is not null and exists (
        select from unnest(_parents, _names, _unique_keys) u (parent, name, key)
            join unique_keys k on k.name = any (array[u.name]) and k.key = u.key
            join leases l on l.id = any (array[k.id])
        where (select max(p) from unnest(array_positions(_ids, k.id)) p) - 1 > u.parent)
    then
        return true;
    end if;
    -- The order in which partitions come to have ready jobs is that of the settlements and their followups.
    if exists (select from unnest(_kinds) k where k in (1, 3, 4, 5, 6))
        and exists (select from leases l join queues q on q.id = any (array[l.queue_id]) where l.id = any (_ids) and q.is_shared)
    then
        return true;
    end if;
    return exists (
        select from unnest(_ids, _kinds) with ordinality s (id, kind, o) join leases l on l.id = any (array[s.id])
        where s.kind = 1 and l.on_discard <> 'null' and s.o - 1 > (select min(p) from unnest(_parents) p));
end $$;
comment on function must_settle_in_order is
    'Returns whether settlements have to take effect one after another. Otherwise they take effect together, before their '
    'followups are stored, and the result is the same. It is not if a job that a later settlement ends holds the unique key of '
    'a followup, or if a later settlement stores a job for a discard, which has to come after the followup. The arrays are '
    'those of settle().';

create or replace function settle(
    _ids uuid[], _fences bigint[], _kinds smallint[], _times bigint[], _texts text[], _skip_locked boolean,
    _parents integer[], _queues text[], _new_ids uuid[], _id_given boolean[], _queue_of integer[], _names text[],
    _priorities integer[], _max_attempts bigint[], _delays bigint[], _new_times bigint[], _unique_keys text[],
    _unique_for bigint[], _replace boolean[], _payloads text[], _metas text[], _on_discards text[],
    _partitions text[], _channel text, _sender text, out applied integer[], out blocked integer[], out refused integer,
    out is_shared boolean
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _now bigint := clock();
    max_fence bigint;
    _discarded bigint[];
    _told text[];
    settled record;
    gone record;
    _shared integer[];
    _held integer[];
begin
    is_shared := false;
    if _kinds is not null then
        _shared := shared_queues();
    end if;
    if _delays is not null then
        select (min(o) - 1)::integer into refused from unnest(_delays) with ordinality u (delay, o)
        where delay > 9223372036854775807 - _now;
        if refused is not null then
            return;
        end if;
    end if;
    if _queues is not null then
        if queue_ids(_queues, _queue_of, _partitions) is null then
            refused := -1;
            return;
        end if;
    end if;
    if _parents is not null and cardinality(_ids) > 1 and (_unique_keys is not null or 1 = any (_kinds) or _shared <> '{}')
        and must_settle_in_order(_ids, _kinds, _parents, _names, _unique_keys)
    then
        for i in 1 .. cardinality(_ids) loop
            select * into settled from settle(
                _ids[i:i], _fences[i:i], _kinds[i:i], _times[i:i], _texts[i:i], _skip_locked,
                -- The followups of the other settlements have a parent that does not exist.
                array(select case when p = i - 1 then 0 else -1 end from unnest(_parents) with ordinality u (p, o) order by o),
                _queues, _new_ids, _id_given, _queue_of, _names, _priorities, _max_attempts, _delays, _new_times,
                _unique_keys, _unique_for, _replace, _payloads, _metas, _on_discards, _partitions, _channel, _sender);
            is_shared := is_shared or settled.is_shared;
            if settled.refused is not null then
                raise exception using errcode = 'serialization_failure', message = 'a queue has just been removed';
            end if;
            if settled.applied is not null then
                applied := applied || i - 1;
            elsif settled.blocked is not null then
                blocked := blocked || i - 1;
            end if;
        end loop;
        return;
    end if;
    if _skip_locked and cardinality(_ids) > (
        select count(*) from (select from leases where id = any (_ids) for update skip locked) locked)
    then
        -- Another transaction has locked some leases, or some have ended.
        for i in 1 .. cardinality(_ids) loop
            perform from leases where id = _ids[i] for update skip locked;
            if not found and exists (select from leases where id = _ids[i] and fence = _fences[i]) then
                blocked := blocked || i - 1;
                -- No lease has a negative fence, so the statements below skip this one.
                _fences[i] := -1;
            end if;
        end loop;
    end if;
    if _kinds is null and cardinality(_ids) = 1 then
        -- The most frequent case of a queue that is not busy. Single statements cost less than one that is made of them.
        delete from leases l where l.id = _ids[1] and l.fence = _fences[1] and l.expires_at + 0 > _now
        returning l.seq, l.fence, l.attempt, l.claimed_at, l.queue_id, l.name, l.cancel_reason into gone;
        if found then
            insert into finished (seq, finished_at, fence, attempt, claimed_at, queue_id, state, cancel_reason)
            values (gone.seq, _now, gone.fence, gone.attempt, gone.claimed_at, gone.queue_id, 4, gone.cancel_reason);
            insert into history_parts (minute, run_time, completed, failed, discarded, queue_id, name)
            values (minute_of(_now), greatest(_now - gone.claimed_at, 0), 1, 0, 0, gone.queue_id, gone.name);
            applied := array[0];
            is_shared := exists (select from queues q where q.id = gone.queue_id and q.is_shared);
        end if;
    elsif _kinds is null then
        -- All are completions: the most frequent case of a busy queue.
        with gone as (
            delete from leases l using unnest(_ids, _fences) with ordinality s (id, fence, o)
            where l.id = any (array[s.id]) and l.fence = s.fence and l.expires_at + 0 > _now
            returning l.seq, l.fence, l.attempt, l.claimed_at, l.queue_id, l.name, l.cancel_reason, (s.o - 1)::integer as idx),
        ended as (
            insert into finished (seq, finished_at, fence, attempt, claimed_at, queue_id, state, cancel_reason)
            select seq, _now, fence, attempt, claimed_at, queue_id, 4, cancel_reason from gone),
        counted as (
            insert into history_parts (minute, run_time, completed, failed, discarded, queue_id, name)
            select minute_of(_now), run_time_of(sum(greatest(_now - claimed_at, 0))), count(*), 0, 0, queue_id, name
            from gone group by queue_id, name)
        select array_agg(idx), coalesce(bool_or(queue_id = any (array(select q.id from queues q where q.is_shared))), false)
        into applied, is_shared from gone;
    else
        with gone as (
            delete from leases l using unnest(_ids, _fences, _kinds, _times, _texts) with ordinality
                s (id, fence, kind, time, text, o)
            where l.id = any (array[s.id]) and l.fence = s.fence and l.expires_at + 0 > _now
            returning l.*, s.kind, s.time, s.text, (s.o - 1)::integer as idx),
        moved as materialized (
            select seq, fence, claimed_at, queue_id, name, kind, text, idx, on_discard, time, coalesce(partition, '') as partition,
                case when kind in (4, 5, 6) then greatest(attempt - 1, 0) else attempt end as attempt,
                case when kind = 2 then text else cancel_reason end as reason,
                -- A job whose cancellation was requested does not run again.
                case when kind = 0 then 4 when kind = 1 then 5 when kind = 2 or cancel_reason is not null then 6
                    when kind = 5 or time <= _now then 1 when kind = 3 then 3 else 0 end as state,
                greatest(time, _now) as run_at
            from gone),
        ended as (
            insert into finished (seq, finished_at, fence, attempt, claimed_at, queue_id, state, cancel_reason)
            select seq, _now, fence, attempt, claimed_at, queue_id, state, reason from moved where state >= 4),
        counted as (
            insert into history_parts (minute, run_time, completed, failed, discarded, queue_id, name)
            select minute_of(_now), run_time_of(sum(greatest(_now - claimed_at, 0))), count(*) filter (where kind = 0),
                count(*) filter (where kind in (1, 3)), count(*) filter (where kind = 1), queue_id, name
            from moved where kind in (0, 1, 3) group by queue_id, name),
        kept as (insert into results (seq, result) select seq, text from moved where kind = 0 and text is not null),
        noted as (
            insert into failures (seq, fence, attempt, failed_at, message)
            -- A snooze with a text reports an error of an attempt that does not count: `moved` has its number less one.
            select seq, fence, case when kind = 4 then attempt + 1 else attempt end, _now, text
            from moved where kind in (1, 3, 4) and text is not null),
        back as (
            update jobs j set attempt = m.attempt, fence = m.fence, claimed_at = m.claimed_at,
                run_at = case when m.kind = 5 then j.run_at else m.run_at end
            from moved m where j.seq = any (array[m.seq]) and m.state < 4
            returning j.queue_id, j.priority, j.run_at, j.seq, m.state, m.partition, m.idx),
        again as (
            insert into ready (queue_id, priority, run_at, seq, partition)
            select queue_id, priority, run_at, seq, partition from back where state = 1),
        shared as (
            insert into partition_changes (queue_id, at, partition, ready)
            select queue_id, _now, partition, count(*) from back where state = 1 and queue_id = any (_shared)
            group by queue_id, partition order by min(idx)),
        holding as (
            insert into partition_changes (queue_id, at, partition, hold_until)
            select queue_id, _now, partition, time from moved where kind = 6),
        later as (
            insert into waiting (due, seq, state, queue_id)
            select run_at, seq, state, queue_id from back where state <> 1)
        select array_agg(idx), max(fence) filter (where kind in (1, 3, 4) and text is not null),
            array_agg(seq order by idx) filter (where state = 5 and on_discard <> 'null'),
            array_agg(on_discard order by idx) filter (where state = 5 and on_discard <> 'null'),
            coalesce(bool_or(kind = 6 or queue_id = any (_shared)), false), array_agg(queue_id) filter (where kind = 6)
        into applied, max_fence, _discarded, _told, is_shared, _held from moved;
        if not _held <@ _shared then
            perform share_queues(array(select q.name from queues q where q.id = any (_held)));
        end if;
        -- A job has at most as many failures as claims.
        if max_fence > 20 then
            delete from failures f using (
                select seq, (select fence from failures o where o.seq = j.seq order by fence desc offset 20 limit 1)
                from jobs j where id = any (_ids)) t (seq, fence)
            where f.seq = t.seq and f.fence <= t.fence;
        end if;
        if _discarded is not null then
            perform store_on_discard(_discarded, _told, _now);
        end if;
    end if;
    if applied is not null and _channel is not null
        and (is_shared or _parents is not null or exists (select from unnest(_kinds) k where k <> 0))
    then
        perform pg_notify(_channel, _sender);
    end if;
    if applied is not null and _parents is not null then
        perform push(_queues, array_agg(id), array_agg(id_given), array_agg(queue), array_agg(name), array_agg(priority),
            array_agg(max_attempts), array_agg(delay), array_agg(time), case when count(key) > 0 then array_agg(key) end,
            array_agg(unique_for), array_agg(replace), array_agg(payload), array_agg(meta), array_agg(on_discard),
            case when count(partition) > 0 then array_agg(partition) end, null, null)
        from (
            select * from unnest(_parents, _new_ids, _id_given, _queue_of, _names, _priorities, _max_attempts, _delays,
                _new_times, _unique_keys, _unique_for, _replace, _payloads, _metas, _on_discards, _partitions)
                with ordinality
                u (parent, id, id_given, queue, name, priority, max_attempts, delay, time, key, unique_for, replace,
                    payload, meta, on_discard, partition, o)
            where parent = any (applied) order by o) u
        having count(*) > 0;
    end if;
end $$;
comment on function settle is
    'Ends attempts whose leases have not expired, and stores the followups of those, in the order of the arrays. No lease may be named twice. _kinds: '
    '0 complete, 1 discard, 2 cancel, 3 retry, 4 snooze, 5 release, 6 throttle; null if all are 0. _times: when a retried, snoozed or '
    'throttled job is due. _texts: the error, the reason of a cancellation, or the result of a completed job. _parents: the index from 0 of each followup''s '
    'settlement, or -1 to leave the followup out; the arrays from _queues to _partitions, _channel and _sender are those of push(). Returns indexes from 0: '
    'applied, the settlements that took effect; blocked, those whose leases another transaction has locked, if '
    '_skip_locked is true (otherwise the function waits for them). If refused is not null, nothing is stored: it is the '
    'index of a followup whose delay exceeds the range of times, or -1 if a queue does not exist, or has to be shared first. is_shared: whether a lease of a shared queue '
    'has ended. Waits for transactions '
    'that have locked a unique key of a followup.';
