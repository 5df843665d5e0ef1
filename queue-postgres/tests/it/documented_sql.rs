//! The queries of `docs/operations.md` are true of a queue with partitions and limits.

use queue_core::{Demand, Limit, NewJob, Queue as _, QueueLimits};
use queue_postgres::sqlx::{self, AssertSqlSafe};

use crate::fixture::{TestResult, queue, work};

/// Returns the queries of the documentation, each without its comments, over a schema.
fn queries(schema: &str) -> Vec<String> {
    let operations = include_str!("../../../docs/operations.md");
    let (_, queries) = operations.split_once("PostgreSQL:\n\n```sql\n").expect("a block of SQL");
    let (queries, _) = queries.split_once("```").expect("the end of the block");
    let query =
        |query: &str| query.split_once(';').expect("a semicolon").0.replace("queue.", &format!("{schema}."));
    queries.split("\n\n").map(query).collect()
}

fn job(queue: &str, partition: &str) -> NewJob {
    NewJob::from(work::new(1)).queue(queue).partition(partition)
}

#[tokio::test]
async fn the_queries_for_operators_count_the_jobs_of_partitions() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    queue.declare_limits(&"webhooks".into(), &QueueLimits::each(Limit::running(1))).await?;
    let mut jobs: Vec<_> = ["acme", "acme", "acme", "zeta"].map(|tenant| job("webhooks", tenant)).into();
    jobs.push(job("mail", ""));
    queue.push(jobs).await?;
    queue.claim(&Demand::new("webhooks", 1)).await?;

    let queries = queries(&schema);

    let ready = format!("select name, ready from ({}\n) q order by name", queries[0]);
    let ready: Vec<(String, i64)> = sqlx::query_as(AssertSqlSafe(ready)).fetch_all(&mut connection).await?;
    assert_eq!(ready, [("mail".to_owned(), 1), ("webhooks".to_owned(), 3)]);
    let used = format!("select partition, ready, running from ({}\n) q order by partition", queries[1]);
    let used: Vec<(String, i64, i64)> =
        sqlx::query_as(AssertSqlSafe(used)).fetch_all(&mut connection).await?;
    assert_eq!(used, [("acme".to_owned(), 2, 1), ("zeta".to_owned(), 1, 0)]);
    for query in &queries[2..] {
        sqlx::raw_sql(AssertSqlSafe(query.clone())).execute(&mut connection).await?;
    }
    Ok(())
}
