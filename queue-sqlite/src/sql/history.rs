//! The statements of the history. Each reads the rows of one queue and range of minutes.

/// Adds a tally to that of its minute, queue and name: by the primary key. The sum of run times ends at the largest integer.
pub(crate) const COUNT: &str = "
    insert into queue_history (queue_id, minute, name, completed, failed, discarded, run_time)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    on conflict (queue_id, minute, name) do update set
        completed = completed + excluded.completed, failed = failed + excluded.failed,
        discarded = discarded + excluded.discarded,
        run_time = min(run_time, 9223372036854775807 - excluded.run_time) + excluded.run_time";

/// Deletes the minutes of a queue that are no longer kept: a walk from the beginning of the queue in the primary key.
pub(crate) const FORGET: &str = "delete from queue_history where queue_id = ?1 and minute < ?2";

/// The tallies of some minutes, of one queue or of all: a walk over these minutes of each queue, by the primary key.
pub(crate) const TALLIES: &str = "
    select q.name, h.name, h.minute, h.completed, h.failed, h.discarded, h.run_time
    from queue_names q cross join queue_history h on h.queue_id = q.queue_id
    where h.minute >= ?1 and h.minute < ?2 and (?3 is null or q.name = ?3)";

/// The leases that have expired, which the writer has not ended yet: a walk over the executing jobs by time, up to now.
pub(crate) const EXPIRED: &str = "
    select q.name, j.name, j.state_time, j.claimed_at, j.cancel_reason is not null, j.attempt, j.max_attempts
    from queue_jobs j cross join queue_names q on q.queue_id = j.queue_id
    where j.state = 2 and j.state < 4 and j.state_time <= ?1";

#[cfg(test)]
mod tests {
    use super::super::plans::{plan, schema};
    use super::*;

    /// Q107: The history of one queue reads rows of that queue and of those minutes only, and a write reads one row.
    #[test]
    fn each_statement_reads_the_minutes_of_one_queue_by_the_primary_key() {
        let connection = schema();
        let queues = "SCAN q USING COVERING INDEX sqlite_autoindex_queue_names_1";
        let minutes = "SEARCH h USING PRIMARY KEY (queue_id=? AND minute>? AND minute<?)";
        let plans: [(&str, &[&str]); 4] = [
            (COUNT, &[]),
            (TALLIES, &[queues, minutes]),
            (FORGET, &["SEARCH queue_history USING PRIMARY KEY (queue_id=? AND minute<?)"]),
            (
                EXPIRED,
                &[
                    "SEARCH j USING INDEX queue_jobs_timed (state=? AND state_time<?)",
                    "SEARCH q USING INTEGER PRIMARY KEY (rowid=?)",
                ],
            ),
        ];

        for (statement, expected) in plans {
            assert_eq!(plan(&connection, statement), expected, "{statement}");
        }
    }
}
