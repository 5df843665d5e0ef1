-- The clock, and what happens when time passes.
--
-- `claim` first calls `promote_and_expire`, so a job becomes ready when a worker next claims. `next_wakeup` returns when the
-- next claim is worthwhile. `next_wakeup` runs under the search path and the planner's options of `claim`.
--
-- The functions that change jobs join a set of rows `s` to a table `t` by `t.x = any (array[s.x])`, not by `t.x = s.x`. After a
-- vacuum of an empty table, the planner expects one row in that table, however many rows it has soon. With `t.x = s.x`, the plan
-- then reads the whole table in the order of an index on x, and compares each row with the whole set. An array has no order that
-- an index could help with, so the only plan that is left looks each row up. `expires_at + 0` hides the condition from the index on
-- expires_at for the same reason.

create or replace function clock() returns bigint
language sql volatile as $$ select (extract(epoch from clock_timestamp()) * 1000000)::bigint $$;
comment on function clock is
    'Returns the time in microseconds since the Unix epoch. Every time in the tables comes from this function.';

create or replace function promote_and_expire(_now bigint, _from_due bigint, _from_expiry bigint) returns text[]
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _row_ids tid[];
    _shared integer[];
begin
    if exists (select from waiting where due between _from_due and _now) then
        _row_ids := array(
            select ctid from waiting where due between _from_due and _now
            order by due, seq limit 5000 for update skip locked);
        _shared := shared_queues();
        with due as (delete from waiting where ctid = any (_row_ids) returning seq),
        found as materialized (
            select j.queue_id, j.priority, j.run_at, j.seq, coalesce(j.partition, '') as partition
            from due join jobs j on j.seq = any (array[due.seq])),
        noted as (
            insert into partition_changes (queue_id, at, position, partition, ready, priority)
            select queue_id, min(run_at), due_position((array_agg(seq order by run_at, seq))[1]), partition, count(*), min(priority)
            from found where queue_id = any (_shared) group by queue_id, partition)
        insert into ready (queue_id, priority, run_at, seq, partition)
        select queue_id, priority, run_at, seq, partition from found;
    end if;
    if exists (select from leases where expires_at between _from_expiry and _now) then
        _row_ids := array(
            select ctid from leases where expires_at between _from_expiry and _now
            order by expires_at limit 5000 for update skip locked);
        return expire(_row_ids);
    end if;
    return null;
end $$;
comment on function promote_and_expire is
    'Makes due jobs ready and ends expired leases: at most 5,000 of each, so that a flood of them delays no claim for long. '
    'Rows that another transaction has locked are left to that transaction. The scans start at the times _from_due and '
    '_from_expiry. Returns the discarded jobs, as expire() does.';

create or replace function next_wakeup(
    _now bigint, _from_due bigint, _from_expiry bigint,
    out due bigint, out expiry bigint, out next_due bigint, out next_expiry bigint
)
language plpgsql as $$
begin
    select
        (select w.due from waiting w where w.due >= _from_due order by w.due limit 1),
        (select l.expires_at from leases l where l.expires_at >= _from_expiry order by l.expires_at limit 1)
    into due, expiry;
    next_due := due;
    if due <= _now then
        next_due := (select w.due from waiting w where w.due > _now order by w.due limit 1);
    end if;
    next_expiry := expiry;
    if expiry <= _now then
        next_expiry := (select l.expires_at from leases l where l.expires_at > _now order by l.expires_at limit 1);
    end if;
end $$;
comment on function next_wakeup is
    'Returns when the next job is due and the next lease expires. due and expiry are the earliest of all from the times '
    '_from_due and _from_expiry on; those before _now are locked by another transaction, or exceed the limit of '
    'promote_and_expire(). next_due and next_expiry are the earliest after _now.';
