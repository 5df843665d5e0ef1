-- The announcements of workers. Before `claim.sql` and `prune.sql`, which call these functions.

create or replace function forget_workers(_now bigint) returns void
language plpgsql
set search_path from current set jit = off as $$
declare
    _kept bigint;
begin
    -- Mostly, no row is old: the table is small.
    if exists (select from workers where coalesce(expires_at, 0) <= _now - 3600000000)
        or (select count(*) from workers where expires_at <= _now) > 200
    then
        _kept := (select expires_at from workers where expires_at <= _now order by expires_at desc offset 199 limit 1);
        delete from workers w
        where (coalesce(w.expires_at, 0) <= _now - 3600000000 or w.expires_at < _kept)
            and not exists (select from leases l where l.worker_id = w.id);
    end if;
end $$;
comment on function forget_workers is
    'Deletes the rows of workers that hold no lease, and that vanished more than an hour ago, are not among the last 200 that '
    'vanished, or have stopped or never announced themselves. If a claim names such a worker at the same time, its lease may '
    'have no worker.';

create or replace function worker_id_of(_name text) returns integer
language plpgsql
set search_path from current as $$
begin
    insert into workers (name) values (_name) on conflict (name) do nothing;
    return (select w.id from workers w where w.name = _name);
end $$;
comment on function worker_id_of is 'Returns the id of a worker, which it inserts if it does not exist.';

create or replace function announce(_name text, _valid_for bigint, _details text) returns void
language plpgsql
set search_path from current set jit = off as $$
declare
    _now bigint := clock();
    _until bigint := _now + least(_valid_for, 9223372036854775807 - _now);
begin
    if _valid_for <= 0 then
        update workers set seen_at = null, expires_at = null, details = null where name = _name;
    else
        update workers set seen_at = _now, expires_at = _until, details = _details where name = _name;
        if not found then
            insert into workers (name, seen_at, expires_at, details) values (_name, _now, _until, _details)
            on conflict (name) do update set seen_at = _now, expires_at = _until, details = _details;
        end if;
    end if;
    perform forget_workers(_now);
end $$;
comment on function announce is
    'Stores the announcement of a running worker, which expires after _valid_for microseconds. If that is zero, stores that the '
    'worker has stopped.';
