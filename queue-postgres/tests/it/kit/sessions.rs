//! A queue with a clock for tests shares its sessions (T27).

use std::time::Duration;

use queue_core::{BoxError, Demand, JobContext, Queue as _, QueueExt as _, background_job, jobs};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::postgres::PgConnectOptions;
use queue_postgres::sqlx::{Connection as _, PgConnection};
use queue_testkit::{TestKit, VirtualClock};
use tokio::time::timeout;

use crate::fixture::{TestResult, number, run, schema, url, work};

/// A bound that a call reaches only if it waits for another call.
const PATIENCE: Duration = Duration::from_secs(20);

/// A queue whose sessions have the name of its schema.
struct Named {
    queue: PostgresQueue,
    connection: PgConnection,
    schema: String,
}

impl Named {
    async fn new() -> Result<Self, BoxError> {
        let schema = schema();
        let options: PgConnectOptions = url().parse()?;
        let options = options.application_name(&schema);
        let builder = PostgresQueue::builder(options).schema(&schema).test_clock(VirtualClock::START);
        let (queue, connection) = (builder.connect().await?, PgConnection::connect(&url()).await?);
        Ok(Self { queue, connection, schema })
    }

    /// Counts the queue's sessions of which this is true.
    async fn sessions(&mut self, condition: &str) -> Result<i64, BoxError> {
        let schema = &self.schema;
        let count = format!(
            "select count(*) from pg_stat_activity where application_name = '{schema}' and {condition}"
        );
        number(&mut self.connection, count).await
    }
}

#[background_job]
async fn push_more(#[inject] context: &JobContext, times: u32) {
    for number in 0..times {
        context.then(work::new(number));
    }
}

/// T27: pushes, claims, settlements and operators' calls of a test use one session. A notification or a renewal may be sent
/// meanwhile, over another one.
#[tokio::test]
async fn one_session_serves_a_test() -> TestResult {
    let mut named = Named::new().await?;
    let kit = TestKit::over(named.queue.clone()).jobs(jobs![work, push_more]).build()?;
    kit.queue().enqueue(push_more::new(3)).await?;
    kit.queue().enqueue(work::new(4)).queue("others").delay(PATIENCE).await?;

    kit.run_until_idle().await?.expect_success();

    assert_eq!(kit.jobs().len(), 5);
    let sessions = named.sessions("true").await?;
    assert!((1..=3).contains(&sessions), "{sessions} sessions");
    assert_eq!(named.sessions("query ilike 'listen%'").await?, 0, "no claim waited");
    Ok(())
}

/// T27: a call that waits for a lock holds up no other call, and waits for as long as in production.
#[tokio::test]
async fn a_session_that_waits_holds_up_no_other_call() -> TestResult {
    let mut named = Named::new().await?;
    let queue = named.queue.clone();
    queue.enqueue(work::new(1)).await?;
    let mut other = PgConnection::connect(&url()).await?;
    run(&mut other, format!("begin; lock table {}.leases in access exclusive mode", named.schema)).await?;
    let demand = Demand::new("default", 1).wait(Duration::ZERO);
    let claim = tokio::spawn(async move { queue.claim(&demand).await });
    let waits = "wait_event_type = 'Lock' and clock_timestamp() - query_start > '100 ms'";
    timeout(PATIENCE, async {
        while named.sessions(waits).await? == 0 {}
        Ok::<_, BoxError>(())
    })
    .await??;

    timeout(PATIENCE, named.queue.enqueue(work::new(2)).into_future()).await??;

    assert!(!claim.is_finished());
    run(&mut other, "rollback").await?;
    assert_eq!(claim.await??.len(), 1);
    Ok(())
}
