-- Changes to many jobs.

create or replace function hold(_id uuid, out state integer, out finished_at bigint)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
#variable_conflict use_column
declare
    j jobs;
begin
    -- Another transaction may move the job from one table to the next between these statements: repeat until one finds it.
    loop
        select * into j from jobs where id = _id;
        if not found then
            return;
        end if;
        perform from ready r
        where r.queue_id = j.queue_id and r.partition = coalesce(j.partition, '') and r.priority = j.priority
            and r.run_at = j.run_at and r.seq = j.seq for update;
        if found then
            state := 1;
            return;
        end if;
        select w.state into state from waiting w where w.due = j.run_at and w.seq = j.seq for update;
        if found then
            if j.run_at <= clock() then
                state := 1;
            end if;
            return;
        end if;
        perform from leases l where l.id = _id for update;
        if found then
            state := 2;
            return;
        end if;
        select f.state, f.finished_at into state, finished_at from finished f where f.seq = j.seq for update;
        if found then
            return;
        end if;
    end loop;
end $$;
comment on function hold is
    'Locks the state of a job until the transaction ends, and returns it with the time at which the job finished; null if '
    'there is no such job. A due job is available. The caller must first end the lease of the job if the lease has expired.';

create or replace function expire_leases(_now bigint, _ids uuid[]) returns text[]
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
begin
    return expire(array(select ctid from leases where id = any (_ids) and expires_at <= _now order by id for update));
end $$;
comment on function expire_leases is
    'Ends the expired leases of these jobs. Waits for transactions that have locked them. Returns the jobs that were discarded, '
    'as expire() does.';

create or replace function detach_jobs(
    _now bigint, _ids uuid[], _states bigint, _since bigint, _before bigint, _with_keys boolean
) returns table (
    id uuid, seq bigint, queue_id integer, priority integer, fence bigint, attempt bigint, claimed_at bigint, partition text,
    was_ready boolean
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
begin
    return query
    with asked as materialized (
        select j.id, j.seq, j.queue_id, j.priority, j.fence, j.attempt, j.claimed_at, j.run_at, j.unique_key, j.partition from jobs j
        where j.id = any (_ids)),
    -- Each row is found by its key. `limit` prevents a plan that reads a table whole because it was empty when it was analyzed.
    from_ready as (
        delete from ready where ctid = any (array(
            select r.ctid from asked a cross join lateral (
                select ctid from ready r
                where r.queue_id = a.queue_id and r.partition = coalesce(a.partition, '') and r.priority = a.priority
                    and r.run_at = a.run_at and r.seq = a.seq
                limit 1) r
            where (_states >> 1) & 1 = 1))
        returning seq),
    from_waiting as (
        delete from waiting where ctid = any (array(
            select w.ctid from asked a cross join lateral (
                select ctid, state from waiting w where w.due = a.run_at and w.seq = a.seq limit 1) w
            where (_states >> case when a.run_at <= _now then 1 else w.state end) & 1 = 1))
        returning seq),
    from_finished as (
        delete from finished where ctid = any (array(
            select f.ctid from asked a cross join lateral (
                select ctid, state, finished_at from finished f where f.seq = a.seq limit 1) f
            where (_states >> f.state) & 1 = 1 and (_with_keys or a.unique_key is null)
                and (_since is null or f.finished_at >= _since) and (_before is null or f.finished_at < _before)))
        returning seq, fence, attempt, claimed_at),
    due as (
        insert into partition_changes (queue_id, at, position, partition, ready)
        select a.queue_id, a.run_at, due_position(a.seq), coalesce(a.partition, ''), 1
        from asked a join from_waiting w on w.seq = a.seq
        where a.run_at <= _now and a.queue_id = any (shared_queues()))
    select a.id, a.seq, a.queue_id, a.priority, a.fence, a.attempt, a.claimed_at, a.partition, a.run_at <= _now
    from asked a join (select seq from from_ready union all select seq from from_waiting) g on g.seq = a.seq
    union all
    select a.id, a.seq, a.queue_id, a.priority, f.fence, f.attempt, f.claimed_at, a.partition, false
    from asked a join from_finished f on f.seq = a.seq;
end $$;
comment on function detach_jobs is
    'Deletes the rows of these jobs from ready, waiting or finished, if their states are among _states, and returns the jobs. '
    'was_ready: whether the job was ready, which the caller notes. A finished job is taken if it finished from _since on and before _before and, without _with_keys, has no unique key. A '
    'job that another transaction moves at this moment is left.';

create or replace function cancel_jobs(
    _now bigint, _ids uuid[], _states bigint, _reason text, out changed uuid[], out refused uuid[]
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
begin
    with gone as materialized (
        -- The states scheduled, available and retryable.
        select * from detach_jobs(_now, _ids, _states & 11, null, null, true)),
    ended as (
        insert into finished (seq, finished_at, fence, attempt, claimed_at, queue_id, state, cancel_reason)
        select seq, _now, fence, attempt, claimed_at, queue_id, 6, _reason from gone),
    noted as (
        insert into partition_changes (queue_id, at, partition, ready)
        select queue_id, _now, coalesce(partition, ''), -count(*) from gone
        where was_ready and queue_id = any (shared_queues()) group by 1, 3),
    requested as (
        update leases l set cancel_reason = _reason where l.id = any (_ids) and (_states >> 2) & 1 = 1 returning l.id)
    select array_agg(id) into changed from (select id from gone union all select id from requested) c;
    refused := array(
        select j.id from jobs j cross join lateral (select from finished f where f.seq = j.seq limit 1) f
        where j.id = any (_ids));
end $$;
comment on function cancel_jobs is
    'Cancels those of these jobs that wait in one of the states, and requests the cancellation of executing ones. Returns these '
    'jobs, and the finished ones.';

create or replace function retry_jobs(
    _now bigint, _ids uuid[], _states bigint, _since bigint, _before bigint, out changed uuid[], out refused uuid[]
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    gone record;
begin
    for gone in select * from detach_jobs(_now, _ids, _states, _since, _before, false) order by seq loop
        update jobs set run_at = _now, attempt = gone.attempt, fence = gone.fence, claimed_at = gone.claimed_at,
            max_attempts = greatest(max_attempts, gone.attempt + 1)
        where seq = gone.seq;
        insert into ready values (gone.queue_id, gone.priority, _now, gone.seq, coalesce(gone.partition, ''));
        if gone.was_ready then
            perform note_ready(gone.queue_id, gone.partition, _now, -1);
        end if;
        perform note_ready(gone.queue_id, gone.partition, _now, 1);
        delete from results where seq = gone.seq;
        changed := changed || gone.id;
    end loop;
    refused := array(select l.id from leases l where l.id = any (_ids));
end $$;
comment on function retry_jobs is
    'Makes those of these jobs ready that wait or have finished in one of the states, apart from finished ones with a unique key. '
    'Returns these jobs, and the executing ones.';

create or replace function delete_jobs(
    _now bigint, _ids uuid[], _states bigint, _since bigint, _before bigint, out changed uuid[], out refused uuid[]
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _seqs bigint[];
begin
    with gone as materialized (
        select * from detach_jobs(_now, _ids, _states, _since, _before, true)),
    noted as (
        insert into partition_changes (queue_id, at, partition, ready)
        select queue_id, _now, coalesce(partition, ''), -count(*) from gone
        where was_ready and queue_id = any (shared_queues()) group by 1, 3)
    select array_agg(id), array_agg(seq) into changed, _seqs from gone;
    if _seqs is not null then
        perform purge(_seqs, 9223372036854775807);
    end if;
    refused := array(select l.id from leases l where l.id = any (_ids));
end $$;
comment on function delete_jobs is
    'Deletes those of these jobs that wait or have finished in one of the states, and releases their unique keys. Returns these '
    'jobs, and the executing ones.';

create or replace function change_jobs(
    _ids uuid[], _change text, _states bigint, _channel text, _sender text, _since bigint default null,
    _before bigint default null, _reason text default null, out changed bigint, out discarded text[]
)
language plpgsql
set search_path from current set jit = off as $$
declare
    _now bigint := clock();
    _id uuid;
    done record;
    held record;
    answer text;
begin
    discarded := expire_leases(_now, _ids);
    if _change = 'cancel' then
        select * into done from cancel_jobs(_now, _ids, _states, _reason);
    elsif _change = 'retry' and exists (select from jobs where id = any (_ids) and unique_key is not null) then
        -- One by one, in the order of _ids: jobs with a key must not become ready behind all others.
        select null::uuid[] as changed, null::uuid[] as refused into done;
    elsif _change = 'retry' then
        select * into done from retry_jobs(_now, _ids, _states, _since, _before);
    else
        select * into done from delete_jobs(_now, _ids, _states, _since, _before);
    end if;
    changed := coalesce(cardinality(done.changed), 0);
    -- The rest is changed one by one: what another transaction was moving, and what has to take back its unique key.
    for _id in
        select u.id from unnest(_ids) with ordinality u (id, o)
        where not exists (select from unnest(done.changed || done.refused) d (id) where d.id = u.id)
        order by u.o
    loop
        discarded := discarded || expire_lease(_now, _id);
        select * into held from hold(_id);
        continue when held.state is null or (_states >> held.state) & 1 = 0
            or held.finished_at < _since or held.finished_at >= _before;
        answer := case _change
            when 'cancel' then cancel(_id, _reason)
            when 'retry' then retry(_id, null, null)
            when 'delete' then delete_job(_id)
        end;
        if answer in ('done', 'cancelled', 'requested') then
            changed := changed + 1;
        end if;
    end loop;
    if changed > 0 and _channel is not null then
        perform pg_notify(_channel, _sender);
    end if;
end $$;
comment on function change_jobs is
    'Cancels, retries or deletes those of the given jobs that are in one of the states and, if finished, finished from _since on '
    'and before _before. _change: cancel, with _reason; retry; or delete. _states: a bit for each state, see state_name(). '
    'Notifies the channel _channel with _sender unless that is null. Returns the number of changed jobs, and '
    'the jobs that expire() has discarded before the change. A job that does not allow the change stays as it is: see cancel(), '
    'retry() and delete_job().';
