-- What operators do to single jobs, and a check of the tables.

create or replace function detach(_id uuid) returns table (
    seq bigint, state smallint, fence bigint, attempt bigint, max_attempts bigint, claimed_at bigint, queue_id integer,
    priority integer, name text, unique_key text, partition text
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
#variable_conflict use_column
declare
    j jobs;
    f finished;
begin
    -- Another transaction may move the job from one table to the next between these statements: repeat until one finds it.
    loop
        select * into j from jobs where id = _id;
        if not found then
            return;
        end if;
        seq := j.seq; fence := j.fence; attempt := j.attempt; max_attempts := j.max_attempts;
        claimed_at := j.claimed_at; queue_id := j.queue_id; priority := j.priority; name := j.name;
        unique_key := j.unique_key; partition := j.partition;
        delete from ready r
        where r.queue_id = j.queue_id and r.partition = coalesce(j.partition, '') and r.priority = j.priority
            and r.run_at = j.run_at and r.seq = j.seq;
        if found then
            perform note_ready(j.queue_id, j.partition, clock(), -1);
            state := 1;
            return next;
            return;
        end if;
        delete from waiting w where w.due = j.run_at and w.seq = j.seq returning w.state into state;
        if found then
            if j.run_at <= clock() then
                perform note_due(j.queue_id, j.partition, j.run_at, j.seq);
                perform note_ready(j.queue_id, j.partition, clock(), -1);
            end if;
            return next;
            return;
        end if;
        perform 1 from leases l where l.id = _id for update;
        if found then
            state := 2;
            return next;
            return;
        end if;
        delete from finished d where d.seq = j.seq returning * into f;
        if found then
            state := f.state; fence := f.fence; attempt := f.attempt; claimed_at := f.claimed_at;
            return next;
            return;
        end if;
    end loop;
end $$;
comment on function detach is
    'Deletes a job''s row from ready, waiting or finished, and returns the job''s state and columns; no row if there is '
    'no such job. The lease of an executing job stays, and is locked until the transaction ends.';

create or replace function cancel(_id uuid, _reason text) returns text
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    _now bigint := clock();
    t record;
begin
    perform expire_lease(_now, _id);
    if exists (select from jobs j join finished f on f.seq = any (array[j.seq]) where j.id = _id) then
        return 'finished';
    end if;
    select * into t from detach(_id);
    if t.state is null then
        return 'unknown';
    elsif t.state = 2 then
        update leases set cancel_reason = _reason where id = _id;
        return 'requested';
    elsif t.state >= 4 then
        -- The job has just finished, and `detach` deleted its row of `finished`: the error rolls that back.
        raise exception using errcode = 'serialization_failure', message = 'the job has just finished';
    end if;
    insert into finished (seq, finished_at, fence, attempt, claimed_at, queue_id, state, cancel_reason)
    values (t.seq, _now, t.fence, t.attempt, t.claimed_at, t.queue_id, 6, _reason);
    return 'cancelled';
end $$;
comment on function cancel is
    'Cancels a job that is not executing, or requests the cancellation of an executing one. Returns cancelled, requested, '
    'finished or unknown.';

create or replace function retry(_id uuid, _channel text, _sender text) returns text
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    _now bigint := clock();
    t record;
    j jobs;
    holder unique_keys;
begin
    perform expire_lease(_now, _id);
    select * into j from jobs where id = _id;
    if j.unique_key is not null and exists (select from finished where seq = j.seq) then
        insert into unique_keys (name, key) values (j.name, j.unique_key)
        on conflict (name, key) do update set key = excluded.key
        returning * into holder;
        if holder.seq <> j.seq and is_key_held(holder, _now) then
            return holder.id::text;
        end if;
        if holder.seq is distinct from j.seq then
            update unique_keys set seq = j.seq, id = _id, unique_until = coalesce(j.unique_until, j.pushed_at)
            where name = j.name and key = j.unique_key;
        end if;
    end if;
    select * into t from detach(_id);
    if t.state is null then
        return 'unknown';
    elsif t.state = 2 then
        return 'executing';
    end if;
    update jobs set run_at = _now, attempt = t.attempt, fence = t.fence, claimed_at = t.claimed_at,
        max_attempts = greatest(t.max_attempts, t.attempt + 1)
    where seq = t.seq;
    insert into ready values (t.queue_id, t.priority, _now, t.seq, coalesce(t.partition, ''));
    perform note_ready(t.queue_id, t.partition, _now, 1);
    delete from results where seq = t.seq;
    if _channel is not null then
        perform pg_notify(_channel, _sender);
    end if;
    return 'done';
end $$;
comment on function retry is
    'Makes a finished or waiting job ready now, with at least one more attempt, and notifies the channel _channel with '
    '_sender unless that is null. Returns done, executing or unknown, or the id of the job that holds the unique key.';

create or replace function delete_job(_id uuid) returns text
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    _now bigint := clock();
    t record;
begin
    perform expire_lease(_now, _id);
    select * into t from detach(_id);
    if t.state is null then
        return 'unknown';
    elsif t.state = 2 then
        return 'executing';
    end if;
    perform purge(array[t.seq], 9223372036854775807);
    return 'done';
end $$;
comment on function delete_job is
    'Deletes a job that is not executing, and releases its unique key. Returns done, executing or unknown.';

create or replace function check_integrity() returns table (rule text, violation text)
language plpgsql
set search_path from current as $$
begin
    return query
    select 'a job has exactly one row in ready, waiting, leases and finished', j.id::text from jobs j where 1 <>
        (select count(*) from ready r
            where (r.queue_id, r.partition, r.priority, r.run_at, r.seq)
                = (j.queue_id, coalesce(j.partition, ''), j.priority, j.run_at, j.seq))
        + (select count(*) from waiting w where (w.due, w.seq) = (j.run_at, j.seq))
        + (select count(*) from leases l where l.id = j.id and l.seq = j.seq)
        + (select count(*) from finished f where f.seq = j.seq)
    union all
    select 'a row in ready, waiting, leases or finished belongs to a job', s.seq::text
    from (select seq from ready union all select seq from waiting union all select seq from leases union all
        select seq from finished) s
    where not exists (select from jobs j where j.seq = s.seq)
    union all
    select 'a unique key whose time is over belongs to a job', k.key from unique_keys k
    where k.seq is null or (k.unique_until <= clock() and not exists (select from jobs j where j.seq = k.seq))
    union all
    select 'a failure belongs to a job', f.seq::text from failures f
    where not exists (select from jobs j where j.seq = f.seq)
    union all
    select 'a result belongs to a completed job', r.seq::text from results r
    where not exists (select from finished f where f.seq = r.seq and f.state = 4)
    union all
    select 'a job has at most as many attempts as claims', j.id::text
    from jobs j left join finished f on f.seq = j.seq
    where coalesce(f.attempt, j.attempt) > coalesce(f.fence, j.fence)
    union all
    select 'a job that names a partition is in a shared queue', j.id::text
    from jobs j join queues q on q.id = j.queue_id where j.partition is not null and not q.is_shared
    union all
    select 'no lease of a partition has a lower turn than its queue says', l.id::text
    from leases l join shares s on s.queue_id = l.queue_id where l.partition is not null and l.turn < s.lease_turn
    union all
    -- Those of jobs that name no partition are counted again when they are not right.
    select 'a partition counts its ready jobs', format('%s of queue %s', coalesce(r.partition, c.partition),
        (select q.name from queues q where q.id = coalesce(r.queue_id, c.queue_id)))
    from (select r.queue_id, r.partition, count(*) as ready from ready r where r.partition <> '' group by 1, 2) r
        full join (
            select p.queue_id, p.name as partition, sum(p.ready) as ready from (
                select p.queue_id, p.name, p.ready from partitions p
                union all
                select c.queue_id, c.partition, c.ready from partition_changes c) p
            where p.name <> '' group by 1, 2) c
        on c.queue_id = r.queue_id and c.partition = r.partition
    where coalesce(r.ready, 0) <> coalesce(c.ready, 0);
end $$;
comment on function check_integrity is
    'Returns a row for each violation of a rule of the tables: the rule, and the id, seq or unique key that breaks it; no '
    'row if the tables are intact. Reads all tables, so it takes long if there are many jobs; it changes and locks nothing.';
