//! Kills the server during work and starts it again; measures how long the queue takes to continue.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use harness::{BATCH, Database};
use queue_core::Queue as _;
use queue_postgres::PostgresQueue;
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::backpressure::Backpressure;
use super::phases::job;
use crate::server::Server;

/// The number of jobs that run before each kill, and after it.
const IN_FULL_SWING: u32 = 5_000;
/// The wait of a refused push before the next one.
const PAUSE: Duration = Duration::from_millis(1);

/// The recovery after a kill of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recovery {
    /// From the kill until the server took connections again.
    pub(crate) dead: Duration,
    /// From then until a job was completed.
    pub(crate) completed: Duration,
    /// From then until a push was taken.
    pub(crate) pushed: Duration,
    /// The number of refused pushes before that.
    pub(crate) refused: u32,
}

/// Kills the server `kills` times while a full queue is drained.
pub(super) async fn run(server: &Server, kills: u32) -> anyhow::Result<Vec<Recovery>> {
    let database = Database::on(server.address()?).await?;
    let queue = PostgresQueue::connect(database.url()).await?;
    // After each kill some jobs are unavailable until their leases expire.
    for first in 0..u64::from((2 * IN_FULL_SWING + 10_000) * kills) / BATCH {
        queue.push((first * BATCH..(first + 1) * BATCH).map(job).collect()).await?;
    }
    let backpressure = Backpressure::of(0);
    let running = backpressure.start(queue.clone()).await?;

    let mut recoveries = Vec::new();
    for _ in 0..kills {
        backpressure.enter(IN_FULL_SWING).await?;
        let killed = Instant::now();
        block_in_place(|| {
            server.kill();
            server.restart()
        })?;
        let (dead, since, ready) = (killed.elapsed(), SystemTime::now(), Instant::now());
        // The jobs in flight have run meanwhile.
        backpressure.fill();
        let refused = push_until_taken(&queue).await?;
        let pushed = ready.elapsed();
        backpressure.enter(IN_FULL_SWING).await?;
        let completed = first_completed(&database, since).await?;
        let recovery = Recovery { dead, completed, pushed, refused };
        eprintln!("{recovery:?}");
        recoveries.push(recovery);
    }
    running.stop().await?;
    Ok(recoveries)
}

/// Pushes a job until the push succeeds. Returns the number of refused pushes.
async fn push_until_taken(queue: &PostgresQueue) -> anyhow::Result<u32> {
    let mut refused = 0;
    while let Err(error) = queue.push(vec![job(0)]).await {
        ensure!(error.is_transient(), "{error}");
        refused += 1;
        sleep(PAUSE).await;
    }
    Ok(refused)
}

/// Returns the time from an instant to the next completed job.
async fn first_completed(database: &Database, since: SystemTime) -> anyhow::Result<Duration> {
    let since = i64::try_from(since.duration_since(UNIX_EPOCH)?.as_micros())?;
    let first =
        "select min(finished_at) - $1::bigint from queue.finished where state = 4 and finished_at > $1";
    let client = database.connect().await?;
    // Jobs in flight have run, but may not be settled yet.
    loop {
        if let Some(wait) = client.query_one(first, &[&since]).await?.get::<_, Option<i64>>(0) {
            return Ok(Duration::from_micros(wait.unsigned_abs()));
        }
        sleep(PAUSE).await;
    }
}
