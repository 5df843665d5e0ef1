//! Calls of the schema's functions, as by an application that operates the queue in its own transaction.
//!
//! The functions are not a public interface: only this file names them, and changes with them.

use queue_conformance::durable::Operation;

/// Returns the statement of an operation. It returns one row with a number, which is 0 if nothing was done.
pub(super) fn statement(schema: &str, operation: &Operation) -> String {
    let done = match operation {
        Operation::Cancel(id) => format!("{schema}.cancel('{id}', 'it''s no longer wanted') <> 'unknown'"),
        Operation::Retry(id) => format!("{schema}.retry('{id}', null, null) = 'done'"),
        Operation::Delete(id) => format!("{schema}.delete_job('{id}') = 'done'"),
        Operation::Prune(age) => format!("{schema}.prune({}, null, null, 100) > 0", age.as_micros()),
        Operation::Pause(queue) => {
            return format!(
                "insert into {schema}.queues (name, paused) values ('{queue}', true)
                    on conflict (name) do update set paused = excluded.paused returning 1::bigint"
            );
        }
        Operation::Renew(lease) => {
            return format!(
                "select count(*) from {schema}.renew(array['{}'::uuid], array[{}], array[{}], array[null]::smallint[], array[null]::text[])",
                lease.job,
                lease.fence,
                lease.length.as_micros()
            );
        }
        Operation::Settle(lease) => {
            let nulls = ", null".repeat(23);
            return format!(
                "select count(*) from {schema}.settle(array['{}'::uuid], array[{}]{nulls}) where applied = array[0]",
                lease.job, lease.fence
            );
        }
        other => panic!("the store has no statement for {other:?}"),
    };
    format!("select ({done})::int::bigint")
}
