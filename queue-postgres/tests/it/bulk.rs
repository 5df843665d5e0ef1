//! A change to many jobs moves them together, and not one by one.

use queue_core::{Demand, Queue as _, QueueExt as _, Settlement, Transition};
use queue_postgres::sqlx::Connection as _;

use crate::fixture::{TestResult, number, queue, run, work};

/// Stores ready, delayed, finished and executing jobs, 40 of each but four of the last.
async fn fill(queue: &queue_postgres::PostgresQueue) -> TestResult {
    let day = std::time::Duration::from_secs(24 * 60 * 60);
    queue.enqueue_all((0..44).map(work::new)).await?;
    let claimed = queue.claim(&Demand::new("default", 44)).await?;
    let ends = [Transition::complete(), Transition::Discard { error: "no".to_owned() }];
    let ends = claimed.into_iter().skip(4).zip(ends.iter().cycle());
    queue.settle(ends.map(|(job, end)| Settlement::new(job.lease, end.clone())).collect()).await?;
    queue.enqueue_all((0..40).map(work::new)).await?;
    queue.enqueue_all((0..40).map(|number| queue_core::NewJob::from(work::new(number)).delay(day))).await?;
    Ok(())
}

/// Q97: The number of statements does not grow with the number of jobs: no function that moves a single job is called.
#[tokio::test]
async fn jobs_that_no_other_call_moves_are_changed_together() -> TestResult {
    // The executing jobs are asked to stop, and the finished ones are left.
    let changes = [("cancel", 84), ("retry", 120), ("delete", 120)];
    let (queue, mut connection, schema) = queue().await?;
    fill(&queue).await?;
    run(&mut connection, "set track_functions = 'all'").await?;

    for (change, expected) in changes {
        let mut tx = connection.begin().await?;
        let call = format!(
            "select changed from {schema}.change_jobs(
                array(select id from {schema}.jobs), '{change}', 127, null, null, _reason => 'too many')"
        );
        let changed = number(&mut tx, call).await?;
        let singly = format!(
            "select coalesce(sum(calls), 0)::bigint from pg_stat_xact_user_functions
            where schemaname = '{schema}' and funcname in ('hold', 'detach', 'cancel', 'retry', 'delete_job')"
        );
        let singly = number(&mut tx, singly).await?;
        tx.rollback().await?;

        assert_eq!((changed, singly), (expected, 0), "{change}");
    }
    Ok(())
}
