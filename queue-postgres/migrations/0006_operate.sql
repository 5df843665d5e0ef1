-- What operators do.

-- Takes a job out of the place where it is, and tells what it was there; `state` is null for one that isn't known.
-- An executing job stays where it is, but nobody else can touch its lease until this transaction ends.
create function detach(_id uuid) returns table (
    seq bigint, state smallint, fence bigint, attempt bigint, max_attempts bigint, claimed_at bigint, queue_id integer,
    priority integer, name text, unique_key text
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
#variable_conflict use_column
declare
    j jobs;
    f finished;
begin
    loop
        -- A job that is on its way from one place to the next is looked for until it has arrived.
        select * into j from jobs where id = _id;
        if not found then
            return;
        end if;
        seq := j.seq; fence := j.fence; attempt := j.attempt; max_attempts := j.max_attempts;
        claimed_at := j.claimed_at; queue_id := j.queue_id; priority := j.priority; name := j.name; unique_key := j.unique_key;
        delete from ready r where r.queue_id = j.queue_id and r.priority = j.priority and r.run_at = j.run_at and r.seq = j.seq;
        if found then
            state := 1;
            return next;
            return;
        end if;
        delete from waiting w where w.due = j.run_at and w.seq = j.seq returning w.state into state;
        if found then
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

-- Cancels a waiting job, or asks for the end of an executing one: `cancelled`, `requested`, `finished`, or `unknown`.
create function cancel(_id uuid, _reason text) returns text
language plpgsql
set search_path from current set jit = off as $$
declare
    _now bigint := clock();
    t record;
begin
    perform expire_lease(_now, _id);
    if exists (select from jobs j join finished f on f.seq = j.seq where j.id = _id) then
        return 'finished';
    end if;
    select * into t from detach(_id);
    if t.state is null then
        return 'unknown';
    elsif t.state = 2 then
        update leases set cancel_reason = _reason where id = _id;
        return 'requested';
    elsif t.state >= 4 then
        -- It has just finished; this puts it back as it was.
        raise exception using errcode = 'serialization_failure', message = 'the job has just finished';
    end if;
    insert into finished (seq, finished_at, fence, attempt, claimed_at, queue_id, state, cancel_reason)
    values (t.seq, _now, t.fence, t.attempt, t.claimed_at, t.queue_id, 6, _reason);
    return 'cancelled';
end $$;

-- Makes a finished or waiting job available now: `done`, `executing`, `unknown`, or the job that holds its unique key.
create function retry(_id uuid, _channel text, _sender text) returns text
language plpgsql
set search_path from current set jit = off as $$
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
    insert into ready values (t.queue_id, t.priority, _now, t.seq);
    if _channel is not null then
        perform pg_notify(_channel, _sender);
    end if;
    return 'done';
end $$;

-- Removes jobs and what belongs to them, by their places in push order; a key that is held until later stays so.
create function purge(_seqs bigint[], _now bigint) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
    with gone as (delete from jobs where seq = any (_seqs) returning seq, name, unique_key)
    delete from unique_keys k using gone g
    where g.unique_key is not null and k.name = g.name and k.key = g.unique_key and k.seq = g.seq and k.unique_until <= _now;
    delete from failures where seq = any (_seqs);
end $$;

-- Removes a job: `done`, `executing` or `unknown`. Its key is free then.
create function delete_job(_id uuid) returns text
language plpgsql
set search_path from current set jit = off as $$
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

-- Removes finished jobs that are old enough, the longest finished first, and returns their number. An age that is null keeps
-- the jobs of that state. Jobs whose rows or unique keys another transaction has locked are left for the next call.
create function prune(_completed bigint, _discarded bigint, _cancelled bigint, _limit bigint) returns bigint
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
    _now bigint := clock();
    _seqs bigint[];
    _kept bigint[];
begin
    -- Leases that ended their jobs so long ago are stored as such first.
    perform expire(array(
        select l.ctid from leases l join jobs j on j.seq = l.seq
        where l.expires_at <= _now - least(_discarded, _cancelled)
            and (l.cancel_reason is not null or l.attempt >= j.max_attempts)
        order by l.expires_at limit _limit for update of l skip locked));
    _seqs := array(
        select seq from (
            select * from (select finished_at, seq from finished where state = 4 and finished_at <= _now - _completed
                order by finished_at, seq limit _limit for update skip locked) a
            union all
            select * from (select finished_at, seq from finished where state = 5 and finished_at <= _now - _discarded
                order by finished_at, seq limit _limit for update skip locked) a
            union all
            select * from (select finished_at, seq from finished where state = 6 and finished_at <= _now - _cancelled
                order by finished_at, seq limit _limit for update skip locked) a) old
        order by finished_at, seq limit _limit);
    -- A key goes with its job. Where it's locked, both stay.
    with keyed as (
        select j.seq, k.name, k.key from jobs j join unique_keys k on k.name = j.name and k.key = j.unique_key and k.seq = j.seq
        where j.seq = any (_seqs)),
    free as materialized (
        select k.seq from keyed y join unique_keys k on k.name = y.name and k.key = y.key for update of k skip locked)
    select array_agg(seq) into _kept from keyed where seq not in (select seq from free);
    _seqs := array(select seq from unnest(_seqs) seq where seq <> all (coalesce(_kept, '{}')));
    delete from finished where seq = any (_seqs);
    perform purge(_seqs, _now);
    return cardinality(_seqs);
end $$;
