-- How jobs of another store are stored.

create or replace function import_jobs(
    _ids uuid[], _queues text[], _names text[], _priorities integer[], _attempts bigint[], _max_attempts bigint[],
    _fences bigint[], _pushed_ats bigint[], _run_ats bigint[], _claimed_ats bigint[], _states smallint[],
    _unique_keys text[], _unique_untils bigint[], _holds_keys boolean[], _payloads text[], _metas text[], _on_discards text[],
    _partitions text[], _failed integer[], _failed_fences bigint[], _failed_attempts bigint[], _failed_ats bigint[], _messages text[],
    _channel text, _sender text
) returns table (kind smallint, holder uuid)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
    _now bigint := clock();
    _key unique_keys;
    _seq bigint;
    _seqs bigint[];
    new record;
begin
    perform ensure_queues(_queues);
    if exists (select from unnest(_partitions) p where p is not null) then
        perform share_queues(array(
            select u.queue from unnest(_queues, _partitions) u (queue, partition) where u.partition is not null));
    end if;
    -- As in push(): the transaction that has locked the row of a key decides who holds it.
    insert into unique_keys (name, key)
    select distinct u.name, u.key from unnest(_names, _unique_keys, _holds_keys) u (name, key, holds) where u.holds order by 1, 2
    on conflict (name, key) do update set key = excluded.key;
    for new in
        select u.*, q.id as queue_id from unnest(_ids, _queues, _names, _priorities, _attempts, _max_attempts, _fences,
            _pushed_ats, _run_ats, _claimed_ats, _states, _unique_keys, _unique_untils, _holds_keys, _payloads, _metas,
            _on_discards, _partitions) with ordinality
            u (id, queue, name, priority, attempt, max_attempts, fence, pushed_at, run_at, claimed_at, state, key, until,
                holds, payload, meta, on_discard, partition, o)
        join queues q on q.name = any (array[u.queue]) order by u.o
    loop
        kind := 1;
        holder := null;
        _seq := null;
        if new.holds then
            select * into _key from unique_keys k where k.name = new.name and k.key = new.key;
        end if;
        if exists (select from jobs j where j.id = new.id) then
            null;
        elsif new.holds and _key.seq is not null and is_key_held(_key, _now) then
            kind := 2;
            holder := _key.id;
        else
            insert into jobs (
                id, queue_id, name, priority, attempt, max_attempts, fence, pushed_at, run_at, claimed_at, unique_key,
                unique_until, payload, meta, on_discard, partition)
            values (
                new.id, new.queue_id, new.name, new.priority, new.attempt, new.max_attempts, new.fence, new.pushed_at,
                new.run_at, new.claimed_at, new.key, new.until, new.payload, new.meta, new.on_discard, new.partition)
            on conflict (id) do nothing
            returning seq into _seq;
        end if;
        if _seq is not null then
            kind := 0;
            if new.run_at > _now then
                insert into waiting values (new.run_at, _seq, new.state, new.queue_id);
            else
                insert into ready values (new.queue_id, new.priority, new.run_at, _seq, coalesce(new.partition, ''));
                perform note_ready(new.queue_id, new.partition, _now, 1);
            end if;
            if new.holds then
                update unique_keys k set seq = _seq, id = new.id, unique_until = new.until
                where k.name = new.name and k.key = new.key;
            end if;
        end if;
        _seqs := array_append(_seqs, _seq);
        return next;
    end loop;
    insert into failures (seq, fence, attempt, failed_at, message)
    select _seqs[u.o], u.fence, u.attempt, u.failed_at, u.message
    from unnest(_failed, _failed_fences, _failed_attempts, _failed_ats, _messages) u (o, fence, attempt, failed_at, message)
    where _seqs[u.o] is not null
    on conflict (seq, fence) do nothing;
    delete from unique_keys k using unnest(_names, _unique_keys, _holds_keys) u (name, key, holds)
    where u.holds and k.name = any (array[u.name]) and k.key = u.key and k.seq is null;
    if _channel is not null and exists (select from unnest(_seqs) s where s is not null) then
        perform pg_notify(_channel, _sender);
    end if;
end $$;
comment on function import_jobs is
    'Stores jobs with the attempts, claims, times and errors that they had in another store, and creates their queues. Each '
    'array up to _partitions has one element for each job. _states: scheduled or retryable, for a job that is not due; see '
    'state_name(). _holds_keys: whether the job holds its unique key, until _unique_untils at least. The arrays from _failed '
    'to _messages have one element for each error: the position of its job in the batch, from 1, and the claim that failed. Notifies the channel '
    '_channel with _sender if a job is stored, unless that is null. Returns a row for each job, in order: kind 0 stored, 1 '
    'a job with this id exists, 2 the job holder has its unique key.';
