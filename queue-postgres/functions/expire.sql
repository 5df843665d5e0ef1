-- How leases expire. `promote_and_expire` calls `expire` for every expired lease; functions that must know the state of one
-- job first call `expire_lease`.

create or replace function expire(_row_ids tid[]) returns text[]
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    discarded text[];
    _seqs bigint[];
    _on_discards text[];
    _shared integer[] := shared_queues();
begin
    with gone as (delete from leases where ctid = any (_row_ids) returning *),
    ended as materialized (
        select g.*, j.max_attempts,
            case when g.cancel_reason is not null then 6 when g.attempt >= j.max_attempts then 5 else 1 end as state
        from gone g join jobs j on j.seq = any (array[g.seq])),
    noted as (
        insert into failures (seq, fence, attempt, failed_at, message)
        select seq, fence, attempt, expires_at, format(
            'the lease expired on attempt %s of %s: the worker died, or could not renew it in time',
            attempt, max_attempts)
        from ended),
    counted as (
        insert into history_parts (minute, run_time, completed, failed, discarded, queue_id, name)
        select minute_of(expires_at), run_time_of(sum(greatest(expires_at - claimed_at, 0))), 0, count(*),
            count(*) filter (where state = 5), queue_id, name
        from ended group by minute_of(expires_at), queue_id, name),
    back as (
        update jobs j set attempt = e.attempt, fence = e.fence, claimed_at = e.claimed_at
        from ended e where j.seq = any (array[e.seq]) and e.state = 1
        returning j.queue_id, j.priority, j.run_at, j.seq, coalesce(j.partition, '') as partition, e.expires_at),
    again as (
        insert into ready (queue_id, priority, run_at, seq, partition)
        select queue_id, priority, run_at, seq, partition from back),
    shared as (
        insert into partition_changes (queue_id, at, position, partition, ready)
        select queue_id, min(expires_at), expiry_position((array_agg(seq order by expires_at, seq))[1]), partition, count(*)
        from back where queue_id = any (_shared) group by queue_id, partition),
    over as (
        insert into finished (seq, finished_at, fence, attempt, claimed_at, queue_id, state, cancel_reason)
        select seq, expires_at, fence, attempt, claimed_at, queue_id, state, cancel_reason from ended where state > 1)
    select array_agg(format('%s %s %s %s %s', id, attempt, fence, name, (select q.name from queues q where q.id = queue_id))),
        array_agg(seq order by expires_at, seq) filter (where on_discard <> 'null'),
        array_agg(on_discard order by expires_at, seq) filter (where on_discard <> 'null')
    into discarded, _seqs, _on_discards from ended where state = 5;
    if _seqs is not null then
        perform store_on_discard(_seqs, _on_discards, clock());
    end if;
    return discarded;
end $$;
comment on function expire is
    'Ends the leases in these rows, which the caller has locked. A job whose cancellation was requested is cancelled; a job '
    'without further attempts is discarded, and its on_discard job is stored; every other job becomes ready again. '
    'Returns the discarded jobs, each as its '
    'id, its number of attempts, the number of the claim, its name and its queue.';

create or replace function expire_lease(_now bigint, _id uuid) returns text[]
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
begin
    return expire(array(select ctid from leases where id = _id and expires_at <= _now for update));
end $$;
comment on function expire_lease is
    'Ends the lease of one job if it has expired. Waits for a transaction that has locked the lease. Returns the job as '
    'expire() does, if it was discarded.';
