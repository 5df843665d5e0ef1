//! The cost of a summary depends on its cap, not on the number of jobs.

use queue_core::admin::Count;
use queue_core::{Admin as _, BoxError, Queue as _, QueueExt as _, State};
use queue_postgres::sqlx::PgConnection;

use crate::fixture::{TestResult, number, queue, run, without_pruning, work};

/// Returns the number of index entries and rows that were read so far, of all tables of a schema.
async fn entries_read(connection: &mut PgConnection, schema: &str) -> Result<i64, BoxError> {
    run(connection, "select pg_stat_clear_snapshot()").await?;
    let of_indexes = format!(
        "select (select coalesce(sum(idx_tup_read), 0) from pg_stat_user_indexes where schemaname = '{schema}')::bigint
            + (select coalesce(sum(seq_tup_read), 0) from pg_stat_user_tables where schemaname = '{schema}')::bigint"
    );
    number(connection, of_indexes).await
}

const CAP: u64 = 100;

/// Fills a schema with a crowd of jobs, of which 50,000 are stored as waiting and due.
fn crowd(schema: &str) -> String {
    format!(
        "set search_path = {schema};
        insert into finished select n, 1, 1, 1, 1, 1, 4 + n % 3, null from generate_series(1000, 100000) n;
        insert into waiting select 9e15, n, 3 * (n % 2), 1 from generate_series(1000, 100000) n;
        insert into waiting select 7, n, 3 * (n % 2), 1 from generate_series(100001, 150000) n;
        insert into ready select 1, n % 3, 5, n from generate_series(1000, 100000) n;
        insert into finished select n, 1, 1, 1, 1, 2, 5, null from generate_series(1, 7) n"
    )
}

/// Reads a summary of the crowd, and returns the number of index entries and rows that it read.
async fn cost_of_summary(connection: &mut PgConnection, schema: &str) -> Result<i64, BoxError> {
    let before = entries_read(connection, schema).await?;
    let queue = without_pruning(schema).connect().await?;

    let summaries = queue.summary_up_to(CAP).await?;

    // A session reports the rows that it has read when it ends.
    drop(queue);
    let mut read = 0;
    while read < CAP as i64 {
        read = entries_read(connection, schema).await? - before;
    }
    let [busy, quiet] = summaries.as_slice() else { return Err(format!("{summaries:?}").into()) };
    let capped = Count::up_to(CAP, CAP + 1);
    for state in State::ALL {
        let expected = if state == State::Executing { Count::default() } else { capped };
        assert_eq!(busy.of(state), expected, "{state}");
    }
    assert_eq!(busy.oldest_ready.map(|at| at.as_micros()), Some(5));
    assert_eq!(busy.next_due.map(|at| at.as_micros()), Some(9_000_000_000_000_000));
    let counts =
        [State::Available, State::Completed, State::Discarded].map(|state| quiet.of(state).to_string());
    assert_eq!(counts, ["1", "0", "7"]);
    Ok(read)
}

/// Q87: Beside 100,000 ready, 150,000 waiting and 100,000 finished jobs, a summary up to 100 reads a few hundred index entries,
/// whether the statistics are those of empty tables or of full ones.
#[tokio::test]
async fn a_summary_reads_no_more_than_its_cap_for_each_state_of_a_queue() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    queue.push(vec![work::new(0).into()]).await?;
    queue.enqueue(work::new(1)).queue("quiet").await?;
    drop(queue);
    for table in ["jobs", "ready", "waiting", "leases", "finished"] {
        run(&mut connection, format!("vacuum {schema}.{table}")).await?;
    }
    run(&mut connection, crowd(&schema)).await?;

    let of_empty_tables = cost_of_summary(&mut connection, &schema).await?;
    run(&mut connection, "analyze ready, waiting, finished").await?;
    let of_full_tables = cost_of_summary(&mut connection, &schema).await?;

    assert!(of_empty_tables < 1_500, "{of_empty_tables} index entries were read");
    assert!(of_full_tables < 1_500, "{of_full_tables} index entries were read after `analyze`");
    Ok(())
}
