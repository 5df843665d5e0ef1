-- What a role needs that only uses the queue, once somebody else has made its schema.
grant usage on schema queue to app_user;
grant select, insert, update, delete on all tables in schema queue to app_user;
grant execute on all functions in schema queue to app_user;
