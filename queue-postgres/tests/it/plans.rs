//! No call of the hot path reads rows of other jobs: finished ones, scheduled ones, those of other queues.

use std::time::Duration;

use queue_core::admin::Prune;
use queue_core::{
    Admin as _, BoxError, Delivery, Demand, Heartbeat, JobProgress, NewJob, Queue as _, Settled, Settlement,
    StoredResult, Timestamp, Transition,
};
use queue_postgres::sqlx::PgConnection;

use crate::fixture::{TestResult, number, queue, run, work};

/// How many pages and rows were looked at so far, of all tables of a schema.
async fn looked_at(connection: &mut PgConnection, schema: &str) -> Result<(i64, i64), BoxError> {
    // The counters are current once the sessions have reported them; this one does so at once. The session that has created the
    // tables may still do so later: its scans of empty tables read no row.
    run(connection, "select pg_stat_force_next_flush()").await?;
    run(connection, "select pg_stat_clear_snapshot()").await?;
    // The pruning walks the finished jobs of each queue, and reads the few rows of `queues` for that. It also adds up the rows of
    // `history_parts`, which are those of the last seconds.
    let of = |what: &str| {
        format!(
            "select coalesce(sum({what}), 0)::bigint from pg_stat_user_tables
            where schemaname = '{schema}' and relname not in ('queues', 'history_parts')"
        )
    };
    let scanned = number(connection, of("seq_tup_read")).await?;
    let rows = number(connection, of("seq_tup_read + idx_tup_fetch")).await?;
    Ok((scanned, rows))
}

/// With a hundred thousand jobs that have finished and as many that are scheduled, a job's way costs some rows of its own.
#[tokio::test]
async fn push_claim_renew_and_settle_go_by_indexes_alone() -> TestResult {
    const ROUNDS: i64 = 20;
    const BATCH: i64 = 10;
    let (queue, mut connection, schema) = queue().await?;
    queue.push(vec![work::new(0).into()]).await?;
    let crowd = format!(
        "set search_path = {schema};
        insert into jobs (id, queue_id, name, priority, max_attempts, pushed_at, run_at, payload)
            select gen_random_uuid(), 1, 'work', 0, 5, 1, 1, '{{}}' from generate_series(1, 100000);
        insert into finished select seq, 1, 1, 1, 1, 1, 4, null from jobs where pushed_at = 1;
        insert into jobs (id, queue_id, name, priority, max_attempts, pushed_at, run_at, payload)
            select gen_random_uuid(), 1, 'work', 0, 5, 2, 9e15, '{{}}' from generate_series(1, 100000);
        insert into waiting select 9e15, seq, 0, 1 from jobs where pushed_at = 2;
        analyze jobs, finished, waiting"
    );
    run(&mut connection, crowd).await?;
    let (scans, rows) = looked_at(&mut connection, &schema).await?;

    for round in 0..ROUNDS {
        let job = |number| NewJob::from(work::new(number)).unique(format!("{round} {number}"));
        queue.push((0..BATCH as u32).map(job).collect()).await?;
        queue.push((0..BATCH as u32).map(|number| NewJob::from(work::new(number))).collect()).await?;
        let jobs = queue.claim(&Demand::new("default", 2 * BATCH as usize)).await?;
        let beat =
            |job: &Delivery| Heartbeat::new(job.lease.clone()).progress(Some(JobProgress::new(50, "half")));
        queue.renew(&jobs.iter().map(beat).collect::<Vec<_>>()).await?;
        let ends = jobs.into_iter().zip(0..).map(|(job, number)| {
            let at = job.run_at.saturating_add(Duration::from_secs(3600));
            let result = Transition::complete_with(StoredResult::stored("7"));
            let ends = [Transition::complete(), result, Transition::Retry { at, error: "no".into() }];
            Settlement::new(job.lease, ends[number % 3].clone())
        });
        queue.settle(ends.collect()).await?;
    }

    // The sessions tell what they did when they are idle for a while, or end.
    drop(queue);
    let mut after = looked_at(&mut connection, &schema).await?;
    while after.1 - rows < ROUNDS * BATCH {
        after = looked_at(&mut connection, &schema).await?;
    }
    assert_eq!(after.0, scans, "a table was scanned");
    let each = (after.1 - rows) / (ROUNDS * BATCH * 2);
    assert!(each < 30, "{each} rows were read for each job");
    Ok(())
}

/// A session plans its first claim of partitions when there are few of them. A plan that then reads all partitions of the queue for
/// each claim is fast in the eyes of the planner, and takes tens of milliseconds for thousands of partitions.
#[tokio::test]
async fn a_claim_does_not_read_all_partitions() -> TestResult {
    const JOBS: usize = 4_000;
    const BATCH: usize = 50;
    let (queue, mut connection, schema) = queue().await?;
    let of = |number: usize| NewJob::from(work::new(number as u32)).partition(format!("tenant-{number}"));
    let complete = |job: Delivery| Settlement::new(job.lease, Transition::complete());
    let demand = Demand::new("default", BATCH);
    for number in 0..3 {
        queue.push(vec![of(number)]).await?;
        queue.settle(queue.claim(&demand).await?.into_iter().map(complete).collect()).await?;
    }
    queue.push((0..JOBS).map(of).collect()).await?;
    let mut left = JOBS - queue.claim(&demand).await?.len();
    let (_, rows) = looked_at(&mut connection, &schema).await?;

    let counted = left as i64;
    while left > 0 {
        let jobs = queue.claim(&demand).await?;
        left -= jobs.len();
        queue.settle(jobs.into_iter().map(complete).collect()).await?;
    }

    drop(queue);
    let mut after = looked_at(&mut connection, &schema).await?;
    while after.1 - rows < counted {
        after = looked_at(&mut connection, &schema).await?;
    }
    let each = (after.1 - rows) / counted;
    assert!(each < 30, "{each} rows were read for each job");
    Ok(())
}

/// Returns how often rows were looked up by an index.
async fn look_ups(connection: &mut PgConnection, schema: &str, index: &str) -> Result<i64, BoxError> {
    run(connection, "select pg_stat_clear_snapshot()").await?;
    let scans = "select coalesce(sum(idx_scan), 0)::bigint from pg_stat_user_indexes where schemaname =";
    number(connection, format!("{scans} '{schema}' and indexrelname = '{index}'")).await
}

/// A vacuum that meets empty tables makes the server expect no row in them until the next one. A plan that then reads all
/// leases for each lease that it renews is fast in the eyes of the planner, and takes seconds for thousands of leases.
#[tokio::test]
async fn a_vacuum_of_empty_tables_does_not_change_how_rows_are_found() -> TestResult {
    const JOBS: usize = 500;
    let (queue, mut connection, schema) = queue().await?;
    let push = || queue.push((0..JOBS as u32).map(|number| work::new(number).into()).collect());
    let demand = Demand::new("default", JOBS);
    push().await?;
    let jobs = queue.claim(&demand).await?;
    let complete = |job: Delivery| Settlement::new(job.lease, Transition::complete());
    queue.settle(jobs.into_iter().map(complete).collect()).await?;
    assert_eq!(queue.prune(&Prune::older_than(Duration::ZERO)).await?, JOBS as u64);
    for table in ["jobs", "ready", "waiting", "leases", "finished", "failures", "unique_keys"] {
        run(&mut connection, format!("vacuum {schema}.{table}")).await?;
    }
    let before = (
        look_ups(&mut connection, &schema, "leases_pkey").await?,
        look_ups(&mut connection, &schema, "jobs_pkey").await?,
    );

    push().await?;
    let jobs = queue.claim(&demand).await?;
    queue.renew(&Heartbeat::of(jobs.iter().map(|job| &job.lease))).await?;
    let retry = |job: Delivery| {
        Settlement::new(job.lease, Transition::Retry { at: Timestamp::EPOCH, error: "no".into() })
    };
    queue.settle(jobs.into_iter().map(retry).collect()).await?;
    queue.claim(&demand).await?;
    run(&mut connection, format!("update {schema}.leases set expires_at = 1")).await?;
    let jobs = queue.claim(&demand).await?;
    let settled = queue.settle(jobs.into_iter().map(complete).collect()).await?;
    assert_eq!(settled, [Settled::Applied; JOBS]);

    // A renewal looks each lease up three times, and each of two settlements once. Each of three claims looks each job up once,
    // the settlement that changes it too, and the end of its expired lease twice.
    drop(queue);
    let jobs = JOBS as i64;
    let started = std::time::Instant::now();
    let mut found = (0, 0);
    while (found.0 < 5 * jobs || found.1 < 6 * jobs) && started.elapsed() < Duration::from_secs(20) {
        found.0 = look_ups(&mut connection, &schema, "leases_pkey").await? - before.0;
        found.1 = look_ups(&mut connection, &schema, "jobs_pkey").await? - before.1;
    }
    assert!(found.0 >= 5 * jobs && found.1 >= 6 * jobs, "look-ups in leases and jobs: {found:?}");
    Ok(())
}
