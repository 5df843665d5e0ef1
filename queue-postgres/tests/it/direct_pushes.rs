//! Lone pushes, which the caller's own task stores over a connection of its runtime.

use std::sync::Arc;
use std::time::Duration;

use queue_core::{BoxError, Demand, NewJob, Queue as _, QueueExt as _, Receipt};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{self, AssertSqlSafe, Connection as _, PgConnection, PgPool};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::fixture::{NEVER, TestResult, cut, number, queue, schema, url, work};
use crate::way::{Mishap, Way};

/// The number of the job whose push waits on its way to the server.
const WAITS: u32 = 424_242;

/// Returns the server's processes that have stored a schema's pushes.
async fn processes(connection: &mut PgConnection, schema: &str) -> Result<Vec<i32>, BoxError> {
    let pushed = format!(
        "select pid from pg_stat_activity where pid <> pg_backend_pid() and \
         (query like '%\"{schema}\".push(%' or query like '%\"{schema}\".ready select%')"
    );
    Ok(sqlx::query_scalar(AssertSqlSafe(pushed)).fetch_all(connection).await?)
}

/// Returns the number of a schema's jobs.
async fn jobs(connection: &mut PgConnection, schema: &str) -> Result<i64, BoxError> {
    number(connection, format!("select count(*) from {schema}.jobs")).await
}

fn multi_thread() -> Result<Runtime, BoxError> {
    Ok(Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}

/// Two push tasks would store them in turns, over two connections.
#[tokio::test(flavor = "multi_thread")]
async fn lone_pushes_use_one_connection_and_no_push_task() -> TestResult {
    let (queue, mut other, schema) = queue().await?;

    for number in 0..10 {
        queue.enqueue(work::new(number)).await?;
    }

    assert_eq!(processes(&mut other, &schema).await?.len(), 1);
    assert_eq!(jobs(&mut other, &schema).await?, 10);
    Ok(())
}

/// Many pushes at once share statements over the two connections of the push tasks. At most the first one is lone.
#[tokio::test(flavor = "multi_thread")]
async fn pushes_at_once_use_the_push_tasks() -> TestResult {
    let (queue, mut other, schema) = queue().await?;

    for _ in 0..5 {
        let burst = (0..32).map(|number| queue.enqueue(work::new(number)).into_future());
        for pushed in futures_util::future::join_all(burst).await {
            pushed?;
        }
    }

    let used = processes(&mut other, &schema).await?.len();
    assert!((2..=3).contains(&used), "{used} connections");
    assert_eq!(jobs(&mut other, &schema).await?, 160);
    Ok(())
}

/// A runtime's push replaces the connection of another one that has ended.
#[test]
fn pushes_of_two_runtimes_are_stored_and_one_may_end() -> TestResult {
    let (first, second) = (multi_thread()?, multi_thread()?);
    let (queue, mut other, schema) = second.block_on(queue())?;
    first.block_on(async { queue.enqueue(work::new(1)).await })?;
    let direct = second.block_on(processes(&mut other, &schema))?;
    assert_eq!(direct.len(), 1);

    second.block_on(async { queue.enqueue(work::new(2)).await })?;
    first.block_on(async { queue.enqueue(work::new(3)).await })?;
    drop(first);

    second.block_on(async {
        let mut pushed = 3;
        while processes(&mut other, &schema).await?.contains(&direct[0]) {
            queue.enqueue(work::new(4)).await?;
            pushed += 1;
        }
        assert_eq!(jobs(&mut other, &schema).await?, pushed);
        Ok(())
    })
}

/// A push needs no tokio runtime, and none with sockets, timers or a clock that runs.
#[test]
fn a_runtime_that_can_serve_no_connection_pushes_too() -> TestResult {
    let runtime = multi_thread()?;
    let (queue, mut other, schema) = runtime.block_on(queue())?;
    let push = || async { queue.enqueue(work::new(1)).await };

    for _ in 0..2 {
        queue_testkit::block_on(push())?;
        Builder::new_current_thread().enable_all().start_paused(true).build()?.block_on(push())?;
        Builder::new_multi_thread().worker_threads(1).build()?.block_on(push())?;
        Builder::new_multi_thread().worker_threads(1).enable_time().build()?.block_on(push())?;
    }

    assert_eq!(runtime.block_on(jobs(&mut other, &schema))?, 8);
    Ok(())
}

/// A queue whose first push of the job [`WAITS`] waits for a permit on its way to the server.
struct Waiting {
    queue: PostgresQueue,
    way: Way,
    permits: Arc<Semaphore>,
    schema: String,
}

impl Waiting {
    async fn new() -> Result<Self, BoxError> {
        let permits = Arc::new(Semaphore::new(0));
        let way = Way::new("424242", Mishap::Waits(permits.clone()))?;
        let schema = schema();
        let builder = PostgresQueue::builder(way.url()).schema(&schema).poll_interval(NEVER);
        let queue = builder.connect().await?;
        Ok(Self { queue, way, permits, schema })
    }

    /// Opens the direct connection on the runtime, prepares its statement, and pushes the job that waits.
    async fn push(queue: PostgresQueue) -> TestResult {
        for number in 0..3 {
            queue.enqueue(work::new(number)).queue("others").await?;
        }
        queue.enqueue(work::new(WAITS)).await?;
        Ok(())
    }
}

/// The caller may drop a push at any time. It is stored, its claim is woken, and other pushes are stored meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_push_goes_on() -> TestResult {
    let Waiting { queue, way, permits, .. } = Waiting::new().await?;
    let demand = Demand::new("default", 1);
    let mut claim = Box::pin(queue.claim(&demand));
    assert!(futures_util::poll!(&mut claim).is_pending());
    queue.poll_now().await;
    let mut push = Box::pin(Waiting::push(queue.clone()));
    while !way.has_happened() {
        assert!(futures_util::poll!(&mut push).is_pending());
        tokio::task::yield_now().await;
    }

    drop(push);

    for number in 0..3 {
        queue.enqueue(work::new(number)).queue("others").await?;
    }
    assert!(futures_util::poll!(&mut claim).is_pending());
    permits.add_permits(1);
    let claimed = timeout(Duration::from_secs(30), claim).await??;
    assert_eq!(claimed.len(), 1);
    queue.enqueue(work::new(4)).queue("others").await?;
    Ok(())
}

/// If the runtime ends during a push, the push tasks store the push, once.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_whose_runtime_ends_is_stored_once() -> TestResult {
    let Waiting { queue, way, permits, schema } = Waiting::new().await?;
    let mut other = PgConnection::connect(&url()).await?;
    let runtime = multi_thread()?;
    let pushing = runtime.spawn(Waiting::push(queue.clone()));
    while !way.has_happened() {
        tokio::task::yield_now().await;
    }

    runtime.shutdown_background();

    assert!(pushing.await.is_err_and(|error| error.is_cancelled()));
    permits.add_permits(1);
    while jobs(&mut other, &schema).await? < 4 {}
    queue.enqueue(work::new(1)).await?;
    assert_eq!(jobs(&mut other, &schema).await?, 5);
    Ok(())
}

/// D4: sessions that the server ends between pushes cost no push.
#[tokio::test(flavor = "multi_thread")]
async fn a_direct_connection_that_was_ended_costs_no_push() -> TestResult {
    let (queue, mut other, schema) = queue().await?;

    for number in 0..10 {
        queue.enqueue(work::new(number)).await?;
        cut(&mut other, &format!("%{schema}%")).await?;
    }

    assert_eq!(jobs(&mut other, &schema).await?, 10);
    Ok(())
}

/// D26: a lone push that another transaction blocks delays no other push.
#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_lone_push_delays_only_itself() -> TestResult {
    let pool = PgPool::connect(&url()).await?;
    let queue = PostgresQueue::builder(pool.clone()).schema(schema()).connect().await?;
    let keyed = || vec![NewJob::from(work::new(1)).unique("key")];
    let mut tx = pool.begin().await?;
    let first = queue.push_in(&mut tx, keyed()).await?[0].id();

    let blocked = {
        let (queue, push) = (queue.clone(), keyed());
        tokio::spawn(async move { queue.push(push).await })
    };
    for number in 0..10 {
        timeout(Duration::from_secs(5), queue.enqueue(work::new(number)).into_future()).await??;
    }

    assert!(!blocked.is_finished());
    tx.commit().await?;
    assert_eq!(blocked.await??, [Receipt::Existing(first)]);
    Ok(())
}
