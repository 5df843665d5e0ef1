//! The statements of a summary. Each reads the entries of one queue and state in an index, up to a limit.
//!
//! A count first skips as many entries as the limit allows. If there is one more, the answer is the limit. Otherwise the entries are
//! counted. Skipping an entry takes two thirds of the time of counting one, and a count that reaches the limit is the common one in
//! a store with many jobs.

/// Counts the ready jobs of a queue that name no partition: a walk over the index of ready jobs.
pub(crate) const COUNT_READY: &str = "
    select coalesce(
        (select ?2 from queue_jobs where partition_id = ?1 and state = 1 limit 1 offset ?2 - 1),
        (select count(*) from queue_jobs where partition_id = ?1 and state = 1))";

/// Finds the first ready job of the next priority of a partition: a search in the index of ready jobs.
pub(crate) const FIRST_READY: &str = "
    select priority, run_at from queue_jobs
    where partition_id = ?1 and state = 1 and priority > ?2 order by priority, run_at limit 1";

/// Counts the jobs of a queue and state whose time is later: a walk over the index by queue.
pub(crate) const COUNT_LATER: &str = "
    select coalesce(
        (select ?4 from queue_jobs
            where queue_id = ?1 and state = ?2 and state <> 2 and state_time > ?3 limit 1 offset ?4 - 1),
        (select count(*) from queue_jobs where queue_id = ?1 and state = ?2 and state <> 2 and state_time > ?3))";

/// Counts the jobs of a queue and state whose time has come: a walk over the index by queue.
pub(crate) const COUNT_DUE: &str = "
    select coalesce(
        (select ?4 from queue_jobs
            where queue_id = ?1 and state = ?2 and state <> 2 and state_time <= ?3 limit 1 offset ?4 - 1),
        (select count(*) from queue_jobs where queue_id = ?1 and state = ?2 and state <> 2 and state_time <= ?3))";

/// Finds the first later time of a queue and state: a search in the index by queue.
pub(crate) const FIRST_LATER: &str = "
    select state_time from queue_jobs
    where queue_id = ?1 and state = ?2 and state <> 2 and state_time > ?3 order by state_time limit 1";

/// The leases that expire first: a walk over the executing jobs by time.
pub(crate) const LEASES: &str = "
    select queue_id, state_time, run_at, cancel_reason is not null, attempt, max_attempts from queue_jobs
    where state = 2 and state < 4 and state_time is not null order by state_time limit ?1";

#[cfg(test)]
mod tests {
    use super::super::plans::{plan, schema};
    use super::*;

    /// Q87: A summary reads entries of indexes only, and of executing jobs the rows too.
    #[test]
    fn each_statement_walks_the_entries_of_one_queue_and_state_in_an_index() {
        let connection = schema();
        let ready = "SEARCH queue_jobs USING COVERING INDEX queue_jobs_ready (partition_id=?";
        let by_queue = "SEARCH queue_jobs USING COVERING INDEX queue_jobs_by_queue (queue_id=? AND state=? AND state_time";
        let plans: [(&str, Vec<String>); 6] = [
            (COUNT_READY, vec![format!("{ready})"); 2]),
            (FIRST_READY, vec![format!("{ready} AND priority>?)")]),
            (COUNT_LATER, vec![format!("{by_queue}>?)"); 2]),
            (COUNT_DUE, vec![format!("{by_queue}<?)"); 2]),
            (FIRST_LATER, vec![format!("{by_queue}>?)")]),
            (
                LEASES,
                vec!["SEARCH queue_jobs USING INDEX queue_jobs_timed (state=? AND state_time>?)".to_owned()],
            ),
        ];

        for (statement, expected) in plans {
            let plan: Vec<_> = plan(&connection, statement)
                .into_iter()
                .filter(|step| step.starts_with("SEARCH queue_jobs"))
                .collect();
            assert_eq!(plan, expected, "{statement}");
        }
    }
}
