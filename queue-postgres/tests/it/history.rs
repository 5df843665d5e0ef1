//! The history costs its own rows, and no more than a day of them is stored.

use std::time::Duration;

use queue_core::admin::{HistoryRequest, Prune};
use queue_core::{
    Admin as _, BoxError, Demand, Queue as _, QueueExt as _, Settlement, Timestamp, Transition,
};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::PgConnection;

use crate::fixture::{TestResult, number, queue, run, sessions_ended, without_pruning, work};

/// Runs a job, and settles it.
async fn end(queue: &PostgresQueue, transition: Transition) -> TestResult {
    queue.enqueue(work::new(1)).await?;
    let jobs = queue.claim(&Demand::new("default", 1)).await?;
    queue
        .settle(jobs.into_iter().map(|job| Settlement::new(job.lease, transition.clone())).collect())
        .await?;
    Ok(())
}

/// Returns the rows that were read so far: of the table `history`, and of the tables that have a row for each job.
async fn read_rows(connection: &mut PgConnection, schema: &str) -> Result<(i64, i64), BoxError> {
    run(connection, "select pg_stat_clear_snapshot()").await?;
    let of = |which: &str| {
        format!(
            "select coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::bigint from pg_stat_user_tables
            where schemaname = '{schema}' and {which}"
        )
    };
    let history = number(connection, of("relname = 'history'")).await?;
    Ok((history, number(connection, of("relname in ('jobs', 'finished', 'failures', 'results')")).await?))
}

/// Q107: Beside 100,000 finished jobs and the history of other queues, the history of one queue reads its own rows, also if the
/// statistics are those of an empty table.
#[tokio::test]
async fn the_history_of_a_queue_reads_only_its_own_rows() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    end(&queue, Transition::complete()).await?;
    queue.prune(&Prune::nothing()).await?;
    drop(queue);
    sessions_ended(&mut connection, &schema).await?;
    for table in ["history", "history_parts", "jobs", "finished"] {
        run(&mut connection, format!("vacuum analyze {schema}.{table}")).await?;
    }
    let crowd = format!(
        "set search_path = {schema};
        insert into queues (name) select 'queue ' || n from generate_series(1, 20) n;
        insert into history select q.id, minute_of(clock()) - 60000000::bigint * n, 'work', 1, 2, 3, 4
            from queues q, generate_series(1, 1400) n where q.name <> 'default';
        insert into finished select n, 1, 1, 1, 1, 1, 4, null from generate_series(1000, 100000) n"
    );
    run(&mut connection, crowd).await?;
    let (history, jobs) = read_rows(&mut connection, &schema).await?;

    let queue = without_pruning(&schema).connect().await?;
    let request = HistoryRequest::since(Timestamp::EPOCH).queue("queue 7").step(Duration::from_secs(3600));
    let rows = queue.history(&request).await?;

    let sum = |of: fn(&queue_core::admin::HistoryRow) -> u64| rows.iter().map(of).sum::<u64>();
    assert_eq!(
        (sum(|row| row.completed), sum(|row| row.failed), sum(|row| row.discarded)),
        (1400, 2800, 4200)
    );
    assert!((24..=25).contains(&rows.len()), "{} hours", rows.len());
    drop(queue);
    sessions_ended(&mut connection, &schema).await?;
    let after = read_rows(&mut connection, &schema).await?;
    assert_eq!((after.0 - history, after.1 - jobs), (1400, 0), "rows of the history, and of jobs");
    Ok(())
}

/// A hundred settlements of one statement write one row, and pruning adds the rows up.
#[tokio::test]
async fn a_statement_writes_a_row_for_all_jobs_of_a_name_until_the_pruning_adds_them_up() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    let count = |table: &str| format!("select count(*) from {schema}.{table}");
    let sum = format!("select sum(completed)::bigint from {schema}.history");
    // Another session seems to roll up, so that the queue itself does not.
    let lock = format!("hashtextextended('queue_postgres history:{schema}', 0)");
    run(&mut connection, format!("select pg_advisory_lock({lock})")).await?;
    for _ in 0..3 {
        queue.enqueue_all((0..100).map(work::new)).await?;
        let jobs = queue.claim(&Demand::new("default", 100)).await?;
        let settle = jobs.into_iter().map(|job| Settlement::new(job.lease, Transition::complete()));
        queue.settle(settle.collect()).await?;
    }
    assert_eq!(number(&mut connection, count("history_parts")).await?, 3);
    let day = HistoryRequest::since(Timestamp::EPOCH).step(Duration::from_secs(86_400 * 2));
    let before = queue.history(&day).await?;
    queue.prune(&Prune::nothing()).await?;
    assert_eq!(number(&mut connection, count("history_parts")).await?, 3, "while another session rolls up");

    run(&mut connection, format!("select pg_advisory_unlock({lock})")).await?;
    queue.prune(&Prune::nothing()).await?;

    assert_eq!(number(&mut connection, count("history_parts")).await?, 0);
    assert_eq!(number(&mut connection, &sum).await?, 300);
    assert_eq!(queue.history(&day).await?, before, "the history before and after");
    end(&queue, Transition::Discard { error: "no".into() }).await?;
    queue.prune(&Prune::nothing()).await?;
    let rows = queue.history(&day).await?;
    let counts = rows.iter().map(|row| (row.completed, row.failed, row.discarded));
    assert_eq!(counts.fold((0, 0, 0), |a, b| (a.0 + b.0, a.1 + b.1, a.2 + b.2)), (300, 1, 1));
    Ok(())
}

/// Q109: What is stored of a minute is deleted a day later, whether it was rolled up or not.
#[tokio::test]
async fn old_minutes_are_deleted() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    let row = |table: &str, age: i64| {
        format!(
            "insert into {schema}.{table} (minute, run_time, completed, failed, discarded, queue_id, name)
            select {schema}.minute_of({schema}.clock()) - 60000000::bigint * {age}, 0, 1, 0, 0, id, 'work' from {schema}.queues"
        )
    };
    queue.pause(&"default".into()).await?;
    for (table, age) in
        [("history", 1442), ("history", 1400), ("history_parts", 1443), ("history_parts", 1401)]
    {
        run(&mut connection, row(table, age)).await?;
    }

    queue.prune(&Prune::nothing()).await?;

    let left = format!("select count(*) from {schema}.history");
    assert_eq!(number(&mut connection, left).await?, 2);
    let left = format!("select count(*) from {schema}.history_parts");
    assert_eq!(number(&mut connection, left).await?, 0);
    Ok(())
}

/// No worker waits for another one that counts jobs of the same name in an open transaction.
#[tokio::test]
async fn an_open_transaction_that_counts_holds_up_no_settlement_and_no_pruning() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    end(&queue, Transition::complete()).await?;
    let count = format!(
        "begin; insert into {schema}.history_parts (minute, run_time, completed, failed, discarded, queue_id, name)
        select {schema}.minute_of({schema}.clock()), 0, 7, 0, 0, id, 'work' from {schema}.queues"
    );
    run(&mut connection, count).await?;

    end(&queue, Transition::complete()).await?;
    queue.prune(&Prune::nothing()).await?;
    let completed = async || -> Result<u64, BoxError> {
        let rows = queue.history(&HistoryRequest::since(Timestamp::EPOCH)).await?;
        Ok(rows.iter().map(|row| row.completed).sum())
    };
    assert_eq!(completed().await?, 2);
    run(&mut connection, "commit").await?;

    assert_eq!(completed().await?, 9);
    Ok(())
}
