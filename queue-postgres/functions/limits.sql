-- The limits of queues. Each function that changes them holds the lock of the queue's claims.

create or replace function lock_limits(_queue text) returns integer
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    _id integer;
begin
    perform ensure_queues(array[_queue]);
    _id := (select id from queues where name = _queue);
    -- Claims that take the queue for a plain one end first.
    perform pg_advisory_xact_lock(share_lock(_id));
    perform share_queues(array[_queue]);
    if not exists (select from shares where queue_id = _id and is_adopted) then
        perform adopt(_id);
    end if;
    perform from shares where queue_id = _id for update;
    return _id;
end $$;
comment on function lock_limits is 'Makes a queue shared, locks it for a change of its limits, and returns its id.';

create or replace function apply_limits(_queue_id integer) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
    _own text[] := array(select distinct l.partition from limits l where l.queue_id = _queue_id and l.scope = 2);
    _row_ids tid[];
begin
    update shares s set has_limits = exists (select from limits l where l.queue_id = _queue_id), max_running = t.max_running,
        rate_interval = t.rate_interval, rate_burst = t.rate_burst
    from terms_of(_queue_id, 0, '') t where s.queue_id = _queue_id;
    update partitions p set max_running = t.max_running, rate_interval = t.rate_interval, rate_burst = t.rate_burst, weight = t.weight
    from terms_of(_queue_id, 1, '') t
    where p.queue_id = _queue_id
        and (p.max_running, p.rate_interval, p.rate_burst, p.weight)
            is distinct from (t.max_running, t.rate_interval, t.rate_burst, t.weight)
        and p.name <> all (_own);
    -- By row ids: a plan that was made for few partitions could read all of them.
    _row_ids := array(
        select r.id from unnest(_own) w (name) cross join lateral (
            select o.ctid as id from partitions o where o.queue_id = _queue_id and o.name = w.name limit 1) r);
    update partitions p set max_running = t.max_running, rate_interval = t.rate_interval, rate_burst = t.rate_burst, weight = t.weight
    from unnest(_own) own (name) cross join lateral terms_of(_queue_id, 2, own.name) t
    where p.ctid = any (_row_ids) and p.name = own.name;
end $$;
comment on function apply_limits is 'Copies the limits in force to the share of a queue and to its partitions.';

create or replace function declare_limits(
    _queue text, _scopes smallint[], _partitions text[], _running bigint[], _starts bigint[], _per_ns bigint[], _bursts bigint[],
    _weights integer[], _channel text, _sender text
) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    _id integer;
begin
    if cardinality(_scopes) = 0 and not exists (select from queues where name = _queue and is_shared) then
        perform ensure_queues(array[_queue]);
        return;
    end if;
    _id := lock_limits(_queue);
    delete from limits where queue_id = _id and not is_set;
    insert into limits (queue_id, scope, partition, is_set, running, starts, per_ns, burst, weight)
    select _id, u.scope, u.partition, false, u.running, u.starts, u.per_ns, u.burst, u.weight
    from unnest(_scopes, _partitions, _running, _starts, _per_ns, _bursts, _weights)
        u (scope, partition, running, starts, per_ns, burst, weight);
    perform apply_limits(_id);
    if _channel is not null then
        perform pg_notify(_channel, _sender);
    end if;
end $$;
comment on function declare_limits is
    'Replaces the declared limits of a queue, and notifies the channel _channel with _sender unless that is null. The arrays have an '
    'element for each limit: see limits.';

create or replace function set_limit(
    _queue text, _scope smallint, _partition text, _running bigint, _starts bigint, _per_ns bigint, _burst bigint,
    _weight integer, _channel text, _sender text
) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    _id integer := lock_limits(_queue);
begin
    delete from limits where queue_id = _id and scope = _scope and partition = _partition and is_set;
    if _weight is not null then
        insert into limits (queue_id, scope, partition, is_set, running, starts, per_ns, burst, weight)
        values (_id, _scope, _partition, true, _running, _starts, _per_ns, _burst, _weight);
    end if;
    perform apply_limits(_id);
    if _channel is not null then
        perform pg_notify(_channel, _sender);
    end if;
end $$;
comment on function set_limit is
    'Sets the limit of an operator, or takes it back if _weight is null. Notifies the channel _channel with _sender unless that is '
    'null. See the columns of limits.';

create or replace function usage(_queue text) returns table (
    now bigint, total_free_at bigint, partition text, ready bigint, running bigint, free_at bigint
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
#variable_conflict use_column
declare
    _now bigint := clock();
    _id integer := (select q.id from queues q where q.name = _queue);
    _total bigint := (select s.free_at from shares s where s.queue_id = _id);
begin
    return query
    select _now, _total, null::text, null::bigint, null::bigint, null::bigint
    union all
    select _now, _total, u.partition, sum(u.ready)::bigint, sum(u.running)::bigint, max(u.free_at) from (
        -- A job that names a partition is in the counts, with the changes that no claim has added yet.
        select p.name as partition, p.ready, 0 as running, 0::bigint as free_at
        from partitions p where p.queue_id = _id and p.ready <> 0 and p.name <> ''
        union all
        select c.partition, c.ready, 0, 0 from partition_changes c where c.queue_id = _id and c.partition <> ''
        union all
        select r.partition, count(*), 0, 0 from ready r where r.queue_id = _id and r.partition = '' group by r.partition
        union all
        select coalesce(j.partition, ''), count(*), 0, 0
        from waiting w join jobs j on j.seq = any (array[w.seq])
        where w.queue_id = _id and w.state in (0, 3) and w.due <= _now group by 1
        union all
        select coalesce(l.partition, ''), count(*) filter (where l.expires_at <= _now and l.cancel_reason is null
                and l.attempt < (select j.max_attempts from jobs j where j.seq = l.seq)),
            count(*) filter (where l.expires_at > _now), 0
        from leases l where l.queue_id = _id group by 1
        union all
        select p.name, 0, 0, p.free_at from partitions p where p.queue_id = _id and p.free_at > _now
        union all
        select c.partition, 0, 0, c.hold_until from partition_changes c where c.queue_id = _id and c.hold_until > _now) u
    group by u.partition;
end $$;
comment on function usage is
    'Returns the use of a queue: first a row with the time and shares.free_at, then a row for each partition that has ready or running '
    'jobs or may start none yet. Reads the partitions and the running jobs of the queue, and its ready jobs that name no partition.';
