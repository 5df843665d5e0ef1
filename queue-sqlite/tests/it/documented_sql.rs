//! The queries of `docs/operations.md` are true of a queue with partitions and limits.

use std::time::Duration;

use queue_core::{Demand, Limit, NewJob, Queue as _, QueueLimits};
use queue_sqlite::SqliteQueue;
use queue_sqlite::rusqlite::{Connection, Result};

use crate::fixture::{TestResult, work};

/// Returns the queries of the documentation, each without what follows it in its last line.
fn queries() -> Vec<&'static str> {
    let operations = include_str!("../../../docs/operations.md");
    let (_, queries) =
        operations.split_once("describes every table and column):\n\n```sql\n").expect("a block of SQL");
    let (queries, _) = queries.split_once("```").expect("the end of the block");
    queries.split("\n\n").map(|query| query.split_once(';').expect("a semicolon").0).collect()
}

fn job(queue: &str, partition: &str) -> NewJob {
    NewJob::from(work::new(1)).queue(queue).partition(partition)
}

#[tokio::test]
async fn the_queries_for_operators_count_the_jobs_of_partitions() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let (queue, connection) = (SqliteQueue::open(&path).await?, Connection::open(&path)?);
    connection.busy_timeout(Duration::from_secs(30))?;
    queue.declare_limits(&"webhooks".into(), &QueueLimits::each(Limit::running(1))).await?;
    let mut jobs: Vec<_> = ["acme", "acme", "acme", "zeta"].map(|tenant| job("webhooks", tenant)).into();
    jobs.push(job("mail", ""));
    queue.push(jobs).await?;
    queue.claim(&Demand::new("webhooks", 1)).await?;

    let queries = queries();

    let mut used = connection.prepare(queries[1])?;
    let used = used.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let used = used.collect::<Result<Vec<(String, i64, i64)>>>()?;
    assert_eq!(used, [("acme".to_owned(), 2, 1), ("zeta".to_owned(), 1, 0)]);
    for query in &queries[2..] {
        connection.prepare(query)?.query([])?.next()?;
    }
    // SQL stores a job of a shared queue as due.
    let insert = "insert into queue_enqueue (name, queue, partition) values ('work', 'webhooks', 'zeta')";
    connection.execute(insert, [])?;
    let mut ready = connection.prepare(queries[0])?;
    let ready = ready.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let ready = ready.collect::<Result<Vec<(String, i64)>>>()?;
    assert_eq!(ready, [("mail".to_owned(), 1), ("webhooks".to_owned(), 4)]);
    Ok(())
}

/// Finished jobs are kept for days, so the query that is run most often must not read them.
#[tokio::test]
async fn the_query_for_ready_jobs_reads_no_finished_job() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    drop(SqliteQueue::open(&path).await?);
    let connection = Connection::open(&path)?;

    let mut explain = connection.prepare(&format!("explain query plan {}", queries()[0]))?;
    let plan = explain.query_map([], |row| row.get(3))?.collect::<Result<Vec<String>>>()?;

    let reads: Vec<_> = plan.iter().filter(|step| step.contains("queue_jobs")).collect();
    assert_eq!(reads.len(), 2, "{plan:?}");
    assert!(reads[0].ends_with("USING INDEX queue_jobs_ready"), "{plan:?}");
    assert!(reads[1].contains("USING INDEX queue_jobs_timed (state=? AND state_time<?)"), "{plan:?}");
    Ok(())
}
