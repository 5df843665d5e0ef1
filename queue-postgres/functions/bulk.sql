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
        where r.queue_id = j.queue_id and r.priority = j.priority and r.run_at = j.run_at and r.seq = j.seq for update;
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

create or replace function change_jobs(
    _ids uuid[], _change text, _states bigint, _channel text, _sender text, _since bigint default null,
    _before bigint default null, _reason text default null, out changed bigint, out discarded text[]
)
language plpgsql
set search_path from current set jit = off as $$
declare
    _now bigint := clock();
    _id uuid;
    held record;
    answer text;
begin
    changed := 0;
    foreach _id in array _ids loop
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
