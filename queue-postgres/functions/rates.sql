-- The limits in force, and the state of a rate: `queue_core::Rate` in SQL.

create or replace function limit_in_force(_queue_id integer, _scope integer, _partition text) returns limits
language sql stable
set search_path from current as $$
    select l.* from limits l where l.queue_id = _queue_id and l.scope = _scope and l.partition = _partition
    order by l.is_set desc limit 1
$$;
comment on function limit_in_force is 'Returns the limit of a scope: the one that an operator has set, otherwise the declared one.';

create or replace function terms_of(
    _queue_id integer, _scope integer, _partition text, out is_found boolean, out max_running bigint, out rate_interval bigint,
    out rate_burst bigint, out weight integer
)
language plpgsql stable
set search_path from current set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
    _limit limits := limit_in_force(_queue_id, _scope, _partition);
begin
    is_found := _limit.queue_id is not null;
    max_running := _limit.running;
    if _limit.starts is not null then
        rate_burst := _limit.burst;
        rate_interval := greatest(
            (_limit.per_ns / 1000 + _limit.starts - _limit.burst) / (_limit.starts - _limit.burst + 1), 1);
    end if;
    weight := coalesce(_limit.weight, 1);
end $$;
comment on function terms_of is
    'Returns the limit in force of a scope, as the columns of shares and partitions have it, and whether there is one.';

create or replace function starts_available(_now bigint, _free_at bigint, _interval bigint, _burst bigint) returns bigint
language sql immutable as $$
    select case when _free_at > _now then 0 when _interval is null then 9223372036854775807
        else least(_burst, (_now - _free_at) / _interval + 1) end
$$;
comment on function starts_available is 'Returns how many jobs may start at _now by a rate. Without an interval, none is forbidden.';

create or replace function free_after(_now bigint, _free_at bigint, _interval bigint, _burst bigint, _started bigint) returns bigint
language sql immutable as $$
    select case when _interval is null or _started = 0 then _free_at
        else least(greatest(_free_at, _now - _interval::numeric * (_burst - 1)) + _interval::numeric * _started,
            9223372036854775807)::bigint end
$$;
comment on function free_after is 'Returns the state of a rate after _started jobs have started at _now.';
