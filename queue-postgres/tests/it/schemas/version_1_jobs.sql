-- A job in a schema of version 1 that waits for its second attempt. This file never changes after the release of version 1.
insert into schema_migrations (version) values (1);
insert into queues (name) values ('default');
insert into jobs (id, queue_id, name, priority, attempt, fence, claimed_at, max_attempts, pushed_at, run_at, payload)
    values ('00000000-0000-0000-0000-000000000007', 1, 'work', 0, 1, 1, 1, 5, 1, 2, '{"number":1}');
insert into failures (seq, fence, attempt, failed_at, message) values (1, 1, 1, 2, 'the first attempt failed');
insert into waiting (due, seq, state, queue_id) values (2, 1, 3, 1);
