-- The jobs that are stored when others are discarded. `settle` and `expire` call this after they have ended a job.

create or replace function store_on_discard(_seqs bigint[], _on_discards text[], _now bigint) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _queue_ids integer[];
    _priorities integer[];
    _new_seqs bigint[];
begin
    perform ensure_queues(array(select o::json ->> 'queue' from unnest(_on_discards) o));
    with discarded as materialized (
        select d.o, d.on_discard::json as handler, j.seq, j.id, j.name, j.max_attempts, j.payload, j.meta, f.attempt, q.name as queue
        from unnest(_seqs, _on_discards) with ordinality d (seq, on_discard, o)
            join jobs j on j.seq = any (array[d.seq])
            join finished f on f.seq = any (array[d.seq])
            join queues q on q.id = any (array[j.queue_id])),
    new as (
        insert into jobs (
            id, queue_id, name, priority, max_attempts, pushed_at, run_at, payload, meta, on_discard)
        select gen_random_uuid(), (select id from queues where name = handler ->> 'queue'), handler ->> 'name',
            (handler ->> 'priority')::integer, (handler ->> 'max_attempts')::bigint, _now, _now,
            -- The payload is copied as text, byte for byte.
            format('{%s:{"id":%s,"name":%s,"queue":%s,"attempt":%s,"max_attempts":%s,"errors":[%s],"payload":%s}}',
                to_json(handler ->> 'parameter'), to_json(id), to_json(name), to_json(queue), attempt, max_attempts,
                (select string_agg(format('{"attempt":%s,"at":%s,"message":%s}', e.attempt, e.failed_at,
                        to_json(e.message)), ',' order by e.fence)
                    from (select * from failures e where e.seq = d.seq order by e.fence desc limit 20) e),
                payload),
            meta, 'null'
        from discarded d order by o
        returning seq, queue_id, priority, run_at)
    select array_agg(queue_id order by seq), array_agg(priority order by seq), array_agg(seq order by seq)
    into _queue_ids, _priorities, _new_seqs from new;
    insert into ready (queue_id, priority, run_at, seq)
    select queue_id, priority, _now, seq from unnest(_queue_ids, _priorities, _new_seqs) u (queue_id, priority, seq);
    perform note_ready(queue_id, null, _now, 1) from unnest(_queue_ids) queue_id;
end $$;
comment on function store_on_discard is
    'Stores a job for each of these discarded jobs, as its element of _on_discards says: see jobs.on_discard. Its payload is '
    'an object with one parameter, the discarded job with its errors and its payload. It has the metadata of that job, and '
    'no limit on sizes applies to it. Creates the queues that do not exist.';
