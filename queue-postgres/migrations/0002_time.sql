-- Time: what it is, what it changes, and when it next does.

-- The clock of the queue: all time comes from here.
create function clock() returns bigint
language sql volatile as $$ select (extract(epoch from clock_timestamp()) * 1000000)::bigint $$;

-- Ends the leases in these rows, which the caller has locked. A job with an attempt left is ready again; otherwise it's
-- discarded, or cancelled if that was requested. Returns the discarded ones, each as its id, name and number of attempts.
create function expire(_row_ids tid[]) returns text[]
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    discarded text[];
begin
    with gone as (delete from leases where ctid = any (_row_ids) returning *),
    ended as materialized (
        select g.*, j.max_attempts, j.name,
            case when g.cancel_reason is not null then 6 when g.attempt >= j.max_attempts then 5 else 1 end as state
        from gone g join jobs j on j.seq = g.seq),
    noted as (
        insert into failures (seq, fence, attempt, failed_at, message)
        select seq, fence, attempt, expires_at, format(
            'the lease expired on attempt %s of %s: the worker died, or could not renew it in time',
            attempt, max_attempts)
        from ended),
    back as (
        update jobs j set attempt = e.attempt, fence = e.fence, claimed_at = e.claimed_at
        from ended e where j.seq = e.seq and e.state = 1
        returning j.queue_id, j.priority, j.run_at, j.seq),
    again as (insert into ready select queue_id, priority, run_at, seq from back),
    over as (
        insert into finished (seq, finished_at, fence, attempt, claimed_at, queue_id, state, cancel_reason)
        select seq, expires_at, fence, attempt, claimed_at, queue_id, state, cancel_reason from ended where state > 1)
    select array_agg(format('%s %s %s', id, name, attempt)) into discarded from ended where state = 5;
    return discarded;
end $$;

-- Lets time pass: due jobs become ready, and expired leases end. It handles at most 5,000 of each, so that a flood holds
-- nobody up, and leaves rows that another transaction has locked to that transaction. It reads due jobs from `_due` on, and
-- leases from `_expiry` on. Returns the discarded jobs, as `expire` does.
create function promote_and_expire(_now bigint, _due bigint, _expiry bigint) returns text[]
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    _row_ids tid[];
begin
    if exists (select from waiting where due between _due and _now) then
        _row_ids := array(
            select ctid from waiting where due between _due and _now order by due, seq limit 5000 for update skip locked);
        with due as (delete from waiting where ctid = any (_row_ids) returning seq)
        insert into ready select j.queue_id, j.priority, j.run_at, j.seq from due join jobs j on j.seq = due.seq;
    end if;
    if exists (select from leases where expires_at between _expiry and _now) then
        _row_ids := array(
            select ctid from leases where expires_at between _expiry and _now
            order by expires_at limit 5000 for update skip locked);
        return expire(_row_ids);
    end if;
    return null;
end $$;

-- Ends the lease of one job if it has expired. It waits for a transaction that has locked that very lease.
create function expire_lease(_now bigint, _id uuid) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
begin
    perform expire(array(select ctid from leases where id = _id and expires_at <= _now for update));
end $$;

-- When the next job is due and the next lease expires. `due` and `expiry` are the earliest of all: those before `_now` are
-- locked by another transaction, or beyond the limit of `promote_and_expire`. `next_due` and `next_expiry` are the earliest after
-- `_now`.
create function next_wakeup(
    _now bigint, _due bigint, _expiry bigint, out due bigint, out expiry bigint, out next_due bigint, out next_expiry bigint
)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off
set plan_cache_mode = force_generic_plan as $$
begin
    due := (select w.due from waiting w where w.due >= _due order by w.due limit 1);
    next_due := due;
    if due <= _now then
        next_due := (select w.due from waiting w where w.due > _now order by w.due limit 1);
    end if;
    expiry := (select l.expires_at from leases l where l.expires_at >= _expiry order by l.expires_at limit 1);
    next_expiry := expiry;
    if expiry <= _now then
        next_expiry := (select l.expires_at from leases l where l.expires_at > _now order by l.expires_at limit 1);
    end if;
end $$;
