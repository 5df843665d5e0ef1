-- Time: what it is, what it changes, and when it next does.

-- The clock of the queue: all time comes from here.
create function clock() returns bigint
language sql volatile as $$ select (extract(epoch from clock_timestamp()) * 1000000)::bigint $$;

-- Lets time pass: what is due becomes available, and expired leases are void. A few at a time, so that nobody waits long
-- for a flood. What another does at this moment is waited for, or else left to it: whoever holds leases or keys must not
-- wait, since the other may wait for those. It looks at what is due from `_due` on, and expires from `_expiry` on.
create function advance(
    _now bigint, _waits boolean, _due bigint default -9223372036854775808, _expiry bigint default -9223372036854775808
) returns void
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    places tid[];
begin
    if exists (select from waiting where due between _due and _now) then
        if _waits then
            places := array(select ctid from waiting where due between _due and _now order by due, seq limit 5000 for update);
        else
            places := array(
                select ctid from waiting where due between _due and _now order by due, seq limit 5000 for update skip locked);
        end if;
        with due as (delete from waiting where ctid = any (places) returning seq)
        insert into ready select j.line, j.priority, j.run_at, j.seq from due join jobs j on j.seq = due.seq;
    end if;
    if exists (select from leases where expires_at between _expiry and _now) then
        if _waits then
            places := array(select ctid from leases where expires_at between _expiry and _now order by expires_at limit 5000 for update);
        else
            places := array(
                select ctid from leases where expires_at between _expiry and _now order by expires_at limit 5000 for update skip locked);
        end if;
        with gone as (delete from leases where ctid = any (places) returning *),
        ended as materialized (
            select g.*, j.max_attempts,
                case when g.cancel_reason is not null then 6 when g.attempt >= j.max_attempts then 5 else 1 end as state
            from gone g join jobs j on j.seq = g.seq),
        noted as (
            insert into failures (seq, fence, attempt, at, message)
            select seq, fence, attempt, expires_at, format(
                'the lease expired on attempt %s of %s: the worker died, or could not renew it in time',
                attempt, max_attempts)
            from ended),
        back as (
            update jobs j set attempt = e.attempt, fence = e.fence, claimed_at = e.claimed_at
            from ended e where j.seq = e.seq and e.state = 1
            returning j.line, j.priority, j.run_at, j.seq),
        again as (insert into ready select line, priority, run_at, seq from back)
        insert into finished (seq, finished_at, fence, attempt, claimed_at, line, state, cancel_reason)
        select seq, expires_at, fence, attempt, claimed_at, line, state, cancel_reason from ended where state > 1;
    end if;
end $$;

-- When time next changes something, as far as it was looked: a job is due or a lease expires.
create function next_due(_due bigint, _expiry bigint, out due bigint, out expiry bigint)
language plpgsql
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off
set plan_cache_mode = force_generic_plan as $$
begin
    due := (select w.due from waiting w where w.due >= _due order by w.due limit 1);
    expiry := (select e.expires_at from leases e where e.expires_at >= _expiry order by e.expires_at limit 1);
end $$;
