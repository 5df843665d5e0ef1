-- How jobs are deleted for good.

create or replace function purge(_seqs bigint[], _now bigint) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
    with gone as (delete from jobs where seq = any (_seqs) returning seq, name, unique_key)
    delete from unique_keys k using gone g
    where g.unique_key is not null and k.name = any (array[g.name]) and k.key = g.unique_key and k.seq = g.seq
        and k.unique_until <= _now;
    delete from failures where seq = any (_seqs);
    delete from results where seq = any (_seqs);
end $$;
comment on function purge is
    'Deletes the rows of these jobs from jobs, failures and results, and their unique keys unless these are held beyond _now. The '
    'caller has deleted the rows of their states.';

create or replace function expire_ended(_discarded bigint, _cancelled bigint, _limit bigint) returns text[]
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
begin
    return expire(array(
        select l.ctid from leases l join jobs j on j.seq = any (array[l.seq])
        where l.expires_at <= clock() - least(_discarded, _cancelled)
            and (l.cancel_reason is not null or l.attempt >= j.max_attempts)
        order by l.expires_at limit _limit for update of l skip locked));
end $$;
comment on function expire_ended is
    'Writes the end of at most _limit jobs whose last leases expired at least as many microseconds ago as the lower of these '
    'ages. Returns the discarded jobs, as expire() does.';

create or replace function prune(_completed bigint, _discarded bigint, _cancelled bigint, _limit bigint) returns bigint
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
    _now bigint := clock();
    _seqs bigint[];
    _kept bigint[];
begin
    -- Jobs that ended that long ago because their leases expired have no row in `finished` yet.
    perform expire_ended(_discarded, _cancelled, _limit);
    _seqs := array(
        select old.seq from queues q cross join lateral (
            (select finished_at, seq from finished
            where queue_id = q.id and state = 4 and finished_at <= _now - _completed
            order by finished_at, seq limit _limit)
            union all
            (select finished_at, seq from finished
            where queue_id = q.id and state = 5 and finished_at <= _now - _discarded
            order by finished_at, seq limit _limit)
            union all
            (select finished_at, seq from finished
            where queue_id = q.id and state = 6 and finished_at <= _now - _cancelled
            order by finished_at, seq limit _limit)) old
        order by old.finished_at, old.seq limit _limit);
    _seqs := array(select seq from finished where seq = any (_seqs) for update skip locked);
    -- A job and its unique key are deleted together. If the key is locked, both stay.
    with keyed as (
        select j.seq, k.name, k.key from jobs j
            join unique_keys k on k.name = any (array[j.name]) and k.key = j.unique_key and k.seq = j.seq
        where j.seq = any (_seqs)),
    free as materialized (
        select k.seq from keyed y join unique_keys k on k.name = any (array[y.name]) and k.key = y.key for update of k skip locked)
    select array_agg(seq) into _kept from keyed where seq not in (select seq from free);
    _seqs := array(select seq from unnest(_seqs) seq where seq <> all (coalesce(_kept, '{}')));
    delete from finished where seq = any (_seqs);
    perform purge(_seqs, _now);
    perform forget_workers(_now);
    perform roll_up_history(_now);
    perform forget_partitions(_now);
    return cardinality(_seqs);
end $$;
comment on function prune is
    'Deletes at most _limit jobs that ended at least as many microseconds ago as the age of their state says, oldest '
    'first. An age that is null keeps the jobs of that state. Rolls up the history and forgets unused partitions too. Returns the number of deleted jobs. A job is left for the next '
    'call if another transaction has locked its row or its unique key.';
