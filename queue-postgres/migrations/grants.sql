-- The grants of a role that uses the queue but does not own its schema. Run them again after each migration.
grant usage on schema queue to app_user;
grant select, insert, update, delete on all tables in schema queue to app_user;
grant execute on all functions in schema queue to app_user;
