-- The partitions of shared queues: what other functions append to `partition_changes`.
--
-- Whatever inserts or deletes rows of `ready` appends the difference for each partition of a shared queue, in the same
-- transaction. A statement that began before its queue became shared may leave out the partition of the jobs that name none;
-- `fold` notices that. A job that names a partition is only stored in a shared queue.

create or replace function shared_queues() returns integer[]
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off
set plan_cache_mode = force_generic_plan as $$
begin
    return array(select id from queues where is_shared);
end $$;
comment on function shared_queues is 'Returns the ids of the shared queues.';

create or replace function share_queues(_names text[]) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
begin
    -- All transactions lock these rows in the same order.
    perform from queues where name = any (_names) and not is_shared order by id for update;
    update queues set is_shared = true where name = any (_names) and not is_shared;
end $$;
comment on function share_queues is 'Makes these queues shared. Waits for transactions that do the same.';

create or replace function note_ready(
    _queue_id integer, _partition text, _at bigint, _change integer, _priority integer default null
) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off
set plan_cache_mode = force_generic_plan as $$
begin
    insert into partition_changes (queue_id, at, partition, ready, priority)
    select _queue_id, _at, coalesce(_partition, ''), _change, _priority from queues where id = _queue_id and is_shared;
end $$;
comment on function note_ready is
    'Notes that the number of ready jobs of a partition has changed, if the queue is shared. _partition: null for jobs that name '
    'none. _priority: that of the job; null if its run_at may be before _at.';

create or replace function note_due(_queue_id integer, _partition text, _due bigint, _seq bigint) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off
set plan_cache_mode = force_generic_plan as $$
begin
    insert into partition_changes (queue_id, at, position, partition, ready)
    select _queue_id, _due, due_position(_seq), coalesce(_partition, ''), 1 from queues where id = _queue_id and is_shared;
end $$;
comment on function note_due is
    'Notes that a job has become due at _due, for a caller that takes it out of waiting at once: in the meantime it was ready.';

create or replace function due_position(_seq bigint) returns bigint
language sql immutable as $$ select _seq - 9223372036854775807 $$;
comment on function due_position is
    'Returns partition_changes.position of a job that has become due: before all other changes of the same time, in push order.';

create or replace function expiry_position(_seq bigint) returns bigint
language sql immutable as $$ select _seq - 4611686018427387904 $$;
comment on function expiry_position is
    'Returns partition_changes.position of an expired lease: after the jobs that became due at the same time, in push order.';
