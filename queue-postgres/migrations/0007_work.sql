-- A worker's whole trip to the server, since each costs as much as many jobs.

-- Settles, if `_ids` is given, and then claims, if `_claims` is. The last row tells which settlements applied, as
-- `settle` does, what time it is, and when time next changes something; each other row is a leased job.
create function work(
    _ids uuid[], _fences bigint[], _kinds smallint[], _times bigint[], _texts text[],
    _parents integer[], _new_ids uuid[], _chosen boolean[], _lines integer[], _names text[], _priorities integer[],
    _max_attempts bigint[], _delays bigint[], _new_times bigint[], _keys text[], _windows bigint[], _replaces boolean[],
    _payloads text[], _metas text[], _notify text, _word text,
    _claims integer[], _queues text[], _rooms integer[], _lengths bigint[]
) returns table (
    applied integer[], claim integer, place integer, id uuid, fence bigint, attempt bigint, max_attempts bigint,
    priority integer, pushed_at bigint, run_at bigint, expires_at bigint, name text, payload text, meta text
)
language plpgsql
set search_path from current as $$
#variable_conflict use_column
declare
    _applied integer[] := '{}';
begin
    if _ids is not null then
        _applied := settle(_ids, _fences, _kinds, _times, _texts, _parents, _new_ids, _chosen, _lines, _names, _priorities,
            _max_attempts, _delays, _new_times, _keys, _windows, _replaces, _payloads, _metas, _notify, _word);
    end if;
    if _claims is not null then
        return query select null::integer[], c.* from claim(_claims, _queues, _rooms, _lengths, _ids is null) c;
    end if;
    return query select _applied, -1, -1, null::uuid, 0::bigint, 0::bigint, 0::bigint, 0, clock(), next_due(), 0::bigint,
        null::text, null::text, null::text;
end $$;
