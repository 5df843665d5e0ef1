//! The server is killed in mid-work and started again: how long until the queue goes on.

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

/// So many jobs have to run before each kill, and after it.
const IN_FULL_SWING: u32 = 5_000;
/// So long a push that was refused waits before the next one.
const PAUSE: Duration = Duration::from_millis(1);

/// How the queue went on after a death of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recovery {
    /// From the kill until the server took connections again.
    pub(crate) dead: Duration,
    /// From then until a job was completed.
    pub(crate) completed: Duration,
    /// From then until a push was taken.
    pub(crate) pushed: Duration,
    /// How many pushes were refused before.
    pub(crate) refused: u32,
}

/// Kills the server so many times while a full queue is emptied.
pub(super) async fn run(server: &Server, kills: u32) -> anyhow::Result<Vec<Recovery>> {
    let database = Database::on(server.way()?).await?;
    let queue = PostgresQueue::connect(database.url()).await?;
    // Each time some jobs are lost from sight until their leases expire.
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
        // Those that were in hand have run meanwhile.
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

/// Pushes a job again and again, and tells how often that was refused.
async fn push_until_taken(queue: &PostgresQueue) -> anyhow::Result<u32> {
    let mut refused = 0;
    while let Err(error) = queue.push(vec![job(0)]).await {
        ensure!(error.is_transient(), "{error}");
        refused += 1;
        sleep(PAUSE).await;
    }
    Ok(refused)
}

/// Tells how long after an instant the next job was completed.
async fn first_completed(database: &Database, since: SystemTime) -> anyhow::Result<Duration> {
    let since = i64::try_from(since.duration_since(UNIX_EPOCH)?.as_micros())?;
    let first =
        "select min(finished_at) - $1::bigint from queue.finished where state = 4 and finished_at > $1";
    let client = database.connect().await?;
    // Jobs that were in hand have run, and may not be settled yet.
    loop {
        if let Some(wait) = client.query_one(first, &[&since]).await?.get::<_, Option<i64>>(0) {
            return Ok(Duration::from_micros(wait.unsigned_abs()));
        }
        sleep(PAUSE).await;
    }
}
