-- How jobs are stored by SQL: in triggers, by hand and from other languages.

create or replace function name_problem(_field text, _name text) returns text
language sql immutable
set search_path from current as $$
    select case
        when _name is null then format('`%s` is null', _field)
        when _name = '' then format('`%s` is empty', _field)
        when char_length(_name) > 128
            then format('`%s` has %s characters, the limit is 128: shorten it', _field, char_length(_name))
        else format(
            '`%s` has ''%s'' in it; allowed are `A-Z a-z 0-9 _ . : -`', _field,
            substring(_name collate "C" from '[^A-Za-z0-9_.:-]'))
    end
    where _name is null or _name collate "C" !~ '^[A-Za-z0-9_.:-]{1,128}$'
$$;
comment on function name_problem is 'Returns what is wrong with the name of a job or a queue; null if it is valid.';

create or replace function meta_problem(_meta jsonb) returns text
language plpgsql immutable
set search_path from current as $$
declare
    _key text;
    _type text;
    _bytes bigint;
begin
    if jsonb_typeof(_meta) <> 'object' then
        return format('`meta` is a JSON %s, and must be an object of strings', jsonb_typeof(_meta));
    end if;
    select e.key, jsonb_typeof(e.value) into _key, _type
    from jsonb_each(_meta) e where jsonb_typeof(e.value) <> 'string' limit 1;
    if found then
        return format('`meta` has a JSON %s at `%s`, and takes strings only: cast the value to text', _type, left(_key, 64));
    end if;
    select sum(octet_length(e.key) + octet_length(e.value)) into _bytes from jsonb_each_text(_meta) e;
    if _bytes > 16384 then
        return format('`meta` has %s bytes, the limit is 16384: store the data elsewhere and pass a reference', _bytes);
    end if;
    return null;
end $$;
comment on function meta_problem is 'Returns what is wrong with the metadata of a job; null if it is valid.';

create or replace function enqueue(
    name text, payload jsonb default '{}', queue text default 'default', run_at timestamptz default null,
    priority integer default 0, max_attempts integer default 5, unique_key text default null,
    unique_for interval default null, unique_replace boolean default false, meta jsonb default '{}', id uuid default null,
    notify boolean default true, partition text default null
) returns uuid
language plpgsql
set search_path from current as $$
declare
    _queue text := coalesce(queue, 'default');
    _payload text := payload;
    -- Without an id, the job gets one that sorts by its time of creation (UUID version 7): six bytes of milliseconds replace
    -- random ones, and two bits change version 4 to 7.
    _id uuid := coalesce(id, encode(set_bit(set_bit(
        overlay(uuid_send(gen_random_uuid()) placing substring(int8send(clock() / 1000) from 3) from 1 for 6),
        52, 1), 53, 1), 'hex')::uuid);
    _problem text;
    _time bigint;
    _unique_for bigint;
    _channel text;
    _kind smallint;
    _job uuid;
    _partition text := nullif(partition, '');
begin
    _problem := coalesce(
        name_problem('name', name), name_problem('queue', _queue),
        case
            when max_attempts < 1 then format('`max_attempts` is %s, and must be at least 1', max_attempts)
            when _payload is null then '`payload` is null: pass a JSON value, such as ''{}'''
            when octet_length(_payload) > 1048576 then format(
                '`payload` has %s bytes, the limit is 1048576: store the data elsewhere and pass a reference',
                octet_length(_payload))
            when unique_key = '' then '`unique_key` is empty: pass null for a job without one'
            when octet_length(unique_key) > 256
                then format('`unique_key` has %s bytes, the limit is 256: hash the key', octet_length(unique_key))
            when unique_key is null and (unique_for is not null or unique_replace)
                then '`unique_for` and `unique_replace` need a `unique_key`'
            when unique_for < interval '0' then format('`unique_for` is %s, and must not be negative', unique_for)
            when octet_length(_partition) > 128
                then format('`partition` has %s bytes, the limit is 128: shorten it', octet_length(_partition))
            when _partition ~ '[\u0001-\u001f\u007f-\u009f]'
                then '`partition` has a control character in it; control characters are not allowed'
            when run_at = '-infinity' then '`run_at` is -infinity: pass null for a job that is due now'
            when not isfinite(run_at) or extract(epoch from run_at) > 9223372036854
                then format('`run_at` is %s, which leads past the end of time', run_at)
        end,
        meta_problem(meta));
    if _problem is not null then
        raise exception using errcode = 'invalid_parameter_value',
            message = format('job `%s`: %s', left(name, 64), _problem);
    end if;
    _time := extract(epoch from run_at) * 1000000;
    if unique_for is not null then
        _unique_for := least(extract(epoch from unique_for) * 1000000, 9e18);
    end if;
    -- A server without room for notifications would fail the commit.
    if coalesce(notify, true) and pg_notification_queue_usage() < 0.9 then
        _channel := 'queue_jobs:' || current_schema();
    end if;
    for attempt in 1 .. 2 loop
        select p.kind, p.job into _kind, _job
        from push(
            array[_queue], array[_id], case when id is not null then array[true] end, array[1], array[name],
            array[coalesce(priority, 0)], array[coalesce(max_attempts, 5)::bigint], null,
            case when _time is not null then array[_time] end, case when unique_key is not null then array[unique_key] end,
            case when _unique_for is not null then array[_unique_for] end, array[unique_replace], array[_payload],
            case when meta <> '{}' then array[meta::text] end, null,
            case when _partition is not null then array[_partition] end, _channel, 'sql+') p;
        if _kind is distinct from -2 then
            return coalesce(_job, _id);
        end if;
        perform ensure_queues(array[_queue]);
        if _partition is not null then
            perform share_queues(array[_queue]);
        end if;
    end loop;
    raise exception using errcode = 'serialization_failure',
        message = format('the queue `%s` was deleted meanwhile: try again', _queue);
end $$;
comment on function enqueue is
    'Stores a job and returns its id, for SQL: see docs/schema-postgres.md. Null stands for the default of an argument, '
    'except for name and payload. run_at: when the job is due; null means now. unique_key: if an unfinished job of this name '
    'has the key, or one pushed within its unique_for, nothing is stored, and that job''s id is returned; with '
    'unique_replace, that job gets the new payload, priority and time, or if it has started the new job is stored, too. id: '
    'if a job with this id exists, nothing is stored. Creates the queue if it does not exist. notify: whether the commit '
    'wakes workers. partition: the part of the queue to which the job belongs.';
